//! Expands globs in arguments: curl's `{a,b}`, `[1-100]`, `[001-100:5]` and `[a-z]`, and
//! `{1..100}`.

use crate::display::Quoted;
use std::io::{self, Read};

/// The most digits of a number: those of `u64::MAX`.
const MAX_DIGITS: usize = 20;

/// An argument that expands to one or more URLs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct UrlGlob {
    count: u64,
    parts: Vec<GlobPart>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum GlobPart {
    Letters {
        first: u8,
        last: u8,
        step: u64,
    },
    Numbers {
        first: u64,
        last: u64,
        step: u64,
        width: usize,
    },
    Set(Vec<String>),
    Text(String),
}

impl UrlGlob {
    /// Parses an argument. Braces without a comma or range are part of the URL, and so are the
    /// brackets of an IPv6 address, and `\{` and `\[`.
    ///
    /// # Errors
    ///
    /// What is wrong, with the position.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['\\', '{', '[']) {
            plain.push_str(&rest[..at]);
            let here = &rest[at..];
            let wrong = |why: &str| {
                let column = text[..text.len() - here.len()].chars().count() + 1;
                format!("{why}, at character {column}: write -g to take {{}} and [] as they are")
            };
            let (part, length) = match here.as_bytes() {
                [b'\\', b'{' | b'}' | b'[' | b']', ..] => {
                    (GlobPart::Text(here[1..2].to_owned()), 2)
                }
                [b'\\', ..] => (GlobPart::Text("\\".to_owned()), 1),
                [b'[', b']', ..] => (GlobPart::Text("[]".to_owned()), 2),
                [open, ..] => {
                    let close = if *open == b'{' { '}' } else { ']' };
                    let end = here.find(close).ok_or_else(|| wrong("it is not closed"))?;
                    let inner = &here[1..end];
                    let part = match open {
                        b'{' => set(inner),
                        _ if inner.contains(':') && inner.parse::<std::net::Ipv6Addr>().is_ok() => {
                            None
                        }
                        _ => Some(range(inner)),
                    };
                    let part = part.transpose().map_err(|why| wrong(&why))?;
                    (
                        part.unwrap_or_else(|| GlobPart::Text(here[..=end].to_owned())),
                        end + 1,
                    )
                }
                [] => break,
            };
            match part {
                GlobPart::Text(text) => plain.push_str(&text),
                part => {
                    if !plain.is_empty() {
                        parts.push(GlobPart::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(part);
                }
            }
            rest = &here[length..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(GlobPart::Text(plain));
        }
        let count = parts
            .iter()
            .try_fold(1, |count: u64, part| count.checked_mul(part.count()?));
        let count = count.ok_or("it expands to more URLs than can be counted")?;
        Ok(Self { count, parts })
    }

    /// An argument without expansion.
    pub(crate) fn plain(text: &str) -> Self {
        Self {
            count: 1,
            parts: vec![GlobPart::Text(text.to_owned())],
        }
    }

    /// The number of URLs.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// All texts that it expands to.
    pub(crate) fn expand(&self) -> impl Iterator<Item = String> {
        (0..self.count).map(|number| {
            let mut text = Vec::new();
            self.write(number, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        })
    }

    /// Writes the URL of this number, from 0. As in curl, the last part changes fastest.
    fn write(&self, number: u64, out: &mut Vec<u8>) {
        let (mut rest, mut number) = (self.count, number);
        for part in &self.parts {
            rest /= part.count().unwrap_or(1);
            part.write(number / rest, out);
            number %= rest;
        }
    }
}

/// Parses the inside of braces. `None` if they are part of the URL.
fn set(inner: &str) -> Option<Result<GlobPart, String>> {
    if let Some((first, last)) = inner.split_once("..") {
        let (last, step) = last.split_once("..").unwrap_or((last, "1"));
        let numbers = format!("{first}-{last}:{step}");
        return Some(range(&numbers));
    }
    let items = || inner.split(',').map(str::to_owned).collect();
    inner.contains(',').then(|| Ok(GlobPart::Set(items())))
}

/// `FIRST-LAST` or `FIRST-LAST:STEP`, of numbers or letters.
fn range(inner: &str) -> Result<GlobPart, String> {
    let form = || {
        let inner = Quoted(inner);
        format!("{inner} is not a range such as 1-100, 001-100:5 or a-z")
    };
    let (ends, step) = inner.split_once(':').unwrap_or((inner, "1"));
    let step: u64 = step
        .parse()
        .ok()
        .filter(|step| *step > 0)
        .ok_or_else(form)?;
    let (first, last) = ends.split_once('-').ok_or_else(form)?;
    let letter = |text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii_alphabetic() => Some(*byte),
        _ => None,
    };
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>()
            .ok()
            .filter(|_| digits && text.len() <= MAX_DIGITS)
    };
    let part = match (letter(first), letter(last), number(first), number(last)) {
        (Some(first), Some(last), ..) => GlobPart::Letters { first, last, step },
        (_, _, Some(from), Some(last)) => GlobPart::Numbers {
            first: from,
            last,
            step,
            width: if first.starts_with('0') {
                first.len()
            } else {
                0
            },
        },
        _ => return Err(form()),
    };
    match part.count() {
        Some(0) => Err(format!("{} ends before it begins", Quoted(inner))),
        _ => Ok(part),
    }
}

