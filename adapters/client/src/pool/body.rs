//! A response's body, whose end releases the client that read it.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::Bytes;
use fetch_driver::{AttemptProgress, TransportError};
use futures_core::Stream;
use futures_lite::AsyncRead;
use futures_lite::io::BufReader;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;

use super::ClientLease;
use crate::coding::remove_codings;
use crate::decoder::{BodyDecoder, DecodeError};
use crate::lock::lock;

/// Converts a client's read error.
type ConvertError = fn(io::Error) -> TransportError;

/// A response's body as a stream, read by a pooled client.
///
/// At its end the client goes back to its pool. Dropped earlier, it drops the client, and the
/// connection with it.
pub struct PooledBody<C> {
    // Dropped before the lease, because it may hold a reference to the client.
    decoder: Option<BodyDecoder>,
    lease: Option<ClientLease<C>>,
    convert_error: ConvertError,
    received: Arc<Mutex<ReceivedBody>>,
}

/// What the client has received, before decoding.
struct ReceivedBody {
    bytes: u64,
    /// The bytes that are missing from `Content-Length`, if the response has one.
    left: Option<u64>,
    progress: AttemptProgress,
}

impl ReceivedBody {
    fn is_complete(&self) -> bool {
        self.left.is_none_or(|left| left == 0)
    }
}

impl<C> PooledBody<C> {
    /// A body read by `reader`. If it will be decoded, its codings and length are removed from
    /// `headers`.
    ///
    /// More than `max` decoded bytes are an error, as is a body shorter than its `Content-Length`.
    ///
    /// # Errors
    ///
    /// If it has too many codings.
    pub(super) fn new(
        reader: impl AsyncRead + Send + 'static,
        headers: &mut HeaderMap,
        (decode, max): (bool, u64),
        progress: AttemptProgress,
        lease: ClientLease<C>,
        convert_error: ConvertError,
    ) -> Result<Self, TransportError> {
        let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
        let length = length.and_then(|text| text.trim().parse().ok());
        let codings = match decode {
            true => remove_codings(headers)?,
            false => Vec::new(),
        };
        let received = Arc::new(Mutex::new(ReceivedBody {
            bytes: 0,
            left: length,
            progress,
        }));
        let reader = BufReader::new(CountingReader {
            reader: Box::pin(reader),
            received: received.clone(),
        });
        Ok(Self {
            decoder: Some(BodyDecoder::new(reader, &codings, max)),
            lease: Some(lease),
            convert_error,
            received,
        })
    }

    /// The body of a response that has none, as to a `HEAD` request. Releases the client.
    pub(super) fn empty(
        progress: AttemptProgress,
        lease: ClientLease<C>,
        convert_error: ConvertError,
    ) -> Self {
        lease.release();
        Self {
            decoder: None,
            lease: None,
            convert_error,
            received: Arc::new(Mutex::new(ReceivedBody {
                bytes: 0,
                left: None,
                progress,
            })),
        }
    }

    /// Releases the client, or drops it if more data than the decoder needed is still to come.
    fn finish(&mut self) {
        let is_complete = lock(&self.received).is_complete();
        if let Some(lease) = self.lease.take().filter(|_| is_complete) {
            lease.release();
        }
    }

    fn convert(&self, error: io::Error) -> TransportError {
        match error.downcast::<ClientError>() {
            Ok(ClientError(error)) => (self.convert_error)(error),
            Err(from_decoder) => DecodeError::invalid_data(from_decoder),
        }
    }

    /// Cancels the response.
    fn cancel(&mut self) {
        self.decoder = None;
        self.lease = None;
    }

    /// Whether the coded body is complete and empty.
    fn is_empty(&self) -> bool {
        let received = lock(&self.received);
        received.bytes == 0 && received.is_complete()
    }
}

impl<C: Unpin> Stream for PooledBody<C> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(decoder) = this.decoder.as_mut().filter(|_| this.lease.is_some()) else {
            return Poll::Ready(None);
        };
        let error = match ready!(decoder.poll_next(cx)) {
            Ok(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
            Ok(None) => {
                this.finish();
                return Poll::Ready(None);
            }
            // Servers announce codings for empty bodies, too.
            Err(DecodeError::Broken(error)) if this.is_empty() && !is_client_error(&error) => {
                this.finish();
                return Poll::Ready(None);
            }
            Err(DecodeError::Broken(error)) => this.convert(error),
            Err(DecodeError::Empty(error) | DecodeError::TooLarge(error)) => error,
        };
        this.cancel();
        Poll::Ready(Some(Err(error)))
    }
}

impl<C> fmt::Debug for PooledBody<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBody")
            .field("decoder", &self.decoder)
            .finish_non_exhaustive()
    }
}

/// Counts the bytes a client reads, and wraps its errors to distinguish them from the decoder's.
struct CountingReader {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    received: Arc<Mutex<ReceivedBody>>,
}

impl AsyncRead for CountingReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(self.reader.as_mut().poll_read(cx, buf));
        let mut received = lock(&self.received);
        let n = read.map_err(|error| io::Error::other(ClientError(error)))? as u64;
        received.bytes += n;
        received.progress.add_received(n);
        match &mut received.left {
            Some(left) if n == 0 && *left > 0 && !buf.is_empty() => {
                let text = format!("it ended {left} bytes too early");
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                Poll::Ready(Err(io::Error::other(ClientError(error))))
            }
            left => {
                *left = left.map(|left| left.saturating_sub(n));
                Poll::Ready(Ok(n as usize))
            }
        }
    }
}

fn is_client_error(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|error| error.is::<ClientError>())
}

/// A client's read error that passes through the decoder.
#[derive(Debug)]
struct ClientError(io::Error);

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ClientError {}
