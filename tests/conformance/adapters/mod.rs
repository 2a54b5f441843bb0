//! The adapters, each on its runtime.

#[cfg(feature = "isahc")]
mod isahc;
#[cfg(feature = "surf")]
mod surf;
#[cfg(feature = "tokio")]
mod tokio;

use crate::harness::adapter::AdapterRef;
#[cfg(any(feature = "async-std", feature = "smol"))]
use crate::harness::adapter::{AdapterUnderTest, build_fetcher};

/// The adapters in this build, in the order of the results table.
pub(crate) const ALL: &[AdapterRef] = &[
    #[cfg(feature = "smol")]
    &SMOL,
    #[cfg(feature = "tokio")]
    &tokio::CURRENT_THREAD,
    #[cfg(feature = "tokio")]
    &tokio::MULTI_THREAD,
    #[cfg(feature = "async-std")]
    &ASYNC_STD,
    #[cfg(feature = "isahc")]
    &isahc::ISAHC,
    #[cfg(feature = "surf")]
    &surf::SURF,
];

/// Why the limits that start or end with the connection are not enforced.
#[cfg(any(feature = "isahc", feature = "surf"))]
const CONNECT_NOT_REPORTED: &str =
    "the client does not report when it has connected; the attempt limit applies";

/// Why there is no HTTP/2.
#[cfg(any(feature = "isahc", feature = "surf"))]
const HTTP1_ONLY: &str = "each client instance carries one request at a time, so it uses HTTP/1.1 only; \
                          prior knowledge of HTTP/2 is an error when the fetcher is built";

#[cfg(feature = "smol")]
static SMOL: AdapterUnderTest = AdapterUnderTest {
    name: "smol",
    block_on: |work| smol::block_on(work),
    build_fetcher: build_fetcher::<fetch_all::smol::Smol>,
    fetch_all: |urls| Box::pin(fetch_all::smol::fetch_all(urls)),
    fetch_all_with_concurrency: |urls, n| {
        Box::pin(fetch_all::smol::fetch_all_with_concurrency(urls, n))
    },
    unsupported: &[],
};

#[cfg(feature = "async-std")]
static ASYNC_STD: AdapterUnderTest = AdapterUnderTest {
    name: "async-std",
    block_on: |work| async_std::task::block_on(work),
    build_fetcher: build_fetcher::<fetch_all::async_std::AsyncStd>,
    fetch_all: |urls| Box::pin(fetch_all::async_std::fetch_all(urls)),
    fetch_all_with_concurrency: |urls, n| {
        Box::pin(fetch_all::async_std::fetch_all_with_concurrency(urls, n))
    },
    unsupported: &[],
};
