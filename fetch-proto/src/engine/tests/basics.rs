//! The engine's promises: unit tests first, then properties over random runs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::{Config, Engine, Output, Refusal};
use crate::testing::{ServerModel, Simulation};
use crate::{
    Attempt, Backoff, DecisionEvent, FailureKind, FetchError, FetchRequest, HeadSummary, Input,
    InputEffect, Policy, PolicyRules, TimeLimit, Timeouts, Timestamp,
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_millis(millis))
}

fn get(url: &str) -> FetchRequest {
    FetchRequest::get(url.parse().unwrap())
}

fn engine(config: Config, urls: &[&str]) -> Engine {
    let mut engine = Engine::new(config, 0, at(0));
    for url in urls {
        engine.submit(get(url), at(0)).unwrap();
    }
    engine
}

/// All attempts that may start now.
fn starts(engine: &mut Engine, now: Timestamp) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    loop {
        match engine.poll(now) {
            Output::Start(attempt) => attempts.push(attempt),
            Output::Idle(_) => return attempts,
            _ => {}
        }
    }
}

fn answer(engine: &mut Engine, attempt: &Attempt, head: HeadSummary, now: Timestamp) {
    engine.handle(attempt.id, Input::Head(head), now);
    engine.handle(attempt.id, Input::End(Ok(())), now);
}

fn paths(attempts: &[Attempt]) -> Vec<&str> {
    attempts
        .iter()
        .map(|attempt| attempt.url.as_str())
        .collect()
}

#[test]
fn hosts_take_turns_so_a_crowded_one_delays_nobody() {
    let mut engine = Engine::new(Config::default().concurrency(4).window(200_000), 0, at(0));
    for n in 0..100_000 {
        engine
            .submit(get(&format!("http://crowded.test/{n}")), at(0))
            .unwrap();
    }
    engine.submit(get("http://b.test/"), at(0)).unwrap();
    engine.submit(get("http://c.test/"), at(0)).unwrap();
    let started = starts(&mut engine, at(0));
    let expected = [
        "http://crowded.test/0",
        "http://b.test/",
        "http://c.test/",
        "http://crowded.test/1",
    ];
    assert_eq!(paths(&started), expected);
}

#[test]
fn a_busy_host_holds_no_slot_of_another() {
    let config = Config::default().concurrency(10).per_host(1);
    let mut engine = engine(
        config,
        &["http://a.test/1", "http://a.test/2", "http://b.test/1"],
    );
    let started = starts(&mut engine, at(0));
    assert_eq!(paths(&started), ["http://a.test/1", "http://b.test/1"]);
    answer(&mut engine, &started[0], HeadSummary::status(200), at(1));
    assert_eq!(paths(&starts(&mut engine, at(1))), ["http://a.test/2"]);
}

#[test]
fn retry_after_pauses_the_whole_host_and_no_other() {
    let config = Config::default().concurrency(1);
    let mut engine = engine(
        config,
        &["http://a.test/1", "http://a.test/2", "http://b.test/1"],
    );
    let first = starts(&mut engine, at(0)).remove(0);
    let head = HeadSummary {
        retry_after: Some(Duration::from_secs(5)),
        ..HeadSummary::status(429)
    };
    answer(&mut engine, &first, head, at(0));
    let second = starts(&mut engine, at(0));
    assert_eq!(paths(&second), ["http://b.test/1"]);
    answer(&mut engine, &second[0], HeadSummary::status(200), at(1));
    assert!(starts(&mut engine, at(4999)).is_empty());
    assert_eq!(engine.host_stats("http://a.test").unwrap().queued, 1);
    // The fetch that was told to wait comes before those that never had a turn.
    assert_eq!(paths(&starts(&mut engine, at(5000))), ["http://a.test/1"]);
}

