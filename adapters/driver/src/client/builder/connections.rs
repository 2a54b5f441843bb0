//! Settings of the builder: TLS, HTTP/2 and the connection pool.

use std::time::Duration;

use super::Builder;
use crate::settings::adapter::Adapter;
use crate::settings::tls::{ClientIdentity, Http2Mode};

impl<A: Adapter> Builder<A> {
    /// Trusts the CA certificates in this PEM text besides the built-in ones.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::builder().tls(fetch_testbed::Certificate::Good).start()?;
    /// let fetcher = fetch_smol::Fetcher::builder().ca_certificate(site.ca_pem().unwrap()).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.settings.tls.ca_certificates.push(pem.into());
        self
    }

    /// Presents this certificate, with its key, to servers that request one. Both are PEM text: see
    /// [`ClientIdentity`].
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().client_certificate("no PEM", "no key");
    /// let error = builder.build().unwrap_err();
    /// assert!(error.to_string().starts_with("client_certificate: "));
    /// ```
    pub fn client_certificate(
        mut self,
        cert_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.settings.tls.client_certificate = Some(ClientIdentity {
            cert_pem: cert_pem.into(),
            key_pem: key_pem.into(),
        });
        self
    }

    /// Accepts any server certificate, so TLS no longer protects against an attacker. Default no.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().danger_accept_invalid_certs(true);
    /// ```
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.settings.tls.insecure = accept;
        self
    }

    /// Sets when HTTP/2 is used. Default [`Http2Mode::Auto`]: where client and server agree on it.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().http2(fetch_driver::Http2Mode::Off);
    /// ```
    pub fn http2(mut self, mode: Http2Mode) -> Self {
        self.settings.http2 = mode;
        self
    }

    /// Sets how long an idle connection stays open. Default 90 s.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().idle_timeout(std::time::Duration::from_secs(10));
    /// ```
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.pool.idle_timeout = timeout;
        self
    }

    /// Sets the most connections of all threads together, idle ones included. Default 2 × the
    /// concurrency, but no less than 1,024:
    /// [`PoolSettings::max_connections`](field@crate::PoolSettings::max_connections) says why.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().concurrency(50).max_connections(50);
    /// ```
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.pool.max_connections = Some(connections);
        self
    }
}
