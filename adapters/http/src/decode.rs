//! Content codings, taken off as the body arrives.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_coding::{Coding, Decoding, Fault, codings};
use fetch_driver::TransportError;
use futures_io::{AsyncBufRead, AsyncRead};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};

use crate::body::{ResponseBody, Wire};

/// The body without its codings; `headers` then say nothing of them any more.
pub(crate) fn decode(
    wire: Wire,
    headers: &mut HeaderMap,
    max_body: u64,
) -> Result<ResponseBody, TransportError> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(ResponseBody::plain(wire));
    }
    let codings = codings(headers)?;
    if codings.is_empty() {
        return Ok(ResponseBody::plain(wire));
    }
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    Ok(ResponseBody::decoded(Decoded::new(
        wire, &codings, max_body,
    )))
}

/// A body with its codings taken off, and never more than a limit of it.
pub(crate) struct Decoded {
    decoding: Decoding,
    done: bool,
    source: Arc<Mutex<Source>>,
}

/// Where the coded body comes from.
struct Source {
    /// Whether any byte came.
    any: bool,
    /// Whether it came to its end without error.
    ended: bool,
    wire: Wire,
}

impl Source {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, TransportError>> {
        let next = ready!(self.wire.poll_next(cx))?;
        self.any |= next.is_some();
        self.ended |= next.is_none();
        Poll::Ready(Ok(next))
    }
}

impl Decoded {
    fn new(wire: Wire, codings: &[Coding], max: u64) -> Self {
        let source = Arc::new(Mutex::new(Source {
            any: false,
            ended: false,
            wire,
        }));
        let chunks = Chunks {
            chunk: Bytes::new(),
            source: source.clone(),
        };
        Self {
            decoding: Decoding::new(chunks, codings, max),
            done: false,
            source,
        }
    }

    /// The next decoded chunk.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, TransportError>>> {
        if self.done {
            return Poll::Ready(None);
        }
        let error = match ready!(self.decoding.poll_next(cx)) {
            Ok(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
            Ok(None) => return self.finish(cx),
            // Nothing at all is no broken stream: servers put a coding on empty bodies.
            Err(Fault::Broken(_)) if self.is_empty() => {
                self.done = true;
                return Poll::Ready(None);
            }
            Err(Fault::Broken(error)) => match error.downcast::<TransportError>() {
                Ok(from_wire) => from_wire,
                Err(error) => Fault::undecodable(error),
            },
            Err(Fault::TooLarge(error)) => error,
        };
        self.done = true;
        lock(&self.source).wire.close();
        Poll::Ready(Some(Err(error)))
    }

    /// Whether nothing at all was coded.
    fn is_empty(&self) -> bool {
        let source = lock(&self.source);
        source.ended && !source.any
    }

    /// Reads on to the end of the response, so that its connection can be used again.
    fn finish(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        let mut source = lock(&self.source);
        match ready!(source.poll_next(cx)) {
            Ok(None) => {}
            // What comes behind the coded stream is nobody's business; no need to wait for it.
            Ok(Some(_)) => source.wire.close(),
            Err(error) => {
                self.done = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
        self.done = true;
        Poll::Ready(None)
    }
}

/// The coded chunks as a reader.
struct Chunks {
    chunk: Bytes,
    source: Arc<Mutex<Source>>,
}

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let ready = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = ready.len().min(buf.len());
        buf[..n].copy_from_slice(&ready[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

impl AsyncBufRead for Chunks {
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

fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}
