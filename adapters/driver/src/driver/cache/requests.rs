//! Requests as they are sent, for the cache.

use std::sync::Arc;

use fetch_proto::{Attempt, AttemptId};
use http::HeaderValue;

use super::plan::AttemptCache;
use super::runner::AskedRequest;
use crate::driver::attempt_runner::AttemptRunner;
use crate::driver::exchange::wire::merge_headers;
use crate::driver::exchange::{AttemptExchange, ExchangeStart, ResponseParts};
use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::table::FetchTable;
use crate::model::request::Request;
use crate::transport::Transport;
use crate::transport::message::OutgoingRequest;
use crate::transport::progress::AttemptProgress;

impl<T, F, S> AttemptRunner<T, F, S>
where
    T: Transport,
    F: AttemptExchange,
    S: Fn(&Arc<T>, ExchangeStart, AttemptProgress) -> F,
{
    /// A request before it is in the engine, with the fields of its first attempt, except those of a token.
    pub(in crate::driver) fn request_fields(&self, request: &Request) -> OutgoingRequest {
        let mut outgoing = OutgoingRequest::new(http::Method::GET, request.url.clone());
        outgoing.headers = match request.headers.is_empty() {
            true => self.headers.clone(),
            false => Arc::new(merge_headers(&self.headers, &request.headers)),
        };
        outgoing.path_as_is = request.unchanged_target(&request.url);
        let cache = self.cache.as_ref();
        if cache.is_none_or(|cache| cache.profile_of(request).is_none()) {
            self.add_login(&mut outgoing);
        }
        #[cfg(feature = "cookies")]
        self.add_cookies(&mut outgoing);
        outgoing
    }

    /// Adds what the cache adds to a request. Returns what it notes for the response, and a stored
    /// response that is the answer, so that nothing is sent.
    pub(in crate::driver) fn add_validators(
        &self,
        request: &mut OutgoingRequest,
        attempt: &Attempt,
        token: Option<&HeaderValue>,
        fetch: &ActiveFetch,
    ) -> (Option<Box<AttemptCache>>, Option<ResponseParts>) {
        let Some(cache) = &self.cache else {
            return (None, None);
        };
        let is_storable = !(attempt.send_body && fetch.has_body) && attempt.resume.is_none();
        let asked = AskedRequest {
            is_storable,
            method: &attempt.method,
            mode: fetch.request.cache_mode,
            profile: attempt.token.map(|token| token.profile),
            token,
        };
        let (cached, head) = cache.prepare(fetch.cache.as_ref(), request, asked);
        (Some(Box::new(cached)), head)
    }

    /// Replaces an accepted response that is an error by a stale one, if that is allowed.
    pub(in crate::driver) fn replace_error_status(&self, id: AttemptId, fetches: &mut FetchTable) {
        let Some(cache) = &self.cache else {
            return;
        };
        let fetch = fetches.with_attempt(id);
        let Some(attempt) = fetch.and_then(|fetch| fetch.attempt_mut(id)) else {
            return;
        };
        if let (Some(cached), Some(parts)) = (&mut attempt.cache, &mut attempt.result.parts)
            && let Some(stale) = cache.replace_status(cached, parts.status)
        {
            *parts = stale;
            attempt.result.cache = parts.cache;
        }
    }
}
