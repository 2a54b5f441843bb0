//! Concurrency limit by the gradient of the round-trip time.

use core::time::Duration;

use super::{AttemptSample, FRACTION_BITS, ONE};
use crate::model::time::{Timestamp, nanos};

/// Number of windows for which the long-term average is a plain mean.
const WARM_UP: u32 = 10;

/// Limit by the ratio of the long-term average round-trip time `long` to the current one `short`:
/// `γ = clamp(tolerance × long / short, ½, 1)`, then
/// `L ← (1 − smoothing)·L + smoothing·(γ·L + queue)`.
///
/// It updates once per `window`, from the mean of at least `min_samples` answers, and only if half
/// of `L` was in use. `long` is an exponential average over `long_window` windows (factor
/// `2/(n + 1)`, the first ten as a plain mean); while it exceeds twice `short`, it shrinks by 5 %
/// per update, because a past load no longer matters. After Netflix's concurrency-limits,
/// `Gradient2Limit` within `WindowedLimit`, with their constants.
///
/// It differs from them in two points. The lowest limit is 1 instead of 20. And drops count: a
/// window with a drop has `γ = ½` and no `queue`, so that `L` falls by a tenth, as with
/// [`Aimd`](crate::Aimd); in the original, a server that rejects quickly receives ever more.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{AdaptiveConcurrency, Gradient2, ConcurrencyLimiter, Timestamp};
///
/// let mut limiter = ConcurrencyLimiter::new(AdaptiveConcurrency::Gradient2(Gradient2::default()), 0);
/// for i in 1..=10 {
///     let now = Timestamp::START + Duration::from_millis(200 * i);
///     limiter.record(Duration::from_millis(30), 20, false, now);
/// }
/// assert_eq!(limiter.limit(), 20, "0.8 more, which is not yet one");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Gradient2 {
    /// Initial limit. Default 20; clamped to the bounds.
    pub initial: u32,
    /// Number of windows that the long-term average spans. Default 600; 0 counts as 1.
    pub long_window: u32,
    /// Highest limit. Default 200; less than `min` counts as `min`.
    pub max: u32,
    /// Lowest limit. Default 1; 0 counts as 1.
    pub min: u32,
    /// Shorter round trips are ignored, because the server cannot have done any work. Default
    /// 100 µs.
    pub min_rtt: Duration,
    /// Minimum number of answers per update; a window lasts until it has as many. Default 10.
    pub min_samples: u32,
    /// Number of attempts that may queue at the server: the growth while nothing slows down.
    /// Default 4.
    pub queue: u32,
    /// Weight of the new limit in an update, in thousandths. Default 200; above 1000 counts as
    /// 1000.
    pub smoothing_per_mille: u16,
    /// Ratio of current to long-term round-trip time that does not yet count as a queue, in
    /// thousandths. Default 1500.
    pub tolerance_per_mille: u16,
    /// Shortest time between two updates. Default 1 s; zero updates whenever there are
    /// `min_samples`.
    pub window: Duration,
}

/// Measurements of [`Gradient2`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Gradient2State {
    long: ExponentialAverage,
    window: SampleWindow,
}

/// The answers since the last update.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct SampleWindow {
    /// Answers, without drops.
    count: u32,
    drops: u32,
    /// End of the first attempt; `None` while the window is empty.
    from: Option<Timestamp>,
    max_in_flight: u64,
    /// Sum of the round-trip times, in nanoseconds.
    sum: u64,
}

impl Gradient2 {
    /// Sets [`initial`](field@Self::initial).
    ///
    /// ```
    /// let gradient2 = fetch_proto::Gradient2::default().initial(10);
    /// ```
    #[must_use]
    pub const fn initial(mut self, initial: u32) -> Self {
        self.initial = initial;
        self
    }

    /// Sets [`long_window`](field@Self::long_window).
    ///
    /// ```
    /// let gradient2 = fetch_proto::Gradient2::default().long_window(10);
    /// ```
    #[must_use]
    pub const fn long_window(mut self, long_window: u32) -> Self {
        self.long_window = long_window;
        self
    }

    /// Sets [`max`](field@Self::max).
    ///
    /// ```
    /// let gradient2 = fetch_proto::Gradient2::default().max(10);
    /// ```
    #[must_use]
    pub const fn max(mut self, max: u32) -> Self {
        self.max = max;
        self
    }

    /// Sets [`min`](field@Self::min).
    ///
    /// ```
    /// let gradient2 = fetch_proto::Gradient2::default().min(10);
    /// ```
    #[must_use]
    pub const fn min(mut self, min: u32) -> Self {
        self.min = min;
        self
    }

