//! What the engine's policies do together: breakers defer, budgets bound, hedges race, rules pace,
//! targets balance, fetches share, settings change, checkpoints go on.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Config, Engine, Output};
use crate::{
    Adaptive, Aimd, Attempt, AttemptEnd, Backoff, Balance, Breaker, Chaos, Endpoint, Error, Event,
    Failure, Fault, GaveUp, Head, Hedge, HedgeDelay, Input, OnOpen, Outcome, Policy, Request,
    RetryBudget, Rules, Shed, Target, Throttle, Timestamp,
};

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_millis(millis))
}

fn get(url: &str) -> Request {
    Request::get(url.parse().unwrap())
}

fn exact() -> Policy {
    Policy::default().backoff(Backoff::default().jitter(None))
}

fn only(policy: Policy) -> Config {
    Config::default().rules(Rules::only(policy))
}

/// What the engine says until it is idle.
#[derive(Default)]
struct Said {
    aborts: usize,
    done: Vec<Outcome>,
    events: Vec<Event>,
    starts: Vec<Attempt>,
    wake: Option<Timestamp>,
}

fn drain(engine: &mut Engine, now: Timestamp) -> Said {
    let mut said = Said::default();
    loop {
        match engine.poll(now) {
            Output::Abort(_) => said.aborts += 1,
            Output::Done(_, outcome) => said.done.push(outcome),
            Output::Event(_, event) => said.events.push(event),
            Output::Idle(idle) => {
                said.wake = idle.wake.map(|wake| wake.at);
                return said;
            }
            Output::Start(attempt) => said.starts.push(attempt),
            _ => {}
        }
    }
}

fn submit(engine: &mut Engine, urls: impl IntoIterator<Item = &'static str>) {
    for url in urls {
        engine.submit(get(url), at(0)).unwrap();
    }
}

fn answer(engine: &mut Engine, attempt: &Attempt, status: u16, now: Timestamp) {
    engine.handle(attempt.id, Input::Head(Head::status(status)), now);
    engine.handle(attempt.id, Input::End(Ok(())), now);
}

fn fail(engine: &mut Engine, attempt: &Attempt, now: Timestamp) {
    engine.handle(attempt.id, Input::End(Err(Failure::Connect)), now);
}

fn targets(said: &Said) -> Vec<&str> {
    said.starts.iter().map(|one| one.url.as_str()).collect()
}

fn breaker() -> Breaker {
    Breaker::default().failure_ratio(None).consecutive(2)
}

/// Ten fetches of a host whose breaker has just opened, one at a time.
fn with_open_breaker(on_open: OnOpen) -> (Engine, Said, Timestamp) {
    let config = only(exact().attempts(1)).breaker(breaker().on_open(on_open));
    let mut engine = Engine::new(config.per_host(1).events(true), 7, at(0));
    for n in 0..10 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let mut said = drain(&mut engine, at(0));
    for millis in [1, 2] {
        fail(&mut engine, &said.starts[0].clone(), at(millis));
        said = drain(&mut engine, at(millis));
    }
    (engine, said, at(2))
}

#[test]
fn an_open_breaker_defers_the_hosts_fetches_until_a_probe_succeeds() {
    let (mut engine, said, _) = with_open_breaker(OnOpen::Defer);
    assert!(
        said.starts.is_empty() && said.done.len() == 1,
        "only the failed one is over"
    );
    assert!(
        said.events
            .iter()
            .any(|event| matches!(event, Event::Circuit { .. }))
    );
    let mut now = said.wake.expect("the breaker's pause ends");
    let mut good = 0;
    let mut said = drain(&mut engine, now);
    while let Some(attempt) = said.starts.first().cloned() {
        assert_eq!(said.starts.len(), 1, "one probe at a time");
        now = now + SECOND;
        answer(&mut engine, &attempt, 200, now);
        said = drain(&mut engine, now);
        good += said
            .done
            .iter()
            .filter(|outcome| outcome.is_success())
            .count();
    }
    assert_eq!((good, engine.stats().live), (8, 0), "none is lost");
}

