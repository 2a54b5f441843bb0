//! TLS: trusted certificates, the client's certificate, and the choice of HTTP/2.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Which certificates are trusted, and which one is presented.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TlsSettings {
    /// PEM certificates of CAs that are trusted besides [`trusted_roots`](Self::trusted_roots).
    pub ca_certificates: Vec<Vec<u8>>,
    /// The certificate that is presented to servers that request one. Default: none.
    pub client_certificate: Option<ClientIdentity>,
    /// A `rustls::ClientConfig` that replaces all other settings here. Default: none.
    pub client_config: Option<CustomTlsConfig>,
    /// Accepts any server certificate. Default no.
    pub insecure: bool,
    /// Whether the secrets of connections are written to the file that the environment variable
    /// `SSLKEYLOGFILE` names, so that Wireshark can decrypt them. Default no.
    pub key_log: bool,
    /// The oldest version that is used. Default: 1.2.
    pub min_version: TlsVersion,
    /// The public keys of which a server must have one, also with [`insecure`](Self::insecure): SHA-256
    /// digests of the certificate's `SubjectPublicKeyInfo` in DER. Default: any.
    pub pinned_keys: Vec<[u8; 32]>,
    /// Which CAs are trusted. Default: Mozilla's.
    pub trusted_roots: TrustedRoots,
    /// The only version that is used. Default: `None`, 1.2 and 1.3.
    pub version: Option<TlsVersion>,
}

/// The CAs that are trusted besides those that are added one by one.
///
/// ```
/// use fetch_driver::TrustedRoots;
/// assert_eq!(TrustedRoots::default(), TrustedRoots::BuiltIn);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TrustedRoots {
    /// Mozilla's, which are built in. surf has those of the system instead.
    #[default]
    BuiltIn,
    /// None: only those that are added. Not with surf.
    None,
    /// Those of the system. On macOS and Windows its verifier decides; elsewhere its CA certificates are
    /// read, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name. On smol, tokio and async-std it needs the
    /// feature `platform-verifier`; isahc does not do it.
    Platform,
    /// Like [`Platform`](Self::Platform). If the system has none, [`BuiltIn`](Self::BuiltIn), with a
    /// warning in the log. The system is asked when the first connection uses TLS.
    PlatformOrBuiltIn,
}

/// A version of TLS.
///
/// ```
/// let mut settings = fetch_driver::Settings::default();
/// settings.tls.version = Some(fetch_driver::TlsVersion::Tls13);
/// assert_eq!(settings.tls.first_changed(), Some("version"));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
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
        let default = Self::default();
        let changed = [
            ("ca_certificates", !self.ca_certificates.is_empty()),
            ("client_config", self.client_config.is_some()),
            ("client_certificate", self.client_certificate.is_some()),
            ("insecure", self.insecure),
            ("key_log", self.key_log),
            ("min_version", self.min_version != default.min_version),
            ("pinned_keys", !self.pinned_keys.is_empty()),
            ("trusted_roots", self.trusted_roots != default.trusted_roots),
            ("version", self.version.is_some()),
        ];
        let first = changed.into_iter().find(|(_, changed)| *changed);
        first.map(|(name, _)| name)
    }
}

/// A `rustls::ClientConfig` of the caller, whose type only the adapters know.
#[derive(Clone)]
pub struct CustomTlsConfig(Arc<dyn Any + Send + Sync>);

impl CustomTlsConfig {
    /// Holds this configuration, a `rustls::ClientConfig` of rustls 0.23.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().tls_config("no configuration");
    /// let error = builder.build().unwrap_err();
    /// assert!(error.to_string().contains("rustls::ClientConfig"));
    /// ```
    pub fn new(config: impl Any + Send + Sync) -> Self {
        Self(Arc::new(config))
    }

    /// The configuration, if it is of this type.
    ///
    /// ```
    /// let config = fetch_driver::CustomTlsConfig::new(7_u8);
    /// assert_eq!(config.downcast::<u8>().as_deref(), Some(&7));
    /// ```
    #[must_use]
    pub fn downcast<C: Any + Send + Sync>(&self) -> Option<Arc<C>> {
        self.0.clone().downcast().ok()
    }
}

impl fmt::Debug for CustomTlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomTlsConfig")
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
        type Change = fn(&mut TlsSettings);
        let table: [(Change, &str); 9] = [
            (
                |tls| tls.trusted_roots = TrustedRoots::None,
                "trusted_roots",
            ),
            (
                |tls| tls.ca_certificates.push(Vec::new()),
                "ca_certificates",
            ),
            (
                |tls| tls.client_config = Some(CustomTlsConfig::new(())),
                "client_config",
            ),
            (
                |tls| {
                    tls.client_certificate = Some(ClientIdentity {
                        cert_pem: Vec::new(),
                        key_pem: Vec::new(),
                    });
                },
                "client_certificate",
            ),
            (|tls| tls.insecure = true, "insecure"),
            (|tls| tls.key_log = true, "key_log"),
            (|tls| tls.min_version = TlsVersion::Tls13, "min_version"),
            (|tls| tls.pinned_keys.push([0; 32]), "pinned_keys"),
            (|tls| tls.version = Some(TlsVersion::Tls12), "version"),
        ];
        assert_eq!(TlsSettings::default().first_changed(), None);
        for (change, name) in table {
            let mut tls = TlsSettings::default();
            change(&mut tls);
            assert_eq!(tls.first_changed(), Some(name));
        }
        assert!(!format!("{identity:?}").contains(&format!("{:?}", b"secret")));
    }
}
