//! Delays before retries.

use core::time::Duration;

use super::{RetryClass, smooth};
use crate::model::time::nanos;
use crate::random::{between, mix};

/// Exponential backoff: the wait before retry `n` (from 0) is `min(cap, base × factor^n + step ×
/// n)`, randomised by [`Jitter`]. The step is zero by default; with a factor of 1 the growth is
/// linear.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::Backoff;
///
/// let exact = Backoff::default().jitter(None);
/// let waits: Vec<_> = (0..6).map(|n| exact.ceiling(n).as_secs()).collect();
/// assert_eq!(waits, [1, 2, 4, 8, 16, 30]);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Backoff {
    pub(super) base: Duration,
    pub(super) cap: Duration,
    pub(super) factor: u32,
    pub(super) jitter: Option<Jitter>,
    pub(super) step: Duration,
}

/// How the exponential wait `e` is randomised, so that fetches that failed together are not retried
/// together. The first three names are from Marc Brooker's "Exponential Backoff And Jitter" (AWS
/// Architecture Blog, 2015).
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Backoff, Jitter};
///
/// let backoff = Backoff::default().jitter(Jitter::Full);
/// assert_eq!(backoff.bounds(1), (Duration::ZERO, Duration::from_secs(2)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Jitter {
    /// Uniform in `base..=3 × the previous wait`, at most the cap.
    Decorrelated,
    /// Uniform in `e/2..=e`: never less than half, which suits throttling.
    Equal,
    /// Uniform in `0..=e`: the widest spread, with waits down to zero.
    Full,
    /// Polly's decorrelated jitter, version 2: the rise of a smooth curve between the random points
    /// of two retries. The medians stay near `base × 2^n`, and the distribution has no steps.
    /// Factor and step are ignored; the wait before retry `n` is below `4 × base × 2^n`, at most
    /// the cap.
    Smooth,
}

impl Backoff {
    /// Waits of 1 s, 2 s, 4 s … at most 30 s, with [`Jitter::Equal`].
    pub const DEFAULT: Self = Self {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(30),
        factor: 2,
        jitter: Some(Jitter::Equal),
        step: Duration::ZERO,
    };

    /// Sets the wait before the first retry. Default 1 s; zero retries immediately.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let backoff = fetch_proto::Backoff::default().base(Duration::from_millis(100));
    /// assert_eq!(backoff.ceiling(1), Duration::from_millis(200));
    /// ```
    #[must_use]
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Sets the longest wait. Default 30 s.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let backoff = fetch_proto::Backoff::default().cap(Duration::from_secs(3));
    /// assert_eq!(backoff.ceiling(9), Duration::from_secs(3));
    /// ```
    #[must_use]
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Sets the factor between consecutive waits. Default 2; 1 makes them constant.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let backoff = fetch_proto::Backoff::default().factor(3);
    /// assert_eq!(backoff.ceiling(2), Duration::from_secs(9));
    /// ```
    #[must_use]
    pub const fn factor(mut self, factor: u32) -> Self {
        self.factor = factor;
        self
    }

    /// Sets how waits are randomised; `None` makes them exact. Default [`Jitter::Equal`].
    ///
    /// ```
    /// # use fetch_proto::{Backoff, Jitter};
    /// let backoff = Backoff::default().jitter(Jitter::Full);
    /// ```
    #[must_use]
    pub fn jitter(mut self, jitter: impl Into<Option<Jitter>>) -> Self {
        self.jitter = jitter.into();
        self
    }

    /// Sets the time that each wait adds to the previous one, besides the factor. Default zero.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let second = Duration::from_secs(1);
    /// let linear = fetch_proto::Backoff::default().factor(1).step(second);
    /// assert_eq!([0, 1, 2].map(|n| linear.ceiling(n).as_secs()), [1, 2, 3]);
    /// ```
    #[must_use]
    pub const fn step(mut self, step: Duration) -> Self {
        self.step = step;
        self
    }

    /// The wait before retry `n` (from 0) without jitter.
    ///
    /// ```
    /// # use core::time::Duration;
    /// assert_eq!(fetch_proto::Backoff::default().ceiling(2), Duration::from_secs(4));
    /// ```
    #[must_use]
    pub fn ceiling(&self, n: u32) -> Duration {
        let grown = nanos(self.base).saturating_mul(u64::from(self.factor).saturating_pow(n));
        let added = nanos(self.step).saturating_mul(u64::from(n));
        Duration::from_nanos(grown.saturating_add(added).min(nanos(self.cap)))
    }

