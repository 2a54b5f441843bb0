//! A response's body over a connection that the request has alone.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use fetch_driver::{Failure, Marks, Phase, TransportError, Wanted};

use super::chunked::{Broken, Chunked, Piece};
use super::conn::Conn;
use super::gathering::{Gathering, LARGE};
use super::head::Framing;
use super::upload::{Failed, Upload};
use crate::error::{inside_tls, is_tls_io, told};
use crate::origin::OriginRef;
use crate::pool::Pool;

/// So much at most is read and dropped before others have a turn.
const TURN: usize = 1024 * 1024;

/// A body that is still to be read. Once it was read to its end the connection goes back to the pool
/// if it can serve another request; in any other case it is closed.
pub(crate) struct Body {
    conn: Option<Box<Conn>>,
    /// Whether chunks reach the driver as they are.
    is_plain: bool,
    keep_alive: bool,
    marks: Marks,
    pool: Arc<Pool>,
    reading: Reading,
    /// What is still to be written of the request: the server answered early.
    upload: Option<Box<Upload>>,
}

enum Reading {
    Chunked(Chunked),
    Close,
    /// Nobody wants the rest, which is so much.
    Discarding(u64),
    /// A large piece, of which so much is still to come in all.
    Gathering(Gathering, u64),
    /// So much is still to come.
    Length(u64),
}

/// The next chunk; `None` is the end.
pub(super) type Next = Result<Option<Bytes>, TransportError>;

impl Body {
    pub(super) fn new(
        conn: Box<Conn>,
        (framing, keep_alive): (Framing, bool),
        upload: Option<Box<Upload>>,
        marks: Marks,
        pool: Arc<Pool>,
    ) -> Self {
        let reading = match framing {
            Framing::Chunked => Reading::Chunked(Chunked::new()),
            Framing::Close => Reading::Close,
            Framing::Length(length) => Reading::Length(length),
        };
        let mut this = Self {
            conn: Some(conn),
            is_plain: false,
            keep_alive,
            marks,
            pool,
            reading,
            upload,
        };
        if this.is_over() {
            this.release();
        }
        this
    }

    /// Whether there is certainly nothing more to come.
    pub(crate) fn is_over(&self) -> bool {
        match &self.reading {
            Reading::Chunked(chunked) => chunked.is_over(),
            Reading::Close => self.conn.is_none(),
            Reading::Discarding(left) | Reading::Gathering(_, left) | Reading::Length(left) => {
                *left == 0
            }
        }
    }

    /// Says that chunks reach the driver as they are: they may be gathered if it may.
    pub(crate) fn plain(mut self) -> Self {
        self.is_plain = true;
        self
    }

    /// Closes the connection, whatever is still to come.
    pub(crate) fn close(&mut self) {
        self.conn = None;
    }

    /// The next chunk. After the end, or an error, it is always `None`.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let Some(conn) = &mut self.conn else {
            return Poll::Ready(Ok(None));
        };
        if let Some(upload) = &mut self.upload {
            match upload.poll(&mut *conn.stream, cx, || {}) {
                Poll::Ready(Ok(())) => {
                    self.marks.mark(Phase::Sent);
                    self.upload = None;
                }
                // It may answer in full nevertheless. The upload stays: the connection is used up.
                Poll::Ready(Err(Failed::Io(_))) => self.keep_alive = false,
                Poll::Ready(Err(Failed::Body(error))) => {
                    let text = format!("sending the body to {}", conn.origin.key());
                    self.close();
                    return Poll::Ready(Err(told(Failure::RequestBody, text, error)));
                }
                Poll::Pending => {}
            }
        }
        if let Reading::Length(left @ LARGE..) = self.reading
            && self.is_plain
        {
            self.reading = match self.marks.wanted() {
                Wanted::Nothing => Reading::Discarding(left),
                Wanted::Pieces => Reading::Length(left),
                Wanted::Whole => Reading::Gathering(Gathering::new(left, conn, &self.marks), left),
            };
        }
        let polled = ready!(match &mut self.reading {
            Reading::Chunked(chunked) => poll_chunked(chunked, conn, cx),
            Reading::Close => poll_until_end(conn, cx),
            Reading::Discarding(left) => poll_discarding(left, conn, &self.marks, cx),
            Reading::Gathering(gathering, left) => gathering.poll(left, conn, &self.marks, cx),
            Reading::Length(left) => poll_length(left, conn, cx),
        });
        match &polled {
            Ok(Some(chunk)) => {
                // What is gathered was told of as it came.
                if !matches!(self.reading, Reading::Gathering(..)) {
                    self.marks.received(chunk.len() as u64);
                }
                if self.is_over() {
                    self.release();
                }
            }
            Ok(None) => self.release(),
            Err(_) => self.close(),
        }
        Poll::Ready(polled)
    }

    /// Gives the connection back if it can serve another request, else closes it.
    fn release(&mut self) {
        if let Some(conn) = self.conn.take()
            && self.keep_alive
            // An unfinished upload must not keep the next request waiting.
            && self.upload.is_none()
            // Nobody asked for more than this.
            && conn.rest.is_empty()
        {
            self.pool.put(conn);
        }
    }
}

