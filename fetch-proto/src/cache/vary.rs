//! Which requests a stored response answers, as its `Vary` says (RFC 9111, section 4.1).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cache::fields::{CacheFields, is_token, members};

/// More names than this count as `*`.
const MAX_NAMES: usize = 32;

/// The fields on which a response depends, each with its value in the request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct VaryKey(Box<[VaryField]>);

/// A name in lower case, and the normalized value.
type VaryField = (Box<str>, Option<Box<str>>);

impl VaryKey {
    /// The key of a response to this request. `None` if no request can be known to match.
    pub(super) fn new(request: &dyn CacheFields, response: &dyn CacheFields) -> Option<Self> {
        let mut names: Vec<Box<str>> = Vec::new();
        let mut is_valid = true;
        response.each_value("vary", &mut |value| {
            for name in members(value) {
                is_valid &= name.iter().all(|byte| is_token(*byte)) && name != b"*";
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                names.push(name.into_boxed_str());
            }
        });
        names.sort_unstable();
        names.dedup();
        if !is_valid || names.len() > MAX_NAMES {
            return None;
        }
        let with_value = |name: Box<str>| {
            let value = normalized(request, &name);
            (name, value)
        };
        Some(Self(names.into_iter().map(with_value).collect()))
    }

    /// The names and values.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .map(|(name, value)| (&**name, value.as_deref()))
    }

    /// Whether the response answers this request, too.
    pub(super) fn matches(&self, request: &dyn CacheFields) -> bool {
        let fields = self.0.iter();
        fields
            .into_iter()
            .all(|(name, value)| normalized(request, name) == *value)
    }
}

/// The value of a request's field in a form in which equal meanings are equal: lines joined, whitespace
/// around commas removed, and, of languages, in lower case and in the order of preference. `None`
/// without the field.
fn normalized(request: &dyn CacheFields, name: &str) -> Option<Box<str>> {
    let mut parts: Vec<String> = Vec::new();
    let mut is_present = false;
    let is_language = name == "accept-language";
    request.each_value(name, &mut |value| {
        is_present = true;
        for member in members(value) {
            // Latin-1, so that different bytes stay different.
            let mut text: String = member.iter().map(|byte| char::from(*byte)).collect();
            if is_language {
                text.retain(|c| !c.is_ascii_whitespace());
                text.make_ascii_lowercase();
            }
            parts.push(text);
        }
    });
    if is_language {
        parts.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.cmp(b)));
    }
    is_present.then(|| parts.join(",").into_boxed_str())
}

/// The weight of a language in thousandths; 0 if it cannot be read, which then only affects the order.
fn weight(member: &str) -> u16 {
    let Some((_, q)) = member.split_once(";q=") else {
        return 1000;
    };
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    if whole == "1" {
        return 1000;
    }
    let digits = fraction.bytes().chain(core::iter::repeat(b'0')).take(3);
    digits.fold(0, |sum, digit| {
        sum * 10 + u16::from(digit.saturating_sub(b'0').min(9))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a response with this `Vary` to a request answers another one.
    fn reused(vary: &str, first: &[(&str, &str)], second: &[(&str, &str)]) -> bool {
        let response = [("Vary", vary)];
        VaryKey::new(&Fields(first), &response).is_some_and(|key| key.matches(&Fields(second)))
    }

    struct Fields<'a>(&'a [(&'a str, &'a str)]);

    impl CacheFields for Fields<'_> {
        fn each_value(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
            self.0.each_value(name, each);
        }
    }

    #[test]
    fn a_response_answers_requests_with_equal_values_of_the_named_fields() {
        type Lines = &'static [(&'static str, &'static str)];
        let table: [(&str, Lines, Lines, bool); 14] = [
            ("foo", &[("Foo", "1")], &[("foo", "1")], true),
            ("foo", &[("foo", "1")], &[("foo", "2")], false),
            ("foo", &[], &[("foo", "1")], false),
            ("foo", &[("foo", "1")], &[], false),
            ("foo", &[("foo", "")], &[], false),
            (
                "foo",
                &[("foo", "1"), ("bar", "1")],
                &[("foo", "1"), ("bar", "2")],
                true,
            ),
            (
                "foo, bar",
                &[("foo", "1"), ("bar", "2")],
                &[("foo", "2"), ("bar", "1")],
                false,
            ),
            ("foo, bar", &[("foo", "1")], &[("foo", "1")], true),
            (
                "foo",
                &[("foo", "1, 2")],
                &[("foo", "1"), ("foo", "2")],
                true,
            ),
            ("foo", &[("foo", "1,2")], &[("foo", " 1, 2 ")], true),
            ("foo", &[("foo", "a")], &[("foo", "A")], false),
            (
                "accept-language",
                &[("accept-language", "en, de")],
                &[("accept-language", "De ,eN")],
                true,
            ),
            (
                "accept-language",
                &[("accept-language", "en;q=0.5, de")],
                &[("accept-language", "de;q=0.5, en")],
                false,
            ),
            (
                "accept-language",
                &[("accept-language", "en;q=0.5, de")],
                &[("accept-language", "de, en; q=0.5")],
                true,
            ),
        ];
        for (vary, first, second, expected) in table {
            assert_eq!(
                reused(vary, first, second),
                expected,
                "{vary}: {first:?}, {second:?}"
            );
        }
    }

    #[test]
    fn an_asterisk_or_a_malformed_name_matches_nothing() {
        for vary in ["*", "foo, *", "*, foo", "a b", "\"foo\"", "f\u{f6}o"] {
            assert!(!reused(vary, &[], &[]), "{vary}");
        }
        let many = (0..33).map(|n| alloc::format!("f{n},")).collect::<String>();
        assert!(!reused(&many, &[], &[]));
        assert!(reused("", &[], &[("foo", "1")]));
    }
}
