//! Breakers, and the slow start of hosts after a pause.

use super::*;

#[test]
fn an_open_breaker_defers_the_hosts_fetches_until_a_probe_succeeds() {
    let (mut engine, polled, _) = with_open_breaker(OnOpen::Defer);
    assert!(
        polled.starts.is_empty() && polled.done.len() == 1,
        "only the failed one is over"
    );
    assert!(
        polled
            .events
            .iter()
            .any(|event| matches!(event, DecisionEvent::CircuitChanged { .. }))
    );
    let mut now = polled.wake.expect("the breaker's pause ends");
    let mut good = 0;
    let mut polled = drain(&mut engine, now);
    while let Some(attempt) = polled.starts.first().cloned() {
        assert_eq!(polled.starts.len(), 1, "one probe at a time");
        now = now + SECOND;
        answer(&mut engine, &attempt, 200, now);
        polled = drain(&mut engine, now);
        good += polled
            .done
            .iter()
            .filter(|outcome| outcome.is_success())
            .count();
    }
    assert_eq!((good, engine.stats().live), (8, 0), "none is lost");
}

#[test]
fn no_fetch_uses_up_its_attempts_as_probes_of_a_host_that_is_down() {
    let config = only(exact()).breaker(breaker()).per_host(1);
    let mut engine = Engine::new(config, 7, at(0));
    for n in 0..20 {
        let request = get(&format!("http://a.test/{n}"));
        engine.submit(request, at(0)).unwrap();
    }
    let (mut now, mut probes) = (at(0), 0);
    while now < at(120_000) {
        let polled = drain(&mut engine, now);
        assert!(polled.done.is_empty(), "one is lost after {probes} probes");
        match polled.starts.first() {
            Some(attempt) => {
                fail(&mut engine, attempt, now);
                probes += 1;
            }
            None => now = polled.wake.expect("a break ends"),
        }
    }
    assert!(probes > 8, "{probes}");
}

#[test]
fn a_breaker_that_fails_fast_ends_queued_fetches() {
    let (engine, polled, _) = with_open_breaker(OnOpen::FailFast);
    let lost = polled
        .done
        .iter()
        .filter(|outcome| outcome.result == Err(FetchError::CircuitOpen));
    assert_eq!((lost.count(), engine.stats().live), (8, 0));
}

#[test]
fn a_breaker_stops_only_its_host() {
    let (mut engine, _, now) = with_open_breaker(OnOpen::Defer);
    engine.submit(get("http://b.test/"), now).unwrap();
    assert_eq!(targets(&drain(&mut engine, now)), ["http://b.test/"]);
}

#[test]
fn a_retry_waits_for_the_open_breaker_without_using_up_attempts() {
    let config = only(exact().attempts(5)).breaker(breaker());
    let mut engine = Engine::new(config, 7, at(0));
    submit(&mut engine, ["http://a.test/1", "http://a.test/2"]);
    let polled = drain(&mut engine, at(0));
    polled
        .starts
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
        let polled = drain(&mut engine, now);
        match polled.starts.first() {
            Some(probe) => break probe.clone(),
            None => now = polled.wake.unwrap(),
        }
    };
    assert_eq!(probe.id.number(), 2, "no attempt was made meanwhile");
}

#[test]
fn a_single_fetch_of_a_host_survives_an_outage() {
    let config = only(exact().attempts(2)).breaker(breaker().consecutive(1));
    let mut engine = Engine::new(config, 7, at(0));
    submit(&mut engine, ["http://a.test/"]);
    let (mut now, mut probes) = (at(0), 0);
    while probes < 5 {
        let polled = drain(&mut engine, now);
        assert!(polled.done.is_empty(), "lost after {probes} probes");
        match polled.starts.first() {
            Some(attempt) => {
                fail(&mut engine, attempt, now);
                probes += 1;
            }
            None => now = polled.wake.expect("a break ends"),
        }
    }
    let mut polled = drain(&mut engine, now);
    while polled.starts.is_empty() {
        now = polled.wake.expect("a break ends");
        polled = drain(&mut engine, now);
    }
    answer(&mut engine, &polled.starts[0].clone(), 200, now);
    assert!(drain(&mut engine, now).done[0].is_success());
}

