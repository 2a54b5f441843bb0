//! Other clients as their users write them: a stream of requests, so many of them at once, on a
//! current-thread runtime. Without timeouts and retries, which have to be added.

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::{verify, verify_count};
use crate::case::Case;

/// Fetches the case by `get`, which ends with status and body.
pub(super) fn run<C, F>(
    case: &Case,
    base: &str,
    client: C,
    get: impl Fn(&C, String) -> F,
) -> Result<()>
where
    F: Future<Output = Result<(u16, Bytes)>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let answers = stream::iter(case.urls(base)).map(|url| get(&client, url));
        let mut answers = answers.buffer_unordered(case.concurrency);
        let mut count = 0;
        while let Some(answer) = answers.next().await {
            let (status, body) = answer.context("a request failed")?;
            verify(case, status, body.len())?;
            count += 1;
        }
        verify_count(case, count)
    })
}
