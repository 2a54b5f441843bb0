//! tokio, on both of its runtimes.

use ::tokio::runtime::Builder;
use fetch_all::tokio::{Tokio, fetch_all, fetch_all_with_concurrency};
use futures::future::LocalBoxFuture;

use crate::harness::adapter::{AdapterUnderTest, build_fetcher};
use crate::harness::behaviour::{CheckResult, UnsupportedBehaviour};

pub(crate) static CURRENT_THREAD: AdapterUnderTest = AdapterUnderTest {
    name: "tokio, current-thread",
    block_on: |work| block_on(&mut Builder::new_current_thread(), work),
    build_fetcher: build_fetcher::<Tokio>,
    fetch_all: |urls| Box::pin(fetch_all(urls)),
    fetch_all_with_concurrency: |urls, n| Box::pin(fetch_all_with_concurrency(urls, n)),
    unsupported: UNSUPPORTED,
};

pub(crate) static MULTI_THREAD: AdapterUnderTest = AdapterUnderTest {
    name: "tokio, multi-thread",
    block_on: |work| block_on(Builder::new_multi_thread().worker_threads(2), work),
    build_fetcher: build_fetcher::<Tokio>,
    fetch_all: |urls| Box::pin(fetch_all(urls)),
    fetch_all_with_concurrency: |urls, n| Box::pin(fetch_all_with_concurrency(urls, n)),
    unsupported: UNSUPPORTED,
};

const UNSUPPORTED: &[UnsupportedBehaviour] = &[UnsupportedBehaviour {
    behaviour: "works outside the adapter's runtime",
    reason: "sockets and timers need a tokio runtime; outside one, building the fetcher is an error",
    mismatch: "fetch_tokio works inside a tokio runtime only",
}];

fn block_on(builder: &mut Builder, work: LocalBoxFuture<'_, CheckResult>) -> CheckResult {
    builder.enable_all().build()?.block_on(work)
}
