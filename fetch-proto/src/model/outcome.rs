//! The result of a fetch and of its attempts.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use url::Url;

use crate::model::failure::{FailureCause, FailureKind, RedirectError, TimeLimit};
use crate::model::id::{AttemptId, FetchId};
use crate::model::text::plural;
use crate::model::timings::{AttemptTimings, FetchTimings};
use crate::model::token::TokenFailure;
use crate::model::verdict::ResponseVerdict;

/// The result of a fetch. There is exactly one per submitted request.
///
/// ```
/// use fetch_proto::Policy;
/// use fetch_proto::testing::{FetchScript, status};
///
/// let run = FetchScript::new(Policy::default()).answers([status(503), status(200)]).run();
/// let outcome = run.outcome();
/// assert_eq!((outcome.status(), outcome.retries, outcome.attempts.len()), (Some(200), 1, 2));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct FetchOutcome {
    /// All attempts, in the order in which they ended. Empty if none started.
    pub attempts: Vec<AttemptReport>,
    /// The profile that authenticates requests to the last URL, by its position in
    /// [`EngineConfig::auth_profiles`](crate::EngineConfig::auth_profiles).
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub auth_profile: Option<u16>,
    /// How often the request was sent again because a server refused its token or asked for a login. These are no
    /// [`retries`](Self::retries).
    #[cfg_attr(feature = "serde", serde(default))]
    pub auth_retries: u16,
    /// Whether the URL of the [`Fallback`](crate::Fallback) was fetched.
    #[cfg_attr(feature = "serde", serde(rename = "fallen_back"))]
    pub used_fallback: bool,
    /// Why a retryable failure or status was not retried.
    pub gave_up: Option<GiveUpReason>,
    /// The number of redirects followed.
    pub redirects: u16,
    /// The position, in bytes, at which the last response continued the body; `None` if the body was
    /// received in one piece.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub resumed_from: Option<u64>,
    /// A complete response of any status, or the reason why there is none. A body in several parts
    /// counts as one response with the status 200 (RFC 9110, section 15.3.7.3).
    pub result: Result<CompleteResponse, FetchError>,
    /// The number of retries. Redirects and free retries are not counted.
    pub retries: u16,
    /// The fetch whose response this one shares:
    /// [`FetchRequest::share`](crate::FetchRequest::share). There are no separate attempts then.
    pub shared_with: Option<FetchId>,
    /// The caller's key: [`FetchRequest::tag`](crate::FetchRequest::tag).
    pub tag: u64,
    /// The durations of the parts of the fetch.
    pub timings: FetchTimings,
    /// The last URL, after redirects.
    pub url: Arc<Url>,
    /// Whether the caller should use its fallback value:
    /// [`Fallback::value`](crate::Fallback::value).
    #[cfg_attr(feature = "serde", serde(rename = "wants_value"))]
    pub needs_fallback_value: bool,
}

impl FetchOutcome {
    /// Whether there is a response with a 2xx status.
    ///
    /// ```
    /// # use fetch_proto::testing::{FetchScript, status};
    /// # use fetch_proto::Policy;
    /// let mut script = FetchScript::new(Policy::default());
    /// script.answers([status(200)]);
    /// assert!(script.run().outcome().is_success());
    /// ```
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status()
            .is_some_and(|status| (200..300).contains(&status))
    }

    /// The attempt that decided the outcome: the one that got the response, or the last that
    /// failed.
    ///
    /// ```
    /// # use fetch_proto::testing::{FetchScript, status};
    /// # use fetch_proto::Policy;
    /// let mut script = FetchScript::new(Policy::default());
    /// script.answers([status(404)]);
    /// assert_eq!(script.run().outcome().last_attempt().map(|last| last.number), Some(1));
    /// ```
    #[must_use]
    pub fn last_attempt(&self) -> Option<&AttemptReport> {
        let winner = self.result.ok().map(|finish| finish.attempt.number());
        let mut reports = self.attempts.iter().rev();
        reports.find(|report| winner.is_none_or(|winner| report.number == winner))
    }

    /// The status code, if there is a response.
    ///
    /// ```
    /// # use fetch_proto::testing::{FetchScript, status};
    /// # use fetch_proto::Policy;
    /// let mut script = FetchScript::new(Policy::default());
    /// script.answers([status(404)]);
    /// assert_eq!(script.run().outcome().status(), Some(404));
    /// ```
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.result.as_ref().ok().map(|finish| finish.status)
    }
}

