//! Attempts, which the core asks the driver to send, and the inputs that the driver reports.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use url::Url;

use crate::challenge::answer::{ChallengeAnswer, ServerAuthentication};
use crate::model::credentials::UrlCredentials;
use crate::model::failure::FailureKind;
use crate::model::id::AttemptId;
use crate::model::method::Method;
use crate::model::resume::{RepresentationSummary, ResumePoint};
use crate::model::time::Timestamp;
use crate::model::timings::AttemptPhase;
use crate::model::token::TokenUse;
use crate::model::verdict::ResponseVerdict;

/// A request that the driver should send now.
///
/// ```
/// use fetch_proto::{Fetch, FetchRequest, Policy, Timestamp};
///
/// let request = FetchRequest::get("http://a.test/".parse()?);
/// let mut fetch = Fetch::new(request, Policy::default().into(), 0, Timestamp::START);
/// # let _ = fetch.poll(Timestamp::START);
/// let attempt = fetch.start(Timestamp::START).expect("the fetch is ready");
/// assert_eq!(attempt.url.as_str(), "http://a.test/");
/// assert!(attempt.send_credentials && !attempt.fresh_connection);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[must_use = "send it, then report exactly one `Input::End`"]
#[non_exhaustive]
pub struct Attempt {
    /// User name and password of the last redirect's `Location`, for the origin that it leads to. A
    /// field `Authorization` of the caller that is sent there takes precedence. Not serialised.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub credentials: Option<Arc<UrlCredentials>>,
    /// Identifies the attempt in every [`Input`] about it.
    pub id: AttemptId,
    /// Requires a new connection, because a pooled one was found closed.
    pub fresh_connection: bool,
    /// The largest body after decoding, in bytes; `u64::MAX` if there is no limit.
    pub max_body: u64,
    /// The answer to the challenge of the target's protection space, if the token is a login and the
    /// server has asked for it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub login: Option<Box<ChallengeAnswer>>,
    /// The method. A redirect may have changed it.
    pub method: Method,
    /// Whether the request may be sent again if a connection ends without an answer: it is
    /// idempotent, or the policy allows it. Otherwise it must not go out on a connection that the
    /// server may be closing.
    pub repeatable: bool,
    /// Asks for the rest of a body, by `Range` and `If-Range`. If its response is accepted, a 206 is
    /// the rest from this position on, a 416 means that nothing is missing (its body is not read), and
    /// any other status starts the body over.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub resume: Option<Box<ResumePoint>>,
    /// Whether the request body is sent. A redirect may have dropped it.
    pub send_body: bool,
    /// Whether all of the caller's fields are sent. After a redirect to another origin, only those are
    /// that carry no secrets: see [`is_sent_to_other_origins`](crate::is_sent_to_other_origins).
    pub send_credentials: bool,
    /// The token that is sent with it, if a profile applies to the target:
    /// [`AuthProfile`](crate::AuthProfile).
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub token: Option<TokenUse>,
    /// The target.
    pub url: Arc<Url>,
}

/// An observation of the driver about an attempt. Plain data, so that a run can be recorded and
/// replayed.
///
/// ```
/// use fetch_proto::{FailureKind, HeadSummary, Input};
///
/// let response = [
///     Input::Head(HeadSummary::status(200)),
///     Input::Body { bytes: 512 },
///     Input::End(Ok(())),
/// ];
/// let failure = Input::End(Err(FailureKind::Connect));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Input {
    /// The attempt has not read its request body, and never will. Reported before the
    /// [`End`](Self::End) of an attempt that failed early: a body that can be sent only once is then
    /// left for the next attempt.
    BodyUnused,
    /// A part of the decoded body arrived. The bytes themselves do not enter the core.
    Body {
        /// The number of bytes.
        bytes: u64,
    },
    /// The attempt ended: the body is complete, or something failed. Exactly one per [`Attempt`],
    /// unless it was aborted.
    End(Result<(), FailureKind>),
    /// The hook that was reported by [`HookStarted`](Self::HookStarted) has decided, and the attempt goes
    /// on. A hook that refuses ends it.
    HookEnded,
    /// A function of the caller decides about the attempt. Until it has, the limit
    /// [`Timeouts::hook`](crate::Timeouts::hook) applies in place of those of the connection and the
    /// first byte. The attempt keeps its slot, and its own limit goes on.
    HookStarted(HookStage),
    /// The response head arrived. The core answers with `Accept`, `Discard` or `Abort`.
    Head(HeadSummary),
    /// A phase was completed, at a time not later than the call's. Used for timings and for the
    /// connect and first-byte limits.
    Mark(AttemptPhase, Timestamp),
    /// The consumer stopped reading, so the idle-read limit is suspended.
    Paused,
    /// The consumer resumed reading.
    Resumed,
}

/// What a function of the caller decides: see [`Input::HookStarted`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HookStage {
    /// Whether and how the request is sent.
    BeforeAttempt,
    /// What a response means, whose head has arrived.
    Classify,
}

