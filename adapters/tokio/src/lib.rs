#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod socket;
mod timer;

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

pub use fetch_http::raise_fd_limit;
use tokio::runtime::Handle;

pub use crate::socket::TokioSocket;
pub use crate::timer::TokioTimer;

fetch_driver::export_adapter!(Tokio);

/// Runs fetches on the tokio runtime in which the fetcher is built.
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
    type Stream = TokioSocket;

    async fn connect(&self, addr: SocketAddr) -> io::Result<TokioSocket> {
        TokioSocket::connect(addr).await
    }

    async fn connect_from(
        &self,
        addr: SocketAddr,
        local: &fetch_driver::LocalAddress,
    ) -> io::Result<TokioSocket> {
        TokioSocket::connect_from(addr, local).await
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<TokioSocket> {
        TokioSocket::connect_unix(path).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Called from the driver only, which runs on a runtime.
        tokio::spawn(task);
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl fetch_driver::Adapter for Tokio {
    type Transport = fetch_http::HttpTransport<Self>;
    type Timer = TokioTimer;

    fn transport(&self, settings: &fetch_driver::Settings) -> Result<Self::Transport, BuildError> {
        current_runtime()?;
        fetch_http::HttpTransport::from_settings(*self, settings)
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        current_runtime()?.spawn(driver);
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
            let _guard = runtime.enter();
            build(self)?
        };
        let thread = std::thread::Builder::new().name("fetch-all".to_owned());
        thread
            .spawn(move || runtime.block_on(driver))
            .map_err(failed)?;
        Ok(())
    }
}

/// The runtime of the caller.
fn current_runtime() -> Result<Handle, BuildError> {
    Handle::try_current().map_err(|_| {
        let advice = "fetch_tokio works inside a tokio runtime only: call it from an async fn under \
                      #[tokio::main], or use the adapter of the runtime you have";
        BuildError::new("runtime", advice)
    })
}
