//! Runs attempts: starts, polls and aborts them.

use std::sync::Arc;
use std::task::{Context, Poll};

use fetch_proto::{Attempt, AttemptId, FailureKind, Input, Timestamp};
use http::{HeaderMap, HeaderValue, header};

use crate::driver::exchange::attempt_set::{AttemptPoll, AttemptSet};
#[cfg(feature = "cookies")]
use crate::driver::exchange::wire::cookie_url;
use crate::driver::exchange::wire::{engine_head, outgoing_request, with_upgraded_location};
use crate::driver::exchange::{AttemptExchange, AttemptUpdate, BodyMode};
use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::in_flight::{AttemptResult, InFlightAttempt};
use crate::driver::fetches::table::FetchTable;
use crate::driver::permits::AttemptPermit;
#[cfg(feature = "cookies")]
use crate::fields::cookies::jar::CookieJar;
use crate::fields::hsts::HstsStore;
use crate::fields::netrc::Netrc;
use crate::settings::Settings;
use crate::telemetry::tracing::FetchSpan;
use crate::transport::Transport;
use crate::transport::clock::Clock;
use crate::transport::message::OutgoingRequest;
use crate::transport::progress::{AttemptProgress, ReportedPhases};

/// The attempts in flight of one driver, and what it needs to start more. `start` makes an exchange
/// of type `F`.
pub(super) struct AttemptRunner<T, F, S> {
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
    headers: Arc<HeaderMap>,
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
    S: Fn(&T, OutgoingRequest, AttemptProgress) -> F,
{
    pub(super) fn new(
        transport: Arc<T>,
        start: S,
        settings: &Settings,
        headers: Arc<HeaderMap>,
        clock: Clock,
    ) -> Self {
        Self {
            clock,
            #[cfg(feature = "cookies")]
            cookies: settings.cookie_jar.clone(),
            netrc: settings.netrc.clone(),
            ended: Vec::new(),
            exchanges: AttemptSet::new(),
            headers,
            hsts: settings.hsts.clone(),
            slots: Vec::new(),
            spare: SpareMemory::default(),
            start,
            transport,
        }
    }

    /// Starts an attempt of `fetch`, with this value of `Authorization` unless the request has one.
    pub(super) fn start(
        &mut self,
        attempt: Attempt,
        token: Option<&HeaderValue>,
        fetch: &mut ActiveFetch,
        permit: Option<AttemptPermit>,
    ) {
        let progress = self.spare.progress.pop();
        let progress = progress.unwrap_or_else(|| AttemptProgress::new(self.clock));
        let has_body = fetch.has_body;
        let (request, withheld) =
            outgoing_request(&attempt, &fetch.request, has_body, &self.headers);
        fetch
            .trail
            .note_request(&attempt.method, &fetch.request.method, withheld);
        let request = self.with_login(with_token(request, token));
        #[cfg(feature = "cookies")]
        let (request, cookie_url) = self.with_cookies(request);
        let span = fetch.span.for_attempt(&fetch.request, &attempt);
        #[cfg(feature = "traceparent")]
        let request = with_trace_context(request, &span);
        let exchange = (self.start)(&self.transport, request, progress.clone());
        let index = self.exchanges.insert(exchange);
        if let Some(check) = &fetch.request.redirect_check
            && attempt.url != fetch.request.url
            && let Some(exchange) = self.exchanges.get(index)
        {
            exchange.set_check(check.check(&attempt.url));
        }
        if self.slots.len() <= index {
            self.slots.resize(index + 1, 0);
        }
        self.slots[index] = attempt.id.fetch.slot();
        fetch.add_attempt(InFlightAttempt {
            #[cfg(feature = "cookies")]
            cookie_url,
            id: attempt.id,
            is_redirect: false,
            index,
            permit,
            progress,
            reported: ReportedPhases::default(),
            result: self.spare.results.pop().unwrap_or_default(),
            resume: attempt.resume,
            span,
            url: attempt.url,
        });
    }

    /// Adds the login of the host, unless the request has credentials.
    fn with_login(&self, mut request: OutgoingRequest) -> OutgoingRequest {
        if let Some(netrc) = &self.netrc
            && !request.headers.contains_key(header::AUTHORIZATION)
            && let Some(host) = request.url.host_str()
            && let Some(login) = netrc.authorization(host, None)
        {
            Arc::make_mut(&mut request.headers).insert(header::AUTHORIZATION, login);
        }
        request
    }

    #[cfg(feature = "cookies")]
    fn with_cookies(
        &self,
        mut request: OutgoingRequest,
    ) -> (OutgoingRequest, Option<Arc<url::Url>>) {
        let url = self.cookies.as_ref().map(|cookies| {
            let url = cookie_url(&request);
            cookies.add_to(Arc::make_mut(&mut request.headers), &url);
            url
        });
        (request, url)
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
        attempt.progress.set_demand(mode.demand());
        if let Some(exchange) = self.exchanges.get(attempt.index) {
            exchange.set_body_mode(mode);
            self.exchanges.wake(attempt.index);
        }
    }

    /// The exchanges to poll.
    pub(super) fn poll_woken(&mut self, cx: &Context<'_>) -> Poll<Vec<usize>> {
        self.exchanges.poll_woken(cx)
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
        let Some(attempt) = fetch.attempt_at(index) else {
            return;
        };
        let (id, now) = (attempt.id, self.clock.now());
        for (phase, at) in attempt.progress.take_phases(&mut attempt.reported) {
            report(id, Input::Mark(phase, at), now);
        }
        if let Some(parts) = update.head {
            #[cfg(feature = "cookies")]
            if let (Some(cookies), Some(url)) = (&self.cookies, &attempt.cookie_url) {
                cookies.store(url, &parts.headers);
            }
            attempt.span.record_status(parts.status.as_u16());
            let head = engine_head(&parts, keeps_body);
            let head = match &self.hsts {
                Some(hsts) => {
                    hsts.store(&attempt.url, &parts.headers);
                    with_upgraded_location(head, &parts, &attempt.url, hsts)
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
            let input = if paused {
                Input::Paused
            } else {
                Input::Resumed
            };
            report(id, input, now);
        }
        let end = match (update.end, polled) {
            (Some(Ok(body)), _) => {
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
                attempt.result.detail = Some(format!("the transport panicked: {message}"));
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

#[cfg(feature = "traceparent")]
fn with_trace_context(mut request: OutgoingRequest, span: &FetchSpan) -> OutgoingRequest {
    crate::telemetry::trace_context::add_trace_context(&mut request.headers, span);
    request
}

/// Adds the token, unless the request has credentials.
fn with_token(mut request: OutgoingRequest, token: Option<&HeaderValue>) -> OutgoingRequest {
    if let Some(token) = token.filter(|_| !request.headers.contains_key(header::AUTHORIZATION)) {
        Arc::make_mut(&mut request.headers).insert(header::AUTHORIZATION, token.clone());
    }
    request
}

/// The span of the attempt whose exchange is at `index`.
fn span_of(fetches: &mut FetchTable, slot: usize, index: usize) -> Option<FetchSpan> {
    let attempt = fetches.at_mut(slot)?.attempt_at(index)?;
    Some(attempt.span.clone())
}

#[cfg(test)]
mod tests {
    use fetch_proto::{AttemptPhase, EngineConfig};

    use super::*;
    use crate::driver::exchange::start_exchange;
    use crate::driver::permits::AttemptPermits;
    use crate::driver::test_support::{FakeTransport, next_attempt, submit, test_engine};

    /// Polls all woken exchanges and returns what they reported.
    fn poll_all<F, S>(
        attempts: &mut AttemptRunner<FakeTransport, F, S>,
        fetches: &mut FetchTable,
    ) -> Vec<Input>
    where
        F: AttemptExchange,
        S: Fn(&FakeTransport, OutgoingRequest, AttemptProgress) -> F,
    {
        let cx = Context::from_waker(std::task::Waker::noop());
        let mut inputs = Vec::new();
        if let Poll::Ready(list) = attempts.poll_woken(&cx) {
            for index in list {
                attempts.poll_exchange(index, fetches, |_, input, _| inputs.push(input));
            }
        }
        inputs
    }

    #[test]
    fn an_attempt_reports_its_phases_head_body_and_end() {
        let start = start_exchange::<FakeTransport>;
        let (transport, headers) = (Arc::new(FakeTransport), Arc::default());
        let settings = Settings::default();
        let mut attempts = AttemptRunner::new(transport, start, &settings, headers, Clock::start());
        let (mut engine, mut fetches) =
            (test_engine(EngineConfig::default()), FetchTable::default());
        let _consumer = submit("http://a.test/", &mut engine, &mut fetches);
        let mut permits = AttemptPermits::new(1, 0);
        let attempt = next_attempt(&mut engine);
        let (id, slot) = (attempt.id, attempt.id.fetch.slot());
        attempts.start(attempt, None, fetches.at_mut(slot).unwrap(), permits.take());
        let inputs = poll_all(&mut attempts, &mut fetches);
        let [Input::Mark(AttemptPhase::Sent, _), Input::Head(head)] = &inputs[..] else {
            panic!("{inputs:?}");
        };
        assert_eq!(head.status, 200);
        // It waits for the decision on the body.
        assert!(poll_all(&mut attempts, &mut fetches).is_empty());
        attempts.read_body(id, &mut fetches, |_| BodyMode::Collect);
        let inputs = poll_all(&mut attempts, &mut fetches);
        assert_eq!(inputs, [Input::Body { bytes: 1 }, Input::End(Ok(()))]);
        let fetch = fetches.at_mut(slot).unwrap();
        assert!(!fetch.is_in_flight());
        assert_eq!(fetch.result().chunks.concat(), b"x");
        // The permit is for the outcome, unless the fetch goes on.
        assert!(!permits.refill());
        attempts.release_permits(&mut fetches);
        let cx = Context::from_waker(std::task::Waker::noop());
        assert!(permits.poll(&cx).is_ready());
    }

    #[test]
    fn an_aborted_attempt_keeps_its_phases_and_reports_nothing_more() {
        let start = start_exchange::<FakeTransport>;
        let (transport, headers) = (Arc::new(FakeTransport), Arc::default());
        let settings = Settings::default();
        let mut attempts = AttemptRunner::new(transport, start, &settings, headers, Clock::start());
        let (mut engine, mut fetches) =
            (test_engine(EngineConfig::default()), FetchTable::default());
        let _consumer = submit("http://a.test/never", &mut engine, &mut fetches);
        let mut permits = AttemptPermits::new(1, 0);
        let attempt = next_attempt(&mut engine);
        let (id, slot) = (attempt.id, attempt.id.fetch.slot());
        attempts.start(attempt, None, fetches.at_mut(slot).unwrap(), permits.take());
        attempts.abort(id, &mut fetches);
        let result = fetches.at_mut(slot).unwrap().result();
        assert_eq!(result.late_phases.len(), 1);
        assert!(result.permit.is_none());
        assert!(poll_all(&mut attempts, &mut fetches).is_empty());
        assert!(!fetches.at_mut(slot).unwrap().is_in_flight());
    }
}
