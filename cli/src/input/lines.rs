//! Splits bytes into lines as they arrive, in bounded memory.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use crate::args::values::{has_form_of_url, is_file_name};

/// The longest line that can be a URL, in bytes.
pub(crate) const MAX_LINE: usize = 64 << 10;

/// Schemes without `//` that pages have in their links.
const OPAQUE_SCHEMES: [&str; 10] = [
    "about",
    "blob",
    "cid",
    "data",
    "javascript",
    "magnet",
    "mailto",
    "sms",
    "tel",
    "urn",
];

/// The bytes read at once.
const BUFFER: usize = 16 << 10;

/// Passes on complete lines without waiting for more input.
pub(crate) struct LineReader<R> {
    /// The longest line that is not truncated, in bytes.
    max_length: usize,
    reader: BufReader<R>,
    /// The beginning of an incomplete line; at most one byte longer than `max_length`.
    carry: Vec<u8>,
    number: u64,
}

impl<R: Read> LineReader<R> {
    pub(crate) fn new(reader: R, max_length: usize) -> Self {
        Self {
            max_length,
            reader: BufReader::with_capacity(BUFFER, reader),
            carry: Vec::new(),
            number: 0,
        }
    }

    /// Waits for bytes and passes the lines that they complete to `each`, with line numbers that
    /// start at 1. A line that is too long is truncated to one byte more than `max_length`. `false`
    /// at the end.
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
                carry(&mut self.carry, line, self.max_length);
                each(self.number, &self.carry);
                self.carry.clear();
            }
        }
        carry(&mut self.carry, rest, self.max_length);
        self.reader.consume(length);
        Ok(true)
    }
}

fn carry(carry: &mut Vec<u8>, more: &[u8], max_length: usize) {
    let room = max_length + 1 - carry.len();
    carry.extend_from_slice(&more[..more.len().min(room)]);
}

/// The line without byte-order mark and surrounding whitespace.
pub(crate) fn trim(number: u64, line: &[u8]) -> &[u8] {
    let line = match number {
        1 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
        _ => line,
    };
    line.trim_ascii()
}

/// Checks a line before it is parsed as a URL.
///
/// # Errors
///
/// Why it cannot be a URL.
pub(crate) fn check(line: &[u8]) -> Result<&str, &'static str> {
    if line.len() > MAX_LINE {
        return Err("longer than 64 KiB");
    }
    let text = std::str::from_utf8(line)
        .map_err(|_| "not valid UTF-8: save the list as UTF-8, or percent-encode the URL")?;
    // A fast path: nearly all lines pass this test of bytes, and need no test of characters.
    let is_plain = |byte: &u8| byte.is_ascii_graphic();
    if !line.iter().fold(true, |plain, byte| plain & is_plain(byte)) {
        check_characters(text)?;
    }
    if !text.contains("://") {
        return Err(match has_opaque_scheme(line) {
            true => "not a URL of a web server: only http and https can be fetched",
            false => "no scheme: write http:// or https:// before it",
        });
    }
    Ok(text)
}

/// A URL of a list, with `scheme`, such as `http://`, if it has no scheme but the form of a host, as on
/// the command line. Other lines are unchanged, and [`check`] refuses them.
pub(crate) fn complete<'a>(line: &'a [u8], scheme: &str) -> Cow<'a, [u8]> {
    // A fast path: nearly all lines have a scheme.
    if line.starts_with(b"http://") || line.starts_with(b"https://") {
        return line.into();
    }
    let text = std::str::from_utf8(line).unwrap_or_default();
    let is_word = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let rest = text.strip_prefix("//").unwrap_or(text);
    // Not http//a.test, which is a typing error.
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match is_word && has_form_of_url(host) && !is_file_name(text) {
        true => with_scheme(line, scheme),
        false => line.into(),
    }
}

/// A URL of the command line, with `default`, such as `http://`, if it has no scheme, as in curl.
pub(crate) fn with_scheme<'a>(line: &'a [u8], default: &str) -> Cow<'a, [u8]> {
    let scheme = line.iter().position(|byte| *byte == b':').filter(|end| {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        line[..*end].iter().all(is_part) && line[*end..].starts_with(b":/")
    });
    let Some(end) = scheme.filter(|end| *end > 0) else {
        return match line {
            // A path, which has no host.
            [b'/', second, ..] if *second != b'/' => line.into(),
            [b'/'] => line.into(),
            _ if has_opaque_scheme(line) => line.into(),
            _ => [default.as_bytes(), line.strip_prefix(b"//").unwrap_or(line)]
                .concat()
                .into(),
        };
    };
    let (scheme, rest) = line.split_at(end);
    let slashes = rest[1..].iter().take_while(|byte| **byte == b'/').count();
    let is_http = [&b"http"[..], b"https"]
        .iter()
        .any(|own| scheme.eq_ignore_ascii_case(own));
    match slashes {
        1 | 3 if is_http => [scheme, b"://", &rest[1 + slashes..]].concat().into(),
        _ => line.into(),
    }
}

