//! A registered socket as a stream.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};

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
        let socket = Async::<TcpStream>::connect(addr).await?.into_inner()?;
        socket.set_nodelay(true)?;
        let (source, place) = reactor.register(socket.as_fd())?;
        Ok(Self {
            source,
            socket,
            _place: place,
        })
    }

    pub(crate) fn get_ref(&self) -> &TcpStream {
        &self.socket
    }

    /// Waits until a read would probably not block.
    pub(crate) fn poll_readable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let ready = self.source.poll_ready(Direction::Read, cx);
        ready.map(|_| Ok(()))
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
