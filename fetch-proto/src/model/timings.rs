//! Where the time of an attempt and of a fetch went.

use core::time::Duration;

use crate::model::time::Timestamp;

/// A step of an attempt that a transport can see.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AttemptPhase {
    /// The name was resolved to addresses.
    Resolved,
    /// A connection was made; its TLS handshake, if any, is still to come.
    Connected,
    /// A connection was taken from the pool, ready for the request.
    Reused,
    /// The TLS handshake is done.
    TlsDone,
    /// The last byte of the request was written.
    Sent,
}

/// When the steps of one attempt were done. A step that did not happen, or that the transport cannot
/// see, is `None`: an attempt on a pooled connection resolves nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct AttemptTimings {
    /// The attempt was handed to the transport.
    pub started: Timestamp,
    /// See [`AttemptPhase::Resolved`].
    pub resolved: Option<Timestamp>,
    /// See [`AttemptPhase::Connected`] and [`AttemptPhase::Reused`].
    pub connected: Option<Timestamp>,
    /// Whether the connection was taken from the pool: see [`AttemptPhase::Reused`].
    pub reused: bool,
    /// See [`AttemptPhase::TlsDone`].
    pub tls_done: Option<Timestamp>,
    /// See [`AttemptPhase::Sent`].
    pub sent: Option<Timestamp>,
    /// The response's head was there: the first byte, as far as a client can tell.
    pub head: Option<Timestamp>,
    /// The attempt was over.
    pub ended: Timestamp,
}

impl AttemptTimings {
    pub(crate) const fn starting(now: Timestamp) -> Self {
        Self {
            started: now,
            resolved: None,
            connected: None,
            reused: false,
            tls_done: None,
            sent: None,
            head: None,
            ended: now,
        }
    }

    /// Notes that a phase was done. The first note of a phase counts, and it never lies outside the
    /// attempt. For drivers that learn of a phase only after they aborted the attempt.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, AttemptPhase, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let mut t = AttemptTimings { started: at(0), resolved: None, connected: None, reused: false, tls_done: None, sent: None, head: None, ended: at(9) };
    /// t.note(AttemptPhase::Sent, at(12));
    /// assert_eq!(t.sent, Some(at(9)));
    /// ```
    pub fn note(&mut self, phase: AttemptPhase, at: Timestamp) {
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

    /// The time to resolve the name.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let t = AttemptTimings { started: at(0), resolved: Some(at(5)), connected: None, reused: false, tls_done: None, sent: None, head: None, ended: at(9) };
    /// assert_eq!(t.resolve().map(|d| d.as_nanos()), Some(5));
    /// ```
    #[must_use]
    pub fn resolve(&self) -> Option<Duration> {
        self.resolved.map(|at| at.saturating_since(self.started))
    }

    /// The time to connect, once the name was resolved; to take a connection from the pool, where
    /// one was there.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let t = AttemptTimings { started: at(0), resolved: Some(at(5)), connected: Some(at(7)), reused: false, tls_done: None, sent: None, head: None, ended: at(9) };
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
    /// # let t = AttemptTimings { started: at(0), resolved: None, connected: Some(at(7)), reused: false, tls_done: Some(at(8)), sent: None, head: None, ended: at(9) };
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
    /// # let t = AttemptTimings { started: at(0), resolved: None, connected: Some(at(2)), reused: false, tls_done: None, sent: Some(at(3)), head: None, ended: at(9) };
    /// assert_eq!(t.send().map(|d| d.as_nanos()), Some(1));
    /// ```
    #[must_use]
    pub fn send(&self) -> Option<Duration> {
        let from = self.tls_done.or(self.connected).unwrap_or(self.started);
        self.sent.map(|at| at.saturating_since(from))
    }

    /// The time from the sent request to the response's head: mostly the server's own.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let t = AttemptTimings { started: at(0), resolved: None, connected: None, reused: false, tls_done: None, sent: Some(at(3)), head: Some(at(8)), ended: at(9) };
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

    /// The time from the response's head to the end of its body.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let t = AttemptTimings { started: at(0), resolved: None, connected: None, reused: false, tls_done: None, sent: None, head: Some(at(8)), ended: at(9) };
    /// assert_eq!(t.body().map(|d| d.as_nanos()), Some(1));
    /// ```
    #[must_use]
    pub fn body(&self) -> Option<Duration> {
        self.head.map(|at| self.ended.saturating_since(at))
    }

    /// The whole attempt.
    ///
    /// ```
    /// # use fetch_proto::{AttemptTimings, Timestamp};
    /// # let at = Timestamp::from_nanos;
    /// # let t = AttemptTimings { started: at(1), resolved: None, connected: None, reused: false, tls_done: None, sent: None, head: None, ended: at(9) };
    /// assert_eq!(t.total().as_nanos(), 8);
    /// ```
    #[must_use]
    pub fn total(&self) -> Duration {
        self.ended.saturating_since(self.started)
    }
}

/// Where the time of a whole fetch went. `queued`, `backoff`, `redirecting` and the last attempt
/// together with earlier failed ones make up the total.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct FetchTimings {
    /// The fetch was submitted.
    pub submitted: Timestamp,
    /// Its first attempt began; `None` if none ever did.
    pub started: Option<Timestamp>,
    /// It was over.
    pub ended: Timestamp,
    /// Spent waiting for a slot: at first, at each retry, at each redirect.
    pub queued: Duration,
    /// Spent waiting between attempts, by backoff or because the server asked.
    pub backoff: Duration,
    /// Spent in attempts that ended in a redirect.
    pub redirecting: Duration,
}

impl FetchTimings {
    /// From submission to the end.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{FetchTimings, Timestamp};
    /// # let t = FetchTimings { submitted: Timestamp::START, started: None, ended: Timestamp::from_nanos(9), queued: Duration::ZERO, backoff: Duration::ZERO, redirecting: Duration::ZERO };
    /// assert_eq!(t.total().as_nanos(), 9);
    /// ```
    #[must_use]
    pub fn total(&self) -> Duration {
        self.ended.saturating_since(self.submitted)
    }

    /// From the first attempt's start to the end; zero if none began.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{FetchTimings, Timestamp};
    /// # let t = FetchTimings { submitted: Timestamp::START, started: Some(Timestamp::from_nanos(2)), ended: Timestamp::from_nanos(9), queued: Duration::ZERO, backoff: Duration::ZERO, redirecting: Duration::ZERO };
    /// assert_eq!(t.active().as_nanos(), 7);
    /// ```
    #[must_use]
    pub fn active(&self) -> Duration {
        self.started
            .map_or(Duration::ZERO, |at| self.ended.saturating_since(at))
    }
}
