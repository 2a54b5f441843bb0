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

impl fmt::Display for ProgressCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.done - self.ok;
        match self.total {
            Some(total) => write!(f, "{} of {total}", self.done)?,
            None => write!(f, "{} done", self.done)?,
        }
        write!(
            f,
            " · {:.0}/s · {} ok · {failed} failed · {} · {} in flight",
            self.rate,
            self.ok,
            plural(self.retries, "retry", "retries"),
            self.in_flight
        )?;
        match (self.total, self.time_left) {
            (Some(_), Some(left)) => write!(f, " · {} left", TimeLeft(left)),
            _ => Ok(()),
        }
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