/// A complete response.
///
/// ```
/// # use fetch_proto::Policy;
/// # use fetch_proto::testing::{FetchScript, status};
/// let run = FetchScript::new(Policy::default()).answers([status(200).body(512)]).run();
/// let response = run.outcome().result?;
/// assert_eq!((response.status, response.bytes), (200, 512));
/// # Ok::<(), fetch_proto::FetchError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct CompleteResponse {
    /// The attempt that got it.
    pub attempt: AttemptId,
    /// The size of the decoded body in bytes.
    pub bytes: u64,
    /// The status code.
    pub status: u16,
}

/// The result of one attempt.
///
/// ```
/// # use fetch_proto::Policy;
/// # use fetch_proto::testing::{FetchScript, status};
/// let run = FetchScript::new(Policy::default()).answers([status(503), status(200)]).run();
/// let statuses: Vec<_> = run.outcome().attempts.iter().map(|report| report.status).collect();
/// assert_eq!(statuses, [Some(503), Some(200)]);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct AttemptReport {
    /// The size of the decoded body in bytes, as far as it arrived.
    pub bytes: u64,
    /// How it ended.
    pub end: AttemptEnd,
    /// The number of the attempt: [`AttemptId::number`].
    pub number: u16,
    /// The wait that `Retry-After` asked for.
    pub retry_after: Option<Duration>,
    /// The status code, if a head arrived.
    pub status: Option<u16>,
    /// When its phases were completed.
    pub timings: AttemptTimings,
    /// The target.
    pub url: Arc<Url>,
    /// What the caller decided about the response, if it did.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub verdict: Option<ResponseVerdict>,
}

impl AttemptReport {
    /// A report without status, `Retry-After` and body.
    ///
    /// ```
    /// use fetch_proto::{AttemptEnd, AttemptReport, AttemptTimings, FailureKind, Timestamp};
    ///
    /// let url = std::sync::Arc::new("http://a.test/".parse()?);
    /// let end = AttemptEnd::Failed(FailureKind::Connect);
    /// let report = AttemptReport::new(1, url, end, AttemptTimings::new(Timestamp::START));
    /// assert_eq!(report.status, None);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub const fn new(number: u16, url: Arc<Url>, end: AttemptEnd, timings: AttemptTimings) -> Self {
        Self {
            bytes: 0,
            end,
            number,
            retry_after: None,
            status: None,
            timings,
            url,
            verdict: None,
        }
    }

    /// Whether a request, or a part of it, was sent: not if the name was not resolved, no connection
    /// was established, or this machine was out of file descriptors. If the attempt was aborted, the
    /// marks of its [`timings`](Self::timings) decide, which some transports do not report.
    ///
    /// ```
    /// use fetch_proto::testing::{FetchScript, failure, status};
    /// use fetch_proto::{FailureKind, Policy};
    ///
    /// let answers = [failure(FailureKind::Connect), status(200)];
    /// let run = FetchScript::new(Policy::default()).answers(answers).run();
    /// let attempts = &run.outcome().attempts;
    /// assert!(!attempts[0].is_request_sent() && attempts[1].is_request_sent());
    /// ```
    #[must_use]
    pub const fn is_request_sent(&self) -> bool {
        let timings = &self.timings;
        match self.end {
            AttemptEnd::Failed(FailureKind::Unprocessed { .. }) => timings.sent.is_some(),
            AttemptEnd::Failed(kind) => !kind.is_unsent(),
            AttemptEnd::Abandoned | AttemptEnd::Cancelled | AttemptEnd::TimedOut(_) => {
                timings.connected.is_some() || timings.sent.is_some() || timings.head.is_some()
            }
            AttemptEnd::BodyTooLarge | AttemptEnd::Redirected | AttemptEnd::Responded => true,
        }
    }
}

/// How an attempt ended.
///
/// ```
/// # use fetch_proto::testing::{FetchScript, failure};
/// use fetch_proto::{AttemptEnd, FailureKind, Policy};
///
/// let policy = Policy::default().attempts(1);
/// let run = FetchScript::new(policy).answers([failure(FailureKind::Tls)]).run();
/// assert_eq!(run.outcome().attempts[0].end, AttemptEnd::Failed(FailureKind::Tls));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AttemptEnd {
    /// A racing attempt answered first.
    Abandoned,
    /// The body exceeded [`Policy::max_body`](crate::Policy::max_body).
    BodyTooLarge,
    /// The caller cancelled the fetch.
    Cancelled,
    /// The transport failed.
    Failed(FailureKind),
    /// The response redirects to another URL.
    Redirected,
    /// A response arrived: complete, or dropped because it was not needed.
    Responded,
    /// A time limit was reached.
    TimedOut(TimeLimit),
}

