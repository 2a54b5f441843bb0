//! Streams of the crate `futures` at both ends: URLs are fetched as they arrive, and the outcomes go on through
//! any combinator. Nothing is fetched ahead of a consumer that is slow.
//!
//! `cargo run --example futures_stream`

use std::future::ready;

use fetch_all::smol::Fetcher;
use fetch_testbed::Site;
use futures::{StreamExt, stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start()?;
    let fetcher = Fetcher::builder().concurrency(8).build()?;
    let lengths = stream::iter(1..=100).map(|length| site.url(&format!("/bytes/{length}")));
    let bodies = fetcher
        .fetch_stream(lengths)
        .filter_map(|outcome| ready(outcome.into_success().ok()))
        .map(|response| response.body.len())
        .chunks(25)
        .map(|chunk| (chunk.len(), chunk.iter().sum::<usize>()));
    smol::block_on(bodies.for_each(|(count, bytes)| {
        println!("{count} bodies, {bytes} bytes");
        ready(())
    }));
    Ok(())
}
