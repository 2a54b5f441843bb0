//! Which content codings there are, and their decoders.

#[cfg(feature = "gzip")]
use std::io;
use std::pin::Pin;
#[cfg(feature = "gzip")]
use std::task::{Context, Poll, ready};

#[cfg(feature = "brotli")]
use async_compression::futures::bufread::BrotliDecoder;
#[cfg(feature = "gzip")]
use async_compression::futures::bufread::{DeflateDecoder, GzipDecoder, ZlibDecoder};
#[cfg(feature = "zstd")]
use async_compression::{futures::bufread::ZstdDecoder, zstd::DParameter};
use fetch_driver::{Failure, TransportError};
use futures_io::{AsyncBufRead, AsyncRead};
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

/// The most codings on one body; more is an attack, not a server.
const MAX_CODINGS: usize = 5;
/// zstd's largest window for the web, 8 MiB (RFC 9659).
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// Decoded bytes.
pub(crate) type Reader = Pin<Box<dyn AsyncRead + Send>>;

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
    let names: Vec<_> = names
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, name)| *name)
        .collect();
    HeaderValue::from_str(&names.join(", "))
        .ok()
        .filter(|value| !value.is_empty())
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

impl Coding {
    /// Takes this coding off `coded`.
    #[cfg_attr(
        not(any(feature = "brotli", feature = "gzip", feature = "zstd")),
        expect(unused_variables, reason = "there is nothing to decode then")
    )]
    pub(crate) fn decoder(self, coded: impl AsyncBufRead + Send + Unpin + 'static) -> Reader {
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
                    let Some(reader) = coded else {
                        return Poll::Ready(Ok(0));
                    };
                    let start = ready!(Pin::new(reader).poll_fill_buf(cx))?;
                    let zlib = start.first().is_none_or(|byte| byte & 0x0f == 8);
                    let Some(reader) = coded.take() else {
                        return Poll::Ready(Ok(0));
                    };
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
