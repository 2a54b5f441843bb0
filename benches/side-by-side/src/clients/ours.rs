//! fetch-all as a library, with defaults except for the concurrency: retries, timeouts, redirects,
//! decoding and timings are on.

use std::sync::Arc;

use anyhow::{Context, Result};
use fetch_all::smol::{Builder, Fetcher, Smol, StreamExt};
use fetch_all::{Policy, driver};

use super::{ResponseTally, verify_version};
use crate::cases::case::BenchmarkCase;
use crate::cases::load_kind::LoadKind;
use crate::environment::ports::SitePorts;

/// Everything on this thread: the driver, the connections and the consumer.
pub(super) fn on_one_executor(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    on_this_thread(case, ports, |builder| builder)
}

/// The same, with at most twice as many connections as the concurrency.
pub(super) fn with_small_pool(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    on_this_thread(case, ports, |builder| builder.max_connections(200))
}

fn on_this_thread(
    case: &BenchmarkCase,
    ports: &SitePorts,
    configure: impl FnOnce(Builder) -> Builder,
) -> Result<()> {
    let executor = Arc::new(smol::Executor::new());
    let adapter = Smol::on(&executor);
    let fetcher = configure(apply_case(Builder::new(adapter.clone()), case)).build()?;
    adapter.run(fetch_case(case, ports, &fetcher))
}

/// Engines and connections on this many separate threads, the consumer on this thread.
pub(super) fn on_threads(case: &BenchmarkCase, ports: &SitePorts, threads: usize) -> Result<()> {
    let fetcher = apply_case(Fetcher::builder(), case)
        .threads(threads)
        .build()?;
    smol::block_on(fetch_case(case, ports, &fetcher))
}

/// Sets what a case requires. Everything else keeps its default.
pub(super) fn apply_case<A: driver::Adapter>(
    builder: driver::Builder<A>,
    case: &BenchmarkCase,
) -> driver::Builder<A> {
    let builder = builder.concurrency(case.concurrency);
    match case.kind {
        // The other clients do not retry.
        LoadKind::Failing => builder.policy(Policy::default().attempts(1)),
        // The server has a self-signed certificate.
        LoadKind::Http2 | LoadKind::Https => builder.danger_accept_invalid_certs(true),
        _ => builder,
    }
}

/// The driver and the connections on smol's global executor, the consumer on this thread.
pub(super) fn on_global_executor(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    let fetcher = apply_case(Fetcher::builder(), case).build()?;
    smol::block_on(fetch_case(case, ports, &fetcher))
}

/// Fetches all URLs of the case.
pub(super) async fn fetch_case<A>(
    case: &BenchmarkCase,
    ports: &SitePorts,
    fetcher: &driver::Fetcher<A>,
) -> Result<()> {
    let mut outcomes = fetcher.fetch_all(case.urls(ports));
    let mut tally = ResponseTally::new(case);
    while let Some(outcome) = outcomes.next().await {
        let response = outcome.result.context("fetch-all failed")?;
        verify_version(case, response.version)?;
        tally.add(response.status.as_u16(), response.body.len())?;
    }
    tally.finish()
}
