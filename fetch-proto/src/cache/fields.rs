//! Header fields as the cache reads them, and the syntax that caching fields share.

use alloc::string::String;
use alloc::vec::Vec;

/// The header fields of one message. The core reads those that concern a cache, and copies none.
///
/// Lists of pairs are such a view, for instance `[("cache-control", "max-age=60")]`.
pub trait CacheFields {
    /// Calls `each` with the value of every field line of this name, in order. Names are compared
    /// without regard to case.
    ///
    /// ```
    /// use fetch_proto::cache::CacheFields;
    ///
    /// let fields = [("Vary", "accept"), ("vary", "cookie")];
    /// let mut values = Vec::new();
    /// fields.each_value("vary", &mut |value| values.push(value.to_vec()));
    /// assert_eq!(values, [&b"accept"[..], b"cookie"]);
    /// ```
    fn each_value(&self, name: &str, each: &mut dyn FnMut(&[u8]));
}

impl<N: AsRef<str>, V: AsRef<[u8]>> CacheFields for [(N, V)] {
    fn each_value(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let lines = self.iter();
        for (_, value) in lines.filter(|(found, _)| found.as_ref().eq_ignore_ascii_case(name)) {
            each(value.as_ref());
        }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const LEN: usize> CacheFields for [(N, V); LEN] {
    fn each_value(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.as_slice().each_value(name, each);
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> CacheFields for Vec<(N, V)> {
    fn each_value(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.as_slice().each_value(name, each);
    }
}

/// Whether there is a field of this name.
pub(super) fn has(fields: &dyn CacheFields, name: &str) -> bool {
    let mut found = false;
    fields.each_value(name, &mut |_| found = true);
    found
}

/// The value of a field that may occur once: `None` without it, or if its lines differ.
pub(super) fn single(fields: &dyn CacheFields, name: &str) -> Option<String> {
    let mut found: Option<String> = None;
    let mut differs = false;
    fields.each_value(name, &mut |value| match core::str::from_utf8(value) {
        Ok(text) => match &found {
            None => found = Some(text.trim().into()),
            Some(first) => differs |= first != text.trim(),
        },
        Err(_) => differs = true,
    });
    found.filter(|_| !differs)
}

/// The parts of a comma-separated list, trimmed, without empty ones. Commas within quoted strings do not
/// count. The last part of a string that is not closed goes to the end.
pub(super) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    core::iter::from_fn(move || {
        loop {
            let text = rest?;
            let end = list_end(text);
            rest = text.get(end + 1..);
            let member = text[..end].trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
    })
}

/// Where the first member of a list ends.
fn list_end(text: &[u8]) -> usize {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (i, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return i,
            _ => {}
        }
    }
    text.len()
}

/// The content of a quoted string without its escapes, or `None` if it is not exactly one.
pub(super) fn unquoted(text: &[u8]) -> Option<String> {
    let inner = text.strip_prefix(b"\"")?;
    let mut content = String::new();
    let mut bytes = inner.iter();
    loop {
        match bytes.next()? {
            b'"' => return bytes.as_slice().is_empty().then_some(content),
            b'\\' => content.push(char::from(*bytes.next()?)),
            byte => content.push(char::from(*byte)),
        }
    }
}

/// A number of seconds: digits only, and at most 2^31 (RFC 9111, section 1.2.2).
pub(super) fn delta_seconds(text: &[u8]) -> Option<u32> {
    const MOST: u32 = 1 << 31;
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u32, digit: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'))
    };
    Some(text.iter().fold(0, add).min(MOST))
}

/// Whether a byte may be part of a token (RFC 9110, section 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_at_commas_outside_of_quoted_strings() {
        let split = |text: &'static str| members(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(
            split("a, b=\"1, 2\" ,, c"),
            [&b"a"[..], b"b=\"1, 2\"", b"c"]
        );
        assert_eq!(split("a=\"\\\", b\", c"), [&b"a=\"\\\", b\""[..], b"c"]);
        assert_eq!(split("a=\"b, c"), [&b"a=\"b, c"[..]]);
        assert!(split(" , ").is_empty());
    }

    #[test]
    fn seconds_are_digits_and_bounded() {
        let table: [(&str, Option<u32>); 8] = [
            ("0", Some(0)),
            ("003600", Some(3600)),
            ("2147483648", Some(1 << 31)),
            ("99999999999999999999", Some(1 << 31)),
            ("", None),
            ("-1", None),
            ("1.0", None),
            ("1s", None),
        ];
        for (text, expected) in table {
            assert_eq!(delta_seconds(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn only_a_whole_quoted_string_is_unquoted() {
        assert_eq!(unquoted(b"\"a\\\"b\"").as_deref(), Some("a\"b"));
        for text in ["a", "\"a", "\"a\"b", "\"a\\", ""] {
            assert_eq!(unquoted(text.as_bytes()), None, "{text}");
        }
    }
}
