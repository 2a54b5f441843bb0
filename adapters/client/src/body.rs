//! A response's body: read, decoded, bounded, and its lease given back in the end.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::Bytes;
use fetch_coding::{Coding, Decoding, Fault};
use fetch_driver::{AttemptProgress, TransportError};
use futures_core::Stream;
use futures_lite::AsyncRead;
use futures_lite::io::BufReader;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use crate::leases::Lease;

/// Turns a client's own error into what the core is told.
pub type Told = fn(io::Error) -> TransportError;

/// A response's body as a stream, over a client's reader.
///
/// When it was read to its end, the client goes back to its [`Leases`](crate::Leases). Dropped
/// before, it is dropped, and the transfer with it.
pub struct Reading<C> {
    // Before the lease, for it may hold on to the client, whose end is the lease's to see to.
    body: Option<Decoding>,
    lease: Option<Lease<C>>,
    told: Told,
    wire: Arc<Mutex<Wire>>,
}

/// What the client has read.
struct Wire {
    /// How many bytes are still due, where the response says so.
    left: Option<u64>,
    progress: AttemptProgress,
    read: u64,
}

/// The codings to take off. `headers` then say nothing of them any more.
fn codings(headers: &mut HeaderMap, decode: bool) -> Result<Vec<Coding>, TransportError> {
    if !decode {
        return Ok(Vec::new());
    }
    let codings = fetch_coding::codings(headers)?;
    if !codings.is_empty() {
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
    }
    Ok(codings)
}

impl<C> Reading<C> {
    /// A body that `reader` reads. `headers` lose what says that it is coded, if it will be decoded.
    ///
    /// More than `max` decoded bytes are an error, as is a body shorter than its `Content-Length`.
    ///
    /// # Errors
    ///
    /// If it has too many codings.
    pub fn new(
        reader: impl AsyncRead + Send + 'static,
        headers: &mut HeaderMap,
        (decode, max): (bool, u64),
        progress: AttemptProgress,
        lease: Lease<C>,
        told: Told,
    ) -> Result<Self, TransportError> {
        let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
        let length = length.and_then(|text| text.trim().parse().ok());
        let codings = codings(headers, decode)?;
        let wire = Arc::new(Mutex::new(Wire {
            left: length,
            progress,
            read: 0,
        }));
        let counted = BufReader::new(Counted {
            reader: Box::pin(reader),
            wire: wire.clone(),
        });
        Ok(Self {
            body: Some(Decoding::new(counted, &codings, max)),
            lease: Some(lease),
            told,
            wire,
        })
    }

    /// A body of nothing, as that of a response to `HEAD`: its client is free at once.
    pub fn empty(progress: AttemptProgress, lease: Lease<C>, told: Told) -> Self {
        lease.give_back();
        Self {
            body: None,
            lease: None,
            told,
            wire: Arc::new(Mutex::new(Wire {
                left: None,
                progress,
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

    fn told(&self, error: io::Error) -> TransportError {
        match error.downcast::<Native>() {
            Ok(Native(native)) => (self.told)(native),
            // It came from the decoder, not from the client.
            Err(error) => Fault::undecodable(error),
        }
    }

    /// Ends the transfer.
    fn stop(&mut self) {
        self.body = None;
        self.lease = None;
    }

    /// Whether the client read to the end, and that was nothing.
    fn is_empty(&self) -> bool {
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        wire.read == 0 && wire.left.is_none_or(|left| left == 0)
    }
}

impl<C: Unpin> Stream for Reading<C> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(body) = this.body.as_mut().filter(|_| this.lease.is_some()) else {
            return Poll::Ready(None);
        };
        let error = match ready!(body.poll_next(cx)) {
            Ok(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
            Ok(None) => {
                this.finish();
                return Poll::Ready(None);
            }
            // Nothing at all is no broken stream: servers put a coding on empty bodies.
            Err(Fault::Broken(error)) if this.is_empty() && !is_native(&error) => {
                this.finish();
                return Poll::Ready(None);
            }
            Err(Fault::Broken(error)) => this.told(error),
            Err(Fault::TooLarge(error)) => error,
        };
        this.stop();
        Poll::Ready(Some(Err(error)))
    }
}

impl<C> fmt::Debug for Reading<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("body", &self.body)
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
        wire.progress.add_received(n);
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

fn is_native(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Native>())
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
