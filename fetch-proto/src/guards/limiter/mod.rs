//! Adaptive concurrency: finds out how many attempts a server can handle at once.

mod aimd;
mod gradient2;
#[cfg(test)]
mod tests;
mod vegas;

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

pub use aimd::Aimd;
pub use gradient2::Gradient2;
pub use vegas::Vegas;

/// Fractional bits of a limit in fixed point.
const FRACTION_BITS: u32 = 16;
const ONE: u64 = 1 << FRACTION_BITS;

/// Longest round trip, in nanoseconds: 2^48 ns, three days. Longer ones count as this, which keeps
/// all products within 128 bits.
const MAX_RTT: u64 = 1 << 48;

/// Algorithm that adapts the limit of attempts in flight.
///
/// All three come from Netflix's concurrency-limits, in integer arithmetic; deviations are
/// documented. [`Aimd`], the default, uses failures only and suits clients of unknown servers.
/// [`Vegas`] and [`Gradient2`] use round-trip times, which are meaningful only for many similar
/// requests.
///
/// ```
/// use fetch_proto::{AdaptiveConcurrency, Aimd, ConcurrencyLimiter};
///
/// let config = AdaptiveConcurrency::Aimd(Aimd::default().initial(8).max(50));
/// assert_eq!(ConcurrencyLimiter::new(config, 0).limit(), 8);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AdaptiveConcurrency {
    /// Additive increase, multiplicative decrease: by failures.
    Aimd(Aimd),
    /// By the ratio of the long-term to the current round-trip time.
    Gradient2(Gradient2),
    /// By the queue at the server, estimated from the growth of the round-trip time.
    Vegas(Vegas),
}

impl Default for AdaptiveConcurrency {
    fn default() -> Self {
        Self::Aimd(Aimd::default())
    }
}

/// State of an [`AdaptiveConcurrency`] limit: derives the limit of attempts in flight from the results of
/// ended attempts.
///
/// Record only attempts that are evidence about the server, not those that were cancelled, lost a
/// race or were never sent. The limit is at least 1 and within the configured bounds. It grows only
/// while at least half of it is in use.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{AdaptiveConcurrency, ConcurrencyLimiter, Timestamp};
///
/// let mut limiter = ConcurrencyLimiter::new(AdaptiveConcurrency::default(), 0);
/// assert_eq!(limiter.limit(), 20);
/// limiter.record(Duration::from_millis(80), 20, false, Timestamp::START);
/// assert_eq!(limiter.limit(), 21);
/// limiter.record(Duration::from_millis(80), 20, true, Timestamp::START);
/// assert_eq!(limiter.limit(), 18);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ConcurrencyLimiter {
    algorithm: LimitAlgorithm,
    /// In units of 1/2^16, because [`Gradient2`] changes it by less than one.
    limit: u64,
    seed: u64,
}

/// An algorithm with its measurements.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum LimitAlgorithm {
    Aimd(Aimd),
    Gradient2(Gradient2, gradient2::Gradient2State),
    Vegas(Vegas, vegas::VegasState),
}

/// The result of one attempt.
#[derive(Clone, Copy, Debug)]
struct AttemptSample {
    dropped: bool,
    in_flight: u64,
    now: Timestamp,
    /// Nanoseconds, in `1..=MAX_RTT`.
    rtt: u64,
}

impl ConcurrencyLimiter {
    /// Starts at the configured `initial` limit. `seed` determines when [`Vegas`] probes, so that
    /// limiters with different seeds do not probe together; the other algorithms ignore it.
    ///
    /// ```
    /// use fetch_proto::{AdaptiveConcurrency, ConcurrencyLimiter, Vegas};
    /// let limiter = ConcurrencyLimiter::new(AdaptiveConcurrency::Vegas(Vegas::default()), 7);
    /// assert_eq!(limiter.limit(), 20);
    /// ```
    #[must_use]
    pub fn new(config: AdaptiveConcurrency, seed: u64) -> Self {
        let algorithm = LimitAlgorithm::new(config);
        let bounds = algorithm.bounds();
        let limit = bounds.clamp(u64::from(bounds.initial) << FRACTION_BITS);
        Self {
            algorithm,
            limit,
            seed,
        }
    }

    /// Current limit of attempts in flight, at least 1.
    ///
    /// ```
    /// assert_eq!(fetch_proto::ConcurrencyLimiter::default().limit(), 20);
    /// ```
    #[must_use]
    pub fn limit(&self) -> usize {
        let whole = self.algorithm.bounds().clamp(self.limit) >> FRACTION_BITS;
        usize::try_from(whole).unwrap_or(usize::MAX)
    }

