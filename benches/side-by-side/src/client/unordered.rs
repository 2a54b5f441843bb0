//! Other clients as their users write them: a stream of requests, so many of them at once, on a
//! current-thread runtime. Without timeouts and retries, which have to be added.

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};

use super::Tally;
use crate::case::Case;
use crate::ports::Ports;

/// Fetches the case by `get`, which ends with the status and the length of the body.
pub(super) fn run<C, F>(
    case: &Case,
    base: &Ports,
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
        let answers = stream::iter(case.urls(base)).map(|url| get(&client, url));
        let mut answers = answers.buffer_unordered(case.concurrency);
        let mut tally = Tally::new(case);
        while let Some(answer) = answers.next().await {
            let (status, length) = answer.context("a request failed")?;
            tally.add(status, length)?;
        }
        tally.finish()
    })
}
