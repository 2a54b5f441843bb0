//! Fetches many URLs on tokio, in the runtime you are in: current-thread or multi-thread. No other
//! reactor is started.
//!
//! ```
//! use fetch_tokio::{StreamExt, fetch_all};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() {
//! #   let site = fetch_testbed::Site::start().unwrap();
//! #   let urls = [site.url("/get"), site.url("/status/404")];
//!     fetch_all(urls).for_each(|outcome| println!("{outcome}")).await;
//! }
//! ```
//!
//! The runtime needs its IO and time drivers, as `#[tokio::main]` and `enable_all` give it. For
//! settings and single requests there is [`Fetcher`]: see the crate `fetch-all`.

mod socket;
mod timer;

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

#[doc(inline)]
pub use fetch_driver::common::*;
pub use fetch_http::raise_fd_limit;
use tokio::runtime::Handle;

pub use crate::socket::Socket;
pub use crate::timer::Timer;

/// Fetches URLs on tokio: see [`fetch_driver::Fetcher`].
pub type Fetcher = fetch_driver::Fetcher<Tokio>;

/// Builds a [`Fetcher`]: see [`fetch_driver::Builder`].
pub type Builder = fetch_driver::Builder<Tokio>;

/// Fetches all `urls` with the defaults: 100 at once, three attempts each, and limits on time by URL
/// pattern (10 s for `/delay/`, 8 s for `/status/`, else 6 s).
///
/// URLs are taken lazily, outcomes come in the order in which the fetches end, and dropping the
/// stream cancels the rest. Outside a tokio runtime every outcome is an error that says so.
///
/// ```
/// use fetch_tokio::{StreamExt, fetch_all};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let site = fetch_testbed::Site::start().unwrap();
/// # let urls = [site.url("/get"), "not a URL".to_owned()];
/// let mut outcomes = fetch_all(urls);
/// while let Some(outcome) = outcomes.next().await {
///     println!("{outcome}");
/// }
/// # }
/// ```
pub fn fetch_all<I>(urls: I) -> FetchAll<stream::Iter<I::IntoIter>>
where
    I: IntoIterator<Item: IntoRequest>,
{
    fetch_driver::fetch_all::<Tokio, I>(urls)
}

/// Where fetches run: the tokio runtime in whose context the fetcher is built.
///
/// ```
/// use fetch_tokio::{Builder, Tokio};
///
/// let outside = Builder::new(Tokio::default()).build().unwrap_err();
/// assert!(outside.to_string().contains("tokio runtime"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio(());

impl fetch_http::HttpRuntime for Tokio {
    type Stream = Socket;

    async fn connect(&self, addr: SocketAddr) -> io::Result<Socket> {
        Socket::connect(addr).await
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Socket> {
        Socket::connect_unix(path).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // The transport runs inside the driver, and the driver on the runtime.
        tokio::spawn(task);
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl fetch_driver::Adapter for Tokio {
    type Transport = fetch_http::HttpTransport<Self>;
    type Timer = Timer;

    fn transport(&self, settings: &fetch_driver::Settings) -> Result<Self::Transport, BuildError> {
        runtime()?;
        let config = fetch_http::HttpConfig::from_settings(settings)?;
        Ok(fetch_http::HttpTransport::new(*self, config))
    }

    fn timer(&self) -> Timer {
        Timer::default()
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        runtime()?.spawn(driver);
        Ok(())
    }

    fn spawn_thread<F>(
        &self,
        build: impl FnOnce(&Self) -> Result<F, BuildError>,
    ) -> Result<(), BuildError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let failed = |error: io::Error| BuildError::new("threads", error.to_string());
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().map_err(failed)?;
        let driver = {
            let _inside = runtime.enter();
            build(self)?
        };
        let thread = std::thread::Builder::new().name("fetch-all".to_owned());
        thread
            .spawn(move || runtime.block_on(driver))
            .map_err(failed)?;
        Ok(())
    }
}

/// The runtime we are in.
fn runtime() -> Result<Handle, BuildError> {
    Handle::try_current().map_err(|_| {
        let advice = "fetch_tokio works inside a tokio runtime only: call it from an async fn under \
                      #[tokio::main], or use the adapter of the runtime you have";
        BuildError::new("runtime", advice)
    })
}
