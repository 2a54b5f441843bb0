//! A client of your own under the same driver: limits, retries and redirects are those of any adapter.
//!
//! Here it is reqwest, on tokio. What reqwest would decide by itself (redirects, retries) is off: the
//! core decides. To cancel, the driver drops the future or the body, and so reqwest's. A double for
//! tests is shorter still: `examples/test_double.rs`.
//!
//! `cargo run --example custom_transport --features tokio`

use std::pin::Pin;

use bytes::Bytes;
use fetch_all::Failure;
use fetch_all::driver::{
    Adapter, Builder, Incoming, Outgoing, RequestBody, TransportError, WithTransport, transport_fn,
};
use fetch_all::tokio::{Stream, StreamExt, Tokio, stream};
use fetch_testbed::Site;

type Body = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

async fn send(
    client: reqwest::Client,
    request: Outgoing,
) -> Result<Incoming<Body>, TransportError> {
    let target = client.request(request.method, request.url.as_str());
    let target = match request.body {
        RequestBody::Bytes(bytes) => target.body(bytes),
        RequestBody::Empty => target,
        // With reqwest's feature `stream`: `reqwest::Body::wrap_stream(stream)`.
        RequestBody::Stream { .. } => {
            return Err(TransportError::new(
                Failure::Unsupported,
                "it streams no requests",
            ));
        }
    };
    let response = target
        .headers(request.headers)
        .send()
        .await
        .map_err(failed)?;
    Ok(Incoming {
        headers: response.headers().clone(),
        status: response.status(),
        version: response.version(),
        body: Box::pin(stream::try_unfold(response, async |mut response| {
            let chunk = response.chunk().await.map_err(failed)?;
            Ok(chunk.map(|chunk| (chunk, response)))
        })),
    })
}

/// What the core has to know of an error; people read the error itself.
fn failed(error: reqwest::Error) -> TransportError {
    let kind = match () {
        () if error.is_builder() => Failure::Unsupported,
        () if error.is_dns() => Failure::Resolve,
        () if error.is_connect() => Failure::Connect,
        () => Failure::Io,
    };
    TransportError::new(kind, error)
}

pub(crate) fn builder() -> Result<Builder<impl Adapter>, reqwest::Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()?;
    let transport = transport_fn(move |request, _marks| send(client.clone(), request));
    Ok(Builder::new(WithTransport::new(
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
