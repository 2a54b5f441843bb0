//! The numbers of a run, as a line shows them.

use std::fmt::Write as _;
use std::time::Duration;

/// What is told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) done: u64,
    pub(crate) elapsed: Duration,
    pub(crate) in_flight: u64,
    /// How long it still needs, as far as that can be said.
    pub(crate) left: Option<Duration>,
    pub(crate) ok: u64,
    /// How many ended each second of late.
    pub(crate) rate: f64,
    pub(crate) retries: u64,
    /// How many there will be, once that is known.
    pub(crate) total: Option<u64>,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failed = self.done - self.ok;
        match self.total {
            Some(total) => write!(f, "{} of {total}", self.done)?,
            None => write!(f, "{} done", self.done)?,
        }
        write!(
            f,
            " · {:.0}/s · {} ok · {failed} failed · {} retries · {} in flight",
            self.rate, self.ok, self.retries, self.in_flight
        )?;
        match (self.total, self.left) {
            (Some(_), Some(left)) => write!(f, " · {} left", Left(left)),
            _ => Ok(()),
        }
    }
}

/// A time to wait for, as exact as it can be known.
pub(crate) struct Left(pub(crate) Duration);

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    fn the_time_left_is_told_once_all_is_read_and_is_not_too_exact() {
        let mut counts = Counts {
            done: 5,
            left: Some(Duration::from_millis(90_400)),
            ok: 3,
            rate: 1.6,
            ..Counts::default()
        };
        let text = counts.to_string();
        assert!(text.starts_with("5 done · 2/s · 3 ok · 2 failed"), "{text}");
        assert!(!text.contains("left"), "{text}");
        counts.total = Some(9);
        let text = counts.to_string();
        assert!(text.starts_with("5 of 9 · "), "{text}");
        assert!(text.ends_with(" · 90 s left"), "{text}");
        let left = |seconds| Left(Duration::from_secs(seconds)).to_string();
        let all = [left(600), left(9_000), left(864_000), left(u64::MAX)];
        assert_eq!(all, ["10 min", "2.5 h", "10 days", "years"]);
    }
}
