//! TCP and Unix sockets over `async-io`, for smol and async-std alike.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};

#[cfg(target_os = "linux")]
use crate::reactor::{Reactor, Registered};
use crate::runtime::Stream;

/// Shared by sockets. On this system there is nothing to share: they are `async-io`'s.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Debug)]
pub struct Reactor(());

/// A task that waits for the events of a [`Reactor`]. On this system there is none.
#[cfg(not(target_os = "linux"))]
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg(not(target_os = "linux"))]
impl Reactor {
    /// A reactor, which never calls `spawn`.
    pub fn new(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        let _ = spawn;
        Self(())
    }

    /// Runs `future` to its end on this thread, as `async_io::block_on` does.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        async_io::block_on(future)
    }
}

/// A stream on the `async-io` reactor: TCP, with Nagle's algorithm off, or a Unix socket.
///
/// ```
/// use fetch_http::Socket;
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let socket = smol::block_on(Socket::connect(addr))?;
/// assert_eq!(socket.peer_addr()?, addr);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    #[cfg(target_os = "linux")]
    Registered(Registered),
    Tcp(Async<TcpStream>),
    #[cfg(unix)]
    Unix(Async<UnixStream>),
}

/// Does the same with whichever stream it is.
macro_rules! each {
    ($socket:expr, $stream:ident => $action:expr) => {
        match &mut $socket.0 {
            #[cfg(target_os = "linux")]
            Kind::Registered($stream) => $action,
            Kind::Tcp($stream) => $action,
            #[cfg(unix)]
            Kind::Unix($stream) => $action,
        }
    };
}

impl Socket {
    /// Connects without blocking.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let addr = listener.local_addr()?;
    /// let socket = smol::block_on(fetch_http::Socket::connect(addr))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = Async::<TcpStream>::connect(addr).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(Self(Kind::Tcp(stream)))
    }

    /// Connects without blocking; the socket shares `reactor` with others, which saves a system call
    /// for each wait on Linux. Elsewhere it is the same as [`Socket::connect`].
    ///
    /// ```
    /// use fetch_http::{Reactor, Socket};
    ///
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let addr = listener.local_addr()?;
    /// let reactor = Reactor::new(|task| smol::spawn(task).detach());
    /// let socket = smol::block_on(Socket::connect_with(addr, &reactor))?;
    /// assert_eq!(socket.peer_addr()?, addr);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    pub async fn connect_with(addr: SocketAddr, reactor: &Reactor) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return Ok(Self(Kind::Registered(
            Registered::connect(addr, reactor).await?,
        )));
        #[cfg(not(target_os = "linux"))]
        {
            let _ = reactor;
            Self::connect(addr).await
        }
    }

    /// Connects to a Unix socket without blocking.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("socket");
    /// let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// let socket = smol::block_on(fetch_http::Socket::connect_unix(&path))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    #[cfg(unix)]
    pub async fn connect_unix(path: &Path) -> io::Result<Self> {
        let stream = Async::<UnixStream>::connect(path).await?;
        Ok(Self(Kind::Unix(stream)))
    }

    /// The peer's address.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let addr = listener.local_addr()?;
    /// # let socket = smol::block_on(fetch_http::Socket::connect(addr))?;
    /// assert_eq!(socket.peer_addr()?, addr);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error, such as "not connected"; a Unix socket's peer has no such address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Registered(stream) => stream.get_ref().peer_addr(),
            Kind::Tcp(stream) => stream.get_ref().peer_addr(),
            #[cfg(unix)]
            Kind::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Stream for Socket {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_readable(cx))
    }

    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            Kind::Registered(stream) => stream.poll_read_spare(cx, buf),
            Kind::Tcp(stream) => crate::io::poll_read_zeroed(stream, cx, buf),
            #[cfg(unix)]
            Kind::Unix(stream) => crate::io::poll_read_zeroed(stream, cx, buf),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    // A socket buffers nothing on this side.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_close(cx))
    }
}
