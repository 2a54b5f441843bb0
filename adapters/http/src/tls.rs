//! https by rustls.

use std::io;
use std::sync::Arc;

use fetch_driver::{Failure, TransportError};
use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::error::told;
use crate::io::Duplex;

/// HTTP/2's name in a TLS handshake.
const HTTP2: &[u8] = b"h2";

/// Whom to trust over https: Mozilla's authorities by default.
///
/// ```
/// let options = fetch_http::TlsOptions::new();
/// ```
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    client: Option<Arc<SingleCertAndKey>>,
    extra: Vec<CertificateDer<'static>>,
    insecure: bool,
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

    /// Trusts the authorities in this PEM text too.
    ///
    /// ```
    /// assert!(fetch_http::TlsOptions::new().add_root_pem(b"no certificate").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the text holds no certificate, or one that cannot be an
    /// authority's.
    pub fn add_root_pem(mut self, pem: &[u8]) -> io::Result<Self> {
        let bad = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let mut store = RootCertStore::empty();
        for cert in CertificateDer::pem_slice_iter(pem) {
            let cert = cert.map_err(|e| bad(format!("the PEM text cannot be read: {e}")))?;
            store
                .add(cert.clone())
                .map_err(|e| bad(format!("not an authority: {e}")))?;
            self.extra.push(cert);
        }
        if store.is_empty() {
            return Err(bad("the PEM text holds no certificate".into()));
        }
        Ok(self)
    }

    /// Shows this certificate to servers that ask for one: the certificate first, then those between
    /// it and the authority, and its private key, unencrypted; both as PEM text.
    ///
    /// ```
    /// let error = fetch_http::TlsOptions::new().client_certificate(b"", b"").unwrap_err();
    /// assert_eq!(error.to_string(), "the certificate's PEM text holds no certificate");
    /// ```
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if either cannot be read, or if the key is another one's.
    pub fn client_certificate(mut self, cert_pem: &[u8], key_pem: &[u8]) -> io::Result<Self> {
        let bad = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert_pem).collect();
        let chain =
            chain.map_err(|e| bad(format!("the certificate's PEM text cannot be read: {e}")))?;
        if chain.is_empty() {
            let text = "the certificate's PEM text holds no certificate";
            return Err(bad(text.into()));
        }
        let key =
            PrivateKeyDer::from_pem_slice(key_pem).map_err(|e| bad(unread_key(key_pem, &e)))?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                bad("the private key does not belong to the certificate".into())
            }
            other => bad(format!(
                "the certificate and its key cannot be used: {other}"
            )),
        })?;
        self.client = Some(Arc::new(SingleCertAndKey::from(certified)));
        Ok(self)
    }

    /// Whether to accept any certificate, as `curl --insecure` does; off by default.
    ///
    /// Anybody on the way can then read and change everything.
    ///
    /// ```
    /// let options = fetch_http::TlsOptions::new().insecure(true);
    /// ```
    #[must_use]
    pub fn insecure(mut self, on: bool) -> Self {
        self.insecure = on;
        self
    }

    /// One configuration for all connections: they share the memory of TLS sessions.
    pub(crate) fn connector(&self, http2: bool) -> TlsConnector {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring knows the default TLS versions");
        let builder = if self.insecure {
            let anyone = Arc::new(Anyone(provider));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        } else {
            let mut roots = RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            };
            roots.add_parsable_certificates(self.extra.iter().cloned());
            builder.with_root_certificates(roots)
        };
        let mut config = match &self.client {
            Some(client) => builder.with_client_cert_resolver(client.clone()),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if http2 && cfg!(feature = "http2") {
            config.alpn_protocols.insert(0, HTTP2.to_vec());
        }
        TlsConnector::from(Arc::new(config))
    }
}

// A record is decrypted into a buffer of rustls and copied from there, whatever it is copied to.
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for TlsStream<S> {}

/// Why a private key cannot be read, without a word of it.
fn unread_key(pem: &[u8], error: &rustls::pki_types::pem::Error) -> String {
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

/// Makes `stream` a TLS stream to `host`, whose certificate must be good for that name.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    connector: &TlsConnector,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>, TransportError> {
    let name = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(name).map_err(|e| {
        told(
            Failure::Tls,
            format!("`{host}` cannot be in a certificate"),
            e,
        )
    })?;
    connector
        .connect(name, stream)
        .await
        .map_err(|error| refused(host, error))
}

/// Whether both sides agreed on HTTP/2.
pub(crate) fn agreed_on_http2<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

fn refused(host: &str, error: io::Error) -> TransportError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => told(
            Failure::Tls,
            format!("the certificate of {host} {}", plain(why)),
            error,
        ),
        Some(rustls::Error::AlertReceived(_)) => {
            told(Failure::Tls, format!("{host} refused the handshake"), error)
        }
        Some(rustls::Error::InvalidMessage(_)) => told(
            Failure::Tls,
            format!("what {host} answers on this port is not TLS"),
            error,
        ),
        Some(_) => told(Failure::Tls, format!("handshake with {host}"), error),
        // Broken before anything of the request was sent, and perhaps whole next time.
        None => told(
            Failure::Connect,
            format!("broken in the TLS handshake with {host}"),
            error,
        ),
    }
}

fn plain(why: &CertificateError) -> &'static str {
    match why {
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
        _ => "is not acceptable",
    }
}

/// Takes every certificate; still checks that the server owns its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
