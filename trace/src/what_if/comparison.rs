//! Compares the recorded run with simulated runs of the same fetches.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fetch_proto::{BatchStats, FetchError, FetchOutcome, FetchSample, Timestamp};
use serde::{Serialize, Serializer};

use crate::reader::TraceEnd;

/// The recorded run beside the same run under other settings, as a range from optimistic to pessimistic
/// assumptions. `Display` writes a table.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RunComparison {
    /// How the trace ends. A missing part is not compared.
    pub ending: TraceEnd,
    /// Whether the trace replayed identically. If not, the figures cannot be trusted.
    pub faithful: bool,
    /// The run under optimistic assumptions.
    pub optimistic: RunTotals,
    /// The run under pessimistic assumptions.
    pub pessimistic: RunTotals,
    /// Fetches whose recorded policy was selected by a secret. The secret is not in the trace, so the
    /// rules see the URL without it in the simulated runs.
    pub pinned: u64,
    /// The recorded run.
    pub recorded: RunTotals,
    /// Fetches whose outcome depends on an attempt that is not in the trace.
    pub unseen: u64,
}

/// Totals of a run.
#[derive(Clone, Debug, Default)]
pub struct RunTotals {
    first_submitted: Option<Timestamp>,
    last_ended: Option<Timestamp>,
    failed: BTreeMap<String, u64>,
    stats: BatchStats,
}

impl RunTotals {
    pub(super) fn record(&mut self, outcome: &FetchOutcome, now: Timestamp) {
        let submitted = outcome.timings.submitted;
        self.first_submitted = Some(
            self.first_submitted
                .map_or(submitted, |first_submitted| first_submitted.min(submitted)),
        );
        self.last_ended = Some(self.last_ended.map_or(now, |ended| ended.max(now)));
        self.stats.record(&FetchSample::from(outcome));
        let kind = match outcome.result {
            Ok(finish) if finish.status >= 400 => format!("status {}", finish.status),
            Ok(_) => return,
            Err(FetchError::TimedOut(limit)) => format!("{limit} timeout"),
            Err(error) => error.as_str().to_owned(),
        };
        *self.failed.entry(kind).or_default() += 1;
    }

    /// Counts, percentiles and other statistics of the run.
    ///
    /// ```
    /// assert_eq!(fetch_trace::RunTotals::default().stats().count(), 0);
    /// ```
    #[must_use]
    pub fn stats(&self) -> &BatchStats {
        &self.stats
    }

    /// Fetches without a response, or with one of status 400 or above, by kind.
    ///
    /// ```
    /// assert_eq!(fetch_trace::RunTotals::default().failed().count(), 0);
    /// ```
    pub fn failed(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.failed
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
    }

    /// Attempts per 1,000 fetches: the load on the servers.
    ///
    /// ```
    /// assert_eq!(fetch_trace::RunTotals::default().amplification(), None);
    /// ```
    #[must_use]
    pub fn amplification(&self) -> Option<u64> {
        let sent = self.stats.attempts().checked_mul(1000)?;
        sent.checked_div(self.stats.count())
    }

    /// Time from the first submission to the last outcome.
    ///
    /// ```
    /// assert_eq!(fetch_trace::RunTotals::default().took(), std::time::Duration::ZERO);
    /// ```
    #[must_use]
    pub fn took(&self) -> Duration {
        match (self.first_submitted, self.last_ended) {
            (Some(first_submitted), Some(ended)) => ended.saturating_since(first_submitted),
            _ => Duration::ZERO,
        }
    }

    /// Percentile of the time from a fetch's first attempt to its end, in ten-thousandths: 9,900 is the
    /// 99th percentile.
    ///
    /// ```
    /// assert_eq!(fetch_trace::RunTotals::default().percentile(9_900), None);
    /// ```
    #[must_use]
    pub fn percentile(&self, p: u32) -> Option<Duration> {
        self.stats.total().percentile(p)
    }

    fn failed_count(&self, kind: &str) -> u64 {
        self.failed.get(kind).copied().unwrap_or(0)
    }
}

