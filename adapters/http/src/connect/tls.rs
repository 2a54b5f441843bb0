//! TLS by rustls, with ring.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use fetch_driver::{FailureKind, FailureReason, TlsVersion, TransportError};
use futures_io::{AsyncRead, AsyncWrite};
use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as ring_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, PeerIncompatible,
    RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

use super::any_certificate::{AcceptAnyCertificate, public_key};
use crate::error::{describe, spaced_words};
use crate::io::tls_stream::TlsStream;

/// The ALPN protocol ID of HTTP/2.
const ALPN_HTTP2: &[u8] = b"h2";

/// Trusted authorities and the client certificate for https. By default, Mozilla's authorities are
/// trusted.
///
/// ```
/// let options = fetch_http::TlsOptions::new();
/// ```
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    custom: Option<Arc<ClientConfig>>,
    client: Option<Arc<SingleCertAndKey>>,
    pub(crate) extra_roots: Vec<CertificateDer<'static>>,
    insecure: bool,
    key_log: bool,
    min_version: TlsVersion,
    only_extra_roots: bool,
    pinned_keys: Vec<[u8; 32]>,
    /// In place of one for Mozilla's authorities and those that are added.
    pub(crate) verifier: Option<Arc<dyn ServerCertVerifier>>,
    version: Option<TlsVersion>,
}

