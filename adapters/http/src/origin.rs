//! Scheme, host and port: what a pooled connection is good for.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use fetch_driver::{Failure, TransportError};
use http::HeaderValue;
use url::{Position, Url};

/// An origin that owns its host, with what every request to it carries.
#[derive(Debug)]
pub(crate) struct Origin {
    /// That of its key.
    digest: u64,
    host: Box<str>,
    port: u16,
    tls: bool,
    serves: Serves,
}

/// Whom requests over a connection go to.
#[derive(Debug)]
pub(crate) enum Serves {
    /// A proxy that passes them on, each to the server its URL names. It may ask for authorization.
    Proxy(Option<HeaderValue>),
    /// A server, with the value of the `Host` field for it.
    Server(HeaderValue),
}

/// An origin borrowed from a URL, so that looking it up allocates nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct OriginRef<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Whether this is a proxy that passes requests on, whatever their origin.
    pub(crate) proxy: bool,
    pub(crate) tls: bool,
}

impl Origin {
    /// The server of `url`.
    pub(crate) fn server(key: OriginRef<'_>, url: &Url) -> Result<Self, TransportError> {
        Ok(Self::new(key, Serves::Server(host_header(url)?)))
    }

    /// A proxy that passes requests on.
    pub(crate) fn proxy(key: OriginRef<'_>, authorization: Option<HeaderValue>) -> Self {
        Self::new(key, Serves::Proxy(authorization))
    }

    fn new(key: OriginRef<'_>, serves: Serves) -> Self {
        Self {
            digest: key.digest(),
            host: key.host.into(),
            port: key.port,
            tls: key.tls,
            serves,
        }
    }

    /// That of its [key](OriginRef::digest).
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn serves(&self) -> &Serves {
        &self.serves
    }

    pub(crate) fn key(&self) -> OriginRef<'_> {
        OriginRef {
            host: &self.host,
            port: self.port,
            proxy: matches!(self.serves, Serves::Proxy(_)),
            tls: self.tls,
        }
    }
}

impl<'a> OriginRef<'a> {
    /// The same for the same origin, and rarely for others.
    pub(crate) fn digest(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// This server, as one that owns its host.
    #[cfg(feature = "http2")]
    pub(crate) fn to_server(self) -> Result<Origin, TransportError> {
        let Self { host, port, .. } = self;
        let host = match port == if self.tls { 443 } else { 80 } {
            true => HeaderValue::from_str(host),
            false => HeaderValue::from_str(&format!("{host}:{port}")),
        };
        let host = host.map_err(|e| TransportError::new(Failure::Unsupported, e))?;
        Ok(Origin::new(self, Serves::Server(host)))
    }

    pub(crate) fn of(url: &'a Url) -> Result<Self, TransportError> {
        let unsupported = |text: String| TransportError::new(Failure::Unsupported, text);
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

/// The value of the `Host` field for `url`.
pub(crate) fn host_header(url: &Url) -> Result<HeaderValue, TransportError> {
    HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
        .map_err(|e| TransportError::new(Failure::Unsupported, e))
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
