//! A histogram of durations in bounded memory.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::model::text::ShortDuration;
use crate::model::time::nanos;

// Published histogram crates need `std` or floating point.

/// Buckets per power of two: with 64, the middle of a bucket is within 1/128 of every value in it.
const SUB: u64 = 1 << SUB_BITS;
const SUB_BITS: u32 = 6;

/// A histogram of durations, such as the times of all fetches of a batch.
///
/// Memory depends on the longest duration only: 12 KiB for one second, at most 30 KiB, none before
/// the first value. Percentiles are within 1 % of the exact ones; count, minimum, maximum and mean
/// are exact. Durations over 584 years count as 584 years.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::DurationHistogram;
///
/// let mut histogram = DurationHistogram::default();
/// (1..=100).for_each(|ms| histogram.record(Duration::from_millis(ms)));
/// let p90 = histogram.percentile(9_000).unwrap();
/// assert!(p90.abs_diff(Duration::from_millis(90)) < Duration::from_micros(900));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(into = "HistogramSummary"))]
pub struct DurationHistogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl DurationHistogram {
    /// Adds one duration.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let mut histogram = fetch_proto::DurationHistogram::default();
    /// histogram.record(Duration::from_millis(5));
    /// assert_eq!(histogram.count(), 1);
    /// ```
    pub fn record(&mut self, duration: Duration) {
        let value = nanos(duration);
        let index = bucket_index(value);
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, 0);
        }
        self.buckets[index] += 1;
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.sum += u128::from(value);
        self.count += 1;
    }

    /// Adds all durations of `other`.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::DurationHistogram;
    /// let (mut a, mut b) = (DurationHistogram::default(), DurationHistogram::default());
    /// a.record(Duration::from_millis(1));
    /// b.record(Duration::from_millis(3));
    /// a.merge(&b);
    /// assert_eq!(a.mean(), Some(Duration::from_millis(2)));
    /// ```
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.min = if self.count == 0 {
            other.min
        } else {
            self.min.min(other.min)
        };
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.count += other.count;
    }

    /// The duration that `p` ten-thousandths of all durations do not exceed, within 1 %: 5000 for
    /// the median, 9990 for p99.9. Above 10 000 counts as 10 000, the maximum. `None` if empty.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let mut histogram = fetch_proto::DurationHistogram::default();
    /// assert_eq!(histogram.percentile(5_000), None);
    /// histogram.record(Duration::from_secs(3));
    /// assert_eq!(histogram.percentile(5_000), Some(Duration::from_secs(3)));
    /// ```
    #[must_use]
    pub fn percentile(&self, p: u32) -> Option<Duration> {
        let rank = (u128::from(self.count) * u128::from(p.min(10_000)))
            .div_ceil(10_000)
            .max(1);
        if rank >= u128::from(self.count) {
            return self.max();
        }
        let mut cumulative = 0;
        let index = self.buckets.iter().position(|count| {
            cumulative += u128::from(*count);
            cumulative >= rank
        })?;
        Some(Duration::from_nanos(
            bucket_middle(index).clamp(self.min, self.max),
        ))
    }

    /// The exact minimum; `None` if empty.
    ///
    /// ```
    /// assert_eq!(fetch_proto::DurationHistogram::default().min(), None);
    /// ```
    #[must_use]
    pub fn min(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(self.min))
    }

    /// The exact maximum; `None` if empty.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let mut histogram = fetch_proto::DurationHistogram::default();
    /// histogram.record(Duration::from_nanos(123_456_789));
    /// assert_eq!(histogram.max(), Some(Duration::from_nanos(123_456_789)));
    /// ```
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(self.max))
    }

    /// The arithmetic mean, rounded down to a nanosecond; `None` if empty.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let mut histogram = fetch_proto::DurationHistogram::default();
    /// [1, 2, 6].map(|s| histogram.record(Duration::from_secs(s)));
    /// assert_eq!(histogram.mean(), Some(Duration::from_secs(3)));
    /// ```
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let mean = self.sum.checked_div(self.count.into())?;
        Some(Duration::from_nanos(mean as u64))
    }

    /// Number of durations recorded.
    ///
    /// ```
    /// assert_eq!(fetch_proto::DurationHistogram::default().count(), 0);
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Non-empty buckets, shortest first: the middle of the bucket, within 1 % of its durations, and
    /// their number.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let mut histogram = fetch_proto::DurationHistogram::default();
    /// [40, 7, 7].map(|ns| histogram.record(Duration::from_nanos(ns)));
    /// let buckets: Vec<_> = histogram.buckets().collect();
    /// assert_eq!(buckets, [(Duration::from_nanos(7), 2), (Duration::from_nanos(40), 1)]);
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let buckets = self.buckets.iter().enumerate();
        let used = buckets.filter(|(_, count)| **count > 0);
        used.map(|(index, count)| (Duration::from_nanos(bucket_middle(index)), *count))
    }

    /// The usual figures; all zero if empty.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let mut histogram = fetch_proto::DurationHistogram::default();
    /// histogram.record(Duration::from_millis(12));
    /// assert_eq!(histogram.summary().to_string(), "p50 12 ms, p90 12 ms, p99 12 ms, max 12 ms");
    /// ```
    #[must_use]
    pub fn summary(&self) -> HistogramSummary {
        let percentile = |p| self.percentile(p).unwrap_or_default();
        HistogramSummary {
            count: self.count,
            min: self.min().unwrap_or_default(),
            mean: self.mean().unwrap_or_default(),
            p50: percentile(5_000),
            p90: percentile(9_000),
            p99: percentile(9_900),
            p999: percentile(9_990),
            max: self.max().unwrap_or_default(),
        }
    }
}

/// The figures of [`DurationHistogram::summary`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct HistogramSummary {
    /// Number of durations.
    pub count: u64,
    /// Exact minimum.
    pub min: Duration,
    /// Exact arithmetic mean.
    pub mean: Duration,
    /// Median, within 1 %.
    pub p50: Duration,
    /// 90th percentile, within 1 %.
    pub p90: Duration,
    /// 99th percentile, within 1 %.
    pub p99: Duration,
    /// 99.9th percentile, within 1 %.
    pub p999: Duration,
    /// Exact maximum.
    pub max: Duration,
}

impl From<DurationHistogram> for HistogramSummary {
    fn from(histogram: DurationHistogram) -> Self {
        histogram.summary()
    }
}

impl fmt::Display for HistogramSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, max] = [self.p50, self.p90, self.p99, self.max].map(ShortDuration);
        write!(f, "p50 {p50}, p90 {p90}, p99 {p99}, max {max}")
    }
}

/// Index of the bucket of `value`: below 64 one bucket per value, then 64 per power of two.
fn bucket_index(value: u64) -> usize {
    let shift = (value | SUB).ilog2() - SUB_BITS;
    let bucket = u64::from(shift) * SUB + (value >> shift);
    bucket as usize
}

/// The middle of a bucket: the inverse of [`bucket_index`].
fn bucket_middle(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index / SUB).saturating_sub(1);
    let low = (index - shift * SUB) << shift;
    low + ((1_u64 << shift) >> 1)
}
