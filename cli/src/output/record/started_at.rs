//! The start of a fetch, as text and as a number.

use std::cell::Cell;
use std::fmt;
use std::time::SystemTime;

use serde::ser::{Serialize, Serializer};

/// A wall-clock time, written as RFC 3339 in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct StartedAt(pub(crate) SystemTime);

impl fmt::Display for StartedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::try_from(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => Ok(()),
        }
    }
}

/// A second and its text, `2026-11-26T18:33:52`.
type FormattedSecond = (i64, [u8; 19]);

thread_local! {
    /// The latest one of this thread: thousands of consecutive records share a second.
    static LAST_SECOND: Cell<Option<FormattedSecond>> = const { Cell::new(None) };
}

impl StartedAt {
    /// Microseconds since 1970.
    pub(in crate::output) fn micros(self) -> i64 {
        jiff::Timestamp::try_from(self.0).map_or(0, |at| at.as_microsecond())
    }

    /// Its text; `None` if the year is out of range.
    pub(super) fn with_text<R>(&self, f: impl FnOnce(Option<&str>) -> R) -> R {
        let Ok(at) = jiff::Timestamp::try_from(self.0) else {
            return f(None);
        };
        let (second, nanos) = (at.as_second(), at.subsec_nanosecond());
        let cached = LAST_SECOND.get().filter(|(cached, _)| *cached == second);
        let Some((_, prefix)) = cached.filter(|_| nanos >= 0) else {
            let text = format!("{at:.3}");
            if let Some(prefix) = text.as_bytes().first_chunk().filter(|_| text.len() == 24) {
                LAST_SECOND.set(Some((second, *prefix)));
            }
            return f(Some(&text));
        };
        let mut text = *b"2026-11-26T18:33:52.000Z";
        text[..19].copy_from_slice(&prefix);
        let mut millis = nanos / 1_000_000;
        for digit in text[20..23].iter_mut().rev() {
            *digit = b'0' + (millis % 10) as u8;
            millis /= 10;
        }
        f(std::str::from_utf8(&text).ok())
    }
}

impl Serialize for StartedAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| text.serialize(serializer))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_cached_second_does_not_change_the_date() {
        let base = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_718_032);
        for millis in [840, 0, 7, 999, 1_000, 59_999, 60_001, 840] {
            let at = base + Duration::from_micros(millis * 1_000 + 999);
            for _ in 0..2 {
                let text = StartedAt(at).with_text(|text| text.map(str::to_owned));
                assert_eq!(text, Some(StartedAt(at).to_string()));
            }
        }
        let ancient = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        let text = StartedAt(ancient).with_text(|text| text.map(str::to_owned));
        assert_eq!(text.as_deref(), Some("1969-12-31T23:59:59.999Z"));
    }
}
