//! The example's transport, reqwest, over real sockets: the driver's promises hold for it, too.

use std::time::{Duration, Instant};

use fetch_all::driver::{Adapter, Fetcher};
use fetch_all::tokio::StreamExt;
use fetch_all::{AttemptEnd, Backoff, FailureKind, Policy, PolicyRules, RedirectPolicy, Request};
use fetch_testbed::{Observed, Site};

#[expect(dead_code, reason = "its main function is not called")]
#[path = "../examples/custom_transport.rs"]
mod example;

/// Runs a test in a runtime. Retries come at once.
fn with<F: Future<Output = ()>>(test: impl FnOnce(Site) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test(Site::start().unwrap()));
}

fn fetcher(concurrency: usize) -> Fetcher<impl Adapter> {
    let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
    let builder = example::builder().unwrap().concurrency(concurrency);
    builder
        .rules(PolicyRules::from_policy(policy))
        .build()
        .unwrap()
}

/// Waits until the site has seen it, so long as nothing is stuck.
async fn until(site: &Site, seen: impl Fn(&Observed) -> bool) {
    let began = Instant::now();
    while !seen(&site.observed()) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{:?}",
            site.observed()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn failures_are_tried_again_by_the_core_alone() {
    with(|site| async move {
        let outcome = fetcher(1).fetch(site.url("/flaky/2?key=a")).await;
        assert!(outcome.is_success(), "{outcome}");
        assert_eq!((outcome.attempts.len(), site.observed().requests), (3, 3));
        let outcome = fetcher(1).fetch(site.url("/reset")).await;
        assert!(!outcome.is_success(), "{outcome}");
        assert_eq!((outcome.attempts.len(), site.observed().requests), (3, 6));
    });
}

#[test]
fn redirects_are_followed_by_the_core_alone() {
    with(|site| async move {
        let policy = Policy::default().redirects(RedirectPolicy::limit(1));
        let request = Request::get(site.url("/redirect/2"))
            .unwrap()
            .policy(policy);
        assert!(!fetcher(1).fetch(request).await.is_success());
        assert_eq!(site.observed().requests, 2);
    });
}

#[test]
fn a_body_arrives_piece_by_piece_and_whole() {
    with(|site| async move {
        let response = fetcher(1).get(site.url("/bytes/3000000")).await.unwrap();
        assert_eq!(response.body.len(), 3_000_000);
    });
}

#[test]
fn cancelling_closes_the_connection() {
    with(|site| async move {
        let fetcher = fetcher(5);
        let stalled = fetcher.fetch(site.url("/stall"));
        tokio::select! {
            outcome = stalled => panic!("it stalls, but {outcome}"),
            () = until(&site, |seen| seen.in_flight == 1) => {}
        }
        until(&site, |seen| seen.in_flight == 0 && seen.open == 0).await;
    });
}

#[test]
fn no_more_are_in_flight_than_the_limit_allows() {
    with(|site| async move {
        let urls: Vec<_> = (0..24).map(|_| site.url("/delay/0.02")).collect();
        let outcomes = fetcher(4).fetch_all(urls);
        assert_eq!(
            outcomes
                .filter(|outcome| outcome.is_success())
                .count()
                .await,
            24
        );
        assert!(site.observed().max_in_flight <= 4);
    });
}

#[test]
fn errors_keep_their_kind() {
    with(|site| async move {
        drop(site);
        let outcome = fetcher(1).fetch("http://127.0.0.1:1/").await;
        let ends: Vec<_> = outcome.attempts.iter().map(|attempt| attempt.end).collect();
        assert_eq!(ends, [AttemptEnd::Failed(FailureKind::Connect); 3]);
    });
}