#[test]
fn no_fetch_spends_all_its_attempts_as_the_probe_of_a_host_that_is_down() {
    let config = only(exact()).breaker(breaker()).per_host(1);
    let mut engine = Engine::new(config, 7, at(0));
    for n in 0..20 {
        let request = get(&format!("http://a.test/{n}"));
        engine.submit(request, at(0)).unwrap();
    }
    let (mut now, mut probes) = (at(0), 0);
    while now < at(120_000) {
        let said = drain(&mut engine, now);
        assert!(said.done.is_empty(), "one is lost after {probes} probes");
        match said.starts.first() {
            Some(attempt) => {
                fail(&mut engine, attempt, now);
                probes += 1;
            }
            None => now = said.wake.expect("a break ends"),
        }
    }
    assert!(probes > 8, "{probes}");
}

#[test]
fn a_breaker_that_fails_fast_ends_what_waits() {
    let (engine, said, _) = with_open_breaker(OnOpen::FailFast);
    let lost = said
        .done
        .iter()
        .filter(|outcome| outcome.result == Err(Error::CircuitOpen));
    assert_eq!((lost.count(), engine.stats().live), (8, 0));
}

#[test]
fn one_hosts_breaker_stops_no_other() {
    let (mut engine, _, now) = with_open_breaker(OnOpen::Defer);
    engine.submit(get("http://b.test/"), now).unwrap();
    assert_eq!(targets(&drain(&mut engine, now)), ["http://b.test/"]);
}

#[test]
fn a_retry_waits_for_the_breaker_and_is_not_burnt_by_it() {
    let config = only(exact().attempts(5)).breaker(breaker());
    let mut engine = Engine::new(config, 7, at(0));
    submit(&mut engine, ["http://a.test/1", "http://a.test/2"]);
    let said = drain(&mut engine, at(0));
    said.starts
        .iter()
        .for_each(|one| fail(&mut engine, one, at(1)));
    assert!(
        drain(&mut engine, at(1001)).starts.is_empty(),
        "their backoff is over"
    );
    assert!(
        drain(&mut engine, at(4999)).starts.is_empty(),
        "the breaker is still open"
    );
    let mut now = at(5001);
    let probe = loop {
        let said = drain(&mut engine, now);
        match said.starts.first() {
            Some(probe) => break probe.clone(),
            None => now = said.wake.unwrap(),
        }
    };
    assert_eq!(probe.id.number(), 2, "no attempt was made meanwhile");
}

#[test]
fn an_exhausted_budget_suppresses_retries_and_harms_nothing_in_flight() {
    let budget = RetryBudget::Ratio {
        min_per_second: 0,
        per_mille: 200,
        ttl: 10 * SECOND,
    };
    let mut engine = Engine::new(only(exact()).host_budget(budget), 7, at(0));
    for n in 0..10 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let said = drain(&mut engine, at(0));
    said.starts[..9]
        .iter()
        .for_each(|one| fail(&mut engine, one, at(1)));
    let said2 = drain(&mut engine, at(1));
    let broke = said2
        .done
        .iter()
        .filter(|outcome| outcome.gave_up == Some(GaveUp::Budget));
    assert_eq!(broke.count(), 7, "2 of 10 may be tried again");
    assert_eq!(
        (said2.aborts, engine.stats().flying),
        (0, 1),
        "the tenth flies on"
    );
}

#[test]
fn the_common_budget_counts_over_all_hosts() {
    let budget = RetryBudget::Ratio {
        min_per_second: 0,
        per_mille: 500,
        ttl: 10 * SECOND,
    };
    let mut engine = Engine::new(only(exact()).budget(budget), 7, at(0));
    submit(&mut engine, ["http://a.test/", "http://b.test/"]);
    let said = drain(&mut engine, at(0));
    said.starts
        .iter()
        .for_each(|one| fail(&mut engine, one, at(1)));
    let over = drain(&mut engine, at(1)).done;
    assert_eq!(over.len(), 1);
    assert_eq!(over[0].gave_up, Some(GaveUp::Budget));
}

fn hedged() -> Policy {
    exact().hedge(Hedge {
        delay: HedgeDelay::Fixed(SECOND),
        max: 1,
        on_failure: false,
    })
}