    /// Records an attempt that ended at `now`.
    ///
    /// - `rtt`: from its dispatch to the response head, or to its failure, without the body, whose
    ///   duration depends on its size.
    /// - `in_flight`: attempts in flight when it started or when it ended, including itself.
    /// - `dropped`: whether the server could not handle it: a timeout, a reset, status 429 or 503.
    ///   `rtt` is not used then, because a server that rejects quickly is not fast.
    ///
    /// Do not record attempts that the client itself gave up (cancelled, lost a race, never sent).
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{ConcurrencyLimiter, Timestamp};
    ///
    /// let mut limiter = ConcurrencyLimiter::default();
    /// limiter.record(Duration::from_millis(5), 2, false, Timestamp::START);
    /// assert_eq!(limiter.limit(), 20, "2 in flight do not exercise a limit of 20");
    /// ```
    pub fn record(&mut self, rtt: Duration, in_flight: usize, dropped: bool, now: Timestamp) {
        let sample = AttemptSample {
            dropped,
            in_flight: u64::try_from(in_flight).unwrap_or(u64::MAX),
            now,
            rtt: nanos(rtt).clamp(1, MAX_RTT),
        };
        let whole = self.limit >> FRACTION_BITS;
        let next = match &mut self.algorithm {
            LimitAlgorithm::Aimd(algorithm) => algorithm
                .next_limit(whole, &sample)
                .map(|next| next << FRACTION_BITS),
            LimitAlgorithm::Gradient2(algorithm, state) => {
                algorithm.next_limit(state, self.limit, &sample)
            }
            LimitAlgorithm::Vegas(algorithm, state) => algorithm
                .next_limit(state, self.seed, whole, &sample)
                .map(|next| next << FRACTION_BITS),
        };
        if let Some(next) = next {
            self.limit = self.algorithm.bounds().clamp(next);
        }
    }

    /// Changes the configuration and keeps the limit, within the new bounds. Measurements are kept
    /// if the algorithm is the same.
    ///
    /// ```
    /// use fetch_proto::{AdaptiveConcurrency, Aimd, ConcurrencyLimiter, Vegas};
    ///
    /// let mut limiter = ConcurrencyLimiter::new(AdaptiveConcurrency::default(), 0);
    /// limiter.set_config(AdaptiveConcurrency::Vegas(Vegas::default().initial(99)));
    /// assert_eq!(limiter.limit(), 20);
    /// limiter.set_config(AdaptiveConcurrency::Aimd(Aimd::default().max(5)));
    /// assert_eq!(limiter.limit(), 5);
    /// ```
    pub fn set_config(&mut self, config: AdaptiveConcurrency) {
        self.algorithm = match (config, &self.algorithm) {
            (AdaptiveConcurrency::Gradient2(algorithm), LimitAlgorithm::Gradient2(_, state)) => {
                LimitAlgorithm::Gradient2(algorithm, *state)
            }
            (AdaptiveConcurrency::Vegas(algorithm), LimitAlgorithm::Vegas(_, state)) => {
                LimitAlgorithm::Vegas(algorithm, *state)
            }
            (config, _) => LimitAlgorithm::new(config),
        };
        self.limit = self.algorithm.bounds().clamp(self.limit);
    }

    /// The current configuration.
    ///
    /// ```
    /// use fetch_proto::{AdaptiveConcurrency, ConcurrencyLimiter};
    /// assert_eq!(ConcurrencyLimiter::default().config(), AdaptiveConcurrency::default());
    /// ```
    #[must_use]
    pub const fn config(&self) -> AdaptiveConcurrency {
        match self.algorithm {
            LimitAlgorithm::Aimd(algorithm) => AdaptiveConcurrency::Aimd(algorithm),
            LimitAlgorithm::Gradient2(algorithm, _) => AdaptiveConcurrency::Gradient2(algorithm),
            LimitAlgorithm::Vegas(algorithm, _) => AdaptiveConcurrency::Vegas(algorithm),
        }
    }
}

impl Default for ConcurrencyLimiter {
    fn default() -> Self {
        Self::new(AdaptiveConcurrency::default(), 0)
    }
}

impl LimitAlgorithm {
    fn new(config: AdaptiveConcurrency) -> Self {
        match config {
            AdaptiveConcurrency::Aimd(algorithm) => Self::Aimd(algorithm),
            AdaptiveConcurrency::Gradient2(algorithm) => {
                Self::Gradient2(algorithm, gradient2::Gradient2State::default())
            }
            AdaptiveConcurrency::Vegas(algorithm) => {
                Self::Vegas(algorithm, vegas::VegasState::default())
            }
        }
    }

    fn bounds(&self) -> LimitBounds {
        let (initial, max, min) = match self {
            Self::Aimd(algorithm) => (algorithm.initial, algorithm.max, algorithm.min),
            Self::Gradient2(algorithm, _) => (algorithm.initial, algorithm.max, algorithm.min),
            Self::Vegas(algorithm, _) => (algorithm.initial, algorithm.max, algorithm.min),
        };
        LimitBounds { initial, max, min }
    }
}

/// The fields that all algorithms share.
#[derive(Clone, Copy, Debug)]
struct LimitBounds {
    initial: u32,
    max: u32,
    min: u32,
}

impl LimitBounds {
    /// Clamps a limit in fixed point to the bounds.
    fn clamp(self, limit: u64) -> u64 {
        let min = u64::from(self.min.max(1)) << FRACTION_BITS;
        let max = u64::from(self.max) << FRACTION_BITS;
        limit.clamp(min, max.max(min))
    }
}

impl AttemptSample {
    /// Whether at least half of `limit` (a whole number) is in use.
    fn is_busy(&self, limit: u64) -> bool {
        self.in_flight.saturating_mul(2) >= limit
    }
}
