//! The driver of a simulation, in virtual time.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;
use core::time::Duration;

use super::arrivals::ArrivalQueue;
use super::attempts::{AttemptStage, AttemptTable, SimulatedAttempt};
use super::host_summary::RequestResult;
use super::hosts::HostTable;
use super::series::LoadSeries;
use super::{Simulation, SimulationSummary};
use crate::engine::{Engine, EngineOutput, IdleState};
use crate::fetch::request::FetchRequest;
use crate::model::attempt::{Attempt, HeadSummary, Input};
use crate::model::failure::FailureKind;
use crate::model::outcome::FetchOutcome;
use crate::model::time::Timestamp;
use crate::random::mix;
use crate::stats::batch::{BatchStats, FetchSample};

/// Events of aborted attempts are removed when the events exceed twice the attempts by this number.
const MAX_STALE_EVENTS: usize = 1024;

/// The time of an attempt's next event, with its serial number and index.
type PendingEvent = (Timestamp, u64, u32);

pub(super) struct SimulationRun<'a> {
    batch: BatchStats,
    pending: BinaryHeap<Reverse<PendingEvent>>,
    digest: u64,
    engine: Engine,
    attempts: AttemptTable,
    hosts: HostTable,
    now: Timestamp,
    max_in_flight_per_host: u32,
    max_in_flight: usize,
    serial: u64,
    series: LoadSeries,
    simulation: &'a Simulation,
    stuck: usize,
}

impl<'a> SimulationRun<'a> {
    pub(super) fn new(simulation: &'a Simulation) -> Self {
        let now = Timestamp::START;
        Self {
            batch: BatchStats::default(),
            pending: BinaryHeap::new(),
            digest: 0,
            engine: Engine::new(simulation.config.clone(), simulation.seed, now),
            attempts: AttemptTable::default(),
            hosts: HostTable::new(),
            now,
            max_in_flight_per_host: 0,
            max_in_flight: 0,
            serial: 0,
            series: LoadSeries::default(),
            simulation,
            stuck: 0,
        }
    }

    /// Runs the simulation to its end.
    pub(super) fn run(
        mut self,
        requests: impl Iterator<Item = FetchRequest>,
        mut each: impl FnMut(&FetchOutcome, Timestamp),
    ) -> SimulationSummary {
        let end = self.simulation.deadline.map(Timestamp::from_start);
        let mut arrivals = ArrivalQueue::new(self.simulation.arrivals, requests);
        let mut closed = false;
        loop {
            if !closed && end.is_some_and(|end| self.now >= end) {
                closed = true;
                self.engine.close(self.now);
            }
            let mut idle = self.drain(&mut each);
            let room = idle.room;
            while idle.room > 0
                && let Some(request) = arrivals.pop(self.now)
            {
                let submitted = self.engine.submit(request, self.now);
                assert!(submitted.is_ok(), "room was reported");
                idle.room -= 1;
            }
            if idle.room < room {
                continue;
            }
            let next = arrivals.next_at(self.now).filter(|_| room > 0);
            if idle.live == 0 && next.is_none() {
                return self.summary();
            }
            let end = end.filter(|_| !closed);
            closed |= self.advance(idle, end.into_iter().chain(next).min());
        }
    }

    /// Executes the engine's outputs until it is idle.
    fn drain(&mut self, each: &mut impl FnMut(&FetchOutcome, Timestamp)) -> IdleState {
        loop {
            let output = self.engine.poll(self.now);
            let (kind, id) = match &output {
                EngineOutput::Abort(id) => (1, u64::from(id.number)),
                EngineOutput::Accept(id) => (2, u64::from(id.number)),
                EngineOutput::Discard(id) => (3, u64::from(id.number)),
                EngineOutput::Done(_, outcome) => (4, outcome.tag),
                EngineOutput::Start(attempt) => (5, u64::from(attempt.id.number)),
                EngineOutput::AcquireToken(_)
                | EngineOutput::Event(..)
                | EngineOutput::Idle(_)
                | EngineOutput::Transfer { .. } => (0, 0),
            };
            if kind > 0 {
                self.digest = mix(self.digest ^ kind, mix(self.now.as_nanos(), id));
            }
            match output {
                EngineOutput::Abort(id) => {
                    if let Some(index) = self.attempts.find(id) {
                        self.finish_attempt(index, true);
                    }
                }
                // The token server of a simulation answers at once.
                EngineOutput::AcquireToken(token) => {
                    self.engine.token_acquired(token.profile, None, self.now);
                }
                EngineOutput::Done(_, outcome) => {
                    self.finish_fetch(&outcome);
                    each(&outcome, self.now);
                }
                EngineOutput::Idle(idle) => return idle,
                EngineOutput::Start(attempt) => self.start(&attempt),
                EngineOutput::Accept(_)
                | EngineOutput::Discard(_)
                | EngineOutput::Event(..)
                | EngineOutput::Transfer { .. } => {}
            }
        }
    }

    fn start(&mut self, attempt: &Attempt) {
        let now = self.now;
        let name = attempt.url.host_str().unwrap_or_default();
        let index = self.hosts.intern(name, self.simulation, now);
        let Some((host, summary)) = self.hosts.get_mut(index) else {
            return;
        };
        self.serial += 1;
        let reply = host.accept(now, mix(self.simulation.seed, self.serial));
        host.in_flight += 1;
        summary.record_request(reply.result, host.in_flight, now);
        self.max_in_flight_per_host = self.max_in_flight_per_host.max(host.in_flight);
        self.series.point_mut(now).requests += 1;
        self.series.attempt_started();
        let attempt_index = self.attempts.insert(SimulatedAttempt {
            body: (host.server.body, host.server.bandwidth),
            throttle_status: host.server.throttle_status,
            host: index,
            id: attempt.id,
            serial: self.serial,
            stage: AttemptStage::Head(reply.result, reply.retry_after),
        });
        self.max_in_flight = self.max_in_flight.max(self.attempts.len());
        if let Some(at) = reply.at {
            self.pending.push(Reverse((at, self.serial, attempt_index)));
        }
    }

