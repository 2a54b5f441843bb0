//! Behaviour of one fetch, mostly as traces of a script.

mod downloads;
mod hedging_and_faults;
mod hooks;
mod redirects;
mod repeats;

use alloc::string::ToString;
use core::time::Duration;

use crate::testing::{FetchScript, ScriptRun, ScriptedAnswer, failure, hang, status};
use crate::{
    AttemptEnd, Backoff, BodyDelivery, DecisionEvent, FailureKind, Fetch, FetchError, FetchRequest,
    FetchStep, GiveUpReason, HeadSummary, Input, InputEffect, Method, OverCap, Policy,
    RequestBodyKind, RetryAfterPolicy, TimeLimit, Timeouts, Timestamp,
};

const SECOND: Duration = Duration::from_secs(1);

fn exact() -> Policy {
    Policy::default().backoff(Backoff::default().jitter(None))
}

fn run(policy: Policy, answers: impl IntoIterator<Item = ScriptedAnswer>) -> ScriptRun {
    FetchScript::new(policy).answers(answers).run()
}

fn trace(
    policy: Policy,
    answers: impl IntoIterator<Item = ScriptedAnswer>,
) -> alloc::string::String {
    run(policy, answers).to_string()
}

#[test]
fn waits_are_exactly_1_2_4_seconds_without_jitter() {
    let trace = trace(exact().attempts(4), [503, 503, 503, 200].map(status));
    let expected =
        "0s start · 0s 503 · 1s start · 1s 503 · 3s start · 3s 503 · 7s start · 7s 200 done";
    assert_eq!(trace, expected);
}

#[test]
fn the_last_response_is_the_result_when_no_attempt_is_left() {
    let run = run(exact().attempts(2), [status(503), status(502)]);
    assert_eq!(run.outcome().status(), Some(502));
    assert_eq!(run.outcome().gave_up, Some(GiveUpReason::Attempts));
    assert_eq!(
        (run.outcome().retries, run.outcome().attempts.len()),
        (1, 2)
    );
}

#[test]
fn a_status_that_will_not_change_is_not_retried() {
    assert_eq!(trace(exact(), [status(404)]), "0s start · 0s 404 done");
    assert_eq!(trace(exact(), [status(501)]), "0s start · 0s 501 done");
}

#[test]
fn transient_failures_are_retried_and_others_are_not() {
    let trace1 = trace(exact(), [failure(FailureKind::Io), status(200)]);
    assert_eq!(trace1, "0s start · 0s io · 1s start · 1s 200 done");
    assert_eq!(
        trace(exact(), [failure(FailureKind::Tls)]),
        "0s start · 0s tls failed"
    );
}

#[test]
fn each_attempt_at_a_hanging_server_reaches_the_attempt_limit() {
    let trace = trace(exact().attempts(2), [hang(), hang()]);
    let expected = "0s start · 6s attempt timeout · 7s start · 13s attempt timeout failed";
    assert_eq!(trace, expected);
}

#[test]
fn retry_after_overrides_a_shorter_backoff_and_is_never_shortened() {
    let trace1 = trace(exact(), [status(503).retry_after(30 * SECOND), status(200)]);
    assert_eq!(trace1, "0s start · 0s 503 · 30s start · 30s 200 done");
    let trace2 = trace(exact(), [status(503).retry_after(SECOND / 2), status(200)]);
    assert_eq!(trace2, "0s start · 0s 503 · 1s start · 1s 200 done");
}

#[test]
fn retry_after_beyond_its_cap_fails_clamps_or_defers() {
    let table = [
        (OverCap::Fail, "0s start · 0s 429 done"),
        (
            OverCap::Clamp,
            "0s start · 0s 429 · 10s start · 10s 200 done",
        ),
        (
            OverCap::Defer,
            "0s start · 0s 429 · 99s start · 99s 200 done",
        ),
    ];
    for (over, expected) in table {
        let policy = exact().retry_after(RetryAfterPolicy {
            cap: 10 * SECOND,
            over,
        });
        let answers = [status(429).retry_after(99 * SECOND), status(200)];
        assert_eq!(trace(policy, answers), expected);
    }
}

