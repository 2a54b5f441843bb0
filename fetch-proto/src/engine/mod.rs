//! Many fetches at once: admission, per-host queues, limits and timers. No IO.

mod admission;
mod checkpoint;
pub(crate) mod config;
mod control;
mod downloads;
mod limits;
mod logins;
pub(crate) mod output;
mod poll;
mod reconfigure;
mod shard;
mod shared_limits;
mod snapshot;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod tokens;

use alloc::boxed::Box;
use core::time::Duration;

use url::Url;

use self::admission::HeldStart;
use self::admission::context::with_context;
use self::limits::concurrency::ConcurrencyLimit;
use self::limits::rates::RateLimits;
use self::limits::retry_budget::SharedRetryBudget;
use self::limits::spacing::AttemptSpacing;
use self::state::clock::EngineClock;
use self::state::fetch_slab::{AttemptPermit, FetchSlab, FetchSlot, NO_INDEX};
use self::state::host_table::HostTable;
use self::state::output_queue::OutputQueue;
use self::state::random::EngineRandom;
use self::state::single_flight::SingleFlight;
use self::state::timers::EngineTimers;
use self::state::token_grants::TokenGrants;
use self::state::turn_queue::TurnQueue;
use crate::fetch::Fetch;
use crate::fetch::request::{FetchRequest, ShareKey};
use crate::guards::pacing::{PacedAnswer, Refusal};
use crate::model::attempt::{HeadSummary, Input, InputEffect};
use crate::model::event::DecisionEvent;
use crate::model::failure::FailureKind;
use crate::model::id::{AttemptId, FetchId};
use crate::model::time::Timestamp;
use crate::rules::MatcherCache;

pub use admission::{WaitReason, WaitingHost};
pub use checkpoint::EngineCheckpoint;
pub use config::EngineConfig;
pub use output::{EngineOutput, IdleState, RejectReason, RejectedRequest};
pub use shard::{FetchTransfer, Shard};
pub use shared_limits::{SharedRate, StartRequest};
pub use snapshot::{EngineSnapshot, HostSnapshot};
pub use stats::{EngineStats, HostStats};

/// Many fetches through a bounded window, as one state machine.
///
/// [`submit`](Self::submit) fetches while there is room, report what happens to attempts by
/// [`handle`](Self::handle), and [`poll`](Self::poll) until it returns [`EngineOutput::Idle`], which
/// has the free room and the time of the next poll. Hosts take turns to start one attempt each, so a
/// host with many fetches does not delay the others.
///
/// ```
/// use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, HeadSummary, Input, Timestamp};
///
/// let now = Timestamp::START;
/// let mut engine = Engine::new(EngineConfig::default(), 7, now);
/// engine.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
/// loop {
///     match engine.poll(now) {
///         EngineOutput::Start(attempt) => {
///             engine.handle(attempt.id, Input::Head(HeadSummary::status(200)), now);
///             engine.handle(attempt.id, Input::End(Ok(())), now);
///         }
///         EngineOutput::Done(_, outcome) => assert!(outcome.is_success()),
///         EngineOutput::Idle(idle) if idle.live == 0 => break,
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Engine {
    clock: EngineClock,
    closed: bool,
    concurrency: ConcurrencyLimit,
    config: EngineConfig,
    fetches: FetchSlab,
    /// A start that needs a grant, if rates are shared.
    held_start: Option<HeldStart>,
    /// Hosts that may start an attempt.
    host_turns: TurnQueue,
    hosts: HostTable,
    outputs: OutputQueue,
    /// Fetches whose state has changed since they were polled.
    poll_queue: TurnQueue,
    random: EngineRandom,
    rates: RateLimits,
    retry_budget: SharedRetryBudget,
    #[cfg_attr(feature = "serde", serde(skip))]
    matcher_cache: MatcherCache,
    /// Which hosts this engine owns, if it is one of several.
    shard: Option<Shard>,
    #[cfg_attr(feature = "serde", serde(skip))]
    single_flight: SingleFlight,
    spacing: AttemptSpacing,
    stats: EngineStats,
    timers: EngineTimers,
    /// The tokens of the configured profiles.
    #[cfg_attr(feature = "serde", serde(default))]
    tokens: TokenGrants,
}

