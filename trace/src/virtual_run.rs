//! An engine in virtual time: whatever comes next comes at once.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::Write;

use fetch_proto::{
    Attempt, AttemptId, EngineOutput, FetchId, FetchOutcome, FetchRequest, IdleState, Input,
    InputEffect, Timestamp,
};

use crate::recorded::RecordedEngine;

/// What the callers do, by their own clocks.
#[derive(Debug, Default)]
pub(crate) struct CallerScript {
    /// Requests and when they are there, in order. One waits while the engine has no room.
    pub(crate) arrivals: VecDeque<(Timestamp, FetchRequest)>,
    /// Fetches that are cancelled, by their place among the arrivals, in order of time.
    pub(crate) cancels: VecDeque<(Timestamp, usize)>,
    /// When everything is cancelled.
    pub(crate) close: Option<Timestamp>,
}

/// What the servers do.
pub(crate) trait ServerModel {
    /// An attempt of the fetch begins: what will be seen of it, and when.
    fn start(
        &mut self,
        fetch: usize,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)>;

    /// What is still to be seen of an attempt whose own course is over and which still waits.
    fn continue_attempt(
        &mut self,
        fetch: usize,
        id: AttemptId,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)>;

    fn done(&mut self, fetch: usize, outcome: &FetchOutcome, now: Timestamp);
}

/// What happens to an attempt.
#[derive(Debug)]
pub(crate) enum ScheduledStep {
    /// If it is still in flight, [`World::go_on`] is asked.
    Ask,
    Input(Input),
}

/// Runs until nothing is live and nothing more will come. Returns when that was.
pub(crate) fn run_virtual<W: Write>(
    engine: &mut RecordedEngine<W>,
    start: Timestamp,
    script: CallerScript,
    world: &mut impl ServerModel,
) -> Timestamp {
    let mut drive = VirtualRun {
        coming: BinaryHeap::new(),
        contents: Vec::new(),
        engine,
        fetches: Vec::new(),
        flying: Vec::new(),
        free: Vec::new(),
        ids: Vec::new(),
        now: start,
        order: 0,
        script,
        world,
    };
    while drive.step() {}
    drive.now
}

struct VirtualRun<'a, W: Write, M> {
    /// What comes, by time and then in order; the content is in `contents`.
    coming: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    contents: Vec<Option<(AttemptId, ScheduledStep)>>,
    engine: &'a mut RecordedEngine<W>,
    /// The fetch in each of the engine's slots.
    fetches: Vec<usize>,
    /// The attempts in flight of each slot.
    flying: Vec<Vec<AttemptId>>,
    free: Vec<usize>,
    ids: Vec<FetchId>,
    now: Timestamp,
    order: u64,
    script: CallerScript,
    world: &'a mut M,
}

impl<W: Write, M: ServerModel> VirtualRun<'_, W, M> {
    /// Does all that is to be done now and goes on to what comes next. Whether there is any.
    fn step(&mut self) -> bool {
        let idle = self.drain();
        if self.submit(idle.room) || self.cancel() {
            return true;
        }
        if idle.live == 0 && self.script.arrivals.is_empty() {
            return false;
        }
        let Some(next) = self.next(&idle) else {
            // Nothing will ever happen to what is live: an attempt without limit or answer.
            self.engine.close(self.now);
            self.script.arrivals.clear();
            return self.engine.stats().live > 0;
        };
        self.now = next.max(self.now);
        self.deliver();
        true
    }

    fn next(&self, idle: &IdleState) -> Option<Timestamp> {
        let arrival = self.script.arrivals.front().filter(|_| idle.room > 0);
        [
            self.coming.peek().map(|Reverse((at, ..))| *at),
            idle.wake.map(|wake| wake.at),
            arrival.map(|(at, _)| *at),
            self.script.cancels.front().map(|(at, _)| *at),
            self.script.close,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn drain(&mut self) -> IdleState {
        loop {
            match self.engine.poll(self.now) {
                EngineOutput::Idle(idle) => return idle,
                EngineOutput::Abort(id) => {
                    self.flying[id.fetch.slot()].retain(|flying| *flying != id)
                }
                EngineOutput::Start(attempt) => {
                    let slot = attempt.id.fetch.slot();
                    self.flying[slot].push(attempt.id);
                    let course = self.world.start(self.fetches[slot], &attempt, self.now);
                    self.schedule(attempt.id, course);
                }
                EngineOutput::Done(id, outcome) => {
                    self.world.done(self.fetches[id.slot()], &outcome, self.now);
                }
                _ => {}
            }
        }
    }

    fn submit(&mut self, room: usize) -> bool {
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
                self.flying.resize_with(slot + 1, Vec::new);
            }
            self.fetches[slot] = self.ids.len();
            self.flying[slot].clear();
            self.ids.push(id);
            any = true;
        }
        any
    }

    fn cancel(&mut self) -> bool {
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

    fn schedule(&mut self, id: AttemptId, course: Vec<(Timestamp, ScheduledStep)>) {
        for (at, next) in course {
            let place = self.free.pop().unwrap_or(self.contents.len());
            if place == self.contents.len() {
                self.contents.push(None);
            }
            self.contents[place] = Some((id, next));
            self.order += 1;
            self.coming
                .push(Reverse((at.max(self.now), self.order, place)));
        }
    }

    /// Tells all that comes now.
    fn deliver(&mut self) {
        while let Some(Reverse((at, _, place))) = self.coming.peek().copied() {
            if at > self.now {
                break;
            }
            self.coming.pop();
            self.free.push(place);
            let Some((id, next)) = self.contents[place].take() else {
                continue;
            };
            let slot = id.fetch.slot();
            if !self.flying[slot].contains(&id) {
                continue;
            }
            match next {
                ScheduledStep::Ask => {
                    let course = self
                        .world
                        .continue_attempt(self.fetches[slot], id, self.now);
                    self.schedule(id, course);
                }
                ScheduledStep::Input(input) => {
                    if matches!(input, Input::End(_)) {
                        self.flying[slot].retain(|flying| *flying != id);
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
