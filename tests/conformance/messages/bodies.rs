//! Response bodies that are large, slow or not read.

use fetch_all::{BodyRetention, ErrorKind};
use fetch_testbed::{Site, byte_at};
use futures::StreamExt;
use smol::Timer;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, check, check_eq, check_ok, collect_outcomes, get_request, get_requests,
    long_timeouts, millis, outcome_label, test_policy, wait_until,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Bodies",
    behaviours: behaviours![
        "a large body streams without being buffered" => large_body_is_not_buffered,
        "a streamed body is complete" => streamed_body_is_complete,
        "a large stored body is complete" => stored_body_is_complete,
        "a slow stored body does not trigger the idle read limit" => slow_stored_body_makes_progress,
        "a discarded body is counted" => discarded_body_is_counted,
        "dropping a body closes its connection" => dropped_body_closes_connection,
        "a streamed body that breaks ends in an error" => broken_body_is_an_error,
        "a streamed body over the limit ends in an error" => oversized_body_is_an_error,
        "a slow body is read to its end" => slow_body_is_read,
        "a slow consumer of outcomes pauses requests" => slow_consumer_pauses_requests,
        "URLs are read only when there is room" => urls_are_read_lazily,
    ],
};

const LARGE: usize = 48 << 20;

async fn large_body_is_not_buffered(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    let mut response = fetcher
        .open(get_request(site.url(&format!("/bytes/{LARGE}")))?)
        .await?;
    let first = response
        .body
        .next()
        .await
        .transpose()?
        .map_or(0, |chunk| chunk.len());
    // A client that buffers would have received everything by now: loopback carries the body in some
    // hundredths of a second.
    Timer::after(millis(1_000)).await;
    check_eq(
        "responses that the server is still sending",
        site.observed().in_flight,
        1_u64,
    )?;
    let mut bytes = first;
    while let Some(chunk) = response.body.next().await {
        bytes += chunk?.len();
    }
    check_eq("bytes", bytes, LARGE)
}

async fn streamed_body_is_complete(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for path in ["/stream-bytes/300000?chunk=777", "/bytes/300000"] {
        let mut response = fetcher.open(get_request(site.url(path))?).await?;
        let mut at = 0;
        while let Some(chunk) = response.body.next().await {
            for byte in chunk? {
                check_eq(&format!("byte {at} of {path}"), byte, byte_at(at))?;
                at += 1;
            }
        }
        check_eq("bytes", at, 300_000_u64)?;
    }
    check_eq("connections", site.observed().connections, 1_u64)
}

async fn stored_body_is_complete(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for size in [131_071, 131_072, 1 << 20, (1 << 20) + 1, 5_000_017] {
        let outcome = fetcher
            .fetch(get_request(site.url(&format!("/bytes/{size}")))?)
            .await;
        check_ok(&outcome)?;
        let response = outcome.response().expect("the fetch succeeded");
        check_eq("bytes", response.body.len(), size)?;
        let wrong = (0..)
            .zip(&response.body)
            .find(|(at, byte)| **byte != byte_at(*at));
        check_eq("the first wrong byte", wrong, None)?;
        check_eq(
            "counted",
            (response.bytes, outcome.wire_bytes),
            (size as u64, size as u64),
        )?;
    }
    check_eq("connections", site.observed().connections, 1_u64)
}

/// If the bytes counted only once the body is complete, the idle read limit would end the fetch.
async fn slow_stored_body_makes_progress(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let limits = long_timeouts().idle_read(millis(2_000));
    let fetcher = context.fetcher_with_policy(test_policy().attempts(1).timeouts(limits))?;
    let outcome = fetcher
        .fetch(get_request(site.url("/drip?bytes=200000&duration=3"))?)
        .await;
    check_ok(&outcome)
}

