//! The limit by the gradient of the round-trip time.

use core::time::Duration;

use super::{BITS, ONE, Seen};
use crate::model::time::{Timestamp, nanos};

/// Answers whose plain mean the long-term average begins with.
const WARM_UP: u32 = 10;

/// By the ratio of the long-term average of the round-trip time, `long`, to the present one,
/// `short`: `γ = clamp(tolerance × long / short, ½, 1)`, and then
/// `L ← (1 − smoothing)·L + smoothing·(γ·L + queue)`.
///
/// It judges once each `window`, by the mean of at least `min_samples` answers, and only if half of
/// `L` was used. `long` is an exponential average over `long_window` windows (factor `2/(n + 1)`,
/// the first ten as a plain mean); when it is over twice `short`, the load is past and it shrinks
/// by 5 % each time. After Netflix's concurrency-limits, `Gradient2Limit` within `WindowedLimit`,
/// with their constants.
///
/// It differs from them in two things. The lowest limit is 1 and not 20. And a drop counts: a
/// window that saw one has `γ = ½` and no room for a queue, so that `L` falls by a tenth, as with
/// [`Aimd`](crate::Aimd); there, a server that refuses fast would be sent ever more.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Adaptive, Gradient2, Limiter, Timestamp};
///
/// let mut limiter = Limiter::new(Adaptive::Gradient2(Gradient2::default()), 0);
/// for i in 1..=10 {
///     let now = Timestamp::START + Duration::from_millis(200 * i);
///     limiter.sample(Duration::from_millis(30), 20, false, now);
/// }
/// assert_eq!(limiter.limit(), 20, "0.8 more, which is not yet one");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Gradient2 {
    /// The limit to begin with. Default 20; moved into the bounds.
    pub initial: u32,
    /// How many windows the long-term average spans. Default 600; 0 counts as 1.
    pub long_window: u32,
    /// The highest limit. Default 200; less than `min` counts as `min`.
    pub max: u32,
    /// The lowest limit. Default 1; 0 counts as 1.
    pub min: u32,
    /// Shorter round trips are no work of the server and are not counted. Default 100 µs.
    pub min_rtt: Duration,
    /// The fewest answers to judge by; a window lasts until there are as many. Default 10.
    pub min_samples: u32,
    /// How many attempts may wait at the server: what the limit grows by while nothing slows down.
    /// Default 4.
    pub queue: u32,
    /// How much of the newly found limit is taken over at once, in thousandths. Default 200; above
    /// 1000 counts as 1000.
    pub smoothing_per_mille: u16,
    /// How much slower than the long-term average is still no queue, in thousandths. Default 1500.
    pub tolerance_per_mille: u16,
    /// The shortest time between two judgements. Default 1 s; zero judges whenever there are
    /// `min_samples`.
    pub window: Duration,
}

/// What [`Gradient2`] has measured.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct State {
    long: Average,
    window: Window,
}

/// The answers since the last judgement.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct Window {
    /// Answers in time.
    count: u32,
    drops: u32,
    /// When its first one ended; `None` while it is empty.
    from: Option<Timestamp>,
    max_in_flight: u64,
    /// Of the round-trip times, in nanoseconds.
    sum: u64,
}

impl Gradient2 {
    pub(super) fn next(&self, state: &mut State, limit: u64, seen: &Seen) -> Option<u64> {
        if !seen.dropped && seen.rtt < nanos(self.min_rtt) {
            return None;
        }
        state.window.add(seen);
        if !state.window.is_complete(self, seen.now) {
            return None;
        }
        let window = core::mem::take(&mut state.window);
        let gradient = window
            .mean()
            .map(|short| self.gradient(&mut state.long, short));
        if window.drops > 0 {
            return Some(self.smooth(limit, limit / 2));
        }
        if window.max_in_flight.saturating_mul(2) < limit >> BITS {
            return None;
        }
        let kept = (u128::from(limit) * u128::from(gradient?)) >> BITS;
        Some(self.smooth(limit, kept as u64 + (u64::from(self.queue) << BITS)))
    }

