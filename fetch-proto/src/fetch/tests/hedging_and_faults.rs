//! Hedges, retry classes, injected faults and fallbacks.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::testing::{FetchScript, ScriptRun, ScriptedAnswer, failure, hang, status};
use crate::{
    AttemptEnd, Backoff, ChaosPolicy, DecisionEvent, FailureKind, Fallback, FetchRequest,
    GiveUpReason, Hedge, HedgeDelay, InjectedFault, Jitter, Method, Policy, RetryClass,
    RetryClasses, StallGuard, TimeLimit, Timeouts,
};

const SECOND: Duration = Duration::from_secs(1);

fn exact() -> Policy {
    Policy::default().backoff(Backoff::default().jitter(None))
}

fn hedged(delay: Duration) -> Policy {
    exact().hedge(Hedge {
        delay: HedgeDelay::Fixed(delay),
        max: 1,
        on_failure: false,
    })
}

fn run(policy: Policy, answers: impl IntoIterator<Item = ScriptedAnswer>) -> ScriptRun {
    FetchScript::new(policy).answers(answers).run()
}

/// Each attempt's number and end, in the order in which they ended.
fn ends(run: &ScriptRun) -> Vec<String> {
    let attempts = run.outcome().attempts.iter();
    attempts
        .map(|one| format!("{} {:?}", one.number, one.end))
        .collect()
}

#[test]
fn a_slow_attempt_is_hedged_and_the_first_good_head_wins() {
    let answers = [status(200).after(5 * SECOND), status(200).after(SECOND)];
    let run = run(hedged(2 * SECOND), answers);
    assert_eq!(run.to_string(), "0s start · 2s start · 3s 200 done");
    assert_eq!(ends(&run), ["1 Abandoned", "2 Responded"]);
    let winner = run.outcome().result.unwrap().attempt.number();
    assert_eq!(
        (winner, run.outcome().retries),
        (2, 0),
        "a race is no retry"
    );
}

#[test]
fn a_hedge_that_loses_is_abandoned_and_not_a_failure() {
    let answers = [status(200).after(3 * SECOND), hang()];
    let run = run(hedged(2 * SECOND), answers);
    assert_eq!(run.to_string(), "0s start · 2s start · 3s 200 done");
    assert_eq!(ends(&run), ["2 Abandoned", "1 Responded"]);
}

#[test]
fn a_quick_answer_needs_no_hedge() {
    let run = run(hedged(2 * SECOND), [status(200).after(SECOND)]);
    assert_eq!(run.to_string(), "0s start · 1s 200 done");
}

#[test]
fn when_one_of_two_attempts_fails_the_other_decides() {
    let answers = [status(503).after(3 * SECOND), status(200).after(4 * SECOND)];
    let run = run(hedged(2 * SECOND), answers);
    assert_eq!(
        run.to_string(),
        "0s start · 2s start · 3s 503 · 6s 200 done"
    );
}

#[test]
fn an_attempt_and_its_hedge_that_both_fail_count_once() {
    let answers = [
        failure(FailureKind::Io).after(3 * SECOND),
        status(503).after(3 * SECOND),
        status(200),
    ];
    let run = run(hedged(2 * SECOND).attempts(2), answers);
    let expected = "0s start · 2s start · 3s io · 5s 503 · 6s start · 6s 200 done";
    assert_eq!(
        (run.to_string().as_str(), run.outcome().retries),
        (expected, 1)
    );
}

#[test]
fn a_refused_response_that_is_still_read_does_not_delay_the_retry() {
    // Its head has arrived and its body is being discarded when the last contender fails.
    let answers = [
        status(503).after(3 * SECOND),
        failure(FailureKind::Io).after(2 * SECOND),
        status(200),
    ];
    let run = run(hedged(2 * SECOND), answers);
    assert_eq!(run.outcome().status(), Some(200));
}

