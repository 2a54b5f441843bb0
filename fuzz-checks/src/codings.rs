//! Content codings: gzip, deflate, brotli, zstd.

use std::io::{Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use fetch_transport_util::{BodyDecoder, ContentCoding, DecodeError};
use flate2::Compression;
use futures_io::{AsyncBufRead, AsyncRead};
use futures_lite::future::{block_on, poll_fn};

/// The largest decoded body of a check.
const MAX_BODY: u64 = 1 << 20;

/// The most bytes of a chunk of a decoder.
const MAX_CHUNK: usize = 32 << 10;

/// The first byte chooses one or two codings, the second how the bytes arrive.
///
/// - A body that was coded is decoded to itself.
/// - Bytes that need not be coded are decoded to the same bytes however they arrive, and to no more than the
///   limit and a chunk.
/// - What flate2 reads as gzip, this reads as the same.
pub fn check_content_coding(input: &[u8]) {
    let [first, second, bytes @ ..] = input else {
        return;
    };
    let codings = codings(*first);
    let coded = codings
        .iter()
        .fold(bytes.to_vec(), |body, coding| encode(*coding, &body));
    let decoded = decode(&coded, &codings, *second);
    assert_eq!(decoded, (bytes.to_vec(), true), "{codings:?}");

    let whole = decode(bytes, &codings, u8::MAX);
    assert!(whole.0.len() as u64 <= MAX_BODY + MAX_CHUNK as u64);
    let pieces = decode(bytes, &codings, *second);
    assert_eq!(whole, pieces, "the body depends on how it arrives");
    if codings == [ContentCoding::Gzip] {
        let mut expected = Vec::new();
        let reader = flate2::bufread::MultiGzDecoder::new(bytes);
        let read = reader.take(MAX_BODY + 1).read_to_end(&mut expected);
        if read.is_ok() && expected.len() as u64 <= MAX_BODY && !bytes.is_empty() {
            assert_eq!(whole, (expected, true));
        }
    }
}

fn codings(choice: u8) -> Vec<ContentCoding> {
    let all = [
        ContentCoding::Gzip,
        ContentCoding::Deflate,
        ContentCoding::Brotli,
        ContentCoding::Zstd,
    ];
    let second = choice / 4 % 8;
    let second = all.get(usize::from(second));
    [all[usize::from(choice % 4)]]
        .into_iter()
        .chain(second.copied())
        .collect()
}

fn encode(coding: ContentCoding, body: &[u8]) -> Vec<u8> {
    // Writing to memory does not fail.
    const MEMORY: &str = "memory";
    match coding {
        ContentCoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).expect(MEMORY);
            encoder.finish().expect(MEMORY)
        }
        ContentCoding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).expect(MEMORY);
            encoder.finish().expect(MEMORY)
        }
        ContentCoding::Brotli => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 18);
            encoder.write_all(body).expect(MEMORY);
            encoder.into_inner()
        }
        _ => zstd::encode_all(body, 1).expect(MEMORY),
    }
}

/// The decoded bytes, and whether the body was complete.
fn decode(coded: &[u8], codings: &[ContentCoding], choice: u8) -> (Vec<u8>, bool) {
    let input = Pieces {
        bytes: coded.to_vec(),
        piece: [1, 2, 5, 17, 100, 1000, 8192, usize::MAX][usize::from(choice & 7)],
        is_due: true,
        is_slow: choice != u8::MAX && choice & 8 != 0,
        read: 0,
    };
    let mut decoder = BodyDecoder::new(input, codings, MAX_BODY);
    let mut body = Vec::new();
    loop {
        match block_on(poll_fn(|cx| decoder.poll_next(cx))) {
            Ok(Some(chunk)) => {
                assert!((1..=MAX_CHUNK).contains(&chunk.len()));
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return (body, true),
            Err(DecodeError::TooLarge(_)) => {
                // The chunk over the limit is not passed on, and where chunks end is free.
                body.clear();
                return (body, false);
            }
            Err(_) => return (Vec::new(), false),
        }
    }
}

/// Bytes that arrive in pieces.
struct Pieces {
    bytes: Vec<u8>,
    piece: usize,
    is_due: bool,
    is_slow: bool,
    read: usize,
}

impl AsyncBufRead for Pieces {
    fn poll_fill_buf(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<&[u8]>> {
        if !std::mem::replace(&mut self.is_due, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let rest = self.get_mut();
        let end = rest.read.saturating_add(rest.piece).min(rest.bytes.len());
        Poll::Ready(Ok(&rest.bytes[rest.read..end]))
    }

    fn consume(mut self: Pin<&mut Self>, length: usize) {
        self.read += length;
        self.is_due = !self.is_slow;
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let available = std::task::ready!(self.as_mut().poll_fill_buf(cx))?;
        let length = available.len().min(buf.len());
        buf[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Poll::Ready(Ok(length))
    }
}
