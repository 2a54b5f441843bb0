//! What is still to be written of a request.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use fetch_driver::{BodyStream, RequestBody};
use futures_io::AsyncWrite;

use crate::outgoing::check_length;

/// The largest body that is copied behind the head, to go out with it in one write.
const SMALL: usize = 16 * 1024;

thread_local! {
    // Nearly every request goes out with its first write, and leaves the buffer to the next.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A request on its way out.
pub(super) struct Upload {
    /// The head, or a chunk's framing.
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// A piece of the body behind `out`, and what follows it.
    piece: Bytes,
    tail: &'static [u8],
    state: State,
}

enum State {
    /// Nothing is left but what is in the buffers.
    Last,
    Stream {
        /// What is missing of the announced length; chunked coding is used without one.
        left: Option<u64>,
        stream: BodyStream,
    },
    Done,
}

/// Why it cannot go on.
pub(super) enum Failed {
    /// The caller's own stream.
    Body(Box<dyn std::error::Error + Send + Sync>),
    Io(io::Error),
}

impl Upload {
    /// A request whose head `write` writes.
    pub(super) fn new<E>(
        body: RequestBody,
        write: impl FnOnce(&mut Vec<u8>, &RequestBody) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut out = SPARE.take();
        write(&mut out, &body)?;
        let mut this = Self {
            out,
            piece: Bytes::new(),
            state: State::Last,
            tail: b"",
            written: 0,
        };
        match body {
            RequestBody::Empty => {}
            RequestBody::Bytes(bytes) if bytes.len() <= SMALL => this.out.extend_from_slice(&bytes),
            RequestBody::Bytes(bytes) => this.piece = bytes,
            RequestBody::Stream {
                length: left,
                stream,
            } => this.state = State::Stream { left, stream },
        }
        Ok(this)
    }

    /// Whether all of it was written.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Writes all of it; tells, too, each time that something was written.
    pub(super) fn poll(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin + ?Sized),
        cx: &mut Context<'_>,
        mut wrote: impl FnMut(),
    ) -> Poll<Result<(), Failed>> {
        loop {
            while self.has_more() {
                let n = ready!(self.poll_write(stream, cx)).map_err(Failed::Io)?;
                if n == 0 {
                    let none = io::ErrorKind::WriteZero.into();
                    return Poll::Ready(Err(Failed::Io(none)));
                }
                wrote();
                self.advance(n);
            }
            match &mut self.state {
                State::Last => {
                    ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(Failed::Io)?;
                    self.state = State::Done;
                    self.out.clear();
                    SPARE.set(std::mem::take(&mut self.out));
                    return Poll::Ready(Ok(()));
                }
                State::Stream { left, stream: body } => {
                    let polled = body.as_mut().poll_next(cx);
                    if polled.is_pending() {
                        // What is written must not wait for more.
                        let _ = Pin::new(&mut *stream).poll_flush(cx).map_err(Failed::Io)?;
                    }
                    let is_chunked = left.is_none();
                    let chunk = check_length(left, ready!(polled)).map_err(Failed::Body)?;
                    self.put(chunk, is_chunked);
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Takes the next chunk, or the end, of the caller's stream.
    fn put(&mut self, chunk: Option<Bytes>, is_chunked: bool) {
        self.out.clear();
        self.written = 0;
        match chunk {
            None => {
                self.state = State::Last;
                if is_chunked {
                    self.out.extend_from_slice(b"0\r\n\r\n");
                }
            }
            // An empty chunk would be the end.
            Some(chunk) if chunk.is_empty() => {}
            Some(chunk) => {
                if is_chunked {
                    self.out
                        .extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    self.tail = b"\r\n";
                }
                self.piece = chunk;
            }
        }
    }

    fn has_more(&self) -> bool {
        self.written < self.out.len() || !self.piece.is_empty() || !self.tail.is_empty()
    }

    fn poll_write(
        &self,
        stream: &mut (impl AsyncWrite + Unpin + ?Sized),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let out = &self.out[self.written..];
        if self.piece.is_empty() && self.tail.is_empty() {
            return Pin::new(stream).poll_write(cx, out);
        }
        let mut slices = [
            IoSlice::new(out),
            IoSlice::new(&self.piece),
            IoSlice::new(self.tail),
        ];
        // Streams that cannot write several write the first: it must not be empty.
        slices.sort_by_key(|slice| slice.is_empty());
        let count = slices.iter().take_while(|slice| !slice.is_empty()).count();
        Pin::new(stream).poll_write_vectored(cx, &slices[..count])
    }

    fn advance(&mut self, n: usize) {
        let of_out = n.min(self.out.len() - self.written);
        self.written += of_out;
        let of_piece = (n - of_out).min(self.piece.len());
        self.piece.advance(of_piece);
        self.tail = &self.tail[n - of_out - of_piece..];
    }
}
