//! The smol adapter against the real test site, over real sockets.

use std::time::{Duration, Instant};

use fetch_smol::{
    AttemptEnd, Backoff, BodyRetention, ErrorKind, Fetcher, Method, Policy, RedirectPolicy,
    Request, StreamExt, TimeLimit, Timeouts, fetch_all,
};
use fetch_testbed::Site;
use smol::block_on;

/// A policy that retries without a pause.
fn quick() -> Policy {
    Policy::default().backoff(Backoff::default().base(Duration::ZERO))
}

fn fetcher() -> Fetcher {
    Fetcher::builder().policy(quick()).build().unwrap()
}

#[test]
fn every_url_has_one_outcome() {
    let site = Site::start().unwrap();
    let urls = ["/get", "/status/404", "/reset", "/bytes/10"].map(|path| site.url(path));
    let urls = urls
        .into_iter()
        .chain(["nonsense".into(), "ftp://a.test/".into()]);
    let mut outcomes: Vec<_> = block_on(fetcher().fetch_all(urls).collect());
    outcomes.sort_by_key(|outcome| outcome.tag);
    let shown: Vec<_> = outcomes
        .iter()
        .map(|o| match &o.result {
            Ok(response) => response.status.to_string(),
            Err(error) => error.kind().as_str().to_owned(),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "200 OK",
            "404 Not Found",
            "io",
            "200 OK",
            "invalid_url",
            "invalid_url"
        ]
    );
    assert_eq!(outcomes[3].response().unwrap().body.len(), 10);
    assert_eq!(outcomes[2].retries, 2);
}

