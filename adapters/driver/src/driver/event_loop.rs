//! The driver's loop: asks the engine what to do, does it, and reports back what happened.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use async_channel::Receiver;
use fetch_proto::{
    Attempt, AttemptId, DecisionEvent, EngineConfig, EngineOutput, EngineStats, FetchId, IdleState,
    Timestamp,
};
use futures_core::Stream;
use log::warn;

use crate::driver::attempt_runner::AttemptRunner;
use crate::driver::command::DriverCommand;
use crate::driver::connect_timeout;
use crate::driver::exchange::{AttemptExchange, BodyMode, ExchangeStart};
use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::table::FetchTable;
use crate::driver::loop_turn::LoopTurn;
use crate::driver::outcome_pipeline::OutcomePipeline;
use crate::driver::permits::AttemptPermits;
use crate::driver::siblings::Siblings;
use crate::driver::submission::SubmissionQueue;
use crate::driver::token_keeper::{AcquisitionEnd, TokenKeeper};
use crate::lock::lock;
use crate::telemetry::logging::log_host_event;
use crate::telemetry::recording::DriverEngine;
use crate::telemetry::tracing::{log_decision, log_engine_decision, logs_decisions};
use crate::transport::Transport;
use crate::transport::clock::Clock;
use crate::transport::progress::AttemptProgress;
use crate::transport::timer::Timer;
use crate::transport::timer::yield_now;

/// After this many steps the loop lets other tasks run.
const STEPS_PER_YIELD: usize = 256;

/// Consumers submit more requests once this part of the window is free.
const REFILL_DIVISOR: usize = 64;
/// How many times in a row exchanges are polled before anything else gets a chance. Exchanges that
/// have more to read than one turn allows wake themselves again and again.
const MAX_STREAK: u32 = 8;

/// Engine steps per clock read. The time passed in may lag by the few microseconds these steps take.
const STEPS_PER_CLOCK_READ: usize = 8;

/// One driver: an engine, and the parts that carry out what it decides.
pub(super) struct Driver<T, F, S> {
    pub(super) attempts: AttemptRunner<T, F, S>,
    pub(super) clock: Clock,
    pub(super) engine: DriverEngine,
    pub(super) fetches: FetchTable,
    pub(super) outcomes: OutcomePipeline,
    pub(super) permits: AttemptPermits,
    /// The other drivers, if there are several.
    pub(super) siblings: Option<Siblings>,
    /// A copy of the engine's statistics for the fetcher.
    pub(super) stats: Arc<Mutex<EngineStats>>,
    pub(super) submissions: SubmissionQueue,
    pub(super) tokens: TokenKeeper,
    /// The fetches that waited for hosts that are down when consumers were woken for it.
    pub(super) waiting_reported: usize,
    /// How many fetches may be active at once.
    pub(super) window: usize,
    pub(super) turn: LoopTurn,
}

/// What ended a wait.
enum WakeEvent {
    /// Exchanges have made progress.
    Attempts(Vec<usize>),
    /// The store or a writer of the cache has made progress.
    #[cfg(feature = "cache")]
    Cache(Vec<usize>),
    Commands(Vec<DriverCommand>),
    /// All fetchers and streams of outcomes were dropped.
    Disconnected,
    Permit,
    /// Another driver has given back concurrency.
    Siblings,
    Timer,
    /// The acquisition of a token for this profile has ended.
    Token(u16, AcquisitionEnd),
}