    /// The bounds of the wait before retry `n` (from 0). [`Jitter::Decorrelated`] depends on the
    /// previous wait, so its bounds are the widest possible; [`Jitter::Smooth`] may exceed the
    /// ceiling, up to the cap.
    ///
    /// ```
    /// use core::time::Duration;
    /// let bounds = fetch_proto::Backoff::default().bounds(1);
    /// assert_eq!(bounds, (Duration::from_secs(1), Duration::from_secs(2)));
    /// ```
    #[must_use]
    pub fn bounds(&self, n: u32) -> (Duration, Duration) {
        let ceiling = self.ceiling(n);
        match self.jitter {
            None => (ceiling, ceiling),
            Some(Jitter::Equal) => (ceiling / 2, ceiling),
            Some(Jitter::Full) => (Duration::ZERO, ceiling),
            Some(Jitter::Decorrelated) => (self.base.min(self.cap), self.cap),
            Some(Jitter::Smooth) => (Duration::ZERO, self.cap),
        }
    }

    /// The backoff for retries of this class. After a throttled attempt, full jitter becomes equal
    /// jitter, because waits near zero would be throttled again.
    pub(crate) fn for_class(mut self, class: RetryClass) -> Self {
        if class == RetryClass::Throttled && self.jitter == Some(Jitter::Full) {
            self.jitter = Some(Jitter::Equal);
        }
        self
    }

    /// The wait before retry `n` (from 0) of a fetch with this seed. `previous` is the wait before
    /// the previous retry, zero for the first.
    ///
    /// The same arguments give the same wait on every platform.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::Backoff;
    ///
    /// let wait = Backoff::default().delay(7, 1, Duration::ZERO);
    /// assert!(Duration::from_secs(1) <= wait && wait <= Duration::from_secs(2));
    /// assert_eq!(wait, Backoff::default().delay(7, 1, Duration::ZERO));
    /// ```
    #[must_use]
    pub fn delay(&self, seed: u64, n: u32, previous: Duration) -> Duration {
        self.delay_with(n, previous, |retry| mix(seed, u64::from(retry)))
    }

    /// Like [`delay`](Self::delay), with the caller's source of randomness: `draw` returns the
    /// random word of a retry, always the same for one retry. [`Jitter::Smooth`] also draws the
    /// previous one.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Backoff, Jitter};
    ///
    /// let backoff = Backoff::default().jitter(Jitter::Full);
    /// let half = |_| 1 << 63;
    /// assert_eq!(backoff.delay_with(1, Duration::ZERO, half), Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn delay_with(&self, n: u32, previous: Duration, draw: impl Fn(u32) -> u64) -> Duration {
        let (base, cap, ceiling) = (nanos(self.base), nanos(self.cap), nanos(self.ceiling(n)));
        let Some(jitter) = self.jitter else {
            return Duration::from_nanos(ceiling);
        };
        let word = draw(n);
        Duration::from_nanos(match jitter {
            Jitter::Decorrelated => {
                let high = nanos(previous).max(base).saturating_mul(3);
                between(word, base, high).min(cap)
            }
            Jitter::Equal => between(word, ceiling / 2, ceiling),
            Jitter::Full => between(word, 0, ceiling),
            Jitter::Smooth => {
                let earlier = n.checked_sub(1).map_or(0, &draw);
                smooth::wait(base, n, word, earlier).min(cap)
            }
        })
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn without_jitter_waits_are_exact() {
        let exact = Backoff::default().jitter(None);
        for (n, seconds) in [(0, 1), (1, 2), (2, 4)] {
            assert_eq!(exact.delay(99, n, SECOND), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn each_jitter_covers_its_range() {
        let ranges = [(Jitter::Full, 0, 4000), (Jitter::Equal, 2000, 4000)];
        for (jitter, low, high) in ranges {
            let backoff = Backoff::default().jitter(jitter);
            let waits = (0..1000).map(|seed| backoff.delay(seed, 2, SECOND).as_millis());
            let (min, max) = waits.fold((u128::MAX, 0), |(a, b), w| (a.min(w), b.max(w)));
            assert!(low <= min && max <= high, "{jitter:?}: {min}..{max}");
            assert!(
                max - min > u128::from(9 * (high as u32 - low as u32) / 10),
                "{jitter:?}"
            );
        }
    }

    #[test]
    fn decorrelated_waits_stay_between_base_and_cap() {
        let backoff = Backoff::default().jitter(Jitter::Decorrelated);
        for seed in 0..100 {
            let mut wait = Duration::ZERO;
            for n in 0..20 {
                let next = backoff.delay(seed, n, wait);
                assert!(SECOND <= next && next <= Duration::from_secs(30));
                assert!(next <= wait.max(SECOND) * 3);
                wait = next;
            }
        }
    }

    #[test]
    fn huge_exponents_are_capped() {
        for n in [64, 1000, 1024, 1025, u32::MAX] {
            assert_eq!(Backoff::default().ceiling(n), Duration::from_secs(30));
        }
    }
}
