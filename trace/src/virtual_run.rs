//! Runs an engine in virtual time: the clock jumps to the next event.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io::Write;
use std::time::Duration;

use fetch_proto::{
    Attempt, AttemptId, EngineConfig, EngineOutput, FetchId, FetchOutcome, FetchRequest, IdleState,
    Input, InputEffect, Timestamp, TokenFailure, TokenUse,
};

use crate::recorded_engine::RecordedEngine;

/// The actions of the callers.
#[derive(Debug, Default)]
pub(crate) struct CallerScript {
    /// Requests and their times of arrival, in order. A request waits while the engine has no room.
    pub(crate) arrivals: VecDeque<(Timestamp, FetchRequest)>,
    /// Times of cancellation and indices among the arrivals, in order of time.
    pub(crate) cancels: VecDeque<(Timestamp, usize)>,
    /// Changes of the engine's settings and their times, in order of time. Of several things at one time, a change
    /// comes first.
    pub(crate) changes: VecDeque<(Timestamp, SettingsChange)>,
    /// Time at which the engine is closed.
    pub(crate) close: Option<Timestamp>,
}

/// A change of an engine's settings while it runs.
#[derive(Clone, Debug)]
pub(crate) enum SettingsChange {
    Config(Box<EngineConfig>),
    CrawlDelay(Box<str>, Duration),
}

/// Behaviour of the servers.
pub(crate) trait ServerModel {
    /// Starts an attempt of the fetch. Returns its steps and their times.
    fn start_attempt(
        &mut self,
        fetch: usize,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)>;

    /// Returns further steps of an attempt that reached [`ScheduledStep::Continue`].
    fn continue_attempt(
        &mut self,
        fetch: usize,
        id: AttemptId,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)>;

    /// Starts to acquire a token. Returns when and how that ends.
    fn acquire_token(&mut self, token: TokenUse, now: Timestamp) -> (Timestamp, TokenEnd);

    fn record_outcome(&mut self, fetch: usize, outcome: &FetchOutcome, now: Timestamp);
}

/// The end of an acquisition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TokenEnd {
    /// With the token's lifetime.
    Acquired(Option<Duration>),
    /// With the pause that the token server asks for.
    Failed(TokenFailure, Option<Duration>),
}

/// One step of an attempt.
#[derive(Debug)]
pub(crate) enum ScheduledStep {
    /// Calls [`ServerModel::continue_attempt`] if the attempt is still in flight.
    Continue,
    Input(Input),
}

/// Runs until no fetch is live and nothing is left to arrive. Returns the time of the end.
pub(crate) fn run_virtual<W: Write>(
    engine: &mut RecordedEngine<W>,
    start: Timestamp,
    script: CallerScript,
    servers: &mut impl ServerModel,
) -> Timestamp {
    let mut run = VirtualRun {
        timeline: BinaryHeap::new(),
        scheduled: Vec::new(),
        engine,
        fetches: Vec::new(),
        in_flight: Vec::new(),
        free_indices: Vec::new(),
        ids: Vec::new(),
        now: start,
        sequence: 0,
        script,
        servers,
        tokens: BTreeMap::new(),
    };
    while run.step() {}
    run.now
}

struct VirtualRun<'a, W: Write, M> {
    /// Times of the scheduled steps, then their sequence and index in `scheduled`.
    timeline: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    scheduled: Vec<Option<(AttemptId, ScheduledStep)>>,
    engine: &'a mut RecordedEngine<W>,
    /// Index of the fetch in each slot of the engine.
    fetches: Vec<usize>,
    /// Attempts in flight of each slot.
    in_flight: Vec<Vec<AttemptId>>,
    free_indices: Vec<usize>,
    ids: Vec<FetchId>,
    now: Timestamp,
    sequence: u64,
    script: CallerScript,
    servers: &'a mut M,
    /// The acquisition in progress of each profile, and when it ends.
    tokens: BTreeMap<u16, (Timestamp, TokenEnd)>,
}