impl TlsOptions {
    /// The defaults.
    ///
    /// ```
    /// let options = fetch_http::TlsOptions::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also trusts the authorities in this PEM text.
    ///
    /// ```
    /// assert!(fetch_http::TlsOptions::new().add_root_pem(b"no certificate").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the text holds no certificate, or one that is not an
    /// authority's.
    pub fn add_root_pem(mut self, pem: &[u8]) -> io::Result<Self> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let mut store = RootCertStore::empty();
        for cert in CertificateDer::pem_slice_iter(pem) {
            let cert = cert.map_err(|e| invalid(format!("the PEM text cannot be read: {e}")))?;
            store
                .add(cert.clone())
                .map_err(|e| invalid(format!("not an authority: {e}")))?;
            self.extra_roots.push(cert);
        }
        if store.is_empty() {
            return Err(invalid("the PEM text holds no certificate".into()));
        }
        Ok(self)
    }

    /// The certificate for servers that request one, as PEM text: the chain, its own certificate first,
    /// and its unencrypted private key.
    ///
    /// ```
    /// let error = fetch_http::TlsOptions::new().client_certificate(b"", b"").unwrap_err();
    /// assert_eq!(error.to_string(), "the certificate's PEM text holds no certificate");
    /// ```
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if either cannot be read, or if the key belongs to another
    /// certificate.
    pub fn client_certificate(mut self, cert_pem: &[u8], key_pem: &[u8]) -> io::Result<Self> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert_pem).collect();
        let chain = chain
            .map_err(|e| invalid(format!("the certificate's PEM text cannot be read: {e}")))?;
        if chain.is_empty() {
            let text = "the certificate's PEM text holds no certificate";
            return Err(invalid(text.into()));
        }
        let key =
            PrivateKeyDer::from_pem_slice(key_pem).map_err(|e| invalid(key_error(key_pem, &e)))?;
        let certified = CertifiedKey::from_der(chain, key, &ring_provider::default_provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                invalid("the private key does not belong to the certificate".into())
            }
            other => invalid(format!(
                "the certificate and its key cannot be used: {other}"
            )),
        })?;
        self.client = Some(Arc::new(SingleCertAndKey::from(certified)));
        Ok(self)
    }

    /// Whether to accept any certificate, as `curl --insecure` does; off by default.
    ///
    /// Anyone on the network path can then read and change the traffic.
    ///
    /// ```
    /// let options = fetch_http::TlsOptions::new().insecure(true);
    /// ```
    #[must_use]
    pub fn insecure(mut self, on: bool) -> Self {
        self.insecure = on;
        self
    }

    /// Uses this configuration in place of all other options. The protocols that it offers (ALPN) are
    /// replaced.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use rustls::{ClientConfig, RootCertStore, crypto::ring};
    ///
    /// let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(RootCertStore::empty())
    ///     .with_no_client_auth();
    /// let options = fetch_http::TlsOptions::new().client_config(Arc::new(config));
    /// # Ok::<(), rustls::Error>(())
    /// ```
    #[must_use]
    pub fn client_config(mut self, config: impl Into<Option<Arc<ClientConfig>>>) -> Self {
        self.custom = config.into();
        self
    }

    /// Sets whether the secrets of connections are written to the file that `SSLKEYLOGFILE` names; off by
    /// default.
    ///
    /// ```
    /// let options = fetch_http::TlsOptions::new().key_log(true);
    /// ```
    #[must_use]
    pub fn key_log(mut self, on: bool) -> Self {
        self.key_log = on;
        self
    }

    /// Sets the oldest version of TLS; by default 1.2.
    ///
    /// ```
    /// let options = fetch_http::TlsOptions::new().min_version(fetch_driver::TlsVersion::Tls13);
    /// ```
    #[must_use]
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// Trusts only the authorities that [`add_root_pem`](Self::add_root_pem) adds; off by default. Without
    /// any, no server is trusted.
    ///
    /// ```
    /// let options = fetch_http::TlsOptions::new().only_extra_roots(true);
    /// ```
    #[must_use]
    pub fn only_extra_roots(mut self, on: bool) -> Self {
        self.only_extra_roots = on;
        self
    }

    /// Accepts only servers with one of these public keys, also if certificates are not checked. They are
    /// given as SHA-256 digests of the certificate's `SubjectPublicKeyInfo` in DER; by default any key is
    /// accepted.
    ///
    /// ```
    /// let options = fetch_http::TlsOptions::new().pinned_keys([[7; 32]]);
    /// ```
    #[must_use]
    pub fn pinned_keys(mut self, digests: impl IntoIterator<Item = [u8; 32]>) -> Self {
        self.pinned_keys = digests.into_iter().collect();
        self
    }

    /// Uses only this version of TLS; by default 1.2 and 1.3.
    ///
    /// ```
    /// let options = fetch_http::TlsOptions::new().version(fetch_driver::TlsVersion::Tls13);
    /// ```
    #[must_use]
    pub fn version(mut self, version: impl Into<Option<TlsVersion>>) -> Self {
        self.version = version.into();
        self
    }

    /// The versions that are offered.
    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        match self.version {
            Some(TlsVersion::Tls12) => vec![&TLS12],
            Some(TlsVersion::Tls13) => vec![&TLS13],
            _ if self.min_version == TlsVersion::Tls13 => vec![&TLS13],
            _ => rustls::DEFAULT_VERSIONS.to_vec(),
        }
    }

    /// One configuration for all connections, so that they share TLS sessions.
    pub(crate) fn config(&self, http2: bool) -> Arc<ClientConfig> {
        let mut config = match &self.custom {
            Some(custom) => (**custom).clone(),
            None => self.build_config(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if http2 && cfg!(feature = "http2") {
            config.alpn_protocols.insert(0, ALPN_HTTP2.to_vec());
        }
        Arc::new(config)
    }

    /// The configuration that these options describe.
    fn build_config(&self) -> ClientConfig {
        let provider = Arc::new(ring_provider::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions())
            .expect("ring knows these TLS versions");
        let verifier: Arc<dyn ServerCertVerifier> = match &self.verifier {
            _ if self.insecure => Arc::new(AcceptAnyCertificate(provider)),
            Some(verifier) => verifier.clone(),
            None => {
                let built_in = !self.only_extra_roots || self.extra_roots.is_empty();
                webpki_verifier(&self.extra_roots, built_in, provider)
            }
        };
        // Without any authority, no key is accepted.
        let trusts_none = self.only_extra_roots && self.extra_roots.is_empty() && !self.insecure;
        let verifier = match self.pinned_keys.is_empty() && !trusts_none {
            true => verifier,
            false => Arc::new(PinnedKeys {
                digests: match trusts_none {
                    true => Vec::new(),
                    false => self.pinned_keys.clone(),
                },
                verifier,
            }),
        };
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.client {
            Some(client) => builder.with_client_cert_resolver(client.clone()),
            None => builder.with_no_client_auth(),
        };
        if self.key_log {
            config.key_log = Arc::new(rustls::KeyLogFile::new());
        }
        config
    }
}

/// Trusts these authorities and, if `built_in`, those of Mozilla. There is at least one of either.
pub(super) fn webpki_verifier(
    extra: &[CertificateDer<'static>],
    built_in: bool,
    provider: Arc<CryptoProvider>,
) -> Arc<dyn ServerCertVerifier> {
    let mut roots = RootCertStore::empty();
    if built_in {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots.add_parsable_certificates(extra.iter().cloned());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .expect("there are trusted authorities")
}

/// Why a private key cannot be read, without quoting it.
fn key_error(pem: &[u8], error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    let encrypted = pem.windows(9).any(|window| window == b"ENCRYPTED");
    match error {
        _ if encrypted => "the private key is encrypted: decrypt it first".into(),
        Error::NoItemsFound => "the key's PEM text holds no private key".into(),
        Error::MissingSectionEnd { .. } => "the key's PEM text is cut short".into(),
        Error::Base64Decode(_) => "the key's PEM text is not Base64".into(),
        _ => "the key's PEM text cannot be read".into(),
    }
}

/// Does the handshake over `stream`. The server's certificate must be valid for `host`.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>, TransportError> {
    let name = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(name).map_err(|e| {
        describe(
            FailureKind::Tls,
            format!("`{host}` is no valid name for a certificate"),
            e,
        )
        .with_reason(FailureReason::Certificate)
    })?;
    TlsStream::connect(config.clone(), name, stream)
        .await
        .map_err(|error| handshake_error(host, error))
}

/// Whether the handshake negotiated HTTP/2.
pub(crate) fn has_negotiated_http2<S>(stream: &TlsStream<S>) -> bool {
    stream.session().alpn_protocol() == Some(ALPN_HTTP2)
}

/// The certificates that the server sent, as DER.
pub(crate) fn peer_certificates<S>(stream: &TlsStream<S>) -> Arc<[Vec<u8>]> {
    let certificates = stream.session().peer_certificates().into_iter().flatten();
    certificates.map(|der| der.to_vec()).collect()
}

fn handshake_error(host: &str, error: io::Error) -> TransportError {
    let error = native_handshake_error(host, error);
    match error.reason() {
        None => error.with_reason(FailureReason::TlsHandshake),
        Some(_) => error,
    }
}

fn native_handshake_error(host: &str, error: io::Error) -> TransportError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => {
            let text = format!("the certificate of {host} {}", certificate_problem(why));
            let reason = match why {
                CertificateError::ApplicationVerificationFailure => FailureReason::PinnedKey,
                _ => FailureReason::Certificate,
            };
            TransportError::new(FailureKind::Tls, text).with_reason(reason)
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            let text = match alert {
                AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                    format!("{host} shares no cipher suite with this client")
                }
                AlertDescription::ProtocolVersion => format!("{host} {OTHER_TLS}"),
                _ => format!("{host} refused the handshake"),
            };
            let text = format!("{text} (alert {})", spaced_words(&format!("{alert:?}")));
            TransportError::new(FailureKind::Tls, text)
        }
        Some(rustls::Error::PeerIncompatible(why)) => {
            let text = match why {
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
                    format!("{host} {OTHER_TLS}")
                }
                _ => format!("{host} and this client have no way to do TLS in common"),
            };
            let why = spaced_words(&format!("{why:?}"));
            TransportError::new(FailureKind::Tls, format!("{text} ({why})"))
        }
        Some(rustls::Error::InvalidMessage(_)) => TransportError::new(
            FailureKind::Tls,
            format!("{host} answers on this port, but not TLS"),
        ),
        Some(_) => describe(FailureKind::Tls, format!("handshake with {host}"), error),
        // The connection broke before any part of the request was sent: it may be retried.
        None => describe(
            FailureKind::Connect,
            format!("connection lost in the TLS handshake with {host}"),
            error,
        ),
    }
}

