//! Probes: how many are admitted, what they decide, and late results.

use super::*;

#[test]
fn slow_probe_counts_as_failed() {
    let mut circuit = opened(exact().slow(1000, SECOND).probes(1, 1));
    let probe = circuit.admit(at(5)).unwrap();
    let transition = circuit.record(probe, Success, SECOND * 2, at(7));
    assert!(matches!(
        transition,
        Some(CircuitTransition::Opened {
            trip: TripReason::Probes,
            ..
        })
    ));
}

#[test]
fn unreported_probes_do_not_block_the_circuit() {
    let mut circuit = opened(exact());
    assert!(circuit.admit(at(5)).unwrap().is_probe());
    let lease_ends = CallNotPermitted {
        until: Some(at(35)),
    };
    assert_eq!(circuit.admit(at(34)), Err(lease_ends));
    assert_eq!(call(&mut circuit, Success, at(35)), None);
    assert_eq!(
        call(&mut circuit, Success, at(35)),
        Some(CircuitTransition::Closed)
    );
}

#[test]
fn probe_result_counts_after_its_lease() {
    let mut circuit = opened(exact().probes(1, 1));
    let late = circuit.admit(at(5)).unwrap();
    circuit.admit(at(35)).unwrap();
    let transition = circuit.record(late, Success, SECOND * 40, at(45));
    assert_eq!(transition, Some(CircuitTransition::Closed));
}

#[test]
fn probes_at_once_are_limited() {
    let mut circuit = opened(exact().probes(3, 3).probes_at_once(2));
    circuit.admit(at(5)).unwrap();
    circuit.admit(at(6)).unwrap();
    assert_eq!(
        circuit.admit(at(7)),
        Err(CallNotPermitted {
            until: Some(at(35))
        })
    );
    assert!(circuit.admit(at(35)).is_ok());
    assert_eq!(
        circuit.admit(at(35)),
        Err(CallNotPermitted {
            until: Some(at(36))
        })
    );
}

#[test]
fn useless_probes_are_not_admitted() {
    let mut circuit = opened(exact().probes(2, 2).probes_at_once(9));
    let first = circuit.admit(at(5)).unwrap();
    circuit.admit(at(5)).unwrap();
    assert!(circuit.admit(at(5)).is_err());
    circuit.record(first, Success, QUICK, at(6));
    assert!(
        circuit.admit(at(6)).is_err(),
        "one has ended, one is in flight, two decide"
    );
}

#[test]
fn one_failed_probe_does_not_reopen() {
    let mut circuit = opened(exact());
    let verdicts = [Success, Failure, Success];
    let transitions = verdicts.map(|result| call(&mut circuit, result, at(5)));
    assert_eq!(transitions, [None, None, Some(CircuitTransition::Closed)]);
}

#[test]
fn reopens_as_soon_as_too_many_probes_failed() {
    let mut circuit = opened(exact());
    assert_eq!(call(&mut circuit, Failure, at(5)), None);
    assert_eq!(opened_until(call(&mut circuit, Failure, at(5))), at(15));
}

#[test]
fn neutral_probe_only_frees_its_slot() {
    let mut circuit = opened(exact().probes(1, 1));
    for _ in 0..10 {
        assert_eq!(call(&mut circuit, Neutral, at(5)), None);
        assert_eq!(circuit.state(at(5)), CircuitState::HalfOpen);
    }
    assert_eq!(
        call(&mut circuit, Success, at(5)),
        Some(CircuitTransition::Closed)
    );
}

#[test]
fn new_probe_limits_never_leave_the_phase_undecided() {
    let mut circuit = opened(exact().probes(5, 5).probes_at_once(3));
    (0..3).for_each(|_| assert_eq!(call(&mut circuit, Success, at(5)), None));
    let on_its_way = [(); 3].map(|()| circuit.admit(at(5)).ok());
    assert_eq!(
        on_its_way.iter().flatten().count(),
        2,
        "as many as can decide"
    );
    circuit.set_config(exact().probes(1, 1));
    assert_eq!(
        circuit.admit(at(6)),
        Err(CallNotPermitted {
            until: Some(at(35))
        })
    );
    assert_eq!(
        call(&mut circuit, Success, at(35)),
        Some(CircuitTransition::Closed)
    );
}

#[test]
fn new_probe_limits_restart_the_phase() {
    let mut circuit = opened(exact().probes(3, 5));
    for result in [Success, Success, Failure, Failure] {
        assert_eq!(call(&mut circuit, result, at(5)), None);
    }
    circuit.set_config(exact().probes(3, 5).probe_lease(SECOND));
    let unchanged = call(&mut circuit.clone(), Success, at(5));
    assert_eq!(unchanged, Some(CircuitTransition::Closed));
    circuit.set_config(exact().probes(2, 3));
    let verdicts = [Failure, Success, Success];
    let transitions = verdicts.map(|result| call(&mut circuit, result, at(5)));
    assert_eq!(transitions, [None, None, Some(CircuitTransition::Closed)]);
}

#[cfg(feature = "serde")]
#[test]
fn half_open_circuit_survives_json() {
    let mut circuit = opened(exact());
    let probe = circuit.admit(at(5)).unwrap();
    let json = serde_json::to_string(&(&circuit, probe)).unwrap();
    let (read, call) = serde_json::from_str::<(CircuitBreaker, BreakerCall)>(&json).unwrap();
    assert_eq!((read, call), (circuit, probe));
    let few = serde_json::from_str::<Breaker>(r#"{"consecutive":3,"on_open":"fail_fast"}"#);
    let same = Breaker::default().consecutive(3).on_open(OnOpen::FailFast);
    assert_eq!(few.unwrap(), same);
    assert!(serde_json::from_str::<Breaker>(r#"{"windw":1}"#).is_err());
}