    /// Takes in the mean round-trip time of a window. The gradient, in fixed point.
    fn gradient(&self, long: &mut Average, short: u64) -> u64 {
        let average = long.add(short, self.long_window);
        if average / 2 > short {
            long.shrink();
        }
        let tolerated = u128::from(average) * u128::from(self.tolerance_per_mille);
        let gradient = (tolerated << BITS) / (u128::from(short) * 1000);
        gradient.clamp(u128::from(ONE / 2), u128::from(ONE)) as u64
    }

    /// The way from `limit` to `found` that is gone at once.
    fn smooth(&self, limit: u64, found: u64) -> u64 {
        let part = u128::from(self.smoothing_per_mille.min(1000));
        let mixed = u128::from(limit) * (1000 - part) + u128::from(found) * part;
        // To the nearest: a fifth of four is no whole number of units.
        ((mixed + 500) / 1000) as u64
    }
}

#[cfg(test)]
impl State {
    pub(super) fn long_term(&self) -> Duration {
        Duration::from_nanos(self.long.value >> Average::BITS)
    }
}

impl Default for Gradient2 {
    fn default() -> Self {
        Self {
            initial: 20,
            long_window: 600,
            max: 200,
            min: 1,
            min_rtt: Duration::from_micros(100),
            min_samples: 10,
            queue: 4,
            smoothing_per_mille: 200,
            tolerance_per_mille: 1500,
            window: Duration::from_secs(1),
        }
    }
}

impl Window {
    fn add(&mut self, seen: &Seen) {
        self.from.get_or_insert(seen.now);
        self.max_in_flight = self.max_in_flight.max(seen.in_flight);
        if seen.dropped {
            self.drops = self.drops.saturating_add(1);
        } else {
            self.count = self.count.saturating_add(1);
            self.sum = self.sum.saturating_add(seen.rtt);
        }
    }

    fn is_complete(&self, law: &Gradient2, now: Timestamp) -> bool {
        let age = self
            .from
            .map_or(Duration::ZERO, |from| now.saturating_since(from));
        age >= law.window && self.count.saturating_add(self.drops) >= law.min_samples
    }

    fn mean(&self) -> Option<u64> {
        self.sum
            .checked_div(self.count.into())
            .map(|mean| mean.max(1))
    }
}

/// An exponential average, after `ExpAvgMeasurement` of Netflix's concurrency-limits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct Average {
    /// How many were added, up to the warm-up's end.
    count: u32,
    /// In units of 1/2^8 ns, so that small differences are not lost in rounding.
    value: u64,
}

impl Average {
    const BITS: u32 = 8;

    /// Takes in `sample` with the weight of one in `window`. The average, in nanoseconds.
    fn add(&mut self, sample: u64, window: u32) -> u64 {
        let sample = sample << Self::BITS;
        let (part, whole) = if self.count < WARM_UP {
            self.count += 1;
            (1, u64::from(self.count))
        } else {
            (2, u64::from(window.max(1)) + 1)
        };
        let mixed = u128::from(self.value) * u128::from(whole - part)
            + u128::from(sample) * u128::from(part);
        self.value = (mixed / u128::from(whole)) as u64;
        self.value >> Self::BITS
    }

    /// Takes 5 % off.
    fn shrink(&mut self) {
        self.value -= self.value / 20;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ExpAvgMeasurementTest.testWarmup` of Netflix/concurrency-limits (concurrency-limits-core/
    /// src/test/java/com/netflix/concurrency/limits/limit/), in thousandths.
    #[test]
    fn the_average_warms_up_as_a_mean_and_then_forgets() {
        let mut average = Average::default();
        let means = [
            10_000, 10_500, 11_000, 11_500, 12_000, 12_500, 13_000, 13_500, 14_000, 14_500,
        ];
        for (sample, mean) in (10..20).zip(means) {
            assert!(average.add(sample * 1000, 100).abs_diff(mean) <= 10);
        }
        assert!(average.add(100_000, 100).abs_diff(16_200) <= 100);
    }

    #[test]
    fn a_small_difference_is_not_lost_in_rounding() {
        let mut average = Average::default();
        for _ in 0..10 {
            average.add(1_000_000, 600);
        }
        let last = (0..10_000).map(|_| average.add(1_000_200, 600)).last();
        assert!(last.unwrap() >= 1_000_198, "{last:?}");
    }
}