#[test]
fn a_policy_with_one_attempt_has_one_even_if_it_is_a_probe() {
    let (mut engine, polled, _) = with_open_breaker(OnOpen::Defer);
    let now = polled.wake.expect("the breaker's pause ends");
    let probe = drain(&mut engine, now).starts[0].clone();
    fail(&mut engine, &probe, now);
    let polled = drain(&mut engine, now);
    assert_eq!(polled.done[0].attempts.len(), 1);
}

/// How many attempts start in each round trip, if all succeed.
fn rounds(engine: &mut Engine, mut now: Timestamp) -> Vec<usize> {
    let mut rounds = Vec::new();
    loop {
        let polled = drain(engine, now);
        if polled.starts.is_empty() {
            return rounds;
        }
        rounds.push(polled.starts.len());
        now = now + SECOND;
        for attempt in &polled.starts {
            answer(engine, attempt, 200, now);
        }
    }
}

/// Twenty fetches of a host that asked for a pause of ten seconds, and the end of the pause.
fn after_a_rest(slow_start: bool) -> (Engine, Timestamp) {
    let config = only(exact()).slow_start(slow_start).concurrency(10);
    let mut engine = Engine::new(config, 7, at(0));
    for n in 0..20 {
        let request = get(&format!("http://a.test/{n}"));
        engine.submit(request, at(0)).unwrap();
    }
    for attempt in drain(&mut engine, at(0)).starts {
        let rest = Some(10 * SECOND);
        let head = HeadSummary {
            retry_after: rest,
            ..HeadSummary::status(503)
        };
        engine.handle(attempt.id, Input::Head(head), at(0));
        engine.handle(attempt.id, Input::End(Ok(())), at(0));
    }
    assert!(drain(&mut engine, at(9_999)).starts.is_empty());
    (engine, at(10_000))
}

#[test]
fn attempts_start_slowly_after_a_pause() {
    let (mut engine, now) = after_a_rest(true);
    assert_eq!(rounds(&mut engine, now), [1, 2, 4, 8, 5]);
}

#[test]
fn without_slow_start_all_waiting_fetches_start_at_once() {
    let (mut engine, now) = after_a_rest(false);
    assert_eq!(rounds(&mut engine, now), [10, 10]);
}

#[test]
fn a_refusal_during_slow_start_does_not_raise_the_limit() {
    let (mut engine, now) = after_a_rest(true);
    let mut polled = drain(&mut engine, now);
    for _ in 0..3 {
        assert_eq!(polled.starts.len(), 1);
        let refused = HeadSummary {
            retry_after: Some(SECOND),
            ..HeadSummary::status(429)
        };
        engine.handle(polled.starts[0].id, Input::Head(refused), now);
        engine.handle(polled.starts[0].id, Input::End(Ok(())), now);
        let until = drain(&mut engine, now).wake.expect("the rest ends");
        polled = drain(&mut engine, until);
    }
}

#[test]
fn attempts_start_slowly_after_the_breaker_closes() {
    let config = only(exact()).breaker(breaker().probes(1, 1));
    let mut engine = Engine::new(config.concurrency(10), 7, at(0));
    for n in 0..20 {
        let request = get(&format!("http://a.test/{n}"));
        engine.submit(request, at(0)).unwrap();
    }
    for attempt in drain(&mut engine, at(0)).starts {
        fail(&mut engine, &attempt, at(0));
    }
    let now = drain(&mut engine, at(2_000)).wake.expect("the break ends");
    assert_eq!(rounds(&mut engine, now)[..4], [1, 1, 2, 4]);
}
