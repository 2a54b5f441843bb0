//! Our streams with as few system calls as can be.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::runtime::Stream;

/// The most read at once. Also the size of the one read buffer each thread keeps.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// A stream that remembers when it was read empty, and then waits instead of asking again.
///
/// A read side is polled more often than there is something to read; without this each poll is a
/// `recv`.
pub(crate) struct Hinted<S> {
    stream: S,
    drained: bool,
}

impl<S> Hinted<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            // A new connection has nothing to read before something was asked.
            drained: true,
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
