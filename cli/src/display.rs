//! Texts, sizes and durations for people.

use std::borrow::Cow;
use std::fmt;

use fetch_proto::redact_secrets;
pub(crate) use fetch_proto::{Quoted, ShortDuration, plural};

/// The most characters of a sanitized text.
const MAX_CHARS: usize = 120;

/// The bytes of a text that are searched for secrets before it is shortened.
const MAX_SEARCHED: usize = 16 << 10;

/// Makes a text from outside safe to print: a short line, without secrets.
pub(crate) fn sanitize(text: &[u8]) -> String {
    sanitize_up_to(MAX_CHARS, text)
}

/// Like [`sanitize`], with at most this number of characters.
pub(crate) fn sanitize_up_to(max: usize, text: &[u8]) -> String {
    // A secret must not lose the end by which it is recognised.
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_SEARCHED.max(4 * max))]);
    let text = redact_secrets(&text);
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == max {
            out.push('…');
            break;
        }
        push_visible(&mut out, c);
    }
    out
}

/// A text without characters that control a terminal, reorder the text or cannot be seen.
pub(crate) fn escape_unsafe(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push_visible(&mut out, c));
    out.into()
}

/// Like [`escape_unsafe`], for a text of several lines: line ends and tabs stay.
pub(crate) fn escape_lines(text: &str) -> Cow<'_, str> {
    let is_layout = |c| matches!(c, '\n' | '\t');
    if !text.contains(|c| is_unsafe(c) && !is_layout(c)) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_layout(c) {
            true => out.push(c),
            false => push_visible(&mut out, c),
        }
    }
    out.into()
}

fn push_visible(out: &mut String, c: char) {
    match c {
        c if is_unsafe(c) => out.extend(c.escape_default()),
        c => out.push(c),
    }
}

/// Whether a character could end the line, control the terminal, reorder the text, or hide in it.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
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
        assert_eq!(
            sanitize(b"http://u:p@h st/@"),
            "http://REDACTED:REDACTED@h st/@"
        );
        let long = format!("http://u:{}@a.test/", "x".repeat(1000));
        assert_eq!(
            sanitize(long.as_bytes()),
            "http://REDACTED:REDACTED@a.test/"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        let text = "a\x1b]0;x\x07\u{85}\u{9b}\u{7f}\u{200e}\u{202e}\u{2066}\u{feff}\u{e0041}ü";
        let shown = escape_unsafe(text);
        assert!(
            !shown.contains(is_unsafe) && shown.ends_with("\\u{e0041}ü"),
            "{shown}"
        );
        assert_eq!(escape_unsafe("a ü 漢"), "a ü 漢");
        assert_eq!(escape_lines("a\n\tb"), "a\n\tb");
        assert_eq!(escape_lines("a\n\tb\r\x1b"), "a\n\tb\\r\\u{1b}");
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
