//! Invariants checked over every interleaving of a few calls.

use alloc::vec::Vec;
use core::time::Duration;

use hashbrown::HashSet;

use super::*;
use crate::model::event::CircuitTransition;
use crate::model::time::Timestamp;

const TICK: Duration = Duration::from_millis(1);
const LEASE: Duration = Duration::from_millis(3);
const IN_FLIGHT: usize = 3;
const EVENTS: usize = 8;

/// A circuit with the history the checks need.
#[derive(Clone, Eq, Hash, PartialEq)]
struct CircuitModel {
    circuit: CircuitBreaker,
    now: Timestamp,
    /// Calls in flight, each with the time of its admission.
    in_flight: Vec<(BreakerCall, Timestamp)>,
}

fn small() -> Breaker {
    Breaker::default()
        .consecutive(2)
        .failure_ratio(500)
        .minimum_calls(3)
        .open(TICK * 2, 2, TICK * 4)
        .open_jitter(0)
        .probe_lease(LEASE)
        .window(TICK * 5)
}

impl CircuitModel {
    fn new(config: Breaker) -> Self {
        Self {
            circuit: CircuitBreaker::new(config, 7),
            now: Timestamp::START,
            in_flight: Vec::new(),
        }
    }

    /// All states that one event leads to.
    fn next(&self) -> Vec<Self> {
        let mut models: Vec<_> = self.later_times().collect();
        models.extend(self.admit());
        for i in 0..self.in_flight.len() {
            for result in [
                CallResult::Failure,
                CallResult::Neutral,
                CallResult::Success,
            ] {
                models.push(self.record(i, result));
            }
        }
        models
    }

    /// Later times: one tick, the next admission, and the end of a lease.
    fn later_times(&self) -> impl Iterator<Item = Self> {
        let denied = self.circuit.denial(self.now);
        let lease = self.in_flight.iter().map(|(_, since)| *since + LEASE);
        let times = [
            Some(self.now + TICK),
            denied.and_then(|denied| denied.until),
        ];
        let times: Vec<_> = times.into_iter().flatten().chain(lease).collect();
        let later = times.into_iter().filter(|time| *time > self.now);
        later.map(|now| Self {
            now,
            ..self.clone()
        })
    }

    fn admit(&self) -> Option<Self> {
        if self.in_flight.len() == IN_FLIGHT {
            return None;
        }
        let mut next = self.clone();
        let call = next.circuit.admit(self.now).ok()?;
        next.in_flight.push((call, self.now));
        Some(next)
    }

    /// Ends the `i`th call and checks the transition.
    fn record(&self, i: usize, result: CallResult) -> Self {
        let mut next = self.clone();
        let (call, _) = next.in_flight.remove(i);
        let transition = next.circuit.record(call, result, TICK, self.now);
        let states = [self, &next].map(|next| next.circuit.state(self.now));
        if call.generation != self.circuit.generation() {
            assert_eq!(
                next.circuit, self.circuit,
                "a late result changed something"
            );
        }
        if result == CallResult::Neutral {
            assert_eq!(transition, None, "a neutral result moved the state");
            let counts = [self, &next].map(|next| next.circuit.counts(self.now));
            assert_eq!((states[0], counts[0]), (states[1], counts[1]));
        }
        // A break that has ended, but has admitted no probe yet, ignores results.
        match transition {
            None => assert_eq!(states[0], states[1], "a change that was not reported"),
            Some(CircuitTransition::Closed) => assert_eq!(states[1], CircuitState::Closed),
            Some(CircuitTransition::Opened { until, .. }) => {
                assert_eq!(states[1], CircuitState::Open);
                assert!(until > self.now);
            }
        }
        next
    }

    fn check(&self, config: &Breaker) {
        self.check_probes(config);
        self.check_denial();
        self.check_that_it_can_close();
    }

    fn check_probes(&self, config: &Breaker) {
        let current = self.in_flight.iter().filter(|(call, since)| {
            let own = call.generation == self.circuit.generation();
            own && call.is_probe() && *since + LEASE > self.now
        });
        let probes = current.count();
        assert!(
            probes <= config.probes_at_once as usize,
            "{probes} probes at once"
        );
    }

    fn check_denial(&self) {
        let peek = self.circuit.denial(self.now);
        let mut circuit = self.circuit.clone();
        assert_eq!(circuit.admit(self.now).err(), peek);
        let Some(until) = peek.and_then(|denied| denied.until) else {
            return assert_eq!(peek, None);
        };
        assert!(until > self.now);
        let before = Timestamp::from_nanos(until.as_nanos() - 1);
        assert_eq!(self.circuit.denial(before).unwrap().until, Some(until));
        assert!(
            self.circuit.clone().admit(until).is_ok(),
            "the reported time was too early"
        );
    }

    /// Successful calls, each sent as soon as it is admitted, close the circuit whatever the calls
    /// in flight do.
    fn check_that_it_can_close(&self) {
        let (mut circuit, mut now) = (self.circuit.clone(), self.now);
        for _ in 0..20 {
            if circuit.state(now) == CircuitState::Closed {
                return;
            }
            match circuit.admit(now) {
                Ok(call) => {
                    circuit.record(call, CallResult::Success, TICK, now);
                }
                Err(denied) => now = denied.until.unwrap(),
            }
        }
        panic!("it does not close: {circuit:?}");
    }
}

/// Explores all states reachable within `events` events. Returns their number and the circuit
/// states seen.
fn explore(config: Breaker, start: CircuitModel, events: usize) -> (usize, Vec<CircuitState>) {
    let mut seen = HashSet::new();
    let mut states = Vec::new();
    let mut edge = Vec::from([start]);
    for _ in 0..=events {
        let mut next = Vec::new();
        for model in edge {
            if !seen.insert(model.clone()) {
                continue;
            }
            model.check(&config);
            let state = model.circuit.state(model.now);
            if !states.contains(&state) {
                states.push(state);
            }
            next.extend(model.next());
        }
        edge = next;
    }
    (seen.len(), states)
}

fn configs() -> impl Iterator<Item = Breaker> {
    let trials = [(1, 1, 1), (1, 2, 2), (2, 3, 1), (2, 3, 2), (3, 3, 3)];
    trials
        .map(|(k, n, at_once)| small().probes(k, n).probes_at_once(at_once))
        .into_iter()
}

#[test]
fn invariants_hold_from_the_initial_state() {
    for config in configs() {
        let (models, states) = explore(config, CircuitModel::new(config), EVENTS);
        assert!(models > 1_000, "{models} models");
        assert_eq!(states.len(), 3, "{states:?}");
    }
}

#[test]
fn invariants_hold_after_a_break_with_a_late_call_in_flight() {
    for config in configs() {
        let mut next = CircuitModel::new(config);
        for _ in 0..3 {
            next = next.admit().unwrap();
        }
        for _ in 0..2 {
            next = next.record(0, CallResult::Failure);
        }
        assert_eq!(next.circuit.state(next.now), CircuitState::Open);
        let (models, states) = explore(config, next, EVENTS);
        assert!(models > 1_000, "{models} models");
        assert_eq!(states.len(), 3, "{states:?}");
    }
}
