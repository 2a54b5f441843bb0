//! Runs attempts: starts, polls and aborts them.

mod token;

use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "cache")]
use fetch_proto::ResponseVerdict;
use fetch_proto::{Attempt, AttemptId, FailureKind, Input, Timestamp};
use http::{HeaderMap, header};

use crate::auth::source::TokenSecret;
#[cfg(feature = "cache")]
use crate::cache::handle::Cache;
use crate::driver::attempt_runner::token::add_token;
#[cfg(feature = "cache")]
use crate::driver::cache::{
    attempt::{body_extras, take_body, take_head},
    runner::CacheRunner,
};
#[cfg(not(feature = "cache"))]
use crate::driver::exchange::BodyExtras;
use crate::driver::exchange::attempt_set::{AttemptPoll, AttemptSet};
use crate::driver::exchange::hooks::{Classifier, prepare};
#[cfg(feature = "cookies")]
use crate::driver::exchange::wire::cookie_url;
use crate::driver::exchange::wire::{
    engine_head, outgoing_request, with_authentication, with_upgraded_location,
};
use crate::driver::exchange::{
    AttemptExchange, AttemptUpdate, BodyMode, ExchangeStart, RequestStart,
};
use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::in_flight::{AttemptResult, InFlightAttempt};
use crate::driver::fetches::table::FetchTable;
use crate::driver::permits::AttemptPermit;
use crate::driver::token_keeper::AttemptToken;
#[cfg(feature = "cookies")]
use crate::fields::cookies::jar::CookieJar;
use crate::fields::hsts::HstsStore;
use crate::fields::netrc::Netrc;
#[cfg(feature = "cache")]
use crate::model::hook::verdict::Verdict;
use crate::model::hook::{AttemptContext, Hooks};
use crate::settings::Settings;
use crate::telemetry::tracing::FetchSpan;
use crate::transport::Transport;
use crate::transport::clock::Clock;
use crate::transport::message::OutgoingRequest;
use crate::transport::progress::{AttemptProgress, BodyDemand, ReportedPhases};

/// The attempts in flight of one driver, and what it needs to start more. `start` makes an exchange
/// of type `F`.
pub(super) struct AttemptRunner<T, F, S> {
    #[cfg(feature = "cache")]
    pub(super) cache: Option<Box<CacheRunner>>,
    clock: Clock,
    /// The cookie jar, if cookies are stored.
    #[cfg(feature = "cookies")]
    cookies: Option<CookieJar>,
    /// Logins by host.
    netrc: Option<Arc<Netrc>>,
    /// The slots of fetches whose attempt ended since the last call of [`AttemptRunner::release_permits`].
    ended: Vec<usize>,
    exchanges: AttemptSet<F>,
    /// Header fields of all requests.
    pub(super) headers: Arc<HeaderMap>,
    hooks: Hooks,
    hsts: Option<HstsStore>,
    /// The slot of the fetch of each exchange.
    slots: Vec<usize>,
    spare: SpareMemory,
    start: S,
    transport: Arc<T>,
}

/// Allocations of attempts that have ended, for the next ones. Never more than were in flight at once.
#[derive(Default)]
struct SpareMemory {
    progress: Vec<AttemptProgress>,
    #[expect(clippy::vec_box, reason = "the allocations are what is stored")]
    results: Vec<Box<AttemptResult>>,
}

