//! Adaptive limits, rates, spacing, load shedding, throttles and priorities.

use super::*;

#[test]
fn an_adaptive_limit_shrinks_with_overload_and_grows_again() {
    let aimd = Aimd {
        initial: 8,
        ..Aimd::default()
    };
    let mut engine = Engine::new(
        only(exact().attempts(1)).adaptive(AdaptiveConcurrency::Aimd(aimd)),
        7,
        at(0),
    );
    for n in 0..100 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let polled = drain(&mut engine, at(0));
    assert_eq!(polled.starts.len(), 8);
    polled
        .starts
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
fn a_rules_rate_defers_only_fetches_of_that_rule() {
    let slow = exact().rate("1/s".parse::<crate::Rate>().unwrap());
    let rules = PolicyRules::builder()
        .rule("/slow/", slow)
        .default(exact())
        .build()
        .unwrap();
    let mut engine = Engine::new(EngineConfig::default().rules(rules), 7, at(0));
    let urls = [
        "http://a.test/slow/1",
        "http://b.test/slow/2",
        "http://a.test/slow/3",
        "http://a.test/x",
    ];
    submit(&mut engine, urls);
    let polled = drain(&mut engine, at(0));
    assert_eq!(
        targets(&polled),
        ["http://a.test/slow/1", "http://a.test/x"]
    );
    assert_eq!(polled.wake, Some(at(1000)));
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
fn the_patch_of_a_request_changes_the_policy_of_its_rule_and_keeps_its_rate() {
    let slow = exact().rate("1/s".parse::<crate::Rate>().unwrap());
    let mut engine = Engine::new(only(slow), 7, at(0));
    let limit = Duration::from_millis(500);
    for n in 0..2 {
        let url = alloc::format!("http://a.test/{n}").parse().unwrap();
        let patch = crate::PolicyPatch::attempt_timeout(limit).attempts(1);
        let request = FetchRequest::get(url).patch(Some(patch.into()));
        engine.submit(request, at(0)).unwrap();
    }
    assert_eq!(targets(&drain(&mut engine, at(0))), ["http://a.test/0"]);
    assert_eq!(drain(&mut engine, at(499)).done.len(), 0);
    assert_eq!(
        drain(&mut engine, at(500)).done.len(),
        1,
        "one attempt of 500 ms"
    );
    assert_eq!(targets(&drain(&mut engine, at(1000))), ["http://a.test/1"]);
}

#[test]
fn a_fetch_deferred_by_a_rules_rate_can_be_cancelled() {
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
fn attempts_at_a_host_are_spaced() {
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
        let polled = drain(&mut engine, now);
        times.extend(polled.starts.iter().map(|one| (one.url.to_string(), now)));
        polled
            .starts
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

#[test]
fn a_queue_is_shed_only_after_a_whole_interval_of_overload() {
    let shed = LoadShedding {
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
    let mut polled = drain(&mut engine, now);
    while let Some(attempt) = polled.starts.first().cloned() {
        now = now + SECOND;
        answer(&mut engine, &attempt, 200, now);
        polled = drain(&mut engine, now);
        ends.extend(polled.done.iter().map(|outcome| outcome.result.is_ok()));
    }
    let good = ends.iter().filter(|good| **good).count();
    assert_eq!((good, ends.len()), (6, 20), "{ends:?}");
}

#[test]
fn a_host_that_rejects_nearly_everything_is_throttled() {
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
        let polled = drain(&mut engine, now);
        let throttled =
            |event: &&DecisionEvent| matches!(event, DecisionEvent::HostThrottled { .. });
        spared += polled.events.iter().filter(throttled).count();
        if let Some(attempt) = polled.starts.first() {
            answer(&mut engine, attempt, 503, now);
            continue;
        }
        match polled.wake {
            Some(wake) if engine.stats().live > 0 => now = wake,
            _ => break,
        }
    }
    assert!(spared > 20, "{spared}");
    assert_eq!(engine.stats().live, 0, "they are put off, not lost");
}

/// Fetches 120 URLs of one host, one at a time. `answer_status` is the answer to the attempt of this number.
/// Returns after how many answers the host was throttled.
fn throttled_after(
    config: EngineConfig,
    url: &str,
    answer_status: impl Fn(usize) -> u16,
) -> Vec<usize> {
    let throttle = Throttle::default().minimum(10);
    let config = config.throttle(throttle).concurrency(1).events(true);
    let mut engine = Engine::new(config, 7, at(0));
    for n in 0..120 {
        engine.submit(get(&format!("{url}{n}")), at(0)).unwrap();
    }
    let (mut now, mut answered, mut throttled) = (at(0), 0, Vec::new());
    loop {
        let polled = drain(&mut engine, now);
        let is_throttled =
            |event: &DecisionEvent| matches!(event, DecisionEvent::HostThrottled { .. });
        throttled.extend(polled.events.iter().any(is_throttled).then_some(answered));
        if let Some(attempt) = polled.starts.first() {
            answer(&mut engine, attempt, answer_status(answered), now);
            answered += 1;
            continue;
        }
        match polled.wake {
            Some(wake) if engine.stats().live > 0 => now = wake,
            _ => break,
        }
    }
    assert_eq!(answered, 120, "every URL is fetched once");
    throttled
}

#[test]
fn a_host_that_answers_well_is_never_throttled() {
    let target = targets::service(BalanceStrategy::RoundRobin);
    for (config, url) in [
        (only(exact().attempts(1)), "http://a.test/"),
        (target, "http://service.test/"),
    ] {
        for status in [200, 404] {
            let throttled = throttled_after(config.clone(), url, |_| status);
            assert!(throttled.is_empty(), "{status} of {url}: {throttled:?}");
        }
    }
}

#[test]
fn a_throttled_host_recovers_with_good_answers() {
    let config = only(exact().attempts(1));
    let bad = 20;
    let throttled = throttled_after(config, "http://a.test/", |answered| match answered < bad {
        true => 503,
        false => 200,
    });
    // As many good answers as bad ones make up for them: K is 2.
    let last = throttled.last().copied().unwrap_or_default();
    assert!(
        throttled.contains(&bad) && last < 2 * bad + 1,
        "{throttled:?}"
    );
}

#[test]
fn a_hosts_queue_is_ordered_by_priority_then_by_age() {
    let mut engine = Engine::new(only(exact()).per_host(1), 7, at(0));
    for (path, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)] {
        let request = FetchRequest {
            priority,
            ..get(&format!("http://a.test/{path}"))
        };
        engine.submit(request, at(0)).unwrap();
    }
    let (mut order, mut polled) = (Vec::new(), drain(&mut engine, at(0)));
    while let Some(attempt) = polled.starts.first() {
        order.push(attempt.url.path().to_string());
        answer(&mut engine, attempt, 200, at(1));
        polled = drain(&mut engine, at(1));
    }
    assert_eq!(order, ["/b", "/d", "/a", "/c", "/e"]);
}

#[test]
fn a_retry_goes_before_its_priority_and_after_higher_ones() {
    let config = only(exact().backoff(Backoff::default().base(Duration::ZERO)));
    let mut engine = Engine::new(config.per_host(1), 7, at(0));
    submit(&mut engine, ["http://a.test/first", "http://a.test/like"]);
    let urgent = FetchRequest {
        priority: 1,
        ..get("http://a.test/urgent")
    };
    let first = drain(&mut engine, at(0)).starts[0].clone();
    engine.submit(urgent, at(0)).unwrap();
    fail(&mut engine, &first, at(1));
    let mut order = Vec::new();
    let mut polled = drain(&mut engine, at(1));
    while let Some(attempt) = polled.starts.first() {
        order.push(attempt.url.path().to_string());
        answer(&mut engine, attempt, 200, at(2));
        polled = drain(&mut engine, at(2));
    }
    assert_eq!(order, ["/urgent", "/first", "/like"]);
}
