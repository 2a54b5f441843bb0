//! A driver made of operations, and a model beside the engine that checks each thing it says.
//!
//! The exhaustive, the random and the fuzzed runs all use it. A broken promise is a panic that
//! names it.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each of its users needs a part of it"
)]

mod finish;
mod model;
mod ops;
mod pace;
mod setup;

use std::time::Duration;

use arbitrary::Unstructured;
use fetch_proto::{Engine, FailureKind, HeadSummary, Idle, Input, InputEffect, Output, Timestamp};

use self::model::Model;
pub use self::ops::{Answer, Kind, Op, Site};
pub use self::setup::{HOSTS, Policies};

/// How many steps anything may take that must come to an end.
const PATIENCE: usize = 10_000;

/// An engine, its driver and its clock.
#[derive(Clone, Debug)]
pub struct Harness {
    clock: Timestamp,
    closed: bool,
    engine: Engine,
    held: bool,
    idle: Option<Idle>,
    model: Model,
    policies: Policies,
    tag: u64,
}

impl Harness {
    /// An engine with these policies, at rest.
    #[must_use]
    pub fn new(policies: Policies) -> Self {
        let clock = Timestamp::from_start(Duration::from_secs(1000));
        let mut harness = Self {
            clock,
            closed: false,
            engine: Engine::new(policies.config(), 7, clock),
            held: false,
            idle: None,
            model: Model::new(policies),
            policies,
            tag: 0,
        };
        harness.drain();
        harness
    }

    /// Runs what can be read from `bytes`: the policies, how it ends, and operations, each of which
    /// says whether the engine is polled before the next.
    pub fn run(bytes: &[u8]) {
        let mut bytes = Unstructured::new(bytes);
        let Ok((policies, closed)) = bytes.arbitrary() else {
            return;
        };
        let mut harness = Self::new(policies);
        while !bytes.is_empty() {
            let Ok((op, polled)) = bytes.arbitrary() else {
                break;
            };
            harness.apply(op);
            if polled {
                harness.drain();
            }
        }
        if closed {
            harness.apply(Op::Close);
        }
        harness.drain();
        harness.check_restart();
        harness.finish();
    }

    /// What a driver and its world may do now, and would make a difference.
    #[must_use]
    pub fn choices(&self, answers: &[Answer], others: &[Op]) -> Vec<Op> {
        let flights = 0..self.model.flights().len() as u8;
        let answered = flights.flat_map(|flight| {
            let all = answers.iter().copied();
            all.map(move |how| Op::Answer { flight, how })
        });
        let live = 0..self.model.live().len() as u8;
        let cancelled = live.map(|fetch| Op::Cancel { fetch });
        let waits = self.idle.and_then(|idle| idle.wake).map(|_| Op::Wait);
        let others = others.iter().copied();
        answered
            .chain(waits)
            .chain(cancelled)
            .chain(others)
            .collect()
    }

    /// Does one thing, without polling.
    pub fn apply(&mut self, op: Op) {
        // These are told with the time.
        if matches!(
            op,
            Op::Cancel { .. } | Op::Close | Op::Configure(_) | Op::Stale | Op::Submit { .. }
        ) {
            self.model.time(self.clock);
        }
        match op {
            Op::Advance { millis } => self.advance(Duration::from_millis(millis.into())),
            Op::Answer { flight, how } => self.answer(flight, how),
            Op::Back { millis } => {
                let back = Duration::from_millis(millis.into());
                let back = self.clock.since_start().saturating_sub(back);
                self.drain_at(Timestamp::from_start(back));
            }
            Op::Cancel { fetch } => {
                if let Some(id) = nth(&self.model.live(), fetch) {
                    assert_eq!(
                        self.engine.cancel(id, self.clock),
                        InputEffect::Applied,
                        "{id} is live"
                    );
                    self.model.cancel(id);
                }
            }
            Op::Close => {
                self.engine.close(self.clock);
                self.closed = true;
                self.model.close();
            }
            Op::Configure(policies) => self.configure(policies),
            Op::Hold => self.hold(true),
            Op::Release => self.hold(false),
            Op::Restore { later } => self.restore(later),
            Op::Stale => self.tell_stale(),
            Op::Submit { site, kind } => self.submit(site, kind),
            Op::Wait => self.wait(),
        }
    }

