//! The response's body, as it comes over the wire or decoded.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fetch_driver::TransportError;
use futures_core::Stream;

use crate::decode::Decoded;
use crate::http1::{self, Conn};
#[cfg(feature = "http2")]
use crate::http2::{self, Lease};

/// A response's body: chunks as they arrive, decoded if the transport decodes.
///
/// Nothing is read ahead: a body that is not polled holds the server back. When it was read to its
/// end, its connection goes back to the pool; when it is dropped before, the connection is closed.
pub struct ResponseBody(Kind);

enum Kind {
    Decoded(Box<Decoded>),
    Plain(Wire),
}

impl ResponseBody {
    pub(crate) fn plain(wire: Wire) -> Self {
        Self(Kind::Plain(wire.plain()))
    }

    pub(crate) fn decoded(decoded: Decoded) -> Self {
        Self(Kind::Decoded(Box::new(decoded)))
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Kind::Decoded(decoded) => decoded.poll_next(cx),
            Kind::Plain(wire) => wire.poll_next(cx).map(Result::transpose),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Decoded(_) => "ResponseBody(decoded)",
            Kind::Plain(_) => "ResponseBody(plain)",
        })
    }
}

/// What a request goes and its response comes over.
pub(crate) enum Held {
    Alone(Box<Conn>),
    #[cfg(feature = "http2")]
    Shared(Lease),
}

/// A body as it comes over the wire.
pub(crate) enum Wire {
    Alone(http1::Body),
    #[cfg(feature = "http2")]
    Shared(http2::Body),
}

impl Wire {
    /// Says that its chunks reach the driver as they are.
    fn plain(self) -> Self {
        match self {
            Self::Alone(body) => Self::Alone(body.plain()),
            #[cfg(feature = "http2")]
            shared @ Self::Shared(_) => shared,
        }
    }

    /// Whether there is certainly nothing more to come.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Alone(body) => body.is_over(),
            #[cfg(feature = "http2")]
            Self::Shared(body) => body.is_over(),
        }
    }

    /// The next chunk. After the end, or an error, it is always `None`.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, TransportError>> {
        match self {
            Self::Alone(body) => body.poll_next(cx),
            #[cfg(feature = "http2")]
            Self::Shared(body) => body.poll_next(cx),
        }
    }

    /// Gives the response up, whatever is still to come.
    pub(crate) fn close(&mut self) {
        match self {
            Self::Alone(body) => body.close(),
            #[cfg(feature = "http2")]
            Self::Shared(body) => body.close(),
        }
    }
}
