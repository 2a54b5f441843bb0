//! Writing of a request.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use fetch_driver::{BodyStream, RequestBody};
use futures_io::AsyncWrite;

use fetch_transport_util::{BodyStreamError, check_body_length};

/// The largest body, in bytes, that is copied after the head to send both in one write.
const MAX_COPIED_BODY: usize = 16 * 1024;

thread_local! {
    // Nearly every request goes out with its first write and leaves the buffer to the next one.
    static SPARE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A request that is being written. On the wire, `out`, `chunk` and `tail` follow each other.
pub(super) struct Upload {
    head_size: usize,
    /// The head, or the framing of a chunk.
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// A part of the body.
    chunk: Bytes,
    /// The framing after the chunk.
    tail: &'static [u8],
    state: UploadState,
}

enum UploadState {
    Done,
    /// Everything left is in the buffers.
    Last,
    Stream {
        /// The bytes missing from the announced length. Without one, chunked coding is used.
        left: Option<u64>,
        stream: BodyStream,
    },
    /// The body is sent when [`Upload::stop_waiting`] is called.
    Waiting(RequestBody),
}

/// Why an upload stopped.
pub(super) enum UploadError {
    /// The caller's stream failed.
    Body(BodyStreamError),
    Io(io::Error),
}

impl Upload {
    /// A request whose head `write_head` writes. If it `waits`, its body is not sent yet.
    pub(super) fn new<E>(
        body: RequestBody,
        waits: bool,
        write_head: impl FnOnce(&mut Vec<u8>, &RequestBody) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut out = SPARE_BUFFER.take();
        write_head(&mut out, &body)?;
        let mut this = Self {
            head_size: out.len(),
            out,
            written: 0,
            chunk: Bytes::new(),
            tail: b"",
            state: UploadState::Last,
        };
        match body {
            body if waits => this.state = UploadState::Waiting(body),
            RequestBody::Bytes(bytes) if bytes.len() <= MAX_COPIED_BODY => {
                this.out.extend_from_slice(&bytes);
            }
            body => this.set_body(body),
        }
        Ok(this)
    }

    /// Sends the body after what is buffered.
    fn set_body(&mut self, body: RequestBody) {
        self.state = UploadState::Last;
        match body {
            RequestBody::Empty => {}
            RequestBody::Bytes(bytes) => self.chunk = bytes,
            RequestBody::Stream { length, stream } => {
                self.state = UploadState::Stream {
                    left: length,
                    stream,
                };
            }
        }
    }

    /// Whether the body is not sent yet.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, UploadState::Waiting(_))
    }

    /// Lets the body follow the head.
    pub(super) fn stop_waiting(&mut self) {
        if let UploadState::Waiting(body) = &mut self.state {
            let body = std::mem::take(body);
            self.set_body(body);
        }
    }

    /// Whether everything was written.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, UploadState::Done)
    }

    /// The size of the head, before anything is written.
    pub(super) fn head_size(&self) -> usize {
        self.head_size
    }

    /// Writes everything. Calls `on_write` with the bytes of each write.
    pub(super) fn poll(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin + ?Sized),
        cx: &mut Context<'_>,
        mut on_write: impl FnMut(usize),
    ) -> Poll<Result<(), UploadError>> {
        loop {
            while self.has_buffered() {
                let n = ready!(self.poll_write(stream, cx)).map_err(UploadError::Io)?;
                if n == 0 {
                    let error = io::ErrorKind::WriteZero.into();
                    return Poll::Ready(Err(UploadError::Io(error)));
                }
                on_write(n);
                self.advance(n);
            }
            match &mut self.state {
                UploadState::Last => {
                    ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(UploadError::Io)?;
                    self.state = UploadState::Done;
                    self.out.clear();
                    SPARE_BUFFER.set(std::mem::take(&mut self.out));
                    return Poll::Ready(Ok(()));
                }
                UploadState::Stream { left, stream: body } => {
                    let polled = body.as_mut().poll_next(cx);
                    if polled.is_pending() {
                        // Written bytes must not wait for the next chunk.
                        let flushed = Pin::new(&mut *stream).poll_flush(cx);
                        let _ = flushed.map_err(UploadError::Io)?;
                    }
                    let is_chunked = left.is_none();
                    let chunk =
                        check_body_length(left, ready!(polled)).map_err(UploadError::Body)?;
                    self.buffer_chunk(chunk, is_chunked);
                }
                UploadState::Waiting(_) => {
                    ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(UploadError::Io)?;
                    return Poll::Pending;
                }
                UploadState::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Buffers the next chunk of the caller's stream, or its end.
    fn buffer_chunk(&mut self, chunk: Option<Bytes>, is_chunked: bool) {
        self.out.clear();
        self.written = 0;
        match chunk {
            None => {
                self.state = UploadState::Last;
                if is_chunked {
                    self.out.extend_from_slice(b"0\r\n\r\n");
                }
            }
            // In the chunked coding an empty chunk would be the end.
            Some(chunk) if chunk.is_empty() => {}
            Some(chunk) => {
                if is_chunked {
                    self.out
                        .extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    self.tail = b"\r\n";
                }
                self.chunk = chunk;
            }
        }
    }

    fn has_buffered(&self) -> bool {
        self.written < self.out.len() || !self.chunk.is_empty() || !self.tail.is_empty()
    }

    fn poll_write(
        &self,
        stream: &mut (impl AsyncWrite + Unpin + ?Sized),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let out = &self.out[self.written..];
        if self.chunk.is_empty() && self.tail.is_empty() {
            return Pin::new(stream).poll_write(cx, out);
        }
        let mut slices = [
            IoSlice::new(out),
            IoSlice::new(&self.chunk),
            IoSlice::new(self.tail),
        ];
        // Streams without vectored writes write the first slice: it must not be empty.
        slices.sort_by_key(|slice| slice.is_empty());
        let count = slices.iter().take_while(|slice| !slice.is_empty()).count();
        Pin::new(stream).poll_write_vectored(cx, &slices[..count])
    }

    fn advance(&mut self, n: usize) {
        let of_out = n.min(self.out.len() - self.written);
        self.written += of_out;
        let of_chunk = (n - of_out).min(self.chunk.len());
        self.chunk.advance(of_chunk);
        self.tail = &self.tail[n - of_out - of_chunk..];
    }
}
