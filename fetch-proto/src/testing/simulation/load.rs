//! What a host got to do, and how its fetches went.

use alloc::boxed::Box;
use core::time::Duration;

use super::series::LoadSeries;
use crate::model::outcome::FetchOutcome;
use crate::model::time::Timestamp;
use crate::stats::batch::{BatchStats, FetchSample};
use crate::stats::histogram::DurationHistogram;

/// What a request came to at a modelled server.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum RequestResult {
    /// It was answered 500.
    Error,
    /// It was answered 200.
    Ok,
    /// It was answered 503, because the queue for a worker was full.
    Overloaded,
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// It was never answered.
    Stalled,
    /// It was answered 429.
    Throttled,
    /// It was answered 503, by chance or by an outage.
    Unavailable,
}

impl RequestResult {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 8] = [
        Self::Error,
        Self::Ok,
        Self::Overloaded,
        Self::Refused,
        Self::Reset,
        Self::Stalled,
        Self::Throttled,
        Self::Unavailable,
    ];

    /// Its name, such as `overloaded`.
    ///
    /// ```
    /// assert_eq!(fetch_proto::testing::RequestResult::Throttled.as_str(), "throttled");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Ok => "ok",
            Self::Overloaded => "overloaded",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Stalled => "stalled",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
        }
    }

    pub(super) fn status(self) -> Option<u16> {
        match self {
            Self::Error => Some(500),
            Self::Ok => Some(200),
            Self::Overloaded | Self::Unavailable => Some(503),
            Self::Throttled => Some(429),
            Self::Refused | Self::Reset | Self::Stalled => None,
        }
    }
}

/// What one host got to do in a [`Simulation`](super::Simulation), and how its fetches went.
///
/// ```
/// use fetch_proto::Config;
/// use fetch_proto::testing::{RequestResult, ServerModel, Simulation};
///
/// let mut simulation =
///     Simulation::new(Config::default(), 7).everywhere(ServerModel::default().unavailable(1000));
/// let summary = simulation.run(["http://a.test/"]);
/// let host = &summary.hosts[0];
/// assert_eq!((&*host.name, host.fetches.count(), host.requests), ("a.test", 1, 3));
/// assert_eq!((host.amplification(), host.result_count(RequestResult::Unavailable)), (3000, 3));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostSummary {
    /// Its name, or [`OTHERS`](Self::OTHERS).
    pub name: Box<str>,
    /// Its fetches, by how they ended, and how long they took.
    pub fetches: BatchStats,
    /// Requests that it received.
    pub requests: u64,
    /// Requests whose client gave up before the answer: work for nobody.
    pub abandoned: u64,
    /// The most requests in one second of the clock.
    pub peak_rate: u64,
    /// The most requests that were in flight at once.
    pub peak_in_flight: u32,
    /// How long each fetch waited for its turn, in all.
    pub queued: DurationHistogram,
    /// Load and results over time.
    pub series: LoadSeries,
    fates: [u64; RequestResult::ALL.len()],
    /// The present second, and the requests in it.
    second: (u64, u64),
}

impl HostSummary {
    /// The name of the summary of all hosts that are too many for one each.
    pub const OTHERS: &'static str = "(other hosts)";

    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            fetches: BatchStats::default(),
            requests: 0,
            abandoned: 0,
            peak_rate: 0,
            peak_in_flight: 0,
            queued: DurationHistogram::default(),
            series: LoadSeries::default(),
            fates: Default::default(),
            second: (0, 0),
        }
    }

    /// How many requests came to this.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::{RequestResult, Simulation}};
    /// let summary = Simulation::new(Config::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.hosts[0].result_count(RequestResult::Ok), 1);
    /// ```
    #[must_use]
    pub fn result_count(&self, fate: RequestResult) -> u64 {
        self.fates[fate as usize]
    }

    /// Requests for 1,000 fetches that ended, rounded down: 1000 if nothing was sent twice. 0 if
    /// none ended.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let summary = Simulation::new(Config::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.hosts[0].amplification(), 1000);
    /// ```
    #[must_use]
    pub fn amplification(&self) -> u64 {
        let milli = u128::from(self.requests) * 1000;
        let milli = milli.checked_div(self.fetches.count().into());
        u64::try_from(milli.unwrap_or(0)).unwrap_or(u64::MAX)
    }

    /// A request came, as the `flying`-th in flight.
    pub(super) fn received(&mut self, fate: RequestResult, flying: u32, now: Timestamp) {
        self.requests += 1;
        self.fates[fate as usize] += 1;
        self.peak_in_flight = self.peak_in_flight.max(flying);
        let second = now.since_start().as_secs();
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        self.peak_rate = self.peak_rate.max(self.second.1);
        self.series.at(now).requests += 1;
        self.series.rise();
    }

    /// An attempt is in flight no more.
    pub(super) fn landed(&mut self, abandoned: bool, now: Timestamp) {
        self.abandoned += u64::from(abandoned);
        self.series.fall(now);
    }

    pub(super) fn ended(&mut self, outcome: &FetchOutcome, now: Timestamp) {
        self.fetches.record(&FetchSample::from(outcome));
        self.queued.record(outcome.timings.queued);
        let ok = outcome.status().is_some_and(|status| status < 400);
        let point = self.series.at(now);
        *if ok { &mut point.ok } else { &mut point.failed } += 1;
    }

    pub(super) fn finish(&mut self, took: Duration) {
        self.series.stretch(took);
    }
}
