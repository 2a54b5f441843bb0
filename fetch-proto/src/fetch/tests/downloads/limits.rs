//! The limits of bodies that are saved or streamed.

use super::*;

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