#[test]
fn both_block_on_functions_reuse_the_same_connections() {
    let site = Site::start().unwrap();
    let executor = std::sync::Arc::new(smol::Executor::new());
    let adapter = fetch_smol::Smol::on(&executor);
    let fetcher = fetch_smol::Builder::new(adapter.clone()).build().unwrap();
    let url = site.url("/get");
    for _ in 0..3 {
        let here = adapter.block_on(executor.run(fetcher.fetch(&url)));
        let there = block_on(executor.run(fetcher.fetch(&url)));
        assert!(here.is_success() && there.is_success());
        assert_eq!((here.retries, there.retries), (0, 0));
    }
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn threads_share_the_concurrency_over_any_hosts() {
    for hosts in [1, 9] {
        let site = Site::builder().addresses(hosts).start().unwrap();
        let fetcher = Fetcher::builder().concurrency(6).threads(3);
        let fetcher = fetcher.build().unwrap();
        let urls = (0..300).map(|n| site.url_at(n % usize::from(hosts), "/delay/0.01"));
        let outcomes: Vec<_> = block_on(fetcher.fetch_all(urls).collect());
        assert!(outcomes.iter().all(fetch_smol::Outcome::is_success));
        let seen = site.observed();
        assert_eq!((outcomes.len(), seen.requests), (300, 300));
        assert!(seen.max_in_flight <= 6, "{seen:?}");
        // With one host, its thread has the whole limit.
        assert!(hosts > 1 || seen.max_in_flight == 6, "{seen:?}");
        while fetcher.stats().responded < 300 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_rate_over_all_hosts_holds_over_all_threads() {
    let site = Site::builder().addresses(8).start().unwrap();
    let rate = fetch_smol::Rate::per_second(50.try_into().unwrap()).strict();
    let fetcher = Fetcher::builder().rate(rate).threads(4).build().unwrap();
    let urls = (0..16).map(|n| site.url_at(n % 8, "/get"));
    let started = Instant::now();
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(urls).collect());
    assert_eq!(outcomes.len(), 16);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn threads_and_their_connections_end_with_their_fetcher() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::builder().threads(2).build().unwrap();
    let mut outcomes = fetcher.fetch_all([site.url("/stall"), site.url("/get")]);
    let first = block_on(outcomes.next()).unwrap();
    assert!(first.is_success());
    drop((outcomes, fetcher));
    site.wait_for(Duration::from_secs(20), |seen| seen.open == 0)
        .unwrap();
}

#[test]
fn several_threads_on_the_callers_executor_are_rejected() {
    let executor = std::sync::Arc::new(smol::Executor::new());
    let builder = fetch_smol::Builder::new(fetch_smol::Smol::on(&executor));
    let error = builder.threads(2).build().unwrap_err();
    assert!(error.to_string().contains("threads"), "{error}");
}

#[test]
fn ten_thousand_urls_with_faults_have_ten_thousand_outcomes() {
    let site = Site::start().unwrap();
    let timeouts = Timeouts::default().attempt(Duration::from_millis(500));
    let fetcher = Fetcher::builder()
        .rules(fetch_smol::PolicyRules::from_policy(
            quick().timeouts(timeouts),
        ))
        .build()
        .unwrap();
    let urls = (0..10_000).map(|n| site.url(&format!("/fault?percent=5&seed=1&n={n}")));
    let mut seen = vec![0; 10_000];
    block_on(fetcher.fetch_all(urls).for_each(|outcome| {
        assert!(outcome.is_success(), "{outcome}");
        seen[usize::try_from(outcome.tag).unwrap()] += 1;
    }));
    assert!(seen.iter().all(|count| *count == 1));
    assert!(site.observed().max_in_flight <= 100);
}

#[test]
fn the_server_observes_the_limits() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::builder()
        .concurrency(50)
        .per_host(3)
        .build()
        .unwrap();
    let urls = (0..60).map(|_| site.url("/delay/0.02"));
    assert_eq!(
        block_on(fetcher.fetch_all(urls).filter(|o| o.is_success()).count()),
        60
    );
    let observed = site.observed();
    assert!(observed.max_in_flight <= 3, "{observed:?}");
    assert!(observed.connections <= 3, "{observed:?}");
}

#[test]
fn flaky_urls_are_retried_until_they_answer() {
    let site = Site::start().unwrap();
    let outcome = block_on(fetcher().fetch(site.url("/flaky/2?key=a")));
    assert!(outcome.is_success());
    assert_eq!((outcome.retries, outcome.attempts.len()), (2, 3));
}

#[test]
fn a_post_is_sent_with_its_body_and_redirected_as_a_get() {
    let site = Site::builder().record(true).start().unwrap();
    let url = site.url("/redirect-to?url=/anything&status=303");
    let request = Request::new(Method::Post, url).unwrap().body("a=b");
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .unwrap();
    let response = block_on(fetcher().get(request)).unwrap();
    assert_eq!(
        (response.status.as_u16(), response.url.path()),
        (200, "/anything")
    );
    let seen = site.last_request("/anything").unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.header("content-type")),
        ("GET", None)
    );
}

#[test]
fn fields_about_a_body_are_sent_without_a_body() {
    let site = Site::builder().record(true).start().unwrap();
    let request = Request::get(site.url("/anything")).unwrap();
    let request = request.header("content-type", "text/x").unwrap();
    assert!(block_on(fetcher().fetch(request)).is_success());
    let seen = site.last_request("/anything").unwrap();
    assert_eq!(seen.header("content-type"), Some("text/x"));
}

#[test]
fn credentials_are_not_sent_to_another_origin() {
    let elsewhere = Site::builder().record(true).start().unwrap();
    let site = Site::builder().record(true).start().unwrap();
    let path = format!("/redirect-to?url={}&status=302", elsewhere.url("/anything"));
    let url = site
        .url(&path)
        .replacen("http://", "http://user:secret@", 1);
    let request = Request::get(url).unwrap().header("cookie", "a=b").unwrap();
    assert!(block_on(fetcher().fetch(request)).is_success());
    let first = site.last_request(&path).unwrap();
    assert!(first.header("authorization").is_some() && first.header("cookie").is_some());
    let second = elsewhere.last_request("/anything").unwrap();
    assert_eq!(
        (second.header("authorization"), second.header("cookie")),
        (None, None)
    );
}

