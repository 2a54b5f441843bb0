//! Limits that several engines share.

use super::*;
use crate::{Rate, RateLimiter, RetryTokens, SharedRate};

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn engine(config: EngineConfig) -> Engine {
    let mut engine = Engine::new(config, 7, at(0));
    engine.share_limits();
    engine
}

/// Drains the engine and grants or denies its starts by this rate over all hosts.
fn drain_within(engine: &mut Engine, shared: &mut RateLimiter, now: Timestamp) -> PolledOutputs {
    let mut all = PolledOutputs::default();
    loop {
        let polled = drain(engine, now);
        all.starts.extend(polled.starts);
        all.done.extend(polled.done);
        if engine.start_request().is_none() {
            return PolledOutputs {
                wake: polled.wake,
                ..all
            };
        }
        match shared.try_acquire(now) {
            Ok(()) => assert!(engine.grant_start(now)),
            Err(until) => engine.deny_start(SharedRate::AllHosts, until, now),
        }
    }
}

#[test]
fn one_engine_has_the_whole_rate_if_the_others_are_idle() {
    let limit = rate("2/s");
    let mut shared = RateLimiter::new(limit);
    let mut engines = [0, 1].map(|_| engine(only(exact()).rate(limit)));
    submit(
        &mut engines[0],
        ["http://a.test/1", "http://a.test/2", "http://b.test/3"],
    );
    let mut targets = Vec::new();
    for now in [at(0), at(500), at(1000)] {
        assert_eq!(drain_within(&mut engines[1], &mut shared, now).wake, None);
        let polled = drain_within(&mut engines[0], &mut shared, now);
        targets.extend(polled.starts.into_iter().map(|one| one.url.to_string()));
    }
    assert_eq!(
        targets,
        ["http://a.test/1", "http://b.test/3", "http://a.test/2"]
    );
}

#[test]
fn a_denied_start_is_asked_for_again_and_keeps_its_place() {
    let mut engine = engine(only(exact().rate(rate("1/s"))));
    submit(&mut engine, ["http://a.test/1", "http://a.test/2"]);
    let _ = drain(&mut engine, at(0));
    assert_eq!(engine.start_request().unwrap().rule, 0);
    engine.deny_start(SharedRate::Rule, at(700), at(0));
    assert_eq!(drain(&mut engine, at(0)).wake, Some(at(700)));
    assert_eq!(engine.start_request(), None, "the other fetch waits, too");
    let _ = drain(&mut engine, at(700));
    assert!(engine.grant_start(at(700)));
    assert_eq!(targets(&drain(&mut engine, at(700))), ["http://a.test/1"]);
}

#[test]
fn only_fetches_of_a_rule_with_a_rate_need_grants() {
    let rules = PolicyRules::builder()
        .rule("/slow/", exact().rate(rate("1/s")))
        .default(exact())
        .build();
    let mut engine = engine(EngineConfig::default().rules(rules.unwrap()));
    submit(&mut engine, ["http://a.test/x", "http://b.test/slow/"]);
    assert_eq!(targets(&drain(&mut engine, at(0))), ["http://a.test/x"]);
    assert!(engine.start_request().is_some());
    engine.set_config(only(exact()), at(0));
    assert_eq!(targets(&drain(&mut engine, at(0))), ["http://b.test/slow/"]);
}

#[test]
fn a_fetch_that_ends_before_its_grant_does_not_use_it() {
    let mut engine = engine(only(exact()).rate(rate("1/s")));
    let id = engine.submit(get("http://a.test/"), at(0)).unwrap();
    let _ = drain(&mut engine, at(0));
    engine.cancel(id, at(0));
    assert!(!engine.grant_start(at(0)));
    assert_eq!(drain(&mut engine, at(0)).done.len(), 1);
}

#[test]
fn a_hedge_starts_when_it_is_granted_and_is_dropped_when_it_is_denied() {
    let hedge = Hedge::default().delay(HedgeDelay::Fixed(SECOND));
    for is_granted in [true, false] {
        let mut engine = engine(only(exact().hedge(hedge)).rate(rate("9/s")));
        submit(&mut engine, ["http://a.test/"]);
        let _ = drain(&mut engine, at(0));
        assert!(engine.grant_start(at(0)));
        assert_eq!(drain(&mut engine, at(0)).starts.len(), 1);
        let _ = drain(&mut engine, at(1000));
        assert!(engine.start_request().is_some());
        match is_granted {
            true => assert!(engine.grant_start(at(1000))),
            false => engine.deny_start(SharedRate::AllHosts, at(1001), at(1000)),
        }
        let polled = drain(&mut engine, at(1001));
        assert_eq!(polled.starts.len(), usize::from(is_granted));
        assert_eq!(engine.start_request(), None);
    }
}

#[test]
fn retries_take_lent_tokens() {
    let budget = RetryBudget::Tokens {
        max: 4,
        success_per_mille: 0,
    };
    let mut shared = RetryTokens::new(budget);
    let mut engines = [0, 1].map(|_| engine(only(exact()).budget(budget)));
    let mut given_up = 0;
    for engine in &mut engines {
        submit(engine, ["http://a.test/1", "http://a.test/2"]);
        for attempt in drain(engine, at(0)).starts {
            engine.lend_retry_tokens(shared.clone());
            fail(engine, &attempt, at(1));
            given_up += drain(engine, at(1)).done.len();
            shared = engine.take_retry_tokens().unwrap();
        }
    }
    // The first retry leaves three of four tokens. Another would leave half, which is refused.
    assert_eq!((given_up, shared.available_retries(at(1))), (3, 0));
}

#[test]
fn an_engine_of_its_own_asks_for_nothing() {
    let mut engine = Engine::new(only(exact()).rate(rate("1/s")), 7, at(0));
    engine.lend_retry_tokens(RetryTokens::new(RetryBudget::RATIO));
    submit(&mut engine, ["http://a.test/"]);
    assert_eq!(drain(&mut engine, at(0)).starts.len(), 1);
    assert_eq!(
        (engine.start_request(), engine.take_retry_tokens()),
        (None, None)
    );
}
