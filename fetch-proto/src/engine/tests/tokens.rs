use super::*;
use crate::{
    AuthProfile, Method, RequestBodyKind, RetryDelaySource, TokenFailure, TokenPolicy, TokenUse,
    WakeReason,
};

fn profile() -> AuthProfile {
    let tokens = TokenPolicy::default().backoff(Backoff::default().jitter(None));
    AuthProfile::new("api")
        .scope("https://a.test/".parse().unwrap())
        .tokens(tokens)
}

fn engine(config: EngineConfig) -> Engine {
    Engine::new(config.auth_profiles([profile()]), 7, at(0))
}

/// The outputs until the engine is idle, and the tokens that it asks for.
fn poll_all(engine: &mut Engine, now: Timestamp) -> (PolledOutputs, Vec<TokenUse>) {
    let (mut polled, mut wanted) = (PolledOutputs::default(), Vec::new());
    loop {
        match engine.poll(now) {
            EngineOutput::AcquireToken(token) => wanted.push(token),
            EngineOutput::Done(_, outcome) => polled.done.push(outcome),
            EngineOutput::Event(_, event) => polled.events.push(event),
            EngineOutput::Idle(idle) => {
                polled.wake = idle.wake.map(|wake| wake.at);
                return (polled, wanted);
            }
            EngineOutput::Start(attempt) => polled.starts.push(attempt),
            _ => {}
        }
    }
}

