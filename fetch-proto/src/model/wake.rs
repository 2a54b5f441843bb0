//! When to poll again.

use core::fmt;

use crate::model::failure::TimeLimit;
use crate::model::time::Timestamp;

/// The next time at which polling has an effect without a new input.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct NextWake {
    /// The time.
    pub at: Timestamp,
    /// What happens then.
    pub why: WakeReason,
}

/// What happens at a [`NextWake`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum WakeReason {
    /// A fetch's delay before a retry ends.
    Backoff,
    /// An injected fault begins or ends.
    Fault,
    /// A hedge may be started beside a slow attempt.
    Hedge,
    /// A host that was paused or rate-limited may start attempts again.
    Host,
    /// A time limit is reached.
    Limit(TimeLimit),
    /// The rate over all hosts allows the next attempt.
    Rate,
    /// The rate of a rule allows the next attempt.
    Rule,
}

impl fmt::Display for WakeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backoff => f.write_str("backoff"),
            Self::Fault => f.write_str("fault"),
            Self::Hedge => f.write_str("hedge"),
            Self::Host => f.write_str("host"),
            Self::Limit(limit) => write!(f, "{limit} limit"),
            Self::Rate => f.write_str("rate"),
            Self::Rule => f.write_str("rule"),
        }
    }
}
