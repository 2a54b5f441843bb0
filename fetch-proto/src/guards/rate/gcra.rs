//! The state machine that keeps a rate.

use super::Rate;
use crate::model::time::Timestamp;

/// Keeps a [`Rate`]: the generic cell rate algorithm of ATM (ITU-T I.371).
///
/// Its whole state is one number, the theoretical arrival time: when the next one would come if all
/// came evenly. It is kept in units of a nanosecond's `count`-th part, in which the interval
/// `per / count` is whole, so that even 3 per second is exact. Only the times that are told are
/// rounded, up to the next nanosecond: it is never faster than asked. One who comes late makes that up
/// within the burst; with a burst of 1 never.
///
/// A clock that goes back is harmless: it only makes the wait longer.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Gcra, Timestamp};
///
/// let mut gcra = Gcra::new("10/s".parse()?);
/// let later = Timestamp::START + Duration::from_millis(100);
/// assert_eq!(gcra.try_take(Timestamp::START), Ok(()));
/// assert_eq!(gcra.try_take(Timestamp::START), Err(later));
/// assert_eq!(gcra.try_take(later), Ok(()));
/// # Ok::<(), fetch_proto::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Gcra {
    rate: Rate,
    /// The theoretical arrival time. At most 2^64 × 2^32 for the time, as much for the tolerance.
    tat: u128,
}

impl Gcra {
    /// Starts rested: the whole burst is there.
    ///
    /// ```
    /// use fetch_proto::{Gcra, Timestamp};
    /// assert!(Gcra::new("1/h".parse().unwrap()).is_idle(Timestamp::START));
    /// ```
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        Self { rate, tat: 0 }
    }

    /// Admits one at `now`.
    ///
    /// # Errors
    ///
    /// It is too early. The time is the first at which one is admitted, as is told by
    /// [`next_allowed`](Self::next_allowed).
    ///
    /// ```
    /// use fetch_proto::{Gcra, Timestamp};
    /// let mut gcra = Gcra::new("1/m".parse().unwrap());
    /// assert!(gcra.try_take(Timestamp::START).is_ok());
    /// assert_eq!(gcra.try_take(Timestamp::START).unwrap_err().to_string(), "60s");
    /// ```
    pub fn try_take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let at = self.scaled(now);
        if at < self.earliest() {
            return Err(self.next_allowed(now));
        }
        self.tat = self.tat.max(at) + u128::from(self.rate.per);
        Ok(())
    }

    /// The first time from `now` on at which one is admitted: `now` itself if one is now.
    ///
    /// ```
    /// use fetch_proto::{Gcra, Timestamp};
    /// let gcra = Gcra::new("1/m".parse().unwrap());
    /// assert_eq!(gcra.next_allowed(Timestamp::START), Timestamp::START);
    /// ```
    #[must_use]
    pub fn next_allowed(&self, now: Timestamp) -> Timestamp {
        let earliest = self.earliest();
        if self.scaled(now) >= earliest {
            return now;
        }
        // Rounded up: a nanosecond late rather than early, and the debt itself is not rounded.
        let nanos = earliest.div_ceil(u128::from(self.rate.count.get()));
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whether the whole burst is there again, so that this state can be dropped and made anew.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Gcra, Timestamp};
    ///
    /// let mut gcra = Gcra::new("1/s".parse().unwrap());
    /// gcra.try_take(Timestamp::START).unwrap();
    /// assert!(!gcra.is_idle(Timestamp::START));
    /// assert!(gcra.is_idle(Timestamp::START + Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.tat <= self.scaled(now)
    }

    /// When the whole burst is there again.
    ///
    /// ```
    /// use fetch_proto::{Gcra, Timestamp};
    /// let mut gcra = Gcra::new("1/s".parse().unwrap());
    /// gcra.try_take(Timestamp::START).unwrap();
    /// assert_eq!(gcra.idle_at().to_string(), "1s");
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        let nanos = self.tat.div_ceil(u128::from(self.rate.count.get()));
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Changes the rate and keeps the debt: a new rate is no way round the old one.
    ///
    /// ```
    /// use fetch_proto::{Gcra, Timestamp};
    /// let mut gcra = Gcra::new("1/m".parse().unwrap());
    /// gcra.try_take(Timestamp::START).unwrap();
    /// gcra.set_rate("60/m".parse().unwrap());
    /// assert_eq!(gcra.next_allowed(Timestamp::START).to_string(), "60s");
    /// ```
    pub fn set_rate(&mut self, rate: Rate) {
        let (old, new) = (
            u128::from(self.rate.count.get()),
            u128::from(rate.count.get()),
        );
        // Whole nanoseconds and the rest apart: the product of the whole would not fit.
        let (whole, rest) = (self.tat / old, self.tat % old);
        self.tat = whole * new + (rest * new).div_ceil(old);
        self.rate = rate;
    }

    /// The rate that is kept.
    ///
    /// ```
    /// let gcra = fetch_proto::Gcra::new("3/s".parse().unwrap());
    /// assert_eq!(gcra.rate().to_string(), "3/s");
    /// ```
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    fn scaled(&self, t: Timestamp) -> u128 {
        u128::from(t.as_nanos()) * u128::from(self.rate.count.get())
    }

    /// The theoretical arrival time less the tolerance.
    fn earliest(&self) -> u128 {
        let tolerance = u128::from(self.rate.per) * u128::from(self.rate.burst.get() - 1);
        self.tat.saturating_sub(tolerance)
    }
}