#[test]
fn a_retry_that_cannot_start_in_time_is_not_waited_for() {
    let timeouts = Timeouts {
        total: Some(10 * SECOND),
        ..Timeouts::default()
    };
    let run = run(
        exact().timeouts(timeouts),
        [status(503).retry_after(20 * SECOND)],
    );
    assert_eq!(run.to_string(), "0s start · 0s 503 done");
    assert_eq!(run.outcome().gave_up, Some(GiveUpReason::TotalTimeout));
}

#[test]
fn the_total_limit_ends_an_attempt_in_flight() {
    let timeouts = Timeouts {
        total: Some(10 * SECOND),
        ..Timeouts::default()
    };
    let run = run(exact().timeouts(timeouts), [hang(), hang()]);
    let expected = "0s start · 6s attempt timeout · 7s start · 10s total timeout failed";
    assert_eq!(run.to_string(), expected);
    assert_eq!(
        run.outcome().result,
        Err(FetchError::TimedOut(TimeLimit::Total))
    );
}

#[test]
fn only_idempotent_or_unsent_requests_are_retried() {
    let post = |answer: ScriptedAnswer| {
        FetchScript::new(exact())
            .method(Method::Post)
            .answers([answer, status(200)])
            .run()
    };
    assert_eq!(
        post(status(503)).outcome().gave_up,
        Some(GiveUpReason::NotIdempotent)
    );
    assert_eq!(
        post(failure(FailureKind::Io)).outcome().gave_up,
        Some(GiveUpReason::NotIdempotent)
    );
    // A request that never left this machine may be sent again.
    assert!(post(failure(FailureKind::Connect)).outcome().is_success());
    let mut vouched = FetchScript::new(exact());
    vouched.request(|r| (r.method, r.idempotent) = (Method::Post, true));
    assert!(
        vouched
            .answers([status(503), status(200)])
            .run()
            .outcome()
            .is_success()
    );
}

#[test]
fn a_request_body_that_can_be_sent_once_is_not_retried() {
    let mut script = FetchScript::new(exact());
    script.request(|r| (r.method, r.body) = (Method::Put, RequestBodyKind::Once));
    let run = script.answers([status(503)]).run();
    assert_eq!(run.outcome().gave_up, Some(GiveUpReason::BodyNotReplayable));
}

#[test]
fn a_stale_connection_is_retried_at_once_without_counting() {
    let stale = failure(FailureKind::Stale { sent: true });
    let run = run(exact().attempts(1), [stale, status(200)]);
    assert_eq!(
        run.to_string(),
        "0s start · 0s stale · 0s start · 0s 200 done"
    );
    assert!(run.attempts()[1].fresh_connection && !run.attempts()[0].fresh_connection);
    assert_eq!(run.outcome().retries, 0);
}

#[test]
fn one_stale_connection_per_counted_attempt_is_free() {
    let stale = || failure(FailureKind::Stale { sent: false });
    let trace = trace(
        exact().attempts(2),
        [stale(), stale(), stale(), status(200)],
    );
    let expected =
        "0s start · 0s stale · 0s start · 0s stale · 1s start · 1s stale · 1s start · 1s 200 done";
    assert_eq!(trace, expected);
}

#[test]
fn a_stale_post_that_may_have_been_sent_is_not_repeated() {
    let mut script = FetchScript::new(exact());
    script
        .method(Method::Post)
        .answers([failure(FailureKind::Stale { sent: true })]);
    assert_eq!(
        script.run().outcome().gave_up,
        Some(GiveUpReason::NotIdempotent)
    );
}

#[test]
fn exhausted_file_descriptors_are_retried_without_counting() {
    let full = || failure(FailureKind::Exhausted);
    let run = run(exact().attempts(1), [full(), full(), full(), status(200)]);
    assert!(run.outcome().is_success());
    assert_eq!(run.outcome().retries, 0);
}

