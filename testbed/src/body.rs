use std::error::Error;
use std::fmt;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::wire::{Break, Control};

const PERIOD: usize = 251;
const MIB: usize = 1 << 20;
static CONTENT: LazyLock<Bytes> = LazyLock::new(|| {
    (0..64 * 1_024)
        .map(|at| byte_at(at as u64))
        .collect::<Vec<u8>>()
        .into()
});
static ZEROES: [u8; 64 * 1_024] = [0; 64 * 1_024];

/// The most bytes that one piece of generated content has.
pub(crate) const MAX_CHUNK: usize = 32 * 1_024;

/// Returns the byte at the offset `at` of every body the site makes up, such as that of `/bytes/N`.
///
/// ```
/// assert_eq!(fetch_testbed::byte_at(3), 3);
/// assert_eq!(fetch_testbed::byte_at(251), 0);
/// ```
pub fn byte_at(at: u64) -> u8 {
    (at % PERIOD as u64) as u8
}

/// The end of a connection or a response that an endpoint asked for.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("broken on request")
    }
}

impl Error for Broken {}

/// A response body.
#[derive(Debug)]
pub(crate) enum Body {
    Whole(Bytes),
    Made(Box<Made>),
    Bomb(Box<Bomb>),
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// Makes `length` bytes of the deterministic content.
    pub(crate) fn bytes(length: u64) -> Self {
        if length <= MAX_CHUNK as u64 {
            return Self::Whole(CONTENT.slice(..length as usize));
        }
        Made::new(length).promise(length).into()
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let chunk = match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Self::Made(made) => ready!(made.poll_next(context)),
            Self::Bomb(bomb) => bomb.next().map(Ok),
        };
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Made(made) => made.left == 0 && matches!(made.ending, Ending::Clean),
            Self::Bomb(bomb) => bomb.encoder.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Made(made) => made
                .promised
                .map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Bomb(_) => SizeHint::default(),
        }
    }
}

/// What follows the last byte.
#[derive(Debug)]
enum Ending {
    Clean,
    Hang,
    Cut(Arc<Control>, Break),
}

/// A body made of the deterministic content, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Made {
    at: u64,
    left: u64,
    promised: Option<u64>,
    chunk: u64,
    pace: Option<(Duration, Pin<Box<Sleep>>)>,
    ending: Ending,
    mark: u64,
}

impl Made {
    /// Starts a body of `length` bytes that does not tell its length beforehand.
    pub(crate) fn new(length: u64) -> Self {
        let chunk = MAX_CHUNK as u64;
        Self {
            at: 0,
            left: length,
            promised: None,
            chunk,
            pace: None,
            ending: Ending::Clean,
            mark: 0,
        }
    }

    /// Announces `length` bytes as the content length.
    pub(crate) fn promise(mut self, length: u64) -> Self {
        self.promised = Some(length);
        self
    }

    /// Hands out `length` bytes at a time, 1 to 32 KiB.
    pub(crate) fn chunk(mut self, length: u64) -> Self {
        self.chunk = length.clamp(1, MAX_CHUNK as u64);
        self
    }

    /// Waits for `interval` before each chunk.
    pub(crate) fn pace(mut self, interval: Duration) -> Self {
        self.pace = Some((interval, Box::pin(tokio::time::sleep(interval))));
        self
    }

    /// Never ends.
    pub(crate) fn then_hang(mut self) -> Self {
        self.ending = Ending::Hang;
        self
    }

    /// Breaks the connection once the last byte is sent.
    pub(crate) fn then_break(mut self, control: &Arc<Control>, how: Break) -> Self {
        self.mark = control.written();
        self.ending = Ending::Cut(control.clone(), how);
        self
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.left == 0 {
            return self.poll_ending(context);
        }
        if let Some((interval, sleep)) = &mut self.pace {
            ready!(sleep.as_mut().poll(context));
            sleep.as_mut().reset(Instant::now() + *interval);
        }
        let length = self.chunk.min(self.left);
        let start = (self.at % PERIOD as u64) as usize;
        self.at += length;
        self.left -= length;
        if let Ending::Cut(control, _) = &self.ending {
            self.mark = control.written();
        }
        if let Some(promised) = &mut self.promised {
            *promised -= length;
        }
        Poll::Ready(Some(Ok(CONTENT.slice(start..start + length as usize))))
    }

    fn poll_ending(&self, context: &Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match &self.ending {
            Ending::Clean => Poll::Ready(None),
            Ending::Hang => Poll::Pending,
            Ending::Cut(control, how) => {
                // HTTP buffers: breaking off before its flush would lose the part that was promised to arrive.
                ready!(control.poll_flushed_past(self.mark, context));
                control.break_off(*how);
                Poll::Ready(Some(Err(Broken)))
            }
        }
    }
}

impl From<Made> for Body {
    fn from(made: Made) -> Self {
        Self::Made(Box::new(made))
    }
}

/// A gzip stream of zeroes, compressed as it is sent.
#[derive(Debug)]
pub(crate) struct Bomb {
    encoder: Option<GzEncoder<Vec<u8>>>,
    mebibytes: u64,
}

impl Bomb {
    pub(crate) fn new(mebibytes: u64) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::best());
        Self {
            encoder: Some(encoder),
            mebibytes,
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        let encoder = self.encoder.as_mut()?;
        while self.mebibytes > 0 {
            for _ in 0..MIB / ZEROES.len() {
                encoder.write_all(&ZEROES).expect("writing to a vector");
            }
            self.mebibytes -= 1;
            // Not flushed, it would take some 30 MiB of zeroes, and many seconds of a debug build, before
            // the first bytes come out.
            encoder.flush().expect("writing to a vector");
            if !encoder.get_ref().is_empty() {
                return Some(std::mem::take(encoder.get_mut()).into());
            }
        }
        let rest = self.encoder.take()?.finish().expect("writing to a vector");
        Some(rest.into())
    }
}

impl From<Bomb> for Body {
    fn from(bomb: Bomb) -> Self {
        Self::Bomb(Box::new(bomb))
    }
}
