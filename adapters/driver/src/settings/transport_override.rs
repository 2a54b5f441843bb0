//! An adapter's runtime with a custom transport.

use super::Settings;
use super::adapter::Adapter;
use super::build_error::BuildError;
use crate::transport::Transport;

/// The timer and the executor of an adapter, with another [`Transport`] than the adapter's.
///
/// The transport exists before the [`Settings`] are known, so a setting that only an HTTP client can
/// apply (proxies, certificates, addresses, bounds on connections) is an error when the fetcher is
/// built, rather than ignored: configure your client instead. To apply such settings, implement
/// [`Adapter`].
///
/// ```
/// use fetch_driver::{Builder, FailureKind, IncomingResponse, TransportError, TransportOverride, transport_fn};
/// use fetch_smol::{Policy, Smol, stream};
///
/// // Simulates a network that is down.
/// let down = transport_fn(|_request, _progress| async {
///     type Body = stream::Empty<Result<bytes::Bytes, TransportError>>;
///     Err::<IncomingResponse<Body>, _>(TransportError::new(FailureKind::Connect, "network unreachable"))
/// });
/// let adapter = TransportOverride::new(Smol::default(), down);
/// let fetcher = Builder::new(adapter.clone()).policy(Policy::default().attempts(1)).build()?;
/// let outcome = smol::block_on(fetcher.fetch("http://a.test/"));
/// assert!(outcome.to_string().contains("network unreachable"), "{outcome}");
///
/// let error = Builder::new(adapter).max_connections(5).build().unwrap_err();
/// assert!(error.to_string().starts_with("max_connections: "));
/// # Ok::<(), fetch_driver::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TransportOverride<A, T> {
    adapter: A,
    transport: T,
}

impl<A: Adapter, T: Transport + Clone> TransportOverride<A, T> {
    /// Combines the runtime of `adapter` with `transport`. Each fetcher gets a clone of it.
    ///
    /// ```
    /// # use fetch_driver::{IncomingResponse, OutgoingRequest, TransportError};
    /// use fetch_driver::{TransportOverride, transport_fn};
    /// # type Body = fetch_smol::stream::Empty<Result<bytes::Bytes, TransportError>>;
    /// # async fn send(_: OutgoingRequest) -> Result<IncomingResponse<Body>, TransportError> { unreachable!() }
    ///
    /// let transport = transport_fn(|request, _progress| send(request));
    /// let adapter = TransportOverride::new(fetch_smol::Smol::default(), transport);
    /// ```
    pub fn new(adapter: A, transport: T) -> Self {
        Self { adapter, transport }
    }
}

impl<A: Adapter, T: Transport + Clone> Adapter for TransportOverride<A, T> {
    type Transport = T;
    type Timer = A::Timer;

    fn transport(&self, settings: &Settings) -> Result<T, BuildError> {
        if let Some(setting) = settings.changed_client_setting() {
            let reason = "this fetcher has a custom transport: configure the client behind it, or \
                          implement `Adapter`, which receives the settings";
            return Err(BuildError::new(setting, reason));
        }
        if !T::SEES_CONNECTION && settings.has_first_byte_timeout() {
            let reason = "this transport does not report when it is connected, which is when the \
                          `first_byte` timeout starts: use the `attempt` timeout instead";
            return Err(BuildError::new("timeouts", reason));
        }
        Ok(self.transport.clone())
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        self.adapter.spawn(driver)
    }
}
