//! "deflate", as servers mean it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::futures::bufread::{DeflateDecoder, ZlibDecoder};
use futures_io::{AsyncBufRead, AsyncRead};

/// "deflate": zlib by the standard, bare deflate from many a server. The first byte tells.
pub(crate) enum Inflate<R> {
    Bare(DeflateDecoder<R>),
    Unseen(Option<R>),
    Zlib(ZlibDecoder<R>),
}

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
