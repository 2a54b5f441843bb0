//! Wall clock time, and dates in header fields.

use core::time::Duration;

/// A time of the wall clock, as milliseconds since 1970. The core has no clock: the driver passes it in,
/// best as the time at its start plus what its monotonic clock counted since, so that a clock that is set
/// changes nothing.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::cache::WallTime;
///
/// let date = WallTime::parse("Sun, 06 Nov 1994 08:49:37 GMT", WallTime::default()).unwrap();
/// assert_eq!(date, WallTime::from_unix(Duration::from_secs(784_111_777)));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct WallTime(u64);

const DAY: u64 = 86_400;
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

impl WallTime {
    /// The time this long after the beginning of 1970, UTC.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::cache::WallTime;
    /// assert_eq!(WallTime::from_unix(Duration::ZERO), WallTime::default());
    /// ```
    #[must_use]
    pub fn from_unix(since_1970: Duration) -> Self {
        Self(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }

    #[cfg(test)]
    pub(super) const fn from_seconds(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// The time since the beginning of 1970, UTC.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::cache::WallTime;
    /// assert_eq!(WallTime::from_unix(Duration::from_secs(5)).since_1970(), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub const fn since_1970(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// How long this is after `earlier`: zero if it is before.
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The whole seconds that this is after `earlier`, as both are written in header fields.
    pub(super) fn seconds_since(self, earlier: Self) -> Duration {
        Duration::from_secs((self.0 / 1000).saturating_sub(earlier.0 / 1000))
    }

    /// Reads a date of a header field (RFC 9110, section 5.6.7) in any of its three forms. Names and `GMT`
    /// may have any case; everything else must be exact. A year of two digits that would be more than 50
    /// years after `now` is one of the century before.
    ///
    /// ```
    /// use fetch_proto::cache::WallTime;
    /// assert!(WallTime::parse("Sun Nov  6 08:49:37 1994", WallTime::default()).is_some());
    /// assert!(WallTime::parse("Sun, 06 Nov 1994 08:49:37 UTC", WallTime::default()).is_none());
    /// assert!(WallTime::parse("0", WallTime::default()).is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str, now: Self) -> Option<Self> {
        let text = text.trim();
        if !text.is_ascii() || text.len() > 40 {
            return None;
        }
        let (day, month, year, time) = match text.split_once(',') {
            Some((name, rest)) => {
                let rest = rest.strip_prefix(' ')?;
                let (date, zone) = rest.split_at_checked(rest.len().checked_sub(4)?)?;
                if !zone.eq_ignore_ascii_case(" GMT") {
                    return None;
                }
                let (date, time) = date.rsplit_once(' ')?;
                if name.len() == 3 {
                    is_day(name, true).then_some(())?;
                    (date.get(..2)?, date.get(2..7)?, date.get(7..)?, time)
                } else {
                    is_day(name, false).then_some(())?;
                    let month = date.get(2..7)?;
                    let inner = month.strip_prefix('-')?.strip_suffix('-')?;
                    return Self::from_parts(
                        digits(date.get(..2)?, 2)?,
                        month_number(inner)?,
                        full_year(digits(date.get(7..)?, 2)?, now),
                        time,
                    );
                }
            }
            None => {
                // asctime: `Sun Nov  6 08:49:37 1994`.
                is_day(text.get(..3)?, true).then_some(())?;
                let (month, day) = (text.get(3..8)?, text.get(8..10)?);
                let (time, year) = (text.get(11..19)?, text.get(20..)?);
                let has_spaces = text.as_bytes()[10] == b' ' && text.as_bytes()[19] == b' ';
                has_spaces.then_some(())?;
                let day = day
                    .strip_prefix(' ')
                    .map_or_else(|| digits(day, 2), |one| digits(one, 1))?;
                let month = month.strip_prefix(' ')?.strip_suffix(' ')?;
                return Self::from_parts(day, month_number(month)?, digits(year, 4)?, time);
            }
        };
        let month = month.strip_prefix(' ')?.strip_suffix(' ')?;
        Self::from_parts(
            digits(day, 2)?,
            month_number(month)?,
            digits(year, 4)?,
            time,
        )
    }

    fn from_parts(day: u64, month: u64, year: u64, time: &str) -> Option<Self> {
        let bytes = time.as_bytes();
        if bytes.len() != 8 || bytes[2] != b':' || bytes[5] != b':' {
            return None;
        }
        let part = |from: usize| digits(time.get(from..from + 2)?, 2);
        let (hour, minute, second) = (part(0)?, part(3)?, part(6)?);
        // A leap second is 60.
        if hour > 23 || minute > 59 || second > 60 || year < 1970 {
            return None;
        }
        let days = days_since_1970(year, month, day)?;
        Some(Self(
            (days * DAY + hour * 3600 + minute * 60 + second) * 1000,
        ))
    }
}

fn digits(text: &str, len: usize) -> Option<u64> {
    let is_number = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn is_day(name: &str, is_short: bool) -> bool {
    DAYS.iter().any(|day| {
        let expected = if is_short { &day[..3] } else { day };
        expected.eq_ignore_ascii_case(name)
    })
}

/// The number of a month, from 0.
fn month_number(name: &str) -> Option<u64> {
    let mut months = MONTHS.iter();
    months
        .position(|month| month.eq_ignore_ascii_case(name))
        .map(|n| n as u64)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

/// The year with these last two digits.
fn full_year(two: u64, now: WallTime) -> u64 {
    let this_year = 1970 + now.0 / 1000 / DAY * 400 / 146_097;
    let year = this_year / 100 * 100 + two;
    if year > this_year + 50 {
        year - 100
    } else {
        year
    }
}

fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    const LENGTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let february = u64::from(is_leap(year));
    let length = |n: usize| LENGTHS[n] + if n == 1 { february } else { 0 };
    let month = usize::try_from(month).ok()?;
    if day == 0 || day > length(month) {
        return None;
    }
    // Leap days of complete years since 1970: 1968 was a leap year, 2000 was one, 2100 is none.
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let months: u64 = (0..month).map(length).sum();
    Some((year - 1970) * 365 + leaps + months + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        // 2026-11-30.
        let now = WallTime::from_unix(Duration::from_secs(1_796_000_000));
        WallTime::parse(text, now).map(|time| time.since_1970().as_secs())
    }

    #[test]
    fn the_three_forms_of_a_date_are_read() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "sUN, 06 NOV 1994 08:49:37 gmt",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(seconds(text), Some(784_111_777), "{text}");
        }
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            seconds("Thu, 29 Feb 2024 00:00:00 GMT"),
            Some(1_709_164_800)
        );
        assert_eq!(
            seconds("Tue, 19 Jan 2038 14:14:08 GMT"),
            Some(2_147_523_248)
        );
        // 2050, which is less than 50 years ahead.
        let rfc850 = seconds("Thursday, 18-Aug-50 02:01:18 GMT");
        assert_eq!(rfc850, seconds("Thu, 18 Aug 2050 02:01:18 GMT"));
        assert_eq!(seconds("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "0",
            "-1",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 AEST",
            "Thu, 18 Aug 2050 02:01:18",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "Thu, 31 Feb 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 24:01:18 GMT",
            "Tho, 18 Aug 2050 02:01:18 GMT",
            "Thu, 18 Agu 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 +2:01:18 GMT",
            "Thu Aug 18 02:01:18 50",
            "Thú, 18 Aug 2050 02:01:18 GMT",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
