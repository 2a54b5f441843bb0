//! Inputs and outputs of a circuit breaker.

use core::fmt;
use core::ops::AddAssign;

use crate::model::text::ShortDuration;
use crate::model::time::Timestamp;

/// Handle of an admitted call, to be passed back once with its result. A call that is never
/// reported is harmless.
///
/// It belongs to the state that admitted it: its result is ignored if the circuit has opened or
/// closed since.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct BreakerCall {
    pub(super) generation: u64,
    pub(super) probe: Option<u32>,
}

impl BreakerCall {
    /// Whether it is a probe of a half-open circuit.
    ///
    /// ```
    /// use fetch_proto::{Breaker, CircuitBreaker, Timestamp};
    /// let mut circuit = CircuitBreaker::new(Breaker::default(), 0);
    /// assert!(!circuit.admit(Timestamp::START).unwrap().is_probe());
    /// ```
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.probe.is_some()
    }
}

/// Result of a call as evidence of the host's health, not of the usefulness of its answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CallResult {
    /// The host is down: no connection, a connection that was closed before the response, status
    /// 502, 503 or 504.
    Failure,
    /// No evidence: the call was cancelled or never sent, ended at a time limit, or got 429, which
    /// only limits the rate.
    Neutral,
    /// The host answered, with any other status such as 200, 404 or 500.
    Success,
}

/// State of a [`CircuitBreaker`](crate::CircuitBreaker).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CircuitState {
    /// All calls are admitted.
    Closed,
    /// A few calls are admitted, as probes.
    HalfOpen,
    /// No call is admitted.
    Open,
}

/// The circuit admits no call. Nothing was sent, so this is not a failed attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct CallNotPermitted {
    /// Earliest time a call is admitted: the end of the break, or of the earliest probe lease. The
    /// result of a probe may make it earlier. `None` while the circuit is forced open.
    pub until: Option<Timestamp>,
}

impl fmt::Display for CallNotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => {
                let until = ShortDuration(until.since_start());
                write!(f, "circuit breaker open until {until} after the start")
            }
            None => f.write_str("circuit breaker forced open: change its mode"),
        }
    }
}

impl core::error::Error for CallNotPermitted {}

/// Calls counted within a circuit's window.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct CallCounts {
    /// Calls that succeeded or failed.
    pub calls: u32,
    /// Failed calls.
    pub failures: u32,
    /// Calls that took longer than [`Breaker::slow`](crate::Breaker::slow) allows.
    pub slow: u32,
}

impl AddAssign for CallCounts {
    fn add_assign(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failures = self.failures.saturating_add(other.failures);
        self.slow = self.slow.saturating_add(other.slow);
    }
}
