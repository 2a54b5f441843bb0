#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

pub use fetch_http::raise_fd_limit;

fetch_driver::export_adapter!(AsyncStd);

/// Runs fetches on async-std's global executor.
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
        let spawn_task = |task| {
            async_std::task::spawn(task);
        };
        Self {
            reactor: fetch_http::Reactor::new(spawn_task),
        }
    }
}

// async-std runs on async-io, so it uses the same sockets and timers as smol.
impl fetch_http::HttpRuntime for AsyncStd {
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
        fetch_http::HttpTransport::from_settings(self.clone(), settings)
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        async_std::task::spawn(driver);
        Ok(())
    }
}
