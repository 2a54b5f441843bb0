//! When to poll again.

use core::fmt;

use crate::model::failure::TimeLimit;
use crate::model::time::Timestamp;

/// The next time at which polling has an effect without a new input.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Fetch, FetchRequest, FetchStep, Policy, TimeLimit, Timestamp, WakeReason};
///
/// # let request = FetchRequest::get("http://a.test/".parse()?);
/// # let mut fetch = Fetch::new(request, Policy::default().into(), 0, Timestamp::START);
/// # let _ = fetch.poll(Timestamp::START);
/// # let _ = fetch.start(Timestamp::START);
/// let FetchStep::Wait(Some(wake)) = fetch.poll(Timestamp::START) else { unreachable!() };
/// assert_eq!(wake.at, Timestamp::START + Duration::from_secs(6));
/// assert_eq!(wake.why, WakeReason::Limit(TimeLimit::Attempt));
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct NextWake {
    /// The time.
    pub at: Timestamp,
    /// What happens then.
    pub why: WakeReason,
}

/// What happens at a [`NextWake`].
///
/// ```
/// use fetch_proto::{TimeLimit, WakeReason};
/// assert_eq!(WakeReason::Limit(TimeLimit::Total).to_string(), "total limit");
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum WakeReason {
    /// A fetch's delay before a retry ends.
    Backoff,
    /// An injected fault takes effect, or its delay ends.
    Fault,
    /// A hedge of a slow attempt may start.
    Hedge,
    /// A host may start attempts again after a pause, a rate limit or an open breaker, or its state
    /// may be dropped.
    Host,
    /// A time limit is reached.
    Limit(TimeLimit),
    /// The rate over all hosts allows the next attempt.
    Rate,
    /// The rate of a rule allows the next attempt.
    Rule,
    /// The pause after a failed acquisition of a token ends.
    Token,
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
            Self::Token => f.write_str("token"),
        }
    }
}
