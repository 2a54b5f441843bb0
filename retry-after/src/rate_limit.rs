//! Waits that servers request with `RateLimit` fields.

use std::time::{Duration, SystemTime};

#[cfg(feature = "structured-fields")]
use sfv::{BareItem, Dictionary, List, ListEntry, Parser};

/// A reset from this value on is a date in Unix seconds; a smaller one is a wait in seconds.
const MIN_UNIX_TIME: u64 = 1_000_000_000;

/// The names of the fields that [`rate_limit_wait`] reads, in lower case.
///
/// ```
/// assert!(fetch_retry_after::RATE_LIMIT_FIELDS.contains(&"x-ratelimit-reset"));
/// ```
pub const RATE_LIMIT_FIELDS: [&str; 5] = [
    "ratelimit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// The time to the reset, if the quota is used up. Accepts all forms in use: the structured field
/// `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, and the dictionary of draft 07), the pair
/// `RateLimit-Remaining` and `RateLimit-Reset` of earlier drafts, and the same with the prefix `X-`.
/// The reset of these pairs may be a date. The structured field needs the feature
/// `structured-fields`, and takes precedence.
///
/// `fields` are all fields of a response. Names may have any case; other fields are ignored. `now` is
/// called only for a date.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use fetch_retry_after::rate_limit_wait;
///
/// let wait = |remaining: &str| {
///     let fields = [("ratelimit-remaining", remaining), ("ratelimit-reset", "30")];
///     let fields = fields.map(|(name, value)| (name, value.as_bytes()));
///     rate_limit_wait(fields, SystemTime::now)
/// };
/// assert_eq!(wait("0"), Some(Duration::from_secs(30)));
/// assert_eq!(wait("1"), None);
/// ```
pub fn rate_limit_wait<'a>(
    fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    now: impl FnOnce() -> SystemTime,
) -> Option<Duration> {
    let mut found = RateLimitFields::default();
    for (name, value) in fields {
        found.add(name, value);
    }
    #[cfg(feature = "structured-fields")]
    if !found.structured.is_empty() {
        return parse_structured(&found.structured).map(Duration::from_secs);
    }
    let pairs = [found.plain, found.prefixed].into_iter();
    let mut resets = pairs.filter(|pair| pair.remaining == Some(0));
    let reset = resets.find_map(|pair| pair.reset)?;
    Some(time_until(reset, now))
}

/// The fields that were found.
#[derive(Default)]
struct RateLimitFields {
    plain: QuotaPair,
    prefixed: QuotaPair,
    /// All lines of `RateLimit`, as one list.
    #[cfg(feature = "structured-fields")]
    structured: Vec<u8>,
}

/// What remains of a quota, and when it is reset.
#[derive(Clone, Copy, Default)]
struct QuotaPair {
    remaining: Option<u64>,
    reset: Option<u64>,
}

impl RateLimitFields {
    fn add(&mut self, name: &str, value: &[u8]) {
        #[cfg(feature = "structured-fields")]
        if name.eq_ignore_ascii_case("ratelimit") {
            if !self.structured.is_empty() {
                self.structured.extend(b", ");
            }
            self.structured.extend(value);
            return;
        }
        let (pair, name) = match strip_prefix(name, "x-") {
            Some(name) => (&mut self.prefixed, name),
            None => (&mut self.plain, name),
        };
        let Some(part) = strip_prefix(name, "ratelimit") else {
            return;
        };
        if part.eq_ignore_ascii_case("-remaining") {
            pair.remaining = pair.remaining.or_else(|| number(value));
        } else if part.eq_ignore_ascii_case("-reset") {
            pair.reset = pair.reset.or_else(|| number(value));
        }
    }
}

fn strip_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = name.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// The longest wait among the limits that are used up.
#[cfg(feature = "structured-fields")]
fn parse_structured(field: &[u8]) -> Option<u64> {
    let list = Parser::new(field).parse::<List>();
    let waits = list.into_iter().flatten().filter_map(|entry| match entry {
        ListEntry::Item(item) => {
            let number = |name| item.params.get(name).and_then(as_integer);
            number("t").filter(|_| number("r") == Some(0))
        }
        ListEntry::InnerList(_) => None,
    });
    waits.max().or_else(|| parse_dictionary(field))
}

#[cfg(feature = "structured-fields")]
fn parse_dictionary(field: &[u8]) -> Option<u64> {
    let dictionary = Parser::new(field).parse::<Dictionary>().ok()?;
    let number = |name: &str| match dictionary.get(name)? {
        ListEntry::Item(item) => as_integer(&item.bare_item),
        ListEntry::InnerList(_) => None,
    };
    number("reset").filter(|_| number("remaining") == Some(0))
}

#[cfg(feature = "structured-fields")]
fn as_integer(item: &BareItem) -> Option<u64> {
    match item {
        BareItem::Integer(number) => u64::try_from(i64::from(*number)).ok(),
        _ => None,
    }
}

fn time_until(reset: u64, now: impl FnOnce() -> SystemTime) -> Duration {
    if reset < MIN_UNIX_TIME {
        return Duration::from_secs(reset);
    }
    let now = now();
    let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(reset));
    let wait = date.and_then(|date| date.duration_since(now).ok());
    wait.unwrap_or_default()
}

#[cfg(all(test, feature = "structured-fields"))]
mod tests {
    use super::*;

    #[test]
    fn each_form_in_use_counts_only_if_nothing_remains() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        type Fields = &'static [(&'static str, &'static str)];
        let table: [(Fields, Option<u64>); 15] = [
            (&[("ratelimit", r#""default";r=0;t=30"#)], Some(30)),
            (&[("ratelimit", r#""default";r=5;t=30"#)], None),
            (
                &[("ratelimit", r#""burst";r=0;t=2, "day";r=0;t=60"#)],
                Some(60),
            ),
            (
                &[("ratelimit", "limit=100, remaining=0, reset=50")],
                Some(50),
            ),
            (&[("ratelimit", "limit=100, remaining=1, reset=50")], None),
            (&[("ratelimit", "nonsense;;")], None),
            (
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "7")],
                Some(7),
            ),
            (
                &[("ratelimit-remaining", "1"), ("ratelimit-reset", "7")],
                None,
            ),
            (
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9")],
                Some(9),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1700000011"),
                ],
                Some(11),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1600000000"),
                ],
                Some(0),
            ),
            (&[("x-ratelimit-remaining", "0")], None),
            (
                &[
                    ("X-RateLimit-Remaining", " 0 "),
                    ("X-RateLimit-Reset", "9"),
                    ("content-length", "0"),
                ],
                Some(9),
            ),
            // Several lines of a list are one list.
            (
                &[
                    ("ratelimit", r#""burst";r=0;t=2"#),
                    ("RateLimit", r#""day";r=0;t=60"#),
                ],
                Some(60),
            ),
            // The current form takes precedence over older ones.
            (
                &[
                    ("ratelimit-remaining", "0"),
                    ("ratelimit-reset", "7"),
                    ("ratelimit", r#""default";r=5;t=30"#),
                ],
                None,
            ),
        ];
        for (fields, expected) in table {
            let pairs = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
            let wait = rate_limit_wait(pairs, || now);
            assert_eq!(wait, expected.map(Duration::from_secs), "{fields:?}");
        }
    }
}
