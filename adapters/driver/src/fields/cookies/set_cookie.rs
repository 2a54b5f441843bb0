//! The field `Set-Cookie`, parsed as RFC 6265bis, section 5.6, says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::date::parse_cookie_date;

/// The longest name and value together, in bytes.
pub(super) const MAX_PAIR_LENGTH: usize = 4096;
/// The longest value of an attribute, in bytes. A longer attribute is ignored.
const MAX_ATTRIBUTE_LENGTH: usize = 1024;

/// A cookie as a server has written it. Of several attributes of one name, the last counts.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct SetCookie<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    /// Without its leading dot.
    pub(super) domain: Option<&'a [u8]>,
    pub(super) expires: Option<SystemTime>,
    pub(super) http_only: bool,
    pub(super) max_age: Option<MaxAge>,
    /// `None` within means the default path.
    pub(super) path: Option<Option<&'a [u8]>>,
    pub(super) secure: bool,
}

/// How long a cookie lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MaxAge {
    Expired,
    Lasts(Duration),
}

impl<'a> SetCookie<'a> {
    /// `None` if the field has to be ignored.
    pub(super) fn parse(field: &'a [u8]) -> Option<Self> {
        let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        if field.iter().any(is_control) {
            return None;
        }
        let mut parts = field.split(|byte| *byte == b';');
        let pair = parts.next()?;
        let (name, value) = split_pair(pair).unwrap_or((b"", pair));
        let (name, value) = (trim(name), trim(value));
        if name.len() + value.len() > MAX_PAIR_LENGTH || name.is_empty() && value.is_empty() {
            return None;
        }
        let mut cookie = Self {
            name,
            value,
            ..Self::default()
        };
        for attribute in parts {
            let (name, value) = split_pair(attribute).unwrap_or((attribute, b""));
            let (name, value) = (trim(name), trim(value));
            if value.len() <= MAX_ATTRIBUTE_LENGTH {
                cookie.set_attribute(name, value);
            }
        }
        Some(cookie)
    }

    fn set_attribute(&mut self, name: &[u8], value: &'a [u8]) {
        match &*name.to_ascii_lowercase() {
            b"domain" => self.domain = Some(value.strip_prefix(b".").unwrap_or(value)),
            b"expires" => self.expires = parse_cookie_date(value).or(self.expires),
            b"httponly" => self.http_only = true,
            b"max-age" => self.max_age = parse_max_age(value).or(self.max_age),
            b"path" => self.path = Some(value.starts_with(b"/").then_some(value)),
            b"secure" => self.secure = true,
            _ => {}
        }
    }

    /// When the cookie expires, at the latest after `limit`. `None` at the end of the session.
    pub(super) fn expiry(&self, now: SystemTime, limit: Option<Duration>) -> Option<SystemTime> {
        let latest = limit.and_then(|limit| now.checked_add(limit));
        let at_most = |time: SystemTime| latest.map_or(time, |latest| time.min(latest));
        match (self.max_age, self.expires) {
            (Some(MaxAge::Expired), _) => Some(UNIX_EPOCH),
            (Some(MaxAge::Lasts(age)), _) => now.checked_add(age).or(latest).map(at_most),
            (None, expires) => expires.map(at_most),
        }
    }
}

fn split_pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    Some((&text[..at], &text[at + 1..]))
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

fn parse_max_age(value: &[u8]) -> Option<MaxAge> {
    let (is_negative, digits) = match value.strip_prefix(b"-") {
        None => (false, value),
        Some(rest) => (true, rest),
    };
    if value.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    // A number of more digits is longer than any limit.
    let seconds: u64 = digits.parse().unwrap_or(u64::MAX);
    Some(match is_negative || digits.is_empty() || seconds == 0 {
        true => MaxAge::Expired,
        false => MaxAge::Lasts(Duration::from_secs(seconds)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(field: &str) -> Option<(String, String)> {
        let cookie = SetCookie::parse(field.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((text(cookie.name), text(cookie.value)))
    }

    #[test]
    fn name_and_value_are_what_the_first_pair_says() {
        for (field, name, value) in [
            ("k=v", "k", "v"),
            ("  k \t=  v \t; Path=/", "k", "v"),
            ("k=", "k", ""),
            ("k=a=b==", "k", "a=b=="),
            ("k=\"a b\"", "k", "\"a b\""),
            ("k=a b", "k", "a b"),
            ("k=a\tb", "k", "a\tb"),
            ("alone", "", "alone"),
            ("=v", "", "v"),
            ("k=v;", "k", "v"),
            ("k=v;;;Secure", "k", "v"),
        ] {
            assert_eq!(pair(field), Some((name.into(), value.into())), "{field:?}");
        }
    }

    #[test]
    fn empty_long_and_control_characters_are_ignored() {
        let long = format!("k={}", "v".repeat(4096));
        for field in [
            "",
            ";Secure",
            "=",
            " = ",
            "k=a\0b",
            "k=v; Path=/\u{7f}",
            "k=a\rb",
            &long,
        ] {
            assert_eq!(pair(field), None, "{field:?}");
        }
        assert!(pair(&long[..4097]).is_some());
    }

    #[test]
    fn the_last_of_equal_attributes_counts_and_invalid_ones_do_not() {
        let parse = |text: &'static str| SetCookie::parse(text.as_bytes()).unwrap();
        let cookie = parse("k=v; DOMAIN=a; domain=.b ;path=/1; PATH = /2; secure=no; HttpOnly");
        assert_eq!(cookie.domain, Some(&b"b"[..]));
        assert_eq!(cookie.path, Some(Some(&b"/2"[..])));
        assert!(cookie.secure && cookie.http_only);
        assert_eq!(parse("k=v; path=/1; path=x").path, Some(None));
        assert_eq!(
            parse("k=v; max-age=5; max-age=x").max_age,
            parse("k=v;max-age=5").max_age
        );
        let long = format!("k=v; path=/{}", "a".repeat(1024));
        assert_eq!(SetCookie::parse(long.as_bytes()).unwrap().path, None);
    }

    #[test]
    fn max_age_precedes_expires_and_both_are_limited() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let limit = Duration::from_secs(1000);
        let past = |seconds| Some(now + Duration::from_secs(seconds));
        for (attributes, expected) in [
            ("", None),
            ("max-age=7", past(7)),
            ("max-age=7; expires=Sun, 06 Nov 1994 08:49:37 GMT", past(7)),
            ("max-age=0", Some(UNIX_EPOCH)),
            ("max-age=-", Some(UNIX_EPOCH)),
            ("max-age=-5", Some(UNIX_EPOCH)),
            ("max-age=", None),
            ("max-age=+5", None),
            ("max-age=5s", None),
            ("max-age=99999999999999999999999", past(1000)),
            ("max-age=2000", past(1000)),
            ("expires=Sun, 06 Nov 2094 08:49:37 GMT", past(1000)),
            ("expires=never", None),
        ] {
            let field = format!("k=v; {attributes}");
            let cookie = SetCookie::parse(field.as_bytes()).unwrap();
            assert_eq!(cookie.expiry(now, Some(limit)), expected, "{attributes}");
        }
    }
}
