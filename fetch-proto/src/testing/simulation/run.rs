//! The driver in virtual time: it sleeps exactly until something happens.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;
use core::time::Duration;

use super::arrivals::Arrivals;
use super::flights::{Flight, Flights, Stage};
use super::hosts::Hosts;
use super::load::RequestResult;
use super::series::LoadSeries;
use super::{Simulation, SimulationSummary};
use crate::engine::{Engine, Idle, Output};
use crate::fetch::request::FetchRequest;
use crate::model::attempt::{Attempt, HeadSummary, Input};
use crate::model::failure::FailureKind;
use crate::model::outcome::FetchOutcome;
use crate::model::time::Timestamp;
use crate::random::mix;
use crate::stats::batch::{BatchStats, FetchSample};

/// Answers to attempts that were given up are kept until there are so many more than flights.
const SLACK: usize = 1024;

/// When something happens, in which flight, by serial and place.
type Coming = (Timestamp, u64, u32);

pub(super) struct Running<'a> {
    batch: BatchStats,
    coming: BinaryHeap<Reverse<Coming>>,
    digest: u64,
    engine: Engine,
    flights: Flights,
    hosts: Hosts,
    now: Timestamp,
    peak_per_host: u32,
    peak: usize,
    serial: u64,
    series: LoadSeries,
    simulation: &'a Simulation,
    stuck: usize,
}

impl<'a> Running<'a> {
    pub(super) fn new(simulation: &'a Simulation) -> Self {
        let now = Timestamp::START;
        Self {
            batch: BatchStats::default(),
            coming: BinaryHeap::new(),
            digest: 0,
            engine: Engine::new(simulation.config.clone(), simulation.seed, now),
            flights: Flights::default(),
            hosts: Hosts::new(),
            now,
            peak_per_host: 0,
            peak: 0,
            serial: 0,
            series: LoadSeries::default(),
            simulation,
            stuck: 0,
        }
    }