    fn finish_fetch(&mut self, outcome: &FetchOutcome) {
        let name = outcome.url.host_str().unwrap_or_default();
        let index = self.hosts.intern(name, self.simulation, self.now);
        if let Some((_, summary)) = self.hosts.get_mut(index) {
            summary.record_outcome(outcome, self.now);
        }
        let sample = FetchSample::from(outcome);
        self.batch.record(&sample);
        let point = self.series.point_mut(self.now);
        let ok = outcome.status().is_some_and(|status| status < 400);
        *if ok { &mut point.ok } else { &mut point.failed } += 1;
    }

    /// Removes an attempt that is complete or aborted.
    fn finish_attempt(&mut self, index: u32, abandoned: bool) {
        let Some(attempt) = self.attempts.remove(index) else {
            return;
        };
        if let Some((host, summary)) = self.hosts.get_mut(attempt.host) {
            host.in_flight -= 1;
            summary.record_attempt_end(abandoned, self.now);
        }
        self.series.attempt_ended(self.now);
        if abandoned && self.pending.len() > 2 * self.attempts.len() + MAX_STALE_EVENTS {
            let attempts = &self.attempts;
            self.pending
                .retain(|Reverse((_, serial, index))| attempts.get(*index, *serial).is_some());
        }
    }

    /// Advances the clock to the next event, and delivers what is due. Returns true if the engine
    /// was closed because no event would ever happen.
    fn advance(&mut self, idle: IdleState, limit: Option<Timestamp>) -> bool {
        let answer = self.pending.peek().map(|Reverse((at, ..))| *at);
        let wake = idle.wake.map(|wake| wake.at);
        let Some(next) = answer.into_iter().chain(wake).chain(limit).min() else {
            assert!(
                self.attempts.len() > 0,
                "lost wake-up: unfinished fetches, but no event to come"
            );
            self.stuck = idle.live;
            self.engine.close(self.now);
            return true;
        };
        self.now = self.now.max(next);
        while let Some(Reverse((at, serial, index))) = self.pending.peek().copied() {
            if at > self.now {
                break;
            }
            self.pending.pop();
            if let Some(attempt) = self.attempts.get(index, serial) {
                self.deliver(index, attempt);
            } // else it was aborted
        }
        false
    }

    fn deliver(&mut self, index: u32, attempt: SimulatedAttempt) {
        match attempt.stage {
            AttemptStage::Head(result, retry_after) => match result.status() {
                Some(status) => {
                    let status = match result {
                        RequestResult::Throttled => attempt.throttle_status,
                        _ => status,
                    };
                    let head = HeadSummary::status(status).retry_after(retry_after);
                    self.engine.handle(attempt.id, Input::Head(head), self.now);
                    let (bytes, _) = attempt.body;
                    let bytes = if result == RequestResult::Ok {
                        bytes
                    } else {
                        0
                    };
                    self.send_body(index, attempt, bytes);
                }
                None if result == RequestResult::Refused => {
                    self.end_attempt(index, attempt, Err(FailureKind::Connect));
                }
                None => self.end_attempt(index, attempt, Err(FailureKind::Io)),
            },
            AttemptStage::Body { chunk, left } => {
                let input = Input::Body { bytes: chunk };
                self.engine.handle(attempt.id, input, self.now);
                self.send_body(index, attempt, left);
            }
        }
    }

    /// Schedules the next chunk of the body: at most the bytes of one second.
    fn send_body(&mut self, index: u32, attempt: SimulatedAttempt, left: u64) {
        let bandwidth = attempt.body.1.filter(|per_second| *per_second > 0);
        match bandwidth.filter(|_| left > 0) {
            Some(per_second) => {
                let chunk = left.min(per_second);
                let nanos = u128::from(chunk) * 1_000_000_000 / u128::from(per_second);
                let at = self.now + Duration::from_nanos(nanos as u64);
                let left = left - chunk;
                self.attempts
                    .set_stage(index, AttemptStage::Body { chunk, left });
                self.pending.push(Reverse((at, attempt.serial, index)));
            }
            None => {
                if left > 0 {
                    let input = Input::Body { bytes: left };
                    self.engine.handle(attempt.id, input, self.now);
                }
                self.end_attempt(index, attempt, Ok(()));
            }
        }
    }

    fn end_attempt(
        &mut self,
        index: u32,
        attempt: SimulatedAttempt,
        result: Result<(), FailureKind>,
    ) {
        self.finish_attempt(index, false);
        self.engine.handle(attempt.id, Input::End(result), self.now);
    }

    fn summary(mut self) -> SimulationSummary {
        let took = self.now.since_start();
        self.series.extend_to(took);
        let mut hosts = self.hosts.into_summaries();
        hosts.iter_mut().for_each(|host| host.extend_to(took));
        SimulationSummary {
            batch: self.batch,
            digest: self.digest,
            engine: self.engine.stats(),
            hosts,
            max_in_flight: self.max_in_flight,
            max_in_flight_per_host: self.max_in_flight_per_host as usize,
            series: self.series,
            stuck: self.stuck,
            took,
        }
    }
}
