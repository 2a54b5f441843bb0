//! The isahc adapter against the real test site, over real sockets: what is not the same for all
//! adapters. What is, the conformance suite checks.

use std::time::Duration;

use fetch_isahc::{Backoff, Fetcher, Method, Policy, Request, Rules, Timeouts};
use fetch_testbed::Site;
use smol::block_on;

const LONG: Duration = Duration::from_secs(20);

/// Retries without a wait, for tests.
fn quick() -> Policy {
    Policy::default().backoff(Backoff::default().base(Duration::ZERO))
}

fn fetcher() -> Fetcher {
    Fetcher::builder().policy(quick()).build().unwrap()
}

#[test]
fn a_slow_server_is_no_slow_connection() {
    let site = Site::start().unwrap();
    let policy = quick().attempts(1).timeouts(Timeouts {
        connect: Some(Duration::from_millis(50)),
        ..Timeouts::default()
    });
    let request = Request::get(site.url("/delay/0.3")).unwrap();
    let outcome = block_on(fetcher().fetch(request.policy(policy.clone())));
    assert!(outcome.is_success(), "{outcome}");
    let fetcher = Fetcher::builder().rules(Rules::only(policy)).build();
    let outcome = block_on(fetcher.unwrap().fetch(site.url("/delay/0.3")));
    assert!(outcome.is_success(), "{outcome}");
}

#[test]
fn a_limit_that_cannot_be_kept_is_refused() {
    let site = Site::start().unwrap();
    let policy = quick().timeouts(Timeouts {
        first_byte: Some(LONG),
        ..Timeouts::default()
    });
    let rules = Rules::only(policy.clone());
    let error = Fetcher::builder().rules(rules).build().unwrap_err();
    assert!(error.to_string().contains("first_byte"), "{error}");
    let request = Request::get(site.url("/get")).unwrap().policy(policy);
    let error = block_on(fetcher().get(request)).unwrap_err();
    assert!(error.to_string().contains("first_byte"), "{error}");
}

#[test]
fn a_post_is_sent_with_its_body_and_nothing_made_up() {
    let site = Site::builder().record(true).start().unwrap();
    let fetcher = fetcher();
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
        assert_eq!(
            (seen.method.as_str(), &seen.body[..]),
            (&*name, body.as_bytes())
        );
        let length = body.len().to_string();
        assert_eq!(seen.header("content-length"), Some(&*length));
        assert_eq!(
            (seen.header("expect"), seen.header("content-type")),
            (None, Some("a/b"))
        );
    }
    assert_eq!(site.hits("/anything"), 3);
}

#[test]
fn responses_without_a_body_free_their_connection() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::builder()
        .policy(quick())
        .concurrency(1)
        .build()
        .unwrap();
    for _ in 0..3 {
        let request = Request::new(Method::Head, site.url("/bytes/1000")).unwrap();
        let response = block_on(fetcher.get(request)).unwrap();
        assert_eq!(
            (
                response.headers["content-length"].as_bytes(),
                response.bytes
            ),
            (&b"1000"[..], 0)
        );
        assert_eq!(
            block_on(fetcher.get(site.url("/status/204")))
                .unwrap()
                .status,
            204
        );
    }
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn what_cannot_be_obeyed_is_an_error_at_the_build() {
    let local = "127.0.0.1".parse().unwrap();
    let refused = [
        Fetcher::builder().resolve("a.test", 80, [local, local]),
        Fetcher::builder().settings(|s| s.http2 = fetch_driver::Http2::PriorKnowledge),
        Fetcher::builder().connect_to("a.test:80:b.test:80"),
    ];
    for builder in refused {
        assert!(builder.build().is_err());
    }
}
