//! A registered socket as a stream.

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

use super::source::{Direction, Source};
use super::{Place, Reactor};

/// A connected socket that is registered with a [`Reactor`].
pub(crate) struct Registered {
    source: Arc<Source>,
    socket: TcpStream,
    _place: Place,
}

impl Registered {
    /// Connects without blocking.
    pub(crate) async fn connect(addr: SocketAddr, reactor: &Reactor) -> io::Result<Self> {
        let socket = TcpStream::from(begin(addr)?);
        let (source, place) = reactor.register(socket.as_fd())?;
        let this = Self {
            source,
            socket,
            _place: place,
        };
        // It can be written to when it is connected, or when that has failed.
        poll_fn(|cx| this.source.poll_ready(Direction::Write, cx)).await;
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
        let ready = self.source.poll_ready(Direction::Read, cx);
        ready.map(|_| Ok(()))
    }

    /// Reads into the spare capacity of `buf`, of which there is some.
    pub(crate) fn poll_read_spare(
        &self,
        cx: &Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = buf.capacity() - buf.len();
        let mut read = |socket: &TcpStream| Ok(rustix::io::read(socket, spare_capacity(buf))?);
        self.poll_io(cx, Direction::Read, &mut read, room)
    }

    fn poll_io(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        mut io: impl FnMut(&TcpStream) -> io::Result<usize>,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let before = ready!(self.source.poll_ready(direction, cx));
            match io(&self.socket) {
                Ok(n) => {
                    // Less than there was room for: there is no more, and an event tells when there
                    // is.
                    if 0 < n && n < room {
                        self.source.exhausted(direction, before);
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.source.exhausted(direction, before);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// A socket, with Nagle's algorithm off, that is on its way to `addr`.
fn begin(addr: SocketAddr) -> io::Result<OwnedFd> {
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

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

impl AsyncRead for Registered {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buf.len();
        self.poll_io(cx, Direction::Read, |mut socket| socket.read(buf), room)
    }
}

impl AsyncWrite for Registered {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = buf.len();
        self.poll_io(cx, Direction::Write, |mut socket| socket.write(buf), room)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = bufs.iter().map(|buf| buf.len()).sum();
        let write = |mut socket: &TcpStream| socket.write_vectored(bufs);
        self.poll_io(cx, Direction::Write, write, room)
    }

    // A socket buffers nothing on this side.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.socket.shutdown(Shutdown::Write) {
            // The other side was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}
