//! Regression tests for bugs that the exhaustive and the random runs found.

use std::time::Duration;

use fetch_proto::{
    Attempt, BalanceStrategy, BalancedTarget, Breaker, Engine, EngineConfig, EngineOutput,
    FailureKind, Fallback, FetchError, FetchRequest, HeadSummary, Input, OnOpen, OutlierDetection,
    Policy, PolicyRules, Rate, TargetEndpoint, Timeouts, Timestamp,
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_millis(millis))
}

fn get(url: &str) -> FetchRequest {
    FetchRequest::get(url.parse().unwrap())
}

/// All outputs until the engine is idle.
fn outputs(engine: &mut Engine, now: Timestamp) -> Vec<EngineOutput> {
    let mut outputs = Vec::new();
    loop {
        match engine.poll(now) {
            EngineOutput::Idle(_) => return outputs,
            output => outputs.push(output),
        }
    }
}

fn starts(engine: &mut Engine, now: Timestamp) -> Vec<Attempt> {
    let outputs = outputs(engine, now).into_iter();
    let starts = outputs.filter_map(|output| match output {
        EngineOutput::Start(attempt) => Some(attempt),
        _ => None,
    });
    starts.collect()
}

fn start(engine: &mut Engine, now: Timestamp) -> Attempt {
    let mut starts = starts(engine, now);
    assert_eq!(starts.len(), 1, "one attempt starts");
    starts.remove(0)
}

#[test]
fn a_fetch_that_an_open_circuit_rejects_ends_before_the_engine_is_idle() {
    let breaker = Breaker::default().consecutive(1).on_open(OnOpen::FailFast);
    let rules = PolicyRules::from_policy(Policy::default().attempts(1));
    let mut engine = Engine::new(
        EngineConfig::default().breaker(breaker).rules(rules),
        0,
        at(0),
    );
    engine.submit(get("http://a.test/1"), at(0)).unwrap();
    let first = start(&mut engine, at(0));
    engine.handle(first.id, Input::End(Err(FailureKind::Io)), at(1));
    let _ = outputs(&mut engine, at(1));
    engine.submit(get("http://a.test/2"), at(2)).unwrap();
    let last = outputs(&mut engine, at(2))
        .pop()
        .expect("the engine has an output");
    assert!(
        matches!(last, EngineOutput::Done(_, outcome) if outcome.result == Err(FetchError::CircuitOpen))
    );
}

fn shared(url: &str) -> FetchRequest {
    get(url).share(Some(1))
}

#[test]
fn a_follower_cancelled_with_its_leader_sends_no_request() {
    let mut engine = Engine::new(EngineConfig::default(), 0, at(0));
    let ids = [0; 2].map(|_| engine.submit(shared("http://a.test/"), at(0)).unwrap());
    let _ = start(&mut engine, at(0));
    for id in ids {
        engine.cancel(id, at(1));
    }
    let outputs = outputs(&mut engine, at(1));
    let cancelled = |output: &&EngineOutput| match output {
        EngineOutput::Done(_, outcome) => outcome.result == Err(FetchError::Cancelled),
        _ => false,
    };
    assert_eq!(outputs.iter().filter(cancelled).count(), 2, "{outputs:?}");
}

#[test]
fn a_follower_on_its_fallback_does_not_get_the_leaders_result() {
    let limits = Timeouts::NONE.queue(Duration::from_secs(1));
    let fallback = Fallback::to("http://b.test/".parse().unwrap());
    let policy = Policy::default().timeouts(limits).fallback(fallback);
    let mut engine = Engine::new(
        EngineConfig::default().rules(PolicyRules::from_policy(policy)),
        0,
        at(0),
    );
    let leader = engine.submit(shared("http://a.test/"), at(0)).unwrap();
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    let first = start(&mut engine, at(0));
    let other = start(&mut engine, at(1000));
    assert_eq!(other.url.as_str(), "http://b.test/");
    engine.handle(first.id, Input::Head(HeadSummary::status(200)), at(1001));
    engine.handle(first.id, Input::End(Ok(())), at(1001));
    let outputs = outputs(&mut engine, at(1001));
    let done =
        |output: &&EngineOutput| matches!(output, EngineOutput::Done(id, _) if *id == leader);
    assert_eq!(outputs.iter().filter(done).count(), 1);
    assert_eq!(engine.stats().live, 1);
    assert_eq!(engine.stats().in_flight, 1);
}