impl Engine {
    /// An engine without fetches. All randomness comes from `seed`.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert_eq!(engine.stats().live, 0);
    /// ```
    #[must_use]
    pub fn new(config: EngineConfig, seed: u64, now: Timestamp) -> Self {
        let mut engine = Self {
            clock: EngineClock::new(now),
            closed: false,
            concurrency: ConcurrencyLimit::new(config.concurrency.get()),
            fetches: FetchSlab::default(),
            held_start: None,
            host_turns: TurnQueue::default(),
            hosts: HostTable::default(),
            outputs: OutputQueue::new(config.events),
            poll_queue: TurnQueue::default(),
            random: EngineRandom::new(seed),
            rates: RateLimits::new(config.rate, &config.rules),
            retry_budget: SharedRetryBudget::new(config.budget),
            matcher_cache: MatcherCache::default(),
            shard: None,
            single_flight: SingleFlight::default(),
            spacing: AttemptSpacing::new(config.spacing),
            stats: EngineStats::default(),
            timers: EngineTimers::default(),
            tokens: TokenGrants::new(&config.auth, seed),
            config,
        };
        engine.set_targets();
        engine.set_number(shard::number_of_seed(seed));
        engine
    }

    /// Adds a fetch.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, FetchRequest, RejectReason, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default().window(1), 7, Timestamp::START);
    /// let request = FetchRequest::get("http://a.test/".parse()?);
    /// assert!(engine.submit(request.clone(), Timestamp::START).is_ok());
    /// let rejected = engine.submit(request, Timestamp::START).unwrap_err();
    /// assert_eq!(rejected.why, RejectReason::Full);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RejectedRequest`] returns the request if there is no room, if the engine was closed, or if the URL
    /// has no host, as with `mailto:` and `file:`.
    pub fn submit(
        &mut self,
        request: FetchRequest,
        now: Timestamp,
    ) -> Result<FetchId, RejectedRequest> {
        let now = self.clock.advance(now);
        let refusal = if self.closed {
            Some(RejectReason::Closed)
        } else if self.room() == 0 {
            Some(RejectReason::Full)
        } else if request.url.host_str().is_none_or(str::is_empty) {
            Some(RejectReason::NoHost)
        } else {
            None
        };
        if let Some(why) = refusal {
            return Err(RejectedRequest {
                request: Box::new(request),
                why,
            });
        }
        let rules = &self.config.rules;
        let (rule, policy) = rules.select(&mut self.matcher_cache, &request.method, &request.url);
        let (rule, policy) = match &request.policy {
            Some(own) => (NO_INDEX, own.clone()),
            None => (rule as u32, policy.clone()),
        };
        let host = self.intern_host(&request.url);
        self.hosts.get_mut(host).live += 1;
        let id = self.fetches.next_id();
        let seed = self.random.next_fetch_seed();
        self.stats.submitted += 1;
        let (key, priority) = (ShareKey::of(&request), request.priority);
        let mut fetch = Fetch::new(request, policy, seed, now).with_id(id);
        if self.config.events {
            fetch = fetch.with_events();
        }
        let slot = FetchSlot::new(fetch, host, rule, priority);
        let index = self.fetches.insert(slot);
        if let Some(key) = key
            && self.single_flight.join(key, index, &mut self.fetches, now)
        {
            self.stats.shared += 1;
        }
        self.mark_for_poll(index);
        Ok(id)
    }

