//! Requests that wait for others, and validations in the background.

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fetch_driver::IncomingResponse;
use futures_lite::future::block_on;
use futures_lite::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use crate::server::{Chunk, FRESH, Server, URL, cache, get, refuse, request, respond, told};

/// Waits until `is_true`; the test fails by its runner's time limit if it never is.
fn wait_until(mut is_true: impl FnMut() -> bool) {
    while !is_true() {
        std::thread::yield_now();
    }
}

#[test]
fn a_stale_response_is_used_while_one_request_validates_it() {
    let fields = &[
        ("cache-control", "max-age=0, stale-while-revalidate=1000"),
        ("etag", "\"1\""),
    ];
    let released = Arc::new(AtomicUsize::new(0));
    let may_answer = released.clone();
    let server = Server::new(move |_, n| {
        if n == 1 {
            return respond(200, fields, "1");
        }
        let may_answer = may_answer.clone();
        Box::pin(async move {
            while may_answer.load(Ordering::SeqCst) == 0 {
                futures_lite::future::yield_now().await;
            }
            respond(304, &[("cache-control", "max-age=1000")], "").await
        })
    });
    let fetcher = server.fetcher(&cache());
    get(&fetcher, request());
    let outcomes = fetcher.fetch_all((0..100).map(|_| URL));
    let stale = block_on(
        outcomes
            .filter(|outcome| {
                told(outcome.response().unwrap()) == ("1".to_owned(), "hit; ttl=0".to_owned())
            })
            .count(),
    );
    assert_eq!(stale, 100);
    wait_until(|| server.count() == 2);
    assert_eq!(server.field(1, "if-none-match").as_deref(), Some("\"1\""));
    released.store(1, Ordering::SeqCst);
    wait_until(|| told(&get(&fetcher, request())).1 == "hit; ttl=1000");
    assert_eq!(server.count(), 2);
}

#[test]
fn identical_requests_wait_for_one_response_and_get_it() {
    let (server, cache) = (Server::fixed(FRESH), cache());
    let fetcher = server.fetcher(&cache);
    let outcomes = fetcher.fetch_all((0..10_000).map(|_| URL));
    let bodies = outcomes.filter(|outcome| outcome.response().unwrap().text() == "1");
    assert_eq!(block_on(bodies.count()), 10_000);
    assert_eq!(server.count(), 1);
}

/// A server that never answers the first request, and the others only once all of them have come.
fn all_at_once(first: &'static [(&'static str, &'static str)], count: usize) -> Server {
    let arrived = Arc::new(AtomicUsize::new(0));
    Server::new(move |_, n| {
        if n == 1 {
            let body = stream::pending::<Chunk>().boxed();
            let mut headers = HeaderMap::new();
            for (name, value) in first {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            let response = IncomingResponse::new(StatusCode::OK, Version::HTTP_11, headers, body);
            return Box::pin(ready(Ok(response)));
        }
        let arrived = arrived.clone();
        arrived.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            while arrived.load(Ordering::SeqCst) < count {
                futures_lite::future::yield_now().await;
            }
            respond(200, &[("cache-control", "no-store")], "x").await
        })
    })
}

#[test]
fn nobody_waits_for_the_body_of_a_response_that_is_not_stored() {
    let server = all_at_once(&[("cache-control", "no-store")], 49);
    let fetcher = server.fetcher(&cache());
    let outcomes = fetcher.fetch_all((0..50).map(|_| URL)).take(49);
    assert_eq!(
        block_on(outcomes.filter(|outcome| outcome.is_success()).count()),
        49
    );
    assert_eq!(server.count(), 50);
}

#[test]
fn nobody_waits_for_a_response_with_other_values_of_its_vary_fields() {
    let server = all_at_once(&[("cache-control", "max-age=9"), ("vary", "x")], 3);
    let fetcher = server.fetcher(&cache());
    let numbered = |n: usize| request().header("x", &n.to_string()).unwrap();
    let outcomes = fetcher.fetch_all((0..4).map(numbered)).take(3);
    assert_eq!(
        block_on(outcomes.filter(|outcome| outcome.is_success()).count()),
        3
    );
}

#[test]
fn those_who_wait_go_on_if_the_first_request_fails() {
    let server = Server::new(|_, n| match n {
        1 => refuse(),
        n => respond(200, FRESH, &n.to_string()),
    });
    let fetcher = server.fetcher(&cache());
    let outcomes = fetcher.fetch_all((0..20).map(|_| URL));
    let succeeded = block_on(outcomes.filter(|outcome| outcome.is_success()).count());
    assert_eq!(succeeded, 19);
}

#[test]
fn a_request_that_waits_can_be_cancelled_and_ends_with_the_fetcher() {
    let server = Server::new(|_, _| Box::pin(pending()));
    let fetcher = server.fetcher(&cache());
    let leader = fetcher.fetch_all([URL]);
    let mut leader = std::pin::pin!(leader);
    block_on(futures_lite::future::poll_once(leader.next()));
    wait_until(|| server.count() == 1);
    let waiting = fetcher.fetch_all([URL, URL]);
    let mut waiting = std::pin::pin!(waiting);
    block_on(futures_lite::future::poll_once(waiting.next()));
    waiting.as_mut().cancel_queued();
    for _ in 0..2 {
        let outcome = block_on(waiting.next()).unwrap();
        assert_eq!(outcome.error().unwrap().kind().as_str(), "cancelled");
    }
    assert_eq!(server.count(), 1);
}
