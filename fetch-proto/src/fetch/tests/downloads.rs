//! Bodies that are saved or streamed.

use core::time::Duration;

use super::{SECOND, at, exact};
use crate::{
    Attempt, AttemptEnd, BodyDelivery, ContentRange, FailureKind, Fetch, FetchError, FetchOutcome,
    FetchRequest, FetchStep, GiveUpReason, HeadSummary, Input, Policy, PolicyPatch, PolicyRules,
    RepresentationSummary, ResumePoint, TimeLimit, Timeouts, TimeoutsPatch, Timestamp, Validator,
};

const MIB: u64 = 1 << 20;
const TAG: &str = "\"v1\"";

/// One fetch, driven by hand.
struct Script {
    fetch: Fetch,
    now: Timestamp,
}

impl Script {
    fn new(delivery: BodyDelivery, policy: Policy) -> Self {
        Self::of(request(delivery), policy)
    }

    fn of(request: FetchRequest, policy: Policy) -> Self {
        let fetch = Fetch::new(request, policy.into(), 0, at(0));
        Self { fetch, now: at(0) }
    }

    /// Waits for the next attempt and starts it.
    fn start(&mut self) -> Attempt {
        loop {
            match self.fetch.poll(self.now) {
                FetchStep::Ready => return self.fetch.start(self.now).expect("it is ready"),
                FetchStep::Wait(Some(wake)) => self.now = wake.at,
                FetchStep::Abort(_) => {}
                other => panic!("no attempt: {other:?}"),
            }
        }
    }

    /// A response, whose body is accepted.
    fn accept(&mut self, attempt: &Attempt, head: HeadSummary) {
        self.head(attempt, head);
        let step = self.fetch.poll(self.now);
        assert_eq!(step, FetchStep::Accept(attempt.id));
    }

    fn head(&mut self, attempt: &Attempt, head: HeadSummary) {
        self.fetch.handle(attempt.id, Input::Head(head), self.now);
    }

    fn body(&mut self, attempt: &Attempt, bytes: u64) {
        let input = Input::Body { bytes };
        self.fetch.handle(attempt.id, input, self.now);
    }

    fn end(&mut self, attempt: &Attempt, result: Result<(), FailureKind>) {
        self.fetch.handle(attempt.id, Input::End(result), self.now);
    }

