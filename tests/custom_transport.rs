//! The transport of the example `custom_transport` (reqwest) over real sockets: the driver's
//! guarantees hold for it.

use std::time::{Duration, Instant};

use fetch_all::driver::{Adapter, Fetcher};
use fetch_all::{AttemptEnd, Backoff, FailureKind, Policy, PolicyRules, RedirectPolicy, Request};
use fetch_testbed::{Observed, Site};
use futures::{StreamExt, future};

#[expect(dead_code, reason = "the test does not call its main function")]
#[path = "../examples/custom_transport.rs"]
mod example;

/// Runs a test with a site, in a runtime.
fn run_with_site<F: Future<Output = ()>>(test: impl FnOnce(Site) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test(Site::start().unwrap()));
}

/// A fetcher on the example's transport that retries without a delay.
fn build_fetcher(concurrency: usize) -> Fetcher<impl Adapter> {
    let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
    let builder = example::builder().unwrap().concurrency(concurrency);
    builder
        .rules(PolicyRules::from_policy(policy))
        .build()
        .unwrap()
}

/// Waits until the site has observed what `condition` accepts.
async fn wait_until(site: &Site, condition: impl Fn(&Observed) -> bool) {
    let began = Instant::now();
    while !condition(&site.observed()) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{:?}",
            site.observed()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn only_the_core_retries_failures() {
    run_with_site(|site| async move {
        let outcome = build_fetcher(1).fetch(site.url("/flaky/2?key=a")).await;
        assert!(outcome.is_success(), "{outcome}");
        assert_eq!((outcome.attempts.len(), site.observed().requests), (3, 3));
        let outcome = build_fetcher(1).fetch(site.url("/reset")).await;
        assert!(!outcome.is_success(), "{outcome}");
        assert_eq!((outcome.attempts.len(), site.observed().requests), (3, 6));
    });
}

#[test]
fn only_the_core_follows_redirects() {
    run_with_site(|site| async move {
        let policy = Policy::default().redirects(RedirectPolicy::limit(1));
        let request = Request::get(site.url("/redirect/2"))
            .unwrap()
            .policy(policy);
        assert!(!build_fetcher(1).fetch(request).await.is_success());
        assert_eq!(site.observed().requests, 2);
    });
}

#[test]
fn a_body_in_chunks_is_complete() {
    run_with_site(|site| async move {
        let response = build_fetcher(1)
            .get(site.url("/bytes/3000000"))
            .await
            .unwrap();
        assert_eq!(response.body.len(), 3_000_000);
    });
}

#[test]
fn cancelling_closes_the_connection() {
    run_with_site(|site| async move {
        let fetcher = build_fetcher(5);
        let stalled = fetcher.fetch(site.url("/stall"));
        tokio::select! {
            outcome = stalled => panic!("the server stalls, but the fetch ended: {outcome}"),
            () = wait_until(&site, |seen| seen.in_flight == 1) => {}
        }
        wait_until(&site, |seen| seen.in_flight == 0 && seen.open == 0).await;
    });
}

#[test]
fn the_concurrency_limit_holds() {
    run_with_site(|site| async move {
        let urls: Vec<_> = (0..24).map(|_| site.url("/delay/0.02")).collect();
        let outcomes = build_fetcher(4).fetch_all(urls);
        assert_eq!(
            outcomes
                .filter(|outcome| future::ready(outcome.is_success()))
                .count()
                .await,
            24
        );
        assert!(site.observed().max_in_flight <= 4);
    });
}

#[test]
fn failures_keep_their_kind() {
    run_with_site(|site| async move {
        drop(site);
        let outcome = build_fetcher(1).fetch("http://127.0.0.1:1/").await;
        let ends: Vec<_> = outcome.attempts.iter().map(|attempt| attempt.end).collect();
        assert_eq!(ends, [AttemptEnd::Failed(FailureKind::Connect); 3]);
    });
}
