//! Timestamps and durations of the phases of an attempt and of a fetch.

use core::fmt;
use core::time::Duration;

use crate::model::time::Timestamp;

/// A phase of an attempt that a transport can observe.
///
/// ```
/// use fetch_proto::{AttemptPhase, Input, Timestamp};
/// let input = Input::Mark(AttemptPhase::Connected, Timestamp::from_nanos(7));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AttemptPhase {
    /// The host name is resolved.
    Resolved,
    /// A new connection is established, before its TLS handshake.
    Connected,
    /// A connection was taken from the pool.
    Reused,
    /// The TLS handshake is done.
    TlsDone,
    /// The last byte of the request was written.
    Sent,
}

impl fmt::Display for AttemptPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolved => "host name resolved",
            Self::Connected => "connected",
            Self::Reused => "connection reused",
            Self::TlsDone => "TLS handshake done",
            Self::Sent => "request sent",
        })
    }
}

/// When each phase of one attempt was completed. A phase that did not happen, or that the transport
/// cannot observe, is `None`: an attempt on a pooled connection resolves no name.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{AttemptTimings, Timestamp};
///
/// let mut timings = AttemptTimings::new(Timestamp::START);
/// timings.ended = Timestamp::START + Duration::from_millis(250);
/// timings.resolved = Some(Timestamp::START + Duration::from_millis(20));
/// timings.connected = Some(Timestamp::START + Duration::from_millis(50));
/// assert_eq!(timings.connect(), Some(Duration::from_millis(30)));
/// assert_eq!(timings.total(), Duration::from_millis(250));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct AttemptTimings {
    /// When the attempt was handed to the transport.
    pub started: Timestamp,
    /// See [`AttemptPhase::Resolved`].
    pub resolved: Option<Timestamp>,
    /// See [`AttemptPhase::Connected`] and [`AttemptPhase::Reused`].
    pub connected: Option<Timestamp>,
    /// Whether the connection was taken from the pool: [`AttemptPhase::Reused`].
    pub reused: bool,
    /// See [`AttemptPhase::TlsDone`].
    pub tls_done: Option<Timestamp>,
    /// See [`AttemptPhase::Sent`].
    pub sent: Option<Timestamp>,
    /// When the response head arrived; used as the time of the first byte.
    pub head: Option<Timestamp>,
    /// When the attempt ended.
    pub ended: Timestamp,
}

impl AttemptTimings {
    /// Timings of an attempt that starts at `started`, with no phase recorded.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// assert_eq!(AttemptTimings::new(Timestamp::START).sent, None);
    /// ```
    #[must_use]
    pub const fn new(started: Timestamp) -> Self {
        Self {
            started,
            resolved: None,
            connected: None,
            reused: false,
            tls_done: None,
            sent: None,
            head: None,
            ended: started,
        }
    }

    /// Records that a phase was completed, for a driver that learns of it only after it aborted the
    /// attempt. The first record of a phase counts; its time is clamped to the attempt's.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, AttemptPhase, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings::new(at(0));
    /// # t.ended = at(9);
    /// t.record(AttemptPhase::Sent, at(12));
    /// assert_eq!(t.sent, Some(at(9)));
    /// ```
    pub fn record(&mut self, phase: AttemptPhase, at: Timestamp) {
        self.mark(phase, at, self.ended);
    }

    pub(crate) fn mark(&mut self, phase: AttemptPhase, at: Timestamp, now: Timestamp) {
        let at = at.min(now).max(self.started);
        let slot = match phase {
            AttemptPhase::Resolved => &mut self.resolved,
            AttemptPhase::Connected | AttemptPhase::Reused => &mut self.connected,
            AttemptPhase::TlsDone => &mut self.tls_done,
            AttemptPhase::Sent => &mut self.sent,
        };
        slot.get_or_insert(at);
        self.reused |= phase == AttemptPhase::Reused;
    }

    /// The time to resolve the host name.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings::new(at(0));
    /// # t.resolved = Some(at(5));
    /// # t.ended = at(9);
    /// assert_eq!(t.resolve().map(|d| d.as_nanos()), Some(5));
    /// ```
    #[must_use]
    pub fn resolve(&self) -> Option<Duration> {
        self.resolved.map(|at| at.saturating_since(self.started))
    }

    /// The time to connect after name resolution, or to take a connection from the pool.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings::new(at(0));
    /// # t.resolved = Some(at(5));
    /// # t.connected = Some(at(7));
    /// # t.ended = at(9);
    /// assert_eq!(t.connect().map(|d| d.as_nanos()), Some(2));
    /// ```
    #[must_use]
    pub fn connect(&self) -> Option<Duration> {
        let from = self.resolved.unwrap_or(self.started);
        self.connected.map(|at| at.saturating_since(from))
    }

