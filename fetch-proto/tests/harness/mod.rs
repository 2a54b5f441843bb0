//! Drives an engine by a sequence of operations, and checks every output against a model.
//!
//! Used by the exhaustive, the random and the fuzzed runs. A violated invariant panics with its
//! description.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses a part of it"
)]

mod finish;
mod model;
mod operation;
mod policy_set;
mod rates;

use std::time::Duration;

use arbitrary::Unstructured;
use fetch_proto::{
    Engine, EngineOutput, FailureKind, HeadSummary, IdleState, Input, InputEffect, Timestamp,
};

use self::model::EngineModel;
pub use self::operation::{Operation, RequestKind, RequestSite, ServerAnswer};
pub use self::policy_set::{HOSTS, PolicySet};

/// The largest number of steps of a loop that must terminate.
const MAX_STEPS: usize = 10_000;

/// An engine, its driver, its clock and the model.
#[derive(Clone, Debug)]
pub struct EngineHarness {
    clock: Timestamp,
    closed: bool,
    engine: Engine,
    held: bool,
    idle: Option<IdleState>,
    model: EngineModel,
    policies: PolicySet,
    tag: u64,
}

impl EngineHarness {
    /// An idle engine with these policies.
    #[must_use]
    pub fn new(policies: PolicySet) -> Self {
        let clock = Timestamp::from_start(Duration::from_secs(1000));
        let mut harness = Self {
            clock,
            closed: false,
            engine: Engine::new(policies.config(), 7, clock),
            held: false,
            idle: None,
            model: EngineModel::new(policies),
            policies,
            tag: 0,
        };
        harness.drain();
        harness
    }

    /// Runs the sequence encoded in `bytes`: the policies, whether the engine is closed at the end,
    /// and operations, each with a flag that says whether the engine is polled after it.
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
            harness.apply(Operation::Close);
        }
        harness.drain();
        harness.check_restart();
        harness.finish();
    }

    /// The operations that are possible now and have an effect.
    #[must_use]
    pub fn choices(&self, answers: &[ServerAnswer], others: &[Operation]) -> Vec<Operation> {
        let attempts = 0..self.model.in_flight().len() as u8;
        let answered = attempts.flat_map(|attempt| {
            let all = answers.iter().copied();
            all.map(move |answer| Operation::Answer { attempt, answer })
        });
        let live = 0..self.model.live().len() as u8;
        let cancelled = live.map(|fetch| Operation::Cancel { fetch });
        let waits = self
            .idle
            .and_then(|idle| idle.wake)
            .map(|_| Operation::Wait);
        let others = others.iter().copied();
        answered
            .chain(waits)
            .chain(cancelled)
            .chain(others)
            .collect()
    }

    /// Executes one operation, without polling.
    pub fn apply(&mut self, op: Operation) {
        // The engine gets the time with these operations.
        let passes_time = match op {
            Operation::Cancel { .. } => !self.model.live().is_empty(),
            Operation::Close | Operation::Configure(_) | Operation::Submit { .. } => true,
            Operation::Stale => !self.model.ended_ids().is_empty(),
            _ => false,
        };
        if passes_time {
            self.model.advance_to(self.clock);
        }
        match op {
            Operation::Advance { millis } => self.advance(Duration::from_millis(millis.into())),
            Operation::Answer { attempt, answer } => self.answer(attempt, answer),
            Operation::Back { millis } => {
                let back = Duration::from_millis(millis.into());
                let back = self.clock.since_start().saturating_sub(back);
                self.drain_at(Timestamp::from_start(back));
            }
            Operation::Cancel { fetch } => {
                if let Some(id) = nth(&self.model.live(), fetch) {
                    assert_eq!(
                        self.engine.cancel(id, self.clock),
                        InputEffect::Applied,
                        "{id} is live"
                    );
                    self.model.cancel(id);
                }
            }
            Operation::Close => {
                self.engine.close(self.clock);
                self.closed = true;
                self.model.close();
            }
            Operation::Configure(policies) => self.configure(policies),
            Operation::Hold => self.hold(true),
            Operation::Release => self.hold(false),
            Operation::Restore { later } => self.restore(later),
            Operation::Stale => self.report_stale(),
            Operation::Submit { site, kind } => self.submit(site, kind),
            Operation::Wait => self.wait(),
        }
    }

    /// Polls the engine until it is idle.
    pub fn drain(&mut self) {
        self.drain_at(self.clock);
    }

    fn drain_at(&mut self, now: Timestamp) -> Vec<EngineOutput> {
        let mut outputs = Vec::new();
        self.model.advance_to(now);
        for _ in 0..MAX_STEPS {
            match self.engine.poll(now) {
                EngineOutput::Idle(idle) => {
                    self.model.check_idle(&self.engine, &idle, now);
                    let again = self.engine.poll(now);
                    assert_eq!(
                        again,
                        EngineOutput::Idle(idle),
                        "polling an idle engine changes nothing"
                    );
                    self.idle = Some(idle);
                    return outputs;
                }
                output => {
                    self.model.check_output(&output, &self.engine);
                    outputs.push(output);
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
            self.engine.pause_starts();
        } else {
            self.engine.resume_starts();
        }
        self.model.hold(held);
    }

    fn configure(&mut self, policies: PolicySet) {
        self.policies = policies;
        self.engine.set_config(policies.config(), self.clock);
        self.model.configure(policies);
    }

    fn submit(&mut self, site: RequestSite, kind: RequestKind) {
        self.tag += 1;
        let request = operation::request(site, kind, self.tag);
        match self.engine.submit(request.clone(), self.clock) {
            Ok(id) => self.model.fetch_submitted(id, &request),
            Err(rejected) => {
                let full = self.model.live().len() >= self.policies.config().window_size();
                assert!(self.closed || full, "there was room: {rejected}");
            }
        }
    }

    fn answer(&mut self, attempt: u8, answer: ServerAnswer) {
        let Some(id) = nth(&self.model.in_flight(), attempt) else {
            return;
        };
        self.model.advance_to(self.clock);
        for input in answer.inputs(self.model.has_head(id)) {
            let ends = matches!(input, Input::End(_));
            let handled = self.engine.handle(id, input.clone(), self.clock);
            if handled == InputEffect::Stale {
                continue; // the engine has ended the attempt, and its output is not yet polled
            }
            match input {
                Input::Head(head) => self.model.head_received(id, &head),
                _ if ends => self.model.attempt_ended(id),
                _ => {}
            }
        }
    }

    /// Inputs about ended attempts have no effect.
    fn report_stale(&mut self) {
        for id in self.model.ended_ids() {
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

    /// Advances the clock to the engine's wake time.
    fn wait(&mut self) {
        if let Some(wake) = self.idle.and_then(|idle| idle.wake) {
            self.clock = self.clock.max(wake.at);
        }
    }

    /// Restores a checkpoint in another process, whose clock shows another time.
    fn restore(&mut self, later: bool) {
        let hour = Duration::from_secs(3600);
        self.clock = if later {
            self.clock + hour
        } else {
            Timestamp::from_start(Duration::from_secs(1))
        };
        self.engine = Engine::restore(self.engine.checkpoint(), self.clock);
        self.model.restore(self.clock);
    }
}

fn nth<T: Copy>(all: &[T], n: u8) -> Option<T> {
    (!all.is_empty()).then(|| all[usize::from(n) % all.len()])
}
