#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod timer;

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

pub use fetch_http::raise_fd_limit;
use smol::future;

pub use crate::timer::SmolTimer;
use crate::timer::take_yielded;

fetch_driver::export_adapter!(Smol);

/// Runs fetches on smol's global executor, or on an executor of the program.
///
/// ```
/// use std::sync::Arc;
/// use fetch_smol::{Builder, Smol};
/// # let site = fetch_testbed::Site::start()?;
/// # let url = site.url("/get");
///
/// // Everything runs on this thread, so no response wakes another one.
/// let executor = Arc::new(smol::Executor::new());
/// let adapter = Smol::on(&executor);
/// let fetcher = Builder::new(adapter.clone()).build()?;
/// let outcome = adapter.run(fetcher.fetch(&url));
/// assert!(outcome.is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Smol {
    /// `None` is the global executor. Weak, because tasks on the executor hold this value and must not
    /// keep the executor alive.
    executor: Option<Weak<smol::Executor<'static>>>,
    reactor: fetch_http::Reactor,
}

impl Smol {
    /// Runs fetches on `executor`, which the program must run. When it is dropped, all fetches on it end
    /// with [`ErrorKind::Stopped`].
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
        let task_executor = executor.clone();
        let spawn_task = move |task| {
            spawn(task_executor.as_ref(), task);
        };
        Self {
            executor,
            reactor: fetch_http::Reactor::new(spawn_task),
        }
    }

    /// Runs `future` and the tasks of this adapter's executor on this thread, until `future` has ended.
    /// If everything runs on one executor, this needs the fewest system calls. On the global executor
    /// it is the same as `smol::block_on`.
    ///
    /// Unlike `executor.run`, which runs up to 200 tasks before it looks for new events of sockets, this
    /// does so after a millisecond at the latest, and whenever a fetcher yields. Servers that send as fast as
    /// they are read then cannot delay other fetches.
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
    /// let outcome = adapter.run(fetcher.fetch(&url));
    /// assert!(outcome.is_success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        match &self.executor {
            None => smol::block_on(future),
            Some(executor) => self.reactor.block_on(async {
                match executor.upgrade() {
                    Some(executor) => future::or(future, run_tasks(&executor)).await,
                    None => future.await,
                }
            }),
        }
    }

    /// Runs `future` to its end on this thread, which also waits for the sockets of this adapter's
    /// fetchers. Unlike [`Smol::run`], it does not run the tasks of the adapter's executor: `future`
    /// does. On the global executor it is the same as `smol::block_on`.
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

/// The longest time for which tasks run before the thread looks for new events, unless one task takes
/// longer.
const MAX_TURN: Duration = Duration::from_millis(1);

/// The most tasks that run before the thread looks for new events.
const MAX_TASKS: usize = 200;

/// Runs the tasks of `executor`, in turns. Never ends.
async fn run_tasks<T>(executor: &smol::Executor<'_>) -> T {
    loop {
        executor.tick().await;
        let (mut tasks, mut since) = (0, None);
        while executor.try_tick() {
            tasks += 1;
            let now = Instant::now();
            let turn = now.saturating_duration_since(*since.get_or_insert(now));
            if take_yielded() || tasks >= MAX_TASKS || turn >= MAX_TURN {
                future::yield_now().await;
                (tasks, since) = (0, None);
            }
        }
    }
}

/// Spawns `task` on the executor, or on the global one if there is none. Returns whether the executor
/// still exists.
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

    async fn connect_from(
        &self,
        addr: SocketAddr,
        local: &fetch_driver::LocalAddress,
    ) -> io::Result<Self::Stream> {
        fetch_http::AsyncIoSocket::connect_from(addr, local, &self.reactor).await
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Stream> {
        fetch_http::AsyncIoSocket::connect_unix(path).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // If the executor was dropped, the task is dropped, and the connection with it.
        spawn(self.executor.as_ref(), task);
    }

    async fn sleep(&self, duration: Duration) {
        async_io::Timer::after(duration).await;
    }
}

impl fetch_driver::Adapter for Smol {
    type Transport = fetch_http::HttpTransport<Self>;
    type Timer = SmolTimer;

    fn transport(&self, settings: &fetch_driver::Settings) -> Result<Self::Transport, BuildError> {
        fetch_http::HttpTransport::from_settings(self.clone(), settings)
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
            let reason = "each has an executor of its own, and so cannot run on yours: leave it at 1, or \
                          take the adapter without an executor";
            return Err(BuildError::new("threads", reason));
        }
        let executor = Arc::new(smol::Executor::new());
        let adapter = Self::on(&executor);
        let driver = build(&adapter)?;
        // The thread owns the executor: the adapter has a weak reference.
        let run = move || {
            let _executor = executor;
            adapter.run(driver);
        };
        let thread = std::thread::Builder::new().name("fetch-all".to_owned());
        let started = thread.spawn(run);
        started.map_err(|error| BuildError::new("threads", error.to_string()))?;
        Ok(())
    }
}
