//! Scheme, host and port: what a pooled connection is good for.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use fetch_driver::{Failure, TransportError};
use http::HeaderValue;
use url::{Position, Url};

/// An origin that owns its host, with the header value every request to it carries.
#[derive(Debug)]
pub(crate) struct Origin {
    tls: bool,
    host: Box<str>,
    port: u16,
    host_header: HeaderValue,
}

/// An origin borrowed from a URL, so that looking it up allocates nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct OriginRef<'a> {
    pub(crate) tls: bool,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

impl Origin {
    pub(crate) fn of(url: &Url) -> Result<Self, TransportError> {
        let OriginRef { tls, host, port } = OriginRef::of(url)?;
        let host_header = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
            .map_err(|e| TransportError::new(Failure::Unsupported, e))?;
        Ok(Self {
            tls,
            host: host.into(),
            port,
            host_header,
        })
    }

    pub(crate) fn host_header(&self) -> HeaderValue {
        self.host_header.clone()
    }

    pub(crate) fn key(&self) -> OriginRef<'_> {
        OriginRef {
            tls: self.tls,
            host: &self.host,
            port: self.port,
        }
    }
}

impl<'a> OriginRef<'a> {
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
            tls,
            host,
            port: url.port().unwrap_or(default_port),
        })
    }
}

impl fmt::Display for OriginRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
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