#[test]
fn a_body_over_the_limit_ends_the_fetch() {
    let run = run(exact().max_body(10), [status(200).body(11)]);
    assert_eq!(
        run.outcome().result,
        Err(FetchError::BodyTooLarge { limit: 10 })
    );
    assert!(
        self::run(exact().max_body(10), [status(200).body(10)])
            .outcome()
            .is_success()
    );
}

#[test]
fn a_large_discarded_body_is_aborted_for_its_retry() {
    let trace = trace(exact().drain(10), [status(503).body(11), status(200)]);
    assert_eq!(trace, "0s start · 0s 503 · 1s start · 1s 200 done");
}

#[test]
fn events_report_reasons() {
    let run = run(exact(), [status(503), status(200)]);
    let lines: alloc::vec::Vec<_> = run.events().iter().map(ToString::to_string).collect();
    assert!(
        lines
            .iter()
            .any(|l| l == "retry in 1 s (backoff): status 503, attempt 1 of 3"),
        "{lines:?}"
    );
    assert!(
        !run.events()
            .iter()
            .any(|e| matches!(e, DecisionEvent::GaveUp { .. }))
    );
}

#[test]
fn timings_add_up() {
    let answers = [
        status(302).location("/b").after(SECOND),
        status(503),
        status(200).after(SECOND),
    ];
    let run = run(exact(), answers);
    let t = run.outcome().timings;
    assert_eq!(
        (t.total(), t.backoff, t.redirecting),
        (3 * SECOND, SECOND, SECOND)
    );
    assert_eq!(run.outcome().attempts[2].timings.wait(), Some(SECOND));
}

/// A fetch with one attempt in flight, for inputs that a script cannot make.
fn in_flight(policy: Policy, delivery: BodyDelivery) -> (Fetch, crate::Attempt) {
    let request = FetchRequest::get("http://a.test/".parse().unwrap());
    let request = FetchRequest {
        delivery,
        ..request
    };
    let mut fetch = Fetch::new(request, policy.into(), 0, at(0));
    assert_eq!(fetch.poll(at(0)), FetchStep::Ready);
    let attempt = fetch.start(at(0)).unwrap();
    (fetch, attempt)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_secs(seconds))
}

#[test]
fn a_streamed_response_is_not_retried_after_its_head() {
    let (mut fetch, attempt) = in_flight(exact(), BodyDelivery::Streamed);
    fetch.handle(attempt.id, Input::Head(HeadSummary::status(200)), at(1));
    assert_eq!(fetch.poll(at(1)), FetchStep::Accept(attempt.id));
    fetch.handle(attempt.id, Input::End(Err(FailureKind::Io)), at(2));
    let FetchStep::Done(outcome) = fetch.poll(at(2)) else {
        panic!("not done")
    };
    assert_eq!(outcome.gave_up, Some(GiveUpReason::Committed));
}

#[test]
fn a_slow_consumer_is_not_a_slow_server() {
    let (mut fetch, attempt) = in_flight(exact(), BodyDelivery::Streamed);
    fetch.handle(attempt.id, Input::Head(HeadSummary::status(200)), at(1));
    fetch.handle(attempt.id, Input::Paused, at(1));
    assert_eq!(fetch.poll(at(1)), FetchStep::Accept(attempt.id));
    assert!(matches!(fetch.poll(at(200)), FetchStep::Wait(_)));
    fetch.handle(attempt.id, Input::Resumed, at(200));
    assert!(matches!(fetch.poll(at(229)), FetchStep::Wait(_)));
    assert_eq!(fetch.poll(at(230)), FetchStep::Abort(attempt.id));
}

