//! Fetches many URLs over surf's own HTTP/1.1 client, on async-std.
//!
//! surf is unmaintained (RUSTSEC-2025-0036, RUSTSEC-2026-0169) and async-std is discontinued
//! (RUSTSEC-2025-0052): this adapter is for programs that are still on them. Only surf's `h1-client`
//! is used, never its rustls and hyper backends, which carry open advisories.
//!
//! ```
//! use fetch_surf::{StreamExt, fetch_all};
//! # let site = fetch_testbed::Site::start()?;
//! # let urls = [site.url("/get"), site.url("/status/404")];
//!
//! async_std::task::block_on(fetch_all(urls).for_each(|outcome| println!("{outcome}")));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! For settings and single requests there is [`Fetcher`]: see the crate `fetch-all`.
//!
//! # How it works
//!
//! surf's timeout and middleware are off: the core decides, as everywhere. surf puts a connection
//! back into its pool even if a response was left unread on it, so each attempt in flight has a
//! client with one connection to itself. It is used again if its response was read to the end, and
//! else dropped, which closes the connection.
//!
//! # What surf cannot do
//!
//! - It asks the system's resolver for each request, blocking the thread that runs the driver. Where
//!   names take long to resolve, take another adapter; `dns_ttl` other than the default is an error.
//! - It does not tell when it is connected. `Timeouts::connect` is therefore not enforced:
//!   `Timeouts::attempt` bounds it. A `first_byte` limit, which would run from the connection, is an
//!   error when the fetcher is built, or of the one request whose own policy has it.
//! - https needs the feature `tls`: the system's own TLS, on Linux OpenSSL.
//! - Heads over 8 KiB, interim responses (103), status codes that are not registered, HTTP/1.0, and
//!   bodies that end only with the connection are failures.
//! - Header values are ASCII, and methods those that are registered.
//! - Failures to resolve, to connect and in TLS are told apart by surf's texts.
//! - [`Settings`] that cannot be obeyed are errors at the build: proxies, HTTP/2 by prior
//!   knowledge, `connect_to`, `resolve`, `unix_socket`.
//!
//! [`Settings`]: fetch_driver::Settings

mod client;
mod error;
mod transport;

pub use client::{SurfClient, SurfClientFactory};
#[doc(inline)]
pub use fetch_driver::common::*;
pub use transport::{ResponseBody, SurfTransport};

/// Fetches URLs over surf: see [`fetch_driver::Fetcher`].
pub type Fetcher = fetch_driver::Fetcher<Surf>;

/// Builds a [`Fetcher`]: see [`fetch_driver::Builder`].
pub type Builder = fetch_driver::Builder<Surf>;

/// Fetches all `urls` with the defaults: 100 at once, three attempts each, and limits on time by URL
/// pattern (10 s for `/delay/`, 8 s for `/status/`, else 6 s).
///
/// URLs are taken lazily, outcomes come in the order in which the fetches end, and dropping the
/// stream cancels the rest.
///
/// ```
/// use fetch_surf::{StreamExt, fetch_all};
/// # let site = fetch_testbed::Site::start()?;
/// # let urls = [site.url("/get"), "not a URL".to_owned()];
///
/// async_std::task::block_on(async {
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
    fetch_driver::fetch_all::<Surf, I>(urls)
}

/// Where fetches run: async-std's global executor.
///
/// ```
/// let fetcher = fetch_surf::Builder::new(fetch_surf::Surf::default()).build()?;
/// # Ok::<(), fetch_surf::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Surf(());

impl fetch_driver::Adapter for Surf {
    type Transport = SurfTransport;
    type Timer = fetch_driver::AsyncIoTimer;

    fn transport(&self, settings: &fetch_driver::Settings) -> Result<SurfTransport, BuildError> {
        SurfTransport::new(settings)
    }

    fn timer(&self) -> Self::Timer {
        fetch_driver::AsyncIoTimer::default()
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        async_std::task::spawn(driver);
        Ok(())
    }
}
