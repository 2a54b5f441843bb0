//! Streams as hyper reads and writes them, without unsafe code and without zeroing its buffers.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

use super::byte_stream::SCRATCH;

thread_local! {
    // hyper's buffers are uninitialised, and safe code can only copy into them. Copying the bytes read
    // costs much less than zeroing a whole buffer before every read.
    static SCRATCH_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Notified of the reads of a stream.
pub(crate) trait ReadObserver: Unpin {
    /// Called when bytes were read.
    fn on_read(&self);

    /// Called when reading failed.
    fn on_read_error(&self, error: &io::Error);
}

/// A stream for hyper, which notifies an observer of its reads.
pub(crate) struct HyperIo<S, O> {
    observer: O,
    stream: S,
}

impl<S, O> HyperIo<S, O> {
    pub(crate) fn new(stream: S, observer: O) -> Self {
        Self { observer, stream }
    }
}

impl<S: AsyncRead + Unpin, O: ReadObserver> Read for HyperIo<S, O> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = SCRATCH_BUFFER.take();
        if scratch.is_empty() {
            scratch.resize(SCRATCH, 0);
        }
        let room = buf.remaining().min(SCRATCH);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut scratch[..room]);
        match &polled {
            Poll::Ready(Ok(n)) => {
                buf.put_slice(&scratch[..*n]);
                if *n > 0 {
                    self.observer.on_read();
                }
            }
            Poll::Ready(Err(error)) => self.observer.on_read_error(error),
            Poll::Pending => {}
        }
        SCRATCH_BUFFER.set(scratch);
        polled.map_ok(drop)
    }
}

impl<S: AsyncWrite + Unpin, O: Unpin> Write for HyperIo<S, O> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
