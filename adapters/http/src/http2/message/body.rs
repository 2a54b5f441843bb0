//! A response body over a shared connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{AttemptProgress, TransportError};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::http2::error;
use crate::http2::lease::StreamLease;

/// An HTTP/2 response body. Dropped before its end, it resets the request.
pub(crate) struct H2Body {
    incoming: Incoming,
    lease: Option<StreamLease>,
    progress: AttemptProgress,
}

impl H2Body {
    pub(super) fn new(incoming: Incoming, lease: StreamLease, progress: AttemptProgress) -> Self {
        let mut this = Self {
            incoming,
            lease: Some(lease),
            progress,
        };
        if this.is_complete() {
            this.finish();
        }
        this
    }

    /// Whether the body is known to be complete.
    pub(crate) fn is_complete(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// Cancels the request, even if its response is incomplete.
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
                    // The core does not use trailers.
                    let Ok(chunk) = frame.into_data() else {
                        continue;
                    };
                    self.progress.add_received(chunk.len() as u64);
                    if self.is_complete() {
                        self.finish();
                    }
                    return Poll::Ready(Ok(Some(chunk)));
                }
                Some(Err(error)) => break error::body_error(error, lease),
                // The stream ended without END_STREAM.
                None if !self.incoming.is_end_stream() => break error::truncated_body(lease),
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
