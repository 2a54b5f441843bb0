//! What the transport asks of an async runtime: a socket, a task, a pause.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

/// An async runtime, as far as HTTP needs one.
///
/// Blocking work (name lookups) does not go through here: it runs on the executor-neutral pool of
/// the `blocking` crate.
///
/// ```
/// # #[cfg(feature = "async-io")] {
/// use std::net::SocketAddr;
/// use std::time::Duration;
///
/// use fetch_http::{Runtime, Socket};
///
/// #[derive(Clone)]
/// struct Smol;
///
/// impl Runtime for Smol {
///     type Stream = Socket;
///     async fn connect(&self, addr: SocketAddr) -> std::io::Result<Socket> {
///         Socket::connect(addr).await
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
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A connected stream: TCP, and Unix sockets where the runtime has them.
    type Stream: Stream;

    /// Connects to `addr`. Dropping the future abandons the connection.
    ///
    /// # Errors
    ///
    /// The system's error, with its code where there is one: the transport tells "out of file
    /// descriptors" from "refused" by it.
    fn connect(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Connects to the Unix socket at `path`.
    ///
    /// The default has none and says so.
    ///
    /// # Errors
    ///
    /// The system's error, or [`io::ErrorKind::Unsupported`].
    fn connect_unix(&self, path: &Path) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        let _ = path;
        let why = "this runtime's adapter has no Unix sockets";
        std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    /// Runs `task` to its end in the background: once per connection and, over HTTP/2 only, also
    /// once per request.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Ends after `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// A byte stream that can carry HTTP.
///
/// ```
/// struct Mine(smol::net::TcpStream);
/// # use std::{io, pin::Pin, task::{Context, Poll}};
/// # use futures_lite::{AsyncRead, AsyncWrite};
/// # impl AsyncRead for Mine {
/// #     fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8])
/// #         -> Poll<io::Result<usize>> { Pin::new(&mut self.0).poll_read(cx, buf) }
/// # }
/// # impl AsyncWrite for Mine {
/// #     fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8])
/// #         -> Poll<io::Result<usize>> { Pin::new(&mut self.0).poll_write(cx, buf) }
/// #     fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>)
/// #         -> Poll<io::Result<()>> { Pin::new(&mut self.0).poll_flush(cx) }
/// #     fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>)
/// #         -> Poll<io::Result<()>> { Pin::new(&mut self.0).poll_close(cx) }
/// # }
///
/// // Beside `AsyncRead` and `AsyncWrite` nothing is needed.
/// impl fetch_http::Stream for Mine {}
/// ```
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Waits until a read would probably not block, without reading.
    ///
    /// A socket that overrides this saves a system call for every poll of an empty socket. The
    /// default says "ready", which is always correct.
    ///
    /// # Errors
    ///
    /// The reactor's error, if it cannot watch the socket.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = cx;
        Poll::Ready(Ok(()))
    }

    /// Reads into the spare capacity of `buf`, of which there is some, and adds what came to `buf`.
    /// Gives how much came: 0 is the end.
    ///
    /// A socket that overrides this spares large bodies the zeros that the default writes first.
    ///
    /// # Errors
    ///
    /// As of [`AsyncRead::poll_read`].
    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        crate::io::poll_read_zeroed(self, cx, buf)
    }
}