    /// The time of the TLS handshake.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings::new(at(0));
    /// # t.connected = Some(at(7));
    /// # t.tls_done = Some(at(8));
    /// # t.ended = at(9);
    /// assert_eq!(t.tls().map(|d| d.as_nanos()), Some(1));
    /// ```
    #[must_use]
    pub fn tls(&self) -> Option<Duration> {
        let from = self.connected.unwrap_or(self.started);
        self.tls_done.map(|at| at.saturating_since(from))
    }

    /// The time from the connection until the request was sent.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings::new(at(0));
    /// # t.connected = Some(at(2));
    /// # t.sent = Some(at(3));
    /// # t.ended = at(9);
    /// assert_eq!(t.send().map(|d| d.as_nanos()), Some(1));
    /// ```
    #[must_use]
    pub fn send(&self) -> Option<Duration> {
        let from = self.tls_done.or(self.connected).unwrap_or(self.started);
        self.sent.map(|at| at.saturating_since(from))
    }

    /// The time from the sent request to the response head: mostly server time.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings::new(at(0));
    /// # t.sent = Some(at(3));
    /// # t.head = Some(at(8));
    /// # t.ended = at(9);
    /// assert_eq!(t.wait().map(|d| d.as_nanos()), Some(5));
    /// ```
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        let from = self
            .sent
            .or(self.tls_done)
            .or(self.connected)
            .unwrap_or(self.started);
        self.head.map(|at| at.saturating_since(from))
    }

    /// The time from the response head to the end of the body.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings::new(at(0));
    /// # t.head = Some(at(8));
    /// # t.ended = at(9);
    /// assert_eq!(t.body().map(|d| d.as_nanos()), Some(1));
    /// ```
    #[must_use]
    pub fn body(&self) -> Option<Duration> {
        self.head.map(|at| self.ended.saturating_since(at))
    }

    /// The duration of the whole attempt.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings::new(at(1));
    /// # t.ended = at(9);
    /// assert_eq!(t.total().as_nanos(), 8);
    /// ```
    #[must_use]
    pub fn total(&self) -> Duration {
        self.ended.saturating_since(self.started)
    }
}

/// The parts of a fetch's duration. The total is made up of `queued`, `backoff`, `redirecting`, and
/// the attempts that did not end in a redirect.
///
/// ```
/// # use fetch_proto::testing::{FetchScript, status};
/// use core::time::Duration;
/// use fetch_proto::{Backoff, Policy};
///
/// let policy = Policy::default().backoff(Backoff::default().jitter(None));
/// let run = FetchScript::new(policy).answers([status(503), status(200)]).run();
/// assert_eq!(run.outcome().timings.backoff, Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct FetchTimings {
    /// When the fetch was submitted.
    pub submitted: Timestamp,
    /// When its first attempt started, or when it started to wait for a shared response; `None` if
    /// neither happened.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// Time spent waiting for a slot, before the first attempt, each retry and each redirect, or
    /// for a shared response.
    pub queued: Duration,
    /// Time spent waiting between attempts, by backoff or `Retry-After`.
    pub backoff: Duration,
    /// Time spent in attempts that ended in a redirect.
    pub redirecting: Duration,
}

impl FetchTimings {
    /// Timings of a fetch that was submitted at `submitted` and ended at once, without an attempt.
    ///
    /// ```
    /// # use fetch_proto::{FetchTimings, Timestamp};
    /// assert!(FetchTimings::not_started(Timestamp::START).total().is_zero());
    /// ```
    #[must_use]
    pub const fn not_started(submitted: Timestamp) -> Self {
        Self {
            submitted,
            started: None,
            ended: submitted,
            queued: Duration::ZERO,
            backoff: Duration::ZERO,
            redirecting: Duration::ZERO,
        }
    }

    /// The time from submission to the end.
    ///
    /// ```
    /// # use fetch_proto::{FetchTimings, Timestamp};
    /// # let mut t = FetchTimings::not_started(Timestamp::START);
    /// # t.ended = Timestamp::from_nanos(9);
    /// assert_eq!(t.total().as_nanos(), 9);
    /// ```
    #[must_use]
    pub fn total(&self) -> Duration {
        self.ended.saturating_since(self.submitted)
    }

    /// The time from the start of the first attempt to the end; zero if none started.
    ///
    /// ```
    /// # use fetch_proto::{FetchTimings, Timestamp};
    /// # let mut t = FetchTimings::not_started(Timestamp::START);
    /// # t.started = Some(Timestamp::from_nanos(2));
    /// # t.ended = Timestamp::from_nanos(9);
    /// assert_eq!(t.active().as_nanos(), 7);
    /// ```
    #[must_use]
    pub fn active(&self) -> Duration {
        self.started
            .map_or(Duration::ZERO, |at| self.ended.saturating_since(at))
    }
}
