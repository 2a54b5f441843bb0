//! The request that a caller submits.

use alloc::sync::Arc;

use url::Url;

use crate::model::method::Method;
use crate::model::resume::ResumePoint;
use crate::policy::{Policy, PolicyPatch};

/// A fetch as the caller submits it. Contains the data that decisions depend on; header fields and
/// bodies stay with the driver.
///
/// ```
/// use fetch_proto::{FetchRequest, Method};
///
/// let request = FetchRequest::get("http://a.test/".parse()?).method(Method::Head).tag(42);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct FetchRequest {
    /// Whether the request has a body, and whether it can be sent again.
    pub body: RequestBodyKind,
    /// How the response body is delivered.
    pub delivery: BodyDelivery,
    /// Whether the caller's header fields ask for a part of the body. If its connection breaks, that
    /// part is requested again, as it is not continued.
    #[cfg_attr(feature = "serde", serde(default))]
    pub has_range: bool,
    /// Whether the caller guarantees that a repeated request does no harm, by an `Idempotency-Key`
    /// or otherwise.
    pub idempotent: bool,
    /// The method.
    pub method: Method,
    /// Changes of the policy that the rules choose or that [`policy`](field@Self::policy) sets. It
    /// takes precedence over all other sources: see [`PolicyPatch`].
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub patch: Option<Arc<PolicyPatch>>,
    /// The policy of this fetch; `None` lets the [`PolicyRules`](crate::PolicyRules) choose.
    pub policy: Option<Arc<Policy>>,
    /// The priority among the fetches of the host: the largest starts first, and of equal ones the
    /// oldest. Default 0. Hosts take turns regardless of priorities.
    pub priority: i8,
    /// Continues a [saved](BodyDelivery::Saved) body of an earlier fetch. Only for GET.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub resume_from: Option<Arc<ResumePoint>>,
    /// The key by which equal requests share one response: a fetch with the same method, URL and
    /// key as one in progress gets that one's response. The key must cover everything else that
    /// makes a difference, such as header fields. Only for buffered GET and HEAD without a body.
    pub share: Option<u64>,
    /// The caller's key, which the [`FetchOutcome`](crate::FetchOutcome) returns.
    pub tag: u64,
    /// The target.
    pub url: Arc<Url>,
}

impl FetchRequest {
    /// A GET of `url`: buffered, with the policy that the rules choose.
    ///
    /// ```
    /// let request = fetch_proto::FetchRequest::get("http://a.test/".parse()?);
    /// assert_eq!(request.url.as_str(), "http://a.test/");
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::Get, Arc::new(url))
    }

    /// A request without a body: buffered, with the policy that the rules choose.
    ///
    /// ```
    /// use fetch_proto::{FetchRequest, Method};
    /// let request = FetchRequest::new(Method::Delete, std::sync::Arc::new("http://a.test/1".parse()?));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn new(method: Method, url: Arc<Url>) -> Self {
        Self {
            body: RequestBodyKind::None,
            delivery: BodyDelivery::Buffered,
            has_range: false,
            idempotent: false,
            method,
            patch: None,
            policy: None,
            priority: 0,
            resume_from: None,
            share: None,
            tag: 0,
            url,
        }
    }

    /// Sets whether the request has a body, and whether it can be sent again.
    ///
    /// ```
    /// # use fetch_proto::{FetchRequest, RequestBodyKind};
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let upload = FetchRequest::get(url).body(RequestBodyKind::Replayable);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn body(mut self, body: RequestBodyKind) -> Self {
        self.body = body;
        self
    }

    /// Sets how the response body is delivered.
    ///
    /// ```
    /// # use fetch_proto::{FetchRequest, BodyDelivery};
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let streamed = FetchRequest::get(url).delivery(BodyDelivery::Streamed);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn delivery(mut self, delivery: BodyDelivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Sets whether the caller's header fields ask for a part of the body.
    ///
    /// ```
    /// # use fetch_proto::{BodyDelivery, FetchRequest};
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let part = FetchRequest::get(url).delivery(BodyDelivery::Saved).has_range(true);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn has_range(mut self, has_range: bool) -> Self {
        self.has_range = has_range;
        self
    }

    /// Sets whether the caller guarantees that a repeated request does no harm.
    ///
    /// ```
    /// # use fetch_proto::{FetchRequest, Method};
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let request = FetchRequest::get(url).method(Method::Post).idempotent(true);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// Sets the method.
    ///
    /// ```
    /// # use fetch_proto::{FetchRequest, Method};
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let probe = FetchRequest::get(url).method(Method::Head);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets changes of the policy: see [`patch`](field@Self::patch).
    ///
    /// ```
    /// # use fetch_proto::{FetchRequest, PolicyPatch};
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let once = FetchRequest::get(url).patch(Some(PolicyPatch::default().attempts(1).into()));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn patch(mut self, patch: impl Into<Option<Arc<PolicyPatch>>>) -> Self {
        self.patch = patch.into();
        self
    }

    /// Sets the policy of this fetch; `None` lets the [`PolicyRules`](crate::PolicyRules) choose.
    ///
    /// ```
    /// # use fetch_proto::{FetchRequest, Policy};
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let once = FetchRequest::get(url).policy(Some(Policy::default().attempts(1).into()));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn policy(mut self, policy: impl Into<Option<Arc<Policy>>>) -> Self {
        self.policy = policy.into();
        self
    }

    /// Sets the priority among the fetches of the host.
    ///
    /// ```
    /// # use fetch_proto::FetchRequest;
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let urgent = FetchRequest::get(url).priority(10);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn priority(mut self, priority: i8) -> Self {
        self.priority = priority;
        self
    }

    /// Continues a saved body of an earlier fetch.
    ///
    /// ```
    /// # use fetch_proto::{BodyDelivery, FetchRequest, ResumePoint, Validator};
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let point = ResumePoint::new(1 << 20, Validator::parse("\"v1\""));
    /// let rest = FetchRequest::get(url).delivery(BodyDelivery::Saved).resume_from(Some(point.into()));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn resume_from(mut self, point: impl Into<Option<Arc<ResumePoint>>>) -> Self {
        self.resume_from = point.into();
        self
    }

    /// Sets the key by which equal requests share one response.
    ///
    /// ```
    /// # use fetch_proto::FetchRequest;
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let shared = FetchRequest::get(url).share(Some(1));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn share(mut self, share: Option<u64>) -> Self {
        self.share = share;
        self
    }

    /// Sets the caller's key.
    ///
    /// ```
    /// # use fetch_proto::FetchRequest;
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let request = FetchRequest::get(url).tag(42);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn tag(mut self, tag: u64) -> Self {
        self.tag = tag;
        self
    }

    /// Sets the target.
    ///
    /// ```
    /// # use fetch_proto::FetchRequest;
    /// # let url: url::Url = "http://a.test/".parse()?;
    /// let request = FetchRequest::get(url).url(std::sync::Arc::new("http://b.test/".parse()?));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn url(mut self, url: Arc<Url>) -> Self {
        self.url = url;
        self
    }
}

