//! fetch-all on the other runtimes and over other clients, with the defaults but for the concurrency.
//!
//! Each runs as its users have it by the shortest line: tokio's on a current-thread runtime, the
//! others with their driver on a thread of the executor that all the program has in common.

use std::pin::Pin;

use anyhow::Result;
use fetch_all::FailureKind;
use fetch_all::driver::{
    Builder, IncomingResponse, OutgoingRequest, TransportError, TransportOverride, transport_fn,
};
use fetch_all::tokio::{Stream, Tokio, stream};

use super::ours::{fetch, settings};
use crate::case::Case;
use crate::ports::Ports;

pub(super) fn async_std(case: &Case, base: &Ports) -> Result<()> {
    let fetcher = settings(fetch_all::async_std::Fetcher::builder(), case).build()?;
    async_std::task::block_on(fetch(case, base, &fetcher))
}

pub(super) fn isahc(case: &Case, base: &Ports) -> Result<()> {
    let fetcher = settings(fetch_all::isahc::Fetcher::builder(), case).build()?;
    smol::block_on(fetch(case, base, &fetcher))
}

pub(super) fn surf(case: &Case, base: &Ports) -> Result<()> {
    let fetcher = settings(fetch_all::surf::Fetcher::builder(), case).build()?;
    async_std::task::block_on(fetch(case, base, &fetcher))
}

pub(super) fn tokio(case: &Case, base: &Ports) -> Result<()> {
    runtime()?.block_on(async {
        let fetcher = settings(fetch_all::tokio::Fetcher::builder(), case).build()?;
        fetch(case, base, &fetcher).await
    })
}

/// What our driver adds to another client: the same reqwest as by itself.
pub(super) fn over_reqwest(case: &Case, base: &Ports) -> Result<()> {
    runtime()?.block_on(async {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()?;
        let transport = transport_fn(move |request, _| send(client.clone(), request));
        let builder = Builder::new(TransportOverride::new(Tokio::default(), transport));
        let fetcher = builder.concurrency(case.concurrency).build()?;
        fetch(case, base, &fetcher).await
    })
}

type Body = Pin<Box<dyn Stream<Item = Result<bytes::Bytes, TransportError>> + Send>>;

/// No request of a case has a body.
async fn send(
    client: reqwest::Client,
    request: OutgoingRequest,
) -> Result<IncomingResponse<Body>, TransportError> {
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

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}
