//! Latency distributions, in integer arithmetic.

#[cfg(test)]
mod tests;

use core::ops::RangeInclusive;
use core::time::Duration;

use crate::model::time::nanos;
use crate::random::{between, mix};

/// The latency distribution of a modelled server. Integer arithmetic gives the same draws on every
/// platform.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::testing::LatencyModel;
///
/// let ms = Duration::from_millis;
/// let from_a_dashboard = LatencyModel::percentiles(ms(20), ms(80), ms(300), ms(2000));
/// assert_eq!(from_a_dashboard.draw(7), from_a_dashboard.draw(7));
/// assert!((ms(10)..=ms(2000)).contains(&from_a_dashboard.draw(7)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LatencyModel(LatencyDistribution);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum LatencyDistribution {
    Exponential { mean: u64 },
    LogNormal { median: u64, p99: u64 },
    Percentiles([u64; 5]),
    Uniform { min: u64, max: u64 },
}

/// 1.0 with 32 bits after the binary point.
const ONE: u64 = 1 << 32;

/// `ln 2` with 32 bits after the binary point.
const LN_2: u64 = 2_977_044_472;

/// Quantiles of the normal distribution above its median: the share of draws beyond, in billionths,
/// and the distance from the median in millionths of the standard deviation. Interpolated linearly.
/// The last entry bounds the tail.
const NORMAL: [(u64, u64); 12] = [
    (500_000_000, 0),
    (400_000_000, 253_347),
    (300_000_000, 524_401),
    (200_000_000, 841_621),
    (100_000_000, 1_281_552),
    (50_000_000, 1_644_854),
    (20_000_000, 2_053_749),
    (10_000_000, NORMAL_P99),
    (1_000_000, 3_090_232),
    (100_000, 3_719_016),
    (10_000, 4_264_891),
    (0, 5_000_000),
];

/// The 99th percentile of the normal distribution, in millionths of the standard deviation.
const NORMAL_P99: u64 = 2_326_348;

impl LatencyModel {
    /// A constant latency.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::LatencyModel;
    /// let second = Duration::from_secs(1);
    /// assert_eq!(LatencyModel::constant(second).draw(7), second);
    /// ```
    #[must_use]
    pub fn constant(time: Duration) -> Self {
        Self::uniform(time, time)
    }

    /// Uniform between two inclusive bounds; always `min` if `max` is smaller.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::LatencyModel;
    /// let latency = LatencyModel::uniform(Duration::ZERO, Duration::from_millis(10));
    /// assert!(latency.draw(7) <= Duration::from_millis(10));
    /// ```
    #[must_use]
    pub fn uniform(min: Duration, max: Duration) -> Self {
        let (min, max) = (nanos(min), nanos(max));
        Self(LatencyDistribution::Uniform { min, max })
    }

    /// Exponential. One draw in a hundred exceeds 4.6 × the mean; none exceeds 45 × the mean.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::LatencyModel;
    /// let service = LatencyModel::exponential(Duration::from_millis(10));
    /// assert!(service.draw(7) < Duration::from_millis(450));
    /// ```
    #[must_use]
    pub fn exponential(mean: Duration) -> Self {
        let mean = nanos(mean);
        Self(LatencyDistribution::Exponential { mean })
    }

    /// Log-normal, which fits most services, by its median and 99th percentile. Always `median` if
    /// `p99` is not larger or `median` is zero.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::LatencyModel;
    /// let latency = LatencyModel::log_normal(Duration::from_millis(20), Duration::from_millis(400));
    /// assert!(latency.draw(7) > Duration::ZERO);
    /// ```
    #[must_use]
    pub fn log_normal(median: Duration, p99: Duration) -> Self {
        let (median, p99) = (nanos(median), nanos(p99));
        Self(LatencyDistribution::LogNormal { median, p99 })
    }

    /// By percentiles, as shown on a dashboard, with linear interpolation. The minimum is half the
    /// median. A percentile smaller than the previous one counts as equal to it.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::LatencyModel;
    /// let ms = Duration::from_millis;
    /// let latency = LatencyModel::percentiles(ms(20), ms(50), ms(200), ms(900));
    /// assert!(latency.draw(7) <= ms(900));
    /// ```
    #[must_use]
    pub fn percentiles(p50: Duration, p90: Duration, p99: Duration, max: Duration) -> Self {
        let p50 = nanos(p50);
        let p90 = nanos(p90).max(p50);
        let p99 = nanos(p99).max(p90);
        Self(LatencyDistribution::Percentiles([
            p50 / 2,
            p50,
            p90,
            p99,
            nanos(max).max(p99),
        ]))
    }