#[test]
fn a_failure_starts_the_next_hedge_at_once_if_configured() {
    let mut policy = hedged(2 * SECOND);
    policy.hedge = policy.hedge.map(|hedge| Hedge {
        max: 2,
        on_failure: true,
        ..hedge
    });
    let answers = [
        status(200).after(5 * SECOND),
        status(500).after(SECOND / 2),
        status(200).after(SECOND),
    ];
    let run = run(policy, answers);
    let expected = "0s start · 2s start · 2.5s 500 · 2.5s start · 3.5s 200 done";
    assert_eq!(run.to_string(), expected);
}

#[test]
fn retry_after_stops_further_hedges() {
    let mut policy = hedged(2 * SECOND);
    policy.hedge = policy.hedge.map(|hedge| Hedge {
        max: 5,
        on_failure: true,
        ..hedge
    });
    let answers = [
        status(200).after(5 * SECOND),
        status(429).after(SECOND).retry_after(SECOND),
    ];
    let run = run(policy, answers);
    assert_eq!(
        run.to_string(),
        "0s start · 2s start · 3s 429 · 5s 200 done"
    );
}

#[test]
fn requests_that_may_not_be_repeated_are_not_hedged() {
    let mut script = FetchScript::new(hedged(SECOND));
    let run = script
        .method(Method::Post)
        .answers([status(200).after(3 * SECOND)])
        .run();
    assert_eq!(run.to_string(), "0s start · 3s 200 done");
}

#[test]
fn the_class_of_a_status_can_be_changed() {
    let classes = RetryClasses::default()
        .status(404, RetryClass::Transient)
        .status(503, RetryClass::Forbidden)
        .failure(FailureKind::Tls, RetryClass::Transient);
    let policy = exact().classes(classes);
    let trace = |answers: [ScriptedAnswer; 2]| run(policy.clone(), answers).to_string();
    assert_eq!(
        trace([status(404), status(503)]),
        "0s start · 0s 404 · 1s start · 1s 503 done"
    );
    assert_eq!(
        trace([failure(FailureKind::Tls), status(200)]),
        "0s start · 0s tls · 1s start · 1s 200 done"
    );
}

#[test]
fn full_jitter_is_never_near_zero_after_a_429() {
    let policy = Policy::default().backoff(Backoff::default().jitter(Jitter::Full));
    for seed in 0..200 {
        let mut script = FetchScript::new(policy.clone());
        let run = script.seed(seed).answers([status(429), status(200)]).run();
        assert!(run.outcome().timings.backoff >= SECOND / 2, "seed {seed}");
    }
}

#[test]
fn a_retry_without_useful_time_left_is_not_made() {
    let timeouts = Timeouts {
        total: Some(Duration::from_millis(1050)),
        ..Timeouts::DEFAULT
    };
    let run = run(exact().timeouts(timeouts), [status(503)]);
    assert_eq!(run.outcome().gave_up, Some(GiveUpReason::TotalTimeout));
}

fn chaotic(fault: InjectedFault) -> Policy {
    exact()
        .attempts(1)
        .chaos(ChaosPolicy::default().fault(1000, fault))
}

#[test]
fn an_injected_error_sends_nothing() {
    let run = run(chaotic(InjectedFault::Error(FailureKind::Resolve)), []);
    assert!(run.attempts().is_empty());
    assert_eq!(ends(&run), ["1 Failed(Resolve)"]);
}

#[test]
fn an_injected_stall_reaches_the_attempt_limit() {
    let run = run(chaotic(InjectedFault::Stall), []);
    assert_eq!(run.outcome().timings.total(), 6 * SECOND);
    assert_eq!(ends(&run), ["1 TimedOut(Attempt)"]);
}

#[test]
fn injected_latency_delays_the_request() {
    let run = run(
        chaotic(InjectedFault::latency(SECOND..=SECOND)),
        [status(200)],
    );
    assert_eq!(run.to_string(), "1s start · 1s 200 done");
}

#[test]
fn an_injected_reset_comes_with_the_head() {
    let run = run(chaotic(InjectedFault::Reset), [status(200).after(SECOND)]);
    assert_eq!(ends(&run), ["1 Failed(Io)"]);
}

#[test]
fn an_injected_truncation_ends_the_body() {
    for body in [0, 5, 100] {
        let run = run(
            chaotic(InjectedFault::Truncate(10)),
            [status(200).body(body)],
        );
        assert_eq!(ends(&run), ["1 Failed(Io)"], "{body} bytes");
    }
}

