//! Statistics of a batch of fetches.

mod display;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::model::failure::TimeLimit;
use crate::model::outcome::{FetchError, FetchOutcome};
use crate::stats::histogram::DurationHistogram;

/// The figures of one fetch, for [`BatchStats::record`].
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{SampleEnd, FetchSample};
///
/// let sample = FetchSample::new(SampleEnd::Status(200), Duration::from_millis(80)).retries(1);
/// assert_eq!(sample.attempts, 1);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FetchSample {
    /// How it ended.
    pub end: SampleEnd,
    /// Requests sent: the first, retries, hedges, and one for each redirect followed.
    pub attempts: u32,
    /// Attempts that repeated an earlier one.
    pub retries: u32,
    /// Redirects followed.
    pub redirects: u32,
    /// Size of the decoded body in bytes.
    pub bytes: u64,
    /// Time from the first attempt's dispatch to the end.
    pub total: Duration,
    /// Time from the last attempt's dispatch to the first byte of its response, if there was one.
    pub first_byte: Option<Duration>,
}

impl FetchSample {
    /// A fetch with one attempt, without a body.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{SampleEnd, FetchSample};
    /// assert_eq!(FetchSample::new(SampleEnd::Cancelled, Duration::ZERO).bytes, 0);
    /// ```
    #[must_use]
    pub const fn new(end: SampleEnd, total: Duration) -> Self {
        let (retries, redirects, bytes, first_byte) = (0, 0, 0, None);
        Self {
            end,
            attempts: 1,
            retries,
            redirects,
            bytes,
            total,
            first_byte,
        }
    }

    /// Sets the number of requests sent.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{FetchSample, SampleEnd};
    /// let sample = FetchSample::new(SampleEnd::Status(200), Duration::from_millis(80)).attempts(2);
    /// ```
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the number of retries.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{FetchSample, SampleEnd};
    /// let sample = FetchSample::new(SampleEnd::Status(200), Duration::from_millis(80)).retries(1);
    /// ```
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the number of redirects followed.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{FetchSample, SampleEnd};
    /// let sample = FetchSample::new(SampleEnd::Status(200), Duration::from_millis(80)).redirects(1);
    /// ```
    #[must_use]
    pub const fn redirects(mut self, redirects: u32) -> Self {
        self.redirects = redirects;
        self
    }

    /// Sets the size of the decoded body in bytes.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{FetchSample, SampleEnd};
    /// let sample = FetchSample::new(SampleEnd::Status(200), Duration::from_millis(80)).bytes(512);
    /// ```
    #[must_use]
    pub const fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the time to the first byte of the last response.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{FetchSample, SampleEnd};
    /// let sample = FetchSample::new(SampleEnd::Status(200), Duration::from_millis(80)).first_byte(Duration::from_millis(20));
    /// ```
    #[must_use]
    pub fn first_byte(mut self, first_byte: impl Into<Option<Duration>>) -> Self {
        self.first_byte = first_byte.into();
        self
    }
}

/// How a fetch ended, as counted by [`BatchStats`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SampleEnd {
    /// The caller cancelled it.
    Cancelled,
    /// It failed; the name is one of [`FetchError::as_str`](crate::FetchError::as_str).
    Failed(&'static str),
    /// It received a response with this status; 400 and above count as HTTP errors.
    Status(u16),
    /// It exceeded this time limit.
    TimedOut(TimeLimit),
}

/// Statistics of a batch: results, requests sent, bytes, and times.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{BatchStats, SampleEnd, FailureKind, FetchSample};
///
/// let mut stats = BatchStats::default();
/// stats.record(&FetchSample::new(SampleEnd::Status(200), Duration::from_millis(80)));
/// stats.record(&FetchSample::new(SampleEnd::Failed(FailureKind::Resolve.as_str()), Duration::from_millis(5)));
/// assert_eq!((stats.succeeded(), stats.failed("dns")), (1, 1));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BatchStats {
    succeeded: u64,
    http_errors: u64,
    failed: BTreeMap<&'static str, u64>,
    timed_out: BTreeMap<&'static str, u64>,
    cancelled: u64,
    attempts: u64,
    retries: u64,
    redirects: u64,
    bytes: u64,
    total: DurationHistogram,
    first_byte: DurationHistogram,
}

impl BatchStats {
    /// Adds one fetch.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{BatchStats, SampleEnd, FetchSample};
    /// let mut stats = BatchStats::default();
    /// stats.record(&FetchSample::new(SampleEnd::Status(404), Duration::from_millis(80)));
    /// assert_eq!(stats.http_errors(), 1);
    /// ```
    pub fn record(&mut self, sample: &FetchSample) {
        *match sample.end {
            SampleEnd::Cancelled => &mut self.cancelled,
            SampleEnd::Failed(kind) => self.failed.entry(kind).or_default(),
            SampleEnd::Status(400..) => &mut self.http_errors,
            SampleEnd::Status(_) => &mut self.succeeded,
            SampleEnd::TimedOut(limit) => self.timed_out.entry(name(limit)).or_default(),
        } += 1;
        self.attempts += u64::from(sample.attempts);
        self.retries += u64::from(sample.retries);
        self.redirects += u64::from(sample.redirects);
        self.bytes = self.bytes.saturating_add(sample.bytes);
        self.total.record(sample.total);
        if let Some(first_byte) = sample.first_byte {
            self.first_byte.record(first_byte);
        }
    }