/// Why a fetch has no response.
///
/// ```
/// # use fetch_proto::testing::{FetchScript, hang};
/// use fetch_proto::{FetchError, Policy, TimeLimit};
///
/// let run = FetchScript::new(Policy::default().attempts(1)).answers([hang()]).run();
/// assert_eq!(run.outcome().result, Err(FetchError::TimedOut(TimeLimit::Attempt)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FetchError {
    /// The body exceeded the limit.
    BodyTooLarge {
        /// The limit in bytes: [`Policy::max_body`](crate::Policy::max_body).
        limit: u64,
    },
    /// The caller cancelled the fetch, or the engine was closed.
    Cancelled,
    /// The host's circuit breaker is open and configured to fail fast: [`OnOpen`](crate::OnOpen).
    CircuitOpen,
    /// The last attempt failed.
    Failed(FailureKind),
    /// The host is down and was waited for long enough: [`OutageWait`](crate::OutageWait).
    HostDown {
        /// The latest failure at the host.
        cause: FailureCause,
        /// How long ago the first attempt failed, without an answer since.
        down_for: Duration,
    },
    /// There is no token for the request, and waiting for one does not help:
    /// [`AuthProfile`](crate::AuthProfile).
    NoToken(TokenFailure),
    /// A redirect was not followed.
    Redirect(RedirectError),
    /// The fetch was dropped from an overloaded queue: [`LoadShedding`](crate::LoadShedding).
    Shed,
    /// A time limit was reached.
    TimedOut(TimeLimit),
}

impl FetchError {
    /// A short, stable name for metric labels and records.
    ///
    /// ```
    /// use fetch_proto::{FetchError, FailureKind, TimeLimit};
    ///
    /// assert_eq!(FetchError::Failed(FailureKind::Tls).as_str(), "tls");
    /// assert_eq!(FetchError::TimedOut(TimeLimit::Attempt).as_str(), "timeout");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::BodyTooLarge { .. } => "too_large",
            Self::Cancelled => "cancelled",
            Self::CircuitOpen => "circuit_open",
            Self::Failed(failure) => failure.as_str(),
            Self::HostDown { .. } => "host_down",
            Self::NoToken(_) => "no_token",
            Self::Redirect(_) => "redirect",
            Self::Shed => "shed",
            Self::TimedOut(_) => "timeout",
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyTooLarge { limit } => write!(
                f,
                "the body is larger than {}",
                plural(*limit, "byte", "bytes")
            ),
            Self::Cancelled => f.write_str("cancelled"),
            Self::CircuitOpen => f.write_str("the host's circuit breaker is open"),
            Self::Failed(failure) => write!(f, "{failure}"),
            Self::HostDown { cause, down_for } => {
                let seconds = down_for.as_secs();
                write!(
                    f,
                    "the host has been down for {seconds} s and was given up: {cause}"
                )
            }
            Self::NoToken(failure) => write!(f, "no token: {failure}"),
            Self::Redirect(error) => write!(f, "{error}"),
            Self::Shed => f.write_str("dropped from the queue: overloaded for too long"),
            Self::TimedOut(limit) => write!(f, "timed out ({limit} limit)"),
        }
    }
}

impl core::error::Error for FetchError {}

/// Why a retryable failure or status was not retried.
///
/// ```
/// # use fetch_proto::testing::{FetchScript, status};
/// use fetch_proto::{GiveUpReason, Policy};
///
/// let run = FetchScript::new(Policy::default().attempts(1)).answers([status(503)]).run();
/// assert_eq!(run.outcome().gave_up, Some(GiveUpReason::Attempts));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum GiveUpReason {
    /// The policy allows no more attempts.
    Attempts,
    /// The request body is a stream that was partly sent.
    BodyNotReplayable,
    /// The retry budget is used up.
    Budget,
    /// The host's circuit breaker is open: for longer than the fetch may wait, or configured to
    /// fail fast.
    CircuitOpen,
    /// The caller has received the response head.
    Committed,
    /// The host is down and is not waited for any longer.
    HostDown,
    /// The request may have reached the server, and a repetition may do harm.
    NotIdempotent,
    /// The server asked for a longer wait than the policy allows.
    RetryAfterTooLong,
    /// The total limit would leave too little time for the next attempt.
    TotalTimeout,
}

impl fmt::Display for GiveUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempts => "no attempts left",
            Self::BodyNotReplayable => "the request body cannot be sent twice",
            Self::Budget => "the retry budget is used up",
            Self::CircuitOpen => "the host's circuit breaker is open",
            Self::Committed => "part of the response was already delivered",
            Self::HostDown => "the host was given up",
            Self::NotIdempotent => "the request is not idempotent",
            Self::RetryAfterTooLong => "the server asks for a longer wait than allowed",
            Self::TotalTimeout => "no time left before the total limit",
        })
    }
}
