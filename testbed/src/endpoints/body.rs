//! Response bodies.

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

use crate::connection::stream::{BreakMode, ConnectionControl};

const PERIOD: usize = 251;
const MIB: usize = 1 << 20;
static CONTENT: LazyLock<Bytes> = LazyLock::new(|| {
    (0..64 * 1_024)
        .map(|at| byte_at(at as u64))
        .collect::<Vec<u8>>()
        .into()
});
static ZEROS: [u8; 64 * 1_024] = [0; 64 * 1_024];

/// Maximum length of one chunk of generated content.
pub(crate) const MAX_CHUNK: usize = 32 * 1_024;

/// Returns the byte at offset `at` of all generated bodies, such as that of `/bytes/N`.
///
/// ```
/// assert_eq!(fetch_testbed::byte_at(3), 3);
/// assert_eq!(fetch_testbed::byte_at(251), 0);
/// ```
pub fn byte_at(at: u64) -> u8 {
    (at % PERIOD as u64) as u8
}

/// An endpoint broke the connection.
#[derive(Debug)]
pub(crate) struct ConnectionBroken;

impl fmt::Display for ConnectionBroken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("broken on request")
    }
}

impl Error for ConnectionBroken {}

/// A response body.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    Whole(Bytes),
    Generated(Box<GeneratedBody>),
    GzipBomb(Box<GzipBomb>),
}

impl ResponseBody {
    pub(crate) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// Returns a body of `length` bytes of generated content.
    pub(crate) fn generated(length: u64) -> Self {
        if length <= MAX_CHUNK as u64 {
            return Self::Whole(CONTENT.slice(..length as usize));
        }
        GeneratedBody::new(length).with_length(length).into()
    }
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = ConnectionBroken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionBroken>>> {
        let chunk = match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Self::Generated(body) => ready!(body.poll_chunk(context)),
            Self::GzipBomb(bomb) => bomb.next_chunk().map(Ok),
        };
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Generated(body) => body.remaining == 0 && matches!(body.end, BodyEnd::Complete),
            Self::GzipBomb(bomb) => bomb.encoder.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Generated(body) => body
                .announced_len
                .map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::GzipBomb(_) => SizeHint::default(),
        }
    }
}

/// Action after the last byte.
#[derive(Debug)]
enum BodyEnd {
    Complete,
    Stall,
    Break(Arc<ConnectionControl>, BreakMode),
}

/// A body of generated content, sent in chunks.
#[derive(Debug)]
pub(crate) struct GeneratedBody {
    at: u64,
    remaining: u64,
    announced_len: Option<u64>,
    chunk_len: u64,
    timer: Option<(Duration, Pin<Box<Sleep>>)>,
    end: BodyEnd,
    flush_mark: u64,
}

impl GeneratedBody {
    /// Creates a body of `length` bytes without an announced length.
    pub(crate) fn new(length: u64) -> Self {
        let chunk = MAX_CHUNK as u64;
        Self {
            at: 0,
            remaining: length,
            announced_len: None,
            chunk_len: chunk,
            timer: None,
            end: BodyEnd::Complete,
            flush_mark: 0,
        }
    }

    /// Announces `length` as the content length.
    pub(crate) fn with_length(mut self, length: u64) -> Self {
        self.announced_len = Some(length);
        self
    }

    /// Sets the length of a chunk, from 1 byte to 32 KiB.
    pub(crate) fn with_chunk_len(mut self, length: u64) -> Self {
        self.chunk_len = length.clamp(1, MAX_CHUNK as u64);
        self
    }

    /// Waits for `interval` before each chunk.
    pub(crate) fn with_interval(mut self, interval: Duration) -> Self {
        self.timer = Some((interval, Box::pin(tokio::time::sleep(interval))));
        self
    }

    /// Stalls after the last byte.
    pub(crate) fn then_stall(mut self) -> Self {
        self.end = BodyEnd::Stall;
        self
    }

    /// Breaks the connection after the last byte.
    pub(crate) fn then_break(mut self, control: &Arc<ConnectionControl>, mode: BreakMode) -> Self {
        self.flush_mark = control.written();
        self.end = BodyEnd::Break(control.clone(), mode);
        self
    }

    fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ConnectionBroken>>> {
        if self.remaining == 0 {
            return self.poll_end(context);
        }
        if let Some((interval, sleep)) = &mut self.timer {
            ready!(sleep.as_mut().poll(context));
            sleep.as_mut().reset(Instant::now() + *interval);
        }
        let length = self.chunk_len.min(self.remaining);
        let start = (self.at % PERIOD as u64) as usize;
        self.at += length;
        self.remaining -= length;
        if let BodyEnd::Break(control, _) = &self.end {
            self.flush_mark = control.written();
        }
        if let Some(announced_len) = &mut self.announced_len {
            *announced_len -= length;
        }
        Poll::Ready(Some(Ok(CONTENT.slice(start..start + length as usize))))
    }

    fn poll_end(&self, context: &Context<'_>) -> Poll<Option<Result<Bytes, ConnectionBroken>>> {
        match &self.end {
            BodyEnd::Complete => Poll::Ready(None),
            BodyEnd::Stall => Poll::Pending,
            BodyEnd::Break(control, mode) => {
                // The HTTP server buffers: breaking before its flush would lose bytes that must arrive.
                ready!(control.poll_flushed_past(self.flush_mark, context));
                control.break_off(*mode);
                Poll::Ready(Some(Err(ConnectionBroken)))
            }
        }
    }
}

impl From<GeneratedBody> for ResponseBody {
    fn from(body: GeneratedBody) -> Self {
        Self::Generated(Box::new(body))
    }
}

/// A gzip stream of zero bytes, compressed while it is sent.
#[derive(Debug)]
pub(crate) struct GzipBomb {
    encoder: Option<GzEncoder<Vec<u8>>>,
    mebibytes: u64,
}

impl GzipBomb {
    pub(crate) fn new(mebibytes: u64) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::best());
        Self {
            encoder: Some(encoder),
            mebibytes,
        }
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        let encoder = self.encoder.as_mut()?;
        while self.mebibytes > 0 {
            for _ in 0..MIB / ZEROS.len() {
                encoder.write_all(&ZEROS).expect("writing to a vector");
            }
            self.mebibytes -= 1;
            // Without a flush, the first output comes after 30 MiB of zero bytes: many seconds in a debug build.
            encoder.flush().expect("writing to a vector");
            if !encoder.get_ref().is_empty() {
                return Some(std::mem::take(encoder.get_mut()).into());
            }
        }
        let rest = self.encoder.take()?.finish().expect("writing to a vector");
        Some(rest.into())
    }
}

impl From<GzipBomb> for ResponseBody {
    fn from(bomb: GzipBomb) -> Self {
        Self::GzipBomb(Box::new(bomb))
    }
}