#[test]
fn a_hedge_takes_a_slot_of_its_own_and_gives_both_back() {
    let mut engine = Engine::new(only(hedged()).concurrency(2), 7, at(0));
    submit(&mut engine, ["http://a.test/"]);
    let first = drain(&mut engine, at(0)).starts[0].clone();
    let hedge = drain(&mut engine, at(1000)).starts[0].clone();
    assert_eq!((engine.stats().flying, hedge.id.number()), (2, 2));
    answer(&mut engine, &hedge, 200, at(1100));
    let said = drain(&mut engine, at(1100));
    assert_eq!(
        (said.aborts, said.done.len(), engine.stats().flying),
        (1, 1, 0)
    );
    assert_eq!(said.done[0].attempts[0].end, AttemptEnd::Abandoned);
    answer(&mut engine, &first, 200, at(1200));
    assert_eq!(
        engine.stats().stale_inputs,
        2,
        "what the loser says is too late"
    );
}

#[test]
fn a_hedge_without_a_free_slot_is_left_out_not_queued() {
    let mut engine = Engine::new(only(hedged()).concurrency(1), 7, at(0));
    submit(&mut engine, ["http://a.test/", "http://b.test/"]);
    let first = drain(&mut engine, at(0)).starts[0].clone();
    assert!(drain(&mut engine, at(1000)).starts.is_empty());
    answer(&mut engine, &first, 200, at(2000));
    assert_eq!(targets(&drain(&mut engine, at(2000))), ["http://b.test/"]);
}

#[test]
fn an_adaptive_limit_shrinks_with_overload_and_grows_again() {
    let aimd = Aimd {
        initial: 8,
        ..Aimd::default()
    };
    let mut engine = Engine::new(
        only(exact().attempts(1)).adaptive(Adaptive::Aimd(aimd)),
        7,
        at(0),
    );
    for n in 0..100 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let said = drain(&mut engine, at(0));
    assert_eq!(said.starts.len(), 8);
    said.starts
        .iter()
        .for_each(|one| answer(&mut engine, one, 503, at(10)));
    let fewer = drain(&mut engine, at(10)).starts;
    assert!(fewer.len() < 8, "{}", fewer.len());
    let limit = engine.host_stats("http://a.test").unwrap().limit.unwrap();
    fewer
        .iter()
        .for_each(|one| answer(&mut engine, one, 200, at(20)));
    drain(&mut engine, at(20));
    assert!(engine.host_stats("http://a.test").unwrap().limit.unwrap() > limit);
}

#[test]
fn a_rules_rate_holds_its_own_fetches_and_no_others() {
    let slow = exact().rate("1/s".parse::<crate::Rate>().unwrap());
    let rules = Rules::builder()
        .rule("/slow/", slow)
        .default(exact())
        .build()
        .unwrap();
    let mut engine = Engine::new(Config::default().rules(rules), 7, at(0));
    let urls = [
        "http://a.test/slow/1",
        "http://b.test/slow/2",
        "http://a.test/slow/3",
        "http://a.test/x",
    ];
    submit(&mut engine, urls);
    let said = drain(&mut engine, at(0));
    assert_eq!(targets(&said), ["http://a.test/slow/1", "http://a.test/x"]);
    assert_eq!(said.wake, Some(at(1000)));
    assert_eq!(
        targets(&drain(&mut engine, at(1000))),
        ["http://b.test/slow/2"]
    );
    assert_eq!(
        targets(&drain(&mut engine, at(2000))),
        ["http://a.test/slow/3"]
    );
}

#[test]
fn a_fetch_that_a_rule_holds_back_can_be_cancelled() {
    let slow = exact().rate("1/m".parse::<crate::Rate>().unwrap());
    let mut engine = Engine::new(only(slow), 7, at(0));
    submit(&mut engine, ["http://a.test/1"]);
    let held = engine.submit(get("http://a.test/2"), at(0)).unwrap();
    submit(&mut engine, ["http://a.test/3"]);
    assert_eq!(drain(&mut engine, at(0)).starts.len(), 1);
    engine.cancel(held, at(1));
    assert_eq!(drain(&mut engine, at(1)).done.len(), 1);
    assert_eq!(
        targets(&drain(&mut engine, at(60_000))),
        ["http://a.test/3"]
    );
}

