//! What a modelled server is like.

use core::num::NonZeroU32;
use core::time::Duration;

use super::latency::LatencyModel;
use crate::guards::rate::Rate;
use crate::model::time::Timestamp;

/// How the servers of one host behave. Every choice is drawn from the simulation's seed.
///
/// A request meets, in this order: an [`Outage`], the throttle, chance (resets, stalls, 503, 500),
/// the queue for a worker, the latency, and the body.
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
    pub(super) capacity: Option<Capacity>,
    pub(super) errors: u16,
    pub(super) latency: LatencyModel,
    pub(super) rejection: Duration,
    pub(super) resets: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) stalls: u16,
    pub(super) throttle: Option<Rate>,
    pub(super) unavailable: u16,
}

/// How much a server can do at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Capacity {
    pub(super) workers: NonZeroU32,
    pub(super) queue: u32,
}

impl ServerModel {
    /// Sets the size of every good answer's body, in bytes, and how many come in a second; `None`
    /// brings all at once. Default 0 bytes.
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

    /// Lets the server work on no more than `workers` requests at once, each for its latency. As many
    /// as `queue` wait for a worker in their order, and what comes when that is full is answered 503
    /// at once. Default: no limit. 0 workers count as 1.
    ///
    /// The server does not notice when a client gives up: it does that work too, for nobody, as
    /// most servers do. That is how retries keep an overload going that would have ended.
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
        self.capacity = Some(Capacity { workers, queue });
        self
    }

    /// Sets how many of 1,000 attempts are answered 500. Default 0.
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

    /// Sets how long an answer takes. Default 10 to 100 ms, evenly.
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

    /// Sets how long an answer takes that costs the server no work: a refused connection, a 429, a
    /// 503 because its queue is full or by an outage. Default 1 ms.
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

    /// Sets how many of 1,000 attempts end in a reset connection. Default 0.
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

    /// Sets a `Retry-After` for every 503 and 429. Default none.
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

    /// Sets how many of 1,000 attempts are never answered. Default 0.
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

    /// Answers 429 to what comes faster than this rate. Default: no limit. A text such as `"50/s"`
    /// makes a rate without bursts; [`Rate::per_second`] one that forgives a burst of a second.
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

    /// Sets how many of 1,000 attempts are answered 503. Default 0.
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
            throttle: None,
            unavailable: 0,
        }
    }
}

/// A time in which a host answers no request as it should, counted from the start of the run: from
/// `from`, until `until`, which is not in it any more. See
/// [`Simulation::outage`](super::Simulation::outage).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outage {
    /// When it begins.
    pub from: Duration,
    /// When it is over.
    pub until: Duration,
    /// What requests come to meanwhile.
    pub how: OutageKind,
}

impl Outage {
    pub(super) fn is_on(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now.since_start())
    }
}

/// What requests come to in an [`Outage`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutageKind {
    /// Connections are refused.
    Refuse,
    /// Nothing is answered.
    Stall,
    /// Everything is answered 503, with this `Retry-After`.
    Unavailable(Option<Duration>),
}
