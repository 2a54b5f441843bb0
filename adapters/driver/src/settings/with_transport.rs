//! An adapter's runtime under a transport of your own.

use crate::settings::Settings;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;
use crate::settings::tls::Http2;
use crate::transport::Transport;

/// The timer and the executor of an adapter, with another [`Transport`] than the adapter's.
///
/// The transport was made before the [`Settings`] were known, so what they ask of an HTTP client
/// (proxies, certificates, addresses, bounds on connections) is an error when the fetcher is built,
/// rather than ignored: set it at your client. To obey such settings, implement [`Adapter`].
///
/// ```
/// use fetch_driver::{Builder, Failure, Incoming, TransportError, WithTransport, transport_fn};
/// use fetch_smol::{Policy, Smol, stream};
///
/// // The network is down.
/// let down = transport_fn(|_request, _marks| async {
///     type Body = stream::Empty<Result<bytes::Bytes, TransportError>>;
///     Err::<Incoming<Body>, _>(TransportError::new(Failure::Connect, "the cable is out"))
/// });
/// let adapter = WithTransport::new(Smol::default(), down);
/// let fetcher = Builder::new(adapter.clone()).policy(Policy::default().attempts(1)).build()?;
/// let outcome = smol::block_on(fetcher.fetch("http://a.test/"));
/// assert!(outcome.to_string().contains("the cable is out"), "{outcome}");
///
/// let error = Builder::new(adapter).max_connections(5).build().unwrap_err();
/// assert!(error.to_string().starts_with("max_connections: "));
/// # Ok::<(), fetch_driver::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct WithTransport<A, T> {
    adapter: A,
    transport: T,
}

impl<A: Adapter, T: Transport + Clone> WithTransport<A, T> {
    /// The runtime of `adapter`, and `transport`, of which each fetcher gets a clone.
    ///
    /// ```
    /// # use fetch_driver::{Incoming, Outgoing, TransportError};
    /// use fetch_driver::{WithTransport, transport_fn};
    /// # type Body = fetch_smol::stream::Empty<Result<bytes::Bytes, TransportError>>;
    /// # async fn send(_: Outgoing) -> Result<Incoming<Body>, TransportError> { unreachable!() }
    ///
    /// let transport = transport_fn(|request, _marks| send(request));
    /// let adapter = WithTransport::new(fetch_smol::Smol::default(), transport);
    /// ```
    pub fn new(adapter: A, transport: T) -> Self {
        Self { adapter, transport }
    }
}

impl<A: Adapter, T: Transport + Clone> Adapter for WithTransport<A, T> {
    type Transport = T;
    type Timer = A::Timer;

    fn transport(&self, settings: &Settings) -> Result<T, BuildError> {
        refuse_what_clients_do(settings)?;
        if !T::SEES_CONNECTION {
            refuse_first_byte(settings)?;
        }
        Ok(self.transport.clone())
    }

    fn timer(&self) -> A::Timer {
        self.adapter.timer()
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        self.adapter.spawn(driver)
    }
}

fn refuse_what_clients_do(settings: &Settings) -> Result<(), BuildError> {
    let usual = Settings::default();
    let asked = [
        ("ca_certificates", !settings.ca_certificates.is_empty()),
        ("client_certificate", settings.client_certificate.is_some()),
        ("connect_to", !settings.connect_to.is_empty()),
        ("dns_ttl", settings.dns_ttl != usual.dns_ttl),
        ("http2", settings.http2 != Http2::Auto),
        ("idle_timeout", settings.idle_timeout != usual.idle_timeout),
        ("insecure", settings.insecure),
        ("max_connections", settings.max_connections.is_some()),
        ("proxy", !settings.proxy.is_empty()),
        ("resolve", !settings.resolve.is_empty()),
        ("unix_socket", settings.unix_socket.is_some()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((setting, _)) => {
            let why = "this fetcher has a transport of your own: set it at the client behind that, \
                       or implement `Adapter`, which is given the settings";
            Err(BuildError::new(setting, why))
        }
        None => Ok(()),
    }
}

fn refuse_first_byte(settings: &Settings) -> Result<(), BuildError> {
    let rules = &settings.rules;
    let policies = rules.iter().map(|(_, policy)| policy);
    let mut policies = policies.chain([rules.default_policy()]);
    if policies.any(|policy| policy.timeouts_ref().first_byte.is_some()) {
        let why = "this transport does not tell when it is connected, from where `first_byte` runs: \
                   limit the `attempt` instead";
        return Err(BuildError::new("timeouts", why));
    }
    Ok(())
}
