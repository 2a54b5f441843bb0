//! The progress of a run in numbers, and as a line.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::display::plural;

/// The progress of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProgressCounts {
    pub(crate) done: u64,
    pub(crate) elapsed: Duration,
    pub(crate) in_flight: u64,
    pub(crate) ok: u64,
    /// Fetches per second, over the last seconds.
    pub(crate) rate: f64,
    pub(crate) retries: u64,
    /// An estimate; `None` while it is unknown.
    pub(crate) time_left: Option<Duration>,
    /// The number of all URLs, once it is known.
    pub(crate) total: Option<u64>,
}

impl ProgressCounts {
    /// The counts as a line of at most this many characters, if that is possible: what matters least is
    /// left out.
    pub(crate) fn fit(&self, width: usize) -> String {
        let failed = self.done - self.ok;
        let mut parts = vec![match self.total {
            Some(total) => format!("{} of {total}", self.done),
            None => format!("{} done", self.done),
        }];
        parts.push(format!("{:.0}/s", self.rate));
        parts.push(format!("{} ok", self.ok));
        parts.push(format!("{failed} failed"));
        parts.push(plural(self.retries, "retry", "retries"));
        parts.push(format!("{} in flight", self.in_flight));
        if let (Some(_), Some(left)) = (self.total, self.time_left) {
            parts.push(format!("{} left", TimeLeft(left)));
        }
        // What is left out: requests in flight, retries, the rate, successes. Each index is that after
        // the earlier removals.
        for index in [5, 4, 1, 1] {
            let length = parts.iter().map(|part| part.chars().count() + 3);
            if length.sum::<usize>() <= width + 3 {
                break;
            }
            parts.remove(index);
        }
        parts.join(" · ")
    }
}

impl fmt::Display for ProgressCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fit(usize::MAX - 3))
    }
}

/// An estimated time, in few digits.
pub(crate) struct TimeLeft(pub(crate) Duration);

impl fmt::Display for TimeLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let mut text = String::new();
        let _ = match seconds {
            ..=99.0 => write!(text, "{seconds:.0} s"),
            ..=5_940.0 => write!(text, "{:.0} min", seconds / 60.0),
            ..=172_800.0 => write!(text, "{:.1} h", seconds / 3_600.0),
            ..=8.64e7 => write!(text, "{:.0} days", seconds / 86_400.0),
            _ => write!(text, "years"),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_line_leaves_out_what_matters_least() {
        let counts = ProgressCounts {
            done: 1_234_567,
            in_flight: 100,
            ok: 1_200_000,
            rate: 1234.0,
            retries: 12_345,
            time_left: Some(Duration::from_secs(9_000)),
            total: Some(2_000_000),
            ..ProgressCounts::default()
        };
        let all = "1234567 of 2000000 · 1234/s · 1200000 ok · 34567 failed · 12345 retries · \
                   100 in flight · 2.5 h left";
        for (width, left_out) in [
            (100, &[][..]),
            (99, &["100 in flight"]),
            (83, &["100 in flight", "12345 retries"]),
            (59, &["100 in flight", "12345 retries", "1234/s"]),
            (
                10,
                &["100 in flight", "12345 retries", "1234/s", "1200000 ok"],
            ),
        ] {
            let parts = all.split(" · ").filter(|part| !left_out.contains(part));
            let expected = parts.collect::<Vec<_>>().join(" · ");
            assert_eq!(counts.fit(width), expected, "{width}");
        }
    }

    #[test]
    fn the_time_left_is_shown_once_the_total_is_known() {
        let mut counts = ProgressCounts {
            done: 5,
            time_left: Some(Duration::from_millis(90_400)),
            ok: 3,
            rate: 1.6,
            ..ProgressCounts::default()
        };
        let text = counts.to_string();
        assert!(text.starts_with("5 done · 2/s · 3 ok · 2 failed"), "{text}");
        assert!(!text.contains("left"), "{text}");
        counts.total = Some(9);
        let text = counts.to_string();
        assert!(text.starts_with("5 of 9 · "), "{text}");
        assert!(text.ends_with(" · 90 s left"), "{text}");
        let left = |seconds| TimeLeft(Duration::from_secs(seconds)).to_string();
        let all = [left(600), left(9_000), left(864_000), left(u64::MAX)];
        assert_eq!(all, ["10 min", "2.5 h", "10 days", "years"]);
    }
}