impl GlobPart {
    /// The number of values. `None` if it exceeds 64 bits.
    fn count(&self) -> Option<u64> {
        let steps = |first: u64, last: u64, step: u64| match last.checked_sub(first) {
            Some(length) => (length / step).checked_add(1),
            None => Some(0),
        };
        match self {
            Self::Letters { first, last, step } => steps((*first).into(), (*last).into(), *step),
            Self::Numbers {
                first, last, step, ..
            } => steps(*first, *last, *step),
            Self::Set(items) => Some(items.len() as u64),
            Self::Text(_) => Some(1),
        }
    }

    fn write(&self, number: u64, out: &mut Vec<u8>) {
        match self {
            Self::Letters { first, step, .. } => out.push(first + (number * step) as u8),
            Self::Numbers {
                first, step, width, ..
            } => {
                out.extend_from_slice(format!("{:0width$}", first + number * step).as_bytes());
            }
            Self::Set(items) => out.extend_from_slice(items[number as usize].as_bytes()),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
}

/// A reader of lines: the URLs of arguments, which are expanded one at a time.
pub(super) struct GlobReader {
    globs: std::vec::IntoIter<UrlGlob>,
    line: Vec<u8>,
    /// The current glob, and the number of its next URL.
    current: Option<(UrlGlob, u64)>,
    read: usize,
}

impl GlobReader {
    pub(super) fn new(globs: Vec<UrlGlob>) -> Self {
        let mut globs = globs.into_iter();
        let current = globs.next().map(|glob| (glob, 0));
        Self {
            globs,
            line: Vec::new(),
            current,
            read: 0,
        }
    }

    /// Writes the next URL to the line buffer.
    fn fill_line(&mut self) {
        self.line.clear();
        self.read = 0;
        while let Some((glob, number)) = &mut self.current {
            if *number < glob.count() {
                glob.write(*number, &mut self.line);
                // A line break inside an argument would split it: it becomes a control character,
                // which is refused.
                self.line
                    .iter_mut()
                    .filter(|byte| **byte == b'\n')
                    .for_each(|byte| *byte = 1);
                self.line.push(b'\n');
                *number += 1;
                return;
            }
            self.current = self.globs.next().map(|glob| (glob, 0));
        }
    }
}

impl Read for GlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.read == self.line.len() {
                self.fill_line();
            }
            let left = &self.line[self.read..];
            let length = left.len().min(buffer.len() - filled);
            if length == 0 {
                break;
            }
            buffer[filled..filled + length].copy_from_slice(&left[..length]);
            (filled, self.read) = (filled + length, self.read + length);
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> String {
        let glob = UrlGlob::parse(text).unwrap();
        let mut out = String::new();
        GlobReader::new(vec![glob])
            .read_to_string(&mut out)
            .unwrap();
        out.trim_end().replace('\n', " ")
    }

    #[test]
    fn globs_of_curl_and_shells_are_expanded() {
        for (text, expected) in [
            ("a", "a"),
            ("{a,b,}x", "ax bx x"),
            ("[1-3]", "1 2 3"),
            ("[08-10]", "08 09 10"),
            ("[001-010:4]", "001 005 009"),
            ("[a-c]", "a b c"),
            ("{1..3}", "1 2 3"),
            ("{01..05..2}", "01 03 05"),
            ("{a,b}[1-2]", "a1 a2 b1 b2"),
            ("http://[::1]:80/", "http://[::1]:80/"),
            ("?q={1}", "?q={1}"),
            ("/a[]=1", "/a[]=1"),
            (r"\{a,b\}\[1-2\]\x", r"{a,b}[1-2]\x"),
        ] {
            assert_eq!(all(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_have_the_position() {
        for (text, part) in [
            ("a[1-", "not closed, at character 2"),
            ("ä{a,", "not closed, at character 2"),
            ("[5-1]", "ends before it begins"),
            ("[a-1]", "not a range"),
            ("[1-5:0]", "not a range"),
            ("{5..1}", "ends before it begins"),
            ("[0000000000000000000001-2]", "not a range"),
        ] {
            let error = UrlGlob::parse(text).unwrap_err();
            assert!(
                error.contains(part) && error.contains("-g"),
                "{text}: {error}"
            );
        }
        for text in ["[0-18446744073709551615]", "[0-9999999999][0-9999999999]"] {
            let error = UrlGlob::parse(text).unwrap_err();
            assert!(error.contains("more URLs than can be counted"), "{error}");
        }
    }

    #[test]
    fn large_globs_are_expanded_lazily() {
        let glob = UrlGlob::parse("[1-1000000000][0-9999999999]").unwrap();
        assert_eq!(glob.count(), 10_000_000_000_000_000_000);
        let mut last = Vec::new();
        glob.write(glob.count() - 1, &mut last);
        assert_eq!(last, b"10000000009999999999");
        let mut start = [0; 8];
        let glob = UrlGlob::parse("[1-99999999999]{a,b}").unwrap();
        GlobReader::new(vec![glob]).read_exact(&mut start).unwrap();
        assert_eq!(&start, b"1a\n1b\n2a");
    }
}