fn generation(attempt: &Attempt) -> Option<u32> {
    attempt.token.map(|token| token.generation)
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_thousand_fetches_wait_for_one_token_without_slots() {
    let mut engine = engine(EngineConfig::default().concurrency(100).window(2000));
    for n in 0..1000 {
        engine
            .submit(get(&format!("https://a.test/{n}")), at(0))
            .unwrap();
    }
    engine.submit(get("https://b.test/"), at(0)).unwrap();
    let (polled, wanted) = poll_all(&mut engine, at(0));
    assert_eq!(wanted.len(), 1);
    assert_eq!(
        targets(&polled),
        ["https://b.test/"],
        "another origin does not wait"
    );
    assert_eq!(
        (generation(&polled.starts[0]), engine.stats().in_flight),
        (None, 1)
    );
    engine.token_acquired(0, Some(HOUR), at(50));
    let (polled, wanted) = poll_all(&mut engine, at(50));
    assert_eq!((polled.starts.len(), wanted.len()), (99, 0));
    assert!(polled.starts.iter().all(|one| generation(one) == Some(1)));
}

#[test]
fn refused_tokens_are_replaced_once_and_their_requests_are_sent_again() {
    let mut engine = engine(only(exact().attempts(1)));
    for n in 0..100 {
        engine
            .submit(get(&format!("https://a.test/{n}")), at(0))
            .unwrap();
    }
    let _ = poll_all(&mut engine, at(0));
    engine.token_acquired(0, Some(HOUR), at(0));
    let (polled, _) = poll_all(&mut engine, at(0));
    for attempt in &polled.starts {
        answer(&mut engine, attempt, 401, at(1));
    }
    let (polled, wanted) = poll_all(&mut engine, at(1));
    assert_eq!((polled.starts.len(), polled.done.len()), (0, 0));
    assert_eq!(
        wanted,
        [TokenUse {
            generation: 2,
            profile: 0
        }]
    );
    engine.token_acquired(0, Some(HOUR), at(2));
    let (polled, wanted) = poll_all(&mut engine, at(2));
    assert_eq!((polled.starts.len(), wanted.len()), (100, 0));
    for attempt in &polled.starts {
        assert_eq!(generation(attempt), Some(2));
        answer(&mut engine, attempt, 200, at(3));
    }
    let (polled, _) = poll_all(&mut engine, at(3));
    assert_eq!(polled.done.len(), 100);
    assert!(
        polled
            .done
            .iter()
            .all(|one| one.is_success() && (one.retries, one.auth_retries) == (0, 1))
    );
    assert!(polled.done.iter().all(|one| one.auth_profile == Some(0)));
    let stats = engine.stats();
    assert_eq!((stats.tokens_acquired, stats.auth_retries), (2, 100));
}

#[test]
fn a_second_refusal_is_the_answer() {
    let mut engine = engine(only(exact()));
    submit(&mut engine, ["https://a.test/"]);
    let _ = poll_all(&mut engine, at(0));
    for millis in [1, 2] {
        engine.token_acquired(0, Some(HOUR), at(millis));
        let (polled, _) = poll_all(&mut engine, at(millis));
        answer(&mut engine, &polled.starts[0], 401, at(millis));
        let (polled, _) = poll_all(&mut engine, at(millis));
        assert_eq!(polled.done.len(), usize::from(millis == 2));
        for outcome in polled.done {
            assert_eq!((outcome.status(), outcome.attempts.len()), (Some(401), 2));
        }
    }
}

#[test]
fn a_body_that_can_be_sent_once_is_not_sent_again() {
    let mut engine = engine(only(exact()));
    let request = get("https://a.test/").method(Method::Post);
    engine
        .submit(request.body(RequestBodyKind::Once), at(0))
        .unwrap();
    let _ = poll_all(&mut engine, at(0));
    engine.token_acquired(0, None, at(0));
    let (polled, _) = poll_all(&mut engine, at(0));
    answer(&mut engine, &polled.starts[0], 401, at(1));
    let (polled, wanted) = poll_all(&mut engine, at(1));
    assert_eq!(
        (polled.done.len(), wanted.len()),
        (1, 1),
        "others get a new token"
    );
}

#[test]
fn posts_are_sent_again_because_a_401_says_that_nothing_was_done() {
    let mut engine = engine(only(exact()).events(true));
    let request = get("https://a.test/").method(Method::Post);
    engine
        .submit(request.body(RequestBodyKind::Replayable), at(0))
        .unwrap();
    let _ = poll_all(&mut engine, at(0));
    engine.token_acquired(0, None, at(0));
    let (polled, _) = poll_all(&mut engine, at(0));
    answer(&mut engine, &polled.starts[0], 401, at(1));
    let (polled, _) = poll_all(&mut engine, at(1));
    let is_retry = |event: &DecisionEvent| {
        matches!(
            event,
            DecisionEvent::Retrying {
                why: RetryDelaySource::TokenRefused,
                ..
            }
        )
    };
    assert!(polled.events.iter().any(is_retry), "{:?}", polled.events);
    engine.token_acquired(0, None, at(1));
    assert_eq!(poll_all(&mut engine, at(1)).0.starts.len(), 1);
}

#[test]
fn a_final_failure_ends_all_that_wait_with_one_error_each() {
    let mut engine = engine(EngineConfig::default());
    for n in 0..50 {
        engine
            .submit(get(&format!("https://a.test/{n}")), at(0))
            .unwrap();
    }
    let _ = poll_all(&mut engine, at(0));
    engine.token_failed(0, TokenFailure::Refused, None, at(1));
    let (polled, wanted) = poll_all(&mut engine, at(1));
    assert_eq!(
        (polled.done.len(), wanted.len(), polled.events.len()),
        (50, 0, 1)
    );
    let error = Err(FetchError::NoToken(TokenFailure::Refused));
    assert!(
        polled
            .done
            .iter()
            .all(|one| one.result == error && one.attempts.is_empty())
    );
    submit(&mut engine, ["https://a.test/later"]);
    assert_eq!(
        poll_all(&mut engine, at(2)).0.done.len(),
        1,
        "nor is it asked again"
    );
}

#[test]
fn a_failure_that_may_pass_is_waited_out() {
    let mut engine = engine(EngineConfig::default());
    submit(&mut engine, ["https://a.test/"]);
    let _ = poll_all(&mut engine, at(0));
    engine.token_failed(0, TokenFailure::Unavailable, None, at(0));
    let (polled, wanted) = poll_all(&mut engine, at(0));
    assert_eq!((polled.wake, wanted.len()), (Some(at(1000)), 0));
    let EngineOutput::Idle(idle) = engine.poll(at(0)) else {
        unreachable!()
    };
    assert_eq!(idle.wake.map(|wake| wake.why), Some(WakeReason::Token));
    assert_eq!(poll_all(&mut engine, at(1000)).1.len(), 1);
}

#[test]
fn an_acquisition_that_takes_too_long_fails_and_another_one_follows() {
    let mut engine = engine(EngineConfig::default());
    submit(&mut engine, ["https://a.test/"]);
    let (polled, wanted) = poll_all(&mut engine, at(0));
    assert_eq!((polled.wake, wanted.len()), (Some(at(30_000)), 1));
    let (polled, wanted) = poll_all(&mut engine, at(30_000));
    assert_eq!((polled.wake, wanted.len()), (Some(at(31_000)), 0));
    let (_, wanted) = poll_all(&mut engine, at(31_000));
    assert_eq!(wanted.len(), 1);
    engine.token_acquired(0, None, at(31_001));
    assert_eq!(poll_all(&mut engine, at(31_001)).0.starts.len(), 1);
}

#[test]
fn time_limits_end_fetches_that_wait_for_a_token() {
    let policy = exact().timeouts(crate::Timeouts::default().queue(SECOND));
    let mut engine = engine(only(policy));
    submit(&mut engine, ["https://a.test/"]);
    assert_eq!(poll_all(&mut engine, at(0)).0.wake, Some(at(1000)));
    let (polled, _) = poll_all(&mut engine, at(1000));
    assert_eq!(polled.done.len(), 1);
    engine.token_acquired(0, None, at(1001));
    assert!(poll_all(&mut engine, at(1001)).0.starts.is_empty());
}

#[test]
fn tokens_are_refreshed_while_the_old_one_is_in_use() {
    let mut engine = engine(EngineConfig::default());
    submit(&mut engine, ["https://a.test/1"]);
    let _ = poll_all(&mut engine, at(0));
    engine.token_acquired(0, Some(10 * SECOND), at(0));
    let _ = poll_all(&mut engine, at(0));
    engine.submit(get("https://a.test/2"), at(8500)).unwrap();
    let (polled, wanted) = poll_all(&mut engine, at(8500));
    assert_eq!((polled.starts.len(), wanted.len()), (1, 1));
    assert_eq!(generation(&polled.starts[0]), Some(1));
}

#[test]
fn fetches_in_the_queue_wait_again_when_the_token_ends() {
    let mut engine = engine(EngineConfig::default().concurrency(1));
    submit(&mut engine, ["https://a.test/1", "https://a.test/2"]);
    let _ = poll_all(&mut engine, at(0));
    engine.token_acquired(0, Some(10 * SECOND), at(0));
    let (polled, _) = poll_all(&mut engine, at(0));
    assert_eq!(polled.starts.len(), 1);
    answer(&mut engine, &polled.starts[0], 200, at(9500));
    let (polled, wanted) = poll_all(&mut engine, at(9500));
    assert_eq!((polled.starts.len(), wanted.len()), (0, 1));
    engine.token_acquired(0, Some(10 * SECOND), at(9600));
    let (polled, _) = poll_all(&mut engine, at(9600));
    assert_eq!(generation(&polled.starts[0]), Some(2));
}

#[test]
fn a_redirect_to_another_origin_leaves_the_token_behind() {
    let mut engine = engine(EngineConfig::default());
    submit(&mut engine, ["https://a.test/"]);
    let _ = poll_all(&mut engine, at(0));
    engine.token_acquired(0, None, at(0));
    let (polled, _) = poll_all(&mut engine, at(0));
    let head = HeadSummary::status(302).location(Some("https://b.test/".into()));
    engine.handle(polled.starts[0].id, Input::Head(head), at(1));
    engine.handle(polled.starts[0].id, Input::End(Ok(())), at(1));
    let (polled, _) = poll_all(&mut engine, at(1));
    assert_eq!(
        (targets(&polled), generation(&polled.starts[0])),
        (["https://b.test/"].into(), None)
    );
}

#[test]
fn new_profiles_acquire_their_own_tokens() {
    let mut engine = engine(EngineConfig::default());
    submit(&mut engine, ["https://a.test/"]);
    assert_eq!(poll_all(&mut engine, at(0)).1.len(), 1);
    engine.set_config(EngineConfig::default(), at(1));
    let (polled, _) = poll_all(&mut engine, at(1));
    assert_eq!(
        generation(&polled.starts[0]),
        None,
        "it needs no token any more"
    );
}

#[test]
fn a_restored_engine_acquires_its_tokens_again() {
    let mut engine = engine(EngineConfig::default());
    submit(&mut engine, ["https://a.test/"]);
    let _ = poll_all(&mut engine, at(0));
    let mut later = Engine::restore(engine.checkpoint(), at(0));
    assert_eq!(poll_all(&mut later, at(0)).1.len(), 1);
}