/// Whether it is a URI that names no server, such as `mailto:me@a.test`, and not a host with a port.
fn has_opaque_scheme(line: &[u8]) -> bool {
    let Some(end) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let (scheme, rest) = (&line[..end], &line[end + 1..]);
    let is_port = rest.first().is_none_or(u8::is_ascii_digit);
    let is_opaque = |name: &&str| scheme.eq_ignore_ascii_case(name.as_bytes());
    !is_port && OPAQUE_SCHEMES.iter().any(is_opaque)
}

fn check_characters(text: &str) -> Result<(), &'static str> {
    if text.contains('\0') {
        return Err("contains a NUL byte: is this a text file in UTF-8?");
    }
    if text.contains(char::is_control) {
        return Err("contains a control character: write one URL per line");
    }
    if text.contains(char::is_whitespace) {
        return Err("contains a space: write one URL per line, and %20 for a space");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that returns one chunk at a time.
    struct Chunks(Vec<&'static [u8]>);

    impl Read for Chunks {
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
    fn lines_are_joined_across_reads() {
        let pieces = Chunks(vec![b"a\nb", b"c", b"\n", b"\nd"]);
        let expected = [(1, &b"a"[..]), (2, b"bc"), (3, b""), (4, b"d")];
        assert_eq!(all(pieces), expected.map(|(n, line)| (n, line.to_vec())));
    }

    #[test]
    fn complete_lines_are_passed_on_at_once() {
        let mut lines = LineReader::new(Chunks(vec![b"a\nb", b"\n"]), MAX_LINE);
        let mut seen = Vec::new();
        assert!(lines.read(|_, line| seen.push(line.to_vec())).unwrap());
        assert_eq!(seen, [b"a"]);
    }

    #[test]
    fn a_long_line_is_truncated() {
        let long = all(io::repeat(b'x').take(10 << 20).chain(&b"\nhttp://a/"[..]));
        assert_eq!(long[0].1.len(), MAX_LINE + 1);
        assert_eq!(long[1], (2, b"http://a/".to_vec()));
    }

    #[test]
    fn a_missing_scheme_is_http() {
        for (line, expected) in [
            ("a.test", "http://a.test"),
            ("a.test:8080/x", "http://a.test:8080/x"),
            ("localhost:1", "http://localhost:1"),
            ("[::1]:80/", "http://[::1]:80/"),
            ("me:p@a.test", "http://me:p@a.test"),
            ("a.test/?u=http://b.test", "http://a.test/?u=http://b.test"),
            ("//a.test", "http://a.test"),
            ("HTTP://a.test", "HTTP://a.test"),
            ("https:/a.test", "https://a.test"),
            ("http:///a.test", "http://a.test"),
            ("ftp://a.test", "ftp://a.test"),
            ("/path", "/path"),
            ("mailto:me@a.test", "mailto:me@a.test"),
            ("tel:+1555", "tel:+1555"),
            ("data:8080/x", "http://data:8080/x"),
        ] {
            let whole = with_scheme(line.as_bytes(), "http://");
            assert_eq!(String::from_utf8_lossy(&whole), expected);
        }
    }

    #[test]
    fn lines_with_the_form_of_a_host_need_no_scheme() {
        for (line, is_completed) in [
            ("a.test", true),
            ("a.test/page.html", true),
            ("a:8080", true),
            ("localhost", true),
            ("[::1]/", true),
            ("word", false),
            ("http//a.test", false),
            ("page.html", false),
            ("/path", false),
            ("a.test b.test", false),
            ("javascript:alert(1)", false),
            ("HTTP://a.test", false),
        ] {
            let expected = match is_completed {
                true => format!("http://{line}"),
                false => line.to_owned(),
            };
            assert_eq!(
                String::from_utf8_lossy(&complete(line.as_bytes(), "http://")),
                expected
            );
        }
    }

    #[test]
    fn lines_that_cannot_be_urls_are_refused_with_a_reason() {
        for (line, why) in [
            (&b"http://a/\0"[..], "NUL"),
            (b"http://a/\xff", "UTF-8"),
            (b"http://a/ b", "%20"),
            (b"http://a/\tb", "control"),
            (b"example", "http://"),
            (b"mailto:me@a.test", "http and https"),
            (&[b'x'; MAX_LINE + 1], "64 KiB"),
        ] {
            assert!(check(line).unwrap_err().contains(why), "{why}");
        }
        assert_eq!(check(trim(1, b"\xef\xbb\xbf http://a/\r")), Ok("http://a/"));
    }
}
