//! fetch-all as a library, with the defaults but for the concurrency: retries, timeouts, redirects,
//! decoding and timings are all on.

use std::sync::Arc;

use anyhow::{Context, Result};
use fetch_all::smol::{Builder, Fetcher, Smol, StreamExt};
use fetch_all::{Policy, driver};

use super::{Tally, verify_version};
use crate::case::{Case, Way};
use crate::ports::Ports;

/// Everything on this thread: the driver, the connections and the consumer.
pub(super) fn on_one_executor(case: &Case, base: &Ports) -> Result<()> {
    on_this_thread(case, base, |builder| builder)
}

/// The same, with no more connections than twice the concurrency, as the original had.
pub(super) fn with_a_small_pool(case: &Case, base: &Ports) -> Result<()> {
    on_this_thread(case, base, |builder| builder.max_connections(200))
}

fn on_this_thread(case: &Case, base: &Ports, with: impl FnOnce(Builder) -> Builder) -> Result<()> {
    let executor = Arc::new(smol::Executor::new());
    let adapter = Smol::on(&executor);
    let fetcher = with(settings(Builder::new(adapter.clone()), case)).build()?;
    adapter.block_on(executor.run(fetch(case, base, &fetcher)))
}

/// Engines and connections on so many threads of their own, the consumer on this one.
pub(super) fn on_threads(case: &Case, base: &Ports, threads: usize) -> Result<()> {
    let fetcher = settings(Fetcher::builder(), case)
        .threads(threads)
        .build()?;
    smol::block_on(fetch(case, base, &fetcher))
}

/// What a case makes necessary: all else is as it is by default.
pub(super) fn settings<A: driver::Adapter>(
    builder: driver::Builder<A>,
    case: &Case,
) -> driver::Builder<A> {
    let builder = builder.concurrency(case.concurrency);
    match case.way {
        // No other client tries again.
        Way::Failing => builder.policy(Policy::default().attempts(1)),
        // The site's certificate is signed by nobody.
        Way::Http2 | Way::Https => builder.danger_accept_invalid_certs(true),
        _ => builder,
    }
}

/// The driver and the connections on smol's thread, the consumer on this one.
pub(super) fn on_the_global_executor(case: &Case, base: &Ports) -> Result<()> {
    let fetcher = settings(Fetcher::builder(), case).build()?;
    smol::block_on(fetch(case, base, &fetcher))
}

/// Fetches the case, on whatever runtime the fetcher has.
pub(super) async fn fetch<A>(
    case: &Case,
    base: &Ports,
    fetcher: &driver::Fetcher<A>,
) -> Result<()> {
    let mut outcomes = fetcher.fetch_all(case.urls(base));
    let mut tally = Tally::new(case);
    while let Some(outcome) = outcomes.next().await {
        let response = outcome.result.context("fetch-all failed")?;
        verify_version(case, response.version)?;
        tally.add(response.status.as_u16(), response.body.len())?;
    }
    tally.finish()
}
