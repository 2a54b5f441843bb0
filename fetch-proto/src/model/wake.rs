//! When to poll again, and why.

use core::fmt;

use crate::model::failure::TimeLimit;
use crate::model::time::Timestamp;

/// The next point in time at which polling will do something by itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct NextWake {
    /// When.
    pub at: Timestamp,
    /// Why then.
    pub why: WakeReason,
}

/// What a [`NextWake`] is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum WakeReason {
    /// A fetch's wait before its retry ends.
    Backoff,
    /// A fault made on purpose comes, or lets go.
    Fault,
    /// A slow attempt may be raced by another.
    Hedge,
    /// A host that was paused, or held back by its own rate, may go on.
    Host,
    /// A limit on time is reached.
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