    /// Runs it to its end.
    pub(super) fn run(
        mut self,
        requests: impl Iterator<Item = FetchRequest>,
        mut each: impl FnMut(&FetchOutcome, Timestamp),
    ) -> SimulationSummary {
        let end = self.simulation.deadline.map(Timestamp::from_start);
        let mut arrivals = Arrivals::new(self.simulation.arrivals, requests);
        let mut closed = false;
        loop {
            if !closed && end.is_some_and(|end| self.now >= end) {
                closed = true;
                self.engine.close(self.now);
            }
            let mut idle = self.drain(&mut each);
            let room = idle.room;
            while idle.room > 0
                && let Some(request) = arrivals.take(self.now)
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

    /// Obeys the engine until it is idle.
    fn drain(&mut self, each: &mut impl FnMut(&FetchOutcome, Timestamp)) -> Idle {
        loop {
            let output = self.engine.poll(self.now);
            let (kind, id) = match &output {
                Output::Abort(id) => (1, u64::from(id.number)),
                Output::Accept(id) => (2, u64::from(id.number)),
                Output::Discard(id) => (3, u64::from(id.number)),
                Output::Done(_, outcome) => (4, outcome.tag),
                Output::Start(attempt) => (5, u64::from(attempt.id.number)),
                Output::Event(..) | Output::Idle(_) | Output::Leave { .. } => (0, 0),
            };
            if kind > 0 {
                self.digest = mix(self.digest ^ kind, mix(self.now.as_nanos(), id));
            }
            match output {
                Output::Abort(id) => {
                    if let Some(place) = self.flights.find(id) {
                        self.land(place, true);
                    }
                }
                Output::Done(_, outcome) => {
                    self.done(&outcome);
                    each(&outcome, self.now);
                }
                Output::Idle(idle) => return idle,
                Output::Start(attempt) => self.start(&attempt),
                Output::Accept(_)
                | Output::Discard(_)
                | Output::Event(..)
                | Output::Leave { .. } => {}
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
        let reply = host.take(now, mix(self.simulation.seed, self.serial));
        host.flying += 1;
        summary.received(reply.fate, host.flying, now);
        self.peak_per_host = self.peak_per_host.max(host.flying);
        self.series.at(now).requests += 1;
        self.series.rise();
        let place = self.flights.insert(Flight {
            body: (host.server.body, host.server.bandwidth),
            host: index,
            id: attempt.id,
            serial: self.serial,
            stage: Stage::Head(reply.fate, reply.retry_after),
        });
        self.peak = self.peak.max(self.flights.len());
        if let Some(at) = reply.at {
            self.coming.push(Reverse((at, self.serial, place)));
        }
    }

    fn done(&mut self, outcome: &FetchOutcome) {
        let name = outcome.url.host_str().unwrap_or_default();
        let index = self.hosts.intern(name, self.simulation, self.now);
        if let Some((_, summary)) = self.hosts.get_mut(index) {
            summary.ended(outcome, self.now);
        }
        let sample = FetchSample::from(outcome);
        self.batch.record(&sample);
        let point = self.series.at(self.now);
        let ok = outcome.status().is_some_and(|status| status < 400);
        *if ok { &mut point.ok } else { &mut point.failed } += 1;
    }

    /// The flight is over: its answer is complete, or the client gave up.
    fn land(&mut self, place: u32, abandoned: bool) {
        let Some(flight) = self.flights.remove(place) else {
            return;
        };
        if let Some((host, summary)) = self.hosts.get_mut(flight.host) {
            host.flying -= 1;
            summary.landed(abandoned, self.now);
        }
        self.series.fall(self.now);
        if abandoned && self.coming.len() > 2 * self.flights.len() + SLACK {
            let flights = &self.flights;
            self.coming
                .retain(|Reverse((_, serial, place))| flights.get(*place, *serial).is_some());
        }
    }

    /// Sleeps until something happens, and hands over what comes. Whether all was ended because
    /// nothing ever would.
    fn advance(&mut self, idle: Idle, limit: Option<Timestamp>) -> bool {
        let answer = self.coming.peek().map(|Reverse((at, ..))| *at);
        let wake = idle.wake.map(|wake| wake.at);
        let Some(next) = answer.into_iter().chain(wake).chain(limit).min() else {
            assert!(
                self.flights.len() > 0,
                "fetches are live, but nothing will happen"
            );
            self.stuck = idle.live;
            self.engine.close(self.now);
            return true;
        };
        self.now = self.now.max(next);
        while let Some(Reverse((at, serial, place))) = self.coming.peek().copied() {
            if at > self.now {
                break;
            }
            self.coming.pop();
            if let Some(flight) = self.flights.get(place, serial) {
                self.deliver(place, flight);
            } // else it was given up meanwhile
        }
        false
    }

    fn deliver(&mut self, place: u32, flight: Flight) {
        match flight.stage {
            Stage::Head(fate, retry_after) => match fate.status() {
                Some(status) => {
                    let head = HeadSummary {
                        retry_after,
                        ..HeadSummary::status(status)
                    };
                    self.engine.handle(flight.id, Input::Head(head), self.now);
                    let (bytes, _) = flight.body;
                    self.body(
                        place,
                        flight,
                        if fate == RequestResult::Ok { bytes } else { 0 },
                    );
                }
                None if fate == RequestResult::Refused => {
                    self.end(place, flight, Err(FailureKind::Connect))
                }
                None => self.end(place, flight, Err(FailureKind::Io)),
            },
            Stage::Body { piece, left } => {
                let input = Input::Body { bytes: piece };
                self.engine.handle(flight.id, input, self.now);
                self.body(place, flight, left);
            }
        }
    }

    /// Lets the next piece of the body come, a second's worth at the most.
    fn body(&mut self, place: u32, flight: Flight, left: u64) {
        let bandwidth = flight.body.1.filter(|per_second| *per_second > 0);
        match bandwidth.filter(|_| left > 0) {
            Some(per_second) => {
                let piece = left.min(per_second);
                let nanos = u128::from(piece) * 1_000_000_000 / u128::from(per_second);
                let at = self.now + Duration::from_nanos(nanos as u64);
                let left = left - piece;
                self.flights.set(place, Stage::Body { piece, left });
                self.coming.push(Reverse((at, flight.serial, place)));
            }
            None => {
                if left > 0 {
                    let input = Input::Body { bytes: left };
                    self.engine.handle(flight.id, input, self.now);
                }
                self.end(place, flight, Ok(()));
            }
        }
    }

    fn end(&mut self, place: u32, flight: Flight, result: Result<(), FailureKind>) {
        self.land(place, false);
        self.engine.handle(flight.id, Input::End(result), self.now);
    }

    fn summary(mut self) -> SimulationSummary {
        let took = self.now.since_start();
        self.series.stretch(took);
        let mut hosts = self.hosts.into_summaries();
        hosts.iter_mut().for_each(|host| host.finish(took));
        SimulationSummary {
            batch: self.batch,
            digest: self.digest,
            engine: self.engine.stats(),
            hosts,
            max_in_flight: self.peak,
            max_in_flight_per_host: self.peak_per_host as usize,
            series: self.series,
            stuck: self.stuck,
            took,
        }
    }
}
