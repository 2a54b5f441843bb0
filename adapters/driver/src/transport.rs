//! What the driver asks of an HTTP client: send one request, stream its body.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::Failure;
use futures_core::Stream;
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use crate::marks::Marks;

/// Sends one attempt and hands back its response: the seam between the driver and any HTTP client.
///
/// The core decides everything else, so a transport must not retry, follow redirects or time out by
/// itself. Dropping the future, or the body, cancels the attempt and must close (or, over HTTP/2,
/// reset) what it was using.
///
/// A function is one, too: [`transport_fn`](crate::transport_fn).
pub trait Transport: Send + Sync + 'static {
    /// Whether it marks [`Phase::Connected`](crate::Phase::Connected) or
    /// [`Phase::Reused`](crate::Phase::Reused) (and, for https, [`Phase::TlsDone`](crate::Phase::TlsDone))
    /// as soon as they happen. Default yes.
    ///
    /// Over a client that tells of its connection only with the response, or never, a slow response
    /// would be taken for a slow connection. With `false` the limit
    /// [`Timeouts::connect`](crate::Timeouts::connect) is therefore not enforced, and a request whose
    /// own policy has a [`first_byte`](crate::Timeouts::first_byte) limit is an error.
    const SEES_CONNECTION: bool = true;

    /// Whether it sends [`Outgoing::path_as_is`] where there is one. Default no: such requests are
    /// refused then, so that no client normalises a path in silence.
    const SENDS_PATH_AS_IS: bool = false;

    /// The response's body, as it arrives and decoded.
    type Body: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static;

    /// Sends `request`, reports its phases through `marks`, and ends with the response's head.
    ///
    /// The future must not block. `marks` may be used until the body is finished or dropped.
    fn send(
        &self,
        request: Outgoing,
        marks: Marks,
    ) -> impl Future<Output = Result<Incoming<Self::Body>, TransportError>> + Send + use<Self>;

    /// Runs a turn of the loop, in which attempts are begun, polled and dropped one after the other, all
    /// on this thread: what one leaves and another takes up meanwhile, nobody else need know of.
    ///
    /// It calls `turn` once. Default: and does no more.
    ///
    /// ```
    /// # use fetch_driver::{Incoming, Outgoing, TransportError};
    /// # type Body = fetch_smol::stream::Empty<Result<bytes::Bytes, TransportError>>;
    /// # async fn send(_: Outgoing) -> Result<Incoming<Body>, TransportError> { unreachable!() }
    /// use fetch_driver::{Transport, transport_fn};
    ///
    /// let transport = transport_fn(|request, _marks| send(request));
    /// let mut calls = 0;
    /// transport.turn(&mut || calls += 1);
    /// assert_eq!(calls, 1);
    /// ```
    fn turn(&self, turn: &mut dyn FnMut()) {
        turn();
    }

    /// Called when nothing is in flight any more and the driver ends: close idle connections.
    fn close(&self) {}
}

/// One request as it should go over the wire.
#[derive(Debug)]
pub struct Outgoing {
    /// The body. Streams can be sent once only.
    pub body: RequestBody,
    /// Whether a pooled connection must not be used, because the last one was found closed.
    pub fresh_connection: bool,
    /// All header fields but those of the transport's own business (`Host`, `Content-Length`,
    /// `Transfer-Encoding`, `Connection`). Credentials are already dropped where they must be.
    /// Shared by all requests that add none of their own: to change them, take a copy.
    pub headers: Arc<HeaderMap>,
    /// The largest decoded body to accept, in bytes. A transport that decodes stops there with
    /// [`Failure::BodyTooLarge`], so that a compression bomb costs no more than the limit.
    pub max_body: u64,
    /// The method.
    pub method: http::Method,
    /// What is sent as the request's target in place of the URL's path and query, which have been
    /// normalised. Only where the transport [can](Transport::SENDS_PATH_AS_IS).
    pub path_as_is: Option<http::uri::PathAndQuery>,
    /// The target. User name and password, if any, have become an `Authorization` field.
    pub url: Arc<Url>,
}

/// A response whose head has arrived.
#[derive(Debug)]
pub struct Incoming<B> {
    /// The body, decoded.
    pub body: B,
    /// The header fields as received, but for `Content-Encoding` and `Content-Length` where the
    /// transport decodes the body.
    pub headers: HeaderMap,
    /// The status.
    pub status: StatusCode,
    /// The protocol version.
    pub version: Version,
}

/// The body of a request.
#[derive(Default)]
pub enum RequestBody {
    /// Bytes that can be sent again at a retry.
    Bytes(Bytes),
    /// No body.
    #[default]
    Empty,
    /// Bytes as they come, sent once: a fetch with such a body is not retried once it was begun.
    Stream {
        /// The length in bytes where it is known; chunked coding is used where it is not.
        length: Option<u64>,
        /// The chunks. An `Err` aborts the request.
        stream: BodyStream,
    },
}

/// A boxed stream of a request's body.
pub type BodyStream =
    Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

impl RequestBody {
    /// The length in bytes, where it is known.
    ///
    /// ```
    /// use fetch_driver::RequestBody;
    /// assert_eq!(RequestBody::Bytes("abc".into()).length(), Some(3));
    /// assert_eq!(RequestBody::Empty.length(), Some(0));
    /// ```
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Empty => Some(0),
            Self::Stream { length, .. } => *length,
        }
    }

    /// The whole body, for a client that sends nothing else.
    ///
    /// # Errors
    ///
    /// If it is a stream: [`Failure::Unsupported`].
    ///
    /// ```
    /// use fetch_driver::RequestBody;
    /// assert_eq!(RequestBody::Bytes("abc".into()).into_bytes()?, "abc");
    /// assert_eq!(RequestBody::Empty.into_bytes()?, "");
    /// # Ok::<(), fetch_driver::TransportError>(())
    /// ```
    pub fn into_bytes(self) -> Result<Bytes, TransportError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Empty => Ok(Bytes::new()),
            Self::Stream { .. } => {
                let text = "this client sends no body that comes as a stream";
                Err(TransportError::new(Failure::Unsupported, text))
            }
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Some(length) => write!(f, "RequestBody({length} bytes)"),
            None => f.write_str("RequestBody(stream)"),
        }
    }
}

/// Which connection serves an attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Connection {
    /// The peer's address, where the transport knows it.
    pub remote: Option<SocketAddr>,
    /// Whether the connection was taken from the pool.
    pub reused: bool,
}

/// Why an attempt failed: what the core needs to decide, and what a person needs to understand.
pub struct TransportError {
    kind: Failure,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl TransportError {
    /// An error of this kind, with the native error or a text as its source.
    ///
    /// ```
    /// use fetch_driver::{Failure, TransportError};
    ///
    /// let error = TransportError::new(Failure::Connect, "connection refused by 127.0.0.1:1");
    /// assert_eq!(error.kind(), Failure::Connect);
    /// assert_eq!(error.to_string(), "could not connect: connection refused by 127.0.0.1:1");
    /// ```
    pub fn new(kind: Failure, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// What the core is told.
    ///
    /// ```
    /// # use fetch_driver::{Failure, TransportError};
    /// assert_eq!(TransportError::new(Failure::Io, "reset").kind(), Failure::Io);
    /// ```
    #[must_use]
    pub fn kind(&self) -> Failure {
        self.kind
    }
}

impl TransportError {
    /// The source and its causes, without the kind.
    pub(crate) fn detail(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            let part = error.to_string();
            if !text.contains(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail())
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
