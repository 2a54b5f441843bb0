//! Our streams as hyper's: few system calls, no clearing of buffers, no unsafe code.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

use crate::runtime::Stream;

/// The most read at once. Also the size of the one read buffer each thread keeps.
pub(crate) const SCRATCH: usize = 64 * 1024;

thread_local! {
    // hyper's buffers are uninitialised and safe code can only copy into them; copying what was
    // really read costs much less than clearing a whole buffer before every read.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A stream that remembers when it was read empty, and then waits instead of asking again.
///
/// hyper polls its read side about six times per request; without this each poll is a `recv`.
pub(crate) struct Hinted<S> {
    stream: S,
    drained: bool,
}

impl<S> Hinted<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            drained: false,
        }
    }
}

impl<S: Stream> AsyncRead for Hinted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.drained {
            ready!(self.stream.poll_readable(cx))?;
            self.drained = false;
        }
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.drained = match &polled {
            Poll::Pending => true,
            Poll::Ready(Ok(n)) => (1..buf.len()).contains(n),
            Poll::Ready(Err(_)) => false,
        };
        polled
    }
}

impl<S: Stream> AsyncWrite for Hinted<S> {
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

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Is told what passes through a stream.
pub(crate) trait Watch: Unpin {
    /// Something was read.
    fn has_read(&self);

    /// Something was written.
    fn has_written(&self) {}

    /// All that was handed over has been written.
    fn has_flushed(&self) {}

    /// Reading failed.
    fn has_failed(&self, error: &io::Error) {
        let _ = error;
    }
}

/// A stream as hyper wants it, which tells the connection's other half what passed through.
pub(crate) struct HyperIo<S, W> {
    stream: S,
    unflushed: bool,
    watch: W,
}

impl<S, W> HyperIo<S, W> {
    pub(crate) fn new(stream: S, watch: W) -> Self {
        Self {
            stream,
            unflushed: false,
            watch,
        }
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

impl<S: AsyncWrite + Unpin, W: Watch> Write for HyperIo<S, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        if n > 0 {
            self.unflushed = true;
            self.watch.has_written();
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
            // hyper flushes only once its own buffer is empty.
            self.watch.has_flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Has one byte each time it says that it is readable, and counts what it is asked.
    #[derive(Default)]
    struct Counting {
        bytes: usize,
        reads: usize,
    }

    impl Stream for Counting {
        fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.bytes == 0 {
                Poll::Pending
            } else {
                Poll::Ready(Ok(()))
            }
        }
    }

    impl AsyncRead for Counting {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.reads += 1;
            let n = self.bytes.min(buf.len());
            self.bytes -= n;
            if n == 0 {
                Poll::Pending
            } else {
                Poll::Ready(Ok(n))
            }
        }
    }

    impl AsyncWrite for Counting {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn an_empty_stream_is_not_read_again_until_it_is_readable() {
        let mut stream = Hinted::new(Counting::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut buf = [0; 8];
        for arrived in [3, 0, 0, 5] {
            stream.stream.bytes += arrived;
            let read = Pin::new(&mut stream).poll_read(&mut cx, &mut buf);
            assert_eq!(read.is_ready(), arrived > 0);
        }
        assert_eq!(stream.stream.reads, 2);
    }

    #[test]
    fn a_full_read_is_followed_by_another_at_once() {
        let mut stream = Hinted::new(Counting {
            bytes: 16,
            reads: 0,
        });
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let _ = Pin::new(&mut stream).poll_read(&mut cx, &mut [0; 8]);
        }
        assert_eq!(stream.stream.reads, 3);
    }
}
