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
/// first. [`Histogram`](crate::Histogram) is more precise, but its up to 30 KiB are too much per
/// host.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Recent, Timestamp};
///
/// let mut recent = Recent::default();
/// let now = Timestamp::START;
/// (1..=100).for_each(|ms| recent.record(Duration::from_millis(ms), now));
/// let p95 = recent.quantile(950, now).unwrap();
/// assert!(Duration::from_millis(95) <= p95 && p95 <= Duration::from_millis(100));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Recent {
    /// Samples of the current period.
    gathering: Spread,
    min_count: NonZeroU32,
    period: Duration,
    /// Samples of the last full period.
    previous: Spread,
    /// Start of the current period.
    since: Timestamp,
}

impl Recent {
    /// Rotates every `period` (zero counts as 1 ns), and gives no quantile from fewer than
    /// `min_count` samples (0 counts as 1). Default: 30 s and 20 samples, of which p95 is the second
    /// longest.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Recent, Timestamp};
    ///
    /// let mut recent = Recent::new(Duration::from_secs(10), 2);
    /// recent.record(Duration::from_millis(7), Timestamp::START);
    /// assert_eq!(recent.quantile(500, Timestamp::START), None, "one is too few");
    /// ```
    #[must_use]
    pub fn new(period: Duration, min_count: u32) -> Self {
        Self {
            gathering: Spread::default(),
            min_count: NonZeroU32::new(min_count).unwrap_or(NonZeroU32::MIN),
            period: period.max(Duration::from_nanos(1)),
            previous: Spread::default(),
            since: Timestamp::START,
        }
    }

    /// Records a duration that ended at `now`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Recent, Timestamp};
    ///
    /// let mut recent = Recent::new(Duration::from_secs(10), 1);
    /// recent.record(Duration::from_millis(7), Timestamp::START);
    /// assert_eq!(recent.quantile(500, Timestamp::START), Some(Duration::from_millis(7)));
    /// ```
    pub fn record(&mut self, duration: Duration, now: Timestamp) {
        match self.periods_gone(now) {
            0 => {}
            1 => {
                core::mem::swap(&mut self.gathering, &mut self.previous);
                self.gathering.clear();
                self.since = self.since + self.period;
            }
            _ => {
                self.gathering.clear();
                self.previous.clear();
                self.since = now;
            }
        }
        self.gathering.record(nanos(duration));
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
    /// use fetch_proto::{Recent, Timestamp};
    /// assert_eq!(Recent::default().quantile(950, Timestamp::START), None);
    /// ```
    #[must_use]
    pub fn quantile(&self, per_mille: u16, now: Timestamp) -> Option<Duration> {
        let (last, present) = match self.periods_gone(now) {
            0 => (Some(&self.previous), Some(&self.gathering)),
            1 => (Some(&self.gathering), None),
            _ => (None, None),
        };
        let enough = |spread: &&Spread| spread.count >= u64::from(self.min_count.get());
        let spread = last.filter(enough).or_else(|| present.filter(enough))?;
        spread.quantile(per_mille).map(Duration::from_nanos)
    }

    /// Number of periods completed since the current one started, at most 2.
    fn periods_gone(&self, now: Timestamp) -> u64 {
        let gone = nanos(now.saturating_since(self.since));
        (gone / nanos(self.period)).min(2)
    }
}

impl Default for Recent {
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
struct Spread {
    /// As long as the longest duration requires.
    buckets: Vec<u32>,
    count: u64,
    /// Nanoseconds.
    max: u64,
}

impl Spread {
    fn record(&mut self, value: u64) {
        let index = bucket(value);
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
        let wanted = (u128::from(self.count) * u128::from(per_mille.min(1000))).div_ceil(1000);
        let mut seen = 0;
        let place = self.buckets.iter().position(|count| {
            seen += u128::from(*count);
            seen >= wanted.max(1)
        })?;
        Some(end(place).min(self.max))
    }
}

/// Index of the bucket of a duration in nanoseconds: below 8 units one bucket each, then 8 buckets
/// per power of two.
fn bucket(value: u64) -> usize {
    let units = value >> UNIT_BITS;
    let shift = (units | SUB).ilog2() - SUB_BITS;
    let index = u64::from(shift) * SUB + (units >> shift);
    (index as usize).min(BUCKETS - 1)
}

/// Longest duration of a bucket, in nanoseconds; `u64::MAX` for the last, which is unbounded.
fn end(bucket: usize) -> u64 {
    if bucket >= BUCKETS - 1 {
        return u64::MAX;
    }
    let next = bucket as u64 + 1;
    let shift = (next / SUB).saturating_sub(1);
    (((next - shift * SUB) << shift) << UNIT_BITS) - 1
}
