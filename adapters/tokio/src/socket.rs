//! Tokio's sockets as `futures-io` streams.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use fetch_http::HttpStream;
use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;
use tokio::io::ReadBuf;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpSocket, TcpStream};

/// A stream on tokio's reactor: TCP, with Nagle's algorithm off, or a Unix socket.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = fetch_tokio::TokioSocket::connect(listener.local_addr()?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TokioSocket(SocketKind);

#[derive(Debug)]
enum SocketKind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Evaluates the same expression for each kind of stream.
macro_rules! with_stream {
    ($socket:expr, $stream:ident => $action:expr) => {
        match &mut $socket.0 {
            SocketKind::Tcp($stream) => $action,
            #[cfg(unix)]
            SocketKind::Unix($stream) => $action,
        }
    };
}

impl TokioSocket {
    /// Connects.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let socket = fetch_tokio::TokioSocket::connect(listener.local_addr()?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self(SocketKind::Tcp(stream)))
    }

    /// Connects from this local address or interface.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let local = "127.0.0.1".parse().unwrap();
    /// let socket = fetch_tokio::TokioSocket::connect_from(listener.local_addr()?, &local).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    pub async fn connect_from(
        addr: SocketAddr,
        local: &fetch_driver::LocalAddress,
    ) -> io::Result<Self> {
        let socket = TcpSocket::from_std_stream(fetch_http::bind_socket(addr, local)?);
        Ok(Self(SocketKind::Tcp(socket.connect(addr).await?)))
    }

    /// Connects to a Unix socket.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("socket");
    /// let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// let socket = fetch_tokio::TokioSocket::connect_unix(&path).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The system's error.
    #[cfg(unix)]
    pub async fn connect_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path).await?;
        Ok(Self(SocketKind::Unix(stream)))
    }
}

impl HttpStream for TokioSocket {
    fn set_tcp_options(&self, keepalive: Option<Duration>, nodelay: bool) -> io::Result<()> {
        match &self.0 {
            SocketKind::Tcp(stream) => {
                fetch_http::set_tcp_options(&SockRef::from(stream), keepalive, nodelay)
            }
            #[cfg(unix)]
            SocketKind::Unix(_) => Ok(()),
        }
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            SocketKind::Tcp(stream) => stream.local_addr().ok(),
            #[cfg(unix)]
            SocketKind::Unix(_) => None,
        }
    }

    fn has_input(&mut self) -> bool {
        // Tokio asks the system only after an event. The sockets do not block.
        let peeked = with_stream!(self, stream => {
            SockRef::from(&*stream).peek(&mut [MaybeUninit::uninit()])
        });
        !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => stream.poll_read_ready(cx))
    }

    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        with_stream!(self, stream => tokio_util::io::poll_read_buf(Pin::new(stream), cx, buf))
    }
}

impl AsyncRead for TokioSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // Unlike `try_read`, this treats a read that does not fill the buffer as the last one until
        // the next event, which saves a system call.
        let mut buf = ReadBuf::new(buf);
        ready!(
            with_stream!(self, stream => tokio::io::AsyncRead::poll_read(
                Pin::new(stream),
                cx,
                &mut buf,
            ))
        )?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl AsyncWrite for TokioSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(with_stream!(self, stream => stream.poll_write_ready(cx)))?;
            match with_stream!(self, stream => stream.try_write(buf)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(with_stream!(self, stream => stream.poll_write_ready(cx)))?;
            match with_stream!(self, stream => stream.try_write_vectored(bufs)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // Nothing is buffered here.
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => tokio::io::AsyncWrite::poll_shutdown(Pin::new(stream), cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn options_of_tcp_are_set() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = TokioSocket::connect(address).await.unwrap();
        let pause = Duration::from_secs(9);
        socket.set_tcp_options(Some(pause), false).unwrap();
        let SocketKind::Tcp(stream) = &socket.0 else {
            panic!("a TCP socket")
        };
        assert!(!stream.nodelay().unwrap());
        let options = SockRef::from(stream);
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), pause);
    }
}
