//! Continuing a body that broke off.

use super::*;

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
    let mut script = Script::broken_off(BodyDelivery::Saved, exact().attempts(3), MIB, 1);
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
    let mut script =
        Script::broken_off(BodyDelivery::Saved, exact().attempts(1), 10 * MIB, 4 * MIB);
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
    let mut script = Script::broken_off(BodyDelivery::Saved, exact(), MIB, 100_000);
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
    let mut script = Script::broken_off(BodyDelivery::Streamed, exact(), MIB, 100_000);
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
        let mut script = Script::broken_off(BodyDelivery::Streamed, exact(), MIB, 100_000);
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
    let mut script = Script::broken_off(BodyDelivery::Streamed, exact().attempts(5), MIB, 100_000);
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

#[test]
fn the_age_of_a_download_counts_from_the_head_of_its_first_attempt() {
    let mut script = Script::new(BodyDelivery::Saved, exact());
    let first = script.start();
    script.pass(2 * SECOND);
    assert_eq!(script.fetch.active_download(script.now), None);
    script.accept(&first, whole(10 * MIB));
    let since = script.now;
    script.pass(100 * SECOND);
    script.body(&first, 4 * MIB);
    script.breaks(&first);
    assert_eq!(script.fetch.active_download(script.now), None);
    let second = script.start();
    script.accept(&second, rest(4 * MIB, 10 * MIB));
    script.pass(4 * SECOND);
    script.body(&second, 2 * MIB);
    let download = script.fetch.active_download(script.now).unwrap();
    assert_eq!(download.since, since);
    assert_eq!(download.bytes, 6 * MIB);
    assert_eq!(download.bytes_per_second, MIB / 2);
}