/// The relation of a server that is older than TLS 1.2, or does not speak the version that is set.
const OTHER_TLS: &str = "has no version of TLS in common with this client";

fn certificate_problem(why: &CertificateError) -> Cow<'static, str> {
    let text = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet (is this machine's clock right?)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name"
        }
        CertificateError::UnknownIssuer => {
            "is not signed by a trusted authority (one can be added as PEM)"
        }
        CertificateError::Revoked => "was revoked",
        CertificateError::ApplicationVerificationFailure => {
            "has another public key than those that are pinned"
        }
        CertificateError::Other(other) => {
            let why = spaced_words(&other.to_string());
            return format!("is not acceptable: {why}").into();
        }
        _ => return format!("is not acceptable: {}", spaced_words(&why.to_string())).into(),
    };
    text.into()
}

/// Accepts what another verifier accepts, if the server's key is one of those that are pinned.
#[derive(Debug)]
struct PinnedKeys {
    /// SHA-256 of keys in DER.
    digests: Vec<[u8; 32]>,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for PinnedKeys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.verifier
                .verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        let key = public_key(end_entity).ok_or(CertificateError::BadEncoding)?;
        let found = digest(&SHA256, key.der);
        match self.digests.iter().any(|pinned| pinned == found.as_ref()) {
            true => Ok(verified),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
