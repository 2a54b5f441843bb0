//! Waits that servers request with `RateLimit` fields.

use std::time::{Duration, SystemTime};

#[cfg(feature = "structured-fields")]
use http::HeaderValue;
use http::{HeaderMap, HeaderName};
#[cfg(feature = "structured-fields")]
use sfv::{BareItem, Dictionary, List, ListEntry, Parser};

/// A reset from this value on is a date in Unix seconds; a smaller one is a wait in seconds.
const MIN_UNIX_TIME: u64 = 1_000_000_000;

/// The time to the reset, if the quota is used up. Accepts all forms in use: the structured field
/// `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, and the dictionary of draft 07), the pair
/// `RateLimit-Remaining` and `RateLimit-Reset` of earlier drafts, and the same with the prefix `X-`,
/// whose reset may be a date. The structured field needs the feature `structured-fields`.
pub(crate) fn wait_until_reset(
    headers: &HeaderMap,
    now: impl FnOnce() -> SystemTime,
) -> Option<Duration> {
    // Cheaper for most responses than to look up each name, which hashes it.
    if !headers.keys().any(is_rate_limit) {
        return None;
    }
    #[cfg(feature = "structured-fields")]
    if let Some(field) = headers.get("ratelimit") {
        return parse_structured(field).map(Duration::from_secs);
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    for (remaining, reset) in [
        ("ratelimit-remaining", "ratelimit-reset"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ] {
        if number(remaining) == Some(0)
            && let Some(reset) = number(reset)
        {
            return Some(time_until(reset, now()));
        }
    }
    None
}

fn is_rate_limit(name: &HeaderName) -> bool {
    let name = name.as_str();
    let plain = name.strip_prefix("x-").unwrap_or(name);
    plain.starts_with("ratelimit")
}

/// The longest wait among the limits that are used up.
#[cfg(feature = "structured-fields")]
fn parse_structured(field: &HeaderValue) -> Option<u64> {
    let list = Parser::new(field.as_bytes()).parse::<List>();
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
fn parse_dictionary(field: &HeaderValue) -> Option<u64> {
    let dictionary = Parser::new(field.as_bytes()).parse::<Dictionary>().ok()?;
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

fn time_until(reset: u64, now: SystemTime) -> Duration {
    if reset < MIN_UNIX_TIME {
        return Duration::from_secs(reset);
    }
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
        let table: [(Fields, Option<u64>); 12] = [
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
        ];
        for (fields, expected) in table {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            let headers: HeaderMap = fields.collect();
            let wait = wait_until_reset(&headers, || now);
            assert_eq!(wait, expected.map(Duration::from_secs), "{headers:?}");
        }
    }
}
