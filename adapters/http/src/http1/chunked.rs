//! Decoding of the chunked transfer coding (RFC 9112, section 7.1).

use bytes::{Buf, Bytes, BytesMut};

use crate::flood::FramingOverhead;

/// The most bytes of chunk extensions and trailer fields in one response. They are ignored; without
/// a limit, a server could send them forever.
const MAX_IGNORED: usize = 16 * 1024;

/// Chunks shorter than this, in bytes, are joined if they have arrived together. A body of many
/// small chunks would otherwise take a multiple of its length in memory, and time.
const SMALL: usize = 4 * 1024;

/// Separates data from framing.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    /// How many more bytes of extensions and trailer fields are allowed.
    ignored_left: usize,
    overhead: FramingOverhead,
    state: ChunkedState,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ChunkedState {
    /// A chunk's size and extensions, up to the end of the line.
    Size,
    /// A chunk, of which this many bytes are still to come.
    Data(u64),
    /// The end of the line after a chunk.
    DataEnd,
    /// Trailer fields, up to an empty line.
    Trailer,
    End,
}

/// The item at the start of the buffer.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum ChunkedItem {
    Data(Bytes),
    /// The body is complete.
    End,
    NeedMore,
}

/// Why the framing is invalid.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct ChunkedError(pub(super) &'static str);

impl ChunkedError {
    /// There is far more framing than data.
    pub(super) const FLOOD: Self = Self("over 256 KiB of framing");
}

impl ChunkedDecoder {
    pub(super) fn new() -> Self {
        Self {
            ignored_left: MAX_IGNORED,
            overhead: FramingOverhead::default(),
            state: ChunkedState::Size,
        }
    }

    /// Takes the next item out of `buf`. Bytes after the end stay there.
    pub(super) fn next(&mut self, buf: &mut BytesMut) -> Result<ChunkedItem, ChunkedError> {
        loop {
            let state = self.state;
            match state {
                ChunkedState::Data(left) if !buf.is_empty() => {
                    let data = self.take_data(left, buf);
                    return Ok(ChunkedItem::Data(self.join_small(data, buf).freeze()));
                }
                ChunkedState::End => return Ok(ChunkedItem::End),
                _ if !self.skip_framing(buf)? => return Ok(ChunkedItem::NeedMore),
                _ => {}
            }
        }
    }

    /// Takes the data at the start of `buf`, of a chunk of which `left` bytes are still to come.
    fn take_data(&mut self, left: u64, buf: &mut BytesMut) -> BytesMut {
        let here = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        self.state = match left - here as u64 {
            0 => ChunkedState::DataEnd,
            left => ChunkedState::Data(left),
        };
        self.overhead.add_content(here as u64);
        buf.split_to(here)
    }

    /// Adds the small chunks that follow to `first`, if it is small. If the end has arrived, the
    /// decoder is complete afterwards. An error in what follows is reported by the next call.
    fn join_small(&mut self, first: BytesMut, buf: &mut BytesMut) -> BytesMut {
        let mut data = first;
        let mut is_joined = false;
        loop {
            while self.skip_framing(buf).unwrap_or(false) {}
            let ChunkedState::Data(left) = self.state else {
                return data;
            };
            let here = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
            if here == 0 || here >= SMALL || data.len() >= SMALL {
                return data;
            }
            if !is_joined {
                let mut joined = BytesMut::with_capacity((data.len() + buf.len()).min(2 * SMALL));
                joined.extend_from_slice(&data);
                (data, is_joined) = (joined, true);
            }
            data.extend_from_slice(&self.take_data(left, buf));
            let taken = self.copy_tiny(buf, &mut data);
            buf.advance(taken);
        }
    }

    /// Copies the chunks at the start of `bytes`, behind the end of the last one's data, as long as they are
    /// complete, of at most 15 bytes and without extensions. Returns how many bytes they take. What
    /// follows is for [`ChunkedDecoder::next`]. A server that sends nothing else costs little time so.
    fn copy_tiny(&mut self, bytes: &[u8], data: &mut BytesMut) -> usize {
        let mut taken = 0;
        while self.state == ChunkedState::DataEnd && data.len() < SMALL {
            let [b'\r', b'\n', digit, b'\r', b'\n', rest @ ..] = &bytes[taken..] else {
                break;
            };
            let size = char::from(*digit).to_digit(16).unwrap_or(0) as usize;
            if size == 0 || size > rest.len() || self.overhead.is_flood() {
                break;
            }
            data.extend_from_slice(&rest[..size]);
            self.overhead.add_framing(5);
            self.overhead.add_content(size as u64);
            taken += 5 + size;
        }
        taken
    }

