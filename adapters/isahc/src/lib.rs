//! Fetches many URLs over isahc, and so over libcurl.
//!
//! ```
//! use fetch_isahc::{StreamExt, fetch_all};
//! # let site = fetch_testbed::Site::start()?;
//! # let urls = [site.url("/get"), site.url("/status/404")];
//!
//! smol::block_on(fetch_all(urls).for_each(|outcome| println!("{outcome}")));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! For settings and single requests there is [`Fetcher`]: see the crate `fetch-all`.
//!
//! # How it works
//!
//! isahc is driven with its own retries, redirects, timeouts, decompression and cookies off, and
//! with the proxy that it is told: the core decides, as everywhere. isahc cannot abort a transfer on which nothing happens, so each
//! attempt in flight has a client, which is a thread and a connection, to itself, and dropping the
//! attempt ends both. Idle clients are kept with their connections and used again. It works under
//! any runtime: the driver runs on smol's global executor, which needs none of the caller.
//!
//! # What is different over curl
//!
//! - HTTP/1.1 only, for a client has just one request at a time.
//! - isahc tells of a connection only with the response's head. `Timeouts::connect` is therefore not
//!   enforced: `Timeouts::attempt` bounds it. A `first_byte` limit, which would run from the
//!   connection, is an error when the fetcher is built, or of the one request whose own policy has it.
//! - curl sends a request again by itself when a kept connection turns out to be closed, unseen by
//!   the core. So that it does no harm, requests that are not idempotent, or have a body, always go
//!   over a connection of their own.
//! - curl adds `Content-Type: application/x-www-form-urlencoded` to a `POST` that has a body and none.
//! - The curl that is built in cannot use file descriptors from 1,024 on, whatever the process's limit.
//!   More than 112 connections at once are therefore an error at the build; should the rest of the
//!   process use up the others, attempts fail as out of descriptors and say so.
//! - Built-in CAs are Mozilla's, and a CA of your own comes beside them. The TLS inside curl takes a
//!   client certificate from a file only; it is handed over in memory, which needs Linux.
//! - [`Settings`] that cannot be obeyed are errors at the build: HTTP/2 by prior knowledge, a
//!   `connect_to` to another name rather than an address, several addresses in one `resolve`, and a
//!   client certificate on other systems than Linux.
//!
//! [`Settings`]: fetch_driver::Settings

mod client;
mod descriptors;
mod error;
#[cfg(all(feature = "tls", target_os = "linux"))]
mod identity;
mod route;
mod transport;

pub use client::{IsahcClient, IsahcClientFactory};
#[doc(inline)]
pub use fetch_driver::common::*;
pub use transport::{IsahcTransport, ResponseBody};

/// Fetches URLs over isahc: see [`fetch_driver::Fetcher`].
pub type Fetcher = fetch_driver::Fetcher<Isahc>;

/// Builds a [`Fetcher`]: see [`fetch_driver::Builder`].
pub type Builder = fetch_driver::Builder<Isahc>;

/// Fetches all `urls` with the defaults: 100 at once, three attempts each, and limits on time by URL
/// pattern (10 s for `/delay/`, 8 s for `/status/`, else 6 s).
///
/// URLs are taken lazily, outcomes come in the order in which the fetches end, and dropping the
/// stream cancels the rest.
///
/// ```
/// use fetch_isahc::{StreamExt, fetch_all};
/// # let site = fetch_testbed::Site::start()?;
/// # let urls = [site.url("/get"), "not a URL".to_owned()];
///
/// smol::block_on(async {
///     let mut outcomes = fetch_all(urls);
///     while let Some(outcome) = outcomes.next().await {
///         println!("{outcome}");
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fetch_all<I>(urls: I) -> FetchAll<stream::Iter<I::IntoIter>>
where
    I: IntoIterator<Item: IntoRequest>,
{
    fetch_driver::fetch_all::<Isahc, I>(urls)
}

/// Where fetches run: isahc's threads, driven from smol's global executor.
///
/// ```
/// let fetcher = fetch_isahc::Builder::new(fetch_isahc::Isahc::default()).build()?;
/// # Ok::<(), fetch_isahc::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Isahc(());

impl fetch_driver::Adapter for Isahc {
    type Transport = IsahcTransport;
    type Timer = fetch_driver::AsyncIoTimer;

    fn transport(&self, settings: &fetch_driver::Settings) -> Result<IsahcTransport, BuildError> {
        IsahcTransport::new(settings)
    }

    fn timer(&self) -> Self::Timer {
        fetch_driver::AsyncIoTimer::default()
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        smol::spawn(driver).detach();
        Ok(())
    }
}
