//! Identical requests that are sent once.

use super::*;

fn shared(url: &str) -> FetchRequest {
    FetchRequest {
        share: Some(0),
        ..get(url)
    }
}

#[test]
fn identical_requests_are_sent_once_and_share_the_response() {
    let mut engine = Engine::new(only(exact()), 7, at(0));
    let ids: Vec<_> = (0..3)
        .map(|_| engine.submit(shared("http://a.test/"), at(0)).unwrap())
        .collect();
    let polled = drain(&mut engine, at(0));
    assert_eq!(polled.starts.len(), 1);
    answer(&mut engine, &polled.starts[0], 200, at(5));
    let mut order = Vec::new();
    loop {
        match engine.poll(at(5)) {
            EngineOutput::Done(id, outcome) => {
                assert!(outcome.is_success());
                order.push((id, outcome.shared_with));
            }
            EngineOutput::Idle(_) => break,
            _ => {}
        }
    }
    let leader = Some(ids[0]);
    assert_eq!(
        order,
        [(ids[1], leader), (ids[2], leader), (ids[0], None)],
        "the leader is last"
    );
}

#[test]
fn a_follower_ends_at_the_url_to_which_its_leader_was_redirected() {
    let policy = exact().redirects(crate::RedirectPolicy::limit(2));
    let mut engine = Engine::new(only(policy), 7, at(0));
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    let first = drain(&mut engine, at(0)).starts.remove(0);
    let head = HeadSummary::status(302).location(Some("/b".into()));
    engine.handle(first.id, Input::Head(head), at(1));
    engine.handle(first.id, Input::End(Ok(())), at(1));
    let second = drain(&mut engine, at(1)).starts.remove(0);
    answer(&mut engine, &second, 200, at(2));
    let done = drain(&mut engine, at(2)).done;
    assert_eq!(done.len(), 2);
    for outcome in done {
        assert_eq!(outcome.url.as_str(), "http://a.test/b");
        assert_eq!(outcome.redirects, 1);
    }
}

#[test]
fn when_the_leader_is_cancelled_a_follower_sends_the_request() {
    let mut engine = Engine::new(only(exact()), 7, at(0));
    let leader = engine.submit(shared("http://a.test/"), at(0)).unwrap();
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    drain(&mut engine, at(0));
    engine.cancel(leader, at(1));
    let polled = drain(&mut engine, at(1));
    assert_eq!((polled.done.len(), polled.starts.len()), (1, 1));
    answer(&mut engine, &polled.starts[0], 200, at(2));
    assert_eq!(drain(&mut engine, at(2)).done.len(), 2);
    assert_eq!(engine.stats().live, 0);
}

#[test]
fn a_follower_has_its_own_total_limit() {
    let mut engine = Engine::new(only(exact()), 7, at(0));
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    let timeouts = crate::Timeouts {
        total: Some(SECOND),
        ..crate::Timeouts::DEFAULT
    };
    let hasty = FetchRequest {
        policy: Some(exact().timeouts(timeouts).into()),
        ..shared("http://a.test/")
    };
    engine.submit(hasty, at(0)).unwrap();
    drain(&mut engine, at(0));
    let done = drain(&mut engine, at(1000)).done;
    assert_eq!(done.len(), 1);
    assert!(matches!(done[0].result, Err(FetchError::TimedOut(_))));
}

#[test]
fn requests_with_another_share_number_are_not_identical() {
    let mut engine = Engine::new(only(exact()), 7, at(0));
    engine.submit(shared("http://a.test/"), at(0)).unwrap();
    let other = FetchRequest {
        share: Some(1),
        ..get("http://a.test/")
    };
    engine.submit(other, at(0)).unwrap();
    assert_eq!(drain(&mut engine, at(0)).starts.len(), 2);
}
