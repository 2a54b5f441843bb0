//! How many attempts at once a server bears, found out from how it answers.

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

/// Longer round trips count as this: 2^48 ns, three days. It keeps all products within 128 bits.
const LONGEST: u64 = 1 << 48;

/// Which law finds the limit of attempts in flight at once.
///
/// All three are those of Netflix's concurrency-limits, in integers, and differ from it where that
/// is said. [`Aimd`] looks at failures alone, [`Vegas`] and [`Gradient2`] at round-trip times,
/// which need many similar requests to mean anything. A client of servers it does not know starts
/// with [`Aimd`], the default.
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
    /// One more for each success, a tenth less for each failure.
    Aimd(Aimd),
    /// By the ratio of the long-term round-trip time to the present one.
    Gradient2(Gradient2),
    /// By the queue that the growth of the round-trip time betrays.
    Vegas(Vegas),
}

impl Default for Adaptive {
    fn default() -> Self {
        Self::Aimd(Aimd::default())
    }
}

/// Keeps an [`Adaptive`] limit: it is told of each attempt that ended, and tells how many may be in
/// flight.
///
/// Only attempts that say something about the server are told: one that was cancelled, lost a race,
/// or never left the client is not. The limit is never below 1, nor outside the configured bounds.
/// It grows only while at least half of it is used: idle time says nothing about what a server
/// bears.
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
    /// In units of 1/2^16: [`Gradient2`] moves it by less than one.
    limit: u64,
    seed: u64,
}

/// A law with what it has measured.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum Law {
    Aimd(Aimd),
    Gradient2(Gradient2, gradient2::State),
    Vegas(Vegas, vegas::State),
}

/// One attempt that ended.
#[derive(Clone, Copy, Debug)]
struct Seen {
    dropped: bool,
    in_flight: u64,
    now: Timestamp,
    /// Nanoseconds, `1..=LONGEST`.
    rtt: u64,
}

impl Limiter {
    /// Starts at the configuration's `initial` limit. `seed` draws when [`Vegas`] measures anew, so
    /// that limiters with different seeds do not do it together; the other laws ignore it.
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

    /// How many attempts may be in flight at once, at least 1.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Limiter::default().limit(), 20);
    /// ```
    #[must_use]
    pub fn limit(&self) -> usize {
        let whole = self.law.bounds().clamp(self.limit) >> BITS;
        usize::try_from(whole).unwrap_or(usize::MAX)
    }

    /// Tells of an attempt that ended at `now`.
    ///
    /// - `rtt`: from its dispatch to the head of its response, or to its failure. The body does not
    ///   count: its time is its size's.
    /// - `in_flight`: how many were in flight when it began, itself included; the number when it
    ///   ended, itself included, is as good.
    /// - `dropped`: whether the server did not bear it, by a timeout, a reset, 429 or 503. Its
    ///   `rtt` is then not used: a server that refuses at once is not a fast one.
    ///
    /// An attempt that the client itself gave up (cancelled, lost a race, never sent) is *not*
    /// told.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Limiter, Timestamp};
    ///
    /// let mut limiter = Limiter::default();
    /// limiter.sample(Duration::from_millis(5), 2, false, Timestamp::START);
    /// assert_eq!(limiter.limit(), 20, "2 in flight do not try a limit of 20");
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

    /// Changes the configuration and keeps the limit, within the new bounds. What was measured is
    /// kept too if the law is the same.
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

    /// The configuration that is followed.
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

/// The fields that all laws have.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    initial: u32,
    max: u32,
    min: u32,
}

impl Bounds {
    /// A limit in fixed point, moved into the bounds.
    fn clamp(self, limit: u64) -> u64 {
        let min = u64::from(self.min.max(1)) << BITS;
        let max = u64::from(self.max) << BITS;
        limit.clamp(min, max.max(min))
    }
}

impl Seen {
    /// Whether at least half of `limit` (whole) is used, so that an answer says something about it.
    fn is_busy(&self, limit: u64) -> bool {
        self.in_flight.saturating_mul(2) >= limit
    }
}
