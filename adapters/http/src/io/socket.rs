//! TCP and Unix sockets over `async-io`, for smol and async-std.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Async;
use fetch_driver::LocalAddress;
use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;

use super::local::{set_tcp_options, start_connect_from};
#[cfg(target_os = "linux")]
use super::reactor::{Reactor, RegisteredSocket};
use super::runtime::{HttpStream, poll_read_zeroed};

/// Registers sockets with `async-io`. On this system, they share no state.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Debug)]
pub struct Reactor(());

/// A task that waits for the events of a [`Reactor`]. It is not used on this system.
#[cfg(not(target_os = "linux"))]
pub type ReactorTask = Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg(not(target_os = "linux"))]
impl Reactor {
    /// A reactor, which never calls `spawn`.
    pub fn new(spawn: impl Fn(ReactorTask) + Send + Sync + 'static) -> Self {
        let _ = spawn;
        Self(())
    }

    /// Runs `future` to its end on this thread, as `async_io::block_on` does.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        async_io::block_on(future)
    }
}

/// A socket of `async-io`: TCP without Nagle's algorithm, or a Unix socket.
///
/// ```
/// use fetch_http::AsyncIoSocket;
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let socket = smol::block_on(AsyncIoSocket::connect(addr))?;
/// assert_eq!(socket.peer_addr()?, addr);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AsyncIoSocket(SocketKind);

#[derive(Debug)]
enum SocketKind {
    #[cfg(target_os = "linux")]
    Registered(RegisteredSocket),
    Tcp(Async<TcpStream>),
    #[cfg(unix)]
    Unix(Async<UnixStream>),
}

/// Calls the same method on every kind of socket.
macro_rules! with_stream {
    ($socket:expr, $stream:ident => $action:expr) => {
        match &mut $socket.0 {
            #[cfg(target_os = "linux")]
            SocketKind::Registered($stream) => $action,
            SocketKind::Tcp($stream) => $action,
            #[cfg(unix)]
            SocketKind::Unix($stream) => $action,
        }
    };
}

impl AsyncIoSocket {
    /// Connects without blocking.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let addr = listener.local_addr()?;
    /// let socket = smol::block_on(fetch_http::AsyncIoSocket::connect(addr))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = Async::<TcpStream>::connect(addr).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(Self(SocketKind::Tcp(stream)))
    }

    /// Connects without blocking, and registers the socket with `reactor`. On Linux this saves a system
    /// call per wait. Elsewhere it is the same as [`AsyncIoSocket::connect`].
    ///
    /// ```
    /// use fetch_http::{AsyncIoSocket, Reactor};
    ///
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let addr = listener.local_addr()?;
    /// let reactor = Reactor::new(|task| smol::spawn(task).detach());
    /// let socket = smol::block_on(AsyncIoSocket::connect_with(addr, &reactor))?;
    /// assert_eq!(socket.peer_addr()?, addr);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    pub async fn connect_with(addr: SocketAddr, reactor: &Reactor) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return Ok(Self(SocketKind::Registered(
            RegisteredSocket::connect(addr, reactor).await?,
        )));
        #[cfg(not(target_os = "linux"))]
        {
            let _ = reactor;
            Self::connect(addr).await
        }
    }

    /// Like [`AsyncIoSocket::connect_with`], from this local address or interface.
    ///
    /// ```
    /// use fetch_http::{AsyncIoSocket, Reactor};
    ///
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let addr = listener.local_addr()?;
    /// let reactor = Reactor::new(|task| smol::spawn(task).detach());
    /// let local = "127.0.0.1".parse().unwrap();
    /// let socket = smol::block_on(AsyncIoSocket::connect_from(addr, &local, &reactor))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    pub async fn connect_from(
        addr: SocketAddr,
        local: &LocalAddress,
        reactor: &Reactor,
    ) -> io::Result<Self> {
        let stream = start_connect_from(addr, local)?;
        #[cfg(target_os = "linux")]
        return Ok(Self(SocketKind::Registered(
            RegisteredSocket::wait_connected(stream, reactor).await?,
        )));
        #[cfg(not(target_os = "linux"))]
        {
            let _ = reactor;
            let stream = Async::new(stream)?;
            stream.writable().await?;
            match stream.get_ref().take_error()? {
                Some(error) => Err(error),
                None => Ok(Self(SocketKind::Tcp(stream))),
            }
        }
    }

    /// Connects to a Unix socket without blocking.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("socket");
    /// let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// let socket = smol::block_on(fetch_http::AsyncIoSocket::connect_unix(&path))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    #[cfg(unix)]
    pub async fn connect_unix(path: &Path) -> io::Result<Self> {
        let stream = Async::<UnixStream>::connect(path).await?;
        Ok(Self(SocketKind::Unix(stream)))
    }

    /// The peer's address.
    ///
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let addr = listener.local_addr()?;
    /// # let socket = smol::block_on(fetch_http::AsyncIoSocket::connect(addr))?;
    /// assert_eq!(socket.peer_addr()?, addr);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error, or [`io::ErrorKind::Unsupported`] for a Unix socket.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            SocketKind::Registered(stream) => stream.get_ref().peer_addr(),
            SocketKind::Tcp(stream) => stream.get_ref().peer_addr(),
            #[cfg(unix)]
            SocketKind::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl HttpStream for AsyncIoSocket {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => stream.poll_readable(cx))
    }

    fn has_input(&mut self) -> bool {
        // The sockets do not block.
        match &self.0 {
            #[cfg(target_os = "linux")]
            SocketKind::Registered(stream) => has_input(stream.get_ref()),
            SocketKind::Tcp(stream) => has_input(stream.get_ref()),
            #[cfg(unix)]
            SocketKind::Unix(_) => false,
        }
    }

    fn set_tcp_options(&self, keepalive: Option<Duration>, nodelay: bool) -> io::Result<()> {
        let stream = match &self.0 {
            #[cfg(target_os = "linux")]
            SocketKind::Registered(stream) => stream.get_ref(),
            SocketKind::Tcp(stream) => stream.get_ref(),
            #[cfg(unix)]
            SocketKind::Unix(_) => return Ok(()),
        };
        set_tcp_options(&SockRef::from(stream), keepalive, nodelay)
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            SocketKind::Registered(stream) => stream.get_ref().local_addr().ok(),
            SocketKind::Tcp(stream) => stream.get_ref().local_addr().ok(),
            #[cfg(unix)]
            SocketKind::Unix(_) => None,
        }
    }

    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            SocketKind::Registered(stream) => stream.poll_read_spare(cx, buf),
            SocketKind::Tcp(stream) => poll_read_zeroed(stream, cx, buf),
            #[cfg(unix)]
            SocketKind::Unix(stream) => poll_read_zeroed(stream, cx, buf),
        }
    }
}

/// Whether a read of this socket, which does not block, would return something.
fn has_input(socket: &TcpStream) -> bool {
    let peeked = socket.peek(&mut [0]);
    !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

impl AsyncRead for AsyncIoSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        with_stream!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for AsyncIoSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        with_stream!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_stream!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    // A socket has no buffer to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => Pin::new(stream).poll_close(cx))
    }
}
