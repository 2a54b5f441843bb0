//! Holding back what an overloaded host would reject anyway.

#[cfg(test)]
mod tests;

use core::ops::AddAssign;
use core::time::Duration;

use crate::guards::rolling_window::Slots;
use crate::model::time::Timestamp;
use crate::random::between;

const MILLION: u64 = 1_000_000;

/// How a [`Throttler`] holds requests back: the client-side throttling of "Site Reliability
/// Engineering" (Beyer and others, 2016, chapter 21, "Handling Overload").
///
/// A request is held back with the probability `max(0, (requests − K × accepts) / (requests + 1))`,
/// counted over the window, and at most the cap. A small K holds back early, a large one lets more
/// rejects happen, which tell sooner that the host is well again.
///
/// ```
/// use fetch_proto::{Throttle, Throttler, Timestamp};
///
/// let mut throttler = Throttler::new(Throttle::default());
/// (0..99).for_each(|_| throttler.request(Timestamp::START));
/// (0..24).for_each(|_| throttler.accept(Timestamp::START));
/// // (99 − 2 × 24) / (99 + 1)
/// assert_eq!(throttler.rejection_probability(Timestamp::START), 510_000);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Throttle {
    cap: u16,
    k: u32,
    minimum: u32,
    window: Duration,
}

impl Throttle {
    /// K = 2 over two minutes, as in the book; at most 900 ‰ from 20 requests on.
    pub const DEFAULT: Self = Self {
        cap: 900,
        k: 2000,
        minimum: 20,
        window: Duration::from_secs(120),
    };

    /// Sets the largest probability with which a request is held back, in thousandths. Default 900,
    /// as in failsafe-go (Envoy: 800, Finagle: 750); above 999 counts as 999, for with nothing sent
    /// nothing can be accepted, and it would never recover.
    ///
    /// ```
    /// let throttle = fetch_proto::Throttle::default().cap(750);
    /// ```
    #[must_use]
    pub const fn cap(mut self, per_mille: u16) -> Self {
        self.cap = per_mille;
        self
    }

    /// Sets K, in thousandths: how many requests are sent for each that is accepted. Default 2000;
    /// under 1000 counts as 1000, else even a host that accepts all would be spared.
    ///
    /// ```
    /// let eager = fetch_proto::Throttle::default().k(1100);
    /// ```
    #[must_use]
    pub const fn k(mut self, per_mille: u32) -> Self {
        self.k = per_mille;
        self
    }

    /// Sets how many requests must be in the window before any is held back. Default 20. A request
    /// on its way is counted but not yet accepted, so this should be more than are on their way at
    /// once.
    ///
    /// ```
    /// let throttle = fetch_proto::Throttle::default().minimum(50);
    /// ```
    #[must_use]
    pub const fn minimum(mut self, requests: u32) -> Self {
        self.minimum = requests;
        self
    }

    /// Sets how far back requests are counted. Default two minutes. It is kept in ten slots, or in
    /// one if it is shorter than 200 ms, and a slot falls out as a whole.
    ///
    /// ```
    /// use core::time::Duration;
    /// let throttle = fetch_proto::Throttle::default().window(Duration::from_secs(30));
    /// ```
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Keeps a [`Throttle`] for one host.
///
/// Only overload counts against a host: 429, 503, or what else says "too much". Every other end is
/// told with [`accept`](Self::accept), be it 404, 500, a broken connection or a cancellation.
///
/// The book counts what is held back as a request, too; here only what was sent is one, since who
/// is held back will ask again. A clock that goes back is harmless: what was counted lasts longer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Throttler {
    config: Throttle,
    window: Slots<Counts>,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct Counts {
    accepts: u32,
    requests: u32,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.accepts = self.accepts.saturating_add(other.accepts);
        self.requests = self.requests.saturating_add(other.requests);
    }
}

impl Throttler {
    /// Starts with nothing counted: all are admitted.
    ///
    /// ```
    /// use fetch_proto::{Throttle, Throttler, Timestamp};
    /// let throttler = Throttler::new(Throttle::default());
    /// assert!(throttler.admits(0, Timestamp::START));
    /// ```
    #[must_use]
    pub fn new(config: Throttle) -> Self {
        Self {
            window: Slots::new(config.window),
            config,
        }
    }