impl<T, F, S> AttemptRunner<T, F, S>
where
    T: Transport,
    F: AttemptExchange,
    S: Fn(&Arc<T>, ExchangeStart, AttemptProgress) -> F,
{
    pub(super) fn new(
        transport: Arc<T>,
        start: S,
        settings: &Settings,
        headers: Arc<HeaderMap>,
        clock: Clock,
    ) -> Self {
        #[cfg(feature = "cache")]
        let new_cache = |cache: &Cache| Box::new(CacheRunner::new(cache.clone(), settings, clock));
        Self {
            #[cfg(feature = "cache")]
            cache: settings.cache.as_ref().map(new_cache),
            clock,
            #[cfg(feature = "cookies")]
            cookies: settings.cookie_jar.clone(),
            netrc: settings.netrc.clone(),
            ended: Vec::new(),
            exchanges: AttemptSet::new(),
            headers,
            hooks: settings.hooks.clone(),
            hsts: settings.hsts.clone(),
            slots: Vec::new(),
            spare: SpareMemory::default(),
            start,
            transport,
        }
    }

    /// Starts an attempt of `fetch`, with this token unless the request has credentials.
    pub(super) fn start(
        &mut self,
        attempt: Attempt,
        token: Option<AttemptToken<'_>>,
        fetch: &mut ActiveFetch,
        permit: Option<AttemptPermit>,
    ) {
        let progress = self.spare.progress.pop();
        let progress = progress.unwrap_or_else(|| AttemptProgress::new(self.clock));
        let has_body = fetch.has_body;
        let (mut request, withheld) =
            outgoing_request(&attempt, &fetch.request, has_body, &self.headers);
        fetch
            .trail
            .note_request(&attempt.method, &fetch.request.method, withheld);
        let is_authenticated = match token {
            None => {
                self.add_login(&mut request);
                false
            }
            Some(token) => add_token(&mut request, token, &attempt, &self.headers),
        };
        let signs = matches!(token, Some(token) if matches!(token.secret, TokenSecret::Signer(_)));
        #[cfg(feature = "cache")]
        let value = match self.cache.is_some() && is_authenticated {
            true => request.headers.get(header::AUTHORIZATION).cloned(),
            false => None,
        };
        #[cfg(feature = "cookies")]
        let cookie_url = self.add_cookies(&mut request);
        #[cfg(feature = "cache")]
        let (cache, stored_head) =
            self.add_validators(&mut request, &attempt, value.as_ref(), fetch);
        let span = fetch.span.for_attempt(&fetch.request, &attempt);
        #[cfg(feature = "traceparent")]
        crate::telemetry::trace_context::add_trace_context(&mut request.headers, &span);
        #[cfg(feature = "cache")]
        let is_validation = cache.is_some();
        #[cfg(not(feature = "cache"))]
        let is_validation = false;
        let classifier = self.classifier(&attempt, fetch, is_validation);
        let peeks = classifier
            .as_ref()
            .is_some_and(|one| one.hook.first_bytes > 0);
        let start = ExchangeStart::Request {
            classifier,
            request: self.prepared(request, &attempt, fetch),
        };
        #[cfg(feature = "cache")]
        let start = stored_head.map_or(start, ExchangeStart::Stored);
        let exchange = (self.start)(&self.transport, start, progress.clone());
        let index = self.exchanges.insert(exchange);
        if self.slots.len() <= index {
            self.slots.resize(index + 1, 0);
        }
        self.slots[index] = attempt.id.fetch.slot();
        fetch.add_attempt(InFlightAttempt {
            #[cfg(feature = "cache")]
            cache,
            #[cfg(feature = "cookies")]
            cookie_url,
            answers_challenges: signs && is_authenticated,
            id: attempt.id,
            is_redirect: false,
            index,
            peeks,
            permit,
            progress,
            reported: ReportedPhases::default(),
            result: self.spare.results.pop().unwrap_or_default(),
            resume: attempt.resume,
            span,
            url: attempt.url,
        });
    }

    /// How the attempt starts: with the check of a redirect and the hooks, if there are any.
    fn prepared(
        &self,
        request: OutgoingRequest,
        attempt: &Attempt,
        fetch: &ActiveFetch,
    ) -> RequestStart {
        let check = fetch.request.redirect_check.as_ref();
        let check = check.filter(|_| attempt.url != fetch.request.url);
        let has_hooks = !self.hooks.before_attempt.is_empty();
        if check.is_none() && !has_hooks {
            return RequestStart::Ready(request);
        }
        let check = check.map(|check| check.check(&attempt.url));
        RequestStart::Prepared {
            has_hooks,
            request: prepare(request, check, &self.hooks, attempt_context(attempt, fetch)),
        }
    }

    fn classifier(
        &self,
        attempt: &Attempt,
        fetch: &ActiveFetch,
        is_validation: bool,
    ) -> Option<Box<Classifier>> {
        let hook = self.hooks.classify.clone()?;
        Some(Box::new(Classifier {
            context: attempt_context(attempt, fetch),
            hook,
            is_continuation: attempt.resume.is_some(),
            is_validation,
            url: attempt.url.clone(),
        }))
    }

    /// Adds the login of the host, unless the request has credentials.
    pub(super) fn add_login(&self, request: &mut OutgoingRequest) {
        if let Some(netrc) = &self.netrc
            && !request.headers.contains_key(header::AUTHORIZATION)
            && let Some(host) = request.url.host_str()
            && let Some(login) = netrc.authorization(host, None)
        {
            Arc::make_mut(&mut request.headers).insert(header::AUTHORIZATION, login);
        }
    }

    #[cfg(feature = "cookies")]
    pub(super) fn add_cookies(&self, request: &mut OutgoingRequest) -> Option<Arc<url::Url>> {
        let cookies = self.cookies.as_ref()?;
        let url = cookie_url(request);
        cookies.add_to(Arc::make_mut(&mut request.headers), &url);
        Some(url)
    }

    /// Drops an attempt: it timed out, another one was faster, or the fetch was cancelled.
    pub(super) fn abort(&mut self, id: AttemptId, fetches: &mut FetchTable) {
        let Some(fetch) = fetches.with_attempt(id) else {
            return;
        };
        let late_phases = fetch.attempt_mut(id).map(|attempt| {
            attempt.span.record_error("aborted");
            attempt.progress.take_phases(&mut attempt.reported)
        });
        let index = fetch.attempt_mut(id).map(|attempt| attempt.index);
        let exchange = index.and_then(|index| self.exchanges.get(index));
        let unfinished = exchange.and_then(AttemptExchange::take_unfinished);
        fetch.keep_unfinished(id, unfinished);
        let Some((index, progress)) = fetch.end_attempt(id) else {
            return;
        };
        fetch.result().late_phases = late_phases.unwrap_or_default();
        fetch.result().permit = None;
        self.exchanges.remove(index);
        self.spare.progress.extend(progress.recycle());
    }

    /// Lets the exchange of an attempt read the response body, as `mode` says.
    pub(super) fn read_body(
        &mut self,
        id: AttemptId,
        fetches: &mut FetchTable,
        mode: impl FnOnce(&mut ActiveFetch) -> BodyMode,
    ) {
        let Some(fetch) = fetches.with_attempt(id) else {
            return;
        };
        let mode = mode(fetch);
        let Some(attempt) = fetch.attempt_mut(id) else {
            return;
        };
        #[cfg(feature = "cache")]
        let extras = body_extras(self.cache.as_deref(), attempt, &mode);
        #[cfg(not(feature = "cache"))]
        let extras = BodyExtras::default();
        let demand = match mode.demand() {
            BodyDemand::Nothing if extras.needs_chunks() => BodyDemand::Pieces,
            demand => demand,
        };
        // The demand must not change once a part of the body was read.
        if !attempt.peeks {
            attempt.progress.set_demand(demand);
        }
        if let Some(exchange) = self.exchanges.get(attempt.index) {
            exchange.set_body_mode(mode, extras);
            self.exchanges.wake(attempt.index);
        }
    }

    /// Whether an exchange that always has more to read waits for its turn.
    pub(super) fn is_busy(&self) -> bool {
        self.exchanges.is_busy()
    }

    /// The exchanges to poll: see [`AttemptSet::poll_woken`].
    pub(super) fn poll_woken(&mut self, cx: &Context<'_>, includes_busy: bool) -> Poll<Vec<usize>> {
        self.exchanges.poll_woken(cx, includes_busy)
    }

    /// Takes back the list that [`AttemptRunner::poll_woken`] returned, to reuse its memory.
    pub(super) fn recycle_list(&mut self, list: Vec<usize>) {
        self.exchanges.recycle(list);
    }

    /// Takes back the memory of a result.
    pub(super) fn recycle_result(&mut self, result: Option<Box<AttemptResult>>) {
        self.spare.results.extend(result);
    }

    /// Polls the exchange at `index` and passes what happened to `report`, with the time.
    pub(super) fn poll_exchange(
        &mut self,
        index: usize,
        fetches: &mut FetchTable,
        mut report: impl FnMut(AttemptId, Input, Timestamp),
    ) {
        let slot = self.slots[index];
        let span = span_of(fetches, slot, index);
        let mut update = AttemptUpdate::default();
        let mut poll = || self.exchanges.poll(index, &mut update);
        let polled = match &span {
            Some(span) => span.in_scope(poll),
            None => poll(),
        };
        let Some(fetch) = fetches.at_mut(slot) else {
            return;
        };
        let keeps_body = fetch.keeps_body();
        let fetch_sends_stream = fetch.has_body && fetch.request.body.is_stream();
        let Some(attempt) = fetch.attempt_at(index) else {
            return;
        };
        let (id, now) = (attempt.id, self.clock.now());
        for (phase, at) in attempt.progress.take_phases(&mut attempt.reported) {
            report(id, Input::Mark(phase, at), now);
        }
        for input in update.hooks {
            report(id, input, now);
        }
        if let Some(parts) = update.head {
            #[cfg(feature = "cache")]
            let mut parts = parts;
            #[cfg(feature = "cookies")]
            if let (Some(cookies), Some(url)) = (&self.cookies, &attempt.cookie_url)
                && parts.headers.first_value(&header::SET_COOKIE).is_some()
            {
                cookies.store(url, &parts.headers);
            }
            #[cfg(feature = "cache")]
            if !is_rejected(update.verdict.as_ref()) {
                take_head(self.cache.as_deref_mut(), attempt, &mut parts);
            }
            attempt.span.record_status(parts.status.as_u16());
            let head = engine_head(&parts, keeps_body);
            let head = match attempt.answers_challenges {
                true => with_authentication(head, &parts, fetch_sends_stream),
                false => head,
            };
            let head = match &self.hsts {
                Some(hsts) => {
                    hsts.store(&attempt.url, &parts.headers);
                    with_upgraded_location(head, &parts, &attempt.url, hsts)
                }
                None => head,
            };
            let head = match update.verdict {
                Some(verdict) => {
                    attempt.result.detail = verdict.reason;
                    head.verdict(verdict.decided)
                }
                None => head,
            };
            report(id, Input::Head(head), now);
            attempt.result.parts = Some(parts);
        }
        let bytes = attempt.progress.take_received(update.body_bytes);
        if bytes > 0 {
            report(id, Input::Body { bytes }, now);
        }
        for paused in update.pauses {
            #[cfg(feature = "cache")]
            if let (true, Some(cache), Some(cached)) = (paused, &mut self.cache, &attempt.cache) {
                cache.release_slow(cached);
            }
            let input = if paused {
                Input::Paused
            } else {
                Input::Resumed
            };
            report(id, input, now);
        }
        let end = match (update.end, polled) {
            (Some(Ok(body)), _) => {
                #[cfg(feature = "cache")]
                take_body(self.cache.as_deref_mut(), attempt, body.copy);
                (attempt.result.chunks, attempt.result.saved) = (body.chunks, body.saved);
                attempt.result.is_complete = true;
                Ok(())
            }
            (Some(Err(error)), _) => {
                attempt.result.detail = Some(error.detail());
                attempt.result.reason = error.reason();
                attempt.span.record_error(error.kind().as_str());
                let kind = error.kind();
                attempt.result.source = Some(error.into_source());
                Err(kind)
            }
            (None, AttemptPoll::Panicked(message)) => {
                attempt.result.detail =
                    Some(format!("the transport or a hook panicked: {message}"));
                Err(FailureKind::Dropped)
            }
            (None, AttemptPoll::Pending | AttemptPoll::Ready) => return,
        };
        fetch.keep_unfinished(id, update.unfinished);
        if let Some((_, progress)) = fetch.end_attempt(id) {
            // A transport may still hold a clone, although the exchange is over.
            self.spare.progress.extend(progress.recycle());
        }
        self.ended.push(slot);
        if end.is_err() && fetch.request.body.is_unused() {
            report(id, Input::BodyUnused, now);
        }
        report(id, Input::End(end), now);
    }

    /// Releases the permits of attempts that ended while their fetch goes on to a retry, a redirect or
    /// a hedge. Call it after the engine has reacted to the ends.
    pub(super) fn release_permits(&mut self, fetches: &mut FetchTable) {
        for slot in self.ended.drain(..) {
            if let Some(fetch) = fetches.at_mut(slot) {
                fetch.take_permit();
            }
        }
    }

    /// Closes idle connections. Nothing is in flight any more.
    pub(super) fn close(&self) {
        self.transport.close();
    }
}

fn attempt_context(attempt: &Attempt, fetch: &ActiveFetch) -> AttemptContext {
    AttemptContext {
        attached: fetch.request.attached.clone(),
        number: attempt.id.number(),
        tag: fetch.request.tag,
    }
}

/// Whether a hook has rejected the response, so that it is not stored.
#[cfg(feature = "cache")]
fn is_rejected(verdict: Option<&Verdict>) -> bool {
    let decided = verdict.and_then(|verdict| verdict.decided);
    matches!(decided, Some(ResponseVerdict::Reject(_)))
}

/// The span of the attempt whose exchange is at `index`.
fn span_of(fetches: &mut FetchTable, slot: usize, index: usize) -> Option<FetchSpan> {
    let attempt = fetches.at_mut(slot)?.attempt_at(index)?;
    Some(attempt.span.clone())
}

#[cfg(test)]
mod tests;