#[test]
fn attempts_at_a_host_keep_their_distance() {
    let config = only(exact()).spacing(SECOND..=2 * SECOND);
    let mut engine = Engine::new(config, 7, at(0));
    engine.set_crawl_delay("http://b.test", 5 * SECOND);
    submit(
        &mut engine,
        [
            "http://a.test/1",
            "http://a.test/2",
            "http://b.test/1",
            "http://b.test/2",
        ],
    );
    let (mut now, mut times) = (at(0), Vec::new());
    loop {
        let said = drain(&mut engine, now);
        times.extend(said.starts.iter().map(|one| (one.url.to_string(), now)));
        said.starts
            .iter()
            .for_each(|one| answer(&mut engine, one, 200, now));
        match drain(&mut engine, now).wake {
            Some(wake) if engine.stats().live > 0 => now = wake,
            _ => break,
        }
    }
    let when = |url: &str| times.iter().find(|(known, _)| known == url).unwrap().1;
    let gap = when("http://a.test/2").saturating_since(when("http://a.test/1"));
    assert!((SECOND..=2 * SECOND).contains(&gap), "{gap:?}");
    assert_eq!(when("http://b.test/2"), at(5000));
}

fn service(strategy: Balance) -> Config {
    let urls = ["http://x.test", "http://y.test"].map(|url| url.parse().unwrap());
    let target = Target::new(urls.map(Endpoint::new)).strategy(strategy);
    let config = only(exact().backoff(Backoff::default().base(Duration::ZERO)));
    config
        .target("http://service.test".parse().unwrap(), target)
        .unwrap()
}

#[test]
fn a_targets_attempts_go_to_its_endpoints() {
    let mut engine = Engine::new(service(Balance::RoundRobin), 7, at(0));
    submit(
        &mut engine,
        ["http://service.test/1?q", "http://service.test/2"],
    );
    let said = drain(&mut engine, at(0));
    assert_eq!(targets(&said), ["http://x.test/1?q", "http://y.test/2"]);
}

