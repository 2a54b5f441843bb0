//! The class of a failed attempt, and what a caller decides about a response.

/// The class of a failed attempt.
///
/// Every class but [`Forbidden`](Self::Forbidden) is retried. Classes differ in the cost of a retry
/// ([`RetryBudget`](crate::RetryBudget)), in its delay, and in whether they count against the host.
///
/// ```
/// use fetch_proto::{FailureCause, FailureKind, Policy, RetryClass};
///
/// let policy = Policy::default();
/// assert_eq!(policy.class(FailureCause::Status(503)), RetryClass::Throttled);
/// assert_eq!(policy.class(FailureCause::Failure(FailureKind::Connect)), RetryClass::NotSent);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RetryClass {
    /// A retry would fail again: a 404, a rejected certificate, a host name that does not exist.
    Forbidden,
    /// The request did not reach the server, so any method may be retried.
    NotSent,
    /// The server failed: 500, 502, 504.
    Server,
    /// The server is overloaded: 429, 503. The delay is never near zero.
    Throttled,
    /// The connection broke, or a time limit was reached.
    Transient,
}

/// What a caller decides about a response, in place of the policy: part of a
/// [`HeadSummary`](crate::HeadSummary).
///
/// ```
/// use fetch_proto::testing::{FetchScript, status};
/// use fetch_proto::{Backoff, FailureKind, FetchError, Policy, ResponseVerdict, RetryClass};
///
/// let policy = Policy::default().attempts(2).backoff(Backoff::default().jitter(None));
/// let busy = status(200).verdict(ResponseVerdict::Reject(RetryClass::Server));
/// let run = FetchScript::new(policy).answers([busy.clone(), busy]).run();
/// assert_eq!(run.outcome().attempts.len(), 2);
/// assert_eq!(run.outcome().result, Err(FetchError::Failed(FailureKind::Rejected)));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ResponseVerdict {
    /// The response is the result, whatever its status: no retry, redirect or fallback follows.
    Accept,
    /// The response is a failure of this class, whatever its status. If no retry follows, the fetch
    /// fails with [`FailureKind::Rejected`](crate::FailureKind::Rejected).
    Reject(RetryClass),
}