    /// The latency for a random word.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::LatencyModel;
    /// let latency = LatencyModel::from(Duration::from_millis(1)..=Duration::from_millis(9));
    /// assert_eq!(latency.draw(0), latency.draw(0));
    /// ```
    #[must_use]
    pub fn draw(&self, word: u64) -> Duration {
        Duration::from_nanos(match self.0 {
            LatencyDistribution::Exponential { mean } => exponential(word, mean),
            LatencyDistribution::LogNormal { median, p99 } => log_normal(word, median, p99),
            LatencyDistribution::Percentiles(times) => percentile(word, times),
            LatencyDistribution::Uniform { min, max } => between(word, min, max),
        })
    }
}

impl Default for LatencyModel {
    fn default() -> Self {
        Self::uniform(Duration::from_millis(10), Duration::from_millis(100))
    }
}

/// Uniform between the bounds of the range.
impl From<RangeInclusive<Duration>> for LatencyModel {
    fn from(range: RangeInclusive<Duration>) -> Self {
        Self::uniform(*range.start(), *range.end())
    }
}

/// The inverse of the distribution function: −ln(u) × mean, for a uniform u from 2^-64 to 1.
fn exponential(word: u64, mean: u64) -> u64 {
    let doublings = (64 << 32) - log2(word.max(1));
    let factor = (u128::from(doublings) * u128::from(LN_2)) >> 32;
    saturating((factor * u128::from(mean)) >> 32)
}

/// median × (p99 / median)^(z / z99), for a normally distributed z.
fn log_normal(word: u64, median: u64, p99: u64) -> u64 {
    if median == 0 || p99 <= median {
        return median;
    }
    let spread = u128::from(log2(p99) - log2(median));
    // The lowest bit selects the side of the median, the others the distance.
    let exponent = spread * u128::from(normal(word >> 1)) / u128::from(NORMAL_P99);
    let factor = exp2(saturating(exponent));
    match word & 1 {
        0 => saturating((u128::from(median) * factor) >> 32),
        _ => saturating((u128::from(median) << 32) / factor),
    }
}

/// The distance from the median for 63 random bits, in millionths of the standard deviation.
fn normal(word: u64) -> u64 {
    let beyond = between(word << 1, 0, 499_999_999);
    let above = NORMAL.iter().rposition(|(share, _)| *share > beyond);
    let above = above.unwrap_or(0).min(NORMAL.len() - 2);
    let ((from, low), (to, high)) = (NORMAL[above], NORMAL[above + 1]);
    low + (high - low) * (from - beyond) / (from - to)
}

fn percentile(word: u64, [min, p50, p90, p99, max]: [u64; 5]) -> u64 {
    let place = between(word, 0, 9_999);
    let within = mix(word, 2);
    match place {
        0..5_000 => between(within, min, p50),
        5_000..9_000 => between(within, p50, p90),
        9_000..9_900 => between(within, p90, p99),
        _ => between(within, p99, max),
    }
}

/// The binary logarithm of a positive number, with 32 bits after the binary point, by repeated
/// squaring.
fn log2(number: u64) -> u64 {
    let whole = number.ilog2();
    let mut rest = u128::from(number) << (63 - whole); // from 2^63 up to 2^64
    let mut bits = u64::from(whole);
    for _ in 0..32 {
        rest = (rest * rest) >> 63;
        let carry = (rest >> 64) as u64;
        rest >>= carry;
        bits = (bits << 1) | carry;
    }
    bits
}

/// Two to this power, with 32 bits after the binary point: the product of a root of 2 per bit.
fn exp2(power: u64) -> u128 {
    let mut root = u128::from(ONE) << 1;
    let mut product = u128::from(ONE);
    for bit in (0..32).rev() {
        root = (root << 32).isqrt();
        if power >> bit & 1 == 1 {
            product = (product * root) >> 32;
        }
    }
    // Above 2^40, every time in nanoseconds saturates.
    product << (power >> 32).min(40)
}

fn saturating(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
