//! One request, and the head of its response, as they go over the wire.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::Failure;
use futures_core::Stream;
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use super::error::TransportError;

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
    /// normalised. Only where the transport [can](crate::Transport::SENDS_PATH_AS_IS).
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
