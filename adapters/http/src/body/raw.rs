//! A body as received, over either protocol.

use std::task::{Context, Poll};

use bytes::Bytes;
use fetch_driver::TransportError;

use crate::http1::H1Body;
#[cfg(feature = "http2")]
use crate::http2::H2Body;

pub(crate) enum RawBody {
    Http1(H1Body),
    #[cfg(feature = "http2")]
    Http2(H2Body),
}

impl RawBody {
    /// Marks the body as one that is not decoded.
    pub(super) fn plain(self) -> Self {
        match self {
            Self::Http1(body) => Self::Http1(body.plain()),
            #[cfg(feature = "http2")]
            http2 @ Self::Http2(_) => http2,
        }
    }

    /// Whether the body is known to be complete.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_complete(),
            #[cfg(feature = "http2")]
            Self::Http2(body) => body.is_complete(),
        }
    }

    /// The next chunk. After the end, or an error, it is always `None`.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, TransportError>> {
        match self {
            Self::Http1(body) => body.poll_next(cx),
            #[cfg(feature = "http2")]
            Self::Http2(body) => body.poll_next(cx),
        }
    }

    /// Cancels the response, even if it is incomplete.
    pub(super) fn close(&mut self) {
        match self {
            Self::Http1(body) => body.close(),
            #[cfg(feature = "http2")]
            Self::Http2(body) => body.close(),
        }
    }
}
