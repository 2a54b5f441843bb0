//! The response's body, as it comes over the wire or decoded.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{Marks, TransportError};
use futures_core::Stream;
use http_body::Body;
use hyper::body::Incoming;

use crate::conn::Conn;
use crate::decode::Decoded;
use crate::error;
#[cfg(feature = "http2")]
use crate::http2::{self, Lease};
use crate::pool::Pool;

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
        Self(Kind::Plain(wire))
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
            Kind::Plain(wire) => wire.poll_next(cx),
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
    Alone(Conn),
    #[cfg(feature = "http2")]
    Shared(Lease),
}

impl Held {
    fn broken(&self, error: hyper::Error) -> TransportError {
        match self {
            Self::Alone(conn) => error::inside_body(error, conn.origin.key()),
            #[cfg(feature = "http2")]
            Self::Shared(lease) => http2::inside_body(error, lease),
        }
    }

    /// Why a body that seems to be over is not, if it is not.
    fn cut(&self, complete: bool) -> Option<TransportError> {
        match self {
            #[cfg(feature = "http2")]
            Self::Shared(lease) if !complete => Some(http2::cut(lease)),
            _ => {
                let _ = complete;
                None
            }
        }
    }

    fn release(self, pool: &Pool) {
        match self {
            Self::Alone(conn) => conn.release(pool),
            #[cfg(feature = "http2")]
            Self::Shared(lease) => lease.finish(),
        }
    }
}

/// A body as it comes over the wire.
pub(crate) struct Wire {
    conn: Option<Held>,
    finished: bool,
    incoming: Incoming,
    marks: Marks,
    pool: Arc<Pool>,
}

impl Wire {
    pub(crate) fn new(incoming: Incoming, conn: Held, marks: Marks, pool: Arc<Pool>) -> Self {
        let mut wire = Self {
            conn: Some(conn),
            finished: false,
            incoming,
            marks,
            pool,
        };
        if wire.is_empty() {
            wire.release();
        }
        wire
    }

    /// Whether there is certainly nothing more to come.
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// The next chunk. After the end, or an error, it is always `None`.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, TransportError>>> {
        let Some(conn) = &self.conn else {
            return Poll::Ready(None);
        };
        loop {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers are nothing that the core asks for.
                    let Ok(chunk) = frame.into_data() else {
                        continue;
                    };
                    self.marks.received(chunk.len() as u64);
                    if self.is_empty() {
                        self.release();
                    }
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Some(Err(error)) => {
                    let error = conn.broken(error);
                    self.close();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    if let Some(error) = conn.cut(self.incoming.is_end_stream()) {
                        self.close();
                        return Poll::Ready(Some(Err(error)));
                    }
                    self.release();
                    return Poll::Ready(None);
                }
            }
        }
    }

    /// Whether the body is over, without error, and was empty.
    pub(crate) fn is_finished_empty(&self) -> bool {
        self.finished && self.marks.wire_bytes() == 0
    }

    /// Closes the connection, whatever is still to come.
    pub(crate) fn close(&mut self) {
        self.conn = None;
    }

    fn release(&mut self) {
        self.finished = true;
        if let Some(conn) = self.conn.take() {
            conn.release(&self.pool);
        }
    }
}
