//! Counts over time, in fixed memory.

use alloc::vec::Vec;
use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// The finest buckets: a 512th of a second. Doubled often enough they are whole seconds.
const FINEST: u64 = 1_953_125;

/// Load and results over time: never more than [`LoadSeries::MAX`] buckets of the same width, which is
/// doubled as the run goes on.
///
/// ```
/// use fetch_proto::{Config, testing::Simulation};
///
/// let summary = Simulation::new(Config::default(), 7).run(["http://a.test/"; 50]);
/// let points = summary.series.points();
/// assert_eq!(points.iter().map(|point| point.requests).sum::<u64>(), 50);
/// assert!(summary.series.width() * points.len() as u32 > summary.took);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoadSeries {
    /// How many are in flight now.
    level: u64,
    points: Vec<SeriesPoint>,
    /// Nanoseconds.
    width: u64,
}

/// What happened in one bucket of a [`LoadSeries`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SeriesPoint {
    /// Requests that were sent.
    pub requests: u64,
    /// Fetches that ended with a status below 400.
    pub ok: u64,
    /// Fetches that ended otherwise.
    pub failed: u64,
    /// The most requests that were in flight at once.
    pub in_flight: u64,
}

impl SeriesPoint {
    fn join(self, later: Self) -> Self {
        Self {
            requests: self.requests + later.requests,
            ok: self.ok + later.ok,
            failed: self.failed + later.failed,
            in_flight: self.in_flight.max(later.in_flight),
        }
    }
}

impl LoadSeries {
    /// The most buckets.
    pub const MAX: usize = 120;

    /// What happened in each bucket, from the start of the run to its end.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let summary = Simulation::new(Config::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.series.points()[0].requests, 1);
    /// ```
    #[must_use]
    pub fn points(&self) -> &[SeriesPoint] {
        &self.points
    }

    /// How long each bucket is: a power of two, in seconds.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let summary = Simulation::new(Config::default(), 7).run(["http://a.test/"]);
    /// assert!(summary.series.width() < Duration::from_millis(10));
    /// ```
    #[must_use]
    pub fn width(&self) -> Duration {
        Duration::from_nanos(self.width)
    }

    /// The bucket of that time, which is not before any other that was asked for.
    pub(super) fn at(&mut self, now: Timestamp) -> &mut SeriesPoint {
        let mut index = now.as_nanos() / self.width;
        while index >= Self::MAX as u64 {
            self.halve();
            index = now.as_nanos() / self.width;
        }
        let index = index as usize;
        if self.points.len() <= index {
            // What flies does so in the buckets in which nothing happens, too.
            let quiet = SeriesPoint {
                in_flight: self.level,
                ..SeriesPoint::default()
            };
            self.points.resize(index + 1, quiet);
        }
        &mut self.points[index]
    }

    /// One more is in flight, in the last bucket.
    pub(super) fn rise(&mut self) {
        self.level += 1;
        if let Some(last) = self.points.last_mut() {
            last.in_flight = last.in_flight.max(self.level);
        }
    }

    /// One fewer is in flight.
    pub(super) fn fall(&mut self, now: Timestamp) {
        let _ = self.at(now);
        self.level -= 1;
    }

    /// Goes on to the end of the run, so that all series of a run have the same buckets.
    pub(super) fn stretch(&mut self, took: Duration) {
        let _ = self.at(Timestamp::from_nanos(nanos(took)));
    }

    fn halve(&mut self) {
        let pair = |pair: &[SeriesPoint]| {
            pair.iter()
                .copied()
                .fold(SeriesPoint::default(), SeriesPoint::join)
        };
        self.points = self.points.chunks(2).map(pair).collect();
        self.width = self.width.saturating_mul(2);
    }
}

impl Default for LoadSeries {
    fn default() -> Self {
        Self {
            level: 0,
            points: Vec::new(),
            width: FINEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_it_goes_on_there_are_few_buckets_and_nothing_is_lost() {
        let mut series = LoadSeries::default();
        for second in 0..10_000 {
            let now = Timestamp::START + Duration::from_secs(second);
            series.at(now).requests += 1;
            assert!(series.points().len() <= LoadSeries::MAX);
        }
        let sum: u64 = series.points().iter().map(|point| point.requests).sum();
        assert_eq!((sum, series.width()), (10_000, Duration::from_secs(128)));
    }

    #[test]
    fn what_is_in_flight_is_seen_in_quiet_buckets_too() {
        let mut series = LoadSeries::default();
        series.at(Timestamp::START).requests += 1;
        series.rise();
        series.fall(Timestamp::from_nanos(4 * FINEST));
        series.stretch(Duration::from_nanos(6 * FINEST));
        let levels: Vec<_> = series.points().iter().map(|p| p.in_flight).collect();
        assert_eq!(levels, [1, 1, 1, 1, 1, 0, 0]);
    }
}