    /// Skips one piece of framing at the start of `buf`. False if there is none, or it is
    /// incomplete.
    fn skip_framing(&mut self, buf: &mut BytesMut) -> Result<bool, ChunkedError> {
        match self.state {
            ChunkedState::Size => {
                // A size has at most 16 digits; the rest of a longer line is extensions.
                let Some(line) = self.find_line(buf, 18)? else {
                    return Ok(false);
                };
                self.overhead.add_framing(line as u64 + 4);
                if self.overhead.is_flood() {
                    return Err(ChunkedError::FLOOD);
                }
                self.state = match parse_size(&buf[..line])? {
                    0 => ChunkedState::Trailer,
                    size => ChunkedState::Data(size),
                };
                buf.advance(line + 2);
            }
            ChunkedState::DataEnd => match **buf {
                [b'\r', b'\n', ..] => {
                    buf.advance(2);
                    self.state = ChunkedState::Size;
                }
                [] | [b'\r'] => return Ok(false),
                _ => return Err(ChunkedError("a chunk is longer than its size says")),
            },
            ChunkedState::Trailer => {
                let Some(line) = self.find_line(buf, 2)? else {
                    return Ok(false);
                };
                if buf[..line].contains(&b'\r') {
                    return Err(ChunkedError("a trailer field contains a CR"));
                }
                buf.advance(line + 2);
                if line == 0 {
                    self.state = ChunkedState::End;
                }
            }
            ChunkedState::Data(_) | ChunkedState::End => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the end of the body was reached.
    pub(super) fn is_complete(&self) -> bool {
        self.state == ChunkedState::End
    }

    /// The length of the line at the start of `buf`, if it is complete. Bytes beyond `needed`
    /// count as ignored.
    fn find_line(&mut self, buf: &[u8], needed: usize) -> Result<Option<usize>, ChunkedError> {
        let end = memchr::memchr(b'\n', buf);
        let ignored = end.map_or(buf.len(), |end| end + 1).saturating_sub(needed);
        if ignored > self.ignored_left {
            return Err(ChunkedError(
                "chunk extensions and trailer fields are over 16 KiB",
            ));
        }
        let Some(end) = end else { return Ok(None) };
        self.ignored_left -= ignored;
        match end.checked_sub(1) {
            Some(line) if buf[line] == b'\r' => Ok(Some(line)),
            _ => Err(ChunkedError("a line of the chunked coding ends without CR")),
        }
    }
}

/// A chunk's size: hexadecimal digits, optionally followed by extensions.
fn parse_size(line: &[u8]) -> Result<u64, ChunkedError> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let digits = digits.count();
    let (digits, behind) = line.split_at(digits);
    let extends = matches!(behind.trim_ascii_start(), [] | [b';', ..]);
    if !extends || behind.contains(&b'\r') {
        return Err(ChunkedError("a chunk's size is not a number"));
    }
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    if digits.is_empty() {
        return Err(ChunkedError("a chunk's size is not a number"));
    }
    // As in other clients, sizes are limited to 63 bits.
    let size = u64::from_str_radix(digits, 16).ok();
    size.filter(|size| i64::try_from(*size).is_ok())
        .ok_or(ChunkedError("a chunk's size is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes input that arrives in pieces of `step` bytes. Returns the data, and the number of bytes
    /// after the end.
    fn decode(coded: &[u8], step: usize) -> Result<(Vec<u8>, Option<usize>), ChunkedError> {
        let (mut decoder, mut buf, mut data) = (ChunkedDecoder::new(), BytesMut::new(), Vec::new());
        let mut coming = coded.chunks(step);
        loop {
            match decoder.next(&mut buf)? {
                ChunkedItem::Data(bytes) => data.extend_from_slice(&bytes),
                ChunkedItem::End => {
                    let behind = buf.len() + coming.map(<[u8]>::len).sum::<usize>();
                    return Ok((data, Some(behind)));
                }
                ChunkedItem::NeedMore => match coming.next() {
                    Some(bytes) => buf.extend_from_slice(bytes),
                    None => return Ok((data, None)),
                },
            }
        }
    }

    #[test]
    fn data_is_decoded_for_every_split_of_the_input() {
        let coded = b"3\r\nabc\r\n0A ; name=value\r\n0123456789\r\n0\r\nX: y\r\n\r\nHTTP";
        for step in 1..=coded.len() {
            let (data, behind) = decode(coded, step).unwrap();
            assert_eq!((&*data, behind), (&b"abc0123456789"[..], Some(4)), "{step}");
        }
    }

    #[test]
    fn a_truncated_body_has_no_end() {
        for coded in [
            "",
            "3",
            "3\r\nab",
            "3\r\nabc",
            "3\r\nabc\r\n0\r\n",
            "0\r\nX: y\r\n",
        ] {
            assert_eq!(decode(coded.as_bytes(), 7).unwrap().1, None, "{coded:?}");
        }
    }

    #[test]
    fn invalid_framing_is_an_error() {
        for coded in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1 1\r\na\r\n",
            "1\na\r\n",
            "1\r\nab\r\n",
            "1\r\na\rx",
            "1\r;x\r\n",
            "10000000000000000\r\n",
            "0\r\nX: y\n\n",
            "0\r\nX: y\n\r\n",
            "0\r\nX: y\r\n\n",
            "0\n\r\n",
            "1;x\na\r\n0\r\n\r\n",
            "1\r\na\r\n1 ;x=y\na\r\n0\r\n\r\n",
            "1\r\na\n0\r\n\r\n",
            "0\r\nX: a\rb\r\n\r\n",
        ] {
            assert!(decode(coded.as_bytes(), 100).is_err(), "{coded:?}");
        }
    }

    #[test]
    fn small_chunks_that_arrived_together_are_joined() {
        let coded = "1\r\na\r\n".repeat(5_000) + "0\r\n\r\n";
        let (mut decoder, mut buf) = (ChunkedDecoder::new(), BytesMut::from(coded.as_bytes()));
        let mut lengths = Vec::new();
        while let ChunkedItem::Data(data) = decoder.next(&mut buf).unwrap() {
            assert!(data.iter().all(|byte| *byte == b'a'));
            lengths.push(data.len());
        }
        assert_eq!(lengths, [SMALL, 5_000 - SMALL]);
        assert!(decoder.is_complete());
        // Large ones are not copied.
        let large = "x".repeat(SMALL);
        let coded = format!("1\r\na\r\n{SMALL:x}\r\n{large}\r\n1\r\na\r\n");
        let (mut decoder, mut buf) = (ChunkedDecoder::new(), BytesMut::from(coded.as_bytes()));
        let mut lengths = Vec::new();
        while let ChunkedItem::Data(data) = decoder.next(&mut buf).unwrap() {
            lengths.push(data.len());
        }
        assert_eq!(lengths, [1, SMALL, 1]);
    }

    #[test]
    fn small_chunks_of_all_sizes_are_decoded_for_every_split_of_the_input() {
        let (mut coded, mut expected) = (String::new(), String::new());
        for size in (1..40).chain([1, 1, 1, 15, 16, 1, 300]) {
            let data = "0123456789".repeat(size)[..size].to_owned();
            let extension = if size % 7 == 0 { ";x" } else { "" };
            coded += &format!("{size:x}{extension}\r\n{data}\r\n");
            expected += &data;
        }
        coded += "0\r\n\r\n";
        for step in 1..=coded.len() {
            let (data, behind) = decode(coded.as_bytes(), step).unwrap();
            assert_eq!((data, behind), (expected.clone().into(), Some(0)), "{step}");
        }
    }

    #[test]
    fn an_error_behind_small_chunks_follows_their_data() {
        let coded = b"1\r\na\r\n1\r\nb\r\nx\r\n";
        let (mut decoder, mut buf) = (ChunkedDecoder::new(), BytesMut::from(&coded[..]));
        let data = decoder.next(&mut buf).unwrap();
        assert_eq!(data, ChunkedItem::Data(Bytes::from_static(b"ab")));
        assert!(decoder.next(&mut buf).is_err() && decoder.next(&mut buf).is_err());
    }

    #[test]
    fn endless_chunks_of_one_byte_are_a_flood_and_those_of_three_are_not() {
        for (chunk, is_flood) in [("1\r\na\r\n", true), ("3\r\nabc\r\n", false)] {
            let coded = chunk.repeat(300_000);
            let decoded = decode(coded.as_bytes(), 4_096);
            assert_eq!(decoded == Err(ChunkedError::FLOOD), is_flood, "{chunk}");
        }
        // A body of 80,000 such chunks is still read.
        let coded = "1\r\na\r\n".repeat(80_000) + "0\r\n\r\n";
        assert_eq!(decode(coded.as_bytes(), 4_096).unwrap().0.len(), 80_000);
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let extensions = format!("1;{}\r\na\r\n", "x".repeat(1_000)).repeat(20);
        let trailer = format!("0\r\n{}", "X: 0123456789abcdef\r\n".repeat(20_000));
        let endless = format!("1;{}", "x".repeat(20_000));
        for coded in [extensions, trailer, endless] {
            assert!(decode(coded.as_bytes(), 100).is_err());
        }
    }
}
