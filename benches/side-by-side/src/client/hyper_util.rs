//! hyper-util's client, on which reqwest stands: no redirects, no decoding, no cookies.

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::{verify, verify_count};
use crate::case::Case;

pub(super) fn run(case: &Case, base: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(fetch(case, base))
}

async fn fetch(case: &Case, base: &str) -> Result<()> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let get = |url: String| {
        let client = &client;
        async move {
            let response = client.get(url.parse()?).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, body))
        }
    };
    let mut answers = stream::iter(case.urls(base))
        .map(get)
        .buffer_unordered(case.concurrency);
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        let (status, body) = answer.context("hyper-util failed")?;
        verify(case, status, body.len())?;
        count += 1;
    }
    verify_count(case, count)
}
