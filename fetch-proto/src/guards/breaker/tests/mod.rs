//! When a circuit opens and for how long, in each mode.

mod half_open;

use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::event::{CircuitTransition, TripReason};
use crate::model::time::Timestamp;
use CallResult::{Failure, Neutral, Success};

const SECOND: Duration = Duration::from_secs(1);
const QUICK: Duration = Duration::from_millis(5);

fn at(seconds: u32) -> Timestamp {
    Timestamp::START + SECOND * seconds
}

/// Breaks of exactly 5, 10, 20 … 60 s after two failures in a row; one probe at once, 2 of 3 close.
fn exact() -> Breaker {
    Breaker::default().consecutive(2).open_jitter(0)
}

fn call(
    circuit: &mut CircuitBreaker,
    result: CallResult,
    now: Timestamp,
) -> Option<CircuitTransition> {
    let call = circuit.admit(now).unwrap();
    circuit.record(call, result, QUICK, now)
}

fn calls(circuit: &mut CircuitBreaker, result: CallResult, n: u32) -> Option<CircuitTransition> {
    (0..n).filter_map(|_| call(circuit, result, at(0))).last()
}

fn opened(config: Breaker) -> CircuitBreaker {
    let mut circuit = CircuitBreaker::new(config, 7);
    let until = calls(&mut circuit, Failure, 2).map(|_| circuit.denial(at(0)));
    assert_eq!(until, Some(Some(CallNotPermitted { until: Some(at(5)) })));
    circuit
}

fn opened_until(transition: Option<CircuitTransition>) -> Timestamp {
    match transition {
        Some(CircuitTransition::Opened { until, .. }) => until,
        other => panic!("{other:?}"),
    }
}

/// Polly's table: test/Polly.Core.Tests/CircuitBreaker/Controller/AdvancedCircuitBehaviorTests.cs.
/// Its rates are those after the failure; here the last call is the failure.
#[test]
fn failure_ratio_opens_from_minimum_calls_on() {
    let table = [
        (10, 1, 100, true),
        (10, 2, 100, true),
        (11, 2, 100, true),
        (9, 1, 100, false),
        (10, 1, 101, false),
        (10, 9, 1000, false),
        (10, 10, 1000, true),
        (10, 10, u16::MAX, true),
    ];
    for (throughput, failures, ratio, opens) in table {
        let config = Breaker::default().failure_ratio(ratio).minimum_calls(10);
        let mut circuit = CircuitBreaker::new(config, 7);
        calls(&mut circuit, Failure, failures - 1);
        calls(&mut circuit, Success, throughput - failures);
        let last = calls(&mut circuit, Failure, 1);
        assert_eq!(
            last.is_some(),
            opens,
            "{failures} of {throughput}, {ratio} ‰"
        );
    }
}

#[test]
fn successful_call_never_opens() {
    let mut circuit = CircuitBreaker::new(Breaker::default(), 7);
    calls(&mut circuit, Failure, 7);
    assert_eq!(calls(&mut circuit, Success, 1), None);
    let trip = calls(&mut circuit, Failure, 1);
    assert!(matches!(
        trip,
        Some(CircuitTransition::Opened {
            trip: TripReason::FailureRatio,
            ..
        })
    ));
}

// Polly #1854.
#[test]
fn consecutive_failures_open_and_a_success_resets_the_count() {
    let config = Breaker::default().failure_ratio(None).consecutive(3);
    let mut circuit = CircuitBreaker::new(config, 7);
    for result in [Failure, Failure, Success, Failure, Neutral, Failure] {
        assert_eq!(call(&mut circuit, result, at(0)), None);
    }
    let trip = call(&mut circuit, Failure, at(0));
    assert!(matches!(
        trip,
        Some(CircuitTransition::Opened {
            trip: TripReason::Consecutive,
            ..
        })
    ));
}

#[test]
fn failures_a_window_apart_are_not_consecutive() {
    let mut circuit = CircuitBreaker::new(exact(), 7);
    for minute in 0..10 {
        assert_eq!(call(&mut circuit, Failure, at(60 * minute)), None);
    }
}

