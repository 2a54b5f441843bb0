//! A request's body as hyper wants it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{BodyStream, Marks, Phase, RequestBody};
use http_body::{Body, Frame, SizeHint};

use crate::outgoing::check_length;

/// The largest piece of a body handed to hyper at once.
const PIECE: usize = 64 * 1024;

/// What hyper does not tell of a body that is sent.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    /// Whether any of it was asked for, which is not before the head may be sent.
    pub(super) begun: AtomicBool,
    /// Why the caller's own stream could not be sent; HTTP/2 itself tells only that it was not.
    pub(super) fault: OnceLock<String>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body, which tells when it is all handed over.
pub(crate) struct OutgoingBody {
    sending: Option<Arc<Sending>>,
    kind: Kind,
    marks: Option<Marks>,
}

enum Kind {
    Bytes(Bytes),
    Stream {
        left: Option<u64>,
        stream: BodyStream,
    },
}

impl OutgoingBody {
    pub(super) fn new(body: RequestBody, marks: Marks, sending: Option<Arc<Sending>>) -> Self {
        let kind = match body {
            RequestBody::Bytes(bytes) => Kind::Bytes(bytes),
            RequestBody::Empty => Kind::Bytes(Bytes::new()),
            RequestBody::Stream { length, stream } => Kind::Stream {
                left: length,
                stream,
            },
        };
        let mut this = Self {
            sending,
            kind,
            marks: Some(marks),
        };
        // It will not be asked for anything then.
        if this.is_end_stream() {
            this.has_uploaded();
        }
        this
    }

    fn has_uploaded(&mut self) {
        if let Some(marks) = self.marks.take() {
            marks.mark(Phase::Sent);
        }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(sending) = &this.sending {
            sending.begun.store(true, Ordering::Relaxed);
        }
        let next = match &mut this.kind {
            Kind::Bytes(rest) if rest.is_empty() => None,
            Kind::Bytes(rest) => Some(Ok(rest.split_to(rest.len().min(PIECE)))),
            Kind::Stream { left, stream } => {
                let chunk = ready!(stream.as_mut().poll_next(cx));
                check_length(left, chunk).transpose()
            }
        };
        if this.is_end_stream() || next.is_none() {
            this.has_uploaded();
        }
        if let (Some(Err(error)), Some(sending)) = (&next, &this.sending) {
            let _ = sending.fault.set(error.to_string());
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Bytes(rest) => rest.is_empty(),
            Kind::Stream { left, .. } => *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Bytes(rest) => SizeHint::with_exact(rest.len() as u64),
            Kind::Stream {
                left: Some(left), ..
            } => SizeHint::with_exact(*left),
            Kind::Stream { left: None, .. } => SizeHint::default(),
        }
    }
}
