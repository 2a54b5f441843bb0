//! What a runtime brings.

use super::Settings;
use super::build_error::BuildError;
use crate::transport::Transport;
use crate::transport::timer::Timer;

/// What a runtime must bring: a way to send, a timer, a place to run the driver.
///
/// One adapter's runtime under another client is [`WithTransport`](crate::WithTransport).
pub trait Adapter: Send + Sync + 'static {
    /// Its HTTP client.
    type Transport: Transport;
    /// Its timer.
    type Timer: Timer;

    /// Makes the HTTP client.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or if the client cannot do what it asks.
    fn transport(&self, settings: &Settings) -> Result<Self::Transport, BuildError>;

    /// Makes the timer.
    fn timer(&self) -> Self::Timer;

    /// Runs `driver` to its end in the background.
    ///
    /// # Errors
    ///
    /// If there is no runtime to run it.
    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError>;

    /// Runs a driver on a thread of its own, until it ends: one of several, by
    /// [`Builder::threads`](crate::Builder::threads). `build` makes it, with the adapter of that
    /// thread. The default refuses.
    ///
    /// # Errors
    ///
    /// If `build` fails, if no thread can be started, or if the adapter has no such threads.
    fn spawn_thread<F>(
        &self,
        build: impl FnOnce(&Self) -> Result<F, BuildError>,
    ) -> Result<(), BuildError>
    where
        F: Future<Output = ()> + Send + 'static,
        Self: Sized,
    {
        let _ = build;
        let why = "this adapter's drivers have no threads of their own: leave it at 1, or take smol \
                   or tokio";
        Err(BuildError::new("threads", why))
    }
}
