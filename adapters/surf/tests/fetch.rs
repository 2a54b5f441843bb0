//! The surf adapter against the real test site, over real sockets.

use std::time::Duration;

use async_std::task::block_on;
use fetch_surf::{
    AttemptEnd, Backoff, Fetcher, Limit, Method, Policy, Request, Rules, StreamExt, Timeouts,
    fetch_all,
};
use fetch_testbed::Site;

const LONG: Duration = Duration::from_secs(20);

/// Retries without a wait, for tests.
fn quick() -> Policy {
    Policy::default().backoff(Backoff::default().base(Duration::ZERO))
}

/// Attempts limited to `millis`.
fn within(millis: u64) -> Policy {
    quick().timeouts(Timeouts {
        attempt: Some(Duration::from_millis(millis)),
        ..Timeouts::default()
    })
}

fn fetcher() -> Fetcher {
    Fetcher::builder().policy(quick()).build().unwrap()
}

#[test]
fn every_url_has_one_outcome_whatever_it_is() {
    let site = Site::start().unwrap();
    let paths = ["/get", "/status/404", "/reset", "/empty-reply", "/garbage"];
    let urls = paths.map(|path| site.url(path)).into_iter();
    let urls = urls.chain(["nonsense".into(), "http://127.0.0.1:1/".into()]);
    let mut outcomes: Vec<_> = block_on(fetcher().fetch_all(urls).collect());
    outcomes.sort_by_key(|outcome| outcome.tag);
    let shown: Vec<_> = outcomes
        .iter()
        .map(|o| match &o.result {
            Ok(response) => response.status.as_str().to_owned(),
            Err(error) => error.kind().as_str().to_owned(),
        })
        .collect();
    let failures = ["io", "empty_reply", "protocol", "invalid_url", "connect"];
    assert_eq!(shown, [&["200", "404"][..], &failures].concat());
    assert_eq!(outcomes[2].retries, 2);
}

#[test]
fn two_thousand_urls_with_faults_have_two_thousand_outcomes() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::builder()
        .rules(Rules::only(within(1000)))
        .build()
        .unwrap();
    let urls = (0..2000).map(|n| site.url(&format!("/fault?percent=5&seed=1&n={n}")));
    let mut seen = vec![0; 2000];
    block_on(fetcher.fetch_all(urls).for_each(|outcome| {
        assert!(outcome.is_success(), "{outcome}");
        seen[usize::try_from(outcome.tag).unwrap()] += 1;
    }));
    assert!(seen.iter().all(|count| *count == 1));
    assert!(site.observed().max_in_flight <= 100);
}

#[test]
fn flaky_urls_are_retried_until_they_answer() {
    let site = Site::start().unwrap();
    let outcome = block_on(fetcher().fetch(site.url("/flaky/2?key=a")));
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!((outcome.retries, outcome.attempts.len()), (2, 3));
}

#[test]
fn nothing_is_tried_again_behind_the_cores_back() {
    let site = Site::builder().record(true).start().unwrap();
    for path in ["/reset", "/empty-reply", "/status/503", "/truncate"] {
        let request = Request::get(site.url(path)).unwrap();
        let outcome = block_on(fetcher().fetch(request.policy(quick().attempts(1))));
        assert_eq!((outcome.attempts.len(), site.hits(path)), (1, 1), "{path}");
    }
}

