//! Lines from bytes, as they come, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

/// The longest line, in bytes, that can be a URL.
pub(crate) const MAX_LINE: usize = 64 << 10;

/// What is read at once: a batch of lines.
const BUFFER: usize = 16 << 10;

/// A reader of lines that hands over what is there without waiting for more.
pub(crate) struct LineReader<R> {
    /// In bytes.
    longest: usize,
    reader: BufReader<R>,
    /// The beginning of a line whose end has not come; at most one byte more than a line may have.
    carry: Vec<u8>,
    number: u64,
}

impl<R: Read> LineReader<R> {
    pub(crate) fn new(reader: R, longest: usize) -> Self {
        Self {
            longest,
            reader: BufReader::with_capacity(BUFFER, reader),
            carry: Vec::new(),
            number: 0,
        }
    }

    /// Waits for bytes and gives `each` the lines they complete, with their numbers from 1. A line
    /// over the longest is given cut short, but over that still. `false` is the end.
    pub(crate) fn read(&mut self, mut each: impl FnMut(u64, &[u8])) -> io::Result<bool> {
        let buffer = loop {
            match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if buffer.is_empty() {
            if !self.carry.is_empty() {
                self.number += 1;
                each(self.number, &self.carry);
                self.carry.clear();
            }
            return Ok(false);
        }
        let length = buffer.len();
        let mut rest = buffer;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            self.number += 1;
            if self.carry.is_empty() {
                each(self.number, line);
            } else {
                carry(&mut self.carry, line, self.longest);
                each(self.number, &self.carry);
                self.carry.clear();
            }
        }
        carry(&mut self.carry, rest, self.longest);
        self.reader.consume(length);
        Ok(true)
    }
}

fn carry(carry: &mut Vec<u8>, more: &[u8], longest: usize) {
    let room = longest + 1 - carry.len();
    carry.extend_from_slice(&more[..more.len().min(room)]);
}

/// A line as it is meant: without the byte-order mark, and blanks around it.
pub(crate) fn trim(number: u64, line: &[u8]) -> &[u8] {
    let line = match number {
        1 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
        _ => line,
    };
    line.trim_ascii()
}

/// Why a line cannot be a URL, before it is even read as one.
pub(crate) fn check(line: &[u8]) -> Result<&str, &'static str> {
    if line.len() > MAX_LINE {
        return Err("longer than 64 KiB");
    }
    let text = std::str::from_utf8(line)
        .map_err(|_| "not valid UTF-8: save the list as UTF-8, or percent-encode the URL")?;
    // As nearly all are: looked at once, and not by character.
    let is_plain = |byte: &u8| byte.is_ascii_graphic();
    if !line.iter().fold(true, |plain, byte| plain & is_plain(byte)) {
        check_unusual(text)?;
    }
    if !text.contains("://") {
        return Err("no scheme: write http:// or https:// before it");
    }
    Ok(text)
}

fn check_unusual(text: &str) -> Result<(), &'static str> {
    if text.contains('\0') {
        return Err("a NUL byte inside: is this a text file, in UTF-8?");
    }
    if text.contains(char::is_control) {
        return Err("a control character inside: write one URL on each line");
    }
    if text.contains(char::is_whitespace) {
        return Err("a blank inside: write one URL on each line, and %20 for a blank");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one piece at a time.
    struct Pieces(Vec<&'static [u8]>);

    impl Read for Pieces {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            out[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn all(reader: impl Read) -> Vec<(u64, Vec<u8>)> {
        let (mut lines, mut seen) = (LineReader::new(reader, MAX_LINE), Vec::new());
        while lines
            .read(|number, line| seen.push((number, line.to_vec())))
            .unwrap()
        {}
        seen
    }

    #[test]
    fn lines_over_several_pieces_are_put_together() {
        let pieces = Pieces(vec![b"a\nb", b"c", b"\n", b"\nd"]);
        let expected = [(1, &b"a"[..]), (2, b"bc"), (3, b""), (4, b"d")];
        assert_eq!(all(pieces), expected.map(|(n, line)| (n, line.to_vec())));
    }

    #[test]
    fn what_is_there_is_handed_over_without_waiting_for_the_rest() {
        let mut lines = LineReader::new(Pieces(vec![b"a\nb", b"\n"]), MAX_LINE);
        let mut seen = Vec::new();
        assert!(lines.read(|_, line| seen.push(line.to_vec())).unwrap());
        assert_eq!(seen, [b"a"]);
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_the_longest() {
        let long = all(io::repeat(b'x').take(10 << 20).chain(&b"\nhttp://a/"[..]));
        assert_eq!(long[0].1.len(), MAX_LINE + 1);
        assert_eq!(long[1], (2, b"http://a/".to_vec()));
    }

    #[test]
    fn what_cannot_be_a_url_is_told_why() {
        for (line, why) in [
            (&b"http://a/\0"[..], "NUL"),
            (b"http://a/\xff", "UTF-8"),
            (b"http://a/ b", "%20"),
            (b"http://a/\tb", "control"),
            (b"example.com", "http://"),
            (&[b'x'; MAX_LINE + 1], "64 KiB"),
        ] {
            assert!(check(line).unwrap_err().contains(why), "{why}");
        }
        assert_eq!(check(trim(1, b"\xef\xbb\xbf http://a/\r")), Ok("http://a/"));
    }
}