impl<W: Write, M: ServerModel> VirtualRun<'_, W, M> {
    /// Does everything due now and advances the clock to the next event. Returns `false` at the end.
    fn step(&mut self) -> bool {
        self.change_due();
        let idle = self.drain_outputs();
        if self.submit_due(idle.room) || self.cancel_due() {
            return true;
        }
        if idle.live == 0 && self.script.arrivals.is_empty() {
            return false;
        }
        let Some(next) = self.next_time(&idle) else {
            // The live attempts have neither an answer nor a timeout: they would wait forever.
            self.engine.close(self.now);
            self.script.arrivals.clear();
            return self.engine.stats().live > 0;
        };
        self.now = next.max(self.now);
        self.deliver_due();
        self.deliver_tokens();
        true
    }

    fn next_time(&self, idle: &IdleState) -> Option<Timestamp> {
        let arrival = self.script.arrivals.front().filter(|_| idle.room > 0);
        [
            self.timeline.peek().map(|Reverse((at, ..))| *at),
            idle.wake.map(|wake| wake.at),
            arrival.map(|(at, _)| *at),
            self.script.cancels.front().map(|(at, _)| *at),
            self.script.changes.front().map(|(at, _)| *at),
            self.script.close,
            self.tokens.values().map(|(at, _)| *at).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn drain_outputs(&mut self) -> IdleState {
        loop {
            match self.engine.poll(self.now) {
                EngineOutput::Idle(idle) => return idle,
                EngineOutput::Abort(id) => {
                    self.in_flight[id.fetch.slot()].retain(|other| *other != id);
                }
                EngineOutput::Start(attempt) => {
                    let slot = attempt.id.fetch.slot();
                    self.in_flight[slot].push(attempt.id);
                    let steps = self
                        .servers
                        .start_attempt(self.fetches[slot], &attempt, self.now);
                    self.schedule(attempt.id, steps);
                }
                EngineOutput::AcquireToken(token) => {
                    let end = self.servers.acquire_token(token, self.now);
                    self.tokens.insert(token.profile, end);
                }
                EngineOutput::Done(id, outcome) => {
                    self.servers
                        .record_outcome(self.fetches[id.slot()], &outcome, self.now);
                }
                _ => {}
            }
        }
    }

    fn submit_due(&mut self, room: usize) -> bool {
        let mut any = false;
        for _ in 0..room {
            let Some((_, request)) = pop_due(&mut self.script.arrivals, self.now) else {
                break;
            };
            let Ok(id) = self.engine.submit(request, self.now) else {
                break;
            };
            let slot = id.slot();
            if self.fetches.len() <= slot {
                self.fetches.resize(slot + 1, 0);
                self.in_flight.resize_with(slot + 1, Vec::new);
            }
            self.fetches[slot] = self.ids.len();
            self.in_flight[slot].clear();
            self.ids.push(id);
            any = true;
        }
        any
    }

    fn change_due(&mut self) {
        while let Some((_, change)) = pop_due(&mut self.script.changes, self.now) {
            match change {
                SettingsChange::Config(config) => self.engine.set_config(*config, self.now),
                SettingsChange::CrawlDelay(host, delay) => {
                    self.engine.set_crawl_delay(&host, delay);
                }
            }
        }
    }

    fn cancel_due(&mut self) -> bool {
        let mut any = false;
        while let Some((_, fetch)) = pop_due(&mut self.script.cancels, self.now) {
            if let Some(id) = self.ids.get(fetch) {
                any |= self.engine.cancel(*id, self.now) == InputEffect::Applied;
            }
        }
        if self.script.close.is_some_and(|at| at <= self.now) {
            self.script.close = None;
            self.script.arrivals.clear();
            self.engine.close(self.now);
            any = true;
        }
        any
    }

    fn schedule(&mut self, id: AttemptId, steps: Vec<(Timestamp, ScheduledStep)>) {
        for (at, next) in steps {
            let index = self.free_indices.pop().unwrap_or(self.scheduled.len());
            if index == self.scheduled.len() {
                self.scheduled.push(None);
            }
            self.scheduled[index] = Some((id, next));
            self.sequence += 1;
            self.timeline
                .push(Reverse((at.max(self.now), self.sequence, index)));
        }
    }

    /// Reports the acquisitions that end now.
    fn deliver_tokens(&mut self) {
        while let Some((profile, end)) = self
            .tokens
            .iter()
            .find_map(|(profile, (at, end))| (*at <= self.now).then_some((*profile, *end)))
        {
            self.tokens.remove(&profile);
            match end {
                TokenEnd::Acquired(life) => self.engine.token_acquired(profile, life, self.now),
                TokenEnd::Failed(failure, pause) => {
                    self.engine.token_failed(profile, failure, pause, self.now);
                }
            }
        }
    }

    /// Delivers all steps due now.
    fn deliver_due(&mut self) {
        while let Some(Reverse((at, _, index))) = self.timeline.peek().copied() {
            if at > self.now {
                break;
            }
            self.timeline.pop();
            self.free_indices.push(index);
            let Some((id, next)) = self.scheduled[index].take() else {
                continue;
            };
            let slot = id.fetch.slot();
            if !self.in_flight[slot].contains(&id) {
                continue;
            }
            match next {
                ScheduledStep::Continue => {
                    let steps = self
                        .servers
                        .continue_attempt(self.fetches[slot], id, self.now);
                    self.schedule(id, steps);
                }
                ScheduledStep::Input(input) => {
                    if matches!(input, Input::End(_)) {
                        self.in_flight[slot].retain(|other| *other != id);
                    }
                    self.engine.handle(id, input, self.now);
                }
            }
        }
    }
}

/// Takes the first element if it is due.
fn pop_due<T>(queue: &mut VecDeque<(Timestamp, T)>, now: Timestamp) -> Option<(Timestamp, T)> {
    if queue.front().is_some_and(|(at, _)| *at <= now) {
        queue.pop_front()
    } else {
        None
    }
}
