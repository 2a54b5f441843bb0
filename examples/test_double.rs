//! Replaces the network by a function, to test code that uses a fetcher.
//!
//! `examples/policy_test.rs` tests a policy alone, without a runtime.
//!
//! `cargo run --example test_double`

use std::sync::atomic::{AtomicU32, Ordering};

use fetch_all::driver::{
    Builder, IncomingResponse, OutgoingRequest, TransportOverride, transport_fn,
};
use fetch_all::smol::Smol;
use futures::{future, stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The first response is 503, the next 200. The core retries after a second.
    let requests = AtomicU32::new(0);
    let double = transport_fn(move |request: OutgoingRequest, _progress| {
        let status = [503, 200][requests.fetch_add(1, Ordering::Relaxed).min(1) as usize];
        let text = format!("{} {}", request.method, request.url);
        async move {
            Ok(IncomingResponse::new(
                http::StatusCode::from_u16(status).unwrap_or_default(),
                http::Version::HTTP_11,
                http::HeaderMap::new(),
                stream::once(future::ready(Ok(text.into()))),
            ))
        }
    });
    let fetcher = Builder::new(TransportOverride::new(Smol::default(), double)).build()?;

    let outcome = smol::block_on(fetcher.fetch("http://nowhere.test/hello"));
    println!("{outcome}");
    assert_eq!(&outcome.result?.body[..], b"GET http://nowhere.test/hello");
    Ok(())
}