#[test]
fn a_pause_outlives_the_fetches_of_its_host_but_not_itself() {
    let policy = Policy::default().attempts(1);
    let config = Config::default().rules(PolicyRules::from_policy(policy));
    let mut engine = engine(config, &["http://a.test/1"]);
    let first = starts(&mut engine, at(0)).remove(0);
    let head = HeadSummary {
        retry_after: Some(Duration::from_secs(5)),
        ..HeadSummary::status(503)
    };
    answer(&mut engine, &first, head, at(0));
    assert!(starts(&mut engine, at(0)).is_empty());
    engine.submit(get("http://a.test/2"), at(1)).unwrap();
    assert!(starts(&mut engine, at(1)).is_empty());
    assert_eq!(starts(&mut engine, at(5000)).len(), 1);
}

#[test]
fn idle_hosts_are_forgotten() {
    let mut engine = Engine::new(Config::default(), 0, at(0));
    for n in 0..1000 {
        engine
            .submit(get(&format!("http://{n}.test/")), at(n))
            .unwrap();
        let attempt = starts(&mut engine, at(n)).remove(0);
        answer(&mut engine, &attempt, HeadSummary::status(200), at(n));
        assert!(starts(&mut engine, at(n)).is_empty());
    }
    assert_eq!(engine.stats().hosts, 0);
}

#[test]
fn a_redirect_obeys_the_limits_of_its_new_host() {
    let config = Config::default().per_host(1);
    let mut engine = engine(config, &["http://a.test/", "http://b.test/"]);
    let started = starts(&mut engine, at(0));
    let head = HeadSummary {
        location: Some("http://b.test/moved".into()),
        ..HeadSummary::status(302)
    };
    answer(&mut engine, &started[0], head, at(1));
    assert!(starts(&mut engine, at(1)).is_empty());
    answer(&mut engine, &started[1], HeadSummary::status(200), at(2));
    assert_eq!(paths(&starts(&mut engine, at(2))), ["http://b.test/moved"]);
}

#[test]
fn a_retry_holds_no_slot_while_it_waits() {
    let config = Config::default().concurrency(1);
    let mut engine = engine(config, &["http://a.test/1", "http://a.test/2"]);
    let first = starts(&mut engine, at(0)).remove(0);
    engine.handle(first.id, Input::End(Err(FailureKind::Io)), at(0));
    assert_eq!(paths(&starts(&mut engine, at(0))), ["http://a.test/2"]);
}