async fn discarded_body_is_counted(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for _ in 0..2 {
        let request =
            get_request(site.url("/bytes/5000000"))?.body_retention(BodyRetention::Discard);
        let outcome = fetcher.fetch(request).await;
        check_ok(&outcome)?;
        let response = outcome.response().expect("the fetch succeeded");
        check_eq(
            "stored, counted and received",
            (response.body.len(), response.bytes, outcome.wire_bytes),
            (0, 5_000_000, 5_000_000),
        )?;
    }
    check_eq("connections", site.observed().connections, 1_u64)
}

async fn dropped_body_closes_connection(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    let mut response = fetcher.open(get_request(site.url("/endless"))?).await?;
    for _ in 0..10 {
        check(
            "there is more",
            response.body.next().await.transpose()?.is_some(),
            "the end",
        )?;
    }
    drop(response);
    wait_until(&site, "the connection closed", |seen| {
        seen.open == 0 && seen.in_flight == 0
    })
    .await?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)
}

async fn broken_body_is_an_error(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for path in ["/truncate", "/reset-body"] {
        check_eq(
            path,
            final_error_kind(fetcher.open(get_request(site.url(path))?).await?).await?,
            "io",
        )?;
    }
    check_eq("requests", site.observed().requests, 2_u64)
}

async fn oversized_body_is_an_error(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(test_policy().max_body(500_000))?;
    let response = fetcher.open(get_request(site.url("/endless"))?).await?;
    check_eq("end", final_error_kind(response).await?, "too_large")
}

/// The kind of the error that ends the body.
async fn final_error_kind(
    response: fetch_all::StreamedResponse,
) -> Result<&'static str, crate::harness::context::Mismatch> {
    let last = response.body.collect::<Vec<_>>().await.pop();
    let kind = last.and_then(Result::err).map(|error| error.kind());
    Ok(kind.map_or("no error", |kind: ErrorKind| kind.as_str()))
}

async fn slow_body_is_read(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(test_policy().timeouts(long_timeouts()))?;
    for path in [
        "/slow-body?chunks=5&interval=0.05",
        "/drip?bytes=50&duration=0.3",
    ] {
        let outcome = fetcher.fetch(get_request(site.url(path))?).await;
        check_ok(&outcome)?;
        check_eq(
            path,
            outcome.response().map(|response| response.body.len()),
            Some(50),
        )?;
    }
    Ok(())
}

async fn slow_consumer_pauses_requests(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.concurrency(5));
        settings.undelivered = Some(5);
    })?;
    let urls: Vec<_> = (0..100).map(|_| site.url("/get")).collect();
    let mut outcomes = fetcher.fetch_all(get_requests(urls.into_iter()));
    let first = outcomes.next().await;
    check_eq(
        "the first outcome",
        first.as_ref().map(outcome_label),
        Some("200".to_owned()),
    )?;
    Timer::after(millis(500)).await;
    // One outcome was taken, five attempts and five undelivered outcomes are allowed, and one more
    // attempt may have replaced the one taken.
    let requests = site.observed().requests;
    check("no more than twelve were sent", requests <= 12, requests)?;
    check_eq(
        "the other outcomes",
        collect_outcomes(outcomes).await.len(),
        99_usize,
    )
}

async fn urls_are_read_lazily(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.concurrency(2).window(10));
    })?;
    let (taken, counter) = counted_urls(site.url("/get"));
    let mut outcomes = fetcher.fetch_all(get_requests(taken.take(1_000)));
    check(
        "there is an outcome",
        outcomes.next().await.is_some(),
        "none",
    )?;
    let pulled = counter.load(std::sync::atomic::Ordering::Relaxed);
    check("about the window was taken", pulled <= 30, pulled)?;
    check_eq(
        "the other outcomes",
        collect_outcomes(outcomes).await.len(),
        999_usize,
    )
}

/// An endless iterator of the same URL, and a counter of the items taken.
fn counted_urls(
    url: String,
) -> (
    impl Iterator<Item = String>,
    std::sync::Arc<std::sync::atomic::AtomicUsize>,
) {
    let counter = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = counter.clone();
    let urls = std::iter::repeat_with(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        url.clone()
    });
    (urls, counter)
}
