//! A body without its codings, and never more than a limit of it.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{FailureKind, TransportError};
use futures_io::AsyncBufRead;
use futures_lite::io::BufReader;

use crate::coding::{Coding, Reader};

/// The size of the chunks that decoding yields.
const CHUNK: usize = 32 * 1024;

/// A body that is decoded as it arrives.
///
/// ```
/// use std::task::Poll;
/// use fetch_coding::Decoding;
/// use futures_lite::future;
///
/// let mut body = Decoding::new(&b"plain"[..], &[], 5);
/// let chunk = future::block_on(future::poll_fn(|cx| body.poll_next(cx))).unwrap();
/// assert_eq!(chunk.as_deref(), Some(&b"plain"[..]));
/// ```
pub struct Decoding {
    buffer: Box<[u8]>,
    bytes: u64,
    max: u64,
    reader: Reader,
}

/// Why there is no more to decode.
#[derive(Debug)]
pub enum Fault {
    /// What the reader itself said, or what the decoder found wrong.
    Broken(io::Error),
    /// It is longer than it may be.
    TooLarge(TransportError),
}

impl Fault {
    /// What a decoder's own complaint means to the core.
    ///
    /// ```
    /// let told = fetch_coding::Fault::undecodable(std::io::Error::other("bad checksum"));
    /// assert!(told.to_string().contains("content coding"));
    /// ```
    #[must_use]
    pub fn undecodable(error: io::Error) -> TransportError {
        let text = format!("its content coding is broken or cut short: {error}");
        TransportError::new(FailureKind::Decode, text)
    }
}

impl Decoding {
    /// Takes `codings`, which were put on in this order, off `coded`, and yields at most `max` bytes.
    ///
    /// ```
    /// let body = fetch_coding::Decoding::new(&b"plain"[..], &[], 1 << 20);
    /// ```
    pub fn new(
        coded: impl AsyncBufRead + Send + Unpin + 'static,
        codings: &[Coding],
        max: u64,
    ) -> Self {
        let mut codings = codings.iter().rev();
        let mut reader: Reader = match codings.next() {
            Some(last) => last.decoder(coded),
            None => Box::pin(coded),
        };
        for coding in codings {
            reader = coding.decoder(BufReader::new(reader));
        }
        Self {
            buffer: vec![0; CHUNK].into_boxed_slice(),
            bytes: 0,
            max,
            reader,
        }
    }

    /// The next decoded chunk, of at most 32 KiB; `None` after the last.
    ///
    /// # Errors
    ///
    /// The reader's own, the decoder's, or that the body is too long. It is not to be polled again
    /// then.
    ///
    /// ```
    /// use futures_lite::future;
    ///
    /// let mut body = fetch_coding::Decoding::new(&b"too long"[..], &[], 3);
    /// let chunk = future::block_on(future::poll_fn(|cx| body.poll_next(cx)));
    /// assert!(matches!(chunk, Err(fetch_coding::Fault::TooLarge(_))));
    /// ```
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        let read = ready!(self.reader.as_mut().poll_read(cx, &mut self.buffer));
        Poll::Ready(match read {
            Ok(0) => Ok(None),
            Ok(n) => {
                self.bytes += n as u64;
                if self.bytes > self.max {
                    let text = format!("over {} bytes when decoded", self.max);
                    let error = TransportError::new(FailureKind::BodyTooLarge, text);
                    return Poll::Ready(Err(Fault::TooLarge(error)));
                }
                Ok(Some(Bytes::copy_from_slice(&self.buffer[..n])))
            }
            Err(error) => Err(Fault::Broken(error)),
        })
    }
}

impl std::fmt::Debug for Decoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoding")
            .field("bytes", &self.bytes)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use futures_lite::future;

    use super::*;

    fn read(coded: Vec<u8>, codings: &[Coding], max: u64) -> Result<Vec<u8>, Fault> {
        let mut body = Decoding::new(futures_lite::io::Cursor::new(coded), codings, max);
        let mut bytes = Vec::new();
        while let Some(chunk) = future::block_on(future::poll_fn(|cx| body.poll_next(cx)))? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_last_coding_comes_off_first() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&gzip(b"hello")).unwrap();
        let codings = [Coding::Gzip, Coding::Deflate];
        assert_eq!(read(zlib.finish().unwrap(), &codings, 5).unwrap(), b"hello");
    }

    #[test]
    fn deflate_without_its_wrapper_is_understood() {
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(b"hello").unwrap();
        let coded = bare.finish().unwrap();
        assert_eq!(read(coded, &[Coding::Deflate], 5).unwrap(), b"hello");
    }

    #[test]
    fn all_members_are_read_and_a_cut_one_is_told() {
        let both = [gzip(b"hel"), gzip(b"lo")].concat();
        assert_eq!(read(both.clone(), &[Coding::Gzip], 5).unwrap(), b"hello");
        let cut = both[..both.len() - 3].to_vec();
        let fault = read(cut, &[Coding::Gzip], 5).unwrap_err();
        assert!(matches!(fault, Fault::Broken(_)), "{fault:?}");
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let bomb = gzip(&vec![0; 10 << 20]);
        let fault = read(bomb, &[Coding::Gzip], 1 << 20).unwrap_err();
        assert!(matches!(fault, Fault::TooLarge(_)), "{fault:?}");
    }
}
