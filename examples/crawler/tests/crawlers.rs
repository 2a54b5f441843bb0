//! Both crawlers do the same.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use fetch_example_crawler::api::{Api, BROKEN, ITEMS, THROTTLED};
use fetch_example_crawler::model::Catalogue;
use fetch_example_crawler::{ours, peers};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

const RATE: u32 = 100;

/// A crawl, with the API, the time that it took and the metrics.
type Crawl = (Api, Catalogue, Duration, Snapshotter);

fn crawl(crawler: impl AsyncFnOnce(&str) -> Catalogue) -> Crawl {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let api = Api::start().await.unwrap();
            let started = Instant::now();
            let catalogue = crawler(api.url()).await;
            (api, catalogue, started.elapsed(), snapshotter)
        })
    })
}

fn crawl_with_ours() -> Crawl {
    crawl(async |api| {
        let rate = format!("{RATE}/s").parse().unwrap();
        let crawler = ours::Crawler::new(api, 8, rate).unwrap();
        crawler.crawl().await.unwrap()
    })
}

fn crawl_with_peers() -> Crawl {
    crawl(async |api| {
        let rate = NonZeroU32::new(RATE).unwrap();
        peers::Crawler::new(api, 8, rate).crawl().await.unwrap()
    })
}

#[test]
fn everything_is_fetched_but_the_item_that_is_broken() {
    for (_, mut catalogue, ..) in [crawl_with_ours(), crawl_with_peers()] {
        catalogue.items.sort();
        let found: Vec<_> = catalogue.items.iter().map(|item| item.id).collect();
        let expected: Vec<_> = (0..ITEMS).filter(|id| *id != BROKEN).collect();
        assert_eq!(found, expected);
        let failed: Vec<_> = catalogue.failed.iter().map(|(id, _)| *id).collect();
        assert_eq!(failed, [BROKEN]);
    }
}

#[test]
fn faults_are_retried_and_retry_after_is_obeyed() {
    for (api, ..) in [crawl_with_ours(), crawl_with_peers()] {
        assert_eq!((api.requests(3).len(), api.requests(BROKEN).len()), (2, 4));
        let [first, second] = api.requests(THROTTLED)[..] else {
            panic!("two requests");
        };
        assert!(second - first >= Duration::from_secs(1));
    }
}

#[test]
fn the_rate_is_kept() {
    for (api, _, took, _) in [crawl_with_ours(), crawl_with_peers()] {
        let requests: usize = (0..ITEMS).map(|id| api.requests(id).len()).sum();
        let least = Duration::from_secs(1) * u32::try_from(requests - 1).unwrap() / RATE;
        assert!(took >= least, "{requests} requests in {took:?}");
    }
}

#[test]
fn retries_and_requests_are_counted() {
    for (.., metrics) in [crawl_with_ours(), crawl_with_peers()] {
        let (mut retries, mut requests) = (0, 0);
        for (key, _, _, value) in metrics.snapshot().into_vec() {
            match (key.key().name(), value) {
                ("fetch.retries", DebugValue::Counter(count)) => retries += count,
                ("http.client.request.duration", DebugValue::Histogram(values)) => {
                    requests += values.len();
                }
                _ => {}
            }
        }
        // Items 3, 10, 17 and 24 fail once, one is throttled, and the broken one is tried four times.
        assert_eq!(retries, 4 + 1 + 3);
        assert_eq!(requests as u64, 3 + u64::from(ITEMS) + retries);
    }
}

/// Lines of code: without blank lines, comments and tests.
fn lines(code: &str) -> usize {
    let (code, _) = code.split_once("#[cfg(test)]").unwrap_or((code, ""));
    let lines = code.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

#[test]
fn the_docs_state_the_number_of_lines() {
    let ours = lines(include_str!("../src/ours.rs"));
    let peers = lines(include_str!("../src/peers.rs"));
    let docs = include_str!("../../../docs/library.md");
    for stated in [
        format!("`ours.rs` has {ours} lines"),
        format!("`peers.rs` has {peers} lines"),
    ] {
        assert!(
            docs.contains(&stated),
            "docs/library.md does not say: {stated}"
        );
    }
}

#[test]
fn the_handler_of_axum_answers() {
    let this = std::env::current_exe().unwrap();
    let program = this
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/axum_handler");
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    let built = "`cargo test` without `--test` builds it first";
    assert!(program.exists(), "the example is not there: {built}");
    let output = std::process::Command::new(program).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let [found, broken] = shown.lines().collect::<Vec<_>>()[..] else {
        panic!("two answers: {shown}");
    };
    assert_eq!(found, r#"{"id":4,"price":400}"#);
    assert!(broken.contains("500"), "{broken}");
}
