//! One fetch: its attempts, retries, hedges, redirects and time limits. No queue, no host, no IO.

mod auth_retries;
mod body_state;
mod command_queue;
pub(crate) mod context;
mod deadlines;
mod download;
mod end;
mod head;
mod hedge;
mod hold;
mod in_flight;
mod rebase;
pub(crate) mod request;
mod retry;
mod shared_response;
mod start;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use url::Url;

use self::auth_retries::AuthRetries;
use self::body_state::BodyState;
use self::command_queue::{AttemptCommand, CommandQueue};
use self::context::{FetchContext, StandaloneContext};
use self::download::Download;
use self::hedge::HedgeState;
use self::hold::HoldState;
use self::in_flight::InFlightAttempt;
use self::in_flight::stall_guard;
use crate::fetch::request::{BodyDelivery, FetchRequest, RequestBodyKind};
use crate::inline_vec::InlineVec;
use crate::model::attempt::{Attempt, Input, InputEffect};
use crate::model::credentials::UrlCredentials;
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
/// [`poll`](Self::poll) it until it returns [`FetchStep::Wait`], and report what happens to its
/// attempts by [`handle`](Self::handle). [`FetchStep::Ready`] requests a slot; grant it by
/// [`start`](Self::start). Time moves only where `now` is passed.
///
/// ```
/// use fetch_proto::{Fetch, HeadSummary, Input, Policy, FetchRequest, FetchStep, Timestamp};
///
/// let now = Timestamp::START;
/// let mut fetch = Fetch::new(FetchRequest::get("http://a.test/".parse()?), Policy::default().into(), 7, now);
/// assert_eq!(fetch.poll(now), FetchStep::Ready);
/// let attempt = fetch.start(now).expect("a fetch that is ready can start");
/// fetch.handle(attempt.id, Input::Head(HeadSummary::status(200)), now);
/// assert_eq!(fetch.poll(now), FetchStep::Accept(attempt.id));
/// fetch.handle(attempt.id, Input::End(Ok(())), now);
/// let FetchStep::Done(outcome) = fetch.poll(now) else { unreachable!() };
/// assert!(outcome.is_success());
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Fetch {
    attempts: Vec<AttemptReport>,
    backoff: CompactDuration,
    body: BodyState,
    /// Whether the next attempt counts against the policy's number of attempts.
    next_counts: bool,
    delivery: BodyDelivery,
    /// The body across attempts, if it is saved or streamed.
    download: Option<Box<Download>>,
    events: Option<Box<EventQueue>>,
    /// Whether it uses the fallback URL.
    used_fallback: bool,
    in_flight: InlineVec<InFlightAttempt>,
    free_retry_used: bool,
    fresh_connection: bool,
    gave_up: Option<GiveUpReason>,
    id: FetchId,
    idempotent: bool,
    last_delay: CompactDuration,
    method: Method,
    attempt_number: u16,
    commands: CommandQueue,
    policy: Arc<Policy>,
    exhaustion_retries: u8,
    /// Retries after an attempt that was a breaker's probe.
    probe_retries: u8,
    /// Retries after a paced host refused only this request.
    throttle_retries: u8,
    #[cfg_attr(feature = "serde", serde(default))]
    auth_retries: AuthRetries,
    /// Whether it waits for its next attempt because its host refuses requests. Its limits do not run
    /// then.
    waits_for_host: bool,
    /// Free retries of a request that the server did not process, since it last answered any.
    unprocessed_retries: u8,
    queued: CompactDuration,
    hedging: HedgeState,
    /// Holds of its limits, and forgiven attempts.
    #[cfg_attr(feature = "serde", serde(default))]
    hold: Option<Box<HoldState>>,
    redirecting: CompactDuration,
    redirects: u16,
    /// Retries before the count of attempts started again: for the fallback, or after progress.
    earlier_retries: u16,
    seed: u64,
    send_body: bool,
    /// User name and password of the last redirect: secret, so not serialised.
    #[cfg_attr(feature = "serde", serde(skip))]
    credentials: Option<Arc<UrlCredentials>>,
    send_credentials: bool,
    /// When the current wait for a slot or a retry started; after the end, when the fetch ended.
    waiting_since: Timestamp,
    started: Option<Timestamp>,
    state: FetchState,
    submitted: Timestamp,
    tag: u64,
    counted_attempts: u16,
    url: Arc<Url>,
}

