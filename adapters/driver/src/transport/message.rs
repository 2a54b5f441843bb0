//! One request, and its response, as they go over the wire.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::FailureKind;
use futures_core::Stream;
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use super::error::TransportError;
use super::response_headers::ResponseHeaders;

/// The request of one attempt, as it goes over the wire.
#[derive(Debug)]
#[non_exhaustive]
pub struct OutgoingRequest {
    /// The body. A stream can be sent only once.
    pub body: RequestBody,
    /// Whether a new connection must be opened, because the server had closed the pooled one.
    pub fresh_connection: bool,
    /// The header fields, except those that the transport sets (`Host`, `Content-Length`,
    /// `Transfer-Encoding`, `Connection`). Credentials are already removed where they must be.
    /// Shared by all requests that add no fields: copy them before changing them.
    pub headers: Arc<HeaderMap>,
    /// The largest decoded body to accept, in bytes. A transport that decodes must stop there with
    /// [`FailureKind::BodyTooLarge`], so that a compression bomb costs no more than the limit.
    pub max_body: u64,
    /// The method.
    pub method: http::Method,
    /// The request target to send instead of the URL's normalized path and query. Set only if the
    /// transport [supports it](crate::Transport::SENDS_PATH_AS_IS).
    pub path_as_is: Option<http::uri::PathAndQuery>,
    /// Whether the request may be sent again if its connection ends without an answer. If not, the
    /// transport must not send it over a connection that the server may be closing: an HTTP/1.1
    /// connection that was used before.
    pub repeatable: bool,
    /// The URL. User name and password, if any, have become an `Authorization` field.
    pub url: Arc<Url>,
}

impl OutgoingRequest {
    /// A request without a body and without header fields. It is repeatable if the method is
    /// idempotent.
    ///
    /// ```
    /// use std::sync::Arc;
    /// let url = Arc::new("http://a.test/".parse()?);
    /// let request = fetch_driver::OutgoingRequest::new(http::Method::GET, url);
    /// assert_eq!(request.body.length(), Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(method: http::Method, url: Arc<Url>) -> Self {
        Self {
            body: RequestBody::Empty,
            fresh_connection: false,
            headers: Arc::default(),
            max_body: u64::MAX,
            repeatable: method.is_idempotent(),
            method,
            path_as_is: None,
            url,
        }
    }
}

/// A response whose head has arrived, with the body to come.
#[derive(Debug)]
#[non_exhaustive]
pub struct IncomingResponse<B> {
    /// The body, decoded.
    pub body: B,
    /// The fields `Content-Encoding` and `Content-Length` as received, if the transport decodes the
    /// body, so that a broken one cannot be continued. Default: none, the body is not decoded.
    pub coded_headers: Option<Box<HeaderMap>>,
    /// The header fields as received, without `Content-Encoding` and `Content-Length` if the
    /// transport decodes the body.
    pub headers: ResponseHeaders,
    /// The status.
    pub status: StatusCode,
    /// The protocol version.
    pub version: Version,
}

impl<B> IncomingResponse<B> {
    /// A response with this head and body, which the transport does not decode.
    ///
    /// ```
    /// use fetch_driver::IncomingResponse;
    /// use http::{HeaderMap, StatusCode, Version};
    ///
    /// let body = fetch_smol::stream::empty::<()>();
    /// let (status, version) = (StatusCode::NO_CONTENT, Version::HTTP_11);
    /// let response = IncomingResponse::new(status, version, HeaderMap::new(), body);
    /// assert_eq!(response.status, 204);
    /// ```
    #[must_use]
    pub fn new(
        status: StatusCode,
        version: Version,
        headers: impl Into<ResponseHeaders>,
        body: B,
    ) -> Self {
        Self {
            body,
            coded_headers: None,
            headers: headers.into(),
            status,
            version,
        }
    }

    /// Sets the fields of the coded body; `Some` if the transport decodes it.
    ///
    /// ```
    /// # use fetch_driver::IncomingResponse;
    /// # use http::{HeaderMap, StatusCode, Version};
    /// # let body = fetch_smol::stream::empty::<()>();
    /// let response = IncomingResponse::new(StatusCode::OK, Version::HTTP_11, HeaderMap::new(), body);
    /// let coded = HeaderMap::from_iter([("content-encoding".parse()?, "gzip".parse()?)]);
    /// assert!(response.decoded(Some(coded.into())).coded_headers.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn decoded(mut self, coded_headers: Option<Box<HeaderMap>>) -> Self {
        self.coded_headers = coded_headers;
        self
    }
}

/// The body of a request.
#[derive(Default)]
pub enum RequestBody {
    /// Bytes, which a retry can send again.
    Bytes(Bytes),
    /// No body.
    #[default]
    Empty,
    /// A stream of bytes, which can be sent only once: the fetch is not retried after it was started.
    Stream {
        /// The length in bytes, if it is known; otherwise chunked coding is used.
        length: Option<u64>,
        /// The chunks. An `Err` aborts the request.
        stream: BodyStream,
    },
}

/// The chunks of a request body.
pub type BodyStream =
    Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

impl RequestBody {
    /// The length in bytes, if it is known.
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

    /// The bytes, if it is not a stream.
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Empty => Some(&[]),
            Self::Stream { .. } => None,
        }
    }

    /// The whole body, for a client that cannot send a stream.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Unsupported`] if the body is a stream.
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
                Err(TransportError::new(FailureKind::Unsupported, text))
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
