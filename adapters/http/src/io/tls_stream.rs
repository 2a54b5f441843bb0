//! TLS over any stream: rustls's records, read and written by polling.

use std::future::poll_fn;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::byte_stream::ByteStream;

/// A TLS connection, as the client, over a stream.
pub(crate) struct TlsStream<S> {
    has_closed: bool,
    session: ClientConnection,
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Does the handshake. The server's certificate must be valid for `name`.
    ///
    /// # Errors
    ///
    /// The stream's error, or a [`rustls::Error`] inside one of the kind
    /// [`InvalidData`](io::ErrorKind::InvalidData).
    pub(crate) async fn connect(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        stream: S,
    ) -> io::Result<Self> {
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut connecting = Self {
            has_closed: false,
            session,
            stream,
        };
        poll_fn(|cx| connecting.poll_handshake(cx)).await?;
        Ok(connecting)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush_all(cx))?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_read_records(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

impl<S> TlsStream<S> {
    /// The state of TLS: the protocol, the server's certificates.
    pub(crate) fn session(&self) -> &ClientConnection {
        &self.session
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Reads once from the stream and decrypts what has arrived. Returns how many bytes were read; 0 is
    /// the end of the stream.
    fn poll_read_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut stream = PolledStream {
            cx: &mut *cx,
            stream: &mut self.stream,
        };
        let read = ready!(or_pending(self.session.read_tls(&mut stream)))?;
        match self.session.process_new_packets() {
            Ok(state) if state.peer_has_closed() && self.session.is_handshaking() => {
                Poll::Ready(Ok(0))
            }
            Ok(_) => Poll::Ready(Ok(read)),
            Err(error) => {
                // Sends the alert, which may fail: the first error is the one that counts.
                let _ = self.poll_write_records(cx);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)))
            }
        }
    }

    /// Writes the records that wait.
    fn poll_write_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut stream = PolledStream {
                cx: &mut *cx,
                stream: &mut self.stream,
            };
            let written = ready!(or_pending(self.session.write_tls(&mut stream)))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_records(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Gives `take` decrypted bytes, which are none at the end of the connection, and removes as many as
    /// it has taken.
    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut reader = self.session.reader();
            match reader.fill_buf() {
                Ok(plain) => {
                    let taken = take(plain);
                    reader.consume(taken);
                    return Poll::Ready(Ok(taken));
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                // An end of the stream without `close_notify` is an error of the next `fill_buf`.
                Err(_) => ready!(self.poll_read_records(cx))?,
            };
        }
    }

    /// Encrypts what `write` takes, and writes as much of it as the stream takes at once. It is pending
    /// only if nothing was taken.
    fn poll_put(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&mut rustls::Writer<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let taken = write(&mut self.session.writer())?;
            match self.poll_write_records(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if taken == 0 => return Poll::Pending,
                // The buffer was full, and is empty now.
                Poll::Ready(Ok(())) if taken == 0 => {}
                _ => return Poll::Ready(Ok(taken)),
            }
        }
    }
}

impl<S: ByteStream> ByteStream for TlsStream<S> {
    fn poll_read_spare(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = buf.capacity() - buf.len();
        self.poll_take(cx, |plain| {
            let taken = plain.len().min(room);
            buf.extend_from_slice(&plain[..taken]);
            taken
        })
    }

    fn start_turn(&mut self) {
        self.stream.start_turn();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_take(cx, |plain| {
            let taken = plain.len().min(buf.len());
            buf[..taken].copy_from_slice(&plain[..taken]);
            taken
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_put(cx, |writer| writer.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.poll_put(cx, |writer| writer.write_vectored(bufs))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_all(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_closed {
            self.session.send_close_notify();
            self.has_closed = true;
        }
        ready!(self.poll_write_records(cx))?;
        match ready!(Pin::new(&mut self.stream).poll_close(cx)) {
            // The server has closed it already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            closed => Poll::Ready(closed),
        }
    }
}

/// A stream that fails with [`WouldBlock`](io::ErrorKind::WouldBlock) where it is pending, as rustls
/// expects.
struct PolledStream<'a, 'b, S> {
    cx: &'a mut Context<'b>,
    stream: &'a mut S,
}

impl<S: AsyncRead + Unpin> Read for PolledStream<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.stream).poll_read(self.cx, buf))
    }
}

impl<S: AsyncWrite + Unpin> Write for PolledStream<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.stream).poll_write(self.cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.stream).poll_write_vectored(self.cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        or_would_block(Pin::new(&mut *self.stream).poll_flush(self.cx))
    }
}

fn or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The reverse of [`or_would_block`].
fn or_pending<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
