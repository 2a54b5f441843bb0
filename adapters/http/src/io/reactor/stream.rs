//! A socket that is registered with the reactor.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use super::source::{EventSource, IoDirection};
use super::{Reactor, Registration};

/// A connected socket that is registered with a [`Reactor`].
pub(crate) struct RegisteredSocket {
    socket: TcpStream,
    source: Arc<EventSource>,
    _registration: Registration,
}

impl RegisteredSocket {
    /// Connects without blocking.
    pub(crate) async fn connect(addr: SocketAddr, reactor: &Reactor) -> io::Result<Self> {
        Self::wait_connected(start_connect(addr)?.into(), reactor).await
    }

    /// Waits until a socket is connected that does not block and has started to connect.
    pub(crate) async fn wait_connected(socket: TcpStream, reactor: &Reactor) -> io::Result<Self> {
        let (source, registration) = reactor.register(socket.as_fd())?;
        let this = Self {
            socket,
            source,
            _registration: registration,
        };
        // The socket becomes writable when it is connected, or when that has failed.
        poll_fn(|cx| this.source.poll_ready(IoDirection::Write, cx)).await;
        match this.socket.take_error()? {
            Some(error) => Err(error),
            None => Ok(this),
        }
    }

    pub(crate) fn get_ref(&self) -> &TcpStream {
        &self.socket
    }

    /// Waits until a read would probably not block.
    pub(crate) fn poll_readable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let ready = self.source.poll_ready(IoDirection::Read, cx);
        ready.map(|_| Ok(()))
    }

    /// Reads into the spare capacity of `buf`, which is not empty.
    pub(crate) fn poll_read_spare(
        &self,
        cx: &Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = buf.capacity() - buf.len();
        let mut read = |socket: &TcpStream| Ok(rustix::io::read(socket, spare_capacity(buf))?);
        self.poll_io(cx, IoDirection::Read, &mut read, room)
    }

    fn poll_io(
        &self,
        cx: &Context<'_>,
        direction: IoDirection,
        mut io: impl FnMut(&TcpStream) -> io::Result<usize>,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let before = ready!(self.source.poll_ready(direction, cx));
            match io(&self.socket) {
                Ok(n) => {
                    // A short read or write exhausts the socket; an event follows when it is ready.
                    if 0 < n && n < room {
                        self.source.clear_ready(direction, before);
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.source.clear_ready(direction, before);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Starts to connect a socket, without Nagle's algorithm, to `addr`.
fn start_connect(addr: SocketAddr) -> io::Result<OwnedFd> {
    let family = match addr {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match net::connect(&socket, &addr) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Debug for RegisteredSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

impl AsyncRead for RegisteredSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buf.len();
        self.poll_io(cx, IoDirection::Read, |mut socket| socket.read(buf), room)
    }
}

impl AsyncWrite for RegisteredSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = buf.len();
        self.poll_io(cx, IoDirection::Write, |mut socket| socket.write(buf), room)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = bufs.iter().map(|buf| buf.len()).sum();
        let write = |mut socket: &TcpStream| socket.write_vectored(bufs);
        self.poll_io(cx, IoDirection::Write, write, room)
    }

    // A socket has no buffer to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.socket.shutdown(Shutdown::Write) {
            // The peer closed the connection first.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}