    /// Adds all fetches of `other`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{BatchStats, SampleEnd, FetchSample};
    /// let mut one = BatchStats::default();
    /// one.record(&FetchSample::new(SampleEnd::Status(200), Duration::from_millis(80)));
    /// let mut both = one.clone();
    /// both.merge(&one);
    /// assert_eq!(both.succeeded(), 2);
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.http_errors += other.http_errors;
        for (kind, count) in &other.failed {
            *self.failed.entry(kind).or_default() += count;
        }
        for (limit, count) in &other.timed_out {
            *self.timed_out.entry(limit).or_default() += count;
        }
        self.cancelled += other.cancelled;
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.redirects += other.redirects;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.total.merge(&other.total);
        self.first_byte.merge(&other.first_byte);
    }

    /// Number of fetches.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().count(), 0);
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total.count()
    }

    /// Number of fetches with a status below 400.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().succeeded(), 0);
    /// ```
    #[must_use]
    pub fn succeeded(&self) -> u64 {
        self.succeeded
    }

    /// Number of fetches with a status of 400 or above.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().http_errors(), 0);
    /// ```
    #[must_use]
    pub fn http_errors(&self) -> u64 {
        self.http_errors
    }

    /// Number of fetches that failed with this kind of error.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().failed("dns"), 0);
    /// ```
    #[must_use]
    pub fn failed(&self, kind: &str) -> u64 {
        self.failed.get(kind).copied().unwrap_or(0)
    }

    /// Number of failed fetches per kind of error, by name.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().failures().count(), 0);
    /// ```
    pub fn failures(&self) -> impl ExactSizeIterator<Item = (&'static str, u64)> + '_ {
        self.failed.iter().map(|(kind, count)| (*kind, *count))
    }

    /// Number of fetches that exceeded this time limit.
    ///
    /// ```
    /// use fetch_proto::{BatchStats, TimeLimit};
    /// assert_eq!(BatchStats::default().timed_out(TimeLimit::Total), 0);
    /// ```
    #[must_use]
    pub fn timed_out(&self, limit: TimeLimit) -> u64 {
        self.timed_out.get(name(limit)).copied().unwrap_or(0)
    }

    /// Number of timed out fetches per time limit, by name.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().timeouts().count(), 0);
    /// ```
    pub fn timeouts(&self) -> impl ExactSizeIterator<Item = (&'static str, u64)> + '_ {
        self.timed_out.iter().map(|(limit, count)| (*limit, *count))
    }

    /// Number of cancelled fetches.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().cancelled(), 0);
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> u64 {
        self.cancelled
    }

    /// Number of requests sent: [`AttemptReport::is_request_sent`](crate::AttemptReport::is_request_sent).
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().attempts(), 0);
    /// ```
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Number of requests that were retries.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().retries(), 0);
    /// ```
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// Number of redirects followed.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().redirects(), 0);
    /// ```
    #[must_use]
    pub fn redirects(&self) -> u64 {
        self.redirects
    }

    /// Total size of the decoded bodies in bytes.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().bytes(), 0);
    /// ```
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Times from each fetch's first dispatch to its end.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().total().max(), None);
    /// ```
    #[must_use]
    pub fn total(&self) -> &DurationHistogram {
        &self.total
    }

    /// Times from the last attempt's dispatch to the first byte, for fetches with a response.
    ///
    /// ```
    /// assert_eq!(fetch_proto::BatchStats::default().first_byte().count(), 0);
    /// ```
    #[must_use]
    pub fn first_byte(&self) -> &DurationHistogram {
        &self.first_byte
    }
}

fn name(limit: TimeLimit) -> &'static str {
    match limit {
        TimeLimit::Attempt => "attempt",
        TimeLimit::Connect => "connect",
        TimeLimit::FirstByte => "first_byte",
        TimeLimit::Hook => "hook",
        TimeLimit::IdleRead => "idle_read",
        TimeLimit::Queue => "queue",
        TimeLimit::Throughput => "throughput",
        TimeLimit::Total => "total",
    }
}

impl From<&FetchOutcome> for FetchSample {
    fn from(outcome: &FetchOutcome) -> Self {
        let last = outcome.last_attempt();
        let attempts = outcome.attempts.iter();
        let sent = attempts.filter(|one| one.is_request_sent()).count();
        Self {
            end: match outcome.result {
                Ok(finish) => SampleEnd::Status(finish.status),
                Err(FetchError::Cancelled) => SampleEnd::Cancelled,
                Err(FetchError::TimedOut(limit)) => SampleEnd::TimedOut(limit),
                Err(error) => SampleEnd::Failed(error.as_str()),
            },
            attempts: u32::try_from(sent).unwrap_or(u32::MAX),
            retries: u32::from(outcome.retries),
            redirects: u32::from(outcome.redirects),
            bytes: outcome.result.map_or(0, |finish| finish.bytes),
            total: outcome.timings.active(),
            first_byte: last
                .and_then(|last| Some(last.timings.head?.saturating_since(last.timings.started))),
        }
    }
}
