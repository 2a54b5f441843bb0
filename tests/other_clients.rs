//! Behaviour that isahc and surf share and the other adapters do not have. The conformance suite
//! checks what is the same on all adapters.

use std::time::Duration;

use fetch_all::driver::{Adapter, Builder, Fetcher, Http2Mode, Proxy, ProxyRules};
use fetch_all::{Backoff, Method, Policy, PolicyRules, Request, Timeouts, isahc, surf};
use fetch_testbed::Site;
use smol::block_on;

const LONG: Duration = Duration::from_secs(20);

/// Defines a test of each behaviour on both adapters.
macro_rules! test_on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod isahc_adapter {
            $(#[test] fn $behaviour() { super::$behaviour(fetch_all::isahc::Fetcher::builder); })*
        }
        mod surf_adapter {
            $(#[test] fn $behaviour() { super::$behaviour(fetch_all::surf::Fetcher::builder); })*
        }
    };
}

test_on_both!(
    an_unsupported_time_limit_is_an_error,
    a_post_is_sent_without_extra_fields,
    the_connect_limit_does_not_apply_to_a_slow_response,
    an_error_names_both_possible_steps,
    responses_without_body_free_their_connection,
);

/// A policy that retries without a delay.
fn quick_policy() -> Policy {
    Policy::default().backoff(Backoff::default().base(Duration::ZERO))
}

fn build_fetcher<A: Adapter>(builder: fn() -> Builder<A>) -> Fetcher<A> {
    builder().policy(quick_policy()).build().unwrap()
}

fn the_connect_limit_does_not_apply_to_a_slow_response<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::start().unwrap();
    let policy = quick_policy()
        .attempts(1)
        .timeouts(Timeouts::default().connect(Duration::from_millis(50)));
    let request = Request::get(site.url("/delay/0.3")).unwrap();
    let outcome = block_on(build_fetcher(builder).fetch(request.policy(policy.clone())));
    assert!(outcome.is_success(), "{outcome}");
    let fetcher = builder().rules(PolicyRules::from_policy(policy)).build();
    let outcome = block_on(fetcher.unwrap().fetch(site.url("/delay/0.3")));
    assert!(outcome.is_success(), "{outcome}");
}

fn an_error_names_both_possible_steps<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::start().unwrap();
    let error = block_on(build_fetcher(builder).get(site.url("/reset"))).unwrap_err();
    let step = error.step();
    assert_eq!(
        step,
        Some("connecting or waiting for the response"),
        "{error}"
    );
}

fn an_unsupported_time_limit_is_an_error<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::start().unwrap();
    let policy = quick_policy().timeouts(Timeouts::default().first_byte(LONG));
    let rules = PolicyRules::from_policy(policy.clone());
    let error = builder().rules(rules).build().unwrap_err();
    assert!(error.to_string().contains("first_byte"), "{error}");
    let request = Request::get(site.url("/get")).unwrap().policy(policy);
    let error = block_on(build_fetcher(builder).get(request)).unwrap_err();
    assert!(error.to_string().contains("first_byte"), "{error}");
}

fn a_post_is_sent_without_extra_fields<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::builder().record(true).start().unwrap();
    let fetcher = build_fetcher(builder);
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
        let sent = (seen.method.as_str(), &seen.body[..]);
        assert_eq!(sent, (&*name, body.as_bytes()));
        let length = body.len().to_string();
        assert_eq!(seen.header("content-length"), Some(&*length));
        let (expect, kind) = (seen.header("expect"), seen.header("content-type"));
        assert_eq!((expect, kind), (None, Some("a/b")));
    }
    assert_eq!(site.hits("/anything"), 3);
}

fn responses_without_body_free_their_connection<A: Adapter>(builder: fn() -> Builder<A>) {
    let site = Site::start().unwrap();
    let fetcher = builder()
        .policy(quick_policy())
        .concurrency(1)
        .build()
        .unwrap();
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
fn an_unsupported_setting_is_a_build_error() {
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
