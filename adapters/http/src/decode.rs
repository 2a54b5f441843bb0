//! Content codings, taken off as the body arrives.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

#[cfg(feature = "brotli")]
use async_compression::futures::bufread::BrotliDecoder;
#[cfg(feature = "gzip")]
use async_compression::futures::bufread::{DeflateDecoder, GzipDecoder, ZlibDecoder};
#[cfg(feature = "zstd")]
use async_compression::{futures::bufread::ZstdDecoder, zstd::DParameter};
use bytes::Bytes;
use fetch_driver::{Failure, TransportError};
use futures_io::{AsyncBufRead, AsyncRead};
use futures_lite::io::BufReader;
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use crate::body::Wire;
use crate::error::told;

/// The most codings on one body; more is an attack, not a server.
const MAX_CODINGS: usize = 5;
/// The size of the chunks that decoding yields.
const CHUNK: usize = 32 * 1024;
/// zstd's largest window for the web, 8 MiB (RFC 9659).
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// A content coding that can be taken off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Coding {
    #[cfg(feature = "brotli")]
    Brotli,
    #[cfg(feature = "gzip")]
    Deflate,
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
}

/// The `Accept-Encoding` of all that this build can decode.
pub(crate) fn accepted() -> Option<HeaderValue> {
    let names = [
        (cfg!(feature = "gzip"), "gzip, deflate"),
        (cfg!(feature = "brotli"), "br"),
        (cfg!(feature = "zstd"), "zstd"),
    ];
    let names: Vec<_> = names.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    HeaderValue::from_str(&names.join(", ")).ok().filter(|value| !value.is_empty())
}

/// The codings to take off, in the order they were put on.
///
/// Empty if there is none, or one that this build does not know: such a body is left as it is.
pub(crate) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, TransportError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().unwrap_or("?").split(',').map(str::trim) {
            match coding(name) {
                Some(Some(coding)) => codings.push(coding),
                Some(None) => {}
                None => return Ok(Vec::new()),
            }
        }
    }
    if codings.len() > MAX_CODINGS {
        let text = format!("the body has more than {MAX_CODINGS} content codings");
        return Err(TransportError::new(Failure::Decode, text));
    }
    Ok(codings)
}

fn coding(name: &str) -> Option<Option<Coding>> {
    match name.to_ascii_lowercase().as_str() {
        "" | "identity" => Some(None),
        #[cfg(feature = "brotli")]
        "br" => Some(Some(Coding::Brotli)),
        #[cfg(feature = "gzip")]
        "deflate" => Some(Some(Coding::Deflate)),
        #[cfg(feature = "gzip")]
        "gzip" | "x-gzip" => Some(Some(Coding::Gzip)),
        #[cfg(feature = "zstd")]
        "zstd" => Some(Some(Coding::Zstd)),
        _ => None,
    }
}

/// A body with its codings taken off, and never more than a limit of it.
pub(crate) struct Decoded {
    buffer: Box<[u8]>,
    decoded: u64,
    done: bool,
    max: u64,
    reader: Reader,
    wire: Arc<Mutex<Wire>>,
}

impl Decoded {
    pub(crate) fn new(wire: Wire, codings: &[Coding], max: u64) -> Self {
        let wire = Arc::new(Mutex::new(wire));
        let mut codings = codings.iter().rev();
        let chunks = Chunks { chunk: Bytes::new(), wire: wire.clone() };
        let mut reader: Reader = match codings.next() {
            Some(last) => last.decoder(chunks),
            None => Box::pin(chunks),
        };
        for coding in codings {
            reader = coding.decoder(BufReader::new(reader));
        }
        let buffer = vec![0; CHUNK].into_boxed_slice();
        Self { buffer, decoded: 0, done: false, max, reader, wire }
    }

    /// The next decoded chunk.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, TransportError>>> {
        if self.done {
            return Poll::Ready(None);
        }
        match ready!(self.reader.as_mut().poll_read(cx, &mut self.buffer)) {
            Ok(0) => self.finish(cx),
            Ok(n) => {
                self.decoded += n as u64;
                if self.decoded > self.max {
                    return Poll::Ready(Some(Err(self.too_large())));
                }
                Poll::Ready(Some(Ok(Bytes::copy_from_slice(&self.buffer[..n]))))
            }
            // Nothing at all is no broken stream: servers put a coding on empty bodies.
            Err(_) if lock(&self.wire).is_finished_empty() => {
                self.done = true;
                Poll::Ready(None)
            }
            Err(error) => Poll::Ready(Some(Err(self.broken(error)))),
        }
    }

    /// Reads on to the end of the response, so that its connection can be used again.
    fn finish(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        let mut wire = lock(&self.wire);
        match ready!(wire.poll_next(cx)) {
            None => {}
            // What comes behind the coded stream is nobody's business; no need to wait for it.
            Some(Ok(_)) => wire.close(),
            Some(Err(error)) => {
                self.done = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
        self.done = true;
        Poll::Ready(None)
    }

    fn too_large(&mut self) -> TransportError {
        self.stop();
        let text = format!("over {} bytes when decoded", self.max);
        TransportError::new(Failure::BodyTooLarge, text)
    }

    fn broken(&mut self, error: io::Error) -> TransportError {
        self.stop();
        match error.downcast::<TransportError>() {
            Ok(from_wire) => from_wire,
            Err(error) => told(Failure::Decode, "its content coding is broken or cut short", error),
        }
    }

    fn stop(&mut self) {
        self.done = true;
        lock(&self.wire).close();
    }
}

impl Coding {
    fn decoder(self, coded: impl AsyncBufRead + Send + Unpin + 'static) -> Reader {
        match self {
            #[cfg(feature = "brotli")]
            Self::Brotli => Box::pin(BrotliDecoder::new(coded)),
            #[cfg(feature = "gzip")]
            Self::Deflate => Box::pin(Inflate::Unseen(Some(coded))),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(coded);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(coded, &window);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
        }
    }
}

/// "deflate": zlib by the standard, bare deflate from many a server. The first byte tells.
#[cfg(feature = "gzip")]
enum Inflate<R> {
    Bare(DeflateDecoder<R>),
    Unseen(Option<R>),
    Zlib(ZlibDecoder<R>),
}

#[cfg(feature = "gzip")]
impl<R: AsyncBufRead + Unpin> AsyncRead for Inflate<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match &mut *self {
                Self::Bare(decoder) => return Pin::new(decoder).poll_read(cx, buf),
                Self::Zlib(decoder) => return Pin::new(decoder).poll_read(cx, buf),
                Self::Unseen(coded) => {
                    let Some(reader) = coded else { return Poll::Ready(Ok(0)) };
                    let start = ready!(Pin::new(reader).poll_fill_buf(cx))?;
                    let zlib = start.first().is_none_or(|byte| byte & 0x0f == 8);
                    let Some(reader) = coded.take() else { return Poll::Ready(Ok(0)) };
                    *self = if zlib {
                        Self::Zlib(ZlibDecoder::new(reader))
                    } else {
                        Self::Bare(DeflateDecoder::new(reader))
                    };
                }
            }
        }
    }
}

/// The wire's chunks as a reader.
struct Chunks {
    chunk: Bytes,
    wire: Arc<Mutex<Wire>>,
}

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let ready = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = ready.len().min(buf.len());
        buf[..n].copy_from_slice(&ready[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

impl AsyncBufRead for Chunks {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.chunk.is_empty() {
            let next = ready!(lock(&this.wire).poll_next(cx));
            match next {
                Some(Ok(chunk)) => this.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => break,
            }
        }
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        let _ = self.chunk.split_to(n);
    }
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}
