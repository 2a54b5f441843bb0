//! Whose responses are stored and served.

use fetch_driver::cache::{CacheRules, CacheScope};
use fetch_driver::{AccessToken, AuthProfile, CredentialError, Fetcher, Method, Request};

use crate::server::{FRESH, Server, URL, cache, get, request, respond, told};

#[test]
fn what_is_authorized_for_one_request_is_not_stored() {
    let server = Server::fixed(FRESH);
    let fetcher = server.fetcher(&cache());
    let digest = || request().header("authorization", "Digest nonce=1").unwrap();
    for _ in 0..2 {
        assert!(told(&get(&fetcher, digest())).1.starts_with("fwd=bypass"));
    }
}

#[test]
fn a_shared_cache_stores_nothing_for_one_user() {
    let private: &[(&str, &str)] = &[("cache-control", "private, max-age=9")];
    type Case = (
        &'static [(&'static str, &'static str)],
        Option<&'static str>,
        bool,
    );
    let table: [Case; 5] = [
        (FRESH, None, true),
        (private, None, false),
        (FRESH, Some("Bearer a"), false),
        (
            &[("cache-control", "public, max-age=9")],
            Some("Bearer a"),
            true,
        ),
        (
            &[("cache-control", "max-age=9"), ("set-cookie", "a=b")],
            None,
            false,
        ),
    ];
    for (fields, authorization, is_stored) in table {
        let server = Server::new(move |_, n| respond(200, fields, &n.to_string()));
        let cache = cache().rules(CacheRules::default().scope(CacheScope::Shared));
        let fetcher = server.fetcher(&cache);
        let asked = || match authorization {
            Some(value) => request().header("authorization", value).unwrap(),
            None => request(),
        };
        get(&fetcher, asked());
        let (_, status) = told(&get(&fetcher, asked()));
        assert_eq!(status.starts_with("hit"), is_stored, "{fields:?}: {status}");
    }
}

#[test]
fn an_unsafe_request_invalidates_what_is_stored_for_everyone() {
    let (server, cache) = (Server::fixed(FRESH), cache());
    let fetcher = server.fetcher(&cache);
    let of_user = || request().header("authorization", "Bearer a").unwrap();
    get(&fetcher, request());
    get(&fetcher, of_user());
    let post = Request::new(Method::Post, URL).unwrap().body("x");
    assert!(told(&get(&fetcher, post)).1.starts_with("fwd=method"));
    assert_eq!(cache.usage().responses, 0);
    assert!(
        told(&get(&fetcher, of_user()))
            .1
            .starts_with("fwd=uri-miss")
    );
}

#[test]
fn a_token_stands_for_its_profile() {
    let (server, cache) = (Server::fixed(FRESH), cache());
    let profile = |name: &str| {
        let origin = "http://a.test/".parse().unwrap();
        AuthProfile::new(name).scope(origin)
    };
    let with = |name: &str, token: &'static str| {
        let source =
            move || async move { AccessToken::bearer(token).map_err(CredentialError::refused) };
        server
            .builder(&cache)
            .auth(profile(name), source)
            .build()
            .unwrap()
    };
    let told_by = |fetcher: &Fetcher<Server>| told(&get(fetcher, request()));
    let first = with("api", "t1");
    assert_eq!(told_by(&first).0, "1");
    assert_eq!(
        server.field(0, "authorization").as_deref(),
        Some("Bearer t1")
    );
    assert!(told_by(&first).1.starts_with("hit"));
    // The next token of the same profile.
    assert!(told_by(&with("api", "t2")).1.starts_with("hit"));
    assert_eq!(told_by(&with("other", "t3")).0, "2");
    assert_eq!(told_by(&server.fetcher(&cache)).0, "3");
}
