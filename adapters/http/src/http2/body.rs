//! A response's body over a shared connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{Marks, TransportError};
use http_body::Body as _;
use hyper::body::Incoming;

use super::error;
use super::lease::Lease;

/// A body that is still to be read. Dropped before its end, it resets the request.
pub(crate) struct Body {
    incoming: Incoming,
    lease: Option<Lease>,
    marks: Marks,
}

impl Body {
    pub(super) fn new(incoming: Incoming, lease: Lease, marks: Marks) -> Self {
        let mut this = Self {
            incoming,
            lease: Some(lease),
            marks,
        };
        if this.is_over() {
            this.finish();
        }
        this
    }

    /// Whether there is certainly nothing more to come.
    pub(crate) fn is_over(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// Gives the request up, whatever is still to come.
    pub(crate) fn close(&mut self) {
        self.lease = None;
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.finish();
        }
    }

    /// The next chunk. After the end, or an error, it is always `None`.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, TransportError>> {
        let Some(lease) = &self.lease else {
            return Poll::Ready(Ok(None));
        };
        let error = loop {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers are nothing that the core asks for.
                    let Ok(chunk) = frame.into_data() else {
                        continue;
                    };
                    self.marks.received(chunk.len() as u64);
                    if self.is_over() {
                        self.finish();
                    }
                    return Poll::Ready(Ok(Some(chunk)));
                }
                Some(Err(error)) => break error::inside_body(error, lease),
                // It seems to be over, and is not.
                None if !self.incoming.is_end_stream() => break error::cut(lease),
                None => {
                    self.finish();
                    return Poll::Ready(Ok(None));
                }
            }
        };
        self.close();
        Poll::Ready(Err(error))
    }
}
