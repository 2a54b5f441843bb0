//! What the cache does with one request.

use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::Method;
use fetch_proto::cache::{CacheMode, CacheRequest, CacheStatus, ForwardReason, WallTime};
use http::{HeaderMap, HeaderValue, header};

use crate::cache::fields::HeaderFields;
use crate::cache::key::CacheKey;
use crate::cache::stored::StoredResponse;
use crate::transport::message::OutgoingRequest;

/// What the cache does with one request, decided when it was looked up.
pub(crate) struct CachePlan {
    pub(super) action: PlanAction,
    /// The request's header fields as they are sent, without validators.
    pub(super) fields: Arc<HeaderMap>,
    pub(super) key: CacheKey,
    /// Whether identical requests may wait for its response.
    pub(super) leads: bool,
    pub(super) may_store: bool,
    pub(super) method: Method,
    pub(super) mode: CacheMode,
    /// A stale response that may replace an error.
    pub(super) on_error: Option<Arc<StoredResponse>>,
    pub(super) status: CacheStatus,
}

/// The properties of a request that its fields do not show.
#[derive(Clone, Copy)]
pub(crate) struct AskedRequest<'a> {
    /// Whether it is whole and without a body, so that its response may be stored.
    pub(crate) is_storable: bool,
    pub(crate) method: &'a Method,
    pub(crate) mode: Option<CacheMode>,
    /// The profile whose token it gets.
    pub(crate) profile: Option<u16>,
    /// The value of `Authorization` that it got from a profile.
    pub(crate) token: Option<&'a HeaderValue>,
}

/// What is sent.
pub(super) enum PlanAction {
    /// The request as it is.
    Send,
    /// Nothing: the engine gets this stored response, for instance a redirect, which it follows.
    Replay(Arc<StoredResponse>),
    /// The request with conditions; after a 304, this response is the answer.
    Validate {
        if_modified_since: Option<HeaderValue>,
        if_none_match: Option<HeaderValue>,
        stored: Arc<StoredResponse>,
    },
}

/// The cache in one attempt.
pub(crate) struct AttemptCache {
    pub(super) plan: Arc<CachePlan>,
    /// Whether a hook has changed the request, so that its response is not stored.
    pub(super) is_changed: bool,
    /// When the request was sent.
    pub(super) requested: WallTime,
    /// The body to deliver in place of what the network brings.
    pub(super) body: Option<Bytes>,
    /// Whether that body replaces an error's.
    pub(super) replaces_error: bool,
    /// The response as it will be stored, once its body is complete.
    pub(super) pending: Option<Box<StoredResponse>>,
}

impl AttemptCache {
    /// Notes that a hook has changed the request since it was planned.
    pub(crate) fn note_changed(&mut self) {
        self.is_changed = true;
    }

    /// Whether the response is stored once its body is complete.
    pub(crate) fn is_stored(&self) -> bool {
        self.pending.is_some()
    }
}

impl CachePlan {
    /// A plan to send a request as it is.
    pub(super) fn forward(
        key: CacheKey,
        fields: Arc<HeaderMap>,
        method: &Method,
        mode: CacheMode,
        reason: ForwardReason,
    ) -> Self {
        Self {
            action: PlanAction::Send,
            fields,
            key,
            leads: false,
            may_store: true,
            method: method.clone(),
            mode,
            on_error: None,
            status: CacheStatus::forwarded(reason),
        }
    }

    /// Whether it is known, without a new plan, to be made for this request.
    pub(super) fn is_for(&self, request: &OutgoingRequest, asked: AskedRequest<'_>) -> bool {
        self.fields == request.headers
            && self.method == *asked.method
            && self.key.url() == request.url.as_str()
            && request.path_as_is.is_none()
            && asked.profile.is_none()
    }

    /// Whether identical requests may wait for its response: not if it is about a part, or about
    /// what the caller has.
    pub(super) fn may_lead(&self) -> bool {
        let conditions = [
            header::IF_NONE_MATCH,
            header::IF_MODIFIED_SINCE,
            header::RANGE,
        ];
        self.method == Method::Get && !conditions.iter().any(|name| self.fields.contains_key(name))
    }

    /// Calls `decide` with the request as the core sees it.
    pub(super) fn with_request<R>(&self, decide: impl FnOnce(CacheRequest<'_>) -> R) -> R {
        let fields = HeaderFields(&self.fields);
        decide(CacheRequest {
            fields: &fields,
            method: &self.method,
            mode: self.mode,
        })
    }
}