#[test]
fn slow_calls_open_regardless_of_their_result() {
    let config = Breaker::default()
        .failure_ratio(None)
        .slow(500, SECOND)
        .minimum_calls(4);
    for slow_verdict in [Success, Failure] {
        let mut circuit = CircuitBreaker::new(config, 7);
        let mut settle = |result, took| {
            let call = circuit.admit(at(0)).unwrap();
            circuit.record(call, result, took, at(0))
        };
        assert_eq!(
            settle(Failure, SECOND),
            None,
            "as long as the limit is not slow"
        );
        assert_eq!(settle(Success, QUICK), None);
        assert_eq!(settle(slow_verdict, SECOND * 2), None);
        let trip = settle(slow_verdict, SECOND * 2);
        assert!(matches!(
            trip,
            Some(CircuitTransition::Opened {
                trip: TripReason::SlowRatio,
                ..
            })
        ));
    }
}

#[test]
fn breaks_grow_up_to_the_cap_until_the_circuit_closes() {
    let mut circuit = opened(exact().probes(1, 1));
    let mut now = at(5);
    for length in [10, 20, 40, 60, 60] {
        let until = opened_until(call(&mut circuit, Failure, now));
        assert_eq!(until, now + SECOND * length);
        now = until;
    }
    assert_eq!(
        call(&mut circuit, Success, now),
        Some(CircuitTransition::Closed)
    );
    call(&mut circuit, Failure, now);
    assert_eq!(
        opened_until(call(&mut circuit, Failure, now)),
        now + SECOND * 5
    );
}

#[test]
fn jitter_only_lengthens_a_break_and_depends_on_the_seed() {
    let config = Breaker::default().consecutive(1).probes(1, 1);
    let length = |seed| {
        let mut circuit = CircuitBreaker::new(config, seed);
        opened_until(call(&mut circuit, Failure, at(0))).since_start()
    };
    let lengths: Vec<_> = (0..1000).map(length).collect();
    let (shortest, longest) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
    assert!(*shortest >= SECOND * 5 && *longest <= Duration::from_millis(7500));
    assert!(*longest - *shortest > Duration::from_millis(2400));
    assert_eq!(lengths, (0..1000).map(length).collect::<Vec<_>>());
}

#[test]
fn each_break_has_its_own_jitter() {
    let config = Breaker::default()
        .consecutive(1)
        .probes(1, 1)
        .open(SECOND, 1, SECOND);
    let mut circuit = CircuitBreaker::new(config, 7);
    let first = opened_until(call(&mut circuit, Failure, at(0)));
    let second = opened_until(call(&mut circuit, Failure, first));
    assert_ne!(first.since_start(), second.saturating_since(first));
}

// Polly #1979, resilience4j #903 and #935.
// Polly #216, tower-resilience #382, resilience4j #1432.
// Polly #217.
#[test]
fn late_result_is_ignored_in_another_state() {
    let mut circuit = CircuitBreaker::new(exact().probes(1, 1), 7);
    let [early, later, latest] = [0, 1, 2].map(|_| circuit.admit(at(0)).unwrap());
    calls(&mut circuit, Failure, 2);
    let open = circuit.clone();
    assert_eq!(circuit.record(early, Failure, QUICK, at(1)), None);
    assert_eq!(circuit, open, "a break is not extended");

    let probe = circuit.admit(at(5)).unwrap();
    let half_open = circuit.clone();
    for result in [Success, Failure, Neutral] {
        assert_eq!(circuit.record(later, result, QUICK, at(6)), None);
        assert_eq!(circuit, half_open);
    }
    circuit.record(probe, Success, QUICK, at(6));
    assert_eq!(circuit.record(latest, Failure, QUICK, at(7)), None);
    assert_eq!(circuit.counts(at(7)), CallCounts::default());
}

