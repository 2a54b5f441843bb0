//! A response's body: read, decoded, bounded, and its lease given back in the end.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::Bytes;
use fetch_driver::{Failure, Marks, TransportError};
use futures_core::Stream;
use futures_lite::AsyncRead;
use http::HeaderMap;
#[cfg(feature = "decode")]
use http::header::CONTENT_ENCODING;
use http::header::CONTENT_LENGTH;

use crate::leases::Lease;

/// The size of the chunks that are read.
const CHUNK: usize = 32 * 1024;

/// Turns a client's own error into what the core is told.
pub type Told = fn(io::Error) -> TransportError;

/// A response's body as a stream, over a client's reader.
///
/// When it was read to its end, the client goes back to its [`Leases`](crate::Leases). Dropped
/// before, it is dropped, and the transfer with it.
pub struct Reading<C> {
    // Before the lease, for it may hold on to the client, whose end is the lease's to see to.
    reader: Pin<Box<dyn AsyncRead + Send>>,
    buffer: Box<[u8]>,
    bytes: u64,
    lease: Option<Lease<C>>,
    max: u64,
    told: Told,
    wire: Arc<Mutex<Wire>>,
}

/// What the client has read.
struct Wire {
    /// How many bytes are still due, where the response says so.
    left: Option<u64>,
    marks: Marks,
    read: u64,
}

/// How a [`Reading`] is to be.
struct Plan {
    #[cfg(feature = "decode")]
    codings: Vec<String>,
    length: Option<u64>,
}

impl Plan {
    /// Takes what tells of codings out of `headers` if they will be taken off.
    #[cfg_attr(
        not(feature = "decode"),
        expect(clippy::needless_pass_by_ref_mut, reason = "nothing is decoded then")
    )]
    fn new(headers: &mut HeaderMap, decode: bool) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
        let length = length.and_then(|text| text.trim().parse().ok());
        #[cfg(feature = "decode")]
        {
            let codings = crate::coding::codings(headers).filter(|_| decode);
            let codings = codings.unwrap_or_default();
            if !codings.is_empty() {
                headers.remove(CONTENT_ENCODING);
                headers.remove(CONTENT_LENGTH);
            }
            Self { codings, length }
        }
        #[cfg(not(feature = "decode"))]
        {
            let _ = decode;
            Self { length }
        }
    }
}

impl<C> Reading<C> {
    /// A body that `reader` reads. `headers` lose what says that it is coded, if it will be decoded.
    ///
    /// More than `max` decoded bytes are an error, as is a body shorter than its `Content-Length`.
    pub fn new(
        reader: impl AsyncRead + Send + 'static,
        headers: &mut HeaderMap,
        (decode, max): (bool, u64),
        marks: Marks,
        lease: Lease<C>,
        told: Told,
    ) -> Self {
        let plan = Plan::new(headers, decode);
        let wire = Arc::new(Mutex::new(Wire {
            left: plan.length,
            marks,
            read: 0,
        }));
        let counted: Pin<Box<dyn AsyncRead + Send>> = Box::pin(Counted {
            reader: Box::pin(reader),
            wire: wire.clone(),
        });
        #[cfg(feature = "decode")]
        let counted = plan.codings.iter().rev().fold(counted, |reader, coding| {
            crate::coding::decoder(coding, reader)
        });
        Self {
            buffer: vec![0; CHUNK].into_boxed_slice(),
            bytes: 0,
            lease: Some(lease),
            max,
            reader: counted,
            told,
            wire,
        }
    }

    /// A body of nothing, as that of a response to `HEAD`: its client is free at once.
    pub fn empty(marks: Marks, lease: Lease<C>, told: Told) -> Self {
        lease.give_back();
        Self {
            buffer: Box::default(),
            bytes: 0,
            lease: None,
            max: 0,
            reader: Box::pin(futures_lite::io::empty()),
            told,
            wire: Arc::new(Mutex::new(Wire {
                left: None,
                marks,
                read: 0,
            })),
        }
    }

    /// Gives the client back, or, if more is to come that nobody wants, drops it.
    fn finish(&mut self) {
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = self
            .lease
            .take()
            .filter(|_| wire.left.is_none_or(|n| n == 0))
        {
            lease.give_back();
        }
    }

    fn fail(&mut self, error: io::Error) -> TransportError {
        self.stop();
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        match error.downcast::<Native>() {
            Ok(Native(native)) => (self.told)(native),
            // It came from the decoder, not from the client.
            Err(error) if wire.left.is_some_and(|left| left > 0) || wire.read > 0 => {
                let text = format!("its content coding is broken or cut short: {error}");
                TransportError::new(Failure::Decode, text)
            }
            Err(error) => TransportError::new(Failure::Decode, error),
        }
    }

    /// Ends the transfer.
    fn stop(&mut self) {
        self.reader = Box::pin(futures_lite::io::empty());
        self.lease = None;
    }
}

impl<C: Unpin> Stream for Reading<C> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.lease.is_none() {
            return Poll::Ready(None);
        }
        match ready!(this.reader.as_mut().poll_read(cx, &mut this.buffer)) {
            Ok(0) => {
                this.finish();
                Poll::Ready(None)
            }
            Ok(n) => {
                this.bytes += n as u64;
                if this.bytes > this.max {
                    this.stop();
                    let text = format!("over {} bytes when decoded", this.max);
                    let error = TransportError::new(Failure::BodyTooLarge, text);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(Bytes::copy_from_slice(&this.buffer[..n]))))
            }
            // Nothing at all is no broken stream: servers put a coding on empty bodies.
            Err(error) if this.is_empty() && !error.get_ref().is_some_and(|e| e.is::<Native>()) => {
                this.finish();
                Poll::Ready(None)
            }
            Err(error) => Poll::Ready(Some(Err(this.fail(error)))),
        }
    }
}

impl<C> Reading<C> {
    fn is_empty(&self) -> bool {
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        wire.read == 0 && wire.left.is_none_or(|left| left == 0)
    }
}

impl<C> fmt::Debug for Reading<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Counts what a client reads, and marks its errors as its own.
struct Counted {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    wire: Arc<Mutex<Wire>>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(self.reader.as_mut().poll_read(cx, buf));
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        let n = read.map_err(|error| io::Error::other(Native(error)))? as u64;
        wire.read += n;
        wire.marks.received(n);
        match &mut wire.left {
            Some(left) if n == 0 && *left > 0 && !buf.is_empty() => {
                let text = format!("it ended {left} bytes too early");
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                Poll::Ready(Err(io::Error::other(Native(error))))
            }
            left => {
                *left = left.map(|left| left.saturating_sub(n));
                Poll::Ready(Ok(n as usize))
            }
        }
    }
}

/// A client's error on its way through the decoders.
#[derive(Debug)]
struct Native(io::Error);

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Native {}