#[test]
fn the_rate_spaces_attempts_out() {
    let config = Config::default().rate("2/s".parse().unwrap());
    let urls: Vec<_> = (0..5).map(|n| format!("http://{n}.test/")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let mut engine = engine(config, &urls);
    let counts = [0, 499, 500, 999, 1000].map(|ms| starts(&mut engine, at(ms)).len());
    assert_eq!(counts, [1, 0, 1, 0, 1]);
}

#[test]
fn each_host_has_a_rate_of_its_own() {
    let config = Config::default().host_rate("1/s".parse().unwrap());
    let mut engine = engine(
        config,
        &["http://a.test/1", "http://a.test/2", "http://b.test/"],
    );
    assert_eq!(
        paths(&starts(&mut engine, at(0))),
        ["http://a.test/1", "http://b.test/"]
    );
    assert!(starts(&mut engine, at(999)).is_empty());
    assert_eq!(paths(&starts(&mut engine, at(1000))), ["http://a.test/2"]);
}

#[test]
fn want_of_file_descriptors_lowers_the_concurrency_until_responses_come() {
    let urls: Vec<_> = (0..50).map(|n| format!("http://a.test/{n}")).collect();
    let mut engine = Engine::new(Config::default().concurrency(10), 0, at(0));
    for url in &urls {
        engine.submit(get(url), at(0)).unwrap();
    }
    let started = starts(&mut engine, at(0));
    for attempt in &started[4..] {
        engine.handle(attempt.id, Input::End(Err(FailureKind::Exhausted)), at(0));
    }
    assert!(starts(&mut engine, at(0)).is_empty());
    assert_eq!(engine.stats().flying, 4);
    for attempt in &started[..4] {
        answer(&mut engine, attempt, HeadSummary::status(200), at(1));
    }
    let limit = starts(&mut engine, at(1)).len();
    assert!((5..=9).contains(&limit), "{limit}");
}

#[test]
fn submitting_beyond_the_window_hands_the_request_back() {
    let mut engine = engine(Config::default().window(1), &["http://a.test/1"]);
    let rejected = engine.submit(get("http://a.test/2"), at(0)).unwrap_err();
    assert_eq!(
        (rejected.why, rejected.request.url.path()),
        (Refusal::Full, "/2")
    );
    engine.close(at(0));
    assert_eq!(
        engine
            .submit(get("http://a.test/3"), at(0))
            .unwrap_err()
            .why,
        Refusal::Closed
    );
}

#[test]
fn cancelling_aborts_what_flies_and_empties_the_queue() {
    let config = Config::default().concurrency(1);
    let mut engine = engine(config, &["http://a.test/1", "http://a.test/2"]);
    let flying = starts(&mut engine, at(0)).remove(0);
    engine.close(at(1));
    assert_eq!(engine.poll(at(1)), Output::Abort(flying.id));
    for _ in 0..2 {
        let Output::Done(_, outcome) = engine.poll(at(1)) else {
            panic!("not done")
        };
        assert_eq!(outcome.result, Err(FetchError::Cancelled));
    }
    let Output::Idle(idle) = engine.poll(at(1)) else {
        panic!("not idle")
    };
    assert_eq!((idle.live, idle.room, idle.wake), (0, 0, None));
    assert_eq!(engine.stats().flying, 0);
}

#[test]
fn an_id_of_a_former_fetch_is_stale() {
    let mut engine = engine(Config::default(), &["http://a.test/"]);
    let old = starts(&mut engine, at(0)).remove(0);
    answer(&mut engine, &old, HeadSummary::status(200), at(0));
    assert!(starts(&mut engine, at(0)).is_empty());
    engine.submit(get("http://a.test/"), at(0)).unwrap();
    let new = starts(&mut engine, at(0)).remove(0);
    assert_eq!(old.id.fetch.slot(), new.id.fetch.slot());
    assert_eq!(
        engine.handle(old.id, Input::End(Ok(())), at(0)),
        InputEffect::Stale
    );
    assert_eq!(engine.cancel(old.id.fetch, at(0)), InputEffect::Stale);
}

#[test]
fn time_that_runs_back_is_clamped_and_counted() {
    let mut engine = engine(Config::default(), &["http://a.test/"]);
    let attempt = starts(&mut engine, at(1000)).remove(0);
    answer(&mut engine, &attempt, HeadSummary::status(200), at(5));
    assert!(matches!(engine.poll(at(4)), Output::Accept(_)));
    let Output::Done(_, outcome) = engine.poll(at(4)) else {
        panic!("not done")
    };
    assert_eq!(outcome.timings.ended, at(1000));
    assert_eq!(engine.stats().time_regressions, 4);
}

#[test]
fn a_fetch_that_waits_too_long_in_the_queue_never_starts() {
    let timeouts = Timeouts {
        queue: Some(Duration::from_secs(1)),
        ..Timeouts::default()
    };
    let rules = PolicyRules::from_policy(Policy::default().timeouts(timeouts));
    let config = Config::default().concurrency(1).rules(rules);
    let mut engine = engine(config, &["http://a.test/1", "http://a.test/2"]);
    assert_eq!(starts(&mut engine, at(0)).len(), 1);
    let Output::Done(_, outcome) = engine.poll(at(1000)) else {
        panic!("not done")
    };
    assert_eq!(outcome.result, Err(FetchError::TimedOut(TimeLimit::Queue)));
}

#[test]
fn events_tell_of_pauses_and_retries() {
    let mut engine = engine(Config::default().events(true), &["http://a.test/"]);
    let mut events = Vec::new();
    let mut attempt = None;
    for now in [0, 1] {
        if let Some(attempt) = attempt.take() {
            let head = HeadSummary {
                retry_after: Some(Duration::from_secs(3)),
                ..HeadSummary::status(503)
            };
            answer(&mut engine, &attempt, head, at(now));
        }
        loop {
            match engine.poll(at(now)) {
                Output::Event(_, event) => events.push(event),
                Output::Start(started) => attempt = Some(started),
                Output::Idle(_) => break,
                _ => {}
            }
        }
    }
    assert!(
        events
            .iter()
            .any(|event| matches!(event, DecisionEvent::HostPaused { .. }))
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, DecisionEvent::Retrying { attempt: 1, .. }))
    );
}

