//! What the transport needs of an async runtime: connections, tasks and a timer.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fetch_driver::{ConnectionStream, LocalAddress};
use futures_io::{AsyncRead, AsyncWrite};

/// An async runtime, as far as HTTP needs one.
///
/// Blocking work (name lookups) runs on the thread pool of the `blocking` crate, for every runtime.
///
/// ```
/// # #[cfg(feature = "async-io")] {
/// use std::net::SocketAddr;
/// use std::time::Duration;
///
/// use fetch_http::{AsyncIoSocket, HttpRuntime};
///
/// #[derive(Clone)]
/// struct Smol;
///
/// impl HttpRuntime for Smol {
///     type Stream = AsyncIoSocket;
///     async fn connect(&self, addr: SocketAddr) -> std::io::Result<AsyncIoSocket> {
///         AsyncIoSocket::connect(addr).await
///     }
///     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
///         smol::spawn(task).detach();
///     }
///     async fn sleep(&self, duration: Duration) {
///         smol::Timer::after(duration).await;
///     }
/// }
/// # }
/// ```
pub trait HttpRuntime: Clone + Send + Sync + 'static {
    /// A connected TCP stream or, if the runtime supports it, Unix socket.
    type Stream: HttpStream;

    /// Connects to `addr`. Dropping the future cancels the connection.
    ///
    /// # Errors
    ///
    /// The system's error, with its code if there is one: it distinguishes exhausted file descriptors
    /// from a refused connection.
    fn connect(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Connects to `addr` from this local address or interface.
    ///
    /// The default fails with [`io::ErrorKind::Unsupported`]. See [`bind_socket`](crate::bind_socket).
    ///
    /// # Errors
    ///
    /// The system's error, or [`io::ErrorKind::Unsupported`].
    fn connect_from(
        &self,
        addr: SocketAddr,
        local: &LocalAddress,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        let _ = (addr, local);
        let why = "this runtime's adapter cannot choose the local address";
        std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    /// Connects to the Unix socket at `path`.
    ///
    /// The default fails with [`io::ErrorKind::Unsupported`].
    ///
    /// # Errors
    ///
    /// The system's error, or [`io::ErrorKind::Unsupported`].
    fn connect_unix(&self, path: &Path) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        let _ = path;
        let why = "this runtime's adapter has no Unix sockets";
        std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    /// Runs `task` in the background. Called for the task that closes idle connections, which ends
    /// when none is open, and, over HTTP/2, for each connection and request.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// A byte stream that can carry HTTP.
///
/// ```
/// struct TcpStream(smol::net::TcpStream);
/// # use std::{io, pin::Pin, task::{Context, Poll}};
/// # use futures_lite::{AsyncRead, AsyncWrite};
/// # impl AsyncRead for TcpStream {
/// #     fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8])
/// #         -> Poll<io::Result<usize>> { Pin::new(&mut self.0).poll_read(cx, buf) }
/// # }
/// # impl AsyncWrite for TcpStream {
/// #     fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8])
/// #         -> Poll<io::Result<usize>> { Pin::new(&mut self.0).poll_write(cx, buf) }
/// #     fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>)
/// #         -> Poll<io::Result<()>> { Pin::new(&mut self.0).poll_flush(cx) }
/// #     fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>)
/// #         -> Poll<io::Result<()>> { Pin::new(&mut self.0).poll_close(cx) }
/// # }
///
/// // `AsyncRead` and `AsyncWrite` are enough: the methods have defaults.
/// impl fetch_http::HttpStream for TcpStream {}
/// ```
pub trait HttpStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Waits until a read would probably not block, without reading.
    ///
    /// The default is always ready, which is correct. An override saves a system call for every poll
    /// of an empty socket.
    ///
    /// # Errors
    ///
    /// The reactor's error, if it cannot watch the socket.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = cx;
        Poll::Ready(Ok(()))
    }

    /// Whether input or the end of the stream has arrived, by the system's latest knowledge: the
    /// reactor may not have seen it yet. Called before a request that must not be lost, when nothing
    /// is due from the peer.
    ///
    /// The default is false. An override avoids requests over connections that are closed already.
    fn has_input(&mut self) -> bool {
        false
    }

    /// The address of this end, for reports. The default is unknown.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Sets options of TCP: see [`set_tcp_options`](crate::set_tcp_options). Called only if they differ
    /// from the defaults.
    ///
    /// The default fails with [`io::ErrorKind::Unsupported`].
    ///
    /// # Errors
    ///
    /// The system's error, or [`io::ErrorKind::Unsupported`].
    fn set_tcp_options(&self, keepalive: Option<Duration>, nodelay: bool) -> io::Result<()> {
        let _ = (keepalive, nodelay);
        let why = "this runtime's adapter cannot set options of TCP";
        Err(io::Error::new(io::ErrorKind::Unsupported, why))
    }

    /// Reads into the spare capacity of `buf`, which is not empty, and appends the bytes to `buf`.
    /// Returns their number; 0 is the end of the stream.
    ///
    /// The default fills the capacity with zeros first. An override saves that for large bodies.
    ///
    /// # Errors
    ///
    /// Those of [`AsyncRead::poll_read`].
    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        poll_read_zeroed(self, cx, buf)
    }
}

/// A stream that the caller's [`Connector`](fetch_driver::Connector) opened.
impl HttpStream for Box<dyn ConnectionStream> {}

/// The most bytes read at once into memory that is zeroed first: one TLS record.
const MAX_ZEROED: usize = 16 * 1024;

/// Reads into the spare capacity of `buf`, over zeros.
pub(super) fn poll_read_zeroed(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    cx: &mut Context<'_>,
    buf: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let before = buf.len();
    let room = (buf.capacity() - before).min(MAX_ZEROED);
    buf.resize(before + room, 0);
    let polled = Pin::new(stream).poll_read(cx, &mut buf[before..]);
    let read = match polled {
        Poll::Ready(Ok(n)) => n.min(room),
        _ => 0,
    };
    buf.truncate(before + read);
    polled
}
