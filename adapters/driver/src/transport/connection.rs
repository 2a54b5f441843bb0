//! The connection that serves an attempt.

use std::net::SocketAddr;

/// The connection that serves an attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ConnectionInfo {
    /// The peer's address, where the transport knows it.
    pub remote: Option<SocketAddr>,
    /// Whether the connection was taken from the pool.
    pub reused: bool,
}
