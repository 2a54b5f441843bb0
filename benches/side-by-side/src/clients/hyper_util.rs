//! hyper-util's client, which reqwest is built on. It has no redirects, decoding or cookies.

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::unordered;
use crate::cases::case::BenchmarkCase;
use crate::environment::ports::SitePorts;

pub(super) fn run(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    let client = || Ok(Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>());
    unordered::run(case, ports, client, |client, url| {
        let client = client.clone();
        async move {
            let response = client.get(url.parse()?).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await?.to_bytes();
            Ok((status, body.len()))
        }
    })
}
