//! The connection that serves an attempt.

use std::net::SocketAddr;

/// The connection that serves an attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConnectionInfo {
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
        Self { remote, reused }
    }
}
