//! Fetches many URLs on async-std.
//!
//! async-std itself is discontinued (RUSTSEC-2025-0052) and recommends smol; this adapter is for
//! programs that are still on it.
//!
//! ```
//! use fetch_async_std::{StreamExt, fetch_all};
//! # let site = fetch_testbed::Site::start()?;
//! # let urls = [site.url("/get"), site.url("/status/404")];
//!
//! async_std::task::block_on(fetch_all(urls).for_each(|outcome| println!("{outcome}")));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! For settings and single requests there is [`Fetcher`]: see the crate `fetch-all`.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

#[doc(inline)]
pub use fetch_driver::common::*;
pub use fetch_http::raise_fd_limit;

/// Fetches URLs on async-std: see [`fetch_driver::Fetcher`].
pub type Fetcher = fetch_driver::Fetcher<AsyncStd>;

/// Builds a [`Fetcher`]: see [`fetch_driver::Builder`].
pub type Builder = fetch_driver::Builder<AsyncStd>;

/// Fetches all `urls` with the defaults: 100 at once, three attempts each, and limits on time by URL
/// pattern (10 s for `/delay/`, 8 s for `/status/`, else 6 s).
///
/// URLs are taken lazily, outcomes come in the order in which the fetches end, and dropping the
/// stream cancels the rest.
///
/// ```
/// use fetch_async_std::{StreamExt, fetch_all};
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
    fetch_driver::fetch_all::<AsyncStd, I>(urls)
}

/// Where fetches run: async-std's global executor.
///
/// ```
/// let fetcher = fetch_async_std::Builder::new(fetch_async_std::AsyncStd::default()).build()?;
/// # Ok::<(), fetch_async_std::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AsyncStd {
    reactor: fetch_http::Reactor,
}

impl Default for AsyncStd {
    fn default() -> Self {
        let spawn = |task| {
            async_std::task::spawn(task);
        };
        Self {
            reactor: fetch_http::Reactor::new(spawn),
        }
    }
}

// async-std's own reactor is async-io, so the socket and the timer are those of smol.
impl fetch_http::HttpRuntime for AsyncStd {
    type Stream = fetch_http::AsyncIoSocket;

    async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
        fetch_http::AsyncIoSocket::connect_with(addr, &self.reactor).await
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Stream> {
        fetch_http::AsyncIoSocket::connect_unix(path).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }

    async fn sleep(&self, duration: Duration) {
        async_io::Timer::after(duration).await;
    }
}

impl fetch_driver::Adapter for AsyncStd {
    type Transport = fetch_http::HttpTransport<Self>;
    type Timer = fetch_driver::AsyncIoTimer;

    fn transport(&self, settings: &fetch_driver::Settings) -> Result<Self::Transport, BuildError> {
        let config = fetch_http::HttpConfig::from_settings(settings)?;
        Ok(fetch_http::HttpTransport::new(self.clone(), config))
    }

    fn timer(&self) -> Self::Timer {
        fetch_driver::AsyncIoTimer::default()
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        async_std::task::spawn(driver);
        Ok(())
    }
}