    /// Does all that the engine wants done now.
    pub fn drain(&mut self) {
        self.drain_at(self.clock);
    }

    fn drain_at(&mut self, now: Timestamp) -> Vec<Output> {
        let mut said = Vec::new();
        self.model.time(now);
        for _ in 0..PATIENCE {
            match self.engine.poll(now) {
                Output::Idle(idle) => {
                    self.model.idle(&self.engine, &idle, now);
                    let again = self.engine.poll(now);
                    assert_eq!(
                        again,
                        Output::Idle(idle),
                        "idle is said when nothing is left"
                    );
                    self.idle = Some(idle);
                    return said;
                }
                output => {
                    self.model.told(&output, &self.engine);
                    said.push(output);
                }
            }
        }
        panic!("the engine is never idle");
    }

    fn advance(&mut self, by: Duration) {
        self.clock = self.clock + by;
    }

    fn hold(&mut self, held: bool) {
        self.held = held;
        if held {
            self.engine.hold();
        } else {
            self.engine.release();
        }
        self.model.hold(held);
    }

    fn configure(&mut self, policies: Policies) {
        self.policies = policies;
        self.engine.set_config(policies.config(), self.clock);
        self.model.configure(policies);
    }

    fn submit(&mut self, site: Site, kind: Kind) {
        self.tag += 1;
        let request = ops::request(site, kind, self.tag);
        match self.engine.submit(request.clone(), self.clock) {
            Ok(id) => self.model.submitted(id, &request),
            Err(rejected) => {
                let full = self.model.live().len() >= self.policies.config().window_size();
                assert!(self.closed || full, "there was room: {rejected}");
            }
        }
    }

    fn answer(&mut self, flight: u8, how: Answer) {
        let Some(id) = nth(&self.model.flights(), flight) else {
            return;
        };
        self.model.time(self.clock);
        for input in how.inputs(self.model.has_head(id)) {
            let ends = matches!(input, Input::End(_));
            let handled = self.engine.handle(id, input.clone(), self.clock);
            if handled == InputEffect::Stale {
                continue; // told of the very end, and not yet heard of it
            }
            match input {
                Input::Head(head) => self.model.answered(id, &head),
                _ if ends => self.model.ended(id),
                _ => {}
            }
        }
    }

    /// What is over, or was never there, moves nothing.
    fn tell_stale(&mut self) {
        for id in self.model.former() {
            let input = Input::Head(HeadSummary::status(200));
            assert_eq!(
                self.engine.handle(id, input, self.clock),
                InputEffect::Stale,
                "{id}"
            );
            let input = Input::End(Err(FailureKind::Io));
            assert_eq!(
                self.engine.handle(id, input, self.clock),
                InputEffect::Stale,
                "{id}"
            );
        }
    }

    /// Sleeps until the engine wants to be called.
    fn wait(&mut self) {
        if let Some(wake) = self.idle.and_then(|idle| idle.wake) {
            self.clock = self.clock.max(wake.at);
        }
    }

    /// Goes on with another process, whose clock shows another time.
    fn restore(&mut self, later: bool) {
        let hour = Duration::from_secs(3600);
        self.clock = if later {
            self.clock + hour
        } else {
            Timestamp::from_start(Duration::from_secs(1))
        };
        self.engine = Engine::restore(self.engine.checkpoint(), self.clock);
        self.model.restored(self.clock);
    }
}

fn nth<T: Copy>(all: &[T], n: u8) -> Option<T> {
    (!all.is_empty()).then(|| all[usize::from(n) % all.len()])
}
