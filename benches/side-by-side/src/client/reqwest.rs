//! reqwest as its users write it: a stream of requests, so many of them at once. Without timeouts
//! and retries, which have to be added; it decodes the same codings.

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};

use super::{verify, verify_count};
use crate::case::Case;

pub(super) fn run(case: &Case, base: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(fetch(case, base))
}

async fn fetch(case: &Case, base: &str) -> Result<()> {
    let client = reqwest::Client::builder().build()?;
    let urls = case.urls(base);
    let get = |url: String| {
        let client = &client;
        async move {
            let response = client.get(&url).send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        }
    };
    let mut answers = stream::iter(urls)
        .map(get)
        .buffer_unordered(case.concurrency);
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        let (status, body) = answer.context("reqwest failed")?;
        verify(case, status, body.len())?;
        count += 1;
    }
    verify_count(case, count)
}
