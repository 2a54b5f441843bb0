//! When a request is sent again although an earlier attempt may have reached the server.

use alloc::vec;

use super::*;
use crate::{ChaosPolicy, FetchOutcome, InjectedFault, RetryClass, RetryClasses};

const REFUSED: FailureKind = FailureKind::Unprocessed {
    others_answered: false,
};
const REFUSED_IN_TRAFFIC: FailureKind = FailureKind::Unprocessed {
    others_answered: true,
};

fn post(policy: Policy, answers: impl IntoIterator<Item = ScriptedAnswer>) -> FetchOutcome {
    let mut script = FetchScript::new(policy);
    let run = script.method(Method::Post).answers(answers).run();
    run.outcome().clone()
}

/// A policy that admits retries of requests without an answer.
fn admits_unanswered() -> Policy {
    let classes = RetryClasses::default().failure(FailureKind::Unanswered, RetryClass::Transient);
    exact().classes(classes)
}

#[test]
fn a_post_without_an_answer_ends_as_unanswered() {
    for lost in [
        FailureKind::EmptyReply,
        FailureKind::Io,
        FailureKind::Stale { sent: true },
    ] {
        let outcome = post(exact(), [failure(lost), status(200)]);
        let unanswered = FailureKind::Unanswered;
        assert_eq!(
            outcome.result,
            Err(FetchError::Failed(unanswered)),
            "{lost}"
        );
        assert_eq!(outcome.attempts[0].end, AttemptEnd::Failed(unanswered));
        assert_eq!(outcome.gave_up, Some(GiveUpReason::NotIdempotent));
    }
}

#[test]
fn an_idempotent_request_is_never_unanswered() {
    let run = run(exact().attempts(1), [failure(FailureKind::EmptyReply)]);
    let empty = FetchError::Failed(FailureKind::EmptyReply);
    assert_eq!(run.outcome().result, Err(empty));
}

#[test]
fn a_post_that_the_server_certainly_did_not_process_is_repeated() {
    for unsent in [
        FailureKind::Connect,
        FailureKind::Stale { sent: false },
        REFUSED,
    ] {
        assert!(post(exact(), [failure(unsent), status(200)]).is_success());
    }
}

#[test]
fn a_host_that_does_not_exist_is_not_asked_for_again() {
    let unknown = FailureKind::UnknownHost;
    let once = run(exact(), [failure(unknown), status(200)]);
    let outcome = once.outcome();
    assert_eq!(outcome.result, Err(FetchError::Failed(unknown)));
    assert_eq!((outcome.attempts.len(), outcome.gave_up), (1, None));
    // The resolver had no answer: it may have one later.
    let later = run(exact(), [failure(FailureKind::Resolve), status(200)]);
    assert!(later.outcome().is_success());
    let admitted = RetryClasses::default().failure(unknown, RetryClass::NotSent);
    let admitted = exact().classes(admitted);
    assert!(post(admitted, [failure(unknown), status(200)]).is_success());
}

#[test]
fn an_unanswered_post_is_repeated_if_its_class_is_set() {
    let lost = [failure(FailureKind::Io), hang(), status(200)];
    let outcome = post(admits_unanswered(), lost);
    assert!(outcome.is_success());
    assert_eq!(outcome.retries, 2);
    let stale = [failure(FailureKind::Stale { sent: true }), status(200)];
    assert_eq!(post(admits_unanswered(), stale).retries, 0);
}

#[test]
fn a_post_with_an_answer_is_not_repeated_as_unanswered() {
    let cut = ChaosPolicy::default().fault(1_000, InjectedFault::Truncate(1));
    let policy = admits_unanswered().chaos(cut);
    let outcome = post(policy, [status(200).body(9), status(200)]);
    assert_eq!(outcome.gave_up, Some(GiveUpReason::NotIdempotent));
    assert_eq!(outcome.result, Err(FetchError::Failed(FailureKind::Io)));
    let outcome = post(admits_unanswered(), [status(503), status(200)]);
    assert_eq!(outcome.gave_up, Some(GiveUpReason::NotIdempotent));
}

#[test]
fn an_unprocessed_request_is_repeated_at_once_without_counting() {
    let refusals = core::iter::repeat_n(failure(REFUSED_IN_TRAFFIC), 50);
    let run = run(exact().attempts(1), refusals.chain([status(200)]));
    let outcome = run.outcome();
    assert!(outcome.is_success());
    assert_eq!((outcome.retries, outcome.attempts.len()), (0, 51));
    assert_eq!(outcome.timings.backoff, Duration::ZERO);
}

#[test]
fn a_server_that_only_refuses_costs_attempts_after_ten_refusals() {
    let run = run(
        exact().attempts(2),
        core::iter::repeat_n(failure(REFUSED), 30),
    );
    let outcome = run.outcome();
    assert_eq!(outcome.result, Err(FetchError::Failed(REFUSED)));
    assert_eq!(outcome.gave_up, Some(GiveUpReason::Attempts));
    assert_eq!(outcome.attempts.len(), 12);
    // An answer to any other request shows that the server works.
    let mut answers = vec![failure(REFUSED); 10];
    answers.push(failure(REFUSED_IN_TRAFFIC));
    answers.extend(core::iter::repeat_n(failure(REFUSED), 10));
    answers.push(status(200));
    assert!(
        super::run(exact().attempts(1), answers)
            .outcome()
            .is_success()
    );
}

#[test]
fn attempts_tell_the_transport_whether_they_may_be_repeated() {
    let repeatable = |method, policy| {
        let mut script = FetchScript::new(policy);
        let run = script.method(method).answers([status(200)]).run();
        run.attempts()[0].repeatable
    };
    assert!(repeatable(Method::Get, exact()));
    assert!(!repeatable(Method::Post, exact()));
    assert!(repeatable(Method::Post, admits_unanswered()));
    assert!(repeatable(Method::Post, exact().retry_non_idempotent(true)));
}

#[test]
fn a_refusal_by_the_proxy_is_final() {
    let run = run(exact(), [failure(FailureKind::ProxyRefused), status(200)]);
    let refused = FetchError::Failed(FailureKind::ProxyRefused);
    assert_eq!(run.outcome().result, Err(refused));
}

#[test]
fn a_request_body_that_was_not_read_is_left_for_the_next_attempt() {
    let mut request = FetchRequest::get("http://a.test/".parse().unwrap());
    (request.method, request.body) = (Method::Post, RequestBodyKind::Once);
    let mut fetch = Fetch::new(request, exact().into(), 0, at(0));
    let mut fail = |is_unused, failure| {
        assert_eq!(fetch.poll(at(0)), FetchStep::Ready);
        let attempt = fetch.start(at(0)).unwrap();
        if is_unused {
            fetch.handle(attempt.id, Input::BodyUnused, at(0));
        }
        fetch.handle(attempt.id, Input::End(Err(failure)), at(0));
    };
    fail(true, REFUSED);
    fail(false, REFUSED);
    let FetchStep::Done(outcome) = fetch.poll(at(0)) else {
        panic!("not done")
    };
    assert_eq!(outcome.attempts.len(), 2);
    assert_eq!(outcome.gave_up, Some(GiveUpReason::BodyNotReplayable));
}
