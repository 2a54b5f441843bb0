//! A double in place of the network: your own code over the whole of fetch-all, in a test.
//!
//! To test a policy alone, without any runtime, see `examples/policy_test.rs`.
//!
//! `cargo run --example test_double`

use std::sync::atomic::{AtomicU32, Ordering};

use fetch_all::driver::{
    Builder, IncomingResponse, OutgoingRequest, TransportOverride, transport_fn,
};
use fetch_all::smol::{Smol, stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Unavailable at first, then fine: the answer is tried for again, after a second.
    let asked = AtomicU32::new(0);
    let double = transport_fn(move |request: OutgoingRequest, _progress| {
        let status = [503, 200][asked.fetch_add(1, Ordering::Relaxed).min(1) as usize];
        let text = format!("{} {}", request.method, request.url);
        async move {
            Ok(IncomingResponse::new(
                http::StatusCode::from_u16(status).unwrap_or_default(),
                http::Version::HTTP_11,
                http::HeaderMap::new(),
                stream::once(Ok(text.into())),
            ))
        }
    });
    let fetcher = Builder::new(TransportOverride::new(Smol::default(), double)).build()?;

    let outcome = smol::block_on(fetcher.fetch("http://nowhere.test/hello"));
    println!("{outcome}");
    assert_eq!(&outcome.result?.body[..], b"GET http://nowhere.test/hello");
    Ok(())
}
