//! The configuration of a modelled server.

use core::num::NonZeroU32;
use core::time::Duration;

use super::latency::LatencyModel;
use crate::guards::rate::Rate;
use crate::model::time::Timestamp;

/// The behaviour of a host. All random draws depend on the simulation's seed.
///
/// A request passes, in this order: an [`Outage`], the throttle and the quota, random results (resets, stalls,
/// 503, 500), the queue for a worker, the latency, and the body.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::testing::ServerModel;
///
/// let flaky = ServerModel::default().unavailable(50).resets(10).latency(
///     Duration::from_millis(20)..=Duration::from_millis(80),
/// );
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerModel {
    pub(super) bandwidth: Option<u64>,
    pub(super) body: u64,
    pub(super) capacity: Option<ServerCapacity>,
    pub(super) errors: u16,
    pub(super) latency: LatencyModel,
    pub(super) rejection: Duration,
    pub(super) resets: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) stalls: u16,
    pub(super) quota: Option<Rate>,
    pub(super) throttle: Option<Rate>,
    pub(super) throttle_later: Option<(Duration, Rate)>,
    pub(super) throttle_status: u16,
    pub(super) unavailable: u16,
}

/// The number of workers and the length of their queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ServerCapacity {
    pub(super) workers: NonZeroU32,
    pub(super) queue: u32,
}

impl ServerModel {
    /// Sets the size of successful responses' bodies in bytes, and the bytes per second; `None` is
    /// unlimited. Default 0 bytes.
    ///
    /// ```
    /// # use fetch_proto::testing::ServerModel;
    /// let downloads = ServerModel::default().body(10 << 20, Some(1 << 20));
    /// ```
    #[must_use]
    pub fn body(mut self, bytes: u64, per_second: Option<u64>) -> Self {
        self.body = bytes;
        self.bandwidth = per_second;
        self
    }

    /// Limits the server to `workers` concurrent requests, each for its latency. At most `queue`
    /// more wait in FIFO order; further ones are answered 503. Default: unlimited. 0 workers count
    /// as 1.
    ///
    /// Like most servers, it completes requests that the client has aborted. This is how retries
    /// sustain an overload that would otherwise end.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::{LatencyModel, ServerModel};
    /// // 4 / 20 ms: 200 requests per second, and no more.
    /// let small =
    ///     ServerModel::default().latency(LatencyModel::constant(Duration::from_millis(20))).capacity(4, 100);
    /// ```
    #[must_use]
    pub fn capacity(mut self, workers: u32, queue: u32) -> Self {
        let workers = NonZeroU32::new(workers).unwrap_or(NonZeroU32::MIN);
        self.capacity = Some(ServerCapacity { workers, queue });
        self
    }

    /// Sets how many of 1,000 requests are answered 500. Default 0.
    ///
    /// ```
    /// # use fetch_proto::testing::ServerModel;
    /// let server = ServerModel::default().errors(5);
    /// ```
    #[must_use]
    pub fn errors(mut self, per_mille: u16) -> Self {
        self.errors = per_mille;
        self
    }

    /// Sets the latency of answers. Default: uniform from 10 to 100 ms.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::{LatencyModel, ServerModel};
    /// let quick = ServerModel::default().latency(Duration::ZERO..=Duration::from_millis(1));
    /// let tailed = ServerModel::default().latency(LatencyModel::exponential(Duration::from_millis(30)));
    /// ```
    #[must_use]
    pub fn latency(mut self, latency: impl Into<LatencyModel>) -> Self {
        self.latency = latency.into();
        self
    }

    /// Sets the latency of answers without work: a refused connection, a 429, a 503 by a full queue
    /// or an outage. Default 1 ms.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::ServerModel;
    /// let far_away = ServerModel::default().rejection(Duration::from_millis(80));
    /// ```
    #[must_use]
    pub fn rejection(mut self, time: Duration) -> Self {
        self.rejection = time;
        self
    }

    /// Sets how many of 1,000 requests end in a connection reset. Default 0.
    ///
    /// ```
    /// # use fetch_proto::testing::ServerModel;
    /// let server = ServerModel::default().resets(20);
    /// ```
    #[must_use]
    pub fn resets(mut self, per_mille: u16) -> Self {
        self.resets = per_mille;
        self
    }