/// The parts of a response head that decisions depend on.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::HeadSummary;
///
/// let head = HeadSummary::status(503).retry_after(Duration::from_secs(30));
/// assert_eq!(head.location, None);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct HeadSummary {
    /// What the head says about authentication. Only responses to requests of a login need it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub authentication: Option<Box<ServerAuthentication>>,
    /// The [text](crate::location_text) of the `Location` field.
    pub location: Option<Box<str>>,
    /// How long to pause the host by its `RateLimit` fields: the time to the reset if no requests
    /// remain. Applies to every status, and serves as `Retry-After` where that is missing.
    pub pause: Option<Duration>,
    /// What the head says about the body's identity and range. Only bodies that are saved or streamed
    /// need it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub representation: Option<Box<RepresentationSummary>>,
    /// The wait that the `Retry-After` field asks for. The driver has the wall clock, so it
    /// converts a date to a duration; a date in the past is zero.
    pub retry_after: Option<Duration>,
    /// The status code.
    pub status: u16,
    /// What the caller decided about the response. `None`: the policy decides. Without effect on a
    /// part that continues a body.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub verdict: Option<ResponseVerdict>,
}

impl HeadSummary {
    /// Whether the head is interim (1xx, RFC 9110, section 15.2): the final one follows it. The core takes no
    /// decision on it, and no limit ends with it.
    ///
    /// ```
    /// use fetch_proto::HeadSummary;
    /// assert!(HeadSummary::status(103).is_interim());
    /// assert!(!HeadSummary::status(200).is_interim());
    /// ```
    #[must_use]
    pub const fn is_interim(&self) -> bool {
        matches!(self.status, 100..=199)
    }

    /// A head with this status code and no fields.
    ///
    /// ```
    /// assert_eq!(fetch_proto::HeadSummary::status(200).location, None);
    /// ```
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self {
            authentication: None,
            location: None,
            pause: None,
            representation: None,
            retry_after: None,
            status,
            verdict: None,
        }
    }

    /// Sets what the head says about authentication.
    ///
    /// ```
    /// use fetch_proto::{AuthChallenge, HeadSummary, ServerAuthentication};
    /// let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// let head = HeadSummary::status(401).authentication(ServerAuthentication::challenges(found));
    /// ```
    #[must_use]
    pub fn authentication(mut self, fields: ServerAuthentication) -> Self {
        self.authentication = Some(Box::new(fields));
        self
    }

    /// Sets the [text](crate::location_text) of the `Location` field.
    ///
    /// ```
    /// let head = fetch_proto::HeadSummary::status(302).location(Some("/next".into()));
    /// ```
    #[must_use]
    pub fn location(mut self, location: Option<Box<str>>) -> Self {
        self.location = location;
        self
    }

    /// Sets how long to pause the host by its `RateLimit` fields.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let head = fetch_proto::HeadSummary::status(200).pause(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn pause(mut self, pause: impl Into<Option<Duration>>) -> Self {
        self.pause = pause.into();
        self
    }

    /// Sets what the head says about the body's identity and range.
    ///
    /// ```
    /// use fetch_proto::{HeadSummary, RepresentationSummary};
    /// let head = HeadSummary::status(200).representation(RepresentationSummary::default());
    /// ```
    #[must_use]
    pub fn representation(mut self, representation: RepresentationSummary) -> Self {
        self.representation = Some(Box::new(representation));
        self
    }

    /// Sets the wait that the `Retry-After` field asks for.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let head = fetch_proto::HeadSummary::status(429).retry_after(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn retry_after(mut self, wait: impl Into<Option<Duration>>) -> Self {
        self.retry_after = wait.into();
        self
    }

    /// Sets what the caller decided about the response.
    ///
    /// ```
    /// use fetch_proto::{HeadSummary, ResponseVerdict};
    /// let head = HeadSummary::status(404).verdict(ResponseVerdict::Accept);
    /// ```
    #[must_use]
    pub fn verdict(mut self, verdict: impl Into<Option<ResponseVerdict>>) -> Self {
        self.verdict = verdict.into();
        self
    }
}

/// Whether an input had an effect.
///
/// ```
/// use fetch_proto::{FailureKind, Fetch, FetchRequest, Input, InputEffect, Policy, Timestamp};
///
/// # let request = FetchRequest::get("http://a.test/".parse()?);
/// # let now = Timestamp::START;
/// # let mut fetch = Fetch::new(request, Policy::default().into(), 0, now);
/// # let _ = fetch.poll(now);
/// let attempt = fetch.start(now).expect("the fetch is ready");
/// let end = || Input::End(Err(FailureKind::Io));
/// assert_eq!(fetch.handle(attempt.id, end(), now), InputEffect::Applied);
/// assert_eq!(fetch.handle(attempt.id, end(), now), InputEffect::Stale);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum InputEffect {
    /// It changed something.
    Applied,
    /// The attempt was aborted or the fetch has ended. This is normal and counted, not an error.
    Stale,
}
