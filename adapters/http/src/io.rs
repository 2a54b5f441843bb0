//! Our streams with as few system calls as can be.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::runtime::Stream;

/// The most read at once. Also the size of the one read buffer each thread keeps.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// The most that is read at once into memory that has to be written to before: a record of TLS.
const ZEROED: usize = 16 * 1024;

/// What requests go over: TCP, TLS, a Unix socket, or whatever a runtime connects with.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {
    /// Reads into the spare capacity of `buf`: see [`Stream::poll_read_spare`].
    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        poll_read_zeroed(self, cx, buf)
    }
}

/// Reads into the spare capacity of `buf`, over zeros.
pub(crate) fn poll_read_zeroed(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    cx: &mut Context<'_>,
    buf: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let before = buf.len();
    let room = (buf.capacity() - before).min(ZEROED);
    buf.resize(before + room, 0);
    let polled = Pin::new(stream).poll_read(cx, &mut buf[before..]);
    let came = match polled {
        Poll::Ready(Ok(n)) => n.min(room),
        _ => 0,
    };
    buf.truncate(before + came);
    polled
}

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

    /// Reads by `read` unless there is certainly nothing.
    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        read: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>>
    where
        S: Stream,
    {
        if self.drained {
            ready!(self.stream.poll_readable(cx))?;
            self.drained = false;
        }
        let polled = read(&mut self.stream, cx);
        self.drained = match &polled {
            Poll::Pending => true,
            Poll::Ready(Ok(n)) => (1..room).contains(n),
            Poll::Ready(Err(_)) => false,
        };
        polled
    }
}

impl<S: Stream> Duplex for Hinted<S> {
    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = buf.capacity() - buf.len();
        self.poll_with(cx, room, |stream, cx| stream.poll_read_spare(cx, buf))
    }
}

impl<S: Stream> AsyncRead for Hinted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buf.len();
        self.poll_with(cx, room, |stream, cx| Pin::new(stream).poll_read(cx, buf))
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
    fn what_is_read_into_spare_capacity_is_added_and_never_exceeds_it() {
        let mut stream = Hinted::new(Counting {
            bytes: 40,
            reads: 0,
        });
        let mut cx = Context::from_waker(Waker::noop());
        let mut buf = Vec::with_capacity(30);
        buf.extend_from_slice(b"before");
        let capacity = buf.capacity();
        let read = stream.poll_read_spare(&mut cx, &mut buf);
        assert!(matches!(read, Poll::Ready(Ok(n)) if n == capacity - 6));
        assert_eq!((buf.len(), buf.capacity()), (capacity, capacity));
        assert!(buf.starts_with(b"before"));
        let mut buf = Vec::with_capacity(30);
        assert!(stream.poll_read_spare(&mut cx, &mut buf).is_ready());
        assert_eq!(buf.len(), 40 - (capacity - 6));
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