    fn breaks(&mut self, attempt: &Attempt) {
        self.end(attempt, Err(FailureKind::Io));
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn outcome(&mut self) -> FetchOutcome {
        loop {
            match self.fetch.poll(self.now) {
                FetchStep::Done(outcome) => return outcome,
                FetchStep::Abort(_) => {}
                other => panic!("not done: {other:?}"),
            }
        }
    }

    fn is_waiting(&mut self) -> bool {
        matches!(self.fetch.poll(self.now), FetchStep::Wait(Some(_)))
    }
}

fn request(delivery: BodyDelivery) -> FetchRequest {
    FetchRequest::get("http://a.test/".parse().unwrap()).delivery(delivery)
}

fn representation(length: u64) -> RepresentationSummary {
    RepresentationSummary {
        content_length: Some(length),
        etag: Some(TAG.into()),
        ..RepresentationSummary::default()
    }
}

fn whole(length: u64) -> HeadSummary {
    HeadSummary::status(200).representation(representation(length))
}

fn rest(offset: u64, length: u64) -> HeadSummary {
    let mut found = representation(length - offset);
    found.content_range =
        ContentRange::parse(&alloc::format!("bytes {offset}-{}/{length}", length - 1));
    HeadSummary::status(206).representation(found)
}

fn is_aborted(step: &FetchStep) -> bool {
    matches!(step, FetchStep::Abort(_))
}

#[test]
fn the_built_in_attempt_limit_ends_at_the_head_of_a_body_that_is_kept() {
    let built_in = PolicyRules::default();
    let url = "http://a.test/delay/1".parse().unwrap();
    let built_in = Policy::clone(built_in.policy(&crate::Method::Get, &url));
    let given = PolicyPatch::attempt_timeout(10 * SECOND);
    for (delivery, policy, ends) in [
        (BodyDelivery::Buffered, built_in.clone(), true),
        (BodyDelivery::Saved, built_in.clone(), false),
        (BodyDelivery::Streamed, built_in.clone(), false),
        (BodyDelivery::Saved, given.apply(&built_in), true),
        (BodyDelivery::Streamed, given.apply(&built_in), true),
        (
            BodyDelivery::Saved,
            Policy::default().attempt_timeout(10 * SECOND),
            true,
        ),
        (
            BodyDelivery::Streamed,
            Policy::default().timeouts(Timeouts::DEFAULT.attempt(10 * SECOND)),
            true,
        ),
    ] {
        let mut script = Script::new(delivery, policy);
        let attempt = script.start();
        script.accept(&attempt, HeadSummary::status(200));
        for _ in 0..11 {
            script.pass(SECOND);
            script.body(&attempt, 1 << 20);
        }
        let step = script.fetch.poll(script.now);
        assert_eq!(is_aborted(&step), ends, "{delivery:?}");
    }
}

#[test]
fn the_built_in_attempt_limit_still_guards_the_head() {
    let mut script = Script::new(BodyDelivery::Saved, exact());
    let attempt = script.start();
    script.pass(6 * SECOND);
    assert_eq!(script.fetch.poll(script.now), FetchStep::Abort(attempt.id));
}

#[test]
fn the_built_in_total_limit_pauses_while_a_body_is_received() {
    for (delivery, policy, limit) in [
        (BodyDelivery::Saved, exact(), None),
        (BodyDelivery::Streamed, exact(), None),
        (
            BodyDelivery::Saved,
            PolicyPatch::default()
                .timeouts(TimeoutsPatch::default().total(300 * SECOND))
                .apply(&exact()),
            Some(TimeLimit::Total),
        ),
    ] {
        let mut script = Script::new(delivery, policy);
        let attempt = script.start();
        script.accept(&attempt, HeadSummary::status(200));
        for _ in 0..400 {
            script.pass(SECOND);
            script.body(&attempt, 2000);
        }
        let step = script.fetch.poll(script.now);
        assert_eq!(is_aborted(&step), limit.is_some(), "{delivery:?}");
        match limit {
            Some(limit) => assert_eq!(script.outcome().result, Err(FetchError::TimedOut(limit))),
            None => {
                // What is left of it applies to the retries: this body cannot be continued.
                script.breaks(&attempt);
                if delivery == BodyDelivery::Saved {
                    let retry = script.start();
                    assert_eq!(retry.resume, None);
                    script.pass(6 * SECOND);
                    assert_eq!(script.fetch.poll(script.now), FetchStep::Abort(retry.id));
                    assert!(script.start().id != retry.id);
                }
            }
        }
    }
}

#[test]
fn a_saved_body_must_come_at_a_minimum_speed_counted_from_its_head() {
    for (delivery, policy, ends_at) in [
        (BodyDelivery::Saved, exact(), Some(35)),
        (BodyDelivery::Streamed, exact(), None),
        (BodyDelivery::Saved, exact().stall(None), None),
    ] {
        let mut script = Script::new(delivery, policy.attempts(1));
        let attempt = script.start();
        script.pass(5 * SECOND);
        script.accept(&attempt, HeadSummary::status(200));
        let mut aborted = None;
        for second in 6..100 {
            script.pass(SECOND);
            script.body(&attempt, 100);
            if is_aborted(&script.fetch.poll(script.now)) {
                aborted = Some(second);
                break;
            }
        }
        assert_eq!(aborted, ends_at, "{delivery:?}");
        if ends_at.is_some() {
            let limit = FetchError::TimedOut(TimeLimit::Throughput);
            assert_eq!(script.outcome().result, Err(limit));
        }
    }
}

#[test]
fn a_late_head_is_no_slow_body() {
    let guard = crate::StallGuard::default().grace(SECOND);
    let timeouts = Timeouts::DEFAULT.attempt(60 * SECOND);
    let policy = exact().stall(guard).timeouts(timeouts);
    let mut script = Script::new(BodyDelivery::Buffered, policy);
    let attempt = script.start();
    script.pass(30 * SECOND);
    script.accept(&attempt, HeadSummary::status(200));
    script.pass(SECOND);
    assert!(script.is_waiting());
    script.pass(SECOND);
    assert!(is_aborted(&script.fetch.poll(script.now)));
}

#[test]
fn a_slow_disk_or_reader_does_not_count_as_a_slow_server() {
    let mut script = Script::new(BodyDelivery::Saved, exact());
    let attempt = script.start();
    script.accept(&attempt, HeadSummary::status(200));
    script.fetch.handle(attempt.id, Input::Paused, script.now);
    script.pass(3600 * SECOND);
    assert_eq!(script.fetch.poll(script.now), FetchStep::Wait(None));
    script.fetch.handle(attempt.id, Input::Resumed, script.now);
    script.pass(29 * SECOND);
    assert!(script.is_waiting());
}

#[test]
fn only_a_body_in_memory_has_a_size_limit_unless_one_is_set() {
    for (delivery, policy, limit) in [
        (BodyDelivery::Buffered, exact(), 64 * MIB),
        (BodyDelivery::Saved, exact(), u64::MAX),
        (BodyDelivery::Streamed, exact(), u64::MAX),
        (BodyDelivery::Saved, exact().max_body(MIB), MIB),
        (BodyDelivery::Streamed, exact().max_body(MIB), MIB),
    ] {
        let mut script = Script::new(delivery, policy);
        let attempt = script.start();
        assert_eq!(attempt.max_body, limit);
        script.accept(&attempt, HeadSummary::status(200));
        script.body(&attempt, limit);
        assert!(!is_aborted(&script.fetch.poll(script.now)), "{delivery:?}");
        if limit < u64::MAX {
            script.body(&attempt, 1);
            let error = FetchError::BodyTooLarge { limit };
            assert_eq!(script.outcome().result, Err(error));
        }
    }
}

#[test]
fn a_broken_download_continues_where_it_stopped() {
    let mut script = Script::new(BodyDelivery::Saved, exact());
    let first = script.start();
    assert_eq!(first.resume, None);
    script.accept(&first, whole(10 * MIB));
    script.body(&first, 4 * MIB);
    script.breaks(&first);
    let second = script.start();
    let point = ResumePoint::new(4 * MIB, Validator::parse(TAG));
    assert_eq!(second.resume.as_deref(), Some(&point));
    script.accept(&second, rest(4 * MIB, 10 * MIB));
    script.body(&second, 6 * MIB);
    script.end(&second, Ok(()));
    let outcome = script.outcome();
    let response = outcome.result.unwrap();
    assert_eq!((response.status, response.bytes), (200, 10 * MIB));
    assert_eq!((outcome.resumed_from, outcome.retries), (Some(4 * MIB), 1));
    assert_eq!(outcome.attempts[1].status, Some(206));
}

#[test]
fn attempts_with_progress_do_not_use_up_the_policys_attempts() {
    let mut script = Script::new(BodyDelivery::Saved, exact().attempts(3));
    let mut attempt = script.start();
    script.accept(&attempt, whole(300 * MIB));
    for part in 1..15 {
        script.body(&attempt, 20 * MIB);
        script.pass(100 * SECOND);
        script.breaks(&attempt);
        let broke_at = script.now;
        attempt = script.start();
        assert_eq!(script.now, broke_at + SECOND, "the first backoff each time");
        script.accept(&attempt, rest(part * 20 * MIB, 300 * MIB));
    }
    script.body(&attempt, 20 * MIB);
    script.end(&attempt, Ok(()));
    let outcome = script.outcome();
    assert_eq!(outcome.result.unwrap().bytes, 300 * MIB);
    assert_eq!((outcome.retries, outcome.attempts.len()), (14, 15));
}

#[test]
fn attempts_without_progress_count_and_progress_starts_the_count_again() {
    let mut script = Script::new(BodyDelivery::Saved, exact().attempts(3));
    let first = script.start();
    script.accept(&first, whole(MIB));
    script.body(&first, 1);
    script.breaks(&first);
    let second = script.start();
    script.breaks(&second);
    let third = script.start();
    script.accept(&third, rest(1, MIB));
    script.body(&third, 70_000);
    script.breaks(&third);
    for _ in 0..2 {
        let attempt = script.start();
        script.accept(&attempt, rest(70_001, MIB));
        script.breaks(&attempt);
    }
    let last = script.start();
    script.accept(&last, rest(70_001, MIB));
    script.body(&last, 100);
    script.breaks(&last);
    let outcome = script.outcome();
    assert_eq!(outcome.result, Err(FetchError::Failed(FailureKind::Io)));
    assert_eq!(outcome.gave_up, Some(GiveUpReason::Attempts));
    assert_eq!((outcome.attempts.len(), outcome.retries), (6, 5));
}

#[test]
fn a_policy_with_one_attempt_does_not_continue() {
    let mut script = Script::new(BodyDelivery::Saved, exact().attempts(1));
    let attempt = script.start();
    script.accept(&attempt, whole(10 * MIB));
    script.body(&attempt, 4 * MIB);
    script.breaks(&attempt);
    assert_eq!(script.outcome().gave_up, Some(GiveUpReason::Attempts));
}

#[test]
fn a_body_without_a_strong_validator_or_with_a_coding_starts_over() {
    let weak = RepresentationSummary {
        etag: Some("W/\"v1\"".into()),
        ..representation(MIB)
    };
    let encoded = RepresentationSummary {
        is_encoded: true,
        ..representation(MIB)
    };
    let with = |found| HeadSummary::status(200).representation(found);
    let post = request(BodyDelivery::Saved)
        .method(crate::Method::Post)
        .idempotent(true);
    for (request, head) in [
        (request(BodyDelivery::Saved), HeadSummary::status(200)),
        (request(BodyDelivery::Saved), with(weak)),
        (request(BodyDelivery::Saved), with(encoded)),
        (request(BodyDelivery::Saved).has_range(true), whole(MIB)),
        (request(BodyDelivery::Buffered), whole(MIB)),
        (post, whole(MIB)),
    ] {
        let mut script = Script::of(request, exact());
        let attempt = script.start();
        script.accept(&attempt, head);
        script.body(&attempt, 100_000);
        script.breaks(&attempt);
        let second = script.start();
        assert_eq!(second.resume, None);
        script.accept(&second, whole(MIB));
        script.body(&second, MIB);
        script.end(&second, Ok(()));
        let outcome = script.outcome();
        assert_eq!(outcome.result.unwrap().bytes, MIB);
        assert_eq!(outcome.resumed_from, None);
    }
}

/// A saved body that broke off at 100,000 bytes, and the attempt that asks for the rest.
fn broken() -> (Script, Attempt) {
    let mut script = Script::new(BodyDelivery::Saved, exact());
    let first = script.start();
    script.accept(&first, whole(MIB));
    script.body(&first, 100_000);
    script.breaks(&first);
    let second = script.start();
    assert!(second.resume.is_some());
    (script, second)
}

#[test]
fn a_changed_body_starts_over() {
    let (mut script, attempt) = broken();
    let mut changed = representation(MIB + 1);
    changed.etag = Some("\"v2\"".into());
    script.accept(&attempt, HeadSummary::status(200).representation(changed));
    script.body(&attempt, 50_000);
    script.breaks(&attempt);
    // The new body is continued in its turn.
    let third = script.start();
    let point = ResumePoint::new(50_000, Validator::parse("\"v2\""));
    assert_eq!(third.resume.as_deref(), Some(&point));
}

#[test]
fn a_wrong_part_is_dropped_and_the_whole_is_asked_for_once_at_once() {
    for head in [
        rest(99_999, MIB),
        rest(100_000, MIB + 1),
        HeadSummary::status(206),
        HeadSummary::status(416),
    ] {
        let (mut script, attempt) = broken();
        let now = script.now;
        script.head(&attempt, head);
        assert_eq!(script.fetch.poll(now), FetchStep::Discard(attempt.id));
        script.end(&attempt, Ok(()));
        let third = script.start();
        assert_eq!((third.resume.as_deref(), script.now), (None, now));
        script.accept(&third, whole(MIB));
        script.body(&third, 100_000);
        script.breaks(&third);
        assert_eq!(script.start().resume, None, "this server cannot continue");
    }
}

#[test]
fn a_416_with_the_length_that_was_received_completes_the_body() {
    let mut script = Script::new(BodyDelivery::Saved, exact());
    let first = script.start();
    let mut unknown = representation(0);
    unknown.content_length = None;
    script.accept(&first, HeadSummary::status(200).representation(unknown));
    script.body(&first, MIB);
    script.breaks(&first);
    let second = script.start();
    let found = RepresentationSummary {
        content_range: ContentRange::parse("bytes */1048576"),
        ..RepresentationSummary::default()
    };
    script.accept(&second, HeadSummary::status(416).representation(found));
    script.end(&second, Ok(()));
    let outcome = script.outcome();
    let response = outcome.result.unwrap();
    assert_eq!((response.status, response.bytes), (200, MIB));
    assert_eq!(outcome.resumed_from, Some(MIB));
}

#[test]
fn a_smaller_part_than_asked_for_is_followed_by_the_next() {
    let (mut script, attempt) = broken();
    script.accept(&attempt, rest(100_000, MIB));
    script.body(&attempt, 70_000);
    script.end(&attempt, Ok(()));
    let next = script.start();
    assert_eq!(next.resume.unwrap().offset, 170_000);
}

#[test]
fn another_answer_ends_or_retries_as_usual() {
    let (mut script, attempt) = broken();
    script.head(&attempt, HeadSummary::status(503));
    assert!(matches!(
        script.fetch.poll(script.now),
        FetchStep::Discard(_)
    ));
    script.end(&attempt, Ok(()));
    let third = script.start();
    assert_eq!(third.resume.as_ref().unwrap().offset, 100_000);
    script.accept(&third, HeadSummary::status(404));
    script.body(&third, 10);
    script.end(&third, Ok(()));
    let outcome = script.outcome();
    let response = outcome.result.unwrap();
    assert_eq!((response.status, response.bytes), (404, 10));
    assert_eq!(outcome.resumed_from, None);
}

#[test]
fn a_redirect_of_the_rest_is_followed_with_the_same_range() {
    let (mut script, attempt) = broken();
    let moved = HeadSummary::status(302).location(Some("http://b.test/".into()));
    script.head(&attempt, moved);
    let _ = script.fetch.poll(script.now);
    script.end(&attempt, Ok(()));
    let next = script.start();
    assert_eq!(next.url.as_str(), "http://b.test/");
    assert_eq!(next.resume.unwrap().offset, 100_000);
}

#[test]
fn a_stream_continues_with_the_rest() {
    let mut script = Script::new(BodyDelivery::Streamed, exact());
    let first = script.start();
    script.accept(&first, whole(MIB));
    script.body(&first, 100_000);
    script.breaks(&first);
    let second = script.start();
    script.accept(&second, rest(100_000, MIB));
    script.body(&second, MIB - 100_000);
    script.end(&second, Ok(()));
    assert_eq!(script.outcome().result.unwrap().bytes, MIB);
}

#[test]
fn a_stream_whose_rest_cannot_be_had_ends_with_the_failure_that_broke_it() {
    let mut changed = representation(MIB);
    changed.etag = Some("\"v2\"".into());
    for head in [
        HeadSummary::status(200).representation(changed),
        rest(99_999, MIB),
        HeadSummary::status(404),
        HeadSummary::status(416),
    ] {
        let mut script = Script::new(BodyDelivery::Streamed, exact());
        let first = script.start();
        script.accept(&first, whole(MIB));
        script.body(&first, 100_000);
        script.breaks(&first);
        let second = script.start();
        script.head(&second, head);
        assert_eq!(script.fetch.poll(script.now), FetchStep::Abort(second.id));
        let outcome = script.outcome();
        assert_eq!(outcome.result, Err(FetchError::Failed(FailureKind::Io)));
        assert_eq!(outcome.gave_up, Some(GiveUpReason::Committed));
    }
}

#[test]
fn a_stream_waits_for_its_server_to_come_back() {
    let mut script = Script::new(BodyDelivery::Streamed, exact().attempts(5));
    let first = script.start();
    script.accept(&first, whole(MIB));
    script.body(&first, 100_000);
    script.breaks(&first);
    let second = script.start();
    script.end(&second, Err(FailureKind::Connect));
    let third = script.start();
    script.head(&third, HeadSummary::status(503));
    let _ = script.fetch.poll(script.now);
    script.end(&third, Ok(()));
    assert_eq!(script.start().resume.unwrap().offset, 100_000);
}

#[test]
fn a_body_of_an_earlier_fetch_is_continued() {
    let point = ResumePoint::new(100_000, Validator::parse(TAG));
    let request = request(BodyDelivery::Saved).resume_from(Some(point.clone().into()));
    let mut script = Script::of(request, exact().max_body(MIB));
    let attempt = script.start();
    assert_eq!(attempt.resume.as_deref(), Some(&point));
    script.accept(&attempt, rest(100_000, MIB));
    script.body(&attempt, MIB - 100_000);
    script.end(&attempt, Ok(()));
    let outcome = script.outcome();
    let response = outcome.result.unwrap();
    assert_eq!((response.status, response.bytes), (200, MIB));
    assert_eq!(outcome.resumed_from, Some(100_000));
}

#[test]
fn the_size_limit_counts_the_whole_body() {
    let point = ResumePoint::new(100_000, Validator::parse(TAG));
    let request = request(BodyDelivery::Saved).resume_from(Some(point.into()));
    let mut script = Script::of(request, exact().max_body(MIB));
    let attempt = script.start();
    script.accept(&attempt, rest(100_000, 2 * MIB));
    script.body(&attempt, MIB - 100_000 + 1);
    let error = FetchError::BodyTooLarge { limit: MIB };
    assert_eq!(script.outcome().result, Err(error));
}

#[test]
fn a_too_slow_download_is_continued_and_its_attempts_count() {
    let mut script = Script::new(BodyDelivery::Saved, exact().attempts(2));
    let first = script.start();
    script.accept(&first, whole(MIB));
    let mut sent = 0;
    while !is_aborted(&script.fetch.poll(script.now)) {
        script.pass(SECOND);
        script.body(&first, 100);
        sent += 100;
    }
    let second = script.start();
    assert_eq!(second.resume.as_ref().unwrap().offset, sent);
    script.accept(&second, rest(sent, MIB));
    script.pass(30 * SECOND);
    let outcome = script.outcome();
    let end = outcome.attempts.last().unwrap().end;
    assert!(matches!(end, AttemptEnd::TimedOut(_)), "{end:?}");
    assert_eq!(outcome.gave_up, Some(GiveUpReason::Attempts));
}
