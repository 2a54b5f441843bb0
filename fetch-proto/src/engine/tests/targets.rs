//! Balanced targets.

use super::*;

pub(super) fn service(strategy: BalanceStrategy) -> EngineConfig {
    let urls = ["http://x.test", "http://y.test"].map(|url| url.parse().unwrap());
    let target = BalancedTarget::new(urls.map(TargetEndpoint::new)).strategy(strategy);
    let config = only(exact().backoff(Backoff::default().base(Duration::ZERO)));
    config
        .target("http://service.test".parse().unwrap(), target)
        .unwrap()
}

#[test]
fn a_targets_attempts_go_to_its_endpoints() {
    let mut engine = Engine::new(service(BalanceStrategy::RoundRobin), 7, at(0));
    submit(
        &mut engine,
        ["http://service.test/1?q", "http://service.test/2"],
    );
    let polled = drain(&mut engine, at(0));
    assert_eq!(targets(&polled), ["http://x.test/1?q", "http://y.test/2"]);
}

#[test]
fn a_retry_prefers_another_endpoint() {
    for strategy in [
        BalanceStrategy::RoundRobin,
        BalanceStrategy::LeastLoaded,
        BalanceStrategy::PEAK_EWMA,
    ] {
        let mut engine = Engine::new(service(strategy), 7, at(0));
        submit(&mut engine, ["http://service.test/"]);
        let first = drain(&mut engine, at(0)).starts[0].clone();
        fail(&mut engine, &first, at(1));
        let second = drain(&mut engine, at(1)).starts[0].clone();
        assert_ne!(first.url.host_str(), second.url.host_str(), "{strategy:?}");
    }
}

#[test]
fn an_endpoint_that_does_not_exist_leaves_the_others() {
    let mut engine = Engine::new(service(BalanceStrategy::RoundRobin), 7, at(0));
    submit(&mut engine, ["http://service.test/"]);
    let first = drain(&mut engine, at(0)).starts[0].clone();
    let unknown = Input::End(Err(FailureKind::UnknownHost));
    engine.handle(first.id, unknown, at(1));
    assert_eq!(targets(&drain(&mut engine, at(1))), ["http://y.test/"]);
}

#[test]
fn an_endpoint_at_its_limit_is_skipped() {
    let mut engine = Engine::new(service(BalanceStrategy::RoundRobin).per_host(1), 7, at(0));
    for n in 0..3 {
        engine
            .submit(get(&format!("http://service.test/{n}")), at(0))
            .unwrap();
    }
    let polled = drain(&mut engine, at(0));
    assert_eq!(polled.starts.len(), 2, "one at each");
    answer(&mut engine, &polled.starts[1], 200, at(1));
    assert_eq!(targets(&drain(&mut engine, at(1))), ["http://y.test/2"]);
}

#[test]
fn an_endpoint_with_an_open_breaker_is_skipped() {
    for on_open in [OnOpen::Defer, OnOpen::FailFast] {
        let config = service(BalanceStrategy::RoundRobin).breaker(breaker().on_open(on_open));
        let mut engine = Engine::new(config, 7, at(0));
        for n in 0..8 {
            engine
                .submit(get(&format!("http://service.test/{n}")), at(0))
                .unwrap();
        }
        let first = drain(&mut engine, at(0)).starts;
        let at_x = |one: &&Attempt| one.url.host_str() == Some("x.test");
        first
            .iter()
            .filter(at_x)
            .for_each(|one| fail(&mut engine, one, at(1)));
        let again = drain(&mut engine, at(1));
        assert_eq!(again.starts.len(), 4, "all are tried again at once");
        assert!(!again.starts.iter().any(|one| at_x(&one)), "{on_open:?}");
    }
}

#[test]
fn a_balanced_target_that_rejects_nearly_everything_is_throttled() {
    let throttle = Throttle::default().minimum(10);
    let config = service(BalanceStrategy::RoundRobin).throttle(throttle);
    let mut engine = Engine::new(config.concurrency(1).events(true), 7, at(0));
    for n in 0..30 {
        engine
            .submit(get(&format!("http://service.test/{n}")), at(0))
            .unwrap();
    }
    let (mut now, mut spared) = (at(0), false);
    for _ in 0..60 {
        let polled = drain(&mut engine, now);
        spared |= polled
            .events
            .iter()
            .any(|event| matches!(event, DecisionEvent::HostThrottled { .. }));
        match polled.starts.first() {
            Some(attempt) => answer(&mut engine, attempt, 503, now),
            None => now = polled.wake.unwrap_or(now),
        }
    }
    assert!(spared);
}
