//! The state machine of a rate limit.

use super::Rate;
use crate::model::time::Timestamp;

/// State of a [`Rate`] limit: the generic cell rate algorithm (GCRA) of ATM (ITU-T I.371).
///
/// The state is a single number, the theoretical arrival time (TAT): when the next event is due if
/// all come evenly. Its unit is 1 ns / `count`, in which the interval `per / count` is a whole
/// number, so that even 3 per second is exact. Only reported times are rounded, up to the next
/// nanosecond, so that the limit is never exceeded. Late events catch up within the burst; with a
/// burst of 1 they do not.
///
/// A clock that runs backwards only prolongs the wait.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{RateLimiter, Timestamp};
///
/// let mut gcra = RateLimiter::new("10/s".parse()?);
/// let later = Timestamp::START + Duration::from_millis(100);
/// assert_eq!(gcra.try_acquire(Timestamp::START), Ok(()));
/// assert_eq!(gcra.try_acquire(Timestamp::START), Err(later));
/// assert_eq!(gcra.try_acquire(later), Ok(()));
/// # Ok::<(), fetch_proto::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct RateLimiter {
    rate: Rate,
    /// Theoretical arrival time, in units of 1 ns / `count`. At most 2^96 for the time, and as much
    /// for the burst tolerance.
    tat: u128,
}

impl RateLimiter {
    /// Creates an idle limiter: the whole burst is available.
    ///
    /// ```
    /// use fetch_proto::{RateLimiter, Timestamp};
    /// assert!(RateLimiter::new("1/h".parse().unwrap()).is_idle(Timestamp::START));
    /// ```
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        Self { rate, tat: 0 }
    }

    /// Admits an event at `now`.
    ///
    /// # Errors
    ///
    /// It is too early; the value is [`next_allowed`](Self::next_allowed).
    ///
    /// ```
    /// use fetch_proto::{RateLimiter, Timestamp};
    /// let mut gcra = RateLimiter::new("1/m".parse().unwrap());
    /// assert!(gcra.try_acquire(Timestamp::START).is_ok());
    /// assert_eq!(gcra.try_acquire(Timestamp::START).unwrap_err().to_string(), "60s");
    /// ```
    pub fn try_acquire(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let at = self.scaled(now);
        if at < self.earliest() {
            return Err(self.next_allowed(now));
        }
        self.tat = self.tat.max(at) + u128::from(self.rate.per);
        Ok(())
    }

    /// The earliest time from `now` on at which an event is admitted.
    ///
    /// ```
    /// use fetch_proto::{RateLimiter, Timestamp};
    /// let gcra = RateLimiter::new("1/m".parse().unwrap());
    /// assert_eq!(gcra.next_allowed(Timestamp::START), Timestamp::START);
    /// ```
    #[must_use]
    pub fn next_allowed(&self, now: Timestamp) -> Timestamp {
        let earliest = self.earliest();
        if self.scaled(now) >= earliest {
            return now;
        }
        // Rounded up, to be late rather than early; the state itself is not rounded.
        let nanos = earliest.div_ceil(u128::from(self.rate.count.get()));
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whether the whole burst is available at `now`, so that this state can be dropped.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{RateLimiter, Timestamp};
    ///
    /// let mut gcra = RateLimiter::new("1/s".parse().unwrap());
    /// gcra.try_acquire(Timestamp::START).unwrap();
    /// assert!(!gcra.is_idle(Timestamp::START));
    /// assert!(gcra.is_idle(Timestamp::START + Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.tat <= self.scaled(now)
    }

    /// When the whole burst is available again.
    ///
    /// ```
    /// use fetch_proto::{RateLimiter, Timestamp};
    /// let mut gcra = RateLimiter::new("1/s".parse().unwrap());
    /// gcra.try_acquire(Timestamp::START).unwrap();
    /// assert_eq!(gcra.idle_at().to_string(), "1s");
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        let nanos = self.tat.div_ceil(u128::from(self.rate.count.get()));
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Changes the rate and keeps the debt, so that a change of the rate cannot bypass the old one.
    ///
    /// ```
    /// use fetch_proto::{RateLimiter, Timestamp};
    /// let mut gcra = RateLimiter::new("1/m".parse().unwrap());
    /// gcra.try_acquire(Timestamp::START).unwrap();
    /// gcra.set_rate("60/m".parse().unwrap());
    /// assert_eq!(gcra.next_allowed(Timestamp::START).to_string(), "60s");
    /// ```
    pub fn set_rate(&mut self, rate: Rate) {
        let (old, new) = (
            u128::from(self.rate.count.get()),
            u128::from(rate.count.get()),
        );
        // Whole nanoseconds and the remainder separately, because the full product would overflow.
        let (whole, rest) = (self.tat / old, self.tat % old);
        self.tat = whole * new + (rest * new).div_ceil(old);
        self.rate = rate;
    }

    /// The current rate.
    ///
    /// ```
    /// let gcra = fetch_proto::RateLimiter::new("3/s".parse().unwrap());
    /// assert_eq!(gcra.rate().to_string(), "3/s");
    /// ```
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    fn scaled(&self, t: Timestamp) -> u128 {
        u128::from(t.as_nanos()) * u128::from(self.rate.count.get())
    }

    /// The theoretical arrival time less the burst tolerance.
    fn earliest(&self) -> u128 {
        let tolerance = u128::from(self.rate.per) * u128::from(self.rate.burst.get() - 1);
        self.tat.saturating_sub(tolerance)
    }
}
