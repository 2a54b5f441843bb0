//! TLS: trusted certificates, the client's certificate, and the choice of HTTP/2.

use std::fmt;

/// Which certificates are trusted, and which one is presented.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TlsSettings {
    /// PEM certificates of CAs that are trusted besides the built-in ones.
    pub ca_certificates: Vec<Vec<u8>>,
    /// The certificate that is presented to servers that request one. Default: none.
    pub client_certificate: Option<ClientIdentity>,
    /// Accepts any server certificate. Default no.
    pub insecure: bool,
    /// The public keys of which a server must have one, also with [`insecure`](Self::insecure): SHA-256
    /// digests of the certificate's `SubjectPublicKeyInfo` in DER. Default: any.
    pub pinned_keys: Vec<[u8; 32]>,
    /// The only version that is used. Default: `None`, 1.2 and 1.3.
    pub version: Option<TlsVersion>,
}

/// A version of TLS.
///
/// ```
/// let mut settings = fetch_driver::Settings::default();
/// settings.tls.version = Some(fetch_driver::TlsVersion::Tls13);
/// assert_eq!(settings.tls.first_changed(), Some("version"));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl TlsSettings {
    /// The name of a setting that differs from its default, which a client without TLS cannot apply.
    ///
    /// ```
    /// assert_eq!(fetch_driver::TlsSettings::default().first_changed(), None);
    /// ```
    #[must_use]
    pub fn first_changed(&self) -> Option<&'static str> {
        if !self.ca_certificates.is_empty() {
            Some("ca_certificates")
        } else if self.client_certificate.is_some() {
            Some("client_certificate")
        } else if self.insecure {
            Some("insecure")
        } else if !self.pinned_keys.is_empty() {
            Some("pinned_keys")
        } else {
            self.version.map(|_| "version")
        }
    }
}

/// When HTTP/2 is used.
///
/// ```
/// use fetch_driver::Http2Mode;
/// assert_eq!(Http2Mode::default(), Http2Mode::Auto);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Http2Mode {
    /// Over https, where the server selects it in the TLS handshake (ALPN); never over plain http. A
    /// client built without HTTP/2 does not offer it.
    #[default]
    Auto,
    /// Never.
    Off,
    /// As [`Auto`](Self::Auto) over https, and always over plain http, where it cannot be negotiated:
    /// requests to servers that support HTTP/1.1 only fail.
    PriorKnowledge,
}

/// A client's certificate and its private key.
///
/// Its `Debug` form does not show the key.
///
/// ```
/// use fetch_driver::ClientIdentity;
/// let identity = ClientIdentity { cert_pem: b"...".to_vec(), key_pem: b"secret".to_vec() };
/// assert_eq!(format!("{identity:?}"), "ClientIdentity(3 bytes of PEM, and a key)");
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct ClientIdentity {
    /// The certificate, followed by the intermediate certificates up to the CA, as PEM text.
    pub cert_pem: Vec<u8>,
    /// The certificate's private key as unencrypted PEM text: PKCS#8, PKCS#1 or SEC1.
    pub key_pem: Vec<u8>,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.cert_pem.len();
        write!(f, "ClientIdentity({length} bytes of PEM, and a key)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_setting_is_found_by_its_name_and_no_key_is_shown() {
        let identity = ClientIdentity {
            cert_pem: b"cert".to_vec(),
            key_pem: b"secret".to_vec(),
        };
        let mut tls = TlsSettings::default();
        assert_eq!(tls.first_changed(), None);
        tls.version = Some(TlsVersion::Tls12);
        assert_eq!(tls.first_changed(), Some("version"));
        tls.pinned_keys.push([0; 32]);
        assert_eq!(tls.first_changed(), Some("pinned_keys"));
        tls.insecure = true;
        assert_eq!(tls.first_changed(), Some("insecure"));
        tls.client_certificate = Some(identity);
        assert_eq!(tls.first_changed(), Some("client_certificate"));
        assert!(!format!("{tls:?}").contains(&format!("{:?}", b"secret")));
        tls.ca_certificates.push(Vec::new());
        assert_eq!(tls.first_changed(), Some("ca_certificates"));
    }
}
