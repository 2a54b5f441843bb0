//! Decoding of a body of limited length.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{FailureKind, TransportError};
use futures_io::AsyncBufRead;
use futures_lite::io::BufReader;

use crate::coded_input::{CodedInput, DecodeState};
use crate::coding::{ContentCoding, DecodedReader};
use crate::lock::lock;

/// The largest decoded chunk, in bytes.
const CHUNK_SIZE: usize = 32 * 1024;

/// Decodes a body while it arrives, up to a limit.
///
/// The limit also bounds the coded bytes: at most eight for each decoded one, and 256 KiB (zstd) or
/// 8 KiB (the others) before the first. Decoding lets other tasks run whenever a [`TurnBudget`](crate::TurnBudget) is
/// used up.
///
/// ```
/// use fetch_transport_util::BodyDecoder;
/// use futures_lite::future;
///
/// let mut body = BodyDecoder::new(&b"plain"[..], &[], 5);
/// let chunk = future::block_on(future::poll_fn(|cx| body.poll_next(cx))).unwrap();
/// assert_eq!(chunk.as_deref(), Some(&b"plain"[..]));
/// ```
pub struct BodyDecoder {
    buffer: Box<[u8]>,
    max: u64,
    reader: DecodedReader,
    state: Arc<Mutex<DecodeState>>,
}

/// Why decoding stopped.
#[derive(Debug)]
pub enum DecodeError {
    /// The reader failed, or the coded data is invalid.
    Broken(io::Error),
    /// The coded data decodes to nothing, or to far less than it is long.
    Empty(TransportError),
    /// The decoded body is longer than the limit.
    TooLarge(TransportError),
}

impl DecodeError {
    /// The transport error for invalid coded data.
    ///
    /// ```
    /// use fetch_transport_util::DecodeError;
    ///
    /// let error = DecodeError::invalid_data(std::io::Error::other("bad checksum"));
    /// assert!(error.to_string().contains("content coding"));
    /// ```
    #[must_use]
    pub fn invalid_data(error: io::Error) -> TransportError {
        let text = format!("its content coding is broken or cut short: {error}");
        TransportError::new(FailureKind::Decode, text)
    }
}

impl BodyDecoder {
    /// Decodes `codings`, which were applied in this order, from `coded`, up to `max` bytes.
    ///
    /// ```
    /// let body = fetch_transport_util::BodyDecoder::new(&b"plain"[..], &[], 1 << 20);
    /// ```
    pub fn new(
        coded: impl AsyncBufRead + Send + Unpin + 'static,
        codings: &[ContentCoding],
        max: u64,
    ) -> Self {
        let state = Arc::<Mutex<DecodeState>>::default();
        let mut codings = codings.iter().rev();
        let mut reader: DecodedReader = match codings.next() {
            Some(last) => last.decode(CodedInput::new(coded, last.margin(), state.clone())),
            None => Box::pin(coded),
        };
        for coding in codings {
            let reader_before = BufReader::new(reader);
            let input = CodedInput::new(reader_before, coding.margin(), state.clone());
            reader = coding.decode(input);
        }
        Self {
            buffer: vec![0; CHUNK_SIZE].into_boxed_slice(),
            max,
            reader,
            state,
        }
    }

    /// The next decoded chunk, of at most 32 KiB; `None` after the last.
    ///
    /// # Errors
    ///
    /// If the reader fails, the data is invalid, or the body is too long. Do not poll again after that.
    ///
    /// ```
    /// use fetch_transport_util::{BodyDecoder, DecodeError};
    /// use futures_lite::future;
    ///
    /// let mut body = BodyDecoder::new(&b"too long"[..], &[], 3);
    /// let chunk = future::block_on(future::poll_fn(|cx| body.poll_next(cx)));
    /// assert!(matches!(chunk, Err(DecodeError::TooLarge(_))));
    /// ```
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, DecodeError>> {
        ready!(lock(&self.state).turn.poll(cx));
        let Poll::Ready(read) = self.reader.as_mut().poll_read(cx, &mut self.buffer) else {
            let mut state = lock(&self.state);
            if let Some(empty) = state.excess.take() {
                let error = TransportError::new(FailureKind::Decode, empty);
                return Poll::Ready(Err(DecodeError::Empty(error)));
            }
            // Either the decoders have stopped at the end of the turn, or there is no input.
            if state.turn.poll(cx).is_ready() {
                state.turn.reset();
            }
            return Poll::Pending;
        };
        Poll::Ready(match read {
            Ok(0) => Ok(None),
            Ok(n) => {
                let mut state = lock(&self.state);
                state.excess = None;
                state.turn.spend(n);
                state.decoded += n as u64;
                if state.decoded > self.max {
                    let text = format!("over {} bytes when decoded", self.max);
                    let error = TransportError::new(FailureKind::BodyTooLarge, text);
                    return Poll::Ready(Err(DecodeError::TooLarge(error)));
                }
                Ok(Some(Bytes::copy_from_slice(&self.buffer[..n])))
            }
            Err(error) => Err(DecodeError::Broken(error)),
        })
    }
}

impl std::fmt::Debug for BodyDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyDecoder")
            .field("decoded", &lock(&self.state).decoded)
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

    fn read(coded: Vec<u8>, codings: &[ContentCoding], max: u64) -> Result<Vec<u8>, DecodeError> {
        let mut body = BodyDecoder::new(futures_lite::io::Cursor::new(coded), codings, max);
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
    fn the_last_coding_is_decoded_first() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&gzip(b"hello")).unwrap();
        let codings = [ContentCoding::Gzip, ContentCoding::Deflate];
        assert_eq!(read(zlib.finish().unwrap(), &codings, 5).unwrap(), b"hello");
    }

    #[test]
    fn raw_deflate_is_decoded() {
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(b"hello").unwrap();
        let coded = raw.finish().unwrap();
        assert_eq!(read(coded, &[ContentCoding::Deflate], 5).unwrap(), b"hello");
    }

    #[test]
    fn all_gzip_members_are_read_and_a_truncated_one_is_an_error() {
        let both = [gzip(b"hel"), gzip(b"lo")].concat();
        assert_eq!(
            read(both.clone(), &[ContentCoding::Gzip], 5).unwrap(),
            b"hello"
        );
        let cut = both[..both.len() - 3].to_vec();
        let error = read(cut, &[ContentCoding::Gzip], 5).unwrap_err();
        assert!(matches!(error, DecodeError::Broken(_)), "{error:?}");
    }

    #[test]
    fn a_compression_bomb_is_stopped_at_the_limit() {
        let bomb = gzip(&vec![0; 10 << 20]);
        let error = read(bomb, &[ContentCoding::Gzip], 1 << 20).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge(_)), "{error:?}");
    }
}