    /// Sets the `Retry-After` of every 503 and 429, except during an [`Outage`]. Default none.
    ///
    /// ```
    /// # use fetch_proto::testing::ServerModel;
    /// let server = ServerModel::default().unavailable(20).retry_after(core::time::Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Sets how many of 1,000 requests are never answered. Default 0.
    ///
    /// ```
    /// # use fetch_proto::testing::ServerModel;
    /// let server = ServerModel::default().stalls(20);
    /// ```
    #[must_use]
    pub fn stalls(mut self, per_mille: u16) -> Self {
        self.stalls = per_mille;
        self
    }

    /// Sets the rate above which requests are answered 429. Default: unlimited. A text such as
    /// `"50/s"` is a rate without bursts; [`Rate::per_second`] allows a burst of one second.
    ///
    /// ```
    /// # use core::num::NonZeroU32;
    /// # use fetch_proto::{Rate, testing::ServerModel};
    /// let limited = ServerModel::default().throttle(Rate::per_second(NonZeroU32::new(100).unwrap()));
    /// ```
    #[must_use]
    pub fn throttle(mut self, rate: Rate) -> Self {
        self.throttle = Some(rate);
        self
    }

    /// Sets the throttle from `from` on, measured from the start of the run. Default: the throttle
    /// does not change.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::ServerModel;
    /// let server = ServerModel::default()
    ///     .throttle("100/s".parse()?)
    ///     .throttle_later(Duration::from_secs(60), "20/s".parse()?);
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub fn throttle_later(mut self, from: Duration, rate: Rate) -> Self {
        self.throttle_later = Some((from, rate));
        self
    }

    /// Sets the status of requests above the throttle or the quota. Default 429; nginx answers 503.
    ///
    /// ```
    /// # use fetch_proto::testing::ServerModel;
    /// let nginx = ServerModel::default().throttle("100/s".parse()?).throttle_status(503);
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub fn throttle_status(mut self, status: u16) -> Self {
        self.throttle_status = status;
        self
    }

    /// Limits the requests in each window of fixed length: `"100/m"` accepts 100 requests within each
    /// minute since the start of the run, at any speed. Further ones are answered like those above
    /// the throttle. Default: unlimited.
    ///
    /// ```
    /// # use fetch_proto::testing::ServerModel;
    /// let api = ServerModel::default().quota("100/m".parse()?);
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub fn quota(mut self, quota: Rate) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Sets how many of 1,000 requests are answered 503. Default 0.
    ///
    /// ```
    /// # use fetch_proto::testing::ServerModel;
    /// let server = ServerModel::default().unavailable(1000);
    /// ```
    #[must_use]
    pub fn unavailable(mut self, per_mille: u16) -> Self {
        self.unavailable = per_mille;
        self
    }
}

impl Default for ServerModel {
    fn default() -> Self {
        Self {
            bandwidth: None,
            body: 0,
            capacity: None,
            errors: 0,
            latency: LatencyModel::default(),
            rejection: Duration::from_millis(1),
            resets: 0,
            retry_after: None,
            stalls: 0,
            quota: None,
            throttle: None,
            throttle_later: None,
            throttle_status: 429,
            unavailable: 0,
        }
    }
}

/// An outage of a host: from `from` (inclusive) to `until` (exclusive), since the start of the run.
/// See [`Simulation::outage`](super::Simulation::outage).
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::testing::{Outage, OutageKind};
///
/// let minute = Duration::from_secs(60);
/// let outage = Outage { from: minute, until: 2 * minute, kind: OutageKind::Unavailable(None) };
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outage {
    /// The start.
    pub from: Duration,
    /// The end.
    pub until: Duration,
    /// The result of requests during the outage.
    pub kind: OutageKind,
}

impl Outage {
    pub(super) fn is_on(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now.since_start())
    }
}

/// The result of requests in an [`Outage`].
///
/// ```
/// # use core::time::Duration;
/// # use fetch_proto::{EngineConfig, testing::{Outage, OutageKind, RequestResult, Simulation}};
/// let outage = Outage { from: Duration::ZERO, until: Duration::from_secs(2), kind: OutageKind::Refuse };
/// let mut simulation = Simulation::new(EngineConfig::default(), 7).outage("a.test", outage);
/// let summary = simulation.run(["http://a.test/"]);
/// assert!(summary.hosts[0].result_count(RequestResult::Refused) > 0);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OutageKind {
    /// Connections are refused.
    Refuse,
    /// Requests are never answered.
    Stall,
    /// Requests are answered 503, with this `Retry-After`.
    Unavailable(Option<Duration>),
}
