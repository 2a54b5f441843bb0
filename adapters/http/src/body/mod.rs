//! The response body that the driver reads: as received, or decoded.

mod decode;
mod raw;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fetch_driver::TransportError;
use fetch_transport_util::{ContentCoding, remove_codings};
use futures_core::Stream;
use http::HeaderMap;

use decode::DecodedBody;
pub(crate) use raw::RawBody;

/// A response body: chunks as they arrive, decoded if the transport decodes.
///
/// A body that is not polled holds the server back: at most 64 KiB are read ahead over HTTP/1.1,
/// and 1 MiB over HTTP/2. After its end the connection returns to the pool. Dropped before its end,
/// it closes its HTTP/1.1 connection or resets its HTTP/2 stream.
pub struct ResponseBody(BodyKind);

enum BodyKind {
    Decoded(Box<DecodedBody>),
    Plain(RawBody),
}

impl ResponseBody {
    /// A body that is not decoded.
    pub(crate) fn plain(raw: RawBody) -> Self {
        Self(BodyKind::Plain(raw.plain()))
    }

    /// A body without its transfer codings, and without its content codings if there are `headers`, which
    /// then no longer announce them, of at most `max_body` bytes.
    pub(crate) fn decoded(
        raw: RawBody,
        transfer: &[ContentCoding],
        headers: Option<&mut HeaderMap>,
        max_body: u64,
    ) -> Result<Self, TransportError> {
        let mut codings = headers.map_or(Ok(Vec::new()), remove_codings)?;
        codings.extend_from_slice(transfer);
        if codings.is_empty() {
            return Ok(Self::plain(raw));
        }
        let decoded = DecodedBody::new(raw, &codings, max_body);
        Ok(Self(BodyKind::Decoded(Box::new(decoded))))
    }
}

impl ResponseBody {
    /// Whether content codings are removed.
    pub(crate) fn is_decoded(&self) -> bool {
        matches!(self.0, BodyKind::Decoded(_))
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            BodyKind::Decoded(decoded) => decoded.poll_next(cx),
            BodyKind::Plain(raw) => raw.poll_next(cx).map(Result::transpose),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            BodyKind::Decoded(_) => "ResponseBody(decoded)",
            BodyKind::Plain(_) => "ResponseBody(plain)",
        })
    }
}
