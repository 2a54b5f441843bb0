//! Scheme, host and port: what a pooled connection can be used for.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use fetch_driver::{FailureKind, TransportError};
use http::{HeaderMap, HeaderValue};
use url::Url;

/// An origin that owns its host, with the field values that every request to it carries.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The digest of its key.
    digest: u64,
    host: Box<str>,
    next_hop: NextHop,
    port: u16,
    tls: bool,
}

/// The peer of a connection.
#[derive(Debug)]
pub(crate) enum NextHop {
    /// A proxy that forwards each request to the server in its URL, with the value of
    /// `Proxy-Authorization`, and the fields for the proxy.
    Proxy(Option<HeaderValue>, Arc<HeaderMap>),
    /// The server, with the value of `Host`.
    Server(HeaderValue),
}

/// An origin borrowed from a URL, so that a lookup allocates nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct OriginRef<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Whether this is a proxy that forwards requests to any origin.
    pub(crate) proxy: bool,
    pub(crate) tls: bool,
}

impl Origin {
    /// The server of `url`.
    pub(crate) fn server(key: OriginRef<'_>, url: &Url) -> Result<Self, TransportError> {
        Ok(Self::new(key, NextHop::Server(host_header(url)?)))
    }

    /// A proxy that forwards requests.
    pub(crate) fn proxy(
        key: OriginRef<'_>,
        authorization: Option<HeaderValue>,
        headers: Arc<HeaderMap>,
    ) -> Self {
        Self::new(key, NextHop::Proxy(authorization, headers))
    }

    fn new(key: OriginRef<'_>, next_hop: NextHop) -> Self {
        Self {
            digest: key.digest(),
            host: key.host.into(),
            next_hop,
            port: key.port,
            tls: key.tls,
        }
    }

    /// The [digest](OriginRef::digest) of its key.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn next_hop(&self) -> &NextHop {
        &self.next_hop
    }

    pub(crate) fn key(&self) -> OriginRef<'_> {
        OriginRef {
            host: &self.host,
            port: self.port,
            proxy: matches!(self.next_hop, NextHop::Proxy(..)),
            tls: self.tls,
        }
    }
}

impl<'a> OriginRef<'a> {
    /// A hash that is equal for equal origins.
    pub(crate) fn digest(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// An owned server origin.
    #[cfg(feature = "http2")]
    pub(crate) fn to_server_origin(self) -> Result<Origin, TransportError> {
        let Self { host, port, .. } = self;
        let host = match port == if self.tls { 443 } else { 80 } {
            true => HeaderValue::from_str(host),
            false => HeaderValue::from_str(&format!("{host}:{port}")),
        };
        let host = host.map_err(|e| TransportError::new(FailureKind::Unsupported, e))?;
        Ok(Origin::new(self, NextHop::Server(host)))
    }

    pub(crate) fn from_url(url: &'a Url) -> Result<Self, TransportError> {
        let unsupported = |text: String| TransportError::new(FailureKind::Unsupported, text);
        let (tls, default_port) = match url.scheme() {
            "http" => (false, 80),
            "https" if cfg!(feature = "tls") => (true, 443),
            "https" => return Err(unsupported("https needs the feature `tls`".into())),
            other => {
                return Err(unsupported(format!(
                    "the scheme is `{other}`; only http and https can be fetched"
                )));
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| unsupported("the URL has no host".into()))?;
        Ok(Self {
            host,
            port: url.port().unwrap_or(default_port),
            proxy: false,
            tls,
        })
    }
}

/// The value of `Host` for `url`.
pub(crate) fn host_header(url: &Url) -> Result<HeaderValue, TransportError> {
    HeaderValue::from_str(fetch_driver::url_host(url))
        .map_err(|e| TransportError::new(FailureKind::Unsupported, e))
}

impl fmt::Display for OriginRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = if self.proxy { "the proxy " } else { "" };
        write!(f, "{proxy}{}:{}", self.host, self.port)
    }
}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Origin {}

impl hashbrown::Equivalent<Arc<Origin>> for OriginRef<'_> {
    fn equivalent(&self, key: &Arc<Origin>) -> bool {
        *self == key.key()
    }
}
