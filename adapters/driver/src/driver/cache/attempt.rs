//! The cache in one attempt: validators, the head that arrives, and the body to be stored.

use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::cache::{
    CacheResponse, ForwardReason, NotStored, StoredHead, confirms, invalidated_urls,
    is_stored_field, is_updated_field, judge_store, may_replace_error,
};
use http::{HeaderMap, StatusCode, header};
use url::Url;

use super::plan::{AskedRequest, AttemptCache, CachePlan, PlanAction};
use super::runner::{CacheRunner, Choice};
use super::serve::{ServedResponse, ttl};
use crate::cache::fields::HeaderFields;
use crate::cache::key::url_key;
use crate::cache::store::StoreAnswer;
use crate::cache::stored::{StoredResponse, date_field};
use crate::driver::exchange::{BodyChunks, BodyExtras, BodyMode, ResponseParts};
use crate::driver::fetches::in_flight::InFlightAttempt;
use crate::transport::message::OutgoingRequest;

/// Bodies smaller than this are copied, so that a small part of a large buffer does not hold all of it.
const COPIED: usize = 64 * 1024;

impl CacheRunner {
    /// Prepares a request that is sent now: adds validators. `planned` is what was decided before it waited,
    /// for the first URL. Returns a stored redirect, which is the answer without the network.
    pub(crate) fn prepare(
        &self,
        planned: Option<&Arc<CachePlan>>,
        request: &mut OutgoingRequest,
        asked: AskedRequest<'_>,
    ) -> (AttemptCache, Option<ResponseParts>) {
        let plan = match planned.filter(|planned| planned.is_for(request, asked)) {
            Some(planned) => planned.clone(),
            None => {
                let mut plan = self.new_plan(request, asked);
                // What the jar or a redirect has changed since is another request.
                let is_same = |planned: &&Arc<CachePlan>| {
                    planned.key == plan.key && planned.method == plan.method
                };
                match planned.filter(is_same) {
                    Some(planned) => planned.clone(),
                    None => {
                        self.look_up_hop(&mut plan);
                        Arc::new(plan)
                    }
                }
            }
        };
        let mut cached = AttemptCache {
            is_changed: false,
            requested: self.wall(),
            plan: plan.clone(),
            body: None,
            replaces_error: false,
            pending: None,
        };
        match &plan.action {
            PlanAction::Send => {}
            PlanAction::Replay(stored) => {
                let served = ServedResponse::new(&plan, stored, self.wall());
                cached.body = Some(served.body);
                return (cached, Some(served.parts));
            }
            PlanAction::Validate {
                if_modified_since,
                if_none_match,
                ..
            } => {
                let headers = Arc::make_mut(&mut request.headers);
                if let Some(value) = if_none_match {
                    headers.insert(header::IF_NONE_MATCH, value.clone());
                }
                if let Some(value) = if_modified_since {
                    headers.insert(header::IF_MODIFIED_SINCE, value.clone());
                }
            }
        }
        (cached, None)
    }

    /// Looks up the target of a redirect, if the store answers at once.
    fn look_up_hop(&self, plan: &mut CachePlan) {
        if !Self::is_looked_up(plan) {
            return;
        }
        plan.status.forward = Some(ForwardReason::UriMiss);
        if let StoreAnswer::Ready(stored) = self.cache.store().look(&plan.key)
            && let Choice::Stored(stored, _) = self.choose(plan, &stored)
        {
            // It is in the engine already, which gets it as the answer.
            plan.action = PlanAction::Replay(stored);
        }
    }

    /// Takes the head of a response: replaces a 304 to a validation by the stored response, invalidates what
    /// an unsafe request has changed, and decides whether the response is stored.
    fn take_head(&mut self, cached: &mut AttemptCache, parts: &mut ResponseParts, url: &Url) {
        let plan = cached.plan.clone();
        if let PlanAction::Replay(_) = plan.action {
            return;
        }
        let mut status = plan.status;
        status.forward_status = Some(parts.status.as_u16());
        self.invalidate(&plan, parts, url);
        if let PlanAction::Validate { stored, .. } = &plan.action
            && parts.status == StatusCode::NOT_MODIFIED
        {
            let fresh = self.freshen(cached, stored, parts);
            let now = self.wall();
            status.ttl = Some(ttl(&fresh, now));
            status.is_stored = true;
            let served = ServedResponse::new(&plan, &fresh, now);
            *parts = served.parts;
            parts.cache = Some(status);
            cached.body = Some(served.body);
            return;
        }
        match self.judge(cached, &parts.headers, parts.status) {
            Ok(head) => {
                self.release_others(&plan, &head);
                cached.pending = Some(Box::new(StoredResponse {
                    body: Bytes::new(),
                    coded_headers: parts.coded_headers.clone(),
                    headers: self.stored_headers(&parts.headers, &head),
                    head,
                    version: parts.version,
                }));
            }
            Err(why) => {
                status.detail = Some(match cached.is_changed {
                    true => "before-attempt",
                    false => why.as_str(),
                });
                if plan.leads && parts.status != StatusCode::NOT_MODIFIED {
                    let now = self.now();
                    self.flights.note_unstorable(&plan.key, now);
                }
                self.release(&plan);
            }
        }
        parts.cache = Some(status);
    }