#[test]
fn injected_faults_are_reported() {
    let run = run(chaotic(InjectedFault::Reset), [status(200)]);
    let injected = |event: &&DecisionEvent| {
        matches!(
            event,
            DecisionEvent::FaultInjected {
                fault: InjectedFault::Reset,
                ..
            }
        )
    };
    assert_eq!(run.events().iter().filter(injected).count(), 1);
}

fn mirrored() -> Policy {
    let mirror = "http://mirror.test/list".parse().unwrap();
    exact()
        .attempts(2)
        .fallback(Fallback::to(mirror).or_value())
}

#[test]
fn the_fallback_has_its_own_attempts() {
    let run = run(
        mirrored(),
        [
            status(503),
            failure(FailureKind::Io),
            status(503),
            status(200),
        ],
    );
    let hosts: Vec<_> = run
        .attempts()
        .iter()
        .map(|one| one.url.host_str().unwrap())
        .collect();
    assert_eq!(hosts, ["a.test", "a.test", "mirror.test", "mirror.test"]);
    let outcome = run.outcome();
    assert!(outcome.is_success() && outcome.used_fallback && !outcome.needs_fallback_value);
    assert_eq!(outcome.retries, 2);
    assert!(!run.attempts()[2].send_credentials, "it is another origin");
}

#[test]
fn a_bad_last_response_is_discarded_for_the_fallback() {
    let run = run(mirrored(), [status(503), status(503), status(200)]);
    assert!(run.outcome().is_success() && run.outcome().used_fallback);
}

#[test]
fn when_the_fallback_fails_too_a_value_is_needed() {
    let run = run(mirrored(), [503, 503, 503, 502].map(status));
    assert!(run.outcome().needs_fallback_value);
    assert_eq!(run.outcome().status(), Some(502));
}

#[test]
fn a_good_response_and_a_cancellation_need_no_value() {
    let fine = run(exact().fallback(Fallback::value()), [status(404)]);
    assert!(!fine.outcome().needs_fallback_value);
    let now = crate::Timestamp::START;
    let policy = exact().fallback(Fallback::value()).into();
    let mut fetch = crate::Fetch::new(
        FetchRequest::get("http://a.test/".parse().unwrap()),
        policy,
        0,
        now,
    );
    fetch.cancel(now);
    let crate::FetchStep::Done(outcome) = fetch.poll(now) else {
        panic!("it is over");
    };
    assert!(!outcome.needs_fallback_value);
}

#[test]
fn the_stall_guard_ends_a_body_that_slows_to_a_stop() {
    let guard = StallGuard {
        grace: 5 * SECOND,
        ..StallGuard::default()
    };
    let policy = exact().attempts(1).stall(guard).timeouts(Timeouts::NONE);
    let mut fetch = crate::Fetch::new(
        FetchRequest::get("http://a.test/".parse().unwrap()),
        policy.into(),
        0,
        crate::Timestamp::START,
    );
    let at = |seconds: u32| crate::Timestamp::START + SECOND * seconds;
    let _ = fetch.poll(at(0));
    let id = fetch.start(at(0)).unwrap().id;
    fetch.handle(
        id,
        crate::Input::Head(crate::HeadSummary::status(200)),
        at(0),
    );
    fetch.handle(id, crate::Input::Body { bytes: 1000 }, at(0));
    let _ = fetch.poll(at(0));
    let crate::FetchStep::Wait(Some(wake)) = fetch.poll(at(0)) else {
        panic!("it waits for the body");
    };
    assert_eq!(wake.why, crate::WakeReason::Limit(TimeLimit::Throughput));
    let _ = fetch.poll(wake.at);
    let crate::FetchStep::Done(outcome) = fetch.poll(wake.at) else {
        panic!("the body stalled");
    };
    assert_eq!(
        outcome.attempts[0].end,
        AttemptEnd::TimedOut(TimeLimit::Throughput)
    );
    assert!(outcome.timings.total() >= 5 * SECOND);
}
