use super::*;
use crate::{
    AuthChallenge, AuthProfile, ChallengeAnswer, LoginSchemes, RequestBodyKind,
    ServerAuthentication, TokenPolicy,
};

fn engine(config: EngineConfig) -> Engine {
    let tokens = TokenPolicy::default().backoff(Backoff::default().jitter(None));
    let profile = AuthProfile::new("api")
        .login(LoginSchemes::DIGEST)
        .tokens(tokens);
    Engine::new(config.auth_profiles([profile.first_origins()]), 7, at(0))
}

fn poll_all(engine: &mut Engine, now: Timestamp) -> PolledOutputs {
    let mut polled = PolledOutputs::default();
    loop {
        match engine.poll(now) {
            EngineOutput::AcquireToken(token) => engine.token_acquired(token.profile, None, now),
            EngineOutput::Done(_, outcome) => polled.done.push(outcome),
            EngineOutput::Idle(_) => return polled,
            EngineOutput::Start(attempt) => polled.starts.push(attempt),
            _ => {}
        }
    }
}

/// The count of the nonce that the attempt is sent with; 0 if it is sent without.
fn count(attempt: &Attempt) -> u32 {
    match attempt.login.as_deref() {
        Some(ChallengeAnswer::Digest(answer)) => answer.count(),
        _ => 0,
    }
}

fn refuse(engine: &mut Engine, attempt: &Attempt, nonce: &str, now: Timestamp) {
    let field = alloc::format!(r#"Digest realm="r", nonce={nonce}, qop="auth""#);
    let fields = ServerAuthentication::challenges(AuthChallenge::parse_all([&*field]));
    let head = HeadSummary::status(401).authentication(fields);
    engine.handle(attempt.id, Input::Head(head), now);
    engine.handle(attempt.id, Input::End(Ok(())), now);
}

fn many(engine: &mut Engine, count: usize) {
    for n in 0..count {
        engine
            .submit(get(&alloc::format!("https://a.test/{n}")), at(0))
            .unwrap();
    }
}

#[test]
fn one_request_asks_for_the_challenge_and_the_others_wait_for_it() {
    let mut engine = engine(only(exact().attempts(1)).concurrency(50));
    many(&mut engine, 100);
    let polled = poll_all(&mut engine, at(0));
    assert_eq!((polled.starts.len(), count(&polled.starts[0])), (1, 0));
    refuse(&mut engine, &polled.starts[0], "n", at(1));
    let mut polled = poll_all(&mut engine, at(1));
    let (mut counts, mut done) = (Vec::new(), Vec::new());
    while !polled.starts.is_empty() {
        for attempt in &polled.starts {
            counts.push(count(attempt));
            answer(&mut engine, attempt, 200, at(2));
        }
        polled = poll_all(&mut engine, at(2));
        done.append(&mut polled.done);
    }
    assert_eq!(counts, Vec::from_iter(1..=100), "101 requests, one nonce");
    assert!(done.iter().all(|one| one.is_success() && one.retries == 0));
}

#[test]
fn an_origin_that_asks_for_nothing_holds_nobody() {
    let mut engine = engine(only(exact()).concurrency(50));
    many(&mut engine, 3);
    let polled = poll_all(&mut engine, at(0));
    answer(&mut engine, &polled.starts[0], 200, at(1));
    assert_eq!(poll_all(&mut engine, at(1)).starts.len(), 2);
}

#[test]
fn another_request_asks_if_the_first_one_fails() {
    let mut engine = engine(only(exact().attempts(1)));
    many(&mut engine, 3);
    let polled = poll_all(&mut engine, at(0));
    let failed = Input::End(Err(FailureKind::Connect));
    engine.handle(polled.starts[0].id, failed, at(1));
    let polled = poll_all(&mut engine, at(1));
    assert_eq!((polled.starts.len(), polled.done.len()), (1, 1));
    assert_eq!(count(&polled.starts[0]), 0);
}

#[test]
fn a_cancelled_request_lets_another_one_ask() {
    let mut engine = engine(only(exact().attempts(1)));
    many(&mut engine, 2);
    let polled = poll_all(&mut engine, at(0));
    engine.cancel(polled.starts[0].id.fetch, at(1));
    assert_eq!(poll_all(&mut engine, at(1)).starts.len(), 1);
}

#[test]
fn a_wrong_password_ends_in_the_answer_and_is_read_again_at_most_once() {
    let mut engine = engine(only(exact()));
    many(&mut engine, 1);
    let mut sent = Vec::new();
    for millis in 0.. {
        let polled = poll_all(&mut engine, at(millis));
        if let Some(outcome) = polled.done.first() {
            assert_eq!(outcome.status(), Some(401));
            break;
        }
        sent.push(count(&polled.starts[0]));
        refuse(
            &mut engine,
            &polled.starts[0],
            &alloc::format!("n{millis}"),
            at(millis),
        );
    }
    assert_eq!(sent, [0, 1, 1]);
}

#[test]
fn a_server_whose_nonce_is_always_stale_gets_a_few_requests_only() {
    let mut engine = engine(only(exact()));
    many(&mut engine, 1);
    let mut requests = 0;
    loop {
        let polled = poll_all(&mut engine, at(requests));
        if !polled.done.is_empty() {
            break;
        }
        refuse(
            &mut engine,
            &polled.starts[0],
            "n, stale=true",
            at(requests),
        );
        requests += 1;
    }
    assert!(requests <= 8, "{requests}");
}

#[test]
fn a_body_that_can_be_sent_once_is_not_sent_again() {
    let mut engine = engine(only(exact()));
    let once = get("https://a.test/").body(RequestBodyKind::Once);
    engine.submit(once, at(0)).unwrap();
    let polled = poll_all(&mut engine, at(0));
    refuse(&mut engine, &polled.starts[0], "n", at(1));
    let polled = poll_all(&mut engine, at(1));
    assert_eq!(polled.done[0].status(), Some(401));
}
