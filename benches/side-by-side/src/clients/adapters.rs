//! fetch-all on the other runtimes and clients, with defaults except for the concurrency.
//!
//! Each is used as in its shortest example: tokio on a current-thread runtime, the others with
//! their driver on the global executor.

use std::pin::Pin;

use anyhow::Result;
use fetch_all::FailureKind;
use fetch_all::driver::{
    Builder, IncomingResponse, OutgoingRequest, TransportError, TransportOverride, transport_fn,
};
use fetch_all::tokio::Tokio;
use futures::{Stream, stream};

use super::ours::{apply_case, fetch_case};
use crate::cases::case::BenchmarkCase;
use crate::environment::ports::SitePorts;

pub(super) fn async_std(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    let fetcher = apply_case(fetch_all::async_std::Fetcher::builder(), case).build()?;
    async_std::task::block_on(fetch_case(case, ports, &fetcher))
}

pub(super) fn isahc(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    let fetcher = apply_case(fetch_all::isahc::Fetcher::builder(), case).build()?;
    smol::block_on(fetch_case(case, ports, &fetcher))
}

pub(super) fn surf(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    let fetcher = apply_case(fetch_all::surf::Fetcher::builder(), case).build()?;
    async_std::task::block_on(fetch_case(case, ports, &fetcher))
}

pub(super) fn tokio(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    build_runtime()?.block_on(async {
        let fetcher = apply_case(fetch_all::tokio::Fetcher::builder(), case).build()?;
        fetch_case(case, ports, &fetcher).await
    })
}

/// reqwest below our driver, to measure what the driver adds.
pub(super) fn over_reqwest(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    build_runtime()?.block_on(async {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()?;
        let transport = transport_fn(move |request, _| send(client.clone(), request));
        let builder = Builder::new(TransportOverride::new(Tokio::default(), transport));
        let fetcher = builder.concurrency(case.concurrency).build()?;
        fetch_case(case, ports, &fetcher).await
    })
}

type ReqwestBody = Pin<Box<dyn Stream<Item = Result<bytes::Bytes, TransportError>> + Send>>;

/// Sends a request. No request of a case has a body.
async fn send(
    client: reqwest::Client,
    request: OutgoingRequest,
) -> Result<IncomingResponse<ReqwestBody>, TransportError> {
    let failed = |error| TransportError::new(FailureKind::Io, error);
    let target = client.request(request.method, request.url.as_str());
    let response = target
        .headers(request.headers.as_ref().clone())
        .send()
        .await;
    let response = response.map_err(failed)?;
    Ok(IncomingResponse::new(
        response.status(),
        response.version(),
        response.headers().clone(),
        Box::pin(stream::try_unfold(
            response,
            move |mut response| async move {
                let chunk = response.chunk().await.map_err(failed)?;
                Ok(chunk.map(|chunk| (chunk, response)))
            },
        )),
    ))
}

fn build_runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}
