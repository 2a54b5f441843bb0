//! Dates of cookies, read by the algorithm of RFC 6265bis, section 5.1.1: tokens in any order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The time that an `Expires` attribute names. A time before 1970 is returned as 1970. `None` if it is not a date.
pub(super) fn parse_cookie_date(text: &[u8]) -> Option<SystemTime> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let tokens = text.split(|byte| is_delimiter(*byte));
    for token in tokens.filter(|token| !token.is_empty()) {
        if let (None, Some(found)) = (time, time_of_day(token)) {
            time = Some(found);
        } else if let (None, Some(found)) = (day, number(token, 1..=2)) {
            day = Some(found);
        } else if let (None, Some(found)) = (month, month_index(token)) {
            month = Some(found);
        } else if let (None, Some(found)) = (year, number(token, 2..=4)) {
            year = Some(found);
        }
    }
    let (time, day, month, year) = (time?, day?, month?, year?);
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    let [hour, minute, second] = time;
    let is_valid = year >= 1601
        && (1..=days_in_month(year, month)).contains(&day)
        && hour <= 23
        && minute <= 59
        && second <= 59;
    is_valid.then(|| match days_since_1970(year, month, day) {
        None => UNIX_EPOCH,
        Some(days) => {
            let seconds = u64::from(hour * 3600 + minute * 60 + second);
            UNIX_EPOCH + Duration::from_secs(days * 86_400 + seconds)
        }
    })
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// The number of as many digits as allowed, followed by nothing or by something that is no digit.
fn number(token: &[u8], digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let count = token
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    digits.contains(&count).then(|| {
        let digits = token[..count].iter();
        digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
    })
}

/// Hour, minute and second.
fn time_of_day(token: &[u8]) -> Option<[u32; 3]> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let exact = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !exact(hour) || !exact(minute) {
        return None;
    }
    let field = |part| number(part, 1..=2);
    Some([field(hour)?, field(minute)?, field(second)?])
}

/// The number of the month, from 0, that a token begins with.
fn month_index(token: &[u8]) -> Option<usize> {
    let name = token.get(..3)?;
    MONTHS
        .iter()
        .position(|month| name.eq_ignore_ascii_case(month.as_bytes()))
}

fn is_leap_year(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u32, month: usize) -> u32 {
    match month {
        1 if is_leap_year(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// `None` before 1970.
fn days_since_1970(year: u32, month: usize, day: u32) -> Option<u64> {
    let past = year.checked_sub(1970)?;
    let leap_days = |year: u32| year / 4 - year / 100 + year / 400;
    let months = (0..month).map(|month| days_in_month(year, month));
    let days = past * 365 + leap_days(year - 1) - leap_days(1969) + months.sum::<u32>() + day - 1;
    Some(u64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        let time = parse_cookie_date(text.as_bytes())?;
        Some(time.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn a_date_may_have_its_parts_in_any_form_and_order() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 6 Nov 1994 8:49:37 UTC",
            "6 november 94 08:49:37",
            "08:49:37 6 Nov 1994",
            "1994 nothing 08:49:37xyz Nov 6th",
            "Nov/6/1994 8:49:37 PM +0000",
            "Sun,06\tNov\t1994\t08:49:37",
            "Sun, 06 Nov 1994 08:49:37 08:00:00 7 Dec 1995",
        ] {
            let expected = match text.starts_with("1994") {
                // The first number of one or two digits is the day.
                true => seconds("6 Nov 1994 08:49:37"),
                false => Some(784_111_777),
            };
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn years_of_two_digits_are_from_1970_to_2069() {
        assert_eq!(seconds("1 Jan 70 00:00:00"), Some(0));
        assert_eq!(seconds("1 Jan 1969 00:00:00"), Some(0));
        assert_eq!(seconds("1 Jan 69 00:00:00"), seconds("1 Jan 2069 00:00:00"));
        assert_eq!(seconds("1 Jan 99 00:00:00"), seconds("1 Jan 1999 00:00:00"));
        assert_eq!(seconds("29 Feb 2000 00:00:00"), Some(951_782_400));
        assert_eq!(seconds("31 Dec 2023 23:59:59"), Some(1_704_067_199));
    }

    #[test]
    fn what_lacks_a_part_or_does_not_exist_is_no_date() {
        for text in [
            "",
            "0",
            "Nov 1994 08:49:37",
            "6 1994 08:49:37",
            "6 Nov 08:49:37",
            "6 Nov 1994",
            "6 Nov 1994 08:49",
            "6 Nov 1600 08:49:37",
            "31 Feb 1994 08:49:37",
            "29 Feb 1900 08:49:37",
            "32 Jan 1994 08:49:37",
            "0 Jan 1994 08:49:37",
            "6 Nov 1994 24:49:37",
            "6 Nov 1994 08:60:37",
            "6 Nov 1994 08:49:60",
            "6 Nov 1994 108:49:37",
            "6 Nov 19945 08:49:37",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
