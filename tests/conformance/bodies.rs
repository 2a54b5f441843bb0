//! Bodies that are long, slow or never read.

use fetch_all::{BodyRetention, ErrorKind};
use fetch_testbed::{Site, byte_at};
use smol::Timer;
use smol::stream::StreamExt;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{
    Bench, collect, end, fine, get, gets, holds, millis, patient, policy, same, until,
};

pub(crate) const GROUP: Group = Group {
    name: "Bodies",
    behaviours: behaviours![
        "a large body streams without being buffered" => back_pressure,
        "a streamed body is whole" => whole,
        "a large body that is kept is whole" => kept,
        "what comes of a large body counts at once" => gathered,
        "a body that is not kept is counted" => counted,
        "dropping a body closes its connection" => dropped,
        "a streamed body that breaks ends in an error" => broken,
        "a streamed body over the limit ends in an error" => too_large,
        "a slow body is read to its end" => slow,
        "a slow consumer of outcomes holds back the requests" => slow_outcomes,
        "URLs are taken as there is room" => lazy,
    ],
};

const LARGE: usize = 48 << 20;

async fn back_pressure(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    let mut response = client
        .open(get(site.url(&format!("/bytes/{LARGE}")))?)
        .await?;
    let first = response
        .body
        .next()
        .await
        .transpose()?
        .map_or(0, |chunk| chunk.len());
    // Whoever buffers would have it all by now: loopback carries it in a few hundredths of a second.
    Timer::after(millis(1_000)).await;
    same(
        "requests that the server still answers",
        site.observed().in_flight,
        1_u64,
    )?;
    let mut bytes = first;
    while let Some(chunk) = response.body.next().await {
        bytes += chunk?.len();
    }
    same("bytes", bytes, LARGE)
}

async fn whole(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for path in ["/stream-bytes/300000?chunk=777", "/bytes/300000"] {
        let mut response = client.open(get(site.url(path))?).await?;
        let mut at = 0;
        while let Some(chunk) = response.body.next().await {
            for byte in chunk? {
                same(&format!("byte {at} of {path}"), byte, byte_at(at))?;
                at += 1;
            }
        }
        same("bytes", at, 300_000_u64)?;
    }
    same("connections", site.observed().connections, 1_u64)
}

async fn kept(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for size in [131_071, 131_072, 1 << 20, (1 << 20) + 1, 5_000_017] {
        let outcome = client
            .fetch(get(site.url(&format!("/bytes/{size}")))?)
            .await;
        fine(&outcome)?;
        let response = outcome.response().expect("it is fine");
        same("bytes", response.body.len(), size)?;
        let wrong = (0..)
            .zip(&response.body)
            .find(|(at, byte)| **byte != byte_at(*at));
        same("the first wrong byte", wrong, None)?;
        same(
            "counted",
            (response.bytes, outcome.wire_bytes),
            (size as u64, size as u64),
        )?;
    }
    same("connections", site.observed().connections, 1_u64)
}

/// If it counted only when it is whole, the limit on idle reads would end it.
async fn gathered(bench: &Bench) -> Check {
    let site = Site::start()?;
    let limits = patient().idle_read(millis(2_000));
    let client = bench.with(policy().attempts(1).timeouts(limits))?;
    let outcome = client
        .fetch(get(site.url("/drip?bytes=200000&duration=3"))?)
        .await;
    fine(&outcome)
}

async fn counted(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for _ in 0..2 {
        let request = get(site.url("/bytes/5000000"))?.body_retention(BodyRetention::Discard);
        let outcome = client.fetch(request).await;
        fine(&outcome)?;
        let response = outcome.response().expect("it is fine");
        same(
            "kept, counted, and received",
            (response.body.len(), response.bytes, outcome.wire_bytes),
            (0, 5_000_000, 5_000_000),
        )?;
    }
    same("connections", site.observed().connections, 1_u64)
}

async fn dropped(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    let mut response = client.open(get(site.url("/endless"))?).await?;
    for _ in 0..10 {
        holds(
            "there is more",
            response.body.next().await.transpose()?.is_some(),
            "the end",
        )?;
    }
    drop(response);
    until(&site, "the connection closed", |seen| {
        seen.open == 0 && seen.in_flight == 0
    })
    .await?;
    fine(&client.fetch(get(site.url("/get"))?).await)
}

async fn broken(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for path in ["/truncate", "/reset-body"] {
        same(
            path,
            last_error(client.open(get(site.url(path))?).await?).await?,
            "io",
        )?;
    }
    same("requests", site.observed().requests, 2_u64)
}

async fn too_large(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy().max_body(500_000))?;
    let response = client.open(get(site.url("/endless"))?).await?;
    same("end", last_error(response).await?, "too_large")
}

/// The name of the error that ends the body.
async fn last_error(
    response: fetch_all::StreamedResponse,
) -> Result<&'static str, crate::bench::Difference> {
    let last = response.body.last().await;
    let kind = last.and_then(Result::err).map(|error| error.kind());
    Ok(kind.map_or("no error", |kind: ErrorKind| kind.as_str()))
}

async fn slow(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy().timeouts(patient()))?;
    for path in [
        "/slow-body?chunks=5&interval=0.05",
        "/drip?bytes=50&duration=0.3",
    ] {
        let outcome = client.fetch(get(site.url(path))?).await;
        fine(&outcome)?;
        same(
            path,
            outcome.response().map(|response| response.body.len()),
            Some(50),
        )?;
    }
    Ok(())
}

async fn slow_outcomes(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| {
        settings.update_config(|config| config.concurrency(5));
        settings.undelivered = Some(5);
    })?;
    let urls: Vec<_> = (0..100).map(|_| site.url("/get")).collect();
    let mut outcomes = client.fetch_all(gets(urls.into_iter()));
    let first = outcomes.next().await;
    same("the first", first.as_ref().map(end), Some("200".to_owned()))?;
    Timer::after(millis(500)).await;
    // One was taken, ten fill the places, and one more may have followed the one taken.
    let requests = site.observed().requests;
    holds("no more than twelve were sent", requests <= 12, requests)?;
    same("the others", collect(outcomes).await.len(), 99_usize)
}

async fn lazy(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| {
        settings.update_config(|config| config.concurrency(2).window(10));
    })?;
    let (taken, counter) = counted_urls(site.url("/get"));
    let mut outcomes = client.fetch_all(gets(taken.take(1_000)));
    holds("there is one", outcomes.next().await.is_some(), "none")?;
    let pulled = counter.load(std::sync::atomic::Ordering::Relaxed);
    holds("about the window was taken", pulled <= 30, pulled)?;
    same("the others", collect(outcomes).await.len(), 999_usize)
}

/// The same URL for ever, and how often it was taken.
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