    /// Whether and how a response to an attempt is stored.
    fn judge(
        &self,
        cached: &AttemptCache,
        headers: &HeaderMap,
        status: StatusCode,
    ) -> Result<StoredHead, NotStored> {
        let response = CacheResponse {
            fields: &HeaderFields(headers),
            requested: cached.requested,
            received: self.wall(),
            status: status.as_u16(),
        };
        let plan = &cached.plan;
        if !plan.may_store || cached.is_changed {
            return Err(NotStored::NoStore);
        }
        plan.with_request(|request| judge_store(request, response, self.cache.core_rules()))
    }

    /// The fields of a response that are stored.
    fn stored_headers(&self, headers: &HeaderMap, head: &StoredHead) -> HeaderMap {
        let (fields, rules) = (HeaderFields(headers), self.cache.core_rules());
        let mut stored = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            if is_stored_field(name.as_str(), &fields) && !head.omits(name.as_str(), rules) {
                stored.append(name, value.clone());
            }
        }
        if !stored.contains_key(header::DATE) {
            stored.insert(header::DATE, date_field(self.wall()));
        }
        stored
    }

    /// The stored response after a 304 to its validation, which is stored in its place.
    fn freshen(
        &mut self,
        cached: &AttemptCache,
        stored: &Arc<StoredResponse>,
        parts: &ResponseParts,
    ) -> Arc<StoredResponse> {
        let plan = &cached.plan;
        let fields = HeaderFields(&parts.headers);
        if !confirms(&stored.head, &fields) {
            self.remove(plan.key.url());
            self.release(plan);
            return stored.clone();
        }
        let mut headers = stored.headers.clone();
        headers.remove(header::AGE);
        headers.insert(header::DATE, date_field(self.wall()));
        let updated = parts
            .headers
            .keys()
            .filter(|name| is_updated_field(name.as_str(), &fields));
        for name in updated {
            headers.remove(name);
            for value in parts.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        match self.judge(cached, &headers, stored.status()) {
            Ok(head) => {
                let fresh = Arc::new(StoredResponse {
                    body: stored.body.clone(),
                    coded_headers: stored.coded_headers.clone(),
                    headers: self.stored_headers(&headers, &head),
                    head,
                    version: stored.version,
                });
                self.store(plan, fresh.clone());
                fresh
            }
            Err(_) => {
                self.remove(plan.key.url());
                self.release(plan);
                Arc::new(StoredResponse {
                    headers,
                    ..(**stored).clone()
                })
            }
        }
    }

    /// Stores a response, and answers those who waited for it.
    fn store(&mut self, plan: &CachePlan, response: Arc<StoredResponse>) {
        self.put(&plan.key, response.clone());
        if plan.leads {
            let waiting = self.flights.end(&plan.key).into_iter();
            self.released
                .extend(waiting.map(|job| (job, Some(response.clone()))));
        }
    }

    /// Lets those go on at once who wait for a response that does not answer them, as its head says.
    fn release_others(&mut self, plan: &CachePlan, head: &StoredHead) {
        let Some(waiting) = self.flights.waiting(&plan.key).filter(|_| plan.leads) else {
            return;
        };
        let others = waiting.extract_if(.., |job| {
            let plan = job.cache.as_ref();
            !plan.is_some_and(|plan| plan.with_request(|request| head.answers(request.fields)))
        });
        let others: Vec<_> = others.map(|job| (job, None)).collect();
        self.released.extend(others);
    }

    /// Removes what a successful unsafe request has made invalid.
    fn invalidate(&mut self, plan: &CachePlan, parts: &ResponseParts, url: &Url) {
        let fields = HeaderFields(&parts.headers);
        let urls = invalidated_urls(&plan.method, parts.status.as_u16(), url, &fields);
        if !urls.is_empty() {
            self.remove(plan.key.url());
        }
        for url in urls {
            self.remove(&url_key(&url, None));
        }
    }

    /// What is done with a body that is read in this mode.
    fn body_extras(&self, cached: &mut AttemptCache, mode: &BodyMode) -> BodyExtras {
        let is_read = match mode {
            BodyMode::Collect | BodyMode::Save(_) | BodyMode::Stream(_, None) => true,
            BodyMode::Redirect | BodyMode::Discard => true,
            BodyMode::Complete(_) | BodyMode::Lost | BodyMode::Skip | BodyMode::Stream(..) => false,
        };
        if !is_read {
            cached.pending = None;
        }
        BodyExtras {
            copy_limit: cached.pending.as_ref().map(|_| self.cache.body_limit()),
            drops_received: cached.replaces_error,
            stored: cached.body.take().filter(|body| !body.is_empty()),
        }
    }

    /// Takes a body that is complete. Returns true if it is stored.
    fn take_body(&mut self, cached: &mut AttemptCache, copy: Option<BodyChunks>) -> bool {
        let Some(mut response) = cached.pending.take() else {
            return false;
        };
        let Some(chunks) = copy else {
            return false;
        };
        response.body = match &chunks[..] {
            [] => Bytes::new(),
            [whole] if whole.len() >= COPIED => whole.clone(),
            _ => chunks.concat().into(),
        };
        let plan = cached.plan.clone();
        self.store(&plan, Arc::from(response));
        true
    }

    /// A stale response to use in place of an accepted response with this status.
    pub(crate) fn replace_status(
        &self,
        cached: &mut AttemptCache,
        status: StatusCode,
    ) -> Option<ResponseParts> {
        let served = self.replace_error(&cached.plan, Some(status))?;
        (cached.pending, cached.body) = (None, Some(served.body));
        cached.replaces_error = true;
        Some(served.parts)
    }

    /// A stale response to use in place of an error.
    pub(super) fn replace_error(
        &self,
        plan: &CachePlan,
        status: Option<StatusCode>,
    ) -> Option<ServedResponse> {
        let stored = plan.on_error.as_ref()?;
        let (now, rules) = (self.wall(), self.cache.core_rules());
        let number = status.map(|status| status.as_u16());
        let is_allowed = plan
            .with_request(|request| may_replace_error(request, &stored.head, number, now, rules));
        is_allowed.then(|| ServedResponse::in_place_of_error(plan, stored, now, status))
    }

    /// Lets those go on who wait for this attempt, because its body is not read at the speed of the network.
    pub(crate) fn release_slow(&mut self, cached: &AttemptCache) {
        let plan = cached.plan.clone();
        self.release(&plan);
    }
}