    /// A request is sent.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, Throttler, Timestamp};
    /// let mut throttler = Throttler::new(Throttle::default());
    /// throttler.request(Timestamp::START);
    /// assert!(!throttler.is_idle(Timestamp::START));
    /// ```
    pub fn request(&mut self, now: Timestamp) {
        *self.window.current(now) += Counts {
            accepts: 0,
            requests: 1,
        };
    }

    /// A request that was sent has ended, and the host did not say that it is overloaded.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, Throttler, Timestamp};
    /// let mut throttler = Throttler::new(Throttle::default().minimum(0));
    /// throttler.request(Timestamp::START);
    /// assert_eq!(throttler.rejection_probability(Timestamp::START), 500_000);
    /// throttler.accept(Timestamp::START);
    /// assert_eq!(throttler.rejection_probability(Timestamp::START), 0);
    /// ```
    pub fn accept(&mut self, now: Timestamp) {
        *self.window.current(now) += Counts {
            accepts: 1,
            requests: 0,
        };
    }

    /// The probability with which a request at `now` is to be held back, in millionths, rounded
    /// down.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, Throttler, Timestamp};
    /// let mut throttler = Throttler::new(Throttle::default());
    /// (0..1000).for_each(|_| throttler.request(Timestamp::START));
    /// assert_eq!(throttler.rejection_probability(Timestamp::START), 900_000);
    /// ```
    #[must_use]
    pub fn rejection_probability(&self, now: Timestamp) -> u32 {
        let Counts { accepts, requests } = self.window.sum(now);
        if requests < self.config.minimum {
            return 0;
        }
        let requests = u64::from(requests);
        // At most 2^64: both factors are below 2^32.
        let covered = u64::from(accepts) * u64::from(self.config.k.max(1000));
        let surplus = u128::from((requests * 1000).saturating_sub(covered));
        let exact = surplus * u128::from(MILLION) / u128::from((requests + 1) * 1000);
        exact.min(u128::from(self.config.cap.min(999)) * 1000) as u32
    }

    /// Whether a request may be sent at `now`, `draw` being a random word, evenly distributed.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, Throttler, Timestamp};
    /// let mut throttler = Throttler::new(Throttle::default());
    /// (0..1000).for_each(|_| throttler.request(Timestamp::START));
    /// assert!(!throttler.admits(0, Timestamp::START));
    /// assert!(throttler.admits(u64::MAX, Timestamp::START));
    /// ```
    #[must_use]
    pub fn admits(&self, draw: u64, now: Timestamp) -> bool {
        between(draw, 0, MILLION - 1) >= u64::from(self.rejection_probability(now))
    }

    /// Changes the rules and keeps what was counted.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, Throttler, Timestamp};
    /// let mut throttler = Throttler::new(Throttle::default());
    /// (0..1000).for_each(|_| throttler.request(Timestamp::START));
    /// throttler.set_config(Throttle::default().cap(750));
    /// assert_eq!(throttler.rejection_probability(Timestamp::START), 750_000);
    /// ```
    pub fn set_config(&mut self, config: Throttle) {
        self.window.resize(config.window);
        self.config = config;
    }

    /// The rules that are kept.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, Throttler};
    /// assert_eq!(Throttler::new(Throttle::default()).config(), &Throttle::default());
    /// ```
    #[must_use]
    pub const fn config(&self) -> &Throttle {
        &self.config
    }

    /// Whether nothing is counted any more, so that this state can be dropped and made anew.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, Throttler, Timestamp};
    /// assert!(Throttler::new(Throttle::default()).is_idle(Timestamp::START));
    /// ```
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.idle_at() <= now
    }

    /// When nothing will be counted any more, if nothing else happens.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, Throttler, Timestamp};
    /// let mut throttler = Throttler::new(Throttle::default());
    /// throttler.request(Timestamp::START);
    /// assert_eq!(throttler.idle_at().to_string(), "120s");
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        self.window.idle_at()
    }
}
