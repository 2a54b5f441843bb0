//! Faults made on purpose.

use core::fmt;
use core::time::Duration;

use crate::model::failure::FailureKind;

/// A fault made on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum InjectedFault {
    /// The clock jumps ahead so far when the attempt begins, as after a suspended machine. Seen by
    /// the whole [`Engine`](crate::Engine); a lone fetch has no clock to jump.
    ClockJump(Duration),
    /// The attempt fails so before anything is sent: [`FailureKind::Resolve`] for a DNS failure,
    /// [`FailureKind::Connect`] for a refused connection.
    Error(FailureKind),
    /// The request is sent so much later, between two bounds.
    Latency {
        /// At least so long.
        min: Duration,
        /// At most so long.
        max: Duration,
    },
    /// The connection breaks when the response's head comes.
    Reset,
    /// Nothing is sent and nothing comes back, until a limit ends it.
    Stall,
    /// The body breaks off after so many bytes, or at its end if it is shorter.
    Truncate(u64),
}

impl InjectedFault {
    /// A latency drawn evenly from this range.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let fault = fetch_proto::InjectedFault::latency(Duration::ZERO..=Duration::from_secs(1));
    /// ```
    #[must_use]
    pub const fn latency(range: core::ops::RangeInclusive<Duration>) -> Self {
        Self::Latency {
            min: *range.start(),
            max: *range.end(),
        }
    }
}

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClockJump(by) => write!(f, "the clock jumps ahead {by:?}"),
            Self::Error(failure) => write!(f, "{failure}"),
            Self::Latency { .. } => f.write_str("it is sent late"),
            Self::Reset => f.write_str("the connection breaks at the head"),
            Self::Stall => f.write_str("it is never sent"),
            Self::Truncate(bytes) => write!(f, "the body breaks off after {bytes} bytes"),
        }
    }
}
