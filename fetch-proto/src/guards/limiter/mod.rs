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
const BITS: u32 = 16;
const ONE: u64 = 1 << BITS;

/// Longest round trip, in nanoseconds: 2^48 ns, three days. Longer ones count as this, which keeps
/// all products within 128 bits.
const LONGEST: u64 = 1 << 48;

/// Algorithm that adapts the limit of attempts in flight.
///
/// All three come from Netflix's concurrency-limits, in integer arithmetic; deviations are
/// documented. [`Aimd`], the default, uses failures only and suits clients of unknown servers.
/// [`Vegas`] and [`Gradient2`] use round-trip times, which are meaningful only for many similar
/// requests.
///
/// ```
/// use fetch_proto::{Adaptive, Aimd, Limiter};
///
/// let config = Adaptive::Aimd(Aimd { initial: 8, max: 50, ..Aimd::default() });
/// assert_eq!(Limiter::new(config, 0).limit(), 8);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Adaptive {
    /// Additive increase, multiplicative decrease: by failures.
    Aimd(Aimd),
    /// By the ratio of the long-term to the current round-trip time.
    Gradient2(Gradient2),
    /// By the queue at the server, estimated from the growth of the round-trip time.
    Vegas(Vegas),
}

impl Default for Adaptive {
    fn default() -> Self {
        Self::Aimd(Aimd::default())
    }
}

/// State of an [`Adaptive`] limit: derives the limit of attempts in flight from the results of
/// ended attempts.
///
/// Record only attempts that are evidence about the server, not those that were cancelled, lost a
/// race or were never sent. The limit is at least 1 and within the configured bounds. It grows only
/// while at least half of it is in use.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Adaptive, Limiter, Timestamp};
///
/// let mut limiter = Limiter::new(Adaptive::default(), 0);
/// assert_eq!(limiter.limit(), 20);
/// limiter.sample(Duration::from_millis(80), 20, false, Timestamp::START);
/// assert_eq!(limiter.limit(), 21);
/// limiter.sample(Duration::from_millis(80), 20, true, Timestamp::START);
/// assert_eq!(limiter.limit(), 18);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Limiter {
    law: Law,
    /// In units of 1/2^16, because [`Gradient2`] changes it by less than one.
    limit: u64,
    seed: u64,
}

/// An algorithm with its measurements.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum Law {
    Aimd(Aimd),
    Gradient2(Gradient2, gradient2::State),
    Vegas(Vegas, vegas::State),
}

/// The result of one attempt.
#[derive(Clone, Copy, Debug)]
struct Seen {
    dropped: bool,
    in_flight: u64,
    now: Timestamp,
    /// Nanoseconds, in `1..=LONGEST`.
    rtt: u64,
}

impl Limiter {
    /// Starts at the configured `initial` limit. `seed` determines when [`Vegas`] probes, so that
    /// limiters with different seeds do not probe together; the other algorithms ignore it.
    ///
    /// ```
    /// use fetch_proto::{Adaptive, Limiter, Vegas};
    /// let limiter = Limiter::new(Adaptive::Vegas(Vegas::default()), 7);
    /// assert_eq!(limiter.limit(), 20);
    /// ```
    #[must_use]
    pub fn new(config: Adaptive, seed: u64) -> Self {
        let law = Law::new(config);
        let bounds = law.bounds();
        let limit = bounds.clamp(u64::from(bounds.initial) << BITS);
        Self { law, limit, seed }
    }