/// Whether a request has a body, and whether it can be sent again.
///
/// ```
/// # use fetch_proto::testing::{FetchScript, failure};
/// use fetch_proto::{FailureKind, GiveUpReason, Method, Policy, RequestBodyKind};
///
/// let mut script = FetchScript::new(Policy::default());
/// script.request(|request| {
///     request.method = Method::Put;
///     request.body = RequestBodyKind::Once;
/// });
/// let run = script.answers([failure(FailureKind::Io)]).run();
/// assert_eq!(run.outcome().gave_up, Some(GiveUpReason::BodyNotReplayable));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RequestBodyKind {
    /// No body.
    #[default]
    None,
    /// A body that a retry can send again.
    Replayable,
    /// A stream that can be sent only once: no retry after an attempt, unless that has left the body
    /// unread ([`Input::BodyUnused`](crate::Input::BodyUnused)).
    Once,
}

/// How a response body is delivered to the caller. If a GET breaks off while its body is saved or
/// streamed, the next attempt continues it, provided that the server offers a strong validator and the
/// body has no content coding: see [`Attempt::resume`](crate::Attempt::resume).
///
/// ```
/// use fetch_proto::{BodyDelivery, FetchRequest};
/// let streamed = FetchRequest::get("http://a.test/".parse()?).delivery(BodyDelivery::Streamed);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum BodyDelivery {
    /// As a whole when it is complete, so that a failure in the middle can be retried.
    #[default]
    Buffered,
    /// Written to storage while it is received, and passed on when it is complete. A failure in the
    /// middle is retried from there, or from the beginning. By default it must arrive at 1 KiB/s,
    /// measured over 30 s ([`Policy::stall`]), and may be of any size ([`Policy::max_body`]).
    Saved,
    /// In chunks. The caller has received a part, so a failure in the middle is retried only from
    /// there. By default it may be of any size.
    Streamed,
}

/// The key of identical requests: method, URL and the caller's number.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct ShareKey {
    method: Method,
    number: u64,
    url: Arc<Url>,
}

impl ShareKey {
    /// The key of a request that may share its response with identical ones.
    pub(crate) fn of(request: &FetchRequest) -> Option<Self> {
        let has_body = request.body != RequestBodyKind::None;
        let is_buffered = request.delivery == BodyDelivery::Buffered;
        let is_safe = matches!(request.method, Method::Get | Method::Head);
        Some(Self {
            number: request
                .share
                .filter(|_| !has_body && is_buffered && is_safe)?,
            method: request.method.clone(),
            url: request.url.clone(),
        })
    }
}
