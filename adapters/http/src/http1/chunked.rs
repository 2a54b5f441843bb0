//! The chunked transfer coding, taken off (RFC 9112, section 7.1).

use bytes::{Buf, Bytes, BytesMut};

/// So many bytes of chunk extensions, and of trailer fields, are passed over in one response.
/// Nobody needs either; without a limit a server could send them for ever.
const MAX_ASIDES: usize = 16 * 1024;

/// Finds the data between the framing.
#[derive(Debug)]
pub(super) struct Chunked {
    /// What may still come of extensions and trailer fields.
    asides_left: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// A chunk's size and extensions, up to the end of the line.
    Size,
    /// So much of a chunk is still to come.
    Data(u64),
    /// The end of the line behind a chunk.
    DataEnd,
    /// Trailer fields, up to an empty line.
    Trailer,
    End,
}

/// What stands at the beginning of the buffer.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Piece {
    Data(Bytes),
    /// The body is over.
    End,
    /// More must come first.
    More,
}

/// What is wrong with the framing.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Broken(pub(super) &'static str);

impl Chunked {
    pub(super) fn new() -> Self {
        Self {
            asides_left: MAX_ASIDES,
            state: State::Size,
        }
    }

    /// Takes the next piece out of `buf`. What stands behind the end stays there.
    pub(super) fn next(&mut self, buf: &mut BytesMut) -> Result<Piece, Broken> {
        loop {
            let state = self.state;
            match state {
                State::Data(left) if !buf.is_empty() => {
                    let here = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
                    self.state = match left - here as u64 {
                        0 => State::DataEnd,
                        left => State::Data(left),
                    };
                    return Ok(Piece::Data(buf.split_to(here).freeze()));
                }
                State::End => return Ok(Piece::End),
                _ if !self.pass(buf)? => return Ok(Piece::More),
                _ => {}
            }
        }
    }

    /// Passes over framing at the beginning of `buf`; tells whether it may be asked again.
    pub(super) fn pass(&mut self, buf: &mut BytesMut) -> Result<bool, Broken> {
        match self.state {
            State::Size => {
                // A size needs 16 digits at most; what is longer has extensions.
                let Some(line) = self.line(buf, 18)? else {
                    return Ok(false);
                };
                self.state = match size(&buf[..line])? {
                    0 => State::Trailer,
                    size => State::Data(size),
                };
                buf.advance(line + 2);
            }
            State::DataEnd => match **buf {
                [b'\r', b'\n', ..] => {
                    buf.advance(2);
                    self.state = State::Size;
                }
                [] | [b'\r'] => return Ok(false),
                _ => return Err(Broken("a chunk is longer than its size says")),
            },
            State::Trailer => {
                let Some(line) = self.line(buf, 2)? else {
                    return Ok(false);
                };
                buf.advance(line + 2);
                if line == 0 {
                    self.state = State::End;
                }
            }
            State::Data(_) | State::End => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the body is over.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// The length of the line that `buf` begins with, if its end has come. What it is longer than
    /// `needed` is an aside.
    fn line(&mut self, buf: &[u8], needed: usize) -> Result<Option<usize>, Broken> {
        let end = memchr::memchr(b'\n', buf);
        let aside = end.map_or(buf.len(), |end| end + 1).saturating_sub(needed);
        if aside > self.asides_left {
            return Err(Broken("chunk extensions or trailer fields go on and on"));
        }
        let Some(end) = end else { return Ok(None) };
        self.asides_left -= aside;
        match end.checked_sub(1) {
            Some(line) if buf[line] == b'\r' => Ok(Some(line)),
            _ => Err(Broken("a line of the chunked coding ends without CR")),
        }
    }
}

/// A chunk's size: hexadecimal digits, and perhaps extensions behind them.
fn size(line: &[u8]) -> Result<u64, Broken> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let digits = digits.count();
    let (digits, behind) = line.split_at(digits);
    let extends = matches!(behind.trim_ascii_start(), [] | [b';', ..]);
    if !extends || behind.contains(&b'\r') {
        return Err(Broken("a chunk's size is not a number"));
    }
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    u64::from_str_radix(digits, 16).map_err(|_| Broken("a chunk's size is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes what comes in pieces of `step` bytes: the data, and what is left behind the end.
    fn decode(coded: &[u8], step: usize) -> Result<(Vec<u8>, Option<usize>), Broken> {
        let (mut chunked, mut buf, mut data) = (Chunked::new(), BytesMut::new(), Vec::new());
        let mut coming = coded.chunks(step);
        loop {
            match chunked.next(&mut buf)? {
                Piece::Data(bytes) => data.extend_from_slice(&bytes),
                Piece::End => {
                    let behind = buf.len() + coming.map(<[u8]>::len).sum::<usize>();
                    return Ok((data, Some(behind)));
                }
                Piece::More => match coming.next() {
                    Some(bytes) => buf.extend_from_slice(bytes),
                    None => return Ok((data, None)),
                },
            }
        }
    }

    #[test]
    fn data_is_found_however_it_arrives() {
        let coded = b"3\r\nabc\r\n0A ; name=value\r\n0123456789\r\n0\r\nX: y\r\n\r\nHTTP";
        for step in 1..=coded.len() {
            let (data, behind) = decode(coded, step).unwrap();
            assert_eq!((&*data, behind), (&b"abc0123456789"[..], Some(4)), "{step}");
        }
    }

    #[test]
    fn a_body_that_breaks_off_has_no_end() {
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
    fn broken_framing_is_refused() {
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
        ] {
            assert!(decode(coded.as_bytes(), 100).is_err(), "{coded:?}");
        }
    }

    #[test]
    fn asides_end() {
        let extensions = format!("1;{}\r\na\r\n", "x".repeat(1_000)).repeat(20);
        let trailer = format!("0\r\n{}", "X: 0123456789abcdef\r\n".repeat(20_000));
        let endless = format!("1;{}", "x".repeat(20_000));
        for coded in [extensions, trailer, endless] {
            assert!(decode(coded.as_bytes(), 100).is_err());
        }
    }
}