#[test]
fn a_removed_endpoint_stays_until_its_attempts_have_ended() {
    let target = BalancedTarget::new([TargetEndpoint::new("http://a.test".parse().unwrap())]);
    let service = "http://service.test".parse().unwrap();
    let config = EngineConfig::default().target(service, target).unwrap();
    let mut engine = Engine::new(config, 0, at(0));
    engine.submit(get("http://service.test/"), at(0)).unwrap();
    let first = start(&mut engine, at(0));
    engine.set_config(EngineConfig::default(), at(1));
    assert_eq!(engine.host_stats("http://a.test").unwrap().in_flight, 1);
    engine.handle(first.id, Input::Head(HeadSummary::status(200)), at(2));
    engine.handle(first.id, Input::End(Ok(())), at(2));
    let _ = outputs(&mut engine, at(2));
    assert_eq!((engine.stats().in_flight, engine.stats().hosts), (0, 0));
}

#[test]
fn a_fetch_that_a_rule_deferred_twice_is_not_rejected_in_flight() {
    let limits = Timeouts::NONE.queue(Duration::from_millis(600));
    let fallback = Fallback::to("http://b.test/".parse().unwrap());
    let policy = Policy::default()
        .rate("1/s".parse::<Rate>().unwrap())
        .timeouts(limits)
        .fallback(fallback);
    let breaker = Breaker::default().consecutive(1).on_open(OnOpen::FailFast);
    let config = EngineConfig::default().breaker(breaker);
    let mut engine = Engine::new(config.rules(PolicyRules::from_policy(policy)), 0, at(0));
    engine.submit(get("http://a.test/1"), at(0)).unwrap();
    engine.submit(get("http://a.test/2"), at(0)).unwrap();
    let _ = start(&mut engine, at(0));
    // The other is deferred, falls back, is deferred again, and starts.
    let _ = outputs(&mut engine, at(600));
    let second = start(&mut engine, at(1000));
    assert_eq!(second.url.as_str(), "http://b.test/");
    // A fetch without a rule's rate opens the circuit.
    let policy = Some(Policy::default().attempts(1).into());
    let request = get("http://b.test/other");
    let request = request.policy(policy);
    engine.submit(request, at(1500)).unwrap();
    let other = start(&mut engine, at(1500));
    engine.handle(other.id, Input::End(Err(FailureKind::Io)), at(1500));
    let _ = outputs(&mut engine, at(1500));
    assert_eq!(outputs(&mut engine, at(2000)), []);
    assert_eq!(engine.stats().live, 2);
}

#[test]
fn a_fetch_that_falls_back_in_a_queue_leaves_that_queue() {
    let limits = Timeouts::NONE.queue(Duration::from_millis(100));
    let fallback = Fallback::to("http://b.test/".parse().unwrap());
    let policy = Policy::default().timeouts(limits).fallback(fallback);
    let config = EngineConfig::default()
        .per_host(1)
        .rules(PolicyRules::from_policy(policy));
    let mut engine = Engine::new(config, 0, at(0));
    for path in ["1", "2"] {
        let url = format!("http://a.test/{path}");
        engine.submit(get(&url), at(0)).unwrap();
    }
    let _ = start(&mut engine, at(0));
    let other = start(&mut engine, at(100));
    assert_eq!(other.url.as_str(), "http://b.test/");
    assert_eq!(engine.host_stats("http://a.test").unwrap().queued, 0);
}

