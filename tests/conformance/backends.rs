//! The adapters, each on its runtime.

#[cfg(feature = "isahc")]
mod isahc;
#[cfg(feature = "surf")]
mod surf;
#[cfg(feature = "tokio")]
mod tokio;

use crate::backend::Backend;
#[cfg(any(feature = "async-std", feature = "smol"))]
use crate::backend::{Adapted, client};

/// The adapters that this build has, in the order of the table.
pub(crate) const ALL: &[Backend] = &[
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

/// Why limits that run from or to the connection are not enforced.
#[cfg(any(feature = "isahc", feature = "surf"))]
const UNTOLD: &str =
    "the client does not tell when it is connected; the limit on the attempt holds";

/// Why there is no HTTP/2.
#[cfg(any(feature = "isahc", feature = "surf"))]
const HTTP1: &str = "one client carries one request at a time, so HTTP/1.1 is all it is asked for; \
                     prior knowledge of HTTP/2 is an error at the build";

#[cfg(feature = "smol")]
static SMOL: Adapted = Adapted {
    name: "smol",
    drive: |work| smol::block_on(work),
    client: client::<fetch_all::smol::Smol>,
    short_form: |urls| Box::pin(fetch_all::smol::fetch_all(urls)),
    cannot: &[],
};

#[cfg(feature = "async-std")]
static ASYNC_STD: Adapted = Adapted {
    name: "async-std",
    drive: |work| async_std::task::block_on(work),
    client: client::<fetch_all::async_std::AsyncStd>,
    short_form: |urls| Box::pin(fetch_all::async_std::fetch_all(urls)),
    cannot: &[],
};
