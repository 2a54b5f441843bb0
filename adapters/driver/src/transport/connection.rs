//! The connection that serves an attempt.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// The connection that serves an attempt.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The certificates that the server sent, as DER, its own first. Empty without TLS, or if the transport
    /// does not know them.
    pub certificates: Arc<[Vec<u8>]>,
    /// This end's address, where the transport knows it.
    pub local: Option<SocketAddr>,
    /// The peer's address, where the transport knows it.
    pub remote: Option<SocketAddr>,
    /// Whether the connection was taken from the pool.
    pub reused: bool,
}

impl ConnectionInfo {
    /// A connection to `remote`, where its address is known. `reused` if it was taken from the pool.
    ///
    /// ```
    /// let remote = "127.0.0.1:80".parse().ok();
    /// assert!(fetch_driver::ConnectionInfo::new(remote, true).reused);
    /// ```
    #[must_use]
    pub fn new(remote: Option<SocketAddr>, reused: bool) -> Self {
        Self {
            certificates: Arc::default(),
            local: None,
            remote,
            reused,
        }
    }

    /// The same connection with the address of this end. Default: unknown.
    ///
    /// ```
    /// let local = "127.0.0.1:40000".parse().ok();
    /// let connection = fetch_driver::ConnectionInfo::new(None, false).with_local(local);
    /// assert_eq!(connection.local, local);
    /// ```
    #[must_use]
    pub fn with_local(self, local: Option<SocketAddr>) -> Self {
        Self { local, ..self }
    }

    /// The same connection with the server's certificates as DER, its own first. Default: none.
    ///
    /// ```
    /// let chain = [vec![48, 130]];
    /// let connection = fetch_driver::ConnectionInfo::default().with_certificates(chain.into());
    /// assert_eq!(connection.certificates.len(), 1);
    /// ```
    #[must_use]
    pub fn with_certificates(self, certificates: Arc<[Vec<u8>]>) -> Self {
        Self {
            certificates,
            ..self
        }
    }

    /// The same connection, taken from the pool for another request.
    ///
    /// ```
    /// assert!(fetch_driver::ConnectionInfo::new(None, false).into_reused().reused);
    /// ```
    #[must_use]
    pub fn into_reused(self) -> Self {
        Self {
            reused: true,
            ..self
        }
    }
}

impl fmt::Debug for ConnectionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionInfo")
            .field("certificates", &self.certificates.len())
            .field("local", &self.local)
            .field("remote", &self.remote)
            .field("reused", &self.reused)
            .finish()
    }
}