    /// Reports what happened to an attempt. Poll afterwards.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, EngineOutput, FailureKind, FetchRequest, Input, InputEffect, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(EngineConfig::default(), 7, now);
    /// # engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// let EngineOutput::Start(attempt) = engine.poll(now) else { unreachable!() };
    /// let effect = engine.handle(attempt.id, Input::End(Err(FailureKind::Connect)), now);
    /// assert_eq!(effect, InputEffect::Applied);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn handle(&mut self, id: AttemptId, input: Input, now: Timestamp) -> InputEffect {
        let now = self.clock.advance(now);
        let index = self.fetches.find(id.fetch);
        let Some((index, slot)) = index.and_then(|i| Some((i, self.fetches.get_mut(i)?))) else {
            self.stats.stale_inputs += 1;
            return InputEffect::Stale;
        };
        let pause = match &input {
            Input::Head(head) => requested_pause(head),
            _ => None,
        };
        let (is_exhausted, is_complete) = match &input {
            Input::End(result) => (*result == Err(FailureKind::Exhausted), result.is_ok()),
            _ => (false, false),
        };
        let input = match input {
            Input::Mark(phase, at) => Input::Mark(phase, self.clock.to_engine(at)),
            input => input,
        };
        let permit = slot.permits.iter().find(|one| one.number == id.number);
        let serving_host = permit.map_or(slot.host, |permit| permit.host);
        let refusal = match &input {
            Input::Head(head) if !head.is_interim() => {
                let sent = slot.fetch.without_head_since(id);
                let answer = sent.map(|sent| PacedAnswer {
                    is_first: id.number == 1,
                    retry_after: head.retry_after,
                    sent,
                    status: head.status,
                });
                let pacing = (&mut self.hosts, &mut self.outputs);
                answer.and_then(|answer| report_to_pacer(pacing, serving_host, &answer, now))
            }
            _ => None,
        };
        let token = permit.and_then(AttemptPermit::token);
        let was_refused = slot.fetch.was_sent_again();
        let is_current = slot.fetch.without_head_since(id).is_some();
        let answered = permit.copied().filter(|_| is_current && token.is_some());
        let url = answered.and_then(|_| slot.fetch.attempt_url(id));
        let can_answer_challenge = match (&input, answered, url) {
            (Input::Head(head), Some(permit), Some(url)) if !head.is_interim() => {
                let fields = head.authentication.as_deref();
                self.report_login_answer(permit, (id.fetch, &url), (head.status, fields), now)
            }
            _ => false,
        };
        let can_send_again = match (&input, token.filter(|_| is_current)) {
            (Input::Head(head), Some(token)) if !can_answer_challenge => {
                self.report_token_answer(token, head.status, was_refused, now)
            }
            _ => false,
        };
        let Some(slot) = self.fetches.get_mut(index) else {
            return InputEffect::Stale;
        };
        let outages = self.config.effective_outage_wait();
        let (fetch, mut context) =
            with_context(slot, &mut self.hosts, &mut self.retry_budget, outages);
        context.can_answer_challenge = can_answer_challenge;
        context.can_send_again = can_send_again;
        context.refusal = refusal;
        if fetch.handle_with(id, input, now, &mut context) == InputEffect::Stale {
            self.stats.stale_inputs += 1;
            return InputEffect::Stale;
        }
        let max_wait = outages.map(|wait| wait.max);
        let pause = pause.map(|pause| fetch.policy().retry_after.pause(pause, max_wait));
        self.update_fetch(index, now);
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            self.pause_host(serving_host, now + pause, now);
        }
        if is_exhausted {
            let concurrency = self.concurrency.on_fd_exhausted();
            self.outputs
                .push_event(|| DecisionEvent::ResourcesExhausted { concurrency });
        } else if is_complete {
            self.concurrency.on_fd_recovered();
        }
        InputEffect::Applied
    }

    /// Ends one fetch: `Abort` if it is in flight, then `Done` with
    /// [`FetchError::Cancelled`](crate::FetchError::Cancelled).
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, FetchRequest, InputEffect, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(EngineConfig::default(), 7, now);
    /// let id = engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// assert_eq!(engine.cancel(id, now), InputEffect::Applied);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn cancel(&mut self, id: FetchId, now: Timestamp) -> InputEffect {
        let now = self.clock.advance(now);
        let Some(index) = self.fetches.find(id) else {
            return InputEffect::Stale;
        };
        if let Some(slot) = self.fetches.get_mut(index) {
            slot.fetch.cancel(now);
        }
        self.mark_for_poll(index);
        InputEffect::Applied
    }

    /// Cancels all fetches. Later submissions are rejected.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.close(Timestamp::START);
    /// ```
    pub fn close(&mut self, now: Timestamp) {
        self.closed = true;
        for index in self.fetches.indices() {
            self.cancel(self.fetches.id(index), now);
        }
    }

    /// Returns what to do now. Call it again until it returns [`EngineOutput::Idle`]. O(1) if nothing
    /// is due.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, EngineOutput, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// let EngineOutput::Idle(idle) = engine.poll(Timestamp::START) else { unreachable!() };
    /// assert_eq!((idle.live, idle.wake), (0, None));
    /// ```
    pub fn poll(&mut self, now: Timestamp) -> EngineOutput {
        let now = self.clock.advance(now);
        loop {
            if let Some(output) = self.outputs.pop() {
                return output;
            }
            if let Some(output) = self.poll_fetches(now) {
                return output;
            }
            if self.held_start.is_some() {
                return EngineOutput::Idle(self.idle_state(now));
            }
            if self.handle_due_timer(now) {
                continue;
            }
            if let Some(attempt) = self.start_next(now) {
                return EngineOutput::Start(attempt);
            }
            if self.is_drained() {
                return EngineOutput::Idle(self.idle_state(now));
            }
            // A fetch ended or was deferred at its turn, instead of starting an attempt.
        }
    }

    /// Counts since the start, and of the present state.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert_eq!(engine.stats().submitted, 0);
    /// ```
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        let down = self.down_hosts();
        EngineStats {
            hosts: self.hosts.len(),
            hosts_down: down.waited_for,
            hosts_given_up: down.given_up,
            in_flight: self.concurrency.in_flight(),
            live: self.fetches.len(),
            time_regressions: self.clock.regressions(),
            waiting_for_hosts: down.fetches,
            ..self.stats
        }
    }

    /// The state of one host, named by scheme, host, and the port unless it is the scheme's default.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, FetchRequest, Timestamp};
    /// # let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.submit(FetchRequest::get("http://a.test/x".parse()?), Timestamp::START).unwrap();
    /// assert_eq!(engine.host_stats("http://a.test").unwrap().live, 1);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn host_stats(&self, host: &str) -> Option<HostStats> {
        self.hosts.find(host).map(|host| self.stats_of(host))
    }

    /// How many fetches may be submitted. Fetches that wait for hosts that are down take no room, up
    /// to [`EngineConfig::WINDOWS_OF_WAITING`], so that they do not hold up other hosts.
    fn room(&self) -> usize {
        let (window, live) = (self.config.window_size(), self.fetches.len());
        if live < window || self.hosts.down().next().is_none() {
            return window.saturating_sub(live);
        }
        let most = window.saturating_mul(EngineConfig::WINDOWS_OF_WAITING);
        let extra = self.down_hosts().fetches.min(most);
        (window + extra)
            .min(u32::MAX as usize - 1)
            .saturating_sub(live)
    }

    fn intern_host(&mut self, url: &Url) -> u32 {
        self.hosts.intern(url, &self.config, self.random.seed())
    }
}

