//! Counts, durations and outside texts in messages for people.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write as _};
use core::time::Duration;

use crate::secrets::redact_secrets;

/// A duration with at most three significant digits, for messages: `999 µs`, `1.23 s`, `16.7 min`.
///
/// Zeros at the end are left out if the duration is exact: one second is `1 s`, and 1.001 s is
/// `1.00 s`.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::ShortDuration;
///
/// assert_eq!(ShortDuration(Duration::from_millis(1234)).to_string(), "1.23 s");
/// assert_eq!(ShortDuration(Duration::from_secs(90)).to_string(), "90 s");
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ShortDuration(pub Duration);

impl fmt::Display for ShortDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        // A unit ends where rounding would give a fourth digit.
        let (value, decimals, unit) = match seconds {
            0.0 => (0.0, 0, "s"),
            ..0.000_999_5 => (seconds * 1e6, 0, "µs"),
            ..0.999_5 => (seconds * 1e3, 0, "ms"),
            ..9.995 => (seconds, 2, "s"),
            ..99.95 => (seconds, 1, "s"),
            ..999.5 => (seconds, 0, "s"),
            ..5_997.0 => (seconds / 60.0, 1, "min"),
            ..359_820.0 => (seconds / 3_600.0, 1, "h"),
            _ => (seconds / 3_600.0, 0, "h"),
        };
        let mut text = Buffer::default();
        write!(text, "{value:.decimals$}")?;
        let step = Duration::from_millis(10_u64.pow(3 - decimals as u32));
        let is_exact = unit != "s" || self.0.as_nanos().is_multiple_of(step.as_nanos());
        if is_exact && text.as_str().contains('.') {
            let length = text
                .as_str()
                .trim_end_matches('0')
                .trim_end_matches('.')
                .len();
            text.length = length;
        }
        write!(text, " {unit}")?;
        f.pad(text.as_str())
    }
}

/// The text of a duration: the longest is that of 584 billion years, in hours.
#[derive(Default)]
struct Buffer {
    bytes: [u8; 32],
    length: usize,
}

impl Buffer {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A count with its noun, in singular or plural.
///
/// ```
/// use fetch_proto::plural;
///
/// assert_eq!(plural(1, "byte", "bytes"), "1 byte");
/// assert_eq!(plural(0, "retry", "retries"), "0 retries");
/// ```
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A text from outside in quotation marks, for messages: one line of at most 120 characters.
///
/// Characters that control a terminal, reorder text or are invisible are escaped, and so are
/// quotation marks. [Secrets](crate::redact_secrets) are replaced. A longer text ends in `…` after its
/// first 120 characters.
///
/// ```
/// use fetch_proto::Quoted;
///
/// assert_eq!(Quoted("50/fortnight").to_string(), "\"50/fortnight\"");
/// assert_eq!(Quoted("a\n\u{1b}[1m").to_string(), r#""a\n\u{1b}[1m""#);
/// assert_eq!(Quoted(r"C:\new").to_string(), r#""C:\new""#);
/// assert_eq!(Quoted("Cookie: a=1").to_string(), r#""Cookie: REDACTED""#);
/// assert!(Quoted(&"x".repeat(1000)).to_string().ends_with("xxx…\""));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quoted<'a>(pub &'a str);

/// The most characters of a quoted text.
const MAX_QUOTED: usize = 120;

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = redact_secrets(self.0);
        let cut = text.char_indices().nth(MAX_QUOTED);
        let shown = cut.map_or(&*text, |(at, _)| &text[..at]);
        f.write_char('"')?;
        // Backslashes and apostrophes are shown as they are: most are parts of names.
        for part in shown.split_inclusive(['\\', '\'']) {
            let text = part.trim_end_matches(['\\', '\'']);
            write!(f, "{}{}", text.escape_debug(), &part[text.len()..])?;
        }
        f.write_str(if cut.is_some() { "…\"" } else { "\"" })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn durations_have_at_most_three_digits() {
        for (micros, expected) in [
            (0, "0 s"),
            (12, "12 µs"),
            (999, "999 µs"),
            (1_000, "1 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (1_000_000, "1 s"),
            (1_230_000, "1.23 s"),
            (1_234_000, "1.23 s"),
            (1_500_000, "1.5 s"),
            (9_994_000, "9.99 s"),
            (9_995_000, "10.0 s"),
            (60_000_000, "60 s"),
            (99_950_000, "100 s"),
            (300_000_000, "300 s"),
            (999_499_000, "999 s"),
            (1_000_000_000, "16.7 min"),
            (5_996_000_000, "99.9 min"),
            (5_997_000_000, "1.7 h"),
            (360_000_000_000, "100 h"),
        ] {
            let duration = ShortDuration(Duration::from_micros(micros));
            assert_eq!(duration.to_string(), expected);
        }
        assert!(ShortDuration(Duration::MAX).to_string().ends_with(" h"));
        let padded = alloc::format!("{:>8}", ShortDuration(Duration::from_secs(5)));
        assert_eq!(padded, "     5 s");
    }

    #[test]
    fn a_quoted_text_is_one_short_line() {
        for (text, expected) in [
            ("", r#""""#),
            ("it's", r#""it's""#),
            (r"\", r#""\""#),
            (r"a\\'b'", r#""a\\'b'""#),
            (r#"say "so""#, r#""say \"so\"""#),
            ("a\r\nb\tc\0", r#""a\r\nb\tc\0""#),
            (
                "\u{202e}\u{200b}\u{2028}\u{9b}",
                r#""\u{202e}\u{200b}\u{2028}\u{9b}""#,
            ),
            (
                "caf\u{e9} cafe\u{301} 東京",
                "\"caf\u{e9} cafe\u{301} 東京\"",
            ),
        ] {
            assert_eq!(Quoted(text).to_string(), expected);
        }
        let long = "é".repeat(MAX_QUOTED);
        assert_eq!(Quoted(&long).to_string(), alloc::format!("\"{long}\""));
        let longer = alloc::format!("{long}x");
        assert_eq!(Quoted(&longer).to_string(), alloc::format!("\"{long}…\""));
    }
}
