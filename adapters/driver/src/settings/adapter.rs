//! What a runtime provides.

use super::Settings;
use super::build_error::BuildError;
use crate::transport::Transport;
use crate::transport::timer::Timer;

/// What a runtime provides: an HTTP client, a timer, and an executor for the driver.
///
/// [`TransportOverride`](crate::TransportOverride) combines an adapter's runtime with another client.
pub trait Adapter: Send + Sync + 'static {
    /// The HTTP client.
    type Transport: Transport;
    /// The timer. It is created when the fetcher is built, which may be outside the runtime.
    type Timer: Timer + Default;

    /// Creates the HTTP client.
    ///
    /// # Errors
    ///
    /// If a setting is invalid, or if the client cannot apply it.
    fn transport(&self, settings: &Settings) -> Result<Self::Transport, BuildError>;

    /// Runs `driver` to its end in the background.
    ///
    /// # Errors
    ///
    /// If there is no runtime to run it.
    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError>;

    /// Runs one of several drivers on a separate thread until it ends: see
    /// [`Builder::threads`](crate::Builder::threads). `build` creates the driver from the adapter of
    /// that thread. The default implementation returns an error.
    ///
    /// # Errors
    ///
    /// If `build` fails, if no thread can be started, or if the adapter supports one thread only.
    fn spawn_thread<F>(
        &self,
        build: impl FnOnce(&Self) -> Result<F, BuildError>,
    ) -> Result<(), BuildError>
    where
        F: Future<Output = ()> + Send + 'static,
        Self: Sized,
    {
        let _ = build;
        let reason = "this adapter supports one thread only: set 1, or use smol or tokio";
        Err(BuildError::new("threads", reason))
    }
}
