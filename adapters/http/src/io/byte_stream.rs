//! Byte streams with as few system calls as possible.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fetch_transport_util::TurnBudget;
use futures_io::{AsyncRead, AsyncWrite};

use super::runtime::{HttpStream, poll_read_zeroed};

/// The most bytes of one read, and the size of each thread's read buffer.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// A stream that carries requests: TCP, TLS, a Unix socket, or any other stream of a runtime.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Reads into the spare capacity of `buf`: see [`HttpStream::poll_read_spare`].
    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        poll_read_zeroed(self, cx, buf)
    }

    /// Begins a turn, so that the next read is not put off for the sake of others.
    fn start_turn(&mut self) {}

    /// Whether the stream has ended or brings something unrequested: see [`HttpStream::has_input`].
    fn has_input(&mut self) -> bool {
        false
    }
}

/// A stream that remembers when a read emptied it, and then waits for readiness instead of reading.
/// It is also pending after each turn of reading, although there may be more to read.
///
/// Streams are polled more often than there is something to read. Without the first, each poll would
/// be a `recv`. Without the second, a peer that sends as fast as it is read would never let the task
/// do anything else. All reads of all protocols come through here: heads, bodies, frames, TLS records
/// and the answers of proxies.
pub(crate) struct ReadinessCached<S> {
    /// Whether nothing is left to read, as far as is known.
    drained: bool,
    stream: S,
    turn: TurnBudget,
}

impl<S: HttpStream> ReadinessCached<S> {
    /// The address of this end.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.local_addr()
    }
}

impl<S> ReadinessCached<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            // A server sends nothing before the first request.
            drained: true,
            stream,
            turn: TurnBudget::default(),
        }
    }

    /// Calls `read` unless there is certainly nothing to read, or the turn is over.
    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        read: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>>
    where
        S: HttpStream,
    {
        if self.drained {
            let Poll::Ready(readable) = self.stream.poll_readable(cx) else {
                self.turn.reset();
                return Poll::Pending;
            };
            readable?;
            self.drained = false;
        }
        ready!(self.turn.poll(cx));
        let polled = read(&mut self.stream, cx);
        match &polled {
            Poll::Pending => {
                self.turn.reset();
                self.drained = true;
            }
            Poll::Ready(Ok(n)) => {
                self.turn.spend(*n);
                self.drained = (1..room).contains(n);
            }
            Poll::Ready(Err(_)) => {}
        }
        polled
    }
}

impl<S: HttpStream> ByteStream for ReadinessCached<S> {
    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = buf.capacity() - buf.len();
        self.poll_with(cx, room, |stream, cx| stream.poll_read_spare(cx, buf))
    }

    fn start_turn(&mut self) {
        self.turn.reset();
    }

    fn has_input(&mut self) -> bool {
        self.stream.has_input()
    }
}

impl<S: HttpStream> AsyncRead for ReadinessCached<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buf.len();
        self.poll_with(cx, room, |stream, cx| Pin::new(stream).poll_read(cx, buf))
    }
}

impl<S: HttpStream> AsyncWrite for ReadinessCached<S> {
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

    /// Has a number of bytes to read, and counts reads.
    #[derive(Default)]
    struct CountingStream {
        bytes: usize,
        reads: usize,
    }

    impl HttpStream for CountingStream {
        fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.bytes == 0 {
                Poll::Pending
            } else {
                Poll::Ready(Ok(()))
            }
        }
    }

    impl AsyncRead for CountingStream {
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

    impl AsyncWrite for CountingStream {
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
        let mut stream = ReadinessCached::new(CountingStream::default());
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
    fn reads_append_to_the_buffer_within_its_capacity() {
        let mut stream = ReadinessCached::new(CountingStream {
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
    fn a_stream_that_always_has_more_is_pending_after_each_turn() {
        let mut stream = ReadinessCached::new(CountingStream {
            bytes: usize::MAX,
            reads: 0,
        });
        let mut cx = Context::from_waker(Waker::noop());
        let mut buf = vec![0; 16 * 1024];
        for _ in 0..3 {
            let before = stream.stream.bytes;
            while Pin::new(&mut stream)
                .poll_read(&mut cx, &mut buf)
                .is_ready()
            {}
            let turn = before - stream.stream.bytes;
            assert!((1..=256 * 1024).contains(&turn), "{turn}");
        }
    }

    #[test]
    fn a_stream_that_is_drained_begins_a_new_turn() {
        let mut stream = ReadinessCached::new(CountingStream::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut buf = vec![0; 200 * 1024];
        for _ in 0..3 {
            stream.stream.bytes = buf.len() - 1;
            assert!(
                Pin::new(&mut stream)
                    .poll_read(&mut cx, &mut buf)
                    .is_ready()
            );
            assert!(
                Pin::new(&mut stream)
                    .poll_read(&mut cx, &mut buf)
                    .is_pending()
            );
        }
    }

    #[test]
    fn after_a_full_read_the_stream_is_read_again() {
        let mut stream = ReadinessCached::new(CountingStream {
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
