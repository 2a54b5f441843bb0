//! Large bodies that the driver wants whole: read in place, into large buffers of the exact size.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::AttemptProgress;

use super::connection::H1Connection;
use super::error::{NextChunk, body_cut};
use crate::io::byte_stream::SCRATCH;

/// Bodies with at least this many bytes to come are read in place. Smaller ones take one or two
/// reads.
pub(super) const LARGE: u64 = 2 * SCRATCH as u64;

/// The largest first buffer, in bytes. Each next one may be twice as large, so that memory grows
/// with the data received, not with the length that a server announces.
const FIRST_BUFFER: usize = 1024 * 1024;

const MAX_BUFFER: usize = 8 * FIRST_BUFFER;

/// Fills one buffer after the other.
pub(super) struct LargeBodyReader {
    buffer: Vec<u8>,
    /// The length at which the buffer is full.
    target: usize,
}

impl LargeBodyReader {
    /// Starts with the unread bytes of the connection, of a body with `left` bytes to come.
    pub(super) fn new(left: u64, conn: &mut H1Connection, progress: &AttemptProgress) -> Self {
        let mut this = Self::with_buffer(left, FIRST_BUFFER);
        let unread = conn.unread.split_to(conn.unread.len().min(this.target));
        progress.add_received_ahead(unread.len());
        this.buffer.extend_from_slice(&unread);
        this
    }

    fn with_buffer(left: u64, max: usize) -> Self {
        let target = usize::try_from(left).unwrap_or(max).min(max);
        Self {
            buffer: Vec::with_capacity(target),
            target,
        }
    }

    /// The next full buffer. Bytes are reported to `progress` as they arrive.
    pub(super) fn poll(
        &mut self,
        left: &mut u64,
        conn: &mut H1Connection,
        progress: &AttemptProgress,
        cx: &mut Context<'_>,
    ) -> Poll<NextChunk> {
        if *left == 0 {
            return Poll::Ready(Ok(None));
        }
        while self.buffer.len() < self.target {
            let read = ready!(conn.stream.poll_read_spare(cx, &mut self.buffer));
            match read {
                Ok(0) => return Poll::Ready(Err(body_cut(None, conn.origin.key()))),
                Ok(n) => progress.add_received_ahead(n),
                Err(error) => return Poll::Ready(Err(body_cut(Some(error), conn.origin.key()))),
            }
        }
        // A vector may have more capacity than requested.
        conn.unread.extend_from_slice(&self.buffer[self.target..]);
        self.buffer.truncate(self.target);
        *left -= self.target as u64;
        let next = Self::with_buffer(*left, (2 * self.target).clamp(FIRST_BUFFER, MAX_BUFFER));
        let full = std::mem::replace(self, next).buffer;
        Poll::Ready(Ok(Some(Bytes::from(full))))
    }
}
