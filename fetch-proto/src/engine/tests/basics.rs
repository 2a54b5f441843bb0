//! Admission, queues, limits, retries and ids.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{at, get};
use crate::{
    Attempt, DecisionEvent, Engine, EngineConfig, EngineOutput, FailureKind, FetchError,
    HeadSummary, Input, InputEffect, Policy, PolicyRules, RejectReason, TimeLimit, Timeouts,
    Timestamp,
};

fn engine(config: EngineConfig, urls: &[&str]) -> Engine {
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
            EngineOutput::Start(attempt) => attempts.push(attempt),
            EngineOutput::Idle(_) => return attempts,
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
fn hosts_take_turns_so_a_host_with_many_fetches_delays_no_other() {
    let mut engine = Engine::new(
        EngineConfig::default().concurrency(4).window(200_000),
        0,
        at(0),
    );
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
fn a_host_at_its_limit_does_not_use_slots_of_others() {
    let config = EngineConfig::default().concurrency(10).per_host(1);
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
    let config = EngineConfig::default().concurrency(1);
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
    // The fetch that was refused comes before those that had no turn yet.
    assert_eq!(paths(&starts(&mut engine, at(5000))), ["http://a.test/1"]);
}

#[test]
fn a_pause_lasts_after_the_last_fetch_of_its_host() {
    let policy = Policy::default().attempts(1);
    let config = EngineConfig::default().rules(PolicyRules::from_policy(policy));
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
fn idle_hosts_are_removed() {
    let mut engine = Engine::new(EngineConfig::default(), 0, at(0));
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
    let config = EngineConfig::default().per_host(1);
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
    let config = EngineConfig::default().concurrency(1);
    let mut engine = engine(config, &["http://a.test/1", "http://a.test/2"]);
    let first = starts(&mut engine, at(0)).remove(0);
    engine.handle(first.id, Input::End(Err(FailureKind::Io)), at(0));
    assert_eq!(paths(&starts(&mut engine, at(0))), ["http://a.test/2"]);
}

#[test]
fn the_rate_spaces_attempts() {
    let config = EngineConfig::default().rate("2/s".parse().unwrap());
    let urls: Vec<_> = (0..5).map(|n| format!("http://{n}.test/")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let mut engine = engine(config, &urls);
    let counts = [0, 499, 500, 999, 1000].map(|ms| starts(&mut engine, at(ms)).len());
    assert_eq!(counts, [1, 0, 1, 0, 1]);
}

#[test]
fn the_host_rate_is_per_host() {
    let config = EngineConfig::default().host_rate("1/s".parse().unwrap());
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
fn exhausted_file_descriptors_lower_the_concurrency_until_responses_complete() {
    let urls: Vec<_> = (0..50).map(|n| format!("http://a.test/{n}")).collect();
    let mut engine = Engine::new(EngineConfig::default().concurrency(10), 0, at(0));
    for url in &urls {
        engine.submit(get(url), at(0)).unwrap();
    }
    let started = starts(&mut engine, at(0));
    for attempt in &started[4..] {
        engine.handle(attempt.id, Input::End(Err(FailureKind::Exhausted)), at(0));
    }
    assert!(starts(&mut engine, at(0)).is_empty());
    assert_eq!(engine.stats().in_flight, 4);
    for attempt in &started[..4] {
        answer(&mut engine, attempt, HeadSummary::status(200), at(1));
    }
    let limit = starts(&mut engine, at(1)).len();
    assert!((5..=9).contains(&limit), "{limit}");
}

#[test]
fn a_submission_beyond_the_window_returns_the_request() {
    let mut engine = engine(EngineConfig::default().window(1), &["http://a.test/1"]);
    let rejected = engine.submit(get("http://a.test/2"), at(0)).unwrap_err();
    assert_eq!(
        (rejected.why, rejected.request.url.path()),
        (RejectReason::Full, "/2")
    );
    engine.close(at(0));
    assert_eq!(
        engine
            .submit(get("http://a.test/3"), at(0))
            .unwrap_err()
            .why,
        RejectReason::Closed
    );
}

#[test]
fn closing_aborts_attempts_and_empties_the_queues() {
    let config = EngineConfig::default().concurrency(1);
    let mut engine = engine(config, &["http://a.test/1", "http://a.test/2"]);
    let attempt = starts(&mut engine, at(0)).remove(0);
    engine.close(at(1));
    assert_eq!(engine.poll(at(1)), EngineOutput::Abort(attempt.id));
    for _ in 0..2 {
        let EngineOutput::Done(_, outcome) = engine.poll(at(1)) else {
            panic!("not done")
        };
        assert_eq!(outcome.result, Err(FetchError::Cancelled));
    }
    let EngineOutput::Idle(idle) = engine.poll(at(1)) else {
        panic!("not idle")
    };
    assert_eq!((idle.live, idle.room, idle.wake), (0, 0, None));
    assert_eq!(engine.stats().in_flight, 0);
}

#[test]
fn the_id_of_an_ended_fetch_is_stale() {
    let mut engine = engine(EngineConfig::default(), &["http://a.test/"]);
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
fn time_that_runs_backwards_is_clamped_and_counted() {
    let mut engine = engine(EngineConfig::default(), &["http://a.test/"]);
    let attempt = starts(&mut engine, at(1000)).remove(0);
    answer(&mut engine, &attempt, HeadSummary::status(200), at(5));
    assert!(matches!(engine.poll(at(4)), EngineOutput::Accept(_)));
    let EngineOutput::Done(_, outcome) = engine.poll(at(4)) else {
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
    let config = EngineConfig::default().concurrency(1).rules(rules);
    let mut engine = engine(config, &["http://a.test/1", "http://a.test/2"]);
    assert_eq!(starts(&mut engine, at(0)).len(), 1);
    let EngineOutput::Done(_, outcome) = engine.poll(at(1000)) else {
        panic!("not done")
    };
    assert_eq!(outcome.result, Err(FetchError::TimedOut(TimeLimit::Queue)));
}

#[test]
fn events_report_pauses_and_retries() {
    let mut engine = engine(EngineConfig::default().events(true), &["http://a.test/"]);
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
                EngineOutput::Event(_, event) => events.push(event),
                EngineOutput::Start(started) => attempt = Some(started),
                EngineOutput::Idle(_) => break,
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
        size_of::<super::super::state::fetch_slab::FetchSlot>() <= 512,
        "{}",
        size_of::<super::super::state::fetch_slab::FetchSlot>()
    );
}

#[test]
fn urls_without_a_host_are_refused() {
    let mut engine = Engine::new(EngineConfig::default(), 0, at(0));
    for url in [
        "mailto:a@b.test",
        "file:///etc/hosts",
        "data:,a",
        "unix:/run/a",
    ] {
        let rejected = engine.submit(get(url), at(0)).unwrap_err();
        assert_eq!(rejected.why, RejectReason::NoHost, "{url}");
        assert_eq!(rejected.request.url.as_str(), url);
    }
    assert_eq!(engine.stats().submitted, 0);
}

#[test]
fn interim_heads_are_not_final() {
    let mut engine = engine(EngineConfig::default(), &["http://a.test/"]);
    let attempt = starts(&mut engine, at(0)).remove(0);
    for status in [100, 102, 103, 199] {
        let head = HeadSummary {
            retry_after: Some(Duration::from_secs(9)),
            pause: Some(Duration::from_secs(9)),
            ..HeadSummary::status(status)
        };
        let effect = engine.handle(attempt.id, Input::Head(head), at(1));
        assert_eq!(effect, InputEffect::Applied);
        assert!(matches!(engine.poll(at(1)), EngineOutput::Idle(_)));
    }
    let host = engine.host_stats("http://a.test").unwrap();
    assert_eq!(host.paused_until, None);
    answer(&mut engine, &attempt, HeadSummary::status(200), at(2));
    let accepted = engine.poll(at(2));
    assert!(matches!(accepted, EngineOutput::Accept(id) if id == attempt.id));
    let EngineOutput::Done(_, outcome) = engine.poll(at(2)) else {
        panic!("the fetch has not ended");
    };
    assert_eq!(outcome.status(), Some(200));
}
