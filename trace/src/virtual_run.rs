//! An engine in virtual time: whatever comes next comes at once.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::Write;

use fetch_proto::{
    Attempt, AttemptId, FetchId, Handled, Idle, Input, Outcome, Output, Request, Timestamp,
};

use crate::recorded_engine::RecordedEngine;

/// What the callers do, by their own clocks.
#[derive(Debug, Default)]
pub(crate) struct CallerScript {
    /// Requests and when they are there, in order. One waits while the engine has no room.
    pub(crate) arrivals: VecDeque<(Timestamp, Request)>,
    /// Fetches that are cancelled, by their index among the arrivals, in order of time.
    pub(crate) cancels: VecDeque<(Timestamp, usize)>,
    /// When everything is cancelled.
    pub(crate) close: Option<Timestamp>,
}

/// What the servers do.
pub(crate) trait ServerModel {
    /// An attempt of the fetch begins: what will be seen of it, and when.
    fn start_attempt(
        &mut self,
        fetch: usize,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)>;

    /// What is still to be seen of an attempt whose own steps is over and which still waits.
    fn continue_attempt(
        &mut self,
        fetch: usize,
        id: AttemptId,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)>;

    fn record_outcome(&mut self, fetch: usize, outcome: &Outcome, now: Timestamp);
}

/// What happens to an attempt.
#[derive(Debug)]
pub(crate) enum ScheduledStep {
    /// If it is still in flight, [`World::go_on`] is asked.
    Continue,
    Input(Input),
}

/// Runs until nothing is live and nothing more will come. Returns when that was.
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
    };
    while run.step() {}
    run.now
}

struct VirtualRun<'a, W: Write, M> {
    /// What comes, by time and then in order; the content is in `contents`.
    timeline: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    scheduled: Vec<Option<(AttemptId, ScheduledStep)>>,
    engine: &'a mut RecordedEngine<W>,
    /// The fetch in each of the engine's slots.
    fetches: Vec<usize>,
    /// The attempts in flight of each slot.
    in_flight: Vec<Vec<AttemptId>>,
    free_indices: Vec<usize>,
    ids: Vec<FetchId>,
    now: Timestamp,
    sequence: u64,
    script: CallerScript,
    servers: &'a mut M,
}

impl<W: Write, M: ServerModel> VirtualRun<'_, W, M> {
    /// Does all that is to be done now and goes on to what comes next. Whether there is any.
    fn step(&mut self) -> bool {
        let idle = self.drain_outputs();
        if self.submit_due(idle.room) || self.cancel_due() {
            return true;
        }
        if idle.live == 0 && self.script.arrivals.is_empty() {
            return false;
        }
        let Some(next) = self.next_time(&idle) else {
            // Nothing will ever happen to what is live: an attempt without limit or answer.
            self.engine.close(self.now);
            self.script.arrivals.clear();
            return self.engine.stats().live > 0;
        };
        self.now = next.max(self.now);
        self.deliver_due();
        true
    }

    fn next_time(&self, idle: &Idle) -> Option<Timestamp> {
        let arrival = self.script.arrivals.front().filter(|_| idle.room > 0);
        [
            self.timeline.peek().map(|Reverse((at, ..))| *at),
            idle.wake.map(|wake| wake.at),
            arrival.map(|(at, _)| *at),
            self.script.cancels.front().map(|(at, _)| *at),
            self.script.close,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn drain_outputs(&mut self) -> Idle {
        loop {
            match self.engine.poll(self.now) {
                Output::Idle(idle) => return idle,
                Output::Abort(id) => self.in_flight[id.fetch.slot()].retain(|other| *other != id),
                Output::Start(attempt) => {
                    let slot = attempt.id.fetch.slot();
                    self.in_flight[slot].push(attempt.id);
                    let steps = self
                        .servers
                        .start_attempt(self.fetches[slot], &attempt, self.now);
                    self.schedule(attempt.id, steps);
                }
                Output::Done(id, outcome) => {
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

    fn cancel_due(&mut self) -> bool {
        let mut any = false;
        while let Some((_, fetch)) = pop_due(&mut self.script.cancels, self.now) {
            if let Some(id) = self.ids.get(fetch) {
                any |= self.engine.cancel(*id, self.now) == Handled::Applied;
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

    /// Tells all that comes now.
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

/// Takes the first, if its time has come.
fn pop_due<T>(queue: &mut VecDeque<(Timestamp, T)>, now: Timestamp) -> Option<(Timestamp, T)> {
    if queue.front().is_some_and(|(at, _)| *at <= now) {
        queue.pop_front()
    } else {
        None
    }
}
