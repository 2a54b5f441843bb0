//! Other clients as they are commonly used: a stream of requests under `buffer_unordered` on a
//! current-thread runtime, without timeouts and retries.

use anyhow::{Context, Result};
use futures::{StreamExt, stream};

use super::ResponseTally;
use crate::cases::case::BenchmarkCase;
use crate::environment::ports::SitePorts;

/// Fetches all URLs of the case with `get`, which returns the status and the length of the body.
pub(super) fn run<C, F>(
    case: &BenchmarkCase,
    ports: &SitePorts,
    client: impl FnOnce() -> Result<C>,
    get: impl Fn(&C, String) -> F,
) -> Result<()>
where
    F: Future<Output = Result<(u16, usize)>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = client()?;
        let responses = stream::iter(case.urls(ports)).map(|url| get(&client, url));
        let mut responses = responses.buffer_unordered(case.concurrency);
        let mut tally = ResponseTally::new(case);
        while let Some(response) = responses.next().await {
            let (status, length) = response.context("a request failed")?;
            tally.add(status, length)?;
        }
        tally.finish()
    })
}
