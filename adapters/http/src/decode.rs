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
    wire: Arc<Mutex<Wire>>,
}

impl Decoded {
    fn new(wire: Wire, codings: &[Coding], max: u64) -> Self {
        let wire = Arc::new(Mutex::new(wire));
        let chunks = Chunks {
            chunk: Bytes::new(),
            wire: wire.clone(),
        };
        Self {
            decoding: Decoding::new(chunks, codings, max),
            done: false,
            wire,
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
            Err(Fault::Broken(_)) if lock(&self.wire).is_finished_empty() => {
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
        lock(&self.wire).close();
        Poll::Ready(Some(Err(error)))
    }

    /// Reads on to the end of the response, so that its connection can be used again.
    fn finish(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        let mut wire = lock(&self.wire);
        match ready!(wire.poll_next(cx)) {
            None => {}
            // What comes behind the coded stream is nobody's business; no need to wait for it.
            Some(Ok(_)) => wire.close(),
            Some(Err(error)) => {
                self.done = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
        self.done = true;
        Poll::Ready(None)
    }
}

/// The wire's chunks as a reader.
struct Chunks {
    chunk: Bytes,
    wire: Arc<Mutex<Wire>>,
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
            let next = ready!(lock(&this.wire).poll_next(cx));
            match next {
                Some(Ok(chunk)) => this.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => break,
            }
        }
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        let _ = self.chunk.split_to(n);
    }
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}
