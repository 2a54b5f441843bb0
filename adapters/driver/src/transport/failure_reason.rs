//! The exact causes of failed attempts.

/// The exact cause of a failure, where a [`FailureKind`](crate::FailureKind) covers several cases.
///
/// It is for reports: no decision depends on it. A transport reports what it knows.
///
/// ```
/// use fetch_driver::{FailureKind, FailureReason, TransportError};
///
/// let error = TransportError::new(FailureKind::Protocol, "an invalid chunk");
/// let error = error.with_reason(FailureReason::ChunkFraming);
/// assert_eq!(error.reason(), Some(FailureReason::ChunkFraming));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FailureReason {
    /// The server's certificate is not accepted.
    Certificate,
    /// The framing of a chunked body is invalid.
    ChunkFraming,
    /// The response head exceeds its limit.
    HeadTooLarge,
    /// The server closed the HTTP/2 connection by GOAWAY.
    Http2GoAway,
    /// The server reset the HTTP/2 stream, or it is invalid.
    Http2Stream,
    /// The server violated HTTP/2, so that the connection had to be closed.
    Http2Violation,
    /// The connection was closed, and not reset, before the response was complete.
    Incomplete,
    /// The connection was closed before the first line of the response was complete.
    NoStatusLine,
    /// The response does not begin with a status line of HTTP/1.
    NotHttp,
    /// The server has another public key than those that are pinned.
    PinnedKey,
    /// The host name of an HTTP proxy has no address.
    ProxyName,
    /// A SOCKS proxy refused, or could not reach the server, or its handshake failed.
    ProxySocks,
    /// An HTTP proxy opened no tunnel.
    ProxyTunnel,
    /// The TLS handshake failed, but for the server's certificate.
    TlsHandshake,
    /// TLS failed after the handshake.
    TlsSession,
}
