//! Responses as the caller gets them.

use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, header};

use crate::driver::exchange::{BodyChunks, ResponseParts};
use crate::model::response::Response;
use crate::transport::connection::ConnectionInfo;

/// A response with this head, without its body.
pub(crate) fn response(
    parts: ResponseParts,
    connection: Option<ConnectionInfo>,
    url: Arc<url::Url>,
) -> Response {
    Response {
        attempts: 0,
        body: Bytes::new(),
        bytes: 0,
        #[cfg(feature = "cache")]
        cache: parts.cache,
        coded_headers: parts.coded_headers,
        connection,
        headers: parts.headers,
        saved: None,
        status: parts.status,
        url,
        version: parts.version,
    }
}

/// The head of a complete body of which this head brought the rest (RFC 9110, section 15.3.7.3).
pub(super) fn whole_head(mut parts: ResponseParts, bytes: u64) -> ResponseParts {
    parts.status = StatusCode::OK;
    parts.headers.remove(header::CONTENT_RANGE);
    parts.headers.insert(header::CONTENT_LENGTH, bytes.into());
    parts
}

/// The chunks as one body, without a copy if there is only one.
pub(super) fn join(mut chunks: BodyChunks) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut body = Vec::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in &chunks {
        body.extend_from_slice(chunk);
    }
    body.into()
}
