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

/// Notified of what goes over a stream.
pub(crate) trait StreamObserver: Unpin {
    /// Called with the bytes read. An error ends the stream.
    fn on_read(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Called when reading failed.
    fn on_read_error(&mut self, error: &io::Error);

    /// Called with the number of bytes written.
    fn on_write(&mut self, bytes: usize);
}

/// A stream for hyper, with an observer.
pub(crate) struct HyperIo<S, O> {
    observer: O,
    stream: S,
}

impl<S, O> HyperIo<S, O> {
    pub(crate) fn new(stream: S, observer: O) -> Self {
        Self { observer, stream }
    }
}

impl<S: AsyncRead + Unpin, O: StreamObserver> Read for HyperIo<S, O> {
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
        let polled = polled.map(|read| match read {
            Ok(n) => {
                buf.put_slice(&scratch[..n]);
                self.observer.on_read(&scratch[..n])
            }
            Err(error) => {
                self.observer.on_read_error(&error);
                Err(error)
            }
        });
        SCRATCH_BUFFER.set(scratch);
        polled
    }
}

impl<S: AsyncWrite + Unpin, O: StreamObserver> Write for HyperIo<S, O> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = &polled {
            self.observer.on_write(*n);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
