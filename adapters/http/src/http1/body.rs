//! A response body over an exclusive connection.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use fetch_driver::{AttemptPhase, AttemptProgress, BodyDemand, FailureKind};

use super::chunked::{ChunkedDecoder, ChunkedItem};
use super::connection::H1Connection;
use super::error::{NextChunk, body_cut, invalid_chunk};
use super::head::BodyFraming;
use super::large_body::{LARGE, LargeBodyReader};
use super::upload::{Upload, UploadError};
use crate::error::describe;
use crate::pool::ConnectionPool;

/// An HTTP/1.1 response body. After its end the connection goes back to the pool, if it can serve
/// another request. In any other case it is closed.
pub(crate) struct H1Body {
    conn: Option<Box<H1Connection>>,
    /// Whether chunks reach the driver without decoding.
    is_plain: bool,
    keep_alive: bool,
    /// How long the connection may be idle afterwards.
    idle_limit: Option<Duration>,
    progress: AttemptProgress,
    pool: Arc<ConnectionPool>,
    state: BodyState,
    /// The unsent rest of the request, if the server answered early.
    upload: Option<Box<Upload>>,
}

/// How the rest of the body is read. The numbers are bytes still to come.
enum BodyState {
    Chunked(ChunkedDecoder),
    Discarding(u64),
    Large(LargeBodyReader, u64),
    Length(u64),
    UntilClose,
}

impl H1Body {
    pub(super) fn new(
        conn: Box<H1Connection>,
        (framing, keep_alive, idle_limit): (BodyFraming, bool, Option<Duration>),
        upload: Option<Box<Upload>>,
        progress: AttemptProgress,
        pool: Arc<ConnectionPool>,
    ) -> Self {
        let state = match framing {
            BodyFraming::Chunked => BodyState::Chunked(ChunkedDecoder::new()),
            BodyFraming::Length(length) => BodyState::Length(length),
            BodyFraming::UntilClose => BodyState::UntilClose,
        };
        let mut this = Self {
            conn: Some(conn),
            is_plain: false,
            keep_alive,
            idle_limit,
            progress,
            pool,
            state,
            upload,
        };
        if this.is_complete() {
            this.release();
        }
        this
    }

    /// Whether the body is known to be complete.
    pub(crate) fn is_complete(&self) -> bool {
        match &self.state {
            BodyState::Chunked(decoder) => decoder.is_complete(),
            BodyState::Discarding(left) | BodyState::Large(_, left) | BodyState::Length(left) => {
                *left == 0
            }
            BodyState::UntilClose => self.conn.is_none(),
        }
    }

    /// Marks the body as one that is not decoded, so that chunks may be collected into larger ones
    /// if the driver allows it.
    pub(crate) fn plain(mut self) -> Self {
        self.is_plain = true;
        self
    }

    /// Closes the connection, even if the response is incomplete.
    pub(crate) fn close(&mut self) {
        self.conn = None;
    }

    /// The next chunk. After the end, or an error, it is always `None`.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<NextChunk> {
        let Some(conn) = &mut self.conn else {
            return Poll::Ready(Ok(None));
        };
        if let Some(upload) = &mut self.upload {
            match upload.poll(&mut *conn.stream, cx, |bytes| self.progress.add_sent(bytes)) {
                Poll::Ready(Ok(())) => {
                    self.progress.mark(AttemptPhase::Sent);
                    self.upload = None;
                }
                // The response may still be complete. The upload stays set, so that the connection
                // is not used again.
                Poll::Ready(Err(UploadError::Io(_))) => self.keep_alive = false,
                Poll::Ready(Err(UploadError::Body(error))) => {
                    let text = format!("sending the request body to {}", conn.origin.key());
                    self.close();
                    return Poll::Ready(Err(describe(FailureKind::RequestBody, text, error)));
                }
                Poll::Pending => {}
            }
        }
        if let BodyState::Length(left @ LARGE..) = self.state
            && self.is_plain
        {
            self.state = match self.progress.demand() {
                BodyDemand::Nothing => BodyState::Discarding(left),
                BodyDemand::Pieces => BodyState::Length(left),
                BodyDemand::Whole => {
                    BodyState::Large(LargeBodyReader::new(left, conn, &self.progress), left)
                }
            };
        }
        let polled = ready!(match &mut self.state {
            BodyState::Chunked(decoder) => poll_chunked(decoder, conn, cx),
            BodyState::Discarding(left) => poll_discarding(left, conn, &self.progress, cx),
            BodyState::Large(reader, left) => reader.poll(left, conn, &self.progress, cx),
            BodyState::Length(left) => poll_length(left, conn, cx),
            BodyState::UntilClose => poll_until_close(conn, cx),
        });
        match &polled {
            Ok(Some(chunk)) => {
                // The reader of large bodies reports bytes as they arrive.
                if !matches!(self.state, BodyState::Large(..)) {
                    self.progress.add_received(chunk.len() as u64);
                }
                if self.is_complete() {
                    self.release();
                }
            }
            Ok(None) => self.release(),
            Err(_) => self.close(),
        }
        Poll::Ready(polled)
    }

    /// Returns the connection to the pool if it can serve another request, else closes it.
    fn release(&mut self) {
        if let Some(mut conn) = self.conn.take()
            && self.keep_alive
            // An unfinished upload must not delay the next request.
            && self.upload.is_none()
            // Bytes after the response belong to no request.
            && conn.unread.is_empty()
        {
            conn.set_idle_limit(self.idle_limit);
            self.pool.release(conn);
        }
    }
}

