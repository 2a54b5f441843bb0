//! How a request uses the cache, and what a stored response answers.

use fetch_driver::cache::CacheMode;
use fetch_driver::{Method, Request};
use futures_lite::future::block_on;

use crate::server::{FRESH, Server, URL, cache, get, is_told, request, respond, told};

#[test]
fn the_modes_of_fetch_are_obeyed() {
    let server = Server::new(|request, n| {
        let is_confirmed = request.headers.contains_key("if-none-match");
        let fields = [("cache-control", "max-age=1000"), ("etag", "\"1\"")];
        match is_confirmed {
            true => respond(304, &fields, ""),
            false => respond(200, &fields, &n.to_string()),
        }
    });
    let fetcher = server.fetcher(&cache());
    let with = |mode| get(&fetcher, request().cache_mode(mode));
    assert_eq!(with(CacheMode::OnlyIfCached).status, 504);
    assert_eq!(server.count(), 0);
    is_told(
        &with(CacheMode::NoStore),
        "1",
        "fwd=bypass; fwd-status=200; detail=no-store",
    );
    is_told(
        &with(CacheMode::Reload),
        "2",
        "fwd=bypass; fwd-status=200; stored",
    );
    is_told(&with(CacheMode::Default), "2", "hit; ttl=1000");
    is_told(
        &with(CacheMode::NoCache),
        "2",
        "fwd=request; fwd-status=304; ttl=1000; stored",
    );
    is_told(&with(CacheMode::OnlyIfCached), "2", "hit; ttl=1000");
    is_told(&with(CacheMode::ForceCache), "2", "hit; ttl=1000");
    is_told(
        &with(CacheMode::Reload),
        "4",
        "fwd=bypass; fwd-status=200; stored",
    );
}

#[test]
fn variants_are_kept_apart() {
    let fields = &[("cache-control", "max-age=9"), ("vary", "accept")];
    let server = Server::new(|_, n| respond(200, fields, &n.to_string()));
    let fetcher = server.fetcher(&cache());
    let accept = |value| request().header("accept", value).unwrap();
    for (value, body) in [("a", "1"), ("b", "2"), ("a", "1"), ("b", "2")] {
        assert_eq!(told(&get(&fetcher, accept(value))).0, body);
    }
}

#[test]
fn a_stored_get_answers_head_conditions_and_ranges() {
    let fields = &[
        ("cache-control", "max-age=9"),
        ("etag", "\"1\""),
        ("content-length", "10"),
    ];
    let server = Server::new(|_, _| respond(200, fields, "0123456789"));
    let fetcher = server.fetcher(&cache());
    get(&fetcher, request());
    let head = get(&fetcher, Request::new(Method::Head, URL).unwrap());
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let conditional = get(
        &fetcher,
        request().header("if-none-match", "\"1\"").unwrap(),
    );
    assert_eq!(
        (conditional.status.as_u16(), conditional.body.len()),
        (304, 0)
    );
    assert!(!conditional.headers.contains_key("content-length"));
    let part = get(&fetcher, request().header("range", "bytes=2-4").unwrap());
    assert_eq!((part.status.as_u16(), &*part.text()), (206, "234"));
    assert_eq!(part.headers["content-range"], "bytes 2-4/10");
    assert_eq!(part.headers["content-length"], "3");
    assert_eq!(server.count(), 1);
}

#[test]
fn redirects_are_stored_and_followed_without_a_request() {
    let server = Server::new(|request, n| match request.url.path() {
        "/x" => respond(
            301,
            &[("cache-control", "max-age=9"), ("location", "/y")],
            "",
        ),
        _ => respond(200, FRESH, &n.to_string()),
    });
    let fetcher = server.fetcher(&cache());
    for _ in 0..3 {
        let outcome = block_on(fetcher.fetch(request()));
        assert_eq!(outcome.redirects, 1);
        let response = outcome.result.unwrap();
        assert_eq!((&*response.text(), response.url.path()), ("2", "/y"));
    }
    assert_eq!(server.count(), 2);
}
