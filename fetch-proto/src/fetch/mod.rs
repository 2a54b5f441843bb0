//! One fetch's life: attempts, retries, hedges, redirects, limits. No queue, no host, no IO.

mod end;
mod flight;
mod head;
mod hedge;
mod launch;
mod outbox;
#[cfg(test)]
mod racing_tests;
pub(crate) mod request;
mod retry;
mod shared;
#[cfg(test)]
mod tests;
mod time;
mod world;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use url::Url;

use self::flight::Flight;
use self::hedge::Racing;
use self::outbox::{Outbox, Word};
pub(crate) use self::world::{Alone, Open, World};
use crate::fetch::request::{BodyDelivery, FetchRequest, RequestBodyKind};
use crate::inline_vec::InlineVec;
use crate::model::attempt::{Attempt, Input, InputEffect};
use crate::model::event::DecisionEvent;
use crate::model::id::{AttemptId, FetchId};
use crate::model::method::Method;
use crate::model::outcome::{
    AttemptEnd, AttemptReport, CompleteResponse, FetchError, FetchOutcome, GiveUpReason,
};
use crate::model::time::{CompactDuration, Timestamp};
use crate::model::wake::NextWake;
use crate::policy::Policy;

/// One fetch as a state machine.
///
/// Ask it with [`poll`](Self::poll) until it says [`Step::Wait`]; tell it what happened with
/// [`handle`](Self::handle). When it says [`Step::Ready`] it wants a slot; call
/// [`start`](Self::start) when it may have one. Time moves only where `now` is passed.
///
/// ```
/// use fetch_proto::{Fetch, HeadSummary, Input, Policy, FetchRequest, Step, Timestamp};
///
/// let now = Timestamp::START;
/// let mut fetch = Fetch::new(FetchRequest::get("http://a.test/".parse()?), Policy::default().into(), 7, now);
/// assert_eq!(fetch.poll(now), Step::Ready);
/// let attempt = fetch.start(now).expect("a fetch that is ready can start");
/// fetch.handle(attempt.id, Input::Head(HeadSummary::status(200)), now);
/// assert_eq!(fetch.poll(now), Step::Accept(attempt.id));
/// fetch.handle(attempt.id, Input::End(Ok(())), now);
/// let Step::Done(outcome) = fetch.poll(now) else { unreachable!() };
/// assert!(outcome.is_success());
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Fetch {
    attempts: Vec<AttemptReport>,
    backoff: CompactDuration,
    body: RequestBodyKind,
    /// Whether the next attempt counts as a try.
    counts: bool,
    delivery: BodyDelivery,
    events: Option<VecDeque<DecisionEvent>>,
    /// Whether the fallback's URL was turned to.
    used_fallback: bool,
    flights: InlineVec<Flight>,
    free_retry_used: bool,
    fresh_connection: bool,
    gave_up: Option<GiveUpReason>,
    id: FetchId,
    idempotent: bool,
    last_delay: CompactDuration,
    method: Method,
    number: u16,
    outbox: Outbox,
    policy: Arc<Policy>,
    pressure: u8,
    /// How often it was a breaker's probe.
    probes: u8,
    queued: CompactDuration,
    racing: Racing,
    redirecting: CompactDuration,
    redirects: u16,
    /// Retries before the fallback.
    retried: u16,
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
}

/// Where a fetch stands. `told` says whether [`Fetch::poll`] has reported it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum State {
    Waiting {
        told: bool,
    },
    /// As long as there are flights.
    Flying,
    Sleeping {
        until: Timestamp,
    },
    Over {
        told: bool,
        result: Result<CompleteResponse, FetchError>,
    },
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
    Done(FetchOutcome),
    /// A decision, for who wants to know. Only with [`Fetch::with_events`].
    Event(DecisionEvent),
    /// It wants a slot: at first, for a retry, for a redirect, or, while an attempt is in flight, for
    /// another one that races it. Said once for each wish.
    Ready,
    /// Send that attempt, which [`Fetch::start`] held back: a fault made on purpose delayed it.
    Start(Box<Attempt>),
    /// Nothing to do before that time, or before something is handled.
    Wait(Option<NextWake>),
}

