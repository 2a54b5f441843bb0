//! Large bodies that nobody wants in pieces: read in place, into memory of just their size.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::Marks;

use super::body::{Next, cut};
use super::conn::Conn;
use crate::io::SCRATCH;

/// A body of which so much is still to come is gathered: less comes with one or two reads.
pub(super) const LARGE: u64 = 2 * SCRATCH as u64;

/// The first piece is at most this large, and each may be twice as large as the one before: what a
/// server only promises takes no memory.
const FIRST: usize = 1024 * 1024;

/// The largest piece.
const MOST: usize = 8 * FIRST;

/// A piece that is filled before it is handed on.
pub(super) struct Gathering {
    piece: Vec<u8>,
    /// So much of it is wanted.
    wanted: usize,
}

impl Gathering {
    /// The first piece of what is `left`, beginning with what has come already.
    pub(super) fn new(left: u64, conn: &mut Conn, marks: &Marks) -> Self {
        let mut this = Self::of(left, FIRST);
        let rest = conn.rest.split_to(conn.rest.len().min(this.wanted));
        marks.gathered(rest.len());
        this.piece.extend_from_slice(&rest);
        this
    }

    fn of(left: u64, most: usize) -> Self {
        let wanted = usize::try_from(left).unwrap_or(most).min(most);
        Self {
            piece: Vec::with_capacity(wanted),
            wanted,
        }
    }

    /// The next piece, once it is full. What comes for it is told of at once.
    pub(super) fn poll(
        &mut self,
        left: &mut u64,
        conn: &mut Conn,
        marks: &Marks,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        if *left == 0 {
            return Poll::Ready(Ok(None));
        }
        while self.piece.len() < self.wanted {
            let read = ready!(conn.stream.poll_read_spare(cx, &mut self.piece));
            match read {
                Ok(0) => return Poll::Ready(Err(cut(None, conn.origin.key()))),
                Ok(n) => marks.gathered(n),
                Err(error) => return Poll::Ready(Err(cut(Some(error), conn.origin.key()))),
            }
        }
        // A vector may have more room than was asked for.
        conn.rest.extend_from_slice(&self.piece[self.wanted..]);
        self.piece.truncate(self.wanted);
        *left -= self.wanted as u64;
        let next = Self::of(*left, (2 * self.wanted).clamp(FIRST, MOST));
        let full = std::mem::replace(self, next).piece;
        Poll::Ready(Ok(Some(Bytes::from(full))))
    }
}