impl<T, F, S> Driver<T, F, S>
where
    T: Transport,
    F: AttemptExchange,
    S: Fn(&Arc<T>, ExchangeStart, AttemptProgress) -> F,
{
    /// Runs until all handles are dropped and all fetches have ended.
    pub(super) async fn run(mut self, commands: Receiver<DriverCommand>, mut timer: impl Timer) {
        let mut commands = pin!(commands);
        let mut timer_at = None;
        let mut is_connected = true;
        loop {
            let idle = self.settle(&mut timer).await;
            if !is_connected && idle.live == 0 && !self.waits_in_cache() {
                break;
            }
            let wake_at = idle.wake.map(|wake| wake.at);
            #[cfg(feature = "cache")]
            let wake_at = wake_at.into_iter().chain(self.cache_deadline()).min();
            self.set_timer(&mut timer, &mut timer_at, wake_at);
            let wait = |cx: &mut Context<'_>| {
                let event = self.poll_event(cx, commands.as_mut(), &mut timer, is_connected);
                if event.is_pending() {
                    self.turn.restart();
                }
                event
            };
            match poll_fn(wait).await {
                WakeEvent::Attempts(list) => self.poll_attempts(list, &mut timer).await,
                #[cfg(feature = "cache")]
                WakeEvent::Cache(list) => self.run_cache_tasks(list),
                WakeEvent::Commands(commands) => {
                    commands.into_iter().for_each(|c| self.execute(c));
                }
                WakeEvent::Disconnected => {
                    is_connected = false;
                    self.submissions.clear();
                    #[cfg(feature = "cache")]
                    self.close_cache();
                    self.engine.close(self.clock.now());
                }
                WakeEvent::Permit => self.engine.resume_starts(),
                WakeEvent::Siblings => {}
                WakeEvent::Timer => {
                    timer_at = None;
                    #[cfg(feature = "cache")]
                    self.expire_lookups();
                }
                WakeEvent::Token(profile, ended) => self.report_token(profile, ended),
            }
        }
        self.attempts.close();
    }

    /// Waits until there is something to do.
    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        mut commands: Pin<&mut Receiver<DriverCommand>>,
        timer: &mut impl Timer,
        is_connected: bool,
    ) -> Poll<WakeEvent> {
        let is_their_turn = self.turn.streak < MAX_STREAK;
        if is_their_turn && let Poll::Ready(list) = self.poll_woken_attempts(cx) {
            self.turn.streak += 1;
            return Poll::Ready(WakeEvent::Attempts(list));
        }
        self.turn.streak = 0;
        if is_connected {
            let mut taken = Vec::new();
            while taken.len() < STEPS_PER_YIELD {
                match commands.as_mut().poll_next(cx) {
                    Poll::Ready(Some(command)) => taken.push(command),
                    Poll::Ready(None) if taken.is_empty() => {
                        return Poll::Ready(WakeEvent::Disconnected);
                    }
                    Poll::Ready(None) | Poll::Pending => break,
                }
            }
            if !taken.is_empty() {
                return Poll::Ready(WakeEvent::Commands(taken));
            }
        }
        #[cfg(feature = "cache")]
        if let Poll::Ready(list) = self.poll_cache(cx) {
            return Poll::Ready(WakeEvent::Cache(list));
        }
        if self.permits.poll(cx).is_ready() {
            return Poll::Ready(WakeEvent::Permit);
        }
        if let Some(siblings) = &mut self.siblings
            && siblings.poll_changed(cx).is_ready()
        {
            return Poll::Ready(WakeEvent::Siblings);
        }
        if let Poll::Ready((profile, ended)) = self.tokens.poll_ended(cx) {
            return Poll::Ready(WakeEvent::Token(profile, ended));
        }
        if timer.poll_fired(cx).is_ready() {
            return Poll::Ready(WakeEvent::Timer);
        }
        if !is_their_turn && let Poll::Ready(list) = self.poll_woken_attempts(cx) {
            return Poll::Ready(WakeEvent::Attempts(list));
        }
        if self.attempts.is_busy() {
            // Busy exchanges continue after the runtime has looked for events.
            self.turn.has_yielded = true;
            timer.yield_now(cx);
        }
        Poll::Pending
    }

    fn poll_woken_attempts(&mut self, cx: &Context<'_>) -> Poll<Vec<usize>> {
        let list = ready!(self.attempts.poll_woken(cx, self.turn.has_yielded));
        self.turn.has_yielded = false;
        Poll::Ready(list)
    }

    /// Sets the timer, unless it already fires early enough. An early wake costs one turn; setting
    /// the timer costs more, and most deadlines are moved or dropped long before they are due.
    fn set_timer(
        &self,
        timer: &mut impl Timer,
        timer_at: &mut Option<Timestamp>,
        wake_at: Option<Timestamp>,
    ) {
        let Some(wake_at) = wake_at else { return };
        if timer_at.is_none_or(|timer_at| wake_at < timer_at) {
            timer.set(self.clock.instant(wake_at));
            *timer_at = Some(wake_at);
        }
    }

    /// Carries out the engine's outputs and submits requests, until the engine is idle and has no
    /// room or no request waits.
    async fn settle(&mut self, timer: &mut impl Timer) -> IdleState {
        let mut steps = 0;
        loop {
            let idle = self.drain_outputs(&mut steps, timer).await;
            self.attempts.release_permits(&mut self.fetches);
            #[cfg(feature = "cache")]
            self.settle_cache();
            if idle.room == 0 || self.submissions.is_empty() {
                let stats = self.engine.stats();
                if self.settle_with_siblings(&stats) {
                    continue;
                }
                let (clock, engine) = (&self.clock, &self.engine);
                self.outcomes
                    .record_stats(&stats, || clock.now(), |now| engine.waiting_hosts(now));
                *lock(&self.stats) = stats;
                self.wake_for_more(stats.waiting_for_hosts);
                self.outcomes.wake_consumers();
                return idle;
            }
            let (count, now) = (idle.room.min(STEPS_PER_YIELD), self.clock.now());
            self.submissions
                .submit(count, &mut self.engine, &mut self.fetches, now);
        }
    }

    /// Wakes consumers once more fetches wait for hosts that are down: these take no room in the
    /// window, so that the consumers may submit others.
    fn wake_for_more(&mut self, waiting: usize) {
        let step = (self.window / REFILL_DIVISOR).clamp(1, STEPS_PER_YIELD);
        if waiting >= self.waiting_reported + step {
            self.outcomes.wake_consumers_of(&self.fetches);
            self.waiting_reported = waiting;
        }
        self.waiting_reported = self.waiting_reported.min(waiting);
    }

    /// Returns true if the engine may now start more attempts.
    fn settle_with_siblings(&mut self, stats: &EngineStats) -> bool {
        let Some(siblings) = &mut self.siblings else {
            return false;
        };
        siblings.settle(stats.in_flight, &mut self.engine)
    }

    fn poll_engine(&mut self, now: Timestamp) -> EngineOutput {
        call_engine(&mut self.engine, self.siblings.as_ref(), |engine| {
            engine.poll(now)
        })
    }

    /// Grants or denies the start that the engine asks for. Returns false if it asks for none.
    fn answer_start_request(&mut self, now: Timestamp) -> bool {
        let siblings = self.siblings.as_ref();
        siblings.is_some_and(|siblings| {
            let limits = siblings.limits();
            limits.answer_start_request(&mut self.engine, now)
        })
    }

    /// Carries out the engine's outputs until it is idle.
    async fn drain_outputs(&mut self, steps: &mut usize, timer: &mut impl Timer) -> IdleState {
        let mut now = self.clock.now();
        loop {
            match self.poll_engine(now) {
                EngineOutput::Abort(id) => self.attempts.abort(id, &mut self.fetches),
                EngineOutput::Accept(id) => self.accept(id),
                EngineOutput::Discard(id) => self.read_body(id, |fetch| fetch.discard_response(id)),
                EngineOutput::AcquireToken(token) => self.tokens.acquire(token),
                EngineOutput::Done(id, outcome) => self.finish(id, outcome),
                EngineOutput::Event(id, event) => self.log_event(id, &event),
                EngineOutput::Idle(idle) => {
                    if !self.answer_start_request(now) {
                        return idle;
                    }
                }
                EngineOutput::Transfer { id, to } => self.export_fetch(id, to, now),
                EngineOutput::Start(attempt) => self.start(attempt),
            }
            *steps += 1;
            if steps.is_multiple_of(STEPS_PER_YIELD) {
                self.outcomes.wake_consumers();
                yield_now(timer).await;
            }
            if steps.is_multiple_of(STEPS_PER_CLOCK_READ) {
                now = self.clock.now();
            }
        }
    }

    fn start(&mut self, attempt: Attempt) {
        let Some(fetch) = self.fetches.at_mut(attempt.id.fetch.slot()) else {
            return;
        };
        let permit = fetch.take_permit().or_else(|| self.permits.take());
        let token = attempt
            .token
            .and_then(|token| self.tokens.attempt_token(token));
        self.attempts.start(attempt, token, fetch, permit);
        if !self.permits.refill() {
            self.engine.pause_starts();
        }
    }

    /// Reports the end of an acquisition to the engine.
    fn report_token(&mut self, profile: u16, ended: AcquisitionEnd) {
        let now = self.clock.now();
        match ended {
            Ok(lifetime) => self.engine.token_acquired(profile, lifetime, now),
            Err(error) => {
                let (name, failure) = (self.tokens.name(profile), error.failure());
                warn!(target: crate::HOST_LOG_TARGET, "{name}: no token: {failure}: {error}");
                self.engine
                    .token_failed(profile, failure, error.pause(), now);
            }
        }
    }

    fn accept(&mut self, id: AttemptId) {
        #[cfg(feature = "cache")]
        self.attempts.replace_error_status(id, &mut self.fetches);
        self.read_body(id, |fetch| fetch.accept_response(id));
    }

    fn read_body(&mut self, id: AttemptId, mode: impl FnOnce(&mut ActiveFetch) -> BodyMode) {
        self.attempts.read_body(id, &mut self.fetches, mode);
    }

    fn finish(&mut self, id: FetchId, end: fetch_proto::FetchOutcome) {
        if let Some(leader) = end.shared_with {
            self.fetches.copy_response(leader, id);
        }
        if let Some(fetch) = self.fetches.remove(id) {
            #[cfg(feature = "cache")]
            let Some((fetch, end)) = self.replace_failure(fetch, end) else {
                return;
            };
            let auth = end
                .auth_profile
                .and_then(|profile| self.tokens.shared_name(profile));
            let result = self.outcomes.finish(fetch, end, auth);
            self.attempts.recycle_result(result);
        }
    }

    fn export_fetch(&mut self, id: FetchId, to: u32, now: Timestamp) {
        if let Some(siblings) = &self.siblings {
            siblings.export_fetch(id, to, &mut self.engine, &mut self.fetches, now);
        }
    }

    fn log_event(&self, id: Option<FetchId>, event: &DecisionEvent) {
        if log_host_event(event, self.clock.now()) {
            return;
        }
        if !logs_decisions() {
            return;
        }
        match id.and_then(|id| self.fetches.get(id)) {
            Some(fetch) => log_decision(&fetch.span, &fetch.request, fetch.last_attempt(), event),
            None => log_engine_decision(event),
        }
    }

    /// Polls the exchanges that were woken and reports to the engine what happened.
    async fn poll_attempts(&mut self, list: Vec<usize>, timer: &mut impl Timer) {
        for index in &list {
            let (engine, siblings) = (&mut self.engine, self.siblings.as_ref());
            self.attempts
                .poll_exchange(*index, &mut self.fetches, |id, input, now| {
                    call_engine(engine, siblings, |engine| engine.handle(id, input, now));
                });
            if self.turn.is_over_after_poll(self.clock) {
                yield_now(timer).await;
            }
        }
        self.attempts.recycle_list(list);
    }

    fn execute(&mut self, command: DriverCommand) {
        match command {
            DriverCommand::Adopt(moved, migrating) => {
                if let Some(siblings) = &self.siblings {
                    let (engine, fetches) = (&mut self.engine, &mut self.fetches);
                    siblings.import_fetches(*moved, migrating, engine, fetches, self.clock.now());
                }
            }
            DriverCommand::Cancel(group) => self.cancel(group, |_| true),
            DriverCommand::Configure(config) => self.configure(*config),
            DriverCommand::SetCrawlDelay(host, delay) => self.engine.set_crawl_delay(&host, delay),
            DriverCommand::SendHostStats(host, to) => {
                // The receiver may be gone.
                let _ = to.try_send(self.engine.host_stats(&host));
            }
            DriverCommand::SendDownloads(min_age, to) => {
                let _ = to.try_send(self.engine.downloads(min_age, self.clock.now()));
            }
            DriverCommand::SendSnapshot(to) => {
                let _ = to.try_send(self.engine.snapshot());
            }
            DriverCommand::SendWaitingHosts(to) => {
                let _ = to.try_send(self.engine.waiting_hosts(self.clock.now()));
            }
            #[cfg(feature = "cache")]
            DriverCommand::Submit(jobs) => self.submit_jobs(jobs),
            #[cfg(not(feature = "cache"))]
            DriverCommand::Submit(jobs) => self.submissions.extend(jobs),
            DriverCommand::WindDown(group) => self.cancel(group, |fetch| !fetch.is_in_flight()),
        }
    }

    /// Whether requests wait for a store, or a saved body of one for its writer.
    fn waits_in_cache(&self) -> bool {
        #[cfg(feature = "cache")]
        return self
            .attempts
            .cache
            .as_ref()
            .is_some_and(|cache| cache.has_jobs());
        #[cfg(not(feature = "cache"))]
        false
    }

    /// Replaces limits and rules while fetches go on.
    fn configure(&mut self, config: EngineConfig) {
        let mut config = self.tokens.with_profiles(config);
        if !T::SEES_CONNECTION {
            config = connect_timeout::disable_in_rules(config);
        }
        self.permits.raise_concurrency(config.concurrency_limit());
        self.window = config.window_size();
        if let Some(siblings) = &mut self.siblings {
            siblings.configure(&config);
        }
        #[cfg(feature = "cache")]
        if let Some(cache) = &mut self.attempts.cache {
            cache.configure(&config);
        }
        self.engine.set_config(config, self.clock.now());
    }

    /// Cancels the waiting requests of `group`, and its fetches for which `applies` is true.
    fn cancel(&mut self, group: u64, applies: impl Fn(&ActiveFetch) -> bool) {
        let now = self.clock.now();
        if let Some(siblings) = &mut self.siblings {
            siblings.note_cancelled(group);
        }
        self.submissions.cancel(group);
        #[cfg(feature = "cache")]
        self.cancel_in_cache(group);
        let fetches = self.fetches.iter();
        for fetch in fetches.filter(|fetch| fetch.group == group && applies(fetch)) {
            self.engine.cancel(fetch.id(), now);
        }
    }
}

/// Makes a call to the engine that may decide about a retry. If several drivers share a retry
/// budget, its tokens are lent to the engine for the call.
fn call_engine<R>(
    engine: &mut DriverEngine,
    siblings: Option<&Siblings>,
    call: impl FnOnce(&mut DriverEngine) -> R,
) -> R {
    match siblings {
        Some(siblings) => siblings.limits().with_tokens(engine, call),
        None => call(engine),
    }
}