    /// Current limit of attempts in flight, at least 1.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Limiter::default().limit(), 20);
    /// ```
    #[must_use]
    pub fn limit(&self) -> usize {
        let whole = self.law.bounds().clamp(self.limit) >> BITS;
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
    /// use fetch_proto::{Limiter, Timestamp};
    ///
    /// let mut limiter = Limiter::default();
    /// limiter.sample(Duration::from_millis(5), 2, false, Timestamp::START);
    /// assert_eq!(limiter.limit(), 20, "2 in flight do not exercise a limit of 20");
    /// ```
    pub fn sample(&mut self, rtt: Duration, in_flight: usize, dropped: bool, now: Timestamp) {
        let seen = Seen {
            dropped,
            in_flight: u64::try_from(in_flight).unwrap_or(u64::MAX),
            now,
            rtt: nanos(rtt).clamp(1, LONGEST),
        };
        let whole = self.limit >> BITS;
        let next = match &mut self.law {
            Law::Aimd(law) => law.next(whole, &seen).map(|next| next << BITS),
            Law::Gradient2(law, state) => law.next(state, self.limit, &seen),
            Law::Vegas(law, state) => law
                .next(state, self.seed, whole, &seen)
                .map(|next| next << BITS),
        };
        if let Some(next) = next {
            self.limit = self.law.bounds().clamp(next);
        }
    }

    /// Changes the configuration and keeps the limit, within the new bounds. Measurements are kept
    /// if the algorithm is the same.
    ///
    /// ```
    /// use fetch_proto::{Adaptive, Aimd, Limiter, Vegas};
    ///
    /// let mut limiter = Limiter::new(Adaptive::default(), 0);
    /// limiter.set_config(Adaptive::Vegas(Vegas { initial: 99, ..Vegas::default() }));
    /// assert_eq!(limiter.limit(), 20);
    /// limiter.set_config(Adaptive::Aimd(Aimd { max: 5, ..Aimd::default() }));
    /// assert_eq!(limiter.limit(), 5);
    /// ```
    pub fn set_config(&mut self, config: Adaptive) {
        self.law = match (config, &self.law) {
            (Adaptive::Gradient2(law), Law::Gradient2(_, state)) => Law::Gradient2(law, *state),
            (Adaptive::Vegas(law), Law::Vegas(_, state)) => Law::Vegas(law, *state),
            (config, _) => Law::new(config),
        };
        self.limit = self.law.bounds().clamp(self.limit);
    }

    /// The current configuration.
    ///
    /// ```
    /// use fetch_proto::{Adaptive, Limiter};
    /// assert_eq!(Limiter::default().config(), Adaptive::default());
    /// ```
    #[must_use]
    pub const fn config(&self) -> Adaptive {
        match self.law {
            Law::Aimd(law) => Adaptive::Aimd(law),
            Law::Gradient2(law, _) => Adaptive::Gradient2(law),
            Law::Vegas(law, _) => Adaptive::Vegas(law),
        }
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new(Adaptive::default(), 0)
    }
}

impl Law {
    fn new(config: Adaptive) -> Self {
        match config {
            Adaptive::Aimd(law) => Self::Aimd(law),
            Adaptive::Gradient2(law) => Self::Gradient2(law, gradient2::State::default()),
            Adaptive::Vegas(law) => Self::Vegas(law, vegas::State::default()),
        }
    }

    fn bounds(&self) -> Bounds {
        let (initial, max, min) = match self {
            Self::Aimd(law) => (law.initial, law.max, law.min),
            Self::Gradient2(law, _) => (law.initial, law.max, law.min),
            Self::Vegas(law, _) => (law.initial, law.max, law.min),
        };
        Bounds { initial, max, min }
    }
}

/// The fields that all algorithms share.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    initial: u32,
    max: u32,
    min: u32,
}

impl Bounds {
    /// Clamps a limit in fixed point to the bounds.
    fn clamp(self, limit: u64) -> u64 {
        let min = u64::from(self.min.max(1)) << BITS;
        let max = u64::from(self.max) << BITS;
        limit.clamp(min, max.max(min))
    }
}

impl Seen {
    /// Whether at least half of `limit` (a whole number) is in use.
    fn is_busy(&self, limit: u64) -> bool {
        self.in_flight.saturating_mul(2) >= limit
    }
}