/// The state of a fetch. `is_reported` records whether [`Fetch::poll`] has returned it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum FetchState {
    Waiting {
        is_reported: bool,
    },
    /// At least one attempt is in flight.
    InFlight,
    BackingOff {
        until: Timestamp,
    },
    Ended {
        is_reported: bool,
        result: Result<CompleteResponse, FetchError>,
    },
}

/// The next step of a fetch.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub enum FetchStep {
    /// Drop this attempt, whatever its progress. Later inputs about it are stale.
    Abort(AttemptId),
    /// Deliver the body of this response to the consumer, and report its progress.
    Accept(AttemptId),
    /// Read the body of this response, so that its connection can be reused, and report its progress,
    /// but do not deliver it.
    Discard(AttemptId),
    /// It has ended. Returned once; then there is only `Wait(None)`.
    Done(FetchOutcome),
    /// A decision and its reason. Only with [`Fetch::with_events`].
    Event(DecisionEvent),
    /// It needs a slot: for its first attempt, for a retry, for a redirect, or, while an attempt is in
    /// flight, for a hedge. Returned once for each slot.
    Ready,
    /// Send this attempt, which [`Fetch::start`] held back because of an injected delay.
    Start(Box<Attempt>),
    /// Nothing to do before this time, unless an input is handled.
    Wait(Option<NextWake>),
}