#[test]
fn a_body_that_stops_coming_is_timed_out_and_retried() {
    let timeouts = Timeouts {
        idle_read: Some(SECOND),
        ..Timeouts::default()
    };
    let (mut fetch, attempt) = in_flight(exact().timeouts(timeouts), BodyDelivery::Buffered);
    fetch.handle(attempt.id, Input::Head(HeadSummary::status(200)), at(1));
    assert_eq!(fetch.poll(at(1)), FetchStep::Accept(attempt.id));
    assert_eq!(fetch.poll(at(2)), FetchStep::Abort(attempt.id));
    assert!(matches!(fetch.poll(at(2)), FetchStep::Wait(Some(_))));
    assert_eq!(fetch.poll(at(3)), FetchStep::Ready);
}

#[test]
fn connect_and_first_byte_have_separate_limits() {
    let timeouts = Timeouts {
        connect: Some(SECOND),
        first_byte: Some(2 * SECOND),
        ..Timeouts::default()
    };
    let (mut fetch, attempt) = in_flight(exact().timeouts(timeouts), BodyDelivery::Buffered);
    assert_eq!(fetch.poll(at(1)), FetchStep::Abort(attempt.id));

    let (mut fetch, attempt) = in_flight(exact().timeouts(timeouts), BodyDelivery::Buffered);
    fetch.handle(
        attempt.id,
        Input::Mark(crate::AttemptPhase::Connected, at(0)),
        at(0),
    );
    assert!(matches!(fetch.poll(at(1)), FetchStep::Wait(_)));
    assert_eq!(fetch.poll(at(2)), FetchStep::Abort(attempt.id));
}

#[test]
fn the_connect_limit_includes_tls_unless_the_connection_is_reused() {
    let timeouts = Timeouts {
        connect: Some(SECOND),
        ..Timeouts::default()
    };
    let policy = alloc::sync::Arc::new(exact().timeouts(timeouts));
    for (phase, ends) in [
        (crate::AttemptPhase::Connected, true),
        (crate::AttemptPhase::Reused, false),
    ] {
        let request = FetchRequest::get("https://a.test/".parse().unwrap());
        let mut fetch = Fetch::new(request, policy.clone(), 0, at(0));
        assert_eq!(fetch.poll(at(0)), FetchStep::Ready);
        let attempt = fetch.start(at(0)).unwrap();
        fetch.handle(attempt.id, Input::Mark(phase, at(0)), at(0));
        assert_eq!(
            fetch.poll(at(1)) == FetchStep::Abort(attempt.id),
            ends,
            "{phase:?}"
        );
    }
}

#[test]
fn inputs_after_the_end_are_stale() {
    let (mut fetch, attempt) = in_flight(exact(), BodyDelivery::Buffered);
    fetch.cancel(at(1));
    assert_eq!(fetch.poll(at(1)), FetchStep::Abort(attempt.id));
    assert!(matches!(fetch.poll(at(1)), FetchStep::Done(_)));
    assert_eq!(
        fetch.handle(attempt.id, Input::End(Ok(())), at(1)),
        InputEffect::Stale
    );
    assert_eq!(fetch.poll(at(9999)), FetchStep::Wait(None));
}

#[test]
fn no_attempt_starts_after_the_queue_limit() {
    let timeouts = Timeouts {
        queue: Some(SECOND),
        ..Timeouts::default()
    };
    let request = FetchRequest::get("http://a.test/".parse().unwrap());
    let mut fetch = Fetch::new(request, exact().timeouts(timeouts).into(), 0, at(0));
    assert_eq!(fetch.poll(at(0)), FetchStep::Ready);
    assert!(fetch.start(at(1)).is_none());
    let FetchStep::Done(outcome) = fetch.poll(at(1)) else {
        panic!("not done")
    };
    assert_eq!(outcome.result, Err(FetchError::TimedOut(TimeLimit::Queue)));
    assert!(outcome.attempts.is_empty());
}

#[test]
fn a_fetch_stays_small() {
    // The engine's slot adds about 32 bytes; a queued fetch must cost less than 512.
    assert!(size_of::<Fetch>() <= 448, "{}", size_of::<Fetch>());
}
