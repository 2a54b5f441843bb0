//! How a fetch ended.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use url::Url;

use crate::model::failure::{FailureKind, RedirectError, TimeLimit};
use crate::model::id::{AttemptId, FetchId};
use crate::model::timings::{AttemptTimings, FetchTimings};

/// The end of one fetch: exactly one for each that was submitted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct FetchOutcome {
    /// Every attempt, in the order in which they ended. Empty if none ever began.
    pub attempts: Vec<AttemptReport>,
    /// Whether it turned to the URL of its [`Fallback`](crate::Fallback).
    pub fallen_back: bool,
    /// Why there was no further retry, where one would have been worth it.
    pub gave_up: Option<GiveUpReason>,
    /// How many redirects were followed.
    pub redirects: u16,
    /// A complete response of any status, or why there is none.
    pub result: Result<CompleteResponse, FetchError>,
    /// How many times the request was retried, redirects and free retries not counted.
    pub retries: u16,
    /// The fetch whose response this one got too, because both asked for the same at the same time:
    /// then there are no attempts of its own.
    pub shared_with: Option<FetchId>,
    /// The caller's own key.
    pub tag: u64,
    /// Where the time went.
    pub timings: FetchTimings,
    /// The last target.
    pub url: Arc<Url>,
    /// Whether it is time for the caller's own value: see [`Fallback::value`](crate::Fallback::value).
    pub wants_value: bool,
}

impl FetchOutcome {
    /// Whether there is a response and its status is 2xx.
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

    /// The attempt that decided the end: the one that brought the response, or the last that failed.
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

    /// The status, if there is a response.
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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct CompleteResponse {
    /// The attempt that brought it.
    pub attempt: AttemptId,
    /// The size of its decoded body.
    pub bytes: u64,
    /// Its status.
    pub status: u16,
}

/// One attempt, after the fact.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct AttemptReport {
    /// The size of the decoded body, as far as it came.
    pub bytes: u64,
    /// How it ended.
    pub end: AttemptEnd,
    /// Its number: see [`AttemptId::number`].
    pub number: u16,
    /// What `Retry-After` asked for.
    pub retry_after: Option<Duration>,
    /// The status, if a head came.
    pub status: Option<u16>,
    /// When its steps were done.
    pub timings: AttemptTimings,
    /// Its target.
    pub url: Arc<Url>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AttemptEnd {
    /// Another attempt, which raced it, was faster.
    Abandoned,
    /// The body was larger than the policy allows.
    BodyTooLarge,
    /// The caller cancelled the fetch.
    Cancelled,
    /// The transport failed.
    Failed(FailureKind),
    /// A response came that leads elsewhere.
    Redirected,
    /// A response came, complete or given up because it was not wanted.
    Responded,
    /// A limit on time was reached.
    TimedOut(TimeLimit),
}

/// Why a fetch has no response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FetchError {
    /// The body was larger than so many bytes.
    BodyTooLarge {
        /// The limit: [`Policy::max_body`](crate::Policy::max_body).
        limit: u64,
    },
    /// The caller cancelled it, or the engine was closed.
    Cancelled,
    /// The host's breaker is open, and it is set to fail fast: [`OnOpen`](crate::OnOpen).
    CircuitOpen,
    /// The last attempt failed so.
    Failed(FailureKind),
    /// A redirect was not followed.
    Redirect(RedirectError),
    /// It had waited so long in an overloaded queue that it was left out.
    Shed,
    /// A limit on time was reached.
    TimedOut(TimeLimit),
}

impl FetchError {
    /// A short, stable name, fit for a metric label or a record.
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
            Self::Redirect(_) => "redirect",
            Self::Shed => "shed",
            Self::TimedOut(_) => "timeout",
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyTooLarge { limit } => write!(f, "the body is larger than {limit} bytes"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::CircuitOpen => f.write_str("the host's circuit breaker is open"),
            Self::Failed(failure) => write!(f, "{failure}"),
            Self::Redirect(error) => write!(f, "{error}"),
            Self::Shed => f.write_str("left out: its queue was overloaded for too long"),
            Self::TimedOut(limit) => write!(f, "timed out ({limit} limit)"),
        }
    }
}

impl core::error::Error for FetchError {}

/// Why a fetch that failed, or got a status worth a retry, was not tried again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum GiveUpReason {
    /// It had been tried as often as the policy allows.
    Attempts,
    /// The request body is a stream that had been begun.
    BodyNotReplayable,
    /// The retry budget was used up.
    Budget,
    /// The host's breaker is open, for longer than the fetch may wait or with leave to fail fast.
    CircuitOpen,
    /// The caller had seen the response's head already.
    Committed,
    /// The request may have reached the server and sending it twice may do harm.
    NotIdempotent,
    /// The server asked for a longer wait than the policy's cap.
    RetryAfterTooLong,
    /// The total limit ends before the next attempt could begin.
    TotalTimeout,
}

impl fmt::Display for GiveUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempts => "no attempts left",
            Self::BodyNotReplayable => "the request body cannot be sent twice",
            Self::Budget => "the retry budget is used up",
            Self::CircuitOpen => "the host's circuit breaker is open",
            Self::Committed => "a part of the response was delivered already",
            Self::NotIdempotent => "the request is not idempotent",
            Self::RetryAfterTooLong => "the server asks for a longer wait than allowed",
            Self::TotalTimeout => "no time left before the total limit",
        })
    }
}