impl Fetch {
    /// A fetch of `request` by `policy` (the request's own policy, if it has one, comes first).
    /// Jitter is drawn from `seed`.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, Timestamp};
    /// let request = FetchRequest::get("http://a.test/".parse()?);
    /// let fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn new(request: FetchRequest, policy: Arc<Policy>, seed: u64, now: Timestamp) -> Self {
        Self {
            attempts: Vec::new(),
            backoff: CompactDuration::default(),
            body: request.body,
            counts: true,
            delivery: request.delivery,
            events: None,
            used_fallback: false,
            flights: InlineVec::default(),
            free_retry_used: false,
            fresh_connection: false,
            gave_up: None,
            id: FetchId::STANDALONE,
            idempotent: request.idempotent,
            last_delay: CompactDuration::default(),
            method: request.method,
            number: 0,
            outbox: Outbox::default(),
            policy: request.policy.unwrap_or(policy),
            pressure: 0,
            probes: 0,
            queued: CompactDuration::default(),
            racing: Racing::default(),
            redirecting: CompactDuration::default(),
            redirects: 0,
            retried: 0,
            seed,
            send_body: request.body != RequestBodyKind::None,
            send_credentials: true,
            since: now,
            started: None,
            state: State::Waiting { told: false },
            submitted: now,
            tag: request.tag,
            tries: 0,
            url: request.url,
        }
    }

    /// The same fetch, which also reports its decisions as [`Step::Event`].
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
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
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
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

    fn flight(&self, id: AttemptId) -> Option<&Flight> {
        self.flights.iter().find(|flight| flight.id == id)
    }

    fn flight_mut(&mut self, id: AttemptId) -> Option<&mut Flight> {
        self.flights.find_mut(|flight| flight.id == id)
    }

    /// Whether an attempt is in flight: after an `Abort` it is not.
    pub(crate) fn is_flying(&self) -> bool {
        !self.flights.is_empty()
    }

    /// Whether it waits for a slot, and has said so.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { told: true })
    }

    /// Whether no attempt was ever started.
    pub(crate) fn is_first(&self) -> bool {
        self.number == 0
    }

    /// The number of the latest attempt; 0 before the first.
    pub(crate) fn latest(&self) -> u16 {
        self.number
    }

    /// How long it has waited for a slot.
    pub(crate) fn waited(&self, now: Timestamp) -> Duration {
        now.saturating_since(self.since)
    }

    /// The attempts that have landed, in the order in which they did. Empty after `Done`.
    pub(crate) fn landed(&self) -> &[AttemptReport] {
        &self.attempts
    }

    /// Grants the slot that a [`Step::Ready`] asked for. `None` if there was none, or if the fetch
    /// ran out of time meanwhile; and if the policy's [`ChaosPolicy`](crate::ChaosPolicy) holds the attempt back:
    /// then it comes with [`Step::Start`], or never.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, Step, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
    /// # let now = Timestamp::START;
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, now);
    /// assert!(fetch.start(now).is_none());
    /// assert_eq!(fetch.poll(now), Step::Ready);
    /// assert!(fetch.start(now).is_some());
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn start(&mut self, now: Timestamp) -> Option<Attempt> {
        self.start_in(now, None, &mut Alone)
    }

    /// Tells what happened to an attempt. Poll afterwards.
    ///
    /// ```
    /// # use fetch_proto::{FailureKind, Fetch, InputEffect, Input, Policy, FetchRequest, Step, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
    /// # let now = Timestamp::START;
    /// # let mut fetch = Fetch::new(request, Policy::default().into(), 7, now);
    /// # let _ = fetch.poll(now);
    /// # let attempt = fetch.start(now).unwrap();
    /// let failed = Input::End(Err(FailureKind::Io));
    /// assert_eq!(fetch.handle(attempt.id, failed.clone(), now), InputEffect::Applied);
    /// assert_eq!(fetch.handle(attempt.id, failed, now), InputEffect::Stale);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn handle(&mut self, id: AttemptId, input: Input, now: Timestamp) -> InputEffect {
        self.handle_in(id, input, now, &mut Alone)
    }

    pub(crate) fn handle_in(
        &mut self,
        id: AttemptId,
        input: Input,
        now: Timestamp,
        world: &mut dyn World,
    ) -> InputEffect {
        let Some(flight) = self.flights.find_mut(|flight| flight.id == id) else {
            return InputEffect::Stale;
        };
        match input {
            Input::Body { bytes } => self.on_body(id, bytes, now, world),
            Input::End(result) => self.on_end(id, result, now, world),
            Input::Head(_) if flight.status.is_some() => return InputEffect::Stale,
            Input::Head(head) => self.on_head(id, &head, now, world),
            Input::Mark(phase, at) => flight.timings.mark(phase, at, now),
            Input::Paused => flight.pause(true, &self.policy, now),
            Input::Resumed => flight.pause(false, &self.policy, now),
        }
        InputEffect::Applied
    }

    /// Ends the fetch: what is in flight is aborted and the outcome is
    /// [`FetchError::Cancelled`], unless it was over already.
    ///
    /// ```
    /// # use fetch_proto::{FetchError, Fetch, Policy, FetchRequest, Step, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
    /// # let now = Timestamp::START;
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, now);
    /// fetch.cancel(now);
    /// let Step::Done(outcome) = fetch.poll(now) else { unreachable!() };
    /// assert_eq!(outcome.result, Err(FetchError::Cancelled));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn cancel(&mut self, now: Timestamp) {
        self.abort_all(AttemptEnd::Cancelled, now);
        if !matches!(self.state, State::Over { .. }) {
            self.finish(Err(FetchError::Cancelled), now);
        }
    }

    /// What to do now. Call it again until it says [`Step::Wait`].
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, Step, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START);
    /// assert_eq!(fetch.poll(Timestamp::START), Step::Ready);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn poll(&mut self, now: Timestamp) -> Step {
        self.poll_in(now, &mut Alone)
    }

    pub(crate) fn poll_in(&mut self, now: Timestamp, world: &mut dyn World) -> Step {
        let wake = self.expire(now, world);
        if let Some(event) = self.events.as_mut().and_then(|events| events.pop_front()) {
            return Step::Event(event);
        }
        match self.outbox.pop() {
            Some(Word::Abort(id)) => return Step::Abort(id),
            Some(Word::Accept(id)) => return Step::Accept(id),
            Some(Word::Discard(id)) => return Step::Discard(id),
            Some(Word::Start(attempt)) => return Step::Start(attempt),
            None => {}
        }
        match &mut self.state {
            State::Waiting { told } if !*told => {
                *told = true;
                Step::Ready
            }
            State::Flying if self.racing.tell() => Step::Ready,
            State::Over { told, result } if !*told => {
                *told = true;
                let result = *result;
                Step::Done(self.outcome(result))
            }
            _ => Step::Wait(wake),
        }
    }
}

/// Adds an event, which is not even made where nobody listens.
fn push(events: &mut Option<VecDeque<DecisionEvent>>, event: impl FnOnce() -> DecisionEvent) {
    if let Some(events) = events {
        events.push_back(event());
    }
}
