//! The coding `deflate`, as servers use it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::futures::bufread::{DeflateDecoder, ZlibDecoder};
use futures_io::{AsyncBufRead, AsyncRead};

/// Decodes zlib, which the standard requires, or raw deflate, which many servers send. The first byte
/// decides.
pub(crate) enum DeflateReader<R> {
    Raw(DeflateDecoder<R>),
    /// No byte has arrived. `None` only while the variant changes.
    Undetected(Option<R>),
    Zlib(ZlibDecoder<R>),
}

impl<R: AsyncBufRead + Unpin> AsyncRead for DeflateReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match &mut *self {
                Self::Raw(decoder) => return Pin::new(decoder).poll_read(cx, buf),
                Self::Zlib(decoder) => return Pin::new(decoder).poll_read(cx, buf),
                Self::Undetected(coded) => {
                    let Some(reader) = coded else {
                        return Poll::Ready(Ok(0));
                    };
                    let start = ready!(Pin::new(reader).poll_fill_buf(cx))?;
                    let is_zlib = start.first().is_none_or(|byte| byte & 0x0f == 8);
                    let Some(reader) = coded.take() else {
                        return Poll::Ready(Ok(0));
                    };
                    *self = if is_zlib {
                        Self::Zlib(ZlibDecoder::new(reader))
                    } else {
                        Self::Raw(DeflateDecoder::new(reader))
                    };
                }
            }
        }
    }
}