/// Percentiles in the table and in JSON, in ten-thousandths.
const PERCENTILES: [(&str, u32); 4] = [
    ("p50", 5_000),
    ("p90", 9_000),
    ("p99", 9_900),
    ("max", 10_000),
];

impl Serialize for RunTotals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct SerializedTotals<'a> {
            fetches: u64,
            succeeded: u64,
            failed: &'a BTreeMap<String, u64>,
            attempts: u64,
            attempts_per_1000: Option<u64>,
            retries: u64,
            seconds: f64,
            fetch_seconds: BTreeMap<&'static str, Option<f64>>,
        }
        let percentile =
            |(name, p): &(_, u32)| (*name, self.percentile(*p).map(|d| d.as_secs_f64()));
        let data = SerializedTotals {
            fetches: self.stats.count(),
            succeeded: self.stats.succeeded(),
            failed: &self.failed,
            attempts: self.stats.attempts(),
            attempts_per_1000: self.amplification(),
            retries: self.stats.retries(),
            seconds: self.took().as_secs_f64(),
            fetch_seconds: PERCENTILES.iter().map(percentile).collect(),
        };
        data.serialize(serializer)
    }
}

impl fmt::Display for RunComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<22} {:>12}   what if", "", "recorded")?;
        self.write_row(f, "fetches", |totals| totals.stats.count(), u64::to_string)?;
        self.write_row(
            f,
            "succeeded",
            |totals| totals.stats.succeeded(),
            u64::to_string,
        )?;
        let mut kinds: Vec<&str> = [&self.recorded, &self.optimistic, &self.pessimistic]
            .into_iter()
            .flat_map(|totals| totals.failed.keys().map(String::as_str))
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            self.write_row(
                f,
                &format!("  {kind}"),
                |totals| totals.failed_count(kind),
                u64::to_string,
            )?;
        }
        self.write_row(
            f,
            "attempts",
            |totals| totals.stats.attempts(),
            u64::to_string,
        )?;
        let amplification = |totals: &RunTotals| totals.amplification().unwrap_or(0);
        self.write_row(f, "attempts per fetch", amplification, |n| {
            format!("{}.{:03}", n / 1000, n % 1000)
        })?;
        self.write_row(f, "total time", RunTotals::took, format_seconds)?;
        for (name, p) in PERCENTILES {
            let percentile = |totals: &RunTotals| totals.percentile(p).unwrap_or_default();
            self.write_row(f, &format!("fetch time {name}"), percentile, format_seconds)?;
        }
        self.write_notes(f)
    }
}

impl RunComparison {
    /// Writes how far the figures can be trusted.
    fn write_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} outcomes depend on attempts that are not in the trace",
            self.unseen,
            self.optimistic
                .stats
                .count()
                .max(self.pessimistic.stats.count())
        )?;
        if self.pinned > 0 {
            let note =
                "fetches had a policy that was selected by a secret, which is not in the trace";
            write!(f, "\n{} {note}", self.pinned)?;
        }
        if !self.faithful {
            f.write_str("\nthe trace does not replay identically: do not trust these figures")?;
        }
        match self.ending {
            TraceEnd::Complete => Ok(()),
            ending => write!(
                f,
                "\nthe trace is {ending}: the rest of the run is not known"
            ),
        }
    }

    /// Writes one figure of each run.
    fn write_row<T: Ord + Copy>(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        pick: impl Fn(&RunTotals) -> T,
        show: impl Fn(&T) -> String,
    ) -> fmt::Result {
        let (a, b) = (pick(&self.optimistic), pick(&self.pessimistic));
        let (low, high) = (a.min(b), a.max(b));
        write!(
            f,
            "{name:<22} {:>12}   {}",
            show(&pick(&self.recorded)),
            show(&low)
        )?;
        if low != high {
            write!(f, " – {}", show(&high))?;
        }
        writeln!(f)
    }
}

fn format_seconds(time: &Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
