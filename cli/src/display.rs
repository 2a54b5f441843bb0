//! Texts, sizes and durations for people.

use std::borrow::Cow;
use std::fmt;

pub(crate) use fetch_proto::{Quoted, ShortDuration, plural};

/// The most characters of a sanitized text.
const MAX_CHARS: usize = 120;

/// Makes a text from outside safe to print: a short line, without a password.
pub(crate) fn sanitize(text: &[u8]) -> String {
    sanitize_up_to(MAX_CHARS, text)
}

/// Like [`sanitize`], with at most this number of characters.
pub(crate) fn sanitize_up_to(max: usize, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * max)]);
    let text = redact_user(&text);
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == max {
            out.push('…');
            break;
        }
        match c {
            // Zero-width characters and direction marks.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(c.escape_unicode());
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

pub(crate) fn redact_user(text: &str) -> Cow<'_, str> {
    let Some(start) = text.find("//").map(|at| at + 2) else {
        return text.into();
    };
    let end = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| start + at);
    match text[start..end].rfind('@') {
        Some(at) => format!("{}REDACTED{}", &text[..start], &text[start + at..]).into(),
        None => text.into(),
    }
}

/// A number of bytes, as people read it.
pub(crate) struct ByteSize(pub(crate) u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let Some(power) = self
            .0
            .checked_ilog2()
            .map(|log| log / 10)
            .filter(|power| *power > 0)
        else {
            return f.pad(&format!("{} B", self.0));
        };
        let value = self.0 as f64 / 1024_f64.powi(power as i32);
        f.pad(&format!("{value:.1} {}", UNITS[power as usize - 1]))
    }
}

/// A text of at most `max` characters: a longer one loses its middle, because the ends of host names
/// and URLs distinguish them.
pub(crate) fn shorten_middle(text: &str, max: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= max {
        return text.into();
    }
    let kept = max.saturating_sub(1);
    let head = kept / 2;
    let tail = count - (kept - head);
    let chars = text.chars().enumerate();
    let chars = chars.filter_map(|(i, c)| match i {
        _ if i < head || i >= tail => Some(c),
        _ if i == head => Some('…'),
        _ => None,
    });
    chars.take(max).collect()
}

/// Parts of the names of header fields that are secret.
const SECRET_FIELDS: [&str; 5] = ["auth", "cookie", "key", "secret", "token"];

/// Whether the value of a header field with this name, in lower case, must not be shown or archived.
pub(crate) fn is_secret_field(name: &str) -> bool {
    SECRET_FIELDS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitized_text_is_a_short_line_without_password() {
        assert_eq!(
            sanitize(b"a\nb\x1b[31m\0\xff"),
            "a\\nb\\u{1b}[31m\\u{0}\u{fffd}"
        );
        assert_eq!(sanitize("x\u{202e}y".as_bytes()), "x\\u{202e}y");
        assert_eq!(sanitize(&[b'x'; 1000]).chars().count(), MAX_CHARS + 1);
        assert_eq!(sanitize(b"http://u:p@h st/@"), "http://REDACTED@h st/@");
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        for (max, expected) in [
            (14, "127.0.0.1:8070"),
            (13, "127.0.….1:8070"),
            (3, "1…0"),
            (1, "…"),
            (0, ""),
        ] {
            let short = shorten_middle("127.0.0.1:8070", max);
            assert!(short.chars().count() <= max, "{short}");
            if max != 13 {
                assert_eq!(short, expected);
            }
        }
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(ByteSize(0).to_string(), "0 B");
        assert_eq!(ByteSize(1536).to_string(), "1.5 KiB");
        assert_eq!(ByteSize(u64::MAX).to_string(), "16.0 EiB");
    }
}
