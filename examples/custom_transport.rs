//! Another HTTP client as the transport. Limits, retries and redirects are the same as with any adapter.
//!
//! The client is reqwest, on tokio. Its own redirects and retries are off, because the core decides
//! them. To cancel an attempt, the driver drops the future or the body, which drops reqwest's.
//! `examples/test_double.rs` replaces the network in a test.
//!
//! `cargo run --example custom_transport --features tokio`

use std::pin::Pin;

use bytes::Bytes;
use fetch_all::FailureKind;
use fetch_all::driver::{Adapter, Builder, IncomingResponse, OutgoingRequest, TransportError};
use fetch_all::driver::{TransportOverride, transport_fn};
use fetch_all::tokio::Tokio;
use fetch_testbed::Site;
use futures::{Stream, StreamExt, stream};

type BoxedBody = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

async fn send(
    client: reqwest::Client,
    outgoing: OutgoingRequest,
) -> Result<IncomingResponse<BoxedBody>, TransportError> {
    let request = client.request(outgoing.method, outgoing.url.as_str());
    let request = request.headers(outgoing.headers.as_ref().clone());
    let request = request.body(outgoing.body.into_bytes()?);
    let response = request.send().await.map_err(to_transport_error)?;
    Ok(IncomingResponse::new(
        response.status(),
        response.version(),
        response.headers().clone(),
        Box::pin(stream::try_unfold(response, async |mut response| {
            let chunk = response.chunk().await.map_err(to_transport_error)?;
            Ok(chunk.map(|chunk| (chunk, response)))
        })),
    ))
}

/// Classifies an error for the core. Its text is for the user.
fn to_transport_error(error: reqwest::Error) -> TransportError {
    let kind = match () {
        () if error.is_dns() => FailureKind::Resolve,
        () if error.is_connect() => FailureKind::Connect,
        () => FailureKind::Io,
    };
    TransportError::new(kind, error)
}

pub(crate) fn builder() -> Result<Builder<impl Adapter>, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none());
    let client = client.retry(reqwest::retry::never()).build()?;
    let transport = transport_fn(move |outgoing, _progress| send(client.clone(), outgoing));
    Ok(Builder::new(TransportOverride::new(
        Tokio::default(),
        transport,
    )))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start()?;
    let paths = [
        "/get",
        "/status/404",
        "/flaky/1?key=example",
        "/redirect/2",
        "/reset",
    ];
    let fetcher = builder()?.concurrency(10).build()?;
    let mut outcomes = fetcher.fetch_all(paths.map(|path| site.url(path)));
    while let Some(outcome) = outcomes.next().await {
        println!("{outcome}");
    }
    Ok(())
}