impl Fetch {
    /// A fetch of `request` by its own policy, or else by `policy`, with its patch applied. Jitter
    /// is drawn from `seed`.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, Timestamp};
    /// let request = FetchRequest::get("http://a.test/".parse()?);
    /// let fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn new(request: FetchRequest, policy: Arc<Policy>, seed: u64, now: Timestamp) -> Self {
        let download = Download::of(&request);
        let policy = request.policy.unwrap_or(policy);
        let policy = match &request.patch {
            Some(patch) => Arc::new(patch.apply(&policy)),
            None => policy,
        };
        Self {
            attempts: Vec::new(),
            backoff: CompactDuration::default(),
            body: request.body.into(),
            next_counts: true,
            delivery: request.delivery,
            download,
            events: None,
            used_fallback: false,
            in_flight: InlineVec::default(),
            free_retry_used: false,
            fresh_connection: false,
            gave_up: None,
            id: FetchId::STANDALONE,
            idempotent: request.idempotent,
            last_delay: CompactDuration::default(),
            method: request.method,
            attempt_number: 0,
            commands: CommandQueue::default(),
            policy,
            exhaustion_retries: 0,
            probe_retries: 0,
            throttle_retries: 0,
            auth_retries: AuthRetries::default(),
            waits_for_host: false,
            unprocessed_retries: 0,
            queued: CompactDuration::default(),
            hedging: HedgeState::default(),
            hold: None,
            redirecting: CompactDuration::default(),
            redirects: 0,
            earlier_retries: 0,
            seed,
            send_body: request.body != RequestBodyKind::None,
            credentials: None,
            send_credentials: true,
            waiting_since: now,
            started: None,
            state: FetchState::Waiting { is_reported: false },
            submitted: now,
            tag: request.tag,
            counted_attempts: 0,
            url: request.url,
        }
    }

    /// Reports decisions as [`FetchStep::Event`].
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
    /// let fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START).with_events();
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn with_events(mut self) -> Self {
        self.events = Some(Box::default());
        self
    }

    pub(crate) fn with_id(mut self, id: FetchId) -> Self {
        self.id = id;
        self
    }

    /// The URL of the current attempt, or of the next one.
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

    /// Whether its next attempt may have the credentials of its first URL's origin.
    pub(crate) fn sends_credentials(&self) -> bool {
        self.send_credentials
    }

    fn attempt(&self, id: AttemptId) -> Option<&InFlightAttempt> {
        self.in_flight.iter().find(|attempt| attempt.id == id)
    }

    fn attempt_mut(&mut self, id: AttemptId) -> Option<&mut InFlightAttempt> {
        self.in_flight.find_mut(|attempt| attempt.id == id)
    }

    /// Whether an attempt is in flight. An aborted one is not.
    pub(crate) fn is_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// The URL of this attempt, if it is in flight.
    pub(crate) fn attempt_url(&self, id: AttemptId) -> Option<Arc<Url>> {
        Some(self.attempt(id)?.url.clone())
    }

    /// When this attempt started, if it is in flight and no response head has arrived.
    pub(crate) fn without_head_since(&self, id: AttemptId) -> Option<Timestamp> {
        let attempt = self.attempt(id)?;
        attempt.status.is_none().then_some(attempt.timings.started)
    }

    /// Whether it waits for a slot, and has reported it.
    pub(crate) fn is_waiting_for_slot(&self) -> bool {
        matches!(self.state, FetchState::Waiting { is_reported: true })
    }

    /// Whether it was sent again because a server refused its token.
    pub(crate) fn was_sent_again(&self) -> bool {
        self.auth_retries.was_token_refused()
    }

    /// Whether no attempt was started yet.
    pub(crate) fn is_unstarted(&self) -> bool {
        self.attempt_number == 0
    }

    /// The number of the latest attempt; 0 before the first.
    pub(crate) fn latest_attempt(&self) -> u16 {
        self.attempt_number
    }

    /// How long it has waited for its slot.
    pub(crate) fn queue_wait(&self, now: Timestamp) -> Duration {
        now.saturating_since(self.waiting_since)
    }

    /// Reports of the ended attempts, in the order of their ends. Empty after `Done`.
    pub(crate) fn ended_attempts(&self) -> &[AttemptReport] {
        &self.attempts
    }

    /// Grants the slot that [`FetchStep::Ready`] requested, and returns the attempt to send. Returns
    /// `None` if no slot was requested, if a time limit was reached meanwhile, or if an injected fault
    /// ([`ChaosPolicy`](crate::ChaosPolicy)) holds the attempt back: then [`FetchStep::Start`] has it
    /// later, or it is never sent.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, FetchStep, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
    /// # let now = Timestamp::START;
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, now);
    /// assert!(fetch.start(now).is_none());
    /// assert_eq!(fetch.poll(now), FetchStep::Ready);
    /// assert!(fetch.start(now).is_some());
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn start(&mut self, now: Timestamp) -> Option<Attempt> {
        self.start_with(now, None, &mut StandaloneContext)
    }

    /// Reports what happened to an attempt. Poll afterwards.
    ///
    /// ```
    /// # use fetch_proto::{FailureKind, Fetch, InputEffect, Input, Policy, FetchRequest, FetchStep, Timestamp};
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
        self.handle_with(id, input, now, &mut StandaloneContext)
    }

    pub(crate) fn handle_with(
        &mut self,
        id: AttemptId,
        input: Input,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) -> InputEffect {
        let Some(attempt) = self.in_flight.find_mut(|attempt| attempt.id == id) else {
            return InputEffect::Stale;
        };
        match input {
            Input::Body { bytes } => self.on_body(id, bytes, now, context),
            Input::BodyUnused => self.body.restore(),
            Input::End(result) => self.on_end(id, result, now, context),
            Input::HookEnded => attempt.end_hook(now),
            Input::HookStarted(stage) => attempt.start_hook(stage, now),
            Input::Head(_) if attempt.status.is_some() => return InputEffect::Stale,
            // The final head is still to come.
            Input::Head(head) if head.is_interim() => {}
            Input::Head(head) => self.on_head(id, &head, now, context),
            Input::Mark(phase, at) => attempt.timings.mark(phase, at, now),
            Input::Paused | Input::Resumed => {
                let guard = stall_guard(&self.policy, self.delivery);
                attempt.set_paused(input == Input::Paused, guard, now);
            }
        }
        InputEffect::Applied
    }

    /// Ends the fetch: attempts in flight are aborted, and the outcome is [`FetchError::Cancelled`],
    /// unless it had ended before.
    ///
    /// ```
    /// # use fetch_proto::{FetchError, Fetch, Policy, FetchRequest, FetchStep, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
    /// # let now = Timestamp::START;
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, now);
    /// fetch.cancel(now);
    /// let FetchStep::Done(outcome) = fetch.poll(now) else { unreachable!() };
    /// assert_eq!(outcome.result, Err(FetchError::Cancelled));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn cancel(&mut self, now: Timestamp) {
        self.abort_all(AttemptEnd::Cancelled, now);
        if !matches!(self.state, FetchState::Ended { .. }) {
            self.finish(Err(FetchError::Cancelled), now);
        }
    }

    /// Returns what to do now. Call it again until it returns [`FetchStep::Wait`].
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, FetchStep, Timestamp};
    /// # let request = FetchRequest::get("http://a.test/".parse()?);
    /// let mut fetch = Fetch::new(request, Policy::default().into(), 7, Timestamp::START);
    /// assert_eq!(fetch.poll(Timestamp::START), FetchStep::Ready);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn poll(&mut self, now: Timestamp) -> FetchStep {
        self.poll_with(now, &mut StandaloneContext)
    }

    /// Whether [`poll`](Self::poll) has another step than `Wait`, apart from deadlines.
    pub(crate) fn has_step(&self) -> bool {
        let has_event = self
            .events
            .as_ref()
            .is_some_and(|events| !events.0.is_empty());
        has_event
            || !self.commands.is_empty()
            || match &self.state {
                FetchState::Waiting { is_reported } | FetchState::Ended { is_reported, .. } => {
                    !is_reported
                }
                FetchState::InFlight => self.hedging.is_pending(),
                FetchState::BackingOff { .. } => false,
            }
    }

    pub(crate) fn poll_with(
        &mut self,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) -> FetchStep {
        let wake = self.handle_deadlines(now, context);
        if let Some(event) = self.events.as_mut().and_then(|events| events.0.pop_front()) {
            return FetchStep::Event(event);
        }
        match self.commands.pop() {
            Some(AttemptCommand::Abort(id)) => return FetchStep::Abort(id),
            Some(AttemptCommand::Accept(id)) => return FetchStep::Accept(id),
            Some(AttemptCommand::Discard(id)) => return FetchStep::Discard(id),
            Some(AttemptCommand::Start(attempt)) => return FetchStep::Start(attempt),
            None => {}
        }
        match &mut self.state {
            FetchState::Waiting { is_reported } if !*is_reported => {
                *is_reported = true;
                FetchStep::Ready
            }
            FetchState::InFlight if self.hedging.take_pending() => FetchStep::Ready,
            FetchState::Ended {
                is_reported,
                result,
            } if !*is_reported => {
                *is_reported = true;
                let result = *result;
                FetchStep::Done(self.outcome(result))
            }
            _ => FetchStep::Wait(wake),
        }
    }
}

/// Decisions that are not yet reported. Boxed in the fetch, because few fetches report any.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct EventQueue(VecDeque<DecisionEvent>);

/// Adds an event. `event` is called only if events are enabled.
fn push_event(events: &mut Option<Box<EventQueue>>, event: impl FnOnce() -> DecisionEvent) {
    if let Some(events) = events {
        events.0.push_back(event());
    }
}
