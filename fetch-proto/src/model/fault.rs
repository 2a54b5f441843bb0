//! Injected faults.

use core::fmt;
use core::time::Duration;

use crate::model::failure::FailureKind;
use crate::model::text::{ShortDuration, plural};

/// A fault that [`ChaosPolicy`](crate::ChaosPolicy) injects into an attempt.
///
/// ```
/// use fetch_proto::{ChaosPolicy, FailureKind, InjectedFault};
/// let one_in_ten = ChaosPolicy::default().fault(100, InjectedFault::Error(FailureKind::Connect));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum InjectedFault {
    /// The clock jumps ahead when the attempt starts, as after a machine resumes. It applies to the
    /// whole [`Engine`](crate::Engine), and not to a [`Fetch`](crate::Fetch) without one.
    ClockJump(Duration),
    /// The attempt fails before anything is sent: [`FailureKind::Resolve`] simulates a DNS failure,
    /// [`FailureKind::Connect`] a refused connection.
    Error(FailureKind),
    /// The request is delayed by a random time between two bounds.
    Latency {
        /// The shortest delay.
        min: Duration,
        /// The longest delay.
        max: Duration,
    },
    /// The connection breaks when the response head arrives.
    Reset,
    /// Nothing is sent and nothing arrives, until a time limit ends the attempt.
    Stall,
    /// The connection breaks after this many bytes of the body, or at the end of a shorter body.
    Truncate(u64),
}

impl InjectedFault {
    /// A delay drawn uniformly from this range.
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
            Self::ClockJump(by) => write!(f, "clock jump of {}", ShortDuration(*by)),
            Self::Error(failure) => write!(f, "{failure}"),
            Self::Latency { .. } => f.write_str("delayed"),
            Self::Reset => f.write_str("connection reset at the head"),
            Self::Stall => f.write_str("stalled"),
            Self::Truncate(bytes) => write!(
                f,
                "body truncated after {}",
                plural(*bytes, "byte", "bytes")
            ),
        }
    }
}
