//! Fetches 1 KiB many times, 100 at once, on one thread. `.ci/instructions` runs it under callgrind.
//!
//! `serve` runs the test site until the end of standard input and prints its address; `smol ADDRESS N`
//! and `tokio ADDRESS N` send N requests to it.

use std::error::Error;
use std::io;
use std::sync::Arc;

use fetch_all::Outcome;
use fetch_all::smol::{Builder, Smol};
use futures_lite::{Stream, StreamExt};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["serve"] => {
            let site = fetch_testbed::Site::start()?;
            println!("{}", site.address());
            io::copy(&mut io::stdin(), &mut io::sink())?;
            Ok(())
        }
        ["smol", address, requests] => {
            let executor = Arc::new(smol::Executor::new());
            let adapter = Smol::on(&executor);
            let fetcher = Builder::new(adapter.clone()).build()?;
            let outcomes = fetcher.fetch_all(urls(address, requests.parse()?));
            adapter.run(count(outcomes))
        }
        ["tokio", address, requests] => {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build()?.block_on(async {
                let fetcher = fetch_all::tokio::Fetcher::builder().build()?;
                count(fetcher.fetch_all(urls(address, requests.parse()?))).await
            })
        }
        _ => Err("usage: serve | smol ADDRESS N | tokio ADDRESS N".into()),
    }
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