/// Reports a response head to the pacer of the host. Returns why the host refused the request, if
/// it is paced and did.
fn report_to_pacer(
    (hosts, outputs): (&mut HostTable, &mut OutputQueue),
    host: u32,
    answer: &PacedAnswer,
    now: Timestamp,
) -> Option<Refusal> {
    let state = hosts.get_mut(host);
    let pacer = state.guards.as_mut()?.pacer.as_mut()?;
    let was_active = pacer.interval().is_some();
    pacer.record(answer, now);
    let key = &state.key;
    match (was_active, pacer.interval()) {
        (false, Some(interval)) => outputs.push_important_event(DecisionEvent::PacingStarted {
            host: key.clone(),
            interval,
        }),
        (true, None) => {
            let host = key.clone();
            outputs.push_important_event(DecisionEvent::PacingEnded { host });
        }
        _ => {}
    }
    pacer.refusal(answer.status, now)
}

/// The pause that a response requests for its host: the longer of those by its `RateLimit` fields
/// and, if the status is 429 or 503, by `Retry-After`.
fn requested_pause(head: &HeadSummary) -> Option<Duration> {
    if head.is_interim() {
        return None;
    }
    let is_refusal = matches!(head.status, 429 | 503);
    head.retry_after.filter(|_| is_refusal).max(head.pause)
}