#[test]
fn a_queued_fetch_stays_small() {
    assert!(
        size_of::<super::slab::Slot>() < 512,
        "{}",
        size_of::<super::slab::Slot>()
    );
}

#[test]
fn a_million_fetches_are_simulated_with_one_outcome_each() {
    let count = if cfg!(debug_assertions) {
        100_000
    } else {
        1_000_000
    };
    let urls = (0..count).map(|n| format!("http://{}.test/{n}", n % 100));
    let server = ServerModel::default().unavailable(20).resets(20).stalls(10);
    let config = Config::default().per_host(8);
    let mut seen = alloc::vec![false; count];
    let summary = Simulation::new(config, 1)
        .everywhere(server)
        .run_with(urls, |outcome, _| {
            let slot = &mut seen[usize::try_from(outcome.tag).unwrap()];
            assert!(
                !core::mem::replace(slot, true),
                "two outcomes for {}",
                outcome.tag
            );
        });
    assert!(seen.into_iter().all(|seen| seen));
    assert!(summary.max_in_flight <= 100 && summary.max_in_flight_per_host <= 8);
    assert_eq!(summary.engine.time_regressions, 0);
}

/// A random site, list and configuration.
fn runs() -> impl Strategy<Value = (Config, ServerModel, Vec<String>, u64)> {
    let limits = (1usize..20, 0usize..5, 1usize..60, any::<bool>(), 1u64..20);
    let faults = (0u16..400, 0u16..300, 0u16..200, prop::option::of(0u64..90));
    let list = prop::collection::vec((0u8..6, 0u8..4), 0..80);
    (limits, faults, list, any::<u64>()).prop_map(|(limits, faults, list, seed)| {
        let (concurrency, per_host, window, rated, total) = limits;
        let timeouts = Timeouts {
            total: Some(Duration::from_secs(total * 5)),
            ..Timeouts::default()
        };
        let policy = Policy::default()
            .timeouts(timeouts)
            .backoff(Backoff::default());
        let mut config = Config::default()
            .concurrency(concurrency)
            .per_host(per_host)
            .window(window)
            .rules(PolicyRules::from_policy(policy));
        if rated {
            config = config
                .host_rate("20/s".parse().unwrap())
                .rate("50/s".parse().unwrap());
        }
        let (unavailable, resets, stalls, retry_after) = faults;
        let mut server = ServerModel::default()
            .unavailable(unavailable)
            .resets(resets)
            .stalls(stalls);
        if let Some(seconds) = retry_after {
            server = server.retry_after(Duration::from_secs(seconds));
        }
        let urls = list
            .iter()
            .map(|(host, path)| format!("http://h{host}.test/{path}"))
            .collect();
        (config, server, urls, seed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Exactly one outcome for each fetch, limits never exceeded, nothing begun after its deadline,
    /// and a driver that sleeps exactly until `wake` always finishes (the simulation panics if not).
    #[test]
    fn every_run_keeps_the_promises((config, server, urls, seed) in runs()) {
        let limit = config.concurrency_limit();
        let per_host = config.per_host.map_or(usize::MAX, core::num::NonZeroUsize::get);
        let total = config.rules.policy(&crate::Method::Get, &"http://h0.test/".parse().unwrap())
            .timeouts_ref().total.unwrap();
        let mut seen = alloc::vec![0; urls.len()];
        let mut late = 0;
        let mut simulation = Simulation::new(config, seed).everywhere(server);
        let summary = simulation.run_with(&urls, |outcome, _| {
            seen[usize::try_from(outcome.tag).unwrap()] += 1;
            let deadline = outcome.timings.started.map(|started| started + total);
            late += outcome.attempts.iter().filter(|a| Some(a.timings.started) >= deadline).count();
        });
        prop_assert!(seen.iter().all(|count| *count == 1), "{:?}", seen);
        prop_assert_eq!(late, 0);
        prop_assert!(summary.max_in_flight <= limit);
        prop_assert!(summary.max_in_flight_per_host <= per_host);
        prop_assert_eq!(summary.engine.flying, 0);
        prop_assert_eq!(summary.engine.live, 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_run((config, server, urls, seed) in runs()) {
        let run = || Simulation::new(config.clone(), seed).everywhere(server).run(&urls);
        let (a, b) = (run(), run());
        prop_assert_eq!((a.digest, a.took, a.engine), (b.digest, b.took, b.engine));
    }

    /// Whatever the driver says in whatever order, nothing panics and every fetch ends once.
    #[test]
    fn arbitrary_inputs_do_no_harm(steps in prop::collection::vec((0u8..12, 0u8..8, 0u64..3000), 0..200)) {
        let mut engine = Engine::new(Config::default().concurrency(3).per_host(2).window(8), 0, at(0));
        let (mut attempts, mut ids): (Vec<Attempt>, Vec<crate::FetchId>) = (Vec::new(), Vec::new());
        let (mut now, mut submitted, mut done) = (0, 0, 0);
        let mut step = |engine: &mut Engine, kind: u8, which: u8, pass: u64| {
            now += pass;
            let t = at(if kind == 11 { now.saturating_sub(2000) } else { now });
            let pick = |len: usize| usize::from(which) % len.max(1);
            if let Some(attempt) = attempts.get(pick(attempts.len())) {
                let input = match kind {
                    0 => Some(Input::Head(HeadSummary::status(200))),
                    1 => Some(Input::Head(HeadSummary { location: Some("http://other.test/".into()), ..HeadSummary::status(302) })),
                    2 => Some(Input::Head(HeadSummary { retry_after: Some(Duration::from_secs(2)), ..HeadSummary::status(429) })),
                    3 => Some(Input::Body { bytes: 1 << 20 }),
                    4 => Some(Input::End(Ok(()))),
                    5 => Some(Input::End(Err(FailureKind::Io))),
                    6 => Some(Input::End(Err(FailureKind::Exhausted))),
                    7 => Some(Input::End(Err(FailureKind::Stale { sent: true }))),
                    8 => Some(Input::Paused),
                    _ => None,
                };
                if let Some(input) = input {
                    engine.handle(attempt.id, input, t);
                }
            }
            if kind == 9
                && let Some(id) = ids.get(pick(ids.len())) {
                    engine.cancel(*id, t);
                }
            if kind == 10
                && let Ok(id) = engine.submit(get(&format!("http://h{}.test/", which % 3)), t) {
                    ids.push(id);
                    submitted += 1;
                }
            loop {
                match engine.poll(t) {
                    Output::Start(attempt) => attempts.push(attempt),
                    Output::Done(..) => done += 1,
                    Output::Idle(idle) => break assert_eq!(idle.live, submitted - done),
                    _ => {}
                }
                assert!(engine.stats().flying <= 3);
            }
        };
        for (kind, which, pass) in steps {
            step(&mut engine, kind, which, pass);
        }
        engine.close(at(10_000_000));
        step(&mut engine, 99, 0, 10_000_000);
        prop_assert_eq!(engine.stats().live, 0);
        prop_assert_eq!((submitted, engine.stats().flying), (done, 0));
    }
}
