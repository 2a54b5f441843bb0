//! Fetches a few URLs on tokio and prints one line per outcome.
//!
//! `cargo run --example tokio --features tokio` fetches from a local test site;
//! `cargo run --example tokio --features tokio -- http://example.com/ …` fetches the given URLs.

use fetch_all::tokio::{Fetcher, StreamExt};
use fetch_testbed::Site;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start()?;
    let mut urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        let paths = [
            "/get",
            "/status/404",
            "/flaky/1?key=example",
            "/redirect/2",
            "/gzip",
        ];
        urls = paths.map(|path| site.url(path)).into();
    }

    // The fetcher must be built inside the runtime, in which its driver then runs.
    let fetcher = Fetcher::builder().concurrency(10).build()?;
    let mut outcomes = fetcher.fetch_all(urls);
    while let Some(outcome) = outcomes.next().await {
        println!("{outcome}");
    }
    println!("{}", outcomes.stats());
    Ok(())
}
