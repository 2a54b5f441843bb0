//! Decoding of content codings while the body arrives.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::TransportError;
use fetch_transport_util::{BodyDecoder, ContentCoding, DecodeError};
use futures_io::{AsyncBufRead, AsyncRead};

use super::raw::RawBody;
use fetch_transport_util::lock;

/// A body without its content codings, of limited length.
pub(super) struct DecodedBody {
    decoder: BodyDecoder,
    done: bool,
    source: Arc<Mutex<CodedSource>>,
}

/// The coded body.
struct CodedSource {
    /// Whether it ended without an error.
    is_complete: bool,
    raw: RawBody,
    /// Whether any byte arrived.
    received_any: bool,
}

impl CodedSource {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, TransportError>> {
        let next = ready!(self.raw.poll_next(cx))?;
        self.received_any |= next.is_some();
        self.is_complete |= next.is_none();
        Poll::Ready(Ok(next))
    }
}

impl DecodedBody {
    pub(super) fn new(raw: RawBody, codings: &[ContentCoding], max: u64) -> Self {
        let source = Arc::new(Mutex::new(CodedSource {
            is_complete: false,
            raw,
            received_any: false,
        }));
        let reader = CodedReader {
            chunk: Bytes::new(),
            source: source.clone(),
        };
        Self {
            decoder: BodyDecoder::new(reader, codings, max),
            done: false,
            source,
        }
    }

    /// The next decoded chunk.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, TransportError>>> {
        if self.done {
            return Poll::Ready(None);
        }
        let error = match ready!(self.decoder.poll_next(cx)) {
            Ok(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
            Ok(None) => return self.poll_finish(cx),
            // Servers announce codings for empty bodies, too.
            Err(DecodeError::Broken(_)) if self.is_empty() => {
                self.done = true;
                return Poll::Ready(None);
            }
            Err(DecodeError::Broken(error)) => match error.downcast::<TransportError>() {
                Ok(from_source) => from_source,
                Err(error) => DecodeError::invalid_data(error),
            },
            Err(DecodeError::Empty(error) | DecodeError::TooLarge(error)) => error,
        };
        self.done = true;
        lock(&self.source).raw.close();
        Poll::Ready(Some(Err(error)))
    }

    /// Whether the coded body is complete and empty.
    fn is_empty(&self) -> bool {
        let source = lock(&self.source);
        source.is_complete && !source.received_any
    }

    /// Reads the response to its end, so that the connection can be reused.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        let mut source = lock(&self.source);
        match ready!(source.poll_next(cx)) {
            Ok(None) => {}
            // Data after the coded stream is ignored and not waited for.
            Ok(Some(_)) => source.raw.close(),
            Err(error) => {
                self.done = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
        self.done = true;
        Poll::Ready(None)
    }
}

/// Reads the coded chunks.
struct CodedReader {
    chunk: Bytes,
    source: Arc<Mutex<CodedSource>>,
}

impl AsyncRead for CodedReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = available.len().min(buf.len());
        buf[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

impl AsyncBufRead for CodedReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.chunk.is_empty() {
            match ready!(lock(&this.source).poll_next(cx)) {
                Ok(Some(chunk)) => this.chunk = chunk,
                Ok(None) => break,
                Err(error) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        let _ = self.chunk.split_to(n);
    }
}
