//! Trust in the authorities of the system.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as ring_provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::tls::webpki_verifier;

/// The verifier of the system, which trusts these authorities, too.
///
/// # Errors
///
/// If the system has no authorities.
pub(crate) fn platform_verifier(
    extra: &[CertificateDer<'static>],
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let provider = Arc::new(ring_provider::default_provider());
    let without_extra = Verifier::new(provider.clone())?;
    if extra.is_empty() {
        return Ok(Arc::new(without_extra));
    }
    with_extra_roots(extra, provider)
}

#[cfg(not(target_os = "android"))]
fn with_extra_roots(
    extra: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let verifier = Verifier::new_with_extra_roots(extra.iter().cloned(), provider)?;
    Ok(Arc::new(verifier))
}

#[cfg(target_os = "android")]
fn with_extra_roots(
    _: &[CertificateDer<'static>],
    _: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let text = "the verifier of this system cannot trust other authorities";
    Err(Error::General(text.into()))
}

/// Verifies as the system does or, if it has no authorities, with those of Mozilla. The system is asked at
/// the first handshake, because it takes milliseconds.
#[derive(Debug)]
pub(crate) struct PlatformOrBuiltIn {
    extra: Vec<CertificateDer<'static>>,
    loaded: OnceLock<Arc<dyn ServerCertVerifier>>,
}

impl PlatformOrBuiltIn {
    pub(crate) fn new(extra: Vec<CertificateDer<'static>>) -> Self {
        let loaded = OnceLock::new();
        Self { extra, loaded }
    }

    fn verifier(&self) -> &dyn ServerCertVerifier {
        let load = || match platform_verifier(&self.extra) {
            Ok(verifier) => verifier,
            Err(error) => {
                log::warn!(
                    target: "fetch_http::tls",
                    "the certificate authorities of this system cannot be used ({error}): those of Mozilla, \
                     which are built in, are trusted"
                );
                let provider = Arc::new(ring_provider::default_provider());
                webpki_verifier(&self.extra, true, provider)
            }
        };
        &**self.loaded.get_or_init(load)
    }
}

impl ServerCertVerifier for PlatformOrBuiltIn {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.verifier();
        verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()
            .verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()
            .verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier().supported_verify_schemes()
    }
}
