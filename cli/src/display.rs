//! Texts, sizes and times as people read them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// As much of an offending text as helps.
const SHOWN: usize = 120;

/// A text from outside made safe to print: in one line, short, without what looks like a password.
pub(crate) fn shown(text: &[u8]) -> String {
    shown_up_to(SHOWN, text)
}

/// The same, of at most so many characters.
pub(crate) fn shown_up_to(most: usize, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * most)]);
    let text = without_user(&text);
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == most {
            out.push('…');
            break;
        }
        match c {
            // Also what turns the direction of the text, or is not seen.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(c.escape_unicode());
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

pub(crate) fn without_user(text: &str) -> Cow<'_, str> {
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

/// A number of bytes.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
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

/// A time, with three digits that matter.
pub(crate) struct Time(pub(crate) Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        f.pad(&match seconds {
            0.0 => "0 s".to_owned(),
            ..0.001 => format!("{:.0} µs", seconds * 1e6),
            ..1.0 => format!("{:.0} ms", seconds * 1e3),
            ..100.0 => format!("{seconds:.2} s"),
            ..6000.0 => format!("{seconds:.0} s"),
            _ => format!("{:.1} h", seconds / 3600.0),
        })
    }
}

/// A count with its word.
pub(crate) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_short_line_without_password() {
        assert_eq!(
            shown(b"a\nb\x1b[31m\0\xff"),
            "a\\nb\\u{1b}[31m\\u{0}\u{fffd}"
        );
        assert_eq!(shown("x\u{202e}y".as_bytes()), "x\\u{202e}y");
        assert_eq!(shown(&[b'x'; 1000]).chars().count(), SHOWN + 1);
        assert_eq!(shown(b"http://u:p@h st/@"), "http://REDACTED@h st/@");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(Bytes(0).to_string(), "0 B");
        assert_eq!(Bytes(1536).to_string(), "1.5 KiB");
        assert_eq!(Bytes(u64::MAX).to_string(), "16.0 EiB");
        assert_eq!(Time(Duration::from_millis(1234)).to_string(), "1.23 s");
        assert_eq!(Time(Duration::from_micros(12)).to_string(), "12 µs");
    }
}