#[test]
fn a_compressed_body_is_decoded_and_its_wire_size_reported() {
    let site = Site::start().unwrap();
    for coding in ["/gzip", "/brotli", "/zstd", "/deflate"] {
        let outcome = block_on(fetcher().fetch(site.url(coding)));
        let response = outcome.response().unwrap();
        assert!(response.body.starts_with(b"{"), "{coding}");
        assert!(
            outcome.wire_bytes > 0 && outcome.wire_bytes != response.bytes,
            "{coding}"
        );
    }
}

#[test]
fn a_compression_bomb_costs_no_more_than_the_limit() {
    let site = Site::start().unwrap();
    let request = Request::get(site.url("/gzip-bomb/50")).unwrap();
    let outcome = block_on(fetcher().fetch(request.policy(quick().max_body(1 << 20))));
    let error = outcome.error().unwrap();
    assert_eq!(error.kind().as_str(), "too_large");
    assert_eq!(
        outcome.attempts.len(),
        1,
        "a body that is too large is not tried again"
    );
}

#[test]
fn a_streamed_body_arrives_in_chunks_and_stops_when_dropped() {
    let site = Site::start().unwrap();
    block_on(async {
        let mut response = fetcher().open(site.url("/endless")).await.unwrap();
        for _ in 0..10 {
            assert!(!response.body.next().await.unwrap().unwrap().is_empty());
        }
        drop(response);
    });
    site.wait_for(Duration::from_secs(10), |seen| seen.open == 0)
        .unwrap();
}

#[test]
fn a_streamed_body_that_is_cut_off_ends_with_an_error() {
    let site = Site::start().unwrap();
    block_on(async {
        let response = fetcher().open(site.url("/truncate")).await.unwrap();
        let chunks: Vec<_> = response.body.collect().await;
        let error = chunks.last().unwrap().as_ref().unwrap_err();
        assert_eq!(error.kind().as_str(), "io");
        assert!(error.to_string().contains("reading the body"), "{error}");
    });
}

#[test]
fn dropping_a_fetch_or_a_stream_closes_its_connections() {
    let site = Site::start().unwrap();
    let fetcher = fetcher();
    block_on(async {
        let never = fetcher.fetch(site.url("/stall"));
        let waited = async {
            while site.observed().in_flight == 0 {
                smol::Timer::after(Duration::from_millis(5)).await;
            }
        };
        smol::future::or(async { drop(never.await) }, waited).await;
        let mut stream = fetcher.fetch_all((0..20).map(|_| site.url("/stall")));
        let first = smol::future::or(async { stream.next().await.map(|_| ()) }, async {
            while site.observed().in_flight < 20 {
                smol::Timer::after(Duration::from_millis(5)).await;
            }
            None
        });
        assert_eq!(first.await, None);
        drop(stream);
    });
    site.wait_for(Duration::from_secs(10), |seen| {
        seen.in_flight == 0 && seen.open == 0
    })
    .unwrap();
}

#[test]
fn a_slow_consumer_slows_the_transfer_down() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::builder()
        .concurrency(5)
        .undelivered(5)
        .build()
        .unwrap();
    block_on(async {
        let mut stream = fetcher.fetch_all((0..200).map(|_| site.url("/get")));
        assert!(stream.next().await.is_some());
        smol::Timer::after(Duration::from_millis(300)).await;
        // One outcome was taken, ten more fetches are in flight or undelivered, and one may have
        // replaced the one taken.
        assert!(
            site.observed().requests <= 12,
            "{:?}",
            site.observed().requests
        );
        assert_eq!(stream.count().await, 199);
    });
}

#[test]
fn the_attempt_timeout_starts_at_the_dispatch_and_not_in_the_queue() {
    let site = Site::start().unwrap();
    let timeouts = Timeouts::default().attempt(Duration::from_millis(400));
    let policy = quick().attempts(1).timeouts(timeouts);
    let rules = fetch_smol::PolicyRules::from_policy(policy);
    let fetcher = Fetcher::builder()
        .concurrency(1)
        .rules(rules)
        .build()
        .unwrap();
    let began = Instant::now();
    let urls = (0..4).map(|_| site.url("/stall"));
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(urls).collect());
    assert!(began.elapsed() >= Duration::from_millis(1600));
    for outcome in outcomes {
        assert_eq!(
            outcome.attempts[0].end,
            AttemptEnd::TimedOut(TimeLimit::Attempt)
        );
        let took = outcome.attempts[0].timings.total();
        assert!(took >= Duration::from_millis(400), "{took:?}");
    }
}

