//! A request body as hyper polls it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{AttemptPhase, AttemptProgress, BodyStream, RequestBody};
use http_body::{Body, Frame, SizeHint};

use fetch_transport_util::{BodyStreamError, check_body_length};

/// The largest frame given to hyper.
const MAX_FRAME: usize = 64 * 1024;

/// The state of an upload that hyper does not report.
#[derive(Debug, Default)]
pub(super) struct UploadStatus {
    /// Why the caller's stream failed. HTTP/2 itself only reports that it did.
    pub(super) error: OnceLock<String>,
    /// Whether hyper has polled the body, which it does not do before the head may be sent.
    pub(super) started: AtomicBool,
}

/// A request body. It marks the request as sent when hyper has taken all of it.
pub(crate) struct H2RequestBody {
    progress: Option<AttemptProgress>,
    source: BodySource,
    status: Option<Arc<UploadStatus>>,
}

enum BodySource {
    Bytes(Bytes),
    Stream {
        /// The bytes missing from the announced length.
        left: Option<u64>,
        stream: BodyStream,
    },
}

impl H2RequestBody {
    pub(super) fn new(
        body: RequestBody,
        progress: AttemptProgress,
        status: Option<Arc<UploadStatus>>,
    ) -> Self {
        let source = match body {
            RequestBody::Bytes(bytes) => BodySource::Bytes(bytes),
            RequestBody::Empty => BodySource::Bytes(Bytes::new()),
            RequestBody::Stream { length, stream } => BodySource::Stream {
                left: length,
                stream,
            },
        };
        let mut this = Self {
            progress: Some(progress),
            source,
            status,
        };
        // hyper never polls an empty body.
        if this.is_end_stream() {
            this.mark_sent();
        }
        this
    }

    fn mark_sent(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.mark(AttemptPhase::Sent);
        }
    }
}

impl Body for H2RequestBody {
    type Data = Bytes;
    type Error = BodyStreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyStreamError>>> {
        let this = &mut *self;
        if let Some(status) = &this.status {
            status.started.store(true, Ordering::Relaxed);
        }
        let next = match &mut this.source {
            BodySource::Bytes(left) if left.is_empty() => None,
            BodySource::Bytes(left) => Some(Ok(left.split_to(left.len().min(MAX_FRAME)))),
            BodySource::Stream { left, stream } => {
                let chunk = ready!(stream.as_mut().poll_next(cx));
                check_body_length(left, chunk).transpose()
            }
        };
        if let (Some(Ok(chunk)), Some(progress)) = (&next, &this.progress) {
            progress.add_sent(chunk.len());
        }
        if this.is_end_stream() || next.is_none() {
            this.mark_sent();
        }
        if let (Some(Err(error)), Some(status)) = (&next, &this.status) {
            let _ = status.error.set(error.to_string());
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            BodySource::Bytes(left) => left.is_empty(),
            BodySource::Stream { left, .. } => *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            BodySource::Bytes(left) => SizeHint::with_exact(left.len() as u64),
            BodySource::Stream {
                left: Some(left), ..
            } => SizeHint::with_exact(*left),
            BodySource::Stream { left: None, .. } => SizeHint::default(),
        }
    }
}