// Polly #2381.
// zio-openfeature #263.
#[test]
fn clock_running_backwards_is_harmless() {
    let mut circuit = CircuitBreaker::new(exact().probes(1, 1), 7);
    call(&mut circuit, Failure, at(100));
    let until = opened_until(call(&mut circuit, Failure, at(50)));
    assert_eq!(until, at(55));
    assert_eq!(
        circuit.admit(at(0)),
        Err(CallNotPermitted { until: Some(until) })
    );
    let probe = circuit.admit(until).unwrap();
    assert_eq!(
        circuit.admit(at(0)),
        Err(CallNotPermitted {
            until: Some(at(85))
        })
    );
    assert_eq!(
        circuit.record(probe, Success, QUICK, at(0)),
        Some(CircuitTransition::Closed)
    );
    assert!(circuit.admit(at(0)).is_ok());
}

#[test]
fn closing_clears_the_counts() {
    let mut circuit = opened(exact().failure_ratio(1).minimum_calls(3).probes(1, 1));
    assert_eq!(
        call(&mut circuit, Success, at(5)),
        Some(CircuitTransition::Closed)
    );
    assert_eq!(circuit.counts(at(5)).calls, 0);
    assert_eq!(call(&mut circuit, Failure, at(5)), None);
}

#[test]
fn failures_expire_after_the_window() {
    let mut circuit = CircuitBreaker::new(Breaker::default(), 7);
    calls(&mut circuit, Failure, 7);
    assert_eq!(call(&mut circuit, Failure, at(30)), None);
    assert_eq!(circuit.counts(at(30)).failures, 1);
}

#[test]
fn modes_admit_and_count_as_documented() {
    let table = [
        (BreakerMode::Disabled, CircuitState::Closed, 0),
        (BreakerMode::MetricsOnly, CircuitState::Closed, 9),
        (BreakerMode::Normal, CircuitState::Open, 2),
    ];
    for (mode, state, counted) in table {
        let mut circuit = CircuitBreaker::new(exact().mode(mode), 7);
        for _ in 0..9 {
            if let Ok(call) = circuit.admit(at(0)) {
                circuit.record(call, Failure, QUICK, at(0));
            }
        }
        assert_eq!(circuit.state(at(0)), state, "{mode:?}");
        assert_eq!(circuit.counts(at(0)).failures, counted, "{mode:?}");
    }
    let forced = CircuitBreaker::new(exact().mode(BreakerMode::ForcedOpen), 7);
    assert_eq!(
        forced.denial(Timestamp::MAX),
        Some(CallNotPermitted { until: None })
    );
}

#[test]
fn open_state_survives_a_change_of_mode() {
    let mut circuit = opened(exact());
    for mode in [BreakerMode::Disabled, BreakerMode::MetricsOnly] {
        circuit.set_config(exact().mode(mode));
        assert_eq!(call(&mut circuit, Success, at(1)), None);
    }
    let admitted_meanwhile = circuit.admit(at(1)).unwrap();
    circuit.set_config(exact());
    assert_eq!(circuit.state(at(1)), CircuitState::Open);
    let before = circuit.clone();
    assert_eq!(
        circuit.record(admitted_meanwhile, Failure, QUICK, at(1)),
        None
    );
    assert_eq!(circuit, before);
    assert!(circuit.admit(at(5)).unwrap().is_probe());
}

#[test]
fn new_config_keeps_the_counts() {
    let mut circuit = CircuitBreaker::new(Breaker::default(), 7);
    calls(&mut circuit, Failure, 7);
    circuit.set_config(Breaker::default().window(SECOND * 60));
    assert_eq!(circuit.counts(at(50)).failures, 7);
    assert!(call(&mut circuit, Failure, at(50)).is_some());
}

#[test]
fn it_is_idle_when_the_state_equals_a_new_one() {
    let mut circuit = opened(exact().probes(1, 1));
    assert_eq!(circuit.idle_at(), at(35), "a window after the break");
    circuit.admit(at(5)).unwrap();
    assert_eq!(circuit.idle_at(), at(65), "a window after the lease");
    let probe = circuit.admit(at(35)).unwrap();
    circuit.record(probe, Success, QUICK, at(36));
    assert!(circuit.idle_at() <= at(36), "closed, and nothing counted");
    call(&mut circuit, Failure, at(36));
    assert!(circuit.idle_at() > at(65) && circuit.idle_at() <= at(66));
}

