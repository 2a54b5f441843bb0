//! Decoding of hostile data.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use bytes::Bytes;

use super::*;
use crate::coding::ContentCoding;
use crate::decoder::{BodyDecoder, DecodeError};

/// A gzip member without an end: empty blocks of ten bits.
const GZIP_START: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const GZIP_BLOCKS: &[u8] = &[0x02, 0x08, 0x20, 0x80, 0x00];
/// A gzip member that is complete, of no bytes.
const GZIP_EMPTY: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];
/// A frame of zstd that decoders skip.
const ZSTD_SKIPPABLE: &[u8] = &[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2];
/// A frame of zstd of no bytes.
const ZSTD_EMPTY: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0];

/// Always has more to read: `start`, then `repeated` without an end.
struct Endless {
    at: usize,
    block: Vec<u8>,
    consumed: Arc<AtomicUsize>,
    start: Vec<u8>,
}

impl Endless {
    fn new(start: &[u8], repeated: &[u8]) -> (Self, Arc<AtomicUsize>) {
        let consumed = Arc::<AtomicUsize>::default();
        let this = Self {
            at: 0,
            block: repeated.repeat(4_000),
            consumed: consumed.clone(),
            start: start.to_vec(),
        };
        (this, consumed)
    }
}

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        unreachable!("decoders take the buffer")
    }
}

impl AsyncBufRead for Endless {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let in_block = this.at.checked_sub(this.start.len());
        Poll::Ready(Ok(match in_block {
            None => &this.start[this.at..],
            Some(at) => &this.block[at % this.block.len()..],
        }))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        self.at += n;
        self.consumed.fetch_add(n, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct WakeCount(AtomicUsize);

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn next(body: &mut BodyDecoder) -> Result<Option<Bytes>, DecodeError> {
    futures_lite::future::block_on(std::future::poll_fn(|cx| body.poll_next(cx)))
}

#[test]
fn coded_data_without_content_ends_the_body_soon() {
    let brotli = (&[0x0c][..], &[0x06][..]);
    for (coding, (start, repeated)) in [
        (ContentCoding::Gzip, (GZIP_START, GZIP_BLOCKS)),
        (ContentCoding::Gzip, (&[][..], GZIP_EMPTY)),
        (ContentCoding::Deflate, (&[][..], GZIP_BLOCKS)),
        (ContentCoding::Zstd, (&[], ZSTD_SKIPPABLE)),
        (ContentCoding::Zstd, (&[], ZSTD_EMPTY)),
        (ContentCoding::Brotli, brotli),
    ] {
        let (coded, consumed) = Endless::new(start, repeated);
        let mut body = BodyDecoder::new(coded, &[coding], u64::MAX);
        let error = next(&mut body).unwrap_err();
        assert!(matches!(error, DecodeError::Empty(_)), "{error:?}");
        let consumed = consumed.load(Ordering::Relaxed) as u64;
        assert!(consumed <= coding.margin() + 4 * 1024, "{consumed}");
    }
}

#[test]
fn each_of_several_codings_is_bounded() {
    use std::io::Write;
    // 8 MiB of empty blocks compress to a few KiB.
    let inner = [GZIP_START, &GZIP_BLOCKS.repeat(1 << 20)].concat();
    let mut outer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    outer.write_all(&inner).unwrap();
    let outer = outer.finish().unwrap();
    assert!(outer.len() < 16 * 1024);
    let codings = [ContentCoding::Gzip, ContentCoding::Gzip];
    let mut body = BodyDecoder::new(futures_lite::io::Cursor::new(outer), &codings, u64::MAX);
    let error = next(&mut body).unwrap_err();
    assert!(matches!(error, DecodeError::Empty(_)), "{error:?}");
}

#[test]
fn decoding_yields_to_other_tasks_within_its_budget() {
    let wakes = Arc::<WakeCount>::default();
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    // Stored blocks of zeros, which are valid without an end.
    let block = [&[0, 0xff, 0xff, 0, 0][..], &[0; 0xffff]].concat();
    let (coded, consumed) = Endless::new(GZIP_START, &block);
    let mut body = BodyDecoder::new(coded, &[ContentCoding::Gzip], u64::MAX);
    for yields in 1..=5 {
        let before = consumed.load(Ordering::Relaxed);
        while body.poll_next(&mut cx).is_ready() {}
        let turn = consumed.load(Ordering::Relaxed) - before;
        assert!(turn <= 256 * 1024 + 4 * 1024, "{turn}");
        assert_eq!(wakes.0.load(Ordering::Relaxed), yields);
    }
}

#[test]
fn a_server_that_flushes_after_every_byte_is_read_to_the_end() {
    use std::io::Write;
    let text: Vec<u8> = (0..4_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for byte in &text {
        encoder.write_all(&[*byte]).unwrap();
        encoder.flush().unwrap();
    }
    let coded = encoder.finish().unwrap();
    assert!(coded.len() > 6 * text.len());
    let coded = futures_lite::io::Cursor::new(coded);
    let mut body = BodyDecoder::new(coded, &[ContentCoding::Gzip], u64::MAX);
    let mut decoded = Vec::new();
    while let Some(chunk) = next(&mut body).unwrap() {
        decoded.extend_from_slice(&chunk);
    }
    assert_eq!(decoded, text);
}