    /// Sets [`min_rtt`](field@Self::min_rtt).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let gradient2 = fetch_proto::Gradient2::default().min_rtt(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn min_rtt(mut self, min_rtt: Duration) -> Self {
        self.min_rtt = min_rtt;
        self
    }

    /// Sets [`min_samples`](field@Self::min_samples).
    ///
    /// ```
    /// let gradient2 = fetch_proto::Gradient2::default().min_samples(10);
    /// ```
    #[must_use]
    pub const fn min_samples(mut self, min_samples: u32) -> Self {
        self.min_samples = min_samples;
        self
    }

    /// Sets [`queue`](field@Self::queue).
    ///
    /// ```
    /// let gradient2 = fetch_proto::Gradient2::default().queue(10);
    /// ```
    #[must_use]
    pub const fn queue(mut self, queue: u32) -> Self {
        self.queue = queue;
        self
    }

    /// Sets [`smoothing_per_mille`](field@Self::smoothing_per_mille).
    ///
    /// ```
    /// let gradient2 = fetch_proto::Gradient2::default().smoothing_per_mille(500);
    /// ```
    #[must_use]
    pub const fn smoothing_per_mille(mut self, smoothing_per_mille: u16) -> Self {
        self.smoothing_per_mille = smoothing_per_mille;
        self
    }

    /// Sets [`tolerance_per_mille`](field@Self::tolerance_per_mille).
    ///
    /// ```
    /// let gradient2 = fetch_proto::Gradient2::default().tolerance_per_mille(500);
    /// ```
    #[must_use]
    pub const fn tolerance_per_mille(mut self, tolerance_per_mille: u16) -> Self {
        self.tolerance_per_mille = tolerance_per_mille;
        self
    }

    /// Sets [`window`](field@Self::window).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let gradient2 = fetch_proto::Gradient2::default().window(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    pub(super) fn next_limit(
        &self,
        state: &mut Gradient2State,
        limit: u64,
        sample: &AttemptSample,
    ) -> Option<u64> {
        if !sample.dropped && sample.rtt < nanos(self.min_rtt) {
            return None;
        }
        state.window.add(sample);
        if !state.window.is_complete(self, sample.now) {
            return None;
        }
        let window = core::mem::take(&mut state.window);
        let gradient = window
            .mean()
            .map(|short| self.gradient(&mut state.long, short));
        if window.drops > 0 {
            return Some(self.smooth(limit, limit / 2));
        }
        if window.max_in_flight.saturating_mul(2) < limit >> FRACTION_BITS {
            return None;
        }
        let scaled = (u128::from(limit) * u128::from(gradient?)) >> FRACTION_BITS;
        Some(self.smooth(
            limit,
            scaled as u64 + (u64::from(self.queue) << FRACTION_BITS),
        ))
    }

    /// Adds the mean round-trip time of a window to the average. Returns the gradient in fixed
    /// point.
    fn gradient(&self, long: &mut ExponentialAverage, short: u64) -> u64 {
        let average = long.add(short, self.long_window);
        if average / 2 > short {
            long.shrink();
        }
        let tolerated = u128::from(average) * u128::from(self.tolerance_per_mille);
        let gradient = (tolerated << FRACTION_BITS) / (u128::from(short) * 1000);
        gradient.clamp(u128::from(ONE / 2), u128::from(ONE)) as u64
    }

    /// Weighted mean of `limit` and `found`.
    fn smooth(&self, limit: u64, found: u64) -> u64 {
        let part = u128::from(self.smoothing_per_mille.min(1000));
        let mixed = u128::from(limit) * (1000 - part) + u128::from(found) * part;
        // Rounded to nearest, because a fifth of four is not a whole number of units.
        ((mixed + 500) / 1000) as u64
    }
}

#[cfg(test)]
impl Gradient2State {
    pub(super) fn long_term(&self) -> Duration {
        Duration::from_nanos(self.long.value >> ExponentialAverage::FRACTION_BITS)
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

impl SampleWindow {
    fn add(&mut self, sample: &AttemptSample) {
        self.from.get_or_insert(sample.now);
        self.max_in_flight = self.max_in_flight.max(sample.in_flight);
        if sample.dropped {
            self.drops = self.drops.saturating_add(1);
        } else {
            self.count = self.count.saturating_add(1);
            self.sum = self.sum.saturating_add(sample.rtt);
        }
    }

    fn is_complete(&self, algorithm: &Gradient2, now: Timestamp) -> bool {
        let age = self
            .from
            .map_or(Duration::ZERO, |from| now.saturating_since(from));
        age >= algorithm.window && self.count.saturating_add(self.drops) >= algorithm.min_samples
    }

    fn mean(&self) -> Option<u64> {
        self.sum
            .checked_div(self.count.into())
            .map(|mean| mean.max(1))
    }
}

/// Exponential average, after `ExpAvgMeasurement` of Netflix's concurrency-limits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct ExponentialAverage {
    /// Number of samples, up to [`WARM_UP`].
    count: u32,
    /// In units of 1/2^8 ns, so that rounding does not lose small differences.
    value: u64,
}

impl ExponentialAverage {
    const FRACTION_BITS: u32 = 8;

    /// Adds `sample` with the factor `2/(window + 1)`. Returns the average in nanoseconds.
    fn add(&mut self, sample: u64, window: u32) -> u64 {
        let sample = sample << Self::FRACTION_BITS;
        let (part, whole) = if self.count < WARM_UP {
            self.count += 1;
            (1, u64::from(self.count))
        } else {
            (2, u64::from(window.max(1)) + 1)
        };
        let mixed = u128::from(self.value) * u128::from(whole - part)
            + u128::from(sample) * u128::from(part);
        self.value = (mixed / u128::from(whole)) as u64;
        self.value >> Self::FRACTION_BITS
    }

    /// Reduces the average by 5 %.
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
    fn average_warms_up_as_a_mean_and_then_decays() {
        let mut average = ExponentialAverage::default();
        let means = [
            10_000, 10_500, 11_000, 11_500, 12_000, 12_500, 13_000, 13_500, 14_000, 14_500,
        ];
        for (sample, mean) in (10..20).zip(means) {
            assert!(average.add(sample * 1000, 100).abs_diff(mean) <= 10);
        }
        assert!(average.add(100_000, 100).abs_diff(16_200) <= 100);
    }

    #[test]
    fn rounding_does_not_lose_small_differences() {
        let mut average = ExponentialAverage::default();
        for _ in 0..10 {
            average.add(1_000_000, 600);
        }
        let last = (0..10_000).map(|_| average.add(1_000_200, 600)).last();
        assert!(last.unwrap() >= 1_000_198, "{last:?}");
    }
}