/// Takes the head of an attempt's response: see [`CacheRunner::take_head`].
pub(in crate::driver) fn take_head(
    cache: Option<&mut CacheRunner>,
    attempt: &mut InFlightAttempt,
    parts: &mut ResponseParts,
) {
    if let (Some(cache), Some(cached)) = (cache, &mut attempt.cache) {
        cache.take_head(cached, parts, &attempt.url);
        attempt.result.cache = parts.cache;
    }
}

/// Takes the complete body of an attempt's response: see [`CacheRunner::take_body`].
pub(in crate::driver) fn take_body(
    cache: Option<&mut CacheRunner>,
    attempt: &mut InFlightAttempt,
    copy: Option<BodyChunks>,
) {
    let (Some(cache), Some(cached)) = (cache, &mut attempt.cache) else {
        return;
    };
    if !cache.take_body(cached, copy) {
        return;
    }
    let parts = attempt.result.parts.as_mut();
    let status = parts.and_then(|parts| parts.cache.as_mut());
    for status in status.into_iter().chain(&mut attempt.result.cache) {
        status.is_stored = true;
    }
}

/// What the cache does with a body that is read in this mode.
pub(in crate::driver) fn body_extras(
    cache: Option<&CacheRunner>,
    attempt: &mut InFlightAttempt,
    mode: &BodyMode,
) -> BodyExtras {
    match (cache, &mut attempt.cache) {
        (Some(cache), Some(cached)) => cache.body_extras(cached, mode),
        _ => BodyExtras::default(),
    }
}
