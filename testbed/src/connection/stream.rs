//! The stream below HTTP. Its control breaks it in ways that the HTTP server cannot.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{
    AtomicU8, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Release,
};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::lock::lock;

const GARBAGE: &[u8] = b"\x16\x03 220 this is not HTTP \xff\xfe\0\r\n\r\n";

const OPEN: u8 = 0;
/// The last response is being written. The connection ends once it is flushed.
const ENDING: u8 = 1;
/// All responses are flushed. Reads report the end of the stream, so that the HTTP server closes in order.
const ENDED: u8 = 2;
const GARBAGE_WANTED: u8 = 3;
const GARBAGE_SENT: u8 = 4;
const FIN: u8 = 5;
const RESET: u8 = 6;

/// How a connection is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BreakMode {
    /// Closed in order (FIN), but too early.
    Fin,
    /// Reset: the peer's next read or write fails.
    Reset,
}

/// Control of a stream by the request handlers of its connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionControl {
    state: AtomicU8,
    written: AtomicU64,
    flushed: AtomicU64,
    waiter: Mutex<Option<Waker>>,
}

impl ConnectionControl {
    /// Breaks the connection now. Flushed bytes are delivered, others are lost.
    pub(crate) fn break_off(&self, mode: BreakMode) {
        let state = if mode == BreakMode::Reset { RESET } else { FIN };
        self.state.store(state, Release);
    }

    /// Sends bytes that are not HTTP instead of the next write, then closes.
    pub(crate) fn send_garbage(&self) {
        self.state.store(GARBAGE_WANTED, Release);
    }

    /// Closes the connection once the current response is flushed.
    pub(crate) fn end_after_flush(&self) {
        let _ = self.state.compare_exchange(OPEN, ENDING, AcqRel, Acquire);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.state.load(Acquire) >= GARBAGE_WANTED
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Acquire)
    }

    /// Waits until more than `flush_mark` bytes are flushed.
    pub(crate) fn poll_flushed_past(&self, flush_mark: u64, context: &Context<'_>) -> Poll<()> {
        *lock(&self.waiter) = Some(context.waker().clone());
        if self.flushed.load(Acquire) > flush_mark {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn set_flushed(&self) {
        let written = self.written.load(Acquire);
        if self.flushed.swap(written, AcqRel) != written
            && let Some(waiter) = lock(&self.waiter).take()
        {
            waiter.wake();
        }
    }
}

/// A TCP stream with or without TLS, or a Unix stream.
#[derive(Debug)]
pub(crate) enum SocketStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl SocketStream {
    /// Returns the TCP socket, if it is one: only TCP sockets can be reset.
    fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Tls(stream) => Some(stream.get_ref().0),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

macro_rules! forward {
    ($stream:expr, $method:ident $(, $argument:expr)*) => {
        match $stream {
            SocketStream::Plain(inner) => Pin::new(inner).$method($($argument),*),
            SocketStream::Tls(inner) => Pin::new(inner.as_mut()).$method($($argument),*),
            #[cfg(unix)]
            SocketStream::Unix(inner) => Pin::new(inner).$method($($argument),*),
        }
    };
}

/// A stream with its [`ConnectionControl`].
#[derive(Debug)]
pub(crate) struct ControlledStream {
    stream: SocketStream,
    control: Arc<ConnectionControl>,
}

impl ControlledStream {
    pub(crate) fn new(stream: SocketStream, control: Arc<ConnectionControl>) -> Self {
        Self { stream, control }
    }

    /// Writes garbage, or fails. `length` is the length of the caller's buffer.
    fn poll_write_broken(
        &mut self,
        state: u8,
        length: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if state == GARBAGE_WANTED {
            ready!(forward!(&mut self.stream, poll_write, context, GARBAGE))?;
            self.control.state.store(GARBAGE_SENT, Release);
        } else if state != GARBAGE_SENT {
            return Poll::Ready(Err(broken_error()));
        }
        Poll::Ready(Ok(length))
    }
}

impl AsyncRead for ControlledStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.control.state.load(Acquire) {
            ENDED => Poll::Ready(Ok(())),
            FIN | RESET => Poll::Ready(Err(broken_error())),
            _ => forward!(&mut self.stream, poll_read, context, buffer),
        }
    }
}

impl AsyncWrite for ControlledStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let state = self.control.state.load(Acquire);
        if state > ENDED {
            return self.poll_write_broken(state, buffer.len(), context);
        }
        let count = ready!(forward!(&mut self.stream, poll_write, context, buffer))?;
        self.control.written.fetch_add(count as u64, AcqRel);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let state = self.control.state.load(Acquire);
        if state > ENDED {
            let length = buffers.iter().map(|buffer| buffer.len()).sum();
            return self.poll_write_broken(state, length, context);
        }
        let count = ready!(forward!(
            &mut self.stream,
            poll_write_vectored,
            context,
            buffers
        ))?;
        self.control.written.fetch_add(count as u64, AcqRel);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            SocketStream::Plain(inner) => inner.is_write_vectored(),
            SocketStream::Tls(inner) => inner.is_write_vectored(),
            #[cfg(unix)]
            SocketStream::Unix(inner) => inner.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = self.control.state.load(Acquire);
        if state >= FIN {
            return Poll::Ready(Err(broken_error()));
        }
        ready!(forward!(&mut self.stream, poll_flush, context))?;
        self.control.set_flushed();
        match state {
            ENDING => {
                self.control.state.store(ENDED, Release);
                // The HTTP server now waits for the next request: wake it, so that it reads the end.
                context.waker().wake_by_ref();
            }
            GARBAGE_SENT => {
                self.control.state.store(FIN, Release);
                return Poll::Ready(Err(broken_error()));
            }
            _ => {}
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.is_broken() {
            return Poll::Ready(Err(broken_error()));
        }
        forward!(&mut self.stream, poll_shutdown, context)
    }
}

impl Drop for ControlledStream {
    fn drop(&mut self) {
        if self.control.state.load(Acquire) == RESET
            && let Some(socket) = self.stream.socket()
        {
            // With zero linger, close sends RST instead of FIN. An error means that the peer has closed.
            let _ = socket2::SockRef::from(socket).set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

fn broken_error() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "broken on request")
}