#[test]
fn extremes_do_not_overflow() {
    let most = Breaker::default()
        .open(Duration::MAX, u32::MAX, Duration::MAX)
        .open_jitter(u16::MAX)
        .probe_lease(Duration::MAX)
        .probes(u32::MAX, u32::MAX)
        .probes_at_once(u32::MAX)
        .window(Duration::MAX);
    let least = Breaker::default()
        .open(Duration::ZERO, 0, Duration::ZERO)
        .minimum_calls(0)
        .probe_lease(Duration::ZERO)
        .probes(0, 0)
        .probes_at_once(0)
        .slow(0, Duration::ZERO)
        .window(Duration::ZERO);
    for config in [most.consecutive(0), least.consecutive(0)] {
        let mut circuit = CircuitBreaker::new(config, u64::MAX);
        for now in [Timestamp::START, Timestamp::MAX, Timestamp::START] {
            for result in [Failure, Success, Neutral, Failure] {
                if let Ok(call) = circuit.admit(now) {
                    circuit.record(call, result, Duration::MAX, now);
                }
            }
            assert!(circuit.idle_at() <= Timestamp::MAX);
        }
    }
}

proptest! {
    /// Compares with a reference that stores every call with its slot number.
    #[test]
    fn window_agrees_with_a_naive_count(
        calls in vec((0_u32..300, any::<bool>(), any::<bool>()), 1..200),
        ratio in 1_u16..=1000, slow_ratio in 1_u16..=1000, minimum in 1_u32..20,
    ) {
        let config = Breaker::default()
            .failure_ratio(ratio).slow(slow_ratio, SECOND).minimum_calls(minimum).window(SECOND)
            // Disables the default criterion of 20 consecutive failures.
            .consecutive(None);
        let mut circuit = CircuitBreaker::new(config, 7);
        let (mut ms, mut origin, mut seen) = (0, 0, Vec::<(u32, bool, bool)>::new());
        for (step, failed, slow) in calls {
            ms += step;
            if seen.iter().all(|(slot, ..)| slot + 10 <= (ms - origin) / 100) {
                (origin, seen) = (ms, Vec::new()); // After an idle window the slots restart.
            }
            let slot = (ms - origin) / 100;
            seen.push((slot, failed, slow));
            let live: Vec<_> = seen.iter().filter(|(old, ..)| old + 10 > slot).collect();
            let reached = |part: usize, ratio: u16| {
                live.len() >= minimum as usize && part * 1000 >= usize::from(ratio) * live.len()
            };
            let failures = live.iter().filter(|call| call.1).count();
            let slows = live.iter().filter(|call| call.2).count();
            let expected =
                (failed && reached(failures, ratio)) || (slow && reached(slows, slow_ratio));

            let now = Timestamp::START + Duration::from_millis(ms.into());
            let call = circuit.admit(now).unwrap();
            let result = if failed { Failure } else { Success };
            let took = if slow { SECOND * 2 } else { QUICK };
            let transition = circuit.record(call, result, took, now);
            prop_assert_eq!(circuit.counts(now).calls as usize, live.len());
            prop_assert_eq!(circuit.counts(now).failures as usize, failures);
            prop_assert_eq!(transition.is_some(), expected);
            if expected {
                break;
            }
        }
    }
}

#[test]
fn the_circuit_for_outages_opens_after_failures_in_a_row_and_not_by_their_ratio() {
    let mut circuit = CircuitBreaker::new(Breaker::FOR_OUTAGES, 7);
    for second in 0..60 {
        let result = if second % 4 == 3 { Success } else { Failure };
        let when = Timestamp::START + Duration::from_millis(second * 100);
        call(&mut circuit, result, when);
    }
    assert_eq!(circuit.state(at(6)), CircuitState::Closed);
    for _ in 0..20 {
        call(&mut circuit, Failure, at(6));
    }
    assert_eq!(circuit.state(at(6)), CircuitState::Open);
    // The first break is 500 ms, with at most 20 % of jitter; one successful probe ends the outage.
    let after = at(6) + Duration::from_millis(601);
    assert_eq!(circuit.state(after), CircuitState::HalfOpen);
    call(&mut circuit, Success, after);
    assert_eq!(circuit.state(after), CircuitState::Closed);
}
