//! Our streams as hyper's: no clearing of buffers, no unsafe code.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

use crate::io::SCRATCH;

thread_local! {
    // hyper's buffers are uninitialised and safe code can only copy into them; copying what was
    // really read costs much less than clearing a whole buffer before every read.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Is told what passes through a stream.
pub(crate) trait Watch: Unpin {
    /// Something was read.
    fn has_read(&self);

    /// Reading failed.
    fn has_failed(&self, error: &io::Error);
}

/// A stream as hyper wants it, which tells the connection's other half what passed through.
pub(crate) struct HyperIo<S, W> {
    stream: S,
    watch: W,
}

impl<S, W> HyperIo<S, W> {
    pub(crate) fn new(stream: S, watch: W) -> Self {
        Self { stream, watch }
    }
}

impl<S: AsyncRead + Unpin, W: Watch> Read for HyperIo<S, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = BUFFER.take();
        if scratch.is_empty() {
            scratch.resize(SCRATCH, 0);
        }
        let room = buf.remaining().min(SCRATCH);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut scratch[..room]);
        match &polled {
            Poll::Ready(Ok(n)) => {
                buf.put_slice(&scratch[..*n]);
                if *n > 0 {
                    self.watch.has_read();
                }
            }
            Poll::Ready(Err(error)) => self.watch.has_failed(error),
            Poll::Pending => {}
        }
        BUFFER.set(scratch);
        polled.map_ok(drop)
    }
}

impl<S: AsyncWrite + Unpin, W: Unpin> Write for HyperIo<S, W> {
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
