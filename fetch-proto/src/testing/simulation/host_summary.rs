//! Requests and results per host.

use alloc::boxed::Box;
use core::time::Duration;

use super::series::LoadSeries;
use crate::model::outcome::FetchOutcome;
use crate::model::time::Timestamp;
use crate::stats::batch::{BatchStats, FetchSample};
use crate::stats::histogram::DurationHistogram;

/// The result of a request at a modelled server.
///
/// ```
/// # use fetch_proto::{EngineConfig, testing::{RequestResult, ServerModel, Simulation}};
/// let flaky = ServerModel::default().errors(1000);
/// let mut simulation = Simulation::new(EngineConfig::default(), 7).everywhere(flaky);
/// let summary = simulation.run(["http://a.test/"]);
/// assert_eq!(summary.hosts[0].result_count(RequestResult::Error), 3);
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum RequestResult {
    /// Answered 500.
    Error,
    /// Answered 200.
    Ok,
    /// Answered 503 because the queue of the server was full.
    Overloaded,
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// Never answered.
    Stalled,
    /// Answered 429.
    Throttled,
    /// Answered 503, at random or by an outage.
    Unavailable,
}

impl RequestResult {
    /// All results, sorted by name.
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

    /// The name, such as `overloaded`.
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

/// The load and the results of one host in a [`Simulation`](super::Simulation).
///
/// ```
/// use fetch_proto::EngineConfig;
/// use fetch_proto::testing::{RequestResult, ServerModel, Simulation};
///
/// let mut simulation =
///     Simulation::new(EngineConfig::default(), 7).everywhere(ServerModel::default().unavailable(1000));
/// let summary = simulation.run(["http://a.test/"]);
/// let host = &summary.hosts[0];
/// assert_eq!((&*host.name, host.fetches.count(), host.requests), ("a.test", 1, 3));
/// assert_eq!((host.amplification(), host.result_count(RequestResult::Unavailable)), (3000, 3));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostSummary {
    /// The host name, or [`OTHERS`](Self::OTHERS).
    pub name: Box<str>,
    /// The statistics of its fetches.
    pub fetches: BatchStats,
    /// The number of requests received.
    pub requests: u64,
    /// Requests that the client aborted before the answer: wasted work.
    pub abandoned: u64,
    /// The largest number of requests in one second.
    pub peak_rate: u64,
    /// The largest number of concurrent requests.
    pub peak_in_flight: u32,
    /// The total queueing time of each fetch.
    pub queued: DurationHistogram,
    /// Load and results over time.
    pub series: LoadSeries,
    results: [u64; RequestResult::ALL.len()],
    /// The current second, and the requests in it.
    second: (u64, u64),
}

impl HostSummary {
    /// The name of the summary that all hosts without a separate one share.
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
            results: Default::default(),
            second: (0, 0),
        }
    }

    /// The number of requests with this result.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, testing::{RequestResult, Simulation}};
    /// let summary = Simulation::new(EngineConfig::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.hosts[0].result_count(RequestResult::Ok), 1);
    /// ```
    #[must_use]
    pub fn result_count(&self, result: RequestResult) -> u64 {
        self.results[result as usize]
    }

    /// Requests per 1,000 ended fetches, rounded down: 1000 if nothing was retried. 0 if no fetch
    /// ended.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, testing::Simulation};
    /// let summary = Simulation::new(EngineConfig::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.hosts[0].amplification(), 1000);
    /// ```
    #[must_use]
    pub fn amplification(&self) -> u64 {
        let milli = u128::from(self.requests) * 1000;
        let milli = milli.checked_div(self.fetches.count().into());
        u64::try_from(milli.unwrap_or(0)).unwrap_or(u64::MAX)
    }

    /// Records a request that makes `in_flight` concurrent ones.
    pub(super) fn record_request(&mut self, result: RequestResult, in_flight: u32, now: Timestamp) {
        self.requests += 1;
        self.results[result as usize] += 1;
        self.peak_in_flight = self.peak_in_flight.max(in_flight);
        let second = now.since_start().as_secs();
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        self.peak_rate = self.peak_rate.max(self.second.1);
        self.series.point_mut(now).requests += 1;
        self.series.attempt_started();
    }

    /// Records that an attempt is no longer in flight.
    pub(super) fn record_attempt_end(&mut self, abandoned: bool, now: Timestamp) {
        self.abandoned += u64::from(abandoned);
        self.series.attempt_ended(now);
    }

    pub(super) fn record_outcome(&mut self, outcome: &FetchOutcome, now: Timestamp) {
        self.fetches.record(&FetchSample::from(outcome));
        self.queued.record(outcome.timings.queued);
        let ok = outcome.status().is_some_and(|status| status < 400);
        let point = self.series.point_mut(now);
        *if ok { &mut point.ok } else { &mut point.failed } += 1;
    }

    pub(super) fn extend_to(&mut self, took: Duration) {
        self.series.extend_to(took);
    }
}
