//! Functions of the caller that decide about attempts and responses.

use core::time::Duration;

use super::{exact, run, trace};
use crate::testing::status;
use crate::{
    AttemptEnd, AttemptPhase, FailureKind, Fetch, FetchError, FetchRequest, FetchStep, HeadSummary,
    HookStage, Input, ResponseVerdict, RetryClass, TimeLimit, Timeouts, Timestamp,
};

const FAIL: ResponseVerdict = ResponseVerdict::Reject(RetryClass::Forbidden);
const RETRY: ResponseVerdict = ResponseVerdict::Reject(RetryClass::Server);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_millis(millis))
}

fn started(timeouts: Timeouts) -> (Fetch, crate::Attempt) {
    let request = FetchRequest::get("https://a.test/".parse().unwrap());
    let policy = exact().attempts(1).timeouts(timeouts);
    let mut fetch = Fetch::new(request, policy.into(), 7, at(0));
    assert_eq!(fetch.poll(at(0)), FetchStep::Ready);
    let attempt = fetch.start(at(0)).unwrap();
    (fetch, attempt)
}

#[test]
fn a_rejected_200_is_retried_and_an_accepted_503_is_not() {
    assert_eq!(
        trace(exact(), [status(200).verdict(RETRY), status(200)]),
        "0s start · 0s 200 · 1s start · 1s 200 done"
    );
    let accepted = status(503).verdict(ResponseVerdict::Accept);
    assert_eq!(trace(exact(), [accepted]), "0s start · 0s 503 done");
}

#[test]
fn an_accepted_redirect_is_not_followed() {
    let answer = status(302).location("/b").verdict(ResponseVerdict::Accept);
    assert_eq!(run(exact(), [answer]).outcome().status(), Some(302));
}

#[test]
fn a_response_that_stays_rejected_fails_the_fetch() {
    for (verdict, attempts) in [(FAIL, 1), (RETRY, 3)] {
        let answer = status(200).verdict(verdict);
        let run = run(exact(), [answer.clone(), answer.clone(), answer]);
        let outcome = run.outcome();
        let rejected = FetchError::Failed(FailureKind::Rejected);
        assert_eq!(outcome.result, Err(rejected));
        assert_eq!(outcome.attempts.len(), attempts);
        let last = outcome.attempts.last().unwrap();
        assert_eq!(
            (last.end, last.verdict),
            (AttemptEnd::Responded, Some(verdict))
        );
    }
}

#[test]
fn a_hook_has_its_own_limit_and_suspends_that_of_the_connection() {
    let second = Duration::from_secs(1);
    let timeouts = Timeouts::NONE.connect(second).hook(3 * second);
    for (ends, expected) in [(2900, TimeLimit::Connect), (3100, TimeLimit::Hook)] {
        let (mut fetch, attempt) = started(timeouts);
        fetch.handle(
            attempt.id,
            Input::HookStarted(HookStage::BeforeAttempt),
            at(0),
        );
        assert!(matches!(fetch.poll(at(2800)), FetchStep::Wait(_)));
        fetch.handle(attempt.id, Input::HookEnded, at(2900.min(ends)));
        if ends > 2900 {
            fetch.handle(
                attempt.id,
                Input::HookStarted(HookStage::BeforeAttempt),
                at(2900),
            );
        }
        let mut step = fetch.poll(at(5900));
        while matches!(step, FetchStep::Abort(_)) {
            step = fetch.poll(at(5900));
        }
        let FetchStep::Done(outcome) = step else {
            panic!("{step:?}");
        };
        assert_eq!(outcome.result, Err(FetchError::TimedOut(expected)));
    }
}

#[test]
fn the_head_has_arrived_when_its_classification_begins() {
    let (mut fetch, attempt) = started(Timeouts::NONE.first_byte(Duration::from_secs(1)));
    for phase in [
        AttemptPhase::Connected,
        AttemptPhase::TlsDone,
        AttemptPhase::Sent,
    ] {
        fetch.handle(attempt.id, Input::Mark(phase, at(100)), at(100));
    }
    fetch.handle(attempt.id, Input::HookStarted(HookStage::Classify), at(200));
    assert!(matches!(fetch.poll(at(1500)), FetchStep::Wait(_)));
    fetch.handle(attempt.id, Input::HookEnded, at(1600));
    fetch.handle(attempt.id, Input::Head(HeadSummary::status(200)), at(1600));
    assert_eq!(fetch.poll(at(1600)), FetchStep::Accept(attempt.id));
    fetch.handle(attempt.id, Input::End(Ok(())), at(1700));
    let FetchStep::Done(outcome) = fetch.poll(at(1700)) else {
        panic!("it has ended");
    };
    assert_eq!(outcome.attempts[0].timings.head, Some(at(200)));
}
