//! The coded bytes on their way into a decoder, in small pieces and within bounds.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead};

use crate::lock::lock;
use crate::turn::TurnBudget;

/// The sizes of the pieces given to a decoder. A decoder cannot be interrupted inside a piece, and
/// hostile data takes a microsecond for each byte. So the pieces of a turn grow as long as there is
/// time left.
const FIRST_PIECE: usize = 64;
const MAX_PIECE: usize = 4 * 1024;

/// How many coded bytes a body may have for each decoded one. A server that flushes its encoder after
/// every byte needs seven.
const MAX_RATIO: u64 = 8;

/// Coded data that decodes to (nearly) nothing.
#[derive(Debug)]
pub(crate) struct EmptyCoding {
    coded: u64,
    decoded: u64,
}

impl fmt::Display for EmptyCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { coded, decoded } = self;
        write!(
            f,
            "its content coding sends bytes without content: {coded} bytes decode to {decoded}"
        )
    }
}

impl std::error::Error for EmptyCoding {}

/// What the decoders of one body share.
#[derive(Debug, Default)]
pub(crate) struct DecodeState {
    /// The decoded bytes of the whole body so far.
    pub(crate) decoded: u64,
    /// Set if the input of a decoder is out of proportion to what was decoded. This is the case only
    /// if the decoder has nothing that it holds back.
    pub(crate) excess: Option<EmptyCoding>,
    pub(crate) turn: TurnBudget,
}

/// The input of one decoder. It is pending, without waking the task, when the turn's budget is used
/// up, or when too many bytes were decoded to too few.
pub(crate) struct CodedInput<R> {
    consumed: u64,
    /// How many bytes may be consumed before anything is decoded.
    margin: u64,
    piece: usize,
    reader: R,
    state: Arc<Mutex<DecodeState>>,
}

impl<R> CodedInput<R> {
    pub(crate) fn new(reader: R, margin: u64, state: Arc<Mutex<DecodeState>>) -> Self {
        Self {
            consumed: 0,
            margin,
            piece: FIRST_PIECE,
            reader,
            state,
        }
    }

    /// Ready if another piece may be decoded.
    fn poll_turn(&mut self) -> Poll<()> {
        let mut state = lock(&self.state);
        let allowed = state.decoded.saturating_mul(MAX_RATIO);
        if self.consumed > allowed.saturating_add(self.margin) {
            state.excess = Some(EmptyCoding {
                coded: self.consumed,
                decoded: state.decoded,
            });
            return Poll::Pending;
        }
        if state.turn.is_used_up() {
            self.piece = FIRST_PIECE;
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for CodedInput<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_turn());
        let bytes = ready!(Pin::new(&mut this.reader).poll_fill_buf(cx))?;
        Poll::Ready(Ok(&bytes[..bytes.len().min(this.piece)]))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let this = self.get_mut();
        this.consumed += n as u64;
        this.piece = (2 * this.piece).min(MAX_PIECE);
        lock(&this.state).turn.spend(n);
        Pin::new(&mut this.reader).consume(n);
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for CodedInput<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = available.len().min(buf.len());
        buf[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

#[cfg(all(test, feature = "brotli", feature = "gzip", feature = "zstd"))]
mod tests;
