//! Fetches 1 KiB many times, 100 at once, on one thread. `.ci/instructions` runs it under callgrind.
//!
//! `serve` runs the test site until the end of standard input and prints its address; `smol ADDRESS N`
//! and `tokio ADDRESS N` send N requests to it. `memory ADDRESS N` and `bearer ADDRESS N` send none: a
//! transport in memory answers, in the second case to requests with a token.

use std::error::Error;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use fetch_all::driver::{
    Adapter, Builder, IncomingResponse, OutgoingRequest, TransportError, TransportOverride,
    transport_fn,
};
use fetch_all::smol::Smol;
use fetch_all::{AccessToken, AuthProfile, CredentialError, Outcome};
use futures_lite::{Stream, StreamExt, stream};
use http::{HeaderMap, StatusCode, Version};

static BODY: [u8; 1024] = [b'a'; 1024];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let executor = Arc::new(smol::Executor::new());
    let adapter = Smol::on(&executor);
    match *arguments {
        ["serve"] => {
            let site = fetch_testbed::Site::start()?;
            println!("{}", site.address());
            io::copy(&mut io::stdin(), &mut io::sink())?;
            Ok(())
        }
        ["smol", address, requests] => {
            let fetcher = Builder::new(adapter.clone()).build()?;
            adapter.run(count(fetcher.fetch_all(urls(address, requests.parse()?))))
        }
        ["tokio", address, requests] => {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build()?.block_on(async {
                let fetcher = fetch_all::tokio::Fetcher::builder().build()?;
                count(fetcher.fetch_all(urls(address, requests.parse()?))).await
            })
        }
        [case @ ("memory" | "bearer"), address, requests] => {
            let transport = transport_fn(|request, _progress| answer(request));
            let builder = Builder::new(TransportOverride::new(adapter.clone(), transport));
            let fetcher = match case {
                "bearer" => with_token(builder, address)?.build()?,
                _ => builder.build()?,
            };
            adapter.run(count(fetcher.fetch_all(urls(address, requests.parse()?))))
        }
        _ => Err("usage: serve | (smol | tokio | memory | bearer) ADDRESS N".into()),
    }
}

type Body = stream::Once<Result<Bytes, TransportError>>;

async fn answer(_: OutgoingRequest) -> Result<IncomingResponse<Body>, TransportError> {
    let body = stream::once(Ok(Bytes::from_static(&BODY)));
    let head = (StatusCode::OK, Version::HTTP_11, HeaderMap::new());
    Ok(IncomingResponse::new(head.0, head.1, head.2, body))
}

fn with_token<A: Adapter>(
    builder: Builder<A>,
    address: &str,
) -> Result<Builder<A>, Box<dyn Error>> {
    let profile = AuthProfile::new("site").scope(format!("http://{address}/").parse()?);
    Ok(builder.auth(profile, || async {
        AccessToken::bearer("2YotnFZFEjr1zCsicMWpAA").map_err(CredentialError::refused)
    }))
}

fn urls(address: &str, requests: usize) -> impl Iterator<Item = String> + Send + use<> {
    let url = format!("http://{address}/bytes/1024?");
    (0..requests).map(move |n| format!("{url}{n}"))
}

/// Fails at the first request that fails.
async fn count(outcomes: impl Stream<Item = Outcome>) -> Result<(), Box<dyn Error>> {
    let mut outcomes = std::pin::pin!(outcomes);
    while let Some(outcome) = outcomes.next().await {
        let response = outcome.result?;
        if response.body.len() != 1024 {
            return Err("a body of another length".into());
        }
    }
    Ok(())
}