#[test]
fn redirects_can_be_returned_to_the_caller() {
    let site = Site::start().unwrap();
    let policy = quick().redirects(RedirectPolicy::NONE);
    let request = Request::get(site.url("/redirect/2"))
        .unwrap()
        .policy(policy);
    assert_eq!(block_on(fetcher().get(request)).unwrap().status, 302);
}

#[test]
fn a_body_that_is_not_retained_is_counted() {
    let site = Site::start().unwrap();
    let request = Request::get(site.url("/bytes/100000"))
        .unwrap()
        .body_retention(BodyRetention::Discard);
    let response = block_on(fetcher().get(request)).unwrap();
    assert_eq!((response.body.len(), response.bytes), (0, 100_000));
}

#[test]
fn retries_after_stale_connections_use_up_no_attempt() {
    let site = Site::builder().keep_alive_requests(3).start().unwrap();
    let fetcher = Fetcher::builder()
        .concurrency(4)
        .policy(quick().attempts(1))
        .build()
        .unwrap();
    let urls = (0..200).map(|_| site.url("/get"));
    let failed: Vec<_> = block_on(
        fetcher
            .fetch_all(urls)
            .filter(|o| !o.is_success())
            .map(|o| o.to_string())
            .collect(),
    );
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn errors_name_the_failure_the_url_and_the_number_of_attempts() {
    // Nothing listens at the other address; the listener keeps the port from being given to another test.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = format!("127.0.0.2:{port}");
    let outcome = block_on(fetcher().fetch(format!("http://{address}/x?token=abc")));
    let error = outcome.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Fetch(fetch_error_connect()));
    assert_eq!((outcome.attempts.len(), outcome.retries), (3, 2));
    let text = error.to_string();
    for part in [
        &*address,
        "could not connect",
        "3 attempts",
        "check that the server",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(!error.redacted().contains("abc"));
}

fn fetch_error_connect() -> fetch_smol::FetchError {
    fetch_smol::FetchError::Failed(fetch_smol::FailureKind::Connect)
}

#[test]
fn fetches_end_when_the_executor_is_dropped() {
    let site = Site::start().unwrap();
    let executor = std::sync::Arc::new(smol::Executor::new());
    let fetcher = fetch_smol::Builder::new(fetch_smol::Smol::on(&executor))
        .build()
        .unwrap();
    let mut stream = fetcher.fetch_all([site.url("/stall")]);
    block_on(executor.run(async {
        smol::future::or(async { drop(stream.next().await) }, async {
            while site.observed().in_flight == 0 {
                smol::Timer::after(Duration::from_millis(5)).await;
            }
        })
        .await;
    }));
    drop(executor);
    let outcome = block_on(stream.next()).unwrap();
    assert_eq!(outcome.error().unwrap().kind(), ErrorKind::Stopped);
    assert!(block_on(stream.next()).is_none());
}

#[test]
fn fetch_all_needs_no_fetcher() {
    let site = Site::start().unwrap();
    assert_eq!(
        block_on(
            fetch_all([site.url("/get")])
                .filter(|o| o.is_success())
                .count()
        ),
        1
    );
}

#[test]
fn the_state_of_a_host_can_be_read_during_a_batch() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::builder().concurrency(1).build().unwrap();
    let mut batch = fetcher.fetch_all([site.url("/stall"), site.url("/stall?2")]);
    block_on(async {
        assert!(smol::future::poll_once(batch.next()).await.is_none());
        site.wait_for(Duration::from_secs(60), |seen| seen.in_flight == 1)
            .unwrap();
        let here = fetcher.host_stats(site.url("").trim_end_matches('/')).await;
        let here = here.map(|here| (here.live, here.in_flight));
        assert_eq!(here, Some((2, 1)));
        assert_eq!(fetcher.host_stats("http://other.test").await, None);
    });
}
