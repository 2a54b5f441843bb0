//! What is stored, served, validated, and what is not.

use bytes::Bytes;
use fetch_driver::{BodyRetention, FailureKind, Request, TransportError};
use futures_lite::future::block_on;

use crate::server::{
    FRESH, Server, URL, cache, get, is_told, request, respond, respond_with, told,
};

#[test]
fn a_fresh_response_is_served_without_an_attempt_and_without_a_copy() {
    let (server, cache) = (Server::fixed(FRESH), cache());
    let fetcher = server.fetcher(&cache);
    let first = get(&fetcher, request());
    is_told(&first, "1", "fwd=uri-miss; fwd-status=200; stored");
    let outcome = block_on(fetcher.fetch(request().tag(7)));
    assert_eq!(
        (outcome.attempts.len(), outcome.tag, &*outcome.url),
        (0, 7, URL)
    );
    let second = outcome.result.unwrap();
    is_told(&second, "1", "hit; ttl=1000");
    assert_eq!(second.headers["age"], "0");
    let third = get(&fetcher, request());
    assert_eq!(second.body.as_ptr(), third.body.as_ptr());
    assert_eq!(server.count(), 1);
    let stats = cache.stats();
    assert_eq!(
        (stats.hits, stats.misses, cache.usage().responses),
        (2, 1, 1)
    );
    // Without its body.
    let discarded = get(&fetcher, request().body_retention(BodyRetention::Discard));
    assert_eq!((discarded.bytes, discarded.body.len()), (1, 0));
    let other = get(&fetcher, Request::get("http://a.test/x?").unwrap());
    assert_eq!(told(&other).0, "2");
}

#[test]
fn a_body_that_the_caller_discards_is_stored() {
    let (server, cache) = (Server::fixed(FRESH), cache());
    let fetcher = server.fetcher(&cache);
    get(&fetcher, request().body_retention(BodyRetention::Discard));
    is_told(&get(&fetcher, request()), "1", "hit; ttl=1000");
}

#[test]
fn a_stale_response_is_validated_and_updated() {
    let server = Server::new(|request, n| match request.headers.get("if-none-match") {
        Some(tag) if tag == "\"1\"" => {
            respond(304, &[("cache-control", "max-age=50"), ("x", "2")], "")
        }
        _ => {
            let fields = [
                ("cache-control", "max-age=0"),
                ("etag", "\"1\""),
                ("x", "1"),
                ("y", "1"),
            ];
            respond(200, &fields, &n.to_string())
        }
    });
    let fetcher = server.fetcher(&cache());
    get(&fetcher, request());
    let confirmed = get(&fetcher, request());
    is_told(&confirmed, "1", "fwd=stale; fwd-status=304; ttl=50; stored");
    let field = |name: &str| confirmed.headers[name].to_str().unwrap().to_owned();
    assert_eq!(
        (confirmed.status.as_u16(), field("x"), field("y")),
        (200, "2".into(), "1".into())
    );
    is_told(&get(&fetcher, request()), "1", "hit; ttl=50");
    assert_eq!(server.count(), 2);
}

#[test]
fn what_must_not_be_stored_is_fetched_again() {
    for fields in [
        &[("cache-control", "no-store")][..],
        &[("cache-control", "max-age=10"), ("vary", "*")],
        &[],
    ] {
        let server = Server::new(move |_, n| respond(200, fields, &n.to_string()));
        let fetcher = server.fetcher(&cache());
        for n in 1..=3 {
            assert_eq!(
                told(&get(&fetcher, request())).0,
                n.to_string(),
                "{fields:?}"
            );
        }
    }
}

#[test]
fn a_body_that_breaks_off_or_is_too_large_is_not_stored() {
    let server = Server::new(|_, n| {
        let broken = TransportError::new(FailureKind::Protocol, "broken");
        let end = if n == 1 {
            Err(broken)
        } else {
            Ok(Bytes::from_static(b"cd"))
        };
        respond_with(200, FRESH, vec![Ok(Bytes::from_static(b"ab")), end])
    });
    let cache = cache().max_body(3);
    let fetcher = server.fetcher(&cache);
    assert!(block_on(fetcher.get(request())).is_err());
    for _ in 0..2 {
        assert_eq!(told(&get(&fetcher, request())).0, "abcd");
    }
    assert_eq!((server.count(), cache.usage().responses), (3, 0));
}
