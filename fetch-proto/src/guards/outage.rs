//! Waiting for hosts that are down.

use core::time::Duration;

use crate::guards::breaker::{Breaker, OnOpen};
use crate::model::failure::FailureCause;
use crate::model::outcome::FetchError;
use crate::model::time::Timestamp;

/// How long fetches wait for a host that is down, instead of failing one after the other.
///
/// While the circuit breaker of a host is open, its fetches wait: their queue limit and total limit
/// do not run, and attempts that failed since the host's last answer do not count. Single probes
/// find out when the host is back. If it does not come back in time, it is given up: its waiting
/// fetches end with [`FetchError::HostDown`](crate::FetchError::HostDown), and so do later ones,
/// unless a probe succeeds. Which failures mean that a host is down: [`HostEvidence`](crate::HostEvidence).
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{EngineConfig, OutageWait};
///
/// let wait = OutageWait::default().max(Duration::from_secs(60));
/// let config = EngineConfig::default().wait_for_outages(wait);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct OutageWait {
    /// How long a host is waited for that has answered before, from its first failure. Default 300
    /// s. Also the longest `Retry-After` that is waited for with
    /// [`OverCap::Defer`](crate::OverCap::Defer).
    pub max: Duration,
    /// How long a host is waited for that has not answered once, at most [`max`](field@Self::max).
    /// Default 30 s.
    pub unanswered: Duration,
}

impl OutageWait {
    /// Sets how long a host is waited for that has answered before.
    ///
    /// ```
    /// use core::time::Duration;
    /// let wait = fetch_proto::OutageWait::default().max(Duration::from_secs(3600));
    /// ```
    #[must_use]
    pub const fn max(mut self, wait: Duration) -> Self {
        self.max = wait;
        self
    }

    /// Sets how long a host is waited for that has not answered once.
    ///
    /// ```
    /// use core::time::Duration;
    /// let wait = fetch_proto::OutageWait::default().unanswered(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub const fn unanswered(mut self, wait: Duration) -> Self {
        self.unanswered = wait;
        self
    }

    /// How long a host is waited for.
    pub(crate) fn limit(&self, has_answered: bool) -> Duration {
        if has_answered {
            self.max
        } else {
            self.unanswered.min(self.max)
        }
    }
}

impl Default for OutageWait {
    fn default() -> Self {
        Self {
            max: Duration::from_secs(300),
            unanswered: Duration::from_secs(30),
        }
    }
}

/// The current outage of a host.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct HostOutage {
    /// The latest failure.
    pub(crate) cause: FailureCause,
    pub(crate) gives_up_at: Timestamp,
    /// Whether its fetches no longer wait.
    pub(crate) is_given_up: bool,
    /// The first failure.
    pub(crate) since: Timestamp,
}

impl HostOutage {
    /// The error of fetches that are not waited for any longer.
    pub(crate) fn error(&self, now: Timestamp) -> FetchError {
        FetchError::HostDown {
            cause: self.cause,
            down_for: now.saturating_since(self.since),
        }
    }
}

/// Whether fetches of a host with this breaker wait for it.
pub(crate) fn defers(breaker: &Breaker) -> bool {
    breaker.on_open == OnOpen::Defer
}
