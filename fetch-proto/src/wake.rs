//! When to poll again, and why.

use core::fmt;

use crate::policy::Limit;
use crate::time::Timestamp;

/// The next point in time at which polling will do something by itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Wake {
    /// When.
    pub at: Timestamp,
    /// Why then.
    pub why: Reason,
}

/// What a [`Wake`] is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Reason {
    /// A fetch's wait before its retry ends.
    Backoff,
    /// A host that was paused, or held back by its own rate, may go on.
    Host,
    /// A limit on time is reached.
    Limit(Limit),
    /// The rate over all hosts allows the next attempt.
    Rate,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backoff => f.write_str("backoff"),
            Self::Host => f.write_str("host"),
            Self::Limit(limit) => write!(f, "{limit} limit"),
            Self::Rate => f.write_str("rate"),
        }
    }
}
