//! One fetch's life: attempts, retries, redirects, limits. No queue, no host, no IO.

mod flight;
mod retry;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use url::Url;

use self::flight::{Flight, Next, Stage, earlier};
use crate::event::{Cause, Event, Pace};
use crate::failure::Failure;
use crate::id::{AttemptId, FetchId};
use crate::method::Method;
use crate::outcome::{AttemptEnd, AttemptReport, Error, Finish, GaveUp, Outcome};
use crate::policy::redirect::{Hop, hop, is_redirect};
use crate::policy::{Limit, Policy, RedirectError};
use crate::request::{Attempt, Delivery, Handled, Head, Input, Request, RequestBody};
use crate::time::Timestamp;
use crate::timings::Timings;
use crate::wake::{Reason, Wake};

/// One fetch as a state machine.
///
/// Ask it with [`poll`](Self::poll) until it says [`Step::Wait`]; tell it what happened with
/// [`handle`](Self::handle). When it says [`Step::Ready`] it wants a slot; call
/// [`start`](Self::start) when it may have one. Time moves only where `now` is passed.
///
/// ```
/// use fetch_proto::{Fetch, Head, Input, Policy, Request, Step, Timestamp};
///
/// let now = Timestamp::START;
/// let mut fetch = Fetch::new(Request::get("http://a.test/".parse()?), Policy::default().into(), 7, now);
/// assert_eq!(fetch.poll(now), Step::Ready);
/// let attempt = fetch.start(now).expect("a fetch that is ready can start");
/// fetch.handle(attempt.id, Input::Head(Head::status(200)), now);
/// assert_eq!(fetch.poll(now), Step::Accept(attempt.id));
/// fetch.handle(attempt.id, Input::End(Ok(())), now);
/// let Step::Done(outcome) = fetch.poll(now) else { unreachable!() };
/// assert!(outcome.is_success());
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Fetch {
    abort: Option<AttemptId>,
    attempts: Vec<AttemptReport>,
    backoff: Duration,
    body: RequestBody,
    /// Whether the next attempt counts as a try.
    counts: bool,
    delivery: Delivery,
    events: Option<VecDeque<Event>>,
    free_retry_used: bool,
    fresh_connection: bool,
    gave_up: Option<GaveUp>,
    id: FetchId,
    idempotent: bool,
    last_delay: Duration,
    method: Method,
    number: u16,
    policy: Arc<Policy>,
    pressure: u8,
    queued: Duration,
    redirecting: Duration,
    redirects: u16,
    seed: u64,
    send_body: bool,
    send_credentials: bool,
    /// When the present wait, for a slot or for a retry, began.
    since: Timestamp,
    started: Option<Timestamp>,
    state: State,
    submitted: Timestamp,
    tag: u64,
    tries: u16,
    url: Arc<Url>,
    verdict: Option<Verdict>,
}

/// Where a fetch stands. `told` says whether [`Fetch::poll`] has reported it.
#[derive(Debug)]
enum State {
    Waiting {
        told: bool,
    },
    Flying(Flight),
    Sleeping {
        until: Timestamp,
    },
    Over {
        told: bool,
        result: Result<Finish, Error>,
    },
}

/// What becomes of the response whose head has come.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    Accept(AttemptId),
    Discard(AttemptId),
}

/// What a fetch wants next.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub enum Step {
    /// Drop that attempt, whatever it is doing. What it reports later is stale.
    Abort(AttemptId),
    /// The response is the one: give its body to the consumer, and report it.
    Accept(AttemptId),
    /// The response is not wanted, but its connection is: read the body, report it, keep nothing.
    Discard(AttemptId),
    /// It is over. Said once; afterwards there is only `Wait(None)`.
    Done(Outcome),
    /// A decision, for who wants to know. Only with [`Fetch::with_events`].
    Event(Event),
    /// It wants a slot: at first, for a retry, for a redirect. Said once for each wish.
    Ready,
    /// Nothing to do before that time, or before something is handled.
    Wait(Option<Wake>),
}