#[test]
fn a_retry_prefers_another_endpoint() {
    for strategy in [
        Balance::RoundRobin,
        Balance::LeastLoaded,
        Balance::PEAK_EWMA,
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
fn an_endpoint_at_its_limit_is_passed_over() {
    let mut engine = Engine::new(service(Balance::RoundRobin).per_host(1), 7, at(0));
    for n in 0..3 {
        engine
            .submit(get(&format!("http://service.test/{n}")), at(0))
            .unwrap();
    }
    let said = drain(&mut engine, at(0));
    assert_eq!(said.starts.len(), 2, "one at each");
    answer(&mut engine, &said.starts[1], 200, at(1));
    assert_eq!(targets(&drain(&mut engine, at(1))), ["http://y.test/2"]);
}

#[test]
fn an_endpoint_whose_breaker_is_open_is_passed_over() {
    for on_open in [OnOpen::Defer, OnOpen::FailFast] {
        let config = service(Balance::RoundRobin).breaker(breaker().on_open(on_open));
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
fn a_target_that_refuses_nearly_everything_is_spared_too() {
    let throttle = Throttle::default().minimum(10);
    let config = service(Balance::RoundRobin).throttle(throttle);
    let mut engine = Engine::new(config.concurrency(1).events(true), 7, at(0));
    for n in 0..30 {
        engine
            .submit(get(&format!("http://service.test/{n}")), at(0))
            .unwrap();
    }
    let (mut now, mut spared) = (at(0), false);
    for _ in 0..60 {
        let said = drain(&mut engine, now);
        spared |= said
            .events
            .iter()
            .any(|event| matches!(event, Event::Throttled { .. }));
        match said.starts.first() {
            Some(attempt) => answer(&mut engine, attempt, 503, now),
            None => now = said.wake.unwrap_or(now),
        }
    }
    assert!(spared);
}

fn shared(url: &str) -> Request {
    Request {
        share: Some(0),
        ..get(url)
    }
}

#[test]
fn identical_requests_are_one_and_all_get_its_response() {
    let mut engine = Engine::new(only(exact()), 7, at(0));
    let ids: Vec<_> = (0..3)
        .map(|_| engine.submit(shared("http://a.test/"), at(0)).unwrap())
        .collect();
    let said = drain(&mut engine, at(0));
    assert_eq!(said.starts.len(), 1);
    answer(&mut engine, &said.starts[0], 200, at(5));
    let mut order = Vec::new();
    loop {
        match engine.poll(at(5)) {
            Output::Done(id, outcome) => {
                assert!(outcome.is_success());
                order.push((id, outcome.shared_with));
            }
            Output::Idle(_) => break,
            _ => {}
        }
    }
    let leader = Some(ids[0]);
    assert_eq!(
        order,
        [(ids[1], leader), (ids[2], leader), (ids[0], None)],
        "the leader is last"
    );
}

#[test]
fn when_the_one_that_asks_is_cancelled_another_asks() {
    let mut engine = Engine::new(only(exact()), 7, at(0));
    let leader = engine.submit(shared("http://a.test/"), at(0)).unwrap();
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    drain(&mut engine, at(0));
    engine.cancel(leader, at(1));
    let said = drain(&mut engine, at(1));
    assert_eq!((said.done.len(), said.starts.len()), (1, 1));
    answer(&mut engine, &said.starts[0], 200, at(2));
    assert_eq!(drain(&mut engine, at(2)).done.len(), 2);
    assert_eq!(engine.stats().live, 0);
}

#[test]
fn a_waiter_has_its_own_deadline() {
    let mut engine = Engine::new(only(exact()), 7, at(0));
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    let timeouts = crate::Timeouts {
        total: Some(SECOND),
        ..crate::Timeouts::DEFAULT
    };
    let hasty = Request {
        policy: Some(exact().timeouts(timeouts).into()),
        ..shared("http://a.test/")
    };
    engine.submit(hasty, at(0)).unwrap();
    drain(&mut engine, at(0));
    let done = drain(&mut engine, at(1000)).done;
    assert_eq!(done.len(), 1);
    assert!(matches!(done[0].result, Err(Error::TimedOut(_))));
}

#[test]
fn other_header_fields_make_another_request() {
    let mut engine = Engine::new(only(exact()), 7, at(0));
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    let other = Request {
        share: Some(1),
        ..get("http://a.test/")
    };
    engine.submit(other, at(0)).unwrap();
    assert_eq!(drain(&mut engine, at(0)).starts.len(), 2);
}

#[test]
fn an_overloaded_queue_is_shed_only_when_that_lasts() {
    let shed = Shed {
        target: SECOND,
        interval: 5 * SECOND,
    };
    let mut engine = Engine::new(only(exact()).per_host(1).shed(shed), 7, at(0));
    for n in 0..20 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let (mut now, mut ends) = (at(0), Vec::new());
    let mut said = drain(&mut engine, now);
    while let Some(attempt) = said.starts.first().cloned() {
        now = now + SECOND;
        answer(&mut engine, &attempt, 200, now);
        said = drain(&mut engine, now);
        ends.extend(said.done.iter().map(|outcome| outcome.result.is_ok()));
    }
    let good = ends.iter().filter(|good| **good).count();
    assert_eq!((good, ends.len()), (6, 20), "{ends:?}");
}

#[test]
fn a_host_that_refuses_nearly_everything_is_spared() {
    let throttle = Throttle::default().minimum(10);
    let config = only(exact().attempts(1))
        .throttle(throttle)
        .per_host(1)
        .events(true);
    let mut engine = Engine::new(config, 7, at(0));
    for n in 0..60 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let mut spared = 0;
    let mut now = at(0);
    loop {
        let said = drain(&mut engine, now);
        let throttled = |event: &&Event| matches!(event, Event::Throttled { .. });
        spared += said.events.iter().filter(throttled).count();
        if let Some(attempt) = said.starts.first() {
            answer(&mut engine, attempt, 503, now);
            continue;
        }
        match said.wake {
            Some(wake) if engine.stats().live > 0 => now = wake,
            _ => break,
        }
    }
    assert!(spared > 20, "{spared}");
    assert_eq!(engine.stats().live, 0, "they are put off, not lost");
}

#[test]
fn a_clock_that_jumps_on_purpose_lets_limits_end_early() {
    let chaos = Chaos::default().fault(1000, Fault::ClockJump(10 * SECOND));
    let mut engine = Engine::new(only(exact().attempts(1).chaos(chaos)), 7, at(0));
    submit(&mut engine, ["http://a.test/"]);
    let said = drain(&mut engine, at(0));
    assert_eq!(said.starts.len(), 1);
    assert!(matches!(said.done[0].result, Err(Error::TimedOut(_))));
}

#[test]
fn limits_change_while_it_runs_and_debts_are_kept() {
    let rate = |text: &str| text.parse::<crate::Rate>().unwrap();
    let mut engine = Engine::new(only(exact()).host_rate(rate("1/h")), 7, at(0));
    submit(&mut engine, ["http://a.test/1", "http://a.test/2"]);
    assert_eq!(drain(&mut engine, at(0)).starts.len(), 1);
    engine.set_config(only(exact()).host_rate(rate("1/s")), at(0));
    assert!(
        drain(&mut engine, at(0)).starts.is_empty(),
        "the hour is still owed"
    );
    engine.set_config(only(exact()), at(1));
    assert_eq!(
        drain(&mut engine, at(1)).starts.len(),
        1,
        "without a rate there is no debt"
    );
}

#[test]
fn a_new_configuration_keeps_an_open_breaker() {
    let (mut engine, _, now) = with_open_breaker(OnOpen::Defer);
    let config = only(exact().attempts(1)).breaker(breaker()).per_host(5);
    engine.set_config(config, now);
    assert!(drain(&mut engine, now).starts.is_empty());
    let stats = engine.host_stats("http://a.test").unwrap();
    assert_eq!(stats.circuit, Some(crate::CircuitState::Open));
}

#[test]
fn a_checkpoint_goes_on_where_it_was_on_another_clock() {
    let (engine, said, _) = with_open_breaker(OnOpen::Defer);
    let pause = said.wake.unwrap().saturating_since(at(2));
    // Another process: its clock has just begun.
    let mut later = Engine::restore(engine.checkpoint(), at(0));
    let said = drain(&mut later, at(0));
    assert!(said.starts.is_empty());
    assert_eq!(
        said.wake,
        Some(Timestamp::START + pause),
        "the pause has what was left of it"
    );
    assert_eq!(drain(&mut later, said.wake.unwrap()).starts.len(), 1);
}

#[test]
fn attempts_lost_with_their_process_cost_no_try() {
    let mut engine = Engine::new(only(exact().attempts(1)), 7, at(0));
    submit(&mut engine, ["http://a.test/"]);
    let post = Request {
        method: crate::Method::Post,
        ..get("http://a.test/")
    };
    engine.submit(post, at(0)).unwrap();
    assert_eq!(drain(&mut engine, at(0)).starts.len(), 2);
    let mut later = Engine::restore(engine.checkpoint(), at(0));
    let said = drain(&mut later, at(0));
    assert_eq!(targets(&said), ["http://a.test/"]);
    assert_eq!(
        said.done[0].result,
        Err(Error::Failed(Failure::Dropped)),
        "a POST may have arrived"
    );
    answer(&mut later, &said.starts[0], 200, at(1));
    assert!(drain(&mut later, at(1)).done[0].is_success());
}

#[cfg(feature = "serde")]
#[test]
fn a_checkpoint_is_plain_data() {
    let (engine, ..) = with_open_breaker(OnOpen::Defer);
    let stored = serde_json::to_string(&engine.checkpoint()).unwrap();
    let restored = serde_json::from_str(&stored).unwrap();
    let mut a = Engine::restore(engine.checkpoint(), at(0));
    let mut b = Engine::restore(restored, at(0));
    for millis in (0..60_000).step_by(500) {
        let (x, y) = (drain(&mut a, at(millis)), drain(&mut b, at(millis)));
        assert_eq!((x.starts, x.done, x.wake), (y.starts, y.done, y.wake));
    }
}

#[test]
fn memory_of_idle_hosts_is_given_back() {
    let config = only(exact().attempts(1))
        .breaker(Breaker::default())
        .host_budget(RetryBudget::default());
    let mut engine = Engine::new(config, 7, at(0));
    for n in 0..1000 {
        engine
            .submit(get(&format!("http://{n}.test/")), at(0))
            .unwrap();
    }
    let mut left = 1000;
    let mut now = at(0);
    while left > 0 {
        let said = drain(&mut engine, now);
        left -= said.starts.len();
        said.starts
            .iter()
            .for_each(|one| answer(&mut engine, one, 200, now));
    }
    while let Some(wake) = drain(&mut engine, now).wake {
        now = wake;
    }
    assert_eq!(engine.stats().hosts, 0);
}
