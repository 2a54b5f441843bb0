//! Redirects.

use alloc::string::String;
use alloc::vec::Vec;

use super::{exact, run};
use crate::testing::{FetchScript, status};
use crate::{
    Attempt, AttemptEnd, FetchError, Method, RedirectError, RedirectPolicy, RequestBodyKind,
};

#[test]
fn redirects_do_not_count_as_attempts() {
    let run = run(
        exact().attempts(1),
        [status(302).location("/b"), status(200)],
    );
    assert_eq!(run.outcome().url.as_str(), "http://a.test/b");
    assert_eq!((run.outcome().redirects, run.outcome().retries), (1, 0));
    assert_eq!(run.outcome().attempts[0].end, AttemptEnd::Redirected);
}

#[test]
fn redirects_without_location_or_not_allowed_are_results() {
    assert_eq!(run(exact(), [status(302)]).outcome().status(), Some(302));
    assert_eq!(
        run(exact(), [status(304).location("/b")])
            .outcome()
            .status(),
        Some(304)
    );
    let none = exact().redirects(RedirectPolicy::NONE);
    assert_eq!(
        run(none, [status(301).location("/b")]).outcome().status(),
        Some(301)
    );
}

#[test]
fn an_endless_redirect_chain_ends_at_the_limit() {
    let run = run(
        exact(),
        core::iter::repeat_n(status(302).location("/again"), 11),
    );
    assert_eq!(
        run.outcome().result,
        Err(FetchError::Redirect(RedirectError::TooMany))
    );
    assert_eq!(run.attempts().len(), 11);
}

#[test]
fn credentials_are_dropped_for_good_when_the_origin_changes() {
    let hops = [
        status(302).location("http://b.test/"),
        status(302).location("http://a.test/"),
    ];
    let run = run(exact(), hops.into_iter().chain([status(200)]));
    let sent: Vec<_> = run.attempts().iter().map(|a| a.send_credentials).collect();
    assert_eq!(sent, [true, false, false]);
}

#[test]
fn a_trusted_redirect_takes_all_fields_to_another_origin() {
    let policy = exact().redirects(RedirectPolicy::default().trusted(true));
    let run = run(
        policy,
        [status(302).location("http://b.test/"), status(200)],
    );
    assert!(run.attempts()[1].send_credentials);
}

#[test]
fn credentials_of_a_location_are_for_the_origin_it_leads_to() {
    let hops = [
        status(302).location("http://me:secret@b.test/"),
        status(302).location("/same"),
        status(302).location("http://b.test/absolute"),
        status(503),
        status(302).location("http://a.test/"),
    ];
    let run = run(exact(), hops.into_iter().chain([status(200)]));
    let user = |attempt: &Attempt| {
        let credentials = attempt.credentials.as_ref()?;
        Some(String::from(credentials.user()))
    };
    let users: Vec<_> = run.attempts().iter().map(user).collect();
    let me = || Some("me".into());
    assert_eq!(users, [None, me(), me(), me(), me(), None]);
    assert!(
        run.attempts()
            .iter()
            .all(|attempt| attempt.url.username().is_empty())
    );
}

#[test]
fn an_empty_location_is_the_answer() {
    let run = run(exact(), [status(302).location("")]);
    assert_eq!(run.outcome().status(), Some(302));
    assert_eq!(run.attempts().len(), 1);
}

#[test]
fn without_a_redirect_to_spare_the_first_one_is_an_error() {
    let none = exact().redirects(RedirectPolicy::limit(0));
    let run = run(none, [status(301).location("/b")]);
    let expected = FetchError::Redirect(RedirectError::TooMany);
    assert_eq!(run.outcome().result, Err(expected));
}

#[test]
fn a_post_redirected_by_303_becomes_a_get_without_body() {
    let mut script = FetchScript::new(exact());
    script.request(|r| (r.method, r.body) = (Method::Post, RequestBodyKind::Replayable));
    let run = script
        .answers([status(303).location("/b"), status(200)])
        .run();
    assert_eq!(run.attempts()[1].method, Method::Get);
    assert!(run.attempts()[0].send_body && !run.attempts()[1].send_body);
}

#[test]
fn a_retry_after_a_redirect_uses_the_new_target() {
    let answers = [status(302).location("/b"), status(503), status(200)];
    let run = run(exact(), answers);
    assert_eq!(run.attempts()[2].url.path(), "/b");
}