impl Fetch {
    /// A fetch of `request` by `policy` (the request's own policy, if it has one, comes first).
    /// Jitter is drawn from `seed`.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, Request, Timestamp};
    /// let request = Request::get("http://a.test/".parse()?);
    /// let fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn new(request: Request, policy: Arc<Policy>, seed: u64, now: Timestamp) -> Self {
        Self {
            abort: None,
            attempts: Vec::new(),
            backoff: Duration::ZERO,
            body: request.body,
            counts: true,
            delivery: request.delivery,
            events: None,
            free_retry_used: false,
            fresh_connection: false,
            gave_up: None,
            id: FetchId::LONE,
            idempotent: request.idempotent,
            last_delay: Duration::ZERO,
            method: request.method,
            number: 0,
            policy: request.policy.unwrap_or(policy),
            pressure: 0,
            queued: Duration::ZERO,
            redirecting: Duration::ZERO,
            redirects: 0,
            seed,
            send_body: request.body != RequestBody::None,
            send_credentials: true,
            since: now,
            started: None,
            state: State::Waiting { told: false },
            submitted: now,
            tag: request.tag,
            tries: 0,
            url: request.url,
            verdict: None,
        }
    }

    /// The same fetch, which also reports its decisions as [`Step::Event`].
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, Request, Timestamp};
    /// # let request = Request::get("http://a.test/".parse()?);
    /// let fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START).with_events();
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn with_events(mut self) -> Self {
        self.events = Some(VecDeque::new());
        self
    }

    pub(crate) fn with_id(mut self, id: FetchId) -> Self {
        self.id = id;
        self
    }

    /// The URL that the next attempt, or the present one, is for.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, Request, Timestamp};
    /// # let request = Request::get("http://a.test/".parse()?);
    /// let fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START);
    /// assert_eq!(fetch.target().as_str(), "http://a.test/");
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn target(&self) -> &Arc<Url> {
        &self.url
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether an attempt is in flight: after an `Abort` it is not.
    pub(crate) fn is_flying(&self) -> bool {
        matches!(self.state, State::Flying(_))
    }

    /// Whether no attempt was ever started.
    pub(crate) fn is_first(&self) -> bool {
        self.number == 0
    }

    /// Grants the slot that a [`Step::Ready`] asked for. `None` if there was none, or if the fetch
    /// ran out of time meanwhile.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, Request, Step, Timestamp};
    /// # let request = Request::get("http://a.test/".parse()?);
    /// # let now = Timestamp::START;
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, now);
    /// assert!(fetch.start(now).is_none());
    /// assert_eq!(fetch.poll(now), Step::Ready);
    /// assert!(fetch.start(now).is_some());
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn start(&mut self, now: Timestamp) -> Option<Attempt> {
        self.expire(now);
        let State::Waiting { told: true } = self.state else {
            return None;
        };
        let waited = now.saturating_since(self.since);
        self.queued += waited;
        self.started.get_or_insert(now);
        self.tries += u16::from(core::mem::take(&mut self.counts));
        self.number = self.number.saturating_add(1);
        let id = AttemptId {
            fetch: self.id,
            number: self.number,
        };
        self.state = State::Flying(Flight::new(id, self.url.scheme() == "https", now));
        let (attempt, url) = (self.number, &self.url);
        push(&mut self.events, || Event::Started {
            attempt,
            queued: waited,
            url: url.clone(),
        });
        Some(Attempt {
            fresh_connection: core::mem::take(&mut self.fresh_connection),
            id,
            max_body: self.policy.max_body,
            method: self.method.clone(),
            send_body: self.send_body,
            send_credentials: self.send_credentials,
            url: self.url.clone(),
        })
    }

    /// Tells what happened to an attempt. Poll afterwards.
    ///
    /// ```
    /// # use fetch_proto::{Failure, Fetch, Handled, Input, Policy, Request, Step, Timestamp};
    /// # let request = Request::get("http://a.test/".parse()?);
    /// # let now = Timestamp::START;
    /// # let mut fetch = Fetch::new(request, Policy::default().into(), 7, now);
    /// # let _ = fetch.poll(now);
    /// # let attempt = fetch.start(now).unwrap();
    /// let failed = Input::End(Err(Failure::Io));
    /// assert_eq!(fetch.handle(attempt.id, failed.clone(), now), Handled::Applied);
    /// assert_eq!(fetch.handle(attempt.id, failed, now), Handled::Stale);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn handle(&mut self, id: AttemptId, input: Input, now: Timestamp) -> Handled {
        let State::Flying(flight) = &mut self.state else {
            return Handled::Stale;
        };
        if flight.id != id {
            return Handled::Stale;
        }
        match input {
            Input::Body { bytes } => self.on_body(bytes, now),
            Input::End(result) => self.on_end(result, now),
            Input::Head(_) if flight.status.is_some() => return Handled::Stale,
            Input::Head(head) => self.on_head(&head, now),
            Input::Mark(phase, at) => flight.timings.mark(phase, at, now),
            Input::Paused => flight.paused = true,
            Input::Resumed => {
                flight.paused = false;
                flight.progress = now;
            }
        }
        Handled::Applied
    }

    /// Ends the fetch: what is in flight is aborted and the outcome is
    /// [`Error::Cancelled`], unless it was over already.
    ///
    /// ```
    /// # use fetch_proto::{Error, Fetch, Policy, Request, Step, Timestamp};
    /// # let request = Request::get("http://a.test/".parse()?);
    /// # let now = Timestamp::START;
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, now);
    /// fetch.cancel(now);
    /// let Step::Done(outcome) = fetch.poll(now) else { unreachable!() };
    /// assert_eq!(outcome.result, Err(Error::Cancelled));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn cancel(&mut self, now: Timestamp) {
        self.abort(AttemptEnd::Cancelled, now);
        if !matches!(self.state, State::Over { .. }) {
            self.finish(Err(Error::Cancelled), now);
        }
    }

    /// What to do now. Call it again until it says [`Step::Wait`].
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, Request, Step, Timestamp};
    /// # let request = Request::get("http://a.test/".parse()?);
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START);
    /// assert_eq!(fetch.poll(Timestamp::START), Step::Ready);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn poll(&mut self, now: Timestamp) -> Step {
        self.expire(now);
        if let Some(event) = self.events.as_mut().and_then(|events| events.pop_front()) {
            return Step::Event(event);
        }
        if let Some(id) = self.abort.take() {
            return Step::Abort(id);
        }
        match self.verdict.take() {
            Some(Verdict::Accept(id)) => return Step::Accept(id),
            Some(Verdict::Discard(id)) => return Step::Discard(id),
            None => {}
        }
        match &mut self.state {
            State::Waiting { told } if !*told => {
                *told = true;
                Step::Ready
            }
            State::Over { told, result } if !*told => {
                *told = true;
                let result = *result;
                Step::Done(self.outcome(result))
            }
            _ => Step::Wait(self.wake()),
        }
    }

    /// The earliest time at which something happens by itself.
    fn wake(&self) -> Option<Wake> {
        let at = |at, why| Some(Wake { at, why });
        let own = match &self.state {
            State::Waiting { .. } => self
                .policy
                .timeouts
                .queue
                .and_then(|limit| at(self.since + limit, Reason::Limit(Limit::Queue))),
            State::Flying(flight) => flight.wake(&self.policy.timeouts, self.delivery),
            State::Sleeping { until } => at(*until, Reason::Backoff),
            State::Over { .. } => return None,
        };
        let total = self
            .deadline()
            .and_then(|t| at(t, Reason::Limit(Limit::Total)));
        earlier(own, total)
    }

    /// When the total limit ends.
    fn deadline(&self) -> Option<Timestamp> {
        Some(self.started? + self.policy.timeouts.total?)
    }

    /// Does all that is due at `now`.
    fn expire(&mut self, now: Timestamp) {
        while let Some(wake) = self.wake().filter(|wake| wake.at <= now) {
            match wake.why {
                Reason::Backoff => {
                    self.backoff += now.saturating_since(self.since);
                    self.queue(now);
                }
                Reason::Limit(limit @ (Limit::Queue | Limit::Total)) => {
                    self.abort(AttemptEnd::TimedOut(limit), now);
                    self.finish(Err(Error::TimedOut(limit)), now);
                }
                Reason::Limit(limit) => self.on_timeout(limit, now),
                Reason::Host | Reason::Rate => unreachable!("a fetch knows neither"),
            }
        }
    }

    fn on_timeout(&mut self, limit: Limit, now: Timestamp) {
        let committed = self.is_committed();
        match self.abort(AttemptEnd::TimedOut(limit), now) {
            Some(Stage::Discarding(next)) => self.go_on(next, now),
            _ => self.fail(Cause::Timeout(limit), committed, now),
        }
    }

    fn on_head(&mut self, head: &Head, now: Timestamp) {
        let State::Flying(flight) = &mut self.state else {
            return;
        };
        let id = flight.id;
        flight.timings.head = Some(now);
        flight.progress = now;
        flight.status = Some(head.status);
        flight.retry_after = head.retry_after;
        push(&mut self.events, || Event::Answered {
            attempt: id.number,
            status: head.status,
        });
        let next = match self.judge(head, now) {
            Ok(next) => next,
            Err(error) => {
                self.abort(AttemptEnd::Redirected, now);
                return self.finish(Err(Error::Redirect(error)), now);
            }
        };
        let State::Flying(flight) = &mut self.state else {
            return;
        };
        self.verdict = Some(match next {
            Some(next) => {
                flight.stage = Stage::Discarding(next);
                Verdict::Discard(id)
            }
            None => {
                flight.stage = Stage::Receiving;
                Verdict::Accept(id)
            }
        });
    }

    /// What follows a response with this head: `None` if it is the one.
    fn judge(&mut self, head: &Head, now: Timestamp) -> Result<Option<Next>, RedirectError> {
        let status = head.status;
        if let Some(location) = head.location.as_deref()
            && is_redirect(status)
            && self.policy.redirects.max > 0
        {
            return self
                .redirect(status, location)
                .map(|hop| Some(Next::Hop(Box::new(hop))));
        }
        if !self.policy.retry_statuses.contains(status) {
            return Ok(None);
        }
        let cause = Cause::Status(status);
        Ok(match self.plan(cause, head.retry_after, now) {
            Ok(plan) => {
                self.announce(cause, plan);
                Some(Next::Retry {
                    until: now + plan.delay,
                })
            }
            Err(why) => {
                self.give_up(cause, why);
                None
            }
        })
    }

    fn redirect(&mut self, status: u16, location: &str) -> Result<Hop, RedirectError> {
        let rules = self.policy.redirects;
        let hop = hop(
            status,
            location,
            &self.url,
            &self.method,
            self.send_body,
            rules,
        )?;
        if self.redirects >= rules.max {
            return Err(RedirectError::TooMany);
        }
        if hop.send_body && self.body == RequestBody::Once {
            return Err(RedirectError::BodyNotReplayable);
        }
        let credentials_dropped = hop.cross_origin && self.send_credentials;
        push(&mut self.events, || Event::Redirecting {
            credentials_dropped,
            status,
            to: Arc::new(hop.url.clone()),
        });
        Ok(hop)
    }

    fn on_body(&mut self, bytes: u64, now: Timestamp) {
        let State::Flying(flight) = &mut self.state else {
            return;
        };
        flight.bytes = flight.bytes.saturating_add(bytes);
        flight.progress = now;
        let limit = match flight.stage {
            Stage::Discarding(_) => self.policy.drain,
            Stage::Receiving | Stage::Requesting => self.policy.max_body,
        };
        if flight.bytes <= limit {
            return;
        }
        if matches!(flight.stage, Stage::Discarding(_)) {
            if let Some(Stage::Discarding(next)) = self.abort(AttemptEnd::Responded, now) {
                self.go_on(next, now);
            }
        } else {
            self.abort(AttemptEnd::BodyTooLarge, now);
            self.finish(Err(Error::BodyTooLarge { limit }), now);
        }
    }

    fn on_end(&mut self, result: Result<(), Failure>, now: Timestamp) {
        let committed = self.is_committed();
        let State::Flying(flight) = &self.state else {
            return;
        };
        let (id, bytes, status) = (flight.id, flight.bytes, flight.status);
        let discarding = matches!(flight.stage, Stage::Discarding(_));
        let end = match (result, status) {
            (_, Some(_)) if discarding => AttemptEnd::Responded,
            (Ok(()), Some(_)) => AttemptEnd::Responded,
            (Ok(()), None) => AttemptEnd::Failed(Failure::Dropped),
            (Err(Failure::BodyTooLarge), _) => AttemptEnd::BodyTooLarge,
            (Err(failure), _) => AttemptEnd::Failed(failure),
        };
        if let Some(Stage::Discarding(next)) = self.land(end, now) {
            return self.go_on(next, now);
        }
        match (end, status) {
            (AttemptEnd::Responded, Some(status)) => {
                self.finish(
                    Ok(Finish {
                        attempt: id,
                        bytes,
                        status,
                    }),
                    now,
                );
            }
            (AttemptEnd::Failed(failure), _) => self.fail(Cause::Failure(failure), committed, now),
            _ => self.finish(
                Err(Error::BodyTooLarge {
                    limit: self.policy.max_body,
                }),
                now,
            ),
        }
    }

    /// Whether the consumer has been given the response already.
    fn is_committed(&self) -> bool {
        self.delivery == Delivery::Streamed
            && matches!(
                &self.state,
                State::Flying(Flight {
                    stage: Stage::Receiving,
                    ..
                })
            )
    }

    /// The attempt came to nothing: try again, or end.
    fn fail(&mut self, cause: Cause, committed: bool, now: Timestamp) {
        let plan = if committed {
            Err(Some(GaveUp::Committed))
        } else {
            self.plan(cause, None, now)
        };
        match plan {
            Ok(plan) => {
                self.announce(cause, plan);
                self.sleep(now + plan.delay, now);
            }
            Err(why) => {
                self.give_up(cause, why);
                let error = match cause {
                    Cause::Failure(failure) => Error::Failed(failure),
                    Cause::Timeout(limit) => Error::TimedOut(limit),
                    Cause::Status(_) => unreachable!("a status is a response"),
                };
                self.finish(Err(error), now);
            }
        }
    }

    /// Keeps the books of a retry that was decided.
    fn announce(&mut self, cause: Cause, plan: retry::Plan) {
        let (attempt, of) = (self.tries, self.policy.attempts.get());
        match plan.pace {
            Pace::Free => {
                self.free_retry_used = true;
                self.fresh_connection = true;
            }
            Pace::Pressure => self.pressure += 1,
            Pace::Backoff | Pace::RetryAfter => {
                self.counts = true;
                self.free_retry_used = false;
                self.last_delay = plan.delay;
            }
        }
        let (delay, why) = (plan.delay, plan.pace);
        push(&mut self.events, || Event::Retrying {
            attempt,
            cause,
            delay,
            of,
            why,
        });
    }

    fn give_up(&mut self, cause: Cause, why: Option<GaveUp>) {
        self.gave_up = why;
        if let Some(why) = why {
            push(&mut self.events, || Event::GaveUp { cause, why });
        }
    }

    /// Does what was decided when the head came.
    fn go_on(&mut self, next: Next, now: Timestamp) {
        match next {
            Next::Retry { until } => self.sleep(until, now),
            Next::Hop(hop) => {
                if let Some(report) = self.attempts.last_mut() {
                    report.end = AttemptEnd::Redirected;
                    self.redirecting += report.timings.total();
                }
                self.redirects += 1;
                self.send_credentials &= !hop.cross_origin;
                self.send_body = hop.send_body;
                self.method = hop.method;
                self.url = Arc::new(hop.url);
                self.free_retry_used = false;
                self.queue(now);
            }
        }
    }

    fn sleep(&mut self, until: Timestamp, now: Timestamp) {
        if until > now {
            self.since = now;
            self.state = State::Sleeping { until };
        } else {
            self.queue(now);
        }
    }

    fn queue(&mut self, now: Timestamp) {
        self.since = now;
        self.state = State::Waiting { told: false };
    }

    /// Ends the attempt in flight, if there is one, and tells the driver to drop it.
    fn abort(&mut self, end: AttemptEnd, now: Timestamp) -> Option<Stage> {
        let State::Flying(flight) = &self.state else {
            return None;
        };
        self.abort = Some(flight.id);
        self.verdict = None;
        self.land(end, now)
    }

    /// Takes the attempt out of the air and writes its report.
    fn land(&mut self, end: AttemptEnd, now: Timestamp) -> Option<Stage> {
        let State::Flying(_) = &self.state else {
            return None;
        };
        let State::Flying(flight) =
            core::mem::replace(&mut self.state, State::Waiting { told: true })
        else {
            return None;
        };
        self.since = now;
        let mut timings = flight.timings;
        timings.ended = now;
        self.attempts.push(AttemptReport {
            bytes: flight.bytes,
            end,
            number: flight.id.number,
            retry_after: flight.retry_after,
            status: flight.status,
            timings,
            url: self.url.clone(),
        });
        Some(flight.stage)
    }

    fn finish(&mut self, result: Result<Finish, Error>, now: Timestamp) {
        match self.state {
            State::Waiting { .. } => self.queued += now.saturating_since(self.since),
            State::Sleeping { .. } => self.backoff += now.saturating_since(self.since),
            State::Flying(_) | State::Over { .. } => {}
        }
        self.since = now;
        self.state = State::Over {
            told: false,
            result,
        };
    }

    fn outcome(&mut self, result: Result<Finish, Error>) -> Outcome {
        Outcome {
            attempts: core::mem::take(&mut self.attempts),
            gave_up: self.gave_up,
            redirects: self.redirects,
            result,
            retries: self.tries.saturating_sub(1),
            tag: self.tag,
            timings: Timings {
                submitted: self.submitted,
                started: self.started,
                ended: self.since,
                queued: self.queued,
                backoff: self.backoff,
                redirecting: self.redirecting,
            },
            url: self.url.clone(),
        }
    }
}

/// Adds an event, which is not even made where nobody listens.
fn push(events: &mut Option<VecDeque<Event>>, event: impl FnOnce() -> Event) {
    if let Some(events) = events {
        events.push_back(event());
    }
}
