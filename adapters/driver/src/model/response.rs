//! A response with its body.

mod content;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use super::save::SaveReceipt;
use crate::transport::connection::ConnectionInfo;
use crate::transport::response_headers::ResponseHeaders;

/// A complete response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// How many attempts were started for it; 0 if it was made by the caller.
    pub(crate) attempts: usize,
    /// The body, decoded; empty if it was saved or discarded.
    pub body: Bytes,
    /// The size of the decoded body, whether it was saved, discarded or collected.
    pub bytes: u64,
    /// The fields that described the coded body, if it was decoded.
    pub(crate) coded_headers: Option<Box<HeaderMap>>,
    #[cfg(feature = "cache")]
    pub(crate) cache: Option<fetch_proto::cache::CacheStatus>,
    pub(crate) connection: Option<ConnectionInfo>,
    /// The header fields. Those that describe a coded body, `Content-Encoding` and `Content-Length`, are
    /// removed if it was decoded: [`received_headers`](Self::received_headers) has them.
    pub headers: ResponseHeaders,
    /// What the [writer](crate::BodyWriter) of a [saved](crate::Request::save) body returned.
    pub saved: Option<SaveReceipt>,
    /// The status.
    pub status: StatusCode,
    /// The URL of the response, after redirects.
    pub url: Arc<Url>,
    /// The protocol version.
    pub version: Version,
}

impl Response {
    /// A response made by the caller: for tests, and as a fallback's value.
    ///
    /// ```
    /// use fetch_driver::Response;
    /// use http::StatusCode;
    ///
    /// let empty_list = Response::new(StatusCode::OK, "[]");
    /// assert_eq!((empty_list.bytes, empty_list.headers.len()), (2, 0));
    /// ```
    ///
    /// # Panics
    ///
    /// Never: its URL, `about:blank`, is valid.
    #[must_use]
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            attempts: 0,
            bytes: body.len() as u64,
            body,
            #[cfg(feature = "cache")]
            cache: None,
            coded_headers: None,
            connection: None,
            headers: ResponseHeaders::default(),
            saved: None,
            status,
            url: Arc::new(Url::parse("about:blank").expect("a valid URL")),
            version: Version::HTTP_11,
        }
    }

    /// The header fields as the server sent them, with `Content-Encoding` and `Content-Length` of a
    /// body that was decoded.
    ///
    /// ```
    /// # use fetch_driver::Response;
    /// let empty_list = Response::new(http::StatusCode::OK, "[]");
    /// assert!(empty_list.received_headers().is_empty());
    /// ```
    #[must_use]
    pub fn received_headers(&self) -> Cow<'_, HeaderMap> {
        let Some(coded) = &self.coded_headers else {
            return Cow::Borrowed(&self.headers);
        };
        let mut headers = HeaderMap::clone(&self.headers);
        for (name, value) in &**coded {
            headers.append(name, value.clone());
        }
        Cow::Owned(headers)
    }

    /// What the cache did for this response; `None` without a cache. Its text is a member of the field
    /// `Cache-Status` (RFC 9211).
    ///
    /// ```
    /// let response = fetch_driver::Response::new(http::StatusCode::OK, "[]");
    /// assert_eq!(response.cache_status(), None);
    /// ```
    #[cfg(feature = "cache")]
    #[must_use]
    pub fn cache_status(&self) -> Option<fetch_proto::cache::CacheStatus> {
        self.cache
    }

    /// The address of the server, or of the proxy. `None` if the transport does not know it.
    ///
    /// ```
    /// let response = fetch_driver::Response::new(http::StatusCode::OK, "[]");
    /// assert_eq!(response.remote_addr(), None);
    /// ```
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.connection.as_ref()?.remote
    }

    /// The server's certificate as DER (X.509). `None` without TLS, and with isahc and surf, whose clients do
    /// not give it.
    ///
    /// ```
    /// let response = fetch_driver::Response::new(http::StatusCode::OK, "[]");
    /// assert_eq!(response.peer_certificate(), None);
    /// ```
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        self.peer_certificates().first().map(|der| &**der)
    }

    /// The certificates that the server sent, as DER (X.509), its own first. Empty without TLS, and with isahc
    /// and surf, whose clients do not give them.
    ///
    /// ```
    /// let response = fetch_driver::Response::new(http::StatusCode::OK, "[]");
    /// assert!(response.peer_certificates().is_empty());
    /// ```
    #[must_use]
    pub fn peer_certificates(&self) -> &[Vec<u8>] {
        let connection = self.connection.as_ref();
        connection.map_or(&[], |connection| &connection.certificates)
    }
}
