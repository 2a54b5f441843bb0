//! Content codings, taken off as the body arrives.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{Failure, TransportError};
use futures_io::{AsyncBufRead, AsyncRead};
use futures_lite::io::BufReader;

use crate::body::Wire;
use crate::coding::{Coding, Reader};
use crate::error::told;

/// The size of the chunks that decoding yields.
const CHUNK: usize = 32 * 1024;

/// A body with its codings taken off, and never more than a limit of it.
pub(crate) struct Decoded {
    buffer: Box<[u8]>,
    decoded: u64,
    done: bool,
    max: u64,
    reader: Reader,
    wire: Arc<Mutex<Wire>>,
}

impl Decoded {
    pub(crate) fn new(wire: Wire, codings: &[Coding], max: u64) -> Self {
        let wire = Arc::new(Mutex::new(wire));
        let mut codings = codings.iter().rev();
        let chunks = Chunks {
            chunk: Bytes::new(),
            wire: wire.clone(),
        };
        let mut reader: Reader = match codings.next() {
            Some(last) => last.decoder(chunks),
            None => Box::pin(chunks),
        };
        for coding in codings {
            reader = coding.decoder(BufReader::new(reader));
        }
        let buffer = vec![0; CHUNK].into_boxed_slice();
        Self {
            buffer,
            decoded: 0,
            done: false,
            max,
            reader,
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
        match ready!(self.reader.as_mut().poll_read(cx, &mut self.buffer)) {
            Ok(0) => self.finish(cx),
            Ok(n) => {
                self.decoded += n as u64;
                if self.decoded > self.max {
                    return Poll::Ready(Some(Err(self.too_large())));
                }
                Poll::Ready(Some(Ok(Bytes::copy_from_slice(&self.buffer[..n]))))
            }
            // Nothing at all is no broken stream: servers put a coding on empty bodies.
            Err(_) if lock(&self.wire).is_finished_empty() => {
                self.done = true;
                Poll::Ready(None)
            }
            Err(error) => Poll::Ready(Some(Err(self.broken(error)))),
        }
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

    fn too_large(&mut self) -> TransportError {
        self.stop();
        let text = format!("over {} bytes when decoded", self.max);
        TransportError::new(Failure::BodyTooLarge, text)
    }

    fn broken(&mut self, error: io::Error) -> TransportError {
        self.stop();
        match error.downcast::<TransportError>() {
            Ok(from_wire) => from_wire,
            Err(error) => told(
                Failure::Decode,
                "its content coding is broken or cut short",
                error,
            ),
        }
    }

    fn stop(&mut self) {
        self.done = true;
        lock(&self.wire).close();
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
