//! Fetches many URLs on smol.
//!
//! ```
//! use fetch_smol::{StreamExt, fetch_all};
//! # let site = fetch_testbed::Site::start()?;
//! # let urls = [site.url("/get"), site.url("/status/404")];
//!
//! smol::block_on(fetch_all(urls).for_each(|outcome| println!("{outcome}")));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Each item is an [`Outcome`]: a response, or an [`Error`] that says what failed, on which URL, in
//! which phase, after how many attempts. One URL's failure never ends the stream.
//!
//! With settings of your own, and for single requests, build a [`Fetcher`]:
//!
//! ```
//! use std::time::Duration;
//! use fetch_smol::{Fetcher, Policy};
//! # let site = fetch_testbed::Site::start()?;
//! # let url = site.url("/get");
//!
//! smol::block_on(async {
//!     let fetcher = Fetcher::builder()
//!         .concurrency(500)
//!         .per_host(8)
//!         .policy(Policy::default().attempts(5))
//!         .timeout("/reports/", Duration::from_secs(30))
//!         .build()?;
//!     let response = fetcher.get(&url).await?;
//!     assert_eq!(response.status, 200);
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

#[doc(inline)]
pub use fetch_driver::common::*;
pub use fetch_http::raise_fd_limit;

/// Fetches URLs on smol: see [`fetch_driver::Fetcher`].
pub type Fetcher = fetch_driver::Fetcher<Smol>;

/// Builds a [`Fetcher`]: see [`fetch_driver::Builder`].
pub type Builder = fetch_driver::Builder<Smol>;

/// Fetches all `urls` with the defaults: 100 at once, three attempts each, and limits on time by URL
/// pattern (10 s for `/delay/`, 8 s for `/status/`, else 6 s).
///
/// URLs are taken lazily, outcomes come in the order in which the fetches end, and dropping the
/// stream cancels the rest. The driver runs on smol's global executor.
///
/// ```
/// use fetch_smol::{StreamExt, fetch_all};
/// # let site = fetch_testbed::Site::start()?;
/// # let urls = [site.url("/get"), "not a URL".to_owned()];
///
/// smol::block_on(async {
///     let mut outcomes = fetch_all(urls);
///     while let Some(outcome) = outcomes.next().await {
///         match &outcome.result {
///             Ok(response) => println!("{}: {} bytes", outcome.url, response.body.len()),
///             Err(error) => eprintln!("{error}"),
///         }
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fetch_all<I>(urls: I) -> FetchAll<stream::Iter<I::IntoIter>>
where
    I: IntoIterator<Item: IntoRequest>,
{
    fetch_driver::fetch_all::<Smol, I>(urls)
}

/// Where fetches run: smol's global executor, or one of your own.
///
/// ```
/// use std::sync::Arc;
/// use fetch_smol::{Builder, Smol};
/// # let site = fetch_testbed::Site::start()?;
/// # let url = site.url("/get");
///
/// // Everything on this thread: no other is woken for a response.
/// let executor = Arc::new(smol::Executor::new());
/// let adapter = Smol::on(&executor);
/// let fetcher = Builder::new(adapter.clone()).build()?;
/// let outcome = adapter.block_on(executor.run(fetcher.fetch(&url)));
/// assert!(outcome.is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Smol {
    /// Weak, for tasks on the executor hold this: they must not keep it alive.
    executor: Option<Weak<smol::Executor<'static>>>,
    reactor: fetch_http::Reactor,
}

impl Smol {
    /// Runs on `executor`, which somebody must run. When it is dropped, all fetches on it end with
    /// [`ErrorKind::Stopped`].
    ///
    /// ```
    /// let executor = std::sync::Arc::new(smol::Executor::new());
    /// let adapter = fetch_smol::Smol::on(&executor);
    /// ```
    #[must_use]
    pub fn on(executor: &Arc<smol::Executor<'static>>) -> Self {
        Self::new(Some(Arc::downgrade(executor)))
    }

    fn new(executor: Option<Weak<smol::Executor<'static>>>) -> Self {
        let for_tasks = executor.clone();
        let spawn = move |task| {
            spawn(for_tasks.as_ref(), task);
        };
        Self {
            executor,
            reactor: fetch_http::Reactor::new(spawn),
        }
    }

    /// Runs `future` to its end on this thread, which waits for the sockets of this adapter's
    /// fetchers itself. Where everything is on one executor that costs the fewest system calls; in
    /// any other case it does what `smol::block_on` does.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fetch_smol::{Builder, Smol};
    /// # let site = fetch_testbed::Site::start()?;
    /// # let url = site.url("/get");
    ///
    /// let executor = Arc::new(smol::Executor::new());
    /// let adapter = Smol::on(&executor);
    /// let fetcher = Builder::new(adapter.clone()).build()?;
    /// let outcome = adapter.block_on(executor.run(fetcher.fetch(&url)));
    /// assert!(outcome.is_success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        match self.executor {
            None => smol::block_on(future),
            Some(_) => self.reactor.block_on(future),
        }
    }
}

impl Default for Smol {
    fn default() -> Self {
        Self::new(None)
    }
}

/// Whether there was an executor to take the task: this one, or else smol's global one.
fn spawn(
    executor: Option<&Weak<smol::Executor<'static>>>,
    task: impl Future<Output = ()> + Send + 'static,
) -> bool {
    match executor.map(Weak::upgrade) {
        None => smol::spawn(task).detach(),
        Some(Some(executor)) => executor.spawn(task).detach(),
        Some(None) => return false,
    }
    true
}

impl fetch_http::HttpRuntime for Smol {
    type Stream = fetch_http::AsyncIoSocket;

    async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
        fetch_http::AsyncIoSocket::connect_with(addr, &self.reactor).await
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Stream> {
        fetch_http::AsyncIoSocket::connect_unix(path).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Without an executor the task is dropped, and with it the connection.
        spawn(self.executor.as_ref(), task);
    }

    async fn sleep(&self, duration: Duration) {
        async_io::Timer::after(duration).await;
    }
}

impl fetch_driver::Adapter for Smol {
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
        let spawned = spawn(self.executor.as_ref(), driver);
        spawned
            .then_some(())
            .ok_or_else(|| BuildError::new("executor", "it was dropped already"))
    }

    fn spawn_thread<F>(
        &self,
        build: impl FnOnce(&Self) -> Result<F, BuildError>,
    ) -> Result<(), BuildError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.executor.is_some() {
            let why = "each has an executor of its own, and so cannot run on yours: leave it at 1, or \
                       take the adapter without an executor";
            return Err(BuildError::new("threads", why));
        }
        let executor = Arc::new(smol::Executor::new());
        let adapter = Self::on(&executor);
        let driver = build(&adapter)?;
        let run = move || adapter.block_on(executor.run(driver));
        let thread = std::thread::Builder::new().name("fetch-all".to_owned());
        let started = thread.spawn(run);
        started.map_err(|error| BuildError::new("threads", error.to_string()))?;
        Ok(())
    }
}