fn poll_length(left: &mut u64, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Next> {
    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
    let chunk = if conn.rest.is_empty() {
        let read = ready!(conn.poll_read(cx, |bytes, rest| {
            let (wanted, behind) = bytes.split_at(wanted.min(bytes.len()));
            rest.extend_from_slice(behind);
            Bytes::copy_from_slice(wanted)
        }));
        read.map_err(|error| cut(Some(error), conn.origin.key()))?
    } else if conn.rest.len() <= wanted {
        std::mem::take(&mut conn.rest).freeze()
    } else {
        conn.rest.split_to(wanted).freeze()
    };
    if chunk.is_empty() && *left > 0 {
        return Poll::Ready(Err(cut(None, conn.origin.key())));
    }
    *left -= chunk.len() as u64;
    Poll::Ready(Ok((!chunk.is_empty()).then_some(chunk)))
}

/// Reads to the end and keeps nothing.
fn poll_discarding(
    left: &mut u64,
    conn: &mut Conn,
    marks: &Marks,
    cx: &mut Context<'_>,
) -> Poll<Next> {
    let mut turn = 0;
    while *left > 0 {
        if turn >= TURN {
            // There may be more at once, but others must have their turn too.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
        let came = if conn.rest.is_empty() {
            let read = ready!(conn.poll_read(cx, |bytes, rest| {
                let (came, behind) = bytes.split_at(wanted.min(bytes.len()));
                rest.extend_from_slice(behind);
                came.len()
            }));
            read.map_err(|error| cut(Some(error), conn.origin.key()))?
        } else {
            let came = conn.rest.len().min(wanted);
            conn.rest.advance(came);
            came
        };
        if came == 0 {
            return Poll::Ready(Err(cut(None, conn.origin.key())));
        }
        marks.gathered(came);
        turn += came;
        *left -= came as u64;
    }
    Poll::Ready(Ok(None))
}

fn poll_until_end(conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Next> {
    if !conn.rest.is_empty() {
        return Poll::Ready(Ok(Some(std::mem::take(&mut conn.rest).freeze())));
    }
    let read = ready!(conn.poll_read(cx, |bytes, _: &mut BytesMut| Bytes::copy_from_slice(bytes)));
    let chunk = read.map_err(|error| cut(Some(error), conn.origin.key()))?;
    Poll::Ready(Ok((!chunk.is_empty()).then_some(chunk)))
}

fn poll_chunked(chunked: &mut Chunked, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Next> {
    loop {
        let piece = chunked.next(&mut conn.rest);
        match piece.map_err(|broken| refused(&broken, conn.origin.key()))? {
            Piece::Data(data) => {
                // If the end is here already, the connection is free now; if what is behind is
                // broken, the next call says so.
                while chunked.pass(&mut conn.rest).unwrap_or(false) {}
                return Poll::Ready(Ok(Some(data)));
            }
            Piece::End => return Poll::Ready(Ok(None)),
            Piece::More => {}
        }
        match ready!(conn.poll_more(cx)) {
            Ok(false) => {}
            Ok(true) => return Poll::Ready(Err(cut(None, conn.origin.key()))),
            Err(error) => return Poll::Ready(Err(cut(Some(error), conn.origin.key()))),
        }
    }
}

/// What it means that the connection ended inside the body.
pub(super) fn cut(error: Option<io::Error>, origin: OriginRef<'_>) -> TransportError {
    let text = format!("{origin} closed it inside the response's body");
    match error {
        None => TransportError::new(Failure::Io, text),
        Some(error) if is_tls_io(&error) => inside_tls(&error, origin),
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            told(Failure::Io, text, error)
        }
        Some(error) => {
            let text = format!("inside the response's body from {origin}");
            told(Failure::Io, text, error)
        }
    }
}

fn refused(broken: &Broken, origin: OriginRef<'_>) -> TransportError {
    let text = format!("{origin} sent a broken chunk or trailer");
    told(Failure::Protocol, text, broken.0)
}