#[test]
fn outputs_about_an_ended_attempt_do_not_survive_a_restart() {
    let mut engine = Engine::new(EngineConfig::default(), 0, at(0));
    engine.submit(get("http://a.test/"), at(0)).unwrap();
    let first = start(&mut engine, at(0));
    engine.handle(first.id, Input::Head(HeadSummary::status(200)), at(1));
    engine.handle(first.id, Input::End(Ok(())), at(1));
    let mut later = Engine::restore(engine.checkpoint(), at(1));
    let outputs = outputs(&mut later, at(1));
    assert!(
        matches!(outputs[..], [EngineOutput::Done(..)]),
        "{outputs:?}"
    );
}

#[test]
fn an_ejected_endpoint_is_used_if_no_other_is_available() {
    let outlier = OutlierDetection::default().consecutive_failures(2);
    let urls = ["http://a.test", "http://b.test"].map(|url| url.parse().unwrap());
    let target = BalancedTarget::new(urls.map(TargetEndpoint::new))
        .outlier(outlier)
        .strategy(BalanceStrategy::RoundRobin);
    let service = "http://service.test".parse().unwrap();
    let breaker = Breaker::default().consecutive(2);
    let rules = PolicyRules::from_policy(Policy::default().attempts(1));
    let config = EngineConfig::default().breaker(breaker).rules(rules);
    let mut engine = Engine::new(config.target(service, target).unwrap(), 0, at(0));
    // Both circuits open, and one of the endpoints is ejected, but never both.
    for n in 0..4 {
        engine.submit(get("http://service.test/"), at(n)).unwrap();
        let attempt = start(&mut engine, at(n));
        engine.handle(attempt.id, Input::End(Err(FailureKind::Io)), at(n));
        let _ = outputs(&mut engine, at(n));
    }
    // The next fetch starts as soon as one circuit admits a probe, even of the ejected endpoint.
    engine.submit(get("http://service.test/"), at(4)).unwrap();
    assert_eq!(outputs(&mut engine, at(4)), []);
    let EngineOutput::Idle(idle) = engine.poll(at(4)) else {
        panic!("the engine is idle");
    };
    let _ = start(
        &mut engine,
        idle.wake.expect("the engine waits for a probe").at,
    );
}

#[test]
fn a_fetch_keeps_the_rate_of_its_rule_when_rules_are_renumbered() {
    let mut engine = Engine::new(
        EngineConfig::default().rules(PolicyRules::from_policy(Policy::default())),
        0,
        at(0),
    );
    engine.pause_starts();
    for path in ["1", "2"] {
        let url = format!("http://a.test/{path}");
        engine.submit(get(&url), at(0)).unwrap();
    }
    let slow = Policy::default().rate("1/h".parse::<Rate>().unwrap());
    let rules = PolicyRules::builder().rule("host:other.test", slow).build();
    engine.set_config(EngineConfig::default().rules(rules.unwrap()), at(0));
    engine.resume_starts();
    let outputs = outputs(&mut engine, at(0));
    assert!(
        matches!(
            outputs[..],
            [EngineOutput::Start(_), EngineOutput::Start(_)]
        ),
        "{outputs:?}"
    );
}

#[test]
fn breakers_from_a_new_configuration_probe_at_different_times() {
    let mut engine = Engine::new(EngineConfig::default(), 0, at(0));
    engine.pause_starts();
    for url in ["http://a.test/", "http://b.test/"] {
        engine.submit(get(url), at(0)).unwrap();
    }
    engine.set_config(
        EngineConfig::default().breaker(Breaker::default().consecutive(1)),
        at(0),
    );
    engine.resume_starts();
    let both = starts(&mut engine, at(0));
    for attempt in both {
        engine.handle(attempt.id, Input::End(Err(FailureKind::Io)), at(0));
    }
    let (mut again, mut now) = (Vec::new(), at(0));
    while again.is_empty() {
        again = starts(&mut engine, now);
        if let EngineOutput::Idle(idle) = engine.poll(now) {
            now = idle.wake.expect("the engine waits for the circuits").at;
        }
    }
    assert_eq!(again.len(), 1, "hosts are not probed simultaneously");
}