#[test]
fn a_server_that_stalls_times_out_and_its_connection_is_closed() {
    let site = Site::start().unwrap();
    for path in ["/stall", "/stall-body"] {
        let request = Request::get(site.url(path)).unwrap();
        let outcome = block_on(fetcher().fetch(request.policy(within(200).attempts(1))));
        let end = outcome.attempts[0].end;
        assert_eq!(end, AttemptEnd::TimedOut(Limit::Attempt), "{path}");
        site.wait_for(LONG, |seen| seen.open == 0).unwrap();
    }
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
fn redirects_are_followed_by_the_core_without_credentials_elsewhere() {
    let elsewhere = Site::builder().record(true).start().unwrap();
    let site = Site::builder().record(true).start().unwrap();
    let path = format!("/redirect-to?url={}&status=302", elsewhere.url("/anything"));
    let url = site
        .url(&path)
        .replacen("http://", "http://user:secret@", 1);
    let request = Request::get(url).unwrap().header("cookie", "a=b").unwrap();
    let outcome = block_on(fetcher().fetch(request));
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!((outcome.redirects, outcome.attempts.len()), (1, 2));
    let first = site.last_request(&path).unwrap();
    assert!(first.header("authorization").is_some() && first.header("cookie").is_some());
    let second = elsewhere.last_request("/anything").unwrap();
    let left = (second.header("authorization"), second.header("cookie"));
    assert_eq!(left, (None, None));
}

#[test]
fn a_compressed_body_is_decoded_once() {
    let site = Site::start().unwrap();
    for coding in ["/gzip", "/deflate", "/brotli", "/zstd"] {
        let outcome = block_on(fetcher().fetch(site.url(coding)));
        let response = outcome.response().unwrap_or_else(|| panic!("{outcome}"));
        assert!(response.body.starts_with(b"{"), "{coding}");
        assert!(
            !response.headers.contains_key("content-encoding"),
            "{coding}"
        );
        assert!(
            outcome.wire_bytes > 0 && outcome.wire_bytes != response.bytes,
            "{coding}"
        );
    }
    let plain = Fetcher::builder().decode(false).build().unwrap();
    let response = block_on(plain.get(site.url("/gzip"))).unwrap();
    assert_eq!(response.body[..2], [0x1f, 0x8b]);
    assert_eq!(response.headers["content-encoding"], "gzip");
}

#[test]
fn a_compression_bomb_costs_no_more_than_the_limit() {
    let site = Site::start().unwrap();
    let request = Request::get(site.url("/gzip-bomb/50")).unwrap();
    let outcome = block_on(fetcher().fetch(request.policy(quick().max_body(1 << 20))));
    assert_eq!(outcome.error().unwrap().kind().as_str(), "too_large");
    assert_eq!(outcome.attempts.len(), 1);
}

#[test]
fn a_body_cut_short_is_a_failure() {
    let site = Site::start().unwrap();
    for path in ["/truncate", "/reset-body"] {
        let outcome = block_on(fetcher().fetch(site.url(path)));
        let error = outcome
            .error()
            .unwrap_or_else(|| panic!("{path}: {outcome}"));
        assert_eq!(error.kind().as_str(), "io", "{error}");
        assert_eq!(error.step(), Some("reading the body"));
    }
}

#[test]
fn a_streamed_body_comes_piece_by_piece_and_stops_when_dropped() {
    let site = Site::start().unwrap();
    block_on(async {
        let mut response = fetcher().open(site.url("/endless")).await.unwrap();
        for _ in 0..10 {
            assert!(!response.body.next().await.unwrap().unwrap().is_empty());
        }
        drop(response);
    });
    site.wait_for(LONG, |seen| seen.open == 0).unwrap();
}

#[test]
fn dropping_the_stream_of_outcomes_closes_the_connections() {
    let site = Site::start().unwrap();
    let fetcher = fetcher();
    let urls = (0..20).map(|_| site.url("/stall"));
    let mut stream = fetcher.fetch_all(urls);
    assert!(block_on(futures_lite::future::poll_once(stream.next())).is_none());
    site.wait_for(LONG, |seen| seen.in_flight == 20).unwrap();
    drop(stream);
    site.wait_for(LONG, |seen| seen.open == 0).unwrap();
}

#[test]
fn connections_are_used_again() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::builder().concurrency(4).build().unwrap();
    let urls = (0..100).map(|n| site.url(["/get", "/bytes/70000"][n % 2]));
    let ok = fetcher.fetch_all(urls).filter(|o| o.is_success());
    assert_eq!(block_on(ok.count()), 100);
    assert!(site.observed().connections <= 4, "{:?}", site.observed());
}

#[test]
fn idle_connections_are_closed_in_time() {
    let site = Site::start().unwrap();
    let idle = Duration::from_millis(50);
    let fetcher = Fetcher::builder().idle_timeout(idle).build().unwrap();
    assert!(block_on(fetcher.fetch(site.url("/get"))).is_success());
    site.wait_for(LONG, |seen| seen.open == 0).unwrap();
}

#[test]
fn stale_connections_cost_no_try() {
    let site = Site::builder().keep_alive_requests(3).start().unwrap();
    let fetcher = Fetcher::builder()
        .concurrency(4)
        .policy(quick().attempts(1))
        .build()
        .unwrap();
    let urls = (0..200).map(|_| site.url("/get"));
    let failed = fetcher.fetch_all(urls).filter(|o| !o.is_success());
    let failed: Vec<_> = block_on(failed.map(|o| o.to_string()).collect());
    assert!(failed.is_empty(), "{failed:?}");
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
    let proxy = fetch_driver::Proxy::parse("http://127.0.0.1:1").unwrap();
    let refused = [
        Fetcher::builder().resolve("a.test", 80, [local, local]),
        Fetcher::builder().settings(|s| s.http2 = fetch_driver::Http2::PriorKnowledge),
        Fetcher::builder().settings(|s| s.proxy = fetch_driver::ProxyRules::new().all(proxy)),
    ];
    for builder in refused {
        assert!(builder.build().is_err());
    }
}

#[test]
fn the_short_form_needs_no_fetcher() {
    let site = Site::start().unwrap();
    let ok = fetch_all([site.url("/get")]).filter(|o| o.is_success());
    assert_eq!(block_on(ok.count()), 1);
}

#[cfg(feature = "tls")]
#[test]
fn certificates_are_checked() {
    use fetch_testbed::Certificate;
    let site = Site::builder().tls(Certificate::Good).start().unwrap();
    let url = site.url("/get");
    let outcome = block_on(fetcher().fetch(&url));
    assert_eq!(outcome.error().unwrap().kind().as_str(), "tls", "{outcome}");
    let trusting = Fetcher::builder().ca_certificate(site.ca_pem().unwrap());
    let outcome = block_on(trusting.build().unwrap().fetch(&url));
    assert!(outcome.is_success(), "{outcome}");
    let careless = Fetcher::builder().danger_accept_invalid_certs(true);
    let outcome = block_on(careless.build().unwrap().fetch(&url));
    assert!(outcome.is_success(), "{outcome}");
}
