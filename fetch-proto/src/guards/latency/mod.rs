//! Percentiles of recent latencies.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// Distribution of recent latencies, for hedging.
///
/// Two histograms rotate: one records, the other is read; after each `period` they swap and the
/// older one is cleared (as in tower's hedge, `RotatingHistogram`). Results are therefore at most
/// two periods old and stay constant within a period.
///
/// Memory is at most 2 × 712 bytes, independent of the number of samples, and none before the
/// first. [`DurationHistogram`](crate::DurationHistogram) is more precise, but its up to 30 KiB are too much per
/// host.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{RecentLatency, Timestamp};
///
/// let mut recent = RecentLatency::default();
/// let now = Timestamp::START;
/// (1..=100).for_each(|ms| recent.record(Duration::from_millis(ms), now));
/// let p95 = recent.quantile(950, now).unwrap();
/// assert!(Duration::from_millis(95) <= p95 && p95 <= Duration::from_millis(100));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct RecentLatency {
    /// Samples of the current period.
    current: LatencyBuckets,
    min_count: NonZeroU32,
    period: Duration,
    /// Samples of the last full period.
    previous: LatencyBuckets,
    /// Start of the current period.
    period_start: Timestamp,
}

impl RecentLatency {
    /// Rotates every `period` (zero counts as 1 ns), and gives no quantile from fewer than
    /// `min_count` samples (0 counts as 1). Default: 30 s and 20 samples, of which p95 is the second
    /// longest.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{RecentLatency, Timestamp};
    ///
    /// let mut recent = RecentLatency::new(Duration::from_secs(10), 2);
    /// recent.record(Duration::from_millis(7), Timestamp::START);
    /// assert_eq!(recent.quantile(500, Timestamp::START), None, "one is too few");
    /// ```
    #[must_use]
    pub fn new(period: Duration, min_count: u32) -> Self {
        Self {
            current: LatencyBuckets::default(),
            min_count: NonZeroU32::new(min_count).unwrap_or(NonZeroU32::MIN),
            period: period.max(Duration::from_nanos(1)),
            previous: LatencyBuckets::default(),
            period_start: Timestamp::START,
        }
    }

    /// Records a duration that ended at `now`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{RecentLatency, Timestamp};
    ///
    /// let mut recent = RecentLatency::new(Duration::from_secs(10), 1);
    /// recent.record(Duration::from_millis(7), Timestamp::START);
    /// assert_eq!(recent.quantile(500, Timestamp::START), Some(Duration::from_millis(7)));
    /// ```
    pub fn record(&mut self, duration: Duration, now: Timestamp) {
        match self.elapsed_periods(now) {
            0 => {}
            1 => {
                core::mem::swap(&mut self.current, &mut self.previous);
                self.current.clear();
                self.period_start = self.period_start + self.period;
            }
            _ => {
                self.current.clear();
                self.previous.clear();
                self.period_start = now;
            }
        }
        self.current.record(nanos(duration));
    }

    /// The duration that `per_mille` thousandths of the recent samples do not exceed: 950 for p95.
    /// Above 1000 counts as 1000.
    ///
    /// Evaluates the last full period, or the current one while the last has too few samples; `None`
    /// if both have too few. From 131 µs to 137 s the result is never below the exact quantile and
    /// at most an eighth above it, so that at most `1000 − per_mille` thousandths take longer;
    /// outside that range it is less precise.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{RecentLatency, Timestamp};
    /// assert_eq!(RecentLatency::default().quantile(950, Timestamp::START), None);
    /// ```
    #[must_use]
    pub fn quantile(&self, per_mille: u16, now: Timestamp) -> Option<Duration> {
        let (last, current) = match self.elapsed_periods(now) {
            0 => (Some(&self.previous), Some(&self.current)),
            1 => (Some(&self.current), None),
            _ => (None, None),
        };
        let enough = |buckets: &&LatencyBuckets| buckets.count >= u64::from(self.min_count.get());
        let buckets = last.filter(enough).or_else(|| current.filter(enough))?;
        buckets.quantile(per_mille).map(Duration::from_nanos)
    }

    /// Number of periods completed since the current one started, at most 2.
    fn elapsed_periods(&self, now: Timestamp) -> u64 {
        let elapsed = nanos(now.saturating_since(self.period_start));
        (elapsed / nanos(self.period)).min(2)
    }
}

impl Default for RecentLatency {
    fn default() -> Self {
        Self::new(Duration::from_secs(30), 20)
    }
}

/// Buckets per power of two: with 8, the bounds of a bucket differ by at most an eighth.
const SUB: u64 = 1 << SUB_BITS;
const SUB_BITS: u32 = 3;

/// Values are counted in units of 2^14 ns (16 µs), exactly below 8 units.
const UNIT_BITS: u32 = 14;

/// The last bucket ends at 2^23 units (137 s) and also holds all longer durations.
const BUCKETS: usize = 168;

/// Bucket counts of one period.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct LatencyBuckets {
    /// As long as the longest duration requires.
    buckets: Vec<u32>,
    count: u64,
    /// Nanoseconds.
    max: u64,
}

impl LatencyBuckets {
    fn record(&mut self, value: u64) {
        let index = bucket_index(value);
        if self.buckets.len() <= index {
            // Exactly, because a doubling vector could exceed the documented memory twofold.
            self.buckets.reserve_exact(index + 1 - self.buckets.len());
            self.buckets.resize(index + 1, 0);
        }
        self.buckets[index] = self.buckets[index].saturating_add(1);
        self.count = self.count.saturating_add(1);
        self.max = self.max.max(value);
    }

    /// Clears the counts and keeps the memory.
    fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
        self.max = 0;
    }

    fn quantile(&self, per_mille: u16) -> Option<u64> {
        let rank = (u128::from(self.count) * u128::from(per_mille.min(1000))).div_ceil(1000);
        let mut cumulative = 0;
        let index = self.buckets.iter().position(|count| {
            cumulative += u128::from(*count);
            cumulative >= rank.max(1)
        })?;
        Some(bucket_end(index).min(self.max))
    }
}

/// Index of the bucket of a duration in nanoseconds: below 8 units one bucket each, then 8 buckets
/// per power of two.
fn bucket_index(value: u64) -> usize {
    let units = value >> UNIT_BITS;
    let shift = (units | SUB).ilog2() - SUB_BITS;
    let index = u64::from(shift) * SUB + (units >> shift);
    (index as usize).min(BUCKETS - 1)
}

/// Longest duration of a bucket, in nanoseconds; `u64::MAX` for the last, which is unbounded.
fn bucket_end(bucket: usize) -> u64 {
    if bucket >= BUCKETS - 1 {
        return u64::MAX;
    }
    let next = bucket as u64 + 1;
    let shift = (next / SUB).saturating_sub(1);
    (((next - shift * SUB) << shift) << UNIT_BITS) - 1
}
