//! Settings of the builder: TLS, HTTP/2 and the connection pool.

use std::time::Duration;

use super::Builder;
use crate::settings::adapter::Adapter;
use crate::settings::tls::{ClientIdentity, CustomTlsConfig, Http2Mode, TlsVersion, TrustedRoots};

impl<A: Adapter> Builder<A> {
    /// Trusts the CA certificates in this PEM text besides [`trusted_roots`](Self::trusted_roots).
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

    /// Sets how long the body of a request with `Expect: 100-continue` waits for the answer before it is
    /// sent without. Default 1 s.
    ///
    /// ```
    /// let limit = std::time::Duration::from_secs(3);
    /// let builder = fetch_smol::Fetcher::builder().expect_timeout(limit);
    /// ```
    pub fn expect_timeout(mut self, limit: Duration) -> Self {
        self.settings.expect_timeout = limit;
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

    /// Sets the oldest version of TLS that is used. Default: 1.2.
    ///
    /// ```
    /// use fetch_driver::TlsVersion;
    /// let builder = fetch_smol::Fetcher::builder().min_tls_version(TlsVersion::Tls13);
    /// ```
    pub fn min_tls_version(mut self, version: TlsVersion) -> Self {
        self.settings.tls.min_version = version;
        self
    }

    /// Accepts only servers whose public key has this SHA-256 digest, that of the `SubjectPublicKeyInfo` in
    /// DER, or one of those that other calls add. Default: any key.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().pinned_key([7; 32]).pinned_key([8; 32]);
    /// ```
    pub fn pinned_key(mut self, digest: [u8; 32]) -> Self {
        self.settings.tls.pinned_keys.push(digest);
        self
    }

    /// Uses this `rustls::ClientConfig` (rustls 0.23) in place of all other settings of TLS: other
    /// cryptography, a verifier of your own, session storage. The protocols that it offers (ALPN) are
    /// replaced by those of [`http2`](Self::http2). On smol, tokio and async-std.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use rustls::{ClientConfig, RootCertStore, crypto::ring};
    ///
    /// let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(RootCertStore::empty())
    ///     .with_no_client_auth();
    /// let fetcher = fetch_smol::Fetcher::builder().tls_config(config).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tls_config(mut self, config: impl std::any::Any + Send + Sync) -> Self {
        self.settings.tls.client_config = Some(CustomTlsConfig::new(config));
        self
    }

    /// Sets whether the secrets of connections are written to the file that the environment variable
    /// `SSLKEYLOGFILE` names, so that Wireshark can decrypt what is recorded. Default no.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().tls_key_log(true);
    /// ```
    pub fn tls_key_log(mut self, enabled: bool) -> Self {
        self.settings.tls.key_log = enabled;
        self
    }

    /// Uses only this version of TLS. Default: from [`min_tls_version`](Self::min_tls_version) to 1.3.
    ///
    /// ```
    /// use fetch_driver::TlsVersion;
    /// let builder = fetch_smol::Fetcher::builder().tls_version(TlsVersion::Tls12);
    /// ```
    pub fn tls_version(mut self, version: TlsVersion) -> Self {
        self.settings.tls.version = Some(version);
        self
    }

    /// Sets which CAs are trusted besides those that [`ca_certificate`](Self::ca_certificate) adds.
    /// Default: Mozilla's, which are built in.
    ///
    /// ```
    /// use fetch_driver::TrustedRoots;
    /// # let site = fetch_testbed::Site::builder().tls(fetch_testbed::Certificate::Good).start()?;
    /// # let pem = site.ca_pem().unwrap();
    /// let builder = fetch_smol::Fetcher::builder();
    /// let builder = builder.trusted_roots(TrustedRoots::None).ca_certificate(pem);
    /// assert!(smol::block_on(builder.build()?.get(site.url("/get"))).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trusted_roots(mut self, roots: TrustedRoots) -> Self {
        self.settings.tls.trusted_roots = roots;
        self
    }
}
