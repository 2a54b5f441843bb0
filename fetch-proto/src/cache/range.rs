//! Parts of a stored response (RFC 9110, section 14).

use crate::cache::fields::CacheFields;
use crate::cache::stored::StoredHead;

/// The part of a stored body of this length that a request asks for by `Range`: its first and its last
/// position. `None` if all of it is the answer, because the request asks for no range, for several, or for one
/// that cannot be served.
///
/// ```
/// # use fetch_proto::cache::{StoredHead, requested_range};
/// # fn example(head: &StoredHead) {
/// assert_eq!(requested_range(&[("range", "bytes=-2")], head, 10), Some((8, 9)));
/// # }
/// ```
#[must_use]
pub fn requested_range(
    request: &dyn CacheFields,
    head: &StoredHead,
    length: u64,
) -> Option<(u64, u64)> {
    if head.status != 200 {
        return None;
    }
    let mut found = None;
    let mut lines = 0_u32;
    request.each_value("range", &mut |value| {
        lines += 1;
        found = core::str::from_utf8(value)
            .ok()
            .and_then(|text| parse(text, length));
    });
    found.filter(|_| lines == 1)
}

fn parse(text: &str, length: u64) -> Option<(u64, u64)> {
    let (unit, spec) = text.trim().split_once('=')?;
    let (first, last) = spec.split_once('-')?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let end = length.checked_sub(1)?;
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) => (first, last.min(end)),
        (Some(first), None) if last.is_empty() => (first, end),
        (None, Some(suffix)) if first.is_empty() && suffix > 0 => {
            (length.saturating_sub(suffix), end)
        }
        _ => return None,
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_served() {
        let table = [
            ("bytes=0-1", 10, Some((0, 1))),
            ("Bytes=1-", 10, Some((1, 9))),
            ("bytes=-1", 10, Some((9, 9))),
            ("bytes=-20", 10, Some((0, 9))),
            ("bytes=8-20", 10, Some((8, 9))),
            ("bytes=10-", 10, None),
            ("bytes=2-1", 10, None),
            ("bytes=-0", 10, None),
            ("bytes=-", 10, None),
            ("bytes=a-b", 10, None),
            ("bytes=+1-2", 10, None),
            ("bytes=0-1,3-4", 10, None),
            ("lines=0-1", 10, None),
            ("0-1", 10, None),
            ("bytes=0-", 0, None),
            ("bytes=99999999999999999999-", 10, None),
            ("bytes=0-99999999999999999999", 10, Some((0, 9))),
        ];
        for (text, length, expected) in table {
            assert_eq!(parse(text, length), expected, "{text}");
        }
    }
}
