//! Known pitfalls of other HTTP libraries that concern the engine. `docs/pitfalls.md` lists all of
//! them.

use std::time::Duration;

use fetch_proto::{
    Attempt, Breaker, CircuitState, Engine, EngineConfig, EngineOutput, FailureKind, FetchRequest,
    HeadSummary, Input, Policy, PolicyRules, RetryBudget, Timestamp,
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_millis(millis))
}

fn submit(engine: &mut Engine, url: &str) {
    let request = FetchRequest::get(url.parse().unwrap());
    engine.submit(request, at(0)).unwrap();
}

fn starts(engine: &mut Engine, now: Timestamp) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    loop {
        match engine.poll(now) {
            EngineOutput::Start(attempt) => attempts.push(attempt),
            EngineOutput::Idle(_) => return attempts,
            _ => {}
        }
    }
}

#[test]
fn one_bad_host_opens_its_own_circuit_alone() {
    let config = EngineConfig::default().breaker(Breaker::default().consecutive(1));
    let mut engine = Engine::new(config, 0, at(0));
    submit(&mut engine, "http://bad.test/");
    submit(&mut engine, "http://good.test/");
    let attempts = starts(&mut engine, at(0));
    engine.handle(attempts[0].id, Input::End(Err(FailureKind::Io)), at(1));
    assert!(starts(&mut engine, at(1)).is_empty());
    let circuit = |host| engine.host_stats(host).unwrap().circuit;
    assert_eq!(circuit("http://bad.test"), Some(CircuitState::Open));
    assert_eq!(circuit("http://good.test"), Some(CircuitState::Closed));
}

#[test]
fn a_spent_budget_leaves_what_is_in_flight_alone() {
    let budget = RetryBudget::Capacity {
        capacity: 0,
        retry_cost: 1,
        throttle_cost: 1,
        timeout_cost: 1,
    };
    let config = EngineConfig::default().budget(budget);
    let rules = PolicyRules::from_policy(Policy::default());
    let mut engine = Engine::new(config.rules(rules), 0, at(0));
    submit(&mut engine, "http://a.test/1");
    submit(&mut engine, "http://a.test/2");
    let attempts = starts(&mut engine, at(0));
    engine.handle(attempts[0].id, Input::End(Err(FailureKind::Io)), at(1));
    assert!(starts(&mut engine, at(1)).is_empty());
    engine.handle(attempts[1].id, Input::Head(HeadSummary::status(200)), at(2));
    engine.handle(attempts[1].id, Input::End(Ok(())), at(2));
    assert!(starts(&mut engine, at(2)).is_empty());
    let stats = engine.stats();
    assert_eq!((stats.failed, stats.responded), (1, 1));
}