fn poll_length(left: &mut u64, conn: &mut H1Connection, cx: &mut Context<'_>) -> Poll<NextChunk> {
    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
    let chunk = if conn.unread.is_empty() {
        let read = ready!(conn.poll_read(cx, |bytes, unread| {
            let (wanted, behind) = bytes.split_at(wanted.min(bytes.len()));
            unread.extend_from_slice(behind);
            Bytes::copy_from_slice(wanted)
        }));
        read.map_err(|error| body_cut(Some(error), conn.origin.key()))?
    } else if conn.unread.len() <= wanted {
        std::mem::take(&mut conn.unread).freeze()
    } else {
        conn.unread.split_to(wanted).freeze()
    };
    if chunk.is_empty() && *left > 0 {
        return Poll::Ready(Err(body_cut(None, conn.origin.key())));
    }
    *left -= chunk.len() as u64;
    Poll::Ready(Ok((!chunk.is_empty()).then_some(chunk)))
}

/// Reads to the end and discards everything.
fn poll_discarding(
    left: &mut u64,
    conn: &mut H1Connection,
    progress: &AttemptProgress,
    cx: &mut Context<'_>,
) -> Poll<NextChunk> {
    while *left > 0 {
        let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
        let received = if conn.unread.is_empty() {
            let read = ready!(conn.poll_read(cx, |bytes, unread| {
                let (received, behind) = bytes.split_at(wanted.min(bytes.len()));
                unread.extend_from_slice(behind);
                received.len()
            }));
            read.map_err(|error| body_cut(Some(error), conn.origin.key()))?
        } else {
            let received = conn.unread.len().min(wanted);
            conn.unread.advance(received);
            received
        };
        if received == 0 {
            return Poll::Ready(Err(body_cut(None, conn.origin.key())));
        }
        progress.add_received_ahead(received);
        *left -= received as u64;
    }
    Poll::Ready(Ok(None))
}

fn poll_until_close(conn: &mut H1Connection, cx: &mut Context<'_>) -> Poll<NextChunk> {
    if !conn.unread.is_empty() {
        return Poll::Ready(Ok(Some(std::mem::take(&mut conn.unread).freeze())));
    }
    let read = ready!(conn.poll_read(cx, |bytes, _: &mut BytesMut| Bytes::copy_from_slice(bytes)));
    let chunk = read.map_err(|error| body_cut(Some(error), conn.origin.key()))?;
    Poll::Ready(Ok((!chunk.is_empty()).then_some(chunk)))
}

fn poll_chunked(
    decoder: &mut ChunkedDecoder,
    conn: &mut H1Connection,
    cx: &mut Context<'_>,
) -> Poll<NextChunk> {
    loop {
        let item = decoder.next(&mut conn.unread);
        match item.map_err(|error| invalid_chunk(&error, conn.origin.key()))? {
            ChunkedItem::Data(data) => return Poll::Ready(Ok(Some(data))),
            ChunkedItem::End => return Poll::Ready(Ok(None)),
            ChunkedItem::NeedMore => {}
        }
        match ready!(conn.poll_read_more(cx)) {
            Ok(false) => {}
            Ok(true) => return Poll::Ready(Err(body_cut(None, conn.origin.key()))),
            Err(error) => return Poll::Ready(Err(body_cut(Some(error), conn.origin.key()))),
        }
    }
}
