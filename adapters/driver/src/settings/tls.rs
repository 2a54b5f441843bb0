//! HTTP/2 and client certificates.

use std::fmt;

/// When HTTP/2 is spoken.
///
/// ```
/// use fetch_driver::Http2;
/// assert_eq!(Http2::default(), Http2::Auto);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Http2 {
    /// Over https with servers that choose it in the TLS handshake (ALPN); never over plain http. A
    /// client that was built without HTTP/2 does not offer it.
    #[default]
    Auto,
    /// Never.
    Off,
    /// As [`Http2::Auto`] over https, and always over plain http, whose servers cannot say what they
    /// speak: those that speak HTTP/1.1 only then fail.
    PriorKnowledge,
}

/// A client's certificate and its private key, for servers that ask who is there.
///
/// Its `Debug` form does not show the key.
///
/// ```
/// use fetch_driver::Identity;
/// let identity = Identity { cert_pem: b"...".to_vec(), key_pem: b"secret".to_vec() };
/// assert_eq!(format!("{identity:?}"), "Identity(3 bytes of PEM, and a key)");
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Identity {
    /// The certificate, and those between it and the authority, in this order, as PEM text.
    pub cert_pem: Vec<u8>,
    /// The certificate's private key as unencrypted PEM text: PKCS#8, PKCS#1 or SEC1.
    pub key_pem: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.cert_pem.len();
        write!(f, "Identity({length} bytes of PEM, and a key)")
    }
}
