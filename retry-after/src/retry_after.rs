//! The `Retry-After` field, in both forms.

use std::time::{Duration, SystemTime};

/// How long `value` requests to wait from `now` on: a number of seconds, or a date (RFC 9110, section
/// 10.2.3). A date in the past is zero; anything else is ignored.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use fetch_retry_after::parse_retry_after;
///
/// let now = SystemTime::UNIX_EPOCH;
/// assert_eq!(parse_retry_after("120", now), Some(Duration::from_secs(120)));
/// let date = "Thu, 01 Jan 1970 00:01:00 GMT";
/// assert_eq!(parse_retry_after(date, now), Some(Duration::from_secs(60)));
/// ```
#[must_use]
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that overflows u64 is still a wait, longer than any cap.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Valid and invalid values from urllib3's `test/test_retry.py`.
    #[test]
    fn only_seconds_and_dates_are_accepted() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // 1994-11-06 08:49:37
        let seconds = |n| Some(Duration::from_secs(n));
        let table = [
            ("0", seconds(0)),
            (" 1000\t", seconds(1000)),
            ("99999999999999999999999", seconds(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", seconds(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", seconds(60)),
            ("Sun Nov  6 08:50:37 1994", seconds(60)),
            ("Sun, 06 Nov 1994 08:40:37 GMT", seconds(0)),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("\u{b2}", None),
            ("", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:50:37 XYZ", None),
        ];
        for (value, expected) in table {
            assert_eq!(parse_retry_after(value, now), expected, "{value:?}");
        }
    }
}
