//! Load and results over time, in bounded memory.

use alloc::vec::Vec;
use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// The initial width of a bucket in nanoseconds: 1/512 s, so that doubling reaches whole seconds.
const MIN_WIDTH: u64 = 1_953_125;

/// Load and results over time, in at most [`LoadSeries::MAX`] buckets of equal width. The width
/// doubles as the run continues.
///
/// ```
/// use fetch_proto::{EngineConfig, testing::Simulation};
///
/// let summary = Simulation::new(EngineConfig::default(), 7).run(["http://a.test/"; 50]);
/// let points = summary.series.points();
/// assert_eq!(points.iter().map(|point| point.requests).sum::<u64>(), 50);
/// assert!(summary.series.width() * points.len() as u32 > summary.took);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoadSeries {
    /// The attempts in flight now.
    in_flight: u64,
    points: Vec<SeriesPoint>,
    /// In nanoseconds.
    width: u64,
}

/// One bucket of a [`LoadSeries`].
///
/// ```
/// # use fetch_proto::{EngineConfig, testing::Simulation};
/// let summary = Simulation::new(EngineConfig::default(), 7).run(["http://a.test/"]);
/// let first = summary.series.points()[0];
/// assert_eq!((first.requests, first.in_flight), (1, 1));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SeriesPoint {
    /// Requests sent.
    pub requests: u64,
    /// Fetches that ended with a status below 400.
    pub ok: u64,
    /// Fetches that ended with another status or an error.
    pub failed: u64,
    /// The largest number of concurrent requests.
    pub in_flight: u64,
}

impl SeriesPoint {
    fn merge(self, later: Self) -> Self {
        Self {
            requests: self.requests + later.requests,
            ok: self.ok + later.ok,
            failed: self.failed + later.failed,
            in_flight: self.in_flight.max(later.in_flight),
        }
    }
}

impl LoadSeries {
    /// The largest number of buckets.
    pub const MAX: usize = 120;

    /// The buckets, from the start of the run to its end.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, testing::Simulation};
    /// let summary = Simulation::new(EngineConfig::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.series.points()[0].requests, 1);
    /// ```
    #[must_use]
    pub fn points(&self) -> &[SeriesPoint] {
        &self.points
    }

    /// The width of a bucket: a power of two, in seconds.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{EngineConfig, testing::Simulation};
    /// let summary = Simulation::new(EngineConfig::default(), 7).run(["http://a.test/"]);
    /// assert!(summary.series.width() < Duration::from_millis(10));
    /// ```
    #[must_use]
    pub fn width(&self) -> Duration {
        Duration::from_nanos(self.width)
    }

    /// The bucket of `now`, which must not be earlier than in previous calls.
    pub(super) fn point_mut(&mut self, now: Timestamp) -> &mut SeriesPoint {
        let mut index = now.as_nanos() / self.width;
        while index >= Self::MAX as u64 {
            self.double_width();
            index = now.as_nanos() / self.width;
        }
        let index = index as usize;
        if self.points.len() <= index {
            // Attempts are also in flight in buckets without events.
            let quiet = SeriesPoint {
                in_flight: self.in_flight,
                ..SeriesPoint::default()
            };
            self.points.resize(index + 1, quiet);
        }
        &mut self.points[index]
    }

    /// Counts one more attempt in flight in the last bucket.
    pub(super) fn attempt_started(&mut self) {
        self.in_flight += 1;
        if let Some(last) = self.points.last_mut() {
            last.in_flight = last.in_flight.max(self.in_flight);
        }
    }

    /// Counts one attempt less in flight.
    pub(super) fn attempt_ended(&mut self, now: Timestamp) {
        let _ = self.point_mut(now);
        self.in_flight -= 1;
    }

    /// Extends the series to the end of the run, so that all series of a run have the same buckets.
    pub(super) fn extend_to(&mut self, took: Duration) {
        let _ = self.point_mut(Timestamp::from_nanos(nanos(took)));
    }

    fn double_width(&mut self) {
        let pair = |pair: &[SeriesPoint]| {
            pair.iter()
                .copied()
                .fold(SeriesPoint::default(), SeriesPoint::merge)
        };
        self.points = self.points.chunks(2).map(pair).collect();
        self.width = self.width.saturating_mul(2);
    }
}

impl Default for LoadSeries {
    fn default() -> Self {
        Self {
            in_flight: 0,
            points: Vec::new(),
            width: MIN_WIDTH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_series_has_few_buckets_and_loses_nothing() {
        let mut series = LoadSeries::default();
        for second in 0..10_000 {
            let now = Timestamp::START + Duration::from_secs(second);
            series.point_mut(now).requests += 1;
            assert!(series.points().len() <= LoadSeries::MAX);
        }
        let sum: u64 = series.points().iter().map(|point| point.requests).sum();
        assert_eq!((sum, series.width()), (10_000, Duration::from_secs(128)));
    }

    #[test]
    fn attempts_in_flight_count_in_buckets_without_events() {
        let mut series = LoadSeries::default();
        series.point_mut(Timestamp::START).requests += 1;
        series.attempt_started();
        series.attempt_ended(Timestamp::from_nanos(4 * MIN_WIDTH));
        series.extend_to(Duration::from_nanos(6 * MIN_WIDTH));
        let in_flight: Vec<_> = series.points().iter().map(|p| p.in_flight).collect();
        assert_eq!(in_flight, [1, 1, 1, 1, 1, 0, 0]);
    }
}
