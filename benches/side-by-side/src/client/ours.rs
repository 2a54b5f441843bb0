//! fetch-all as a library, with the defaults but for the concurrency: retries, timeouts, redirects,
//! decoding and timings are all on.

use std::sync::Arc;

use anyhow::{Context, Result};
use fetch_all::driver;
use fetch_all::smol::{Builder, Fetcher, Smol, StreamExt};

use super::{verify, verify_count};
use crate::case::Case;

/// Everything on this thread: the driver, the connections and the consumer.
pub(super) fn on_one_executor(case: &Case, base: &str) -> Result<()> {
    let executor = Arc::new(smol::Executor::new());
    let adapter = Smol::on(&executor);
    let fetcher = Builder::new(adapter.clone())
        .concurrency(case.concurrency)
        .build()?;
    adapter.block_on(executor.run(fetch(case, base, &fetcher)))
}

/// The driver and the connections on smol's thread, the consumer on this one.
pub(super) fn on_the_global_executor(case: &Case, base: &str) -> Result<()> {
    let fetcher = Fetcher::builder().concurrency(case.concurrency).build()?;
    smol::block_on(fetch(case, base, &fetcher))
}

/// Fetches the case, on whatever runtime the fetcher has.
pub(super) async fn fetch<A>(case: &Case, base: &str, fetcher: &driver::Fetcher<A>) -> Result<()> {
    let mut outcomes = fetcher.fetch_all(case.urls(base));
    let mut answers = 0;
    while let Some(outcome) = outcomes.next().await {
        let response = outcome.result.context("fetch-all failed")?;
        verify(case, response.status.as_u16(), response.body.len())?;
        answers += 1;
    }
    verify_count(case, answers)
}
