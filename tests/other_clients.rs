//! The adapters over other people's HTTP clients, where those differ from our own in the same way.
//! What is the same for all adapters, the conformance suite checks.

use std::time::Duration;

use fetch_all::driver::{Adapter, Builder, Fetcher, Http2Mode, Proxy, ProxyRules};
use fetch_all::{Backoff, Method, Policy, PolicyRules, Request, Timeouts, isahc, surf};
use fetch_testbed::Site;
use smol::block_on;

const LONG: Duration = Duration::from_secs(20);

/// A test for each of the two.
macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod over_isahc {
            $(#[test] fn $behaviour() { super::$behaviour(fetch_all::isahc::Fetcher::builder); })*
        }
        mod over_surf {
            $(#[test] fn $behaviour() { super::$behaviour(fetch_all::surf::Fetcher::builder); })*
        }
    };
}

on_both!(
    a_limit_that_cannot_be_kept_is_refused,
    a_post_is_sent_with_its_body_and_nothing_made_up,
    a_slow_server_is_no_slow_connection,
    an_error_does_not_claim_to_know_that_there_was_no_connection,
    responses_without_a_body_free_their_connection,
);

/// Retries without a wait, for tests.
fn quick() -> Policy {
    Policy::default().backoff(Backoff::default().base(Duration::ZERO))
}

fn fetcher<A: Adapter>(builder: fn() -> Builder<A>) -> Fetcher<A> {
    builder().policy(quick()).build().unwrap()
}

fn a_slow_server_is_no_slow_connection<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::start().unwrap();
    let policy = quick()
        .attempts(1)
        .timeouts(Timeouts::default().connect(Duration::from_millis(50)));
    let request = Request::get(site.url("/delay/0.3")).unwrap();
    let outcome = block_on(fetcher(builder).fetch(request.policy(policy.clone())));
    assert!(outcome.is_success(), "{outcome}");
    let fetcher = builder().rules(PolicyRules::from_policy(policy)).build();
    let outcome = block_on(fetcher.unwrap().fetch(site.url("/delay/0.3")));
    assert!(outcome.is_success(), "{outcome}");
}

fn an_error_does_not_claim_to_know_that_there_was_no_connection<A: Adapter>(
    builder: fn() -> Builder<A>,
) {
    let site = Site::start().unwrap();
    let error = block_on(fetcher(builder).get(site.url("/reset"))).unwrap_err();
    let step = error.step();
    assert_eq!(
        step,
        Some("connecting or waiting for the response"),
        "{error}"
    );
}

fn a_limit_that_cannot_be_kept_is_refused<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::start().unwrap();
    let policy = quick().timeouts(Timeouts::default().first_byte(LONG));
    let rules = PolicyRules::from_policy(policy.clone());
    let error = builder().rules(rules).build().unwrap_err();
    assert!(error.to_string().contains("first_byte"), "{error}");
    let request = Request::get(site.url("/get")).unwrap().policy(policy);
    let error = block_on(fetcher(builder).get(request)).unwrap_err();
    assert!(error.to_string().contains("first_byte"), "{error}");
}

fn a_post_is_sent_with_its_body_and_nothing_made_up<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::builder().record(true).start().unwrap();
    let fetcher = fetcher(builder);
    for (method, body) in [
        (Method::Post, "a=b"),
        (Method::Put, "c"),
        (Method::Post, ""),
    ] {
        let name = method.as_str().to_owned();
        let request = Request::new(method, site.url("/anything")).unwrap();
        let request = request.body(body).header("content-type", "a/b").unwrap();
        assert_eq!(block_on(fetcher.get(request)).unwrap().status, 200);
        let seen = site.last_request("/anything").unwrap();
        let said = (seen.method.as_str(), &seen.body[..]);
        assert_eq!(said, (&*name, body.as_bytes()));
        let length = body.len().to_string();
        assert_eq!(seen.header("content-length"), Some(&*length));
        let (expect, kind) = (seen.header("expect"), seen.header("content-type"));
        assert_eq!((expect, kind), (None, Some("a/b")));
    }
    assert_eq!(site.hits("/anything"), 3);
}

fn responses_without_a_body_free_their_connection<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::start().unwrap();
    let fetcher = builder().policy(quick()).concurrency(1).build().unwrap();
    for _ in 0..3 {
        let request = Request::new(Method::Head, site.url("/bytes/1000")).unwrap();
        let head = block_on(fetcher.get(request)).unwrap();
        assert_eq!(head.headers["content-length"].as_bytes(), b"1000");
        assert_eq!(head.bytes, 0);
        let empty = block_on(fetcher.get(site.url("/status/204"))).unwrap();
        assert_eq!(empty.status, 204);
    }
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn what_cannot_be_obeyed_is_an_error_at_the_build() {
    let local = "127.0.0.1".parse().unwrap();
    let over_isahc = [
        isahc::Fetcher::builder().resolve("a.test", 80, [local, local]),
        isahc::Fetcher::builder().settings(|s| s.http2 = Http2Mode::PriorKnowledge),
        isahc::Fetcher::builder().connect_to("a.test:80:b.test:80"),
    ];
    assert!(
        over_isahc
            .into_iter()
            .all(|builder| builder.build().is_err())
    );
    let proxy = Proxy::parse("http://127.0.0.1:1").unwrap();
    let over_surf = [
        surf::Fetcher::builder().resolve("a.test", 80, [local, local]),
        surf::Fetcher::builder().settings(|s| s.http2 = Http2Mode::PriorKnowledge),
        surf::Fetcher::builder().settings(|s| s.route.proxy = ProxyRules::new().all(proxy)),
    ];
    assert!(
        over_surf
            .into_iter()
            .all(|builder| builder.build().is_err())
    );
}
