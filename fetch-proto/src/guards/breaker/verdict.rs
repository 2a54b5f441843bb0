//! What goes into a circuit and what comes out.

use core::fmt;
use core::ops::AddAssign;

use crate::model::time::Timestamp;

/// An admitted call: to be given back, once, with its result. A call that is never given back is
/// harmless.
///
/// It belongs to the state in which it was admitted: when the circuit has opened or closed since,
/// its result counts nowhere.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Call {
    pub(super) generation: u64,
    pub(super) probe: Option<u32>,
}

impl Call {
    /// Whether it tries out if the host is well again.
    ///
    /// ```
    /// use fetch_proto::{Breaker, Circuit, Timestamp};
    /// let mut circuit = Circuit::new(Breaker::default(), 0);
    /// assert!(!circuit.admit(Timestamp::START).unwrap().is_probe());
    /// ```
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.probe.is_some()
    }
}

/// How a call ended, as a breaker sees it: whether the host is well, not whether the answer is
/// welcome.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// The host is not well: a refused or broken connection, a timeout, 408 or 5xx.
    Failure,
    /// It says nothing about the host: the call was cancelled or never sent, or the host asked for
    /// patience (429), which is the rate's business.
    Neutral,
    /// The host answered; 404 is a good answer, too.
    Success,
}

/// What a [`Circuit`](crate::Circuit) does with calls.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CircuitState {
    /// All go through.
    Closed,
    /// A few go through, as probes.
    HalfOpen,
    /// None goes through.
    Open,
}

/// The circuit lets no call through. It is no result of a call, and not to be retried like one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Denied {
    /// The first time at which a call is let through if nothing else happens: the end of the break,
    /// or that of the earliest probe's lease. The result of a probe may make it earlier. `None`:
    /// never, as long as it is forced open.
    pub until: Option<Timestamp>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "the host's circuit lets no call through before {until}"),
            None => f.write_str("the host's circuit is forced open: set another mode"),
        }
    }
}

impl core::error::Error for Denied {}

/// What a circuit has counted within its window.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct CallCounts {
    /// Calls that succeeded or failed.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those that took longer than [`Breaker::slow`](crate::Breaker::slow) says.
    pub slow: u32,
}

impl AddAssign for CallCounts {
    fn add_assign(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failures = self.failures.saturating_add(other.failures);
        self.slow = self.slow.saturating_add(other.slow);
    }
}
