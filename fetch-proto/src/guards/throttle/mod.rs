//! Client-side throttling: holds back requests that an overloaded host would reject.

#[cfg(test)]
mod tests;

use core::ops::AddAssign;
use core::time::Duration;

use crate::guards::rolling_window::RollingWindow;
use crate::model::time::Timestamp;
use crate::random::between;

const MILLION: u64 = 1_000_000;

/// Configuration of a [`RequestThrottler`]: client-side throttling after "Site Reliability Engineering"
/// (Beyer and others, 2016, chapter 21, "Handling Overload").
///
/// A request is held back with the probability `max(0, (requests − K × accepts) / (requests + 1))`,
/// counted over the window and limited by the cap. A small K holds requests back early; a large K
/// tolerates more rejections, and so detects the host's recovery sooner.
///
/// ```
/// use fetch_proto::{Throttle, RequestThrottler, Timestamp};
///
/// let mut throttler = RequestThrottler::new(Throttle::default());
/// (0..99).for_each(|_| throttler.record_request(Timestamp::START));
/// (0..24).for_each(|_| throttler.record_accept(Timestamp::START));
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
    /// K = 2 over two minutes, as in the book; a cap of 900 ‰, from 20 requests on.
    pub const DEFAULT: Self = Self {
        cap: 900,
        k: 2000,
        minimum: 20,
        window: Duration::from_secs(120),
    };

    /// Sets the maximum probability with which a request is held back, in thousandths. Default 900,
    /// as in failsafe-go (Envoy: 800, Finagle: 750). Above 999 counts as 999, because without any
    /// request it could never recover.
    ///
    /// ```
    /// let throttle = fetch_proto::Throttle::default().cap(750);
    /// ```
    #[must_use]
    pub const fn cap(mut self, per_mille: u16) -> Self {
        self.cap = per_mille;
        self
    }

    /// Sets K, the ratio of requests to accepted requests, in thousandths. Default 2000; under 1000
    /// counts as 1000, because otherwise even a host that accepts everything would be throttled.
    ///
    /// ```
    /// let eager = fetch_proto::Throttle::default().k(1100);
    /// ```
    #[must_use]
    pub const fn k(mut self, per_mille: u32) -> Self {
        self.k = per_mille;
        self
    }

    /// Sets how many requests the window must contain before any is held back. Default 20. Requests
    /// in flight count as sent but not yet accepted, so this should be at least the concurrency per
    /// host.
    ///
    /// ```
    /// let throttle = fetch_proto::Throttle::default().minimum(50);
    /// ```
    #[must_use]
    pub const fn minimum(mut self, requests: u32) -> Self {
        self.minimum = requests;
        self
    }

    /// Sets how far back requests are counted. Default two minutes. The window has ten slots, or one
    /// if it is shorter than 200 ms; a slot expires as a whole.
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

/// State of a [`Throttle`] for one host.
///
/// Only overload counts against a host, such as status 429 or 503. Every other end of a request
/// counts as accepted: 404, 500, a broken connection, a cancellation.
///
/// Unlike in the book, requests that are held back are not counted, because they are attempted
/// again later. A clock that runs backwards only delays the expiry of counts.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct RequestThrottler {
    config: Throttle,
    window: RollingWindow<RequestCounts>,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct RequestCounts {
    accepts: u32,
    requests: u32,
}

impl AddAssign for RequestCounts {
    fn add_assign(&mut self, other: Self) {
        self.accepts = self.accepts.saturating_add(other.accepts);
        self.requests = self.requests.saturating_add(other.requests);
    }
}

impl RequestThrottler {
    /// Starts with empty counts: all requests are admitted.
    ///
    /// ```
    /// use fetch_proto::{Throttle, RequestThrottler, Timestamp};
    /// let throttler = RequestThrottler::new(Throttle::default());
    /// assert!(throttler.can_send(0, Timestamp::START));
    /// ```
    #[must_use]
    pub fn new(config: Throttle) -> Self {
        Self {
            window: RollingWindow::new(config.window),
            config,
        }
    }

    /// Records that a request is sent.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, RequestThrottler, Timestamp};
    /// let mut throttler = RequestThrottler::new(Throttle::default());
    /// throttler.record_request(Timestamp::START);
    /// assert!(throttler.idle_at() > Timestamp::START);
    /// ```
    pub fn record_request(&mut self, now: Timestamp) {
        *self.window.slot_mut(now) += RequestCounts {
            accepts: 0,
            requests: 1,
        };
    }

    /// Records that a request has ended without a sign of overload.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, RequestThrottler, Timestamp};
    /// let mut throttler = RequestThrottler::new(Throttle::default().minimum(0));
    /// throttler.record_request(Timestamp::START);
    /// assert_eq!(throttler.rejection_probability(Timestamp::START), 500_000);
    /// throttler.record_accept(Timestamp::START);
    /// assert_eq!(throttler.rejection_probability(Timestamp::START), 0);
    /// ```
    pub fn record_accept(&mut self, now: Timestamp) {
        *self.window.slot_mut(now) += RequestCounts {
            accepts: 1,
            requests: 0,
        };
    }

    /// Probability with which a request at `now` is held back, in millionths, rounded down.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, RequestThrottler, Timestamp};
    /// let mut throttler = RequestThrottler::new(Throttle::default());
    /// (0..1000).for_each(|_| throttler.record_request(Timestamp::START));
    /// assert_eq!(throttler.rejection_probability(Timestamp::START), 900_000);
    /// ```
    #[must_use]
    pub fn rejection_probability(&self, now: Timestamp) -> u32 {
        let RequestCounts { accepts, requests } = self.window.sum(now);
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

    /// Whether a request may be sent at `now`. `draw` is a uniformly distributed random word.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, RequestThrottler, Timestamp};
    /// let mut throttler = RequestThrottler::new(Throttle::default());
    /// (0..1000).for_each(|_| throttler.record_request(Timestamp::START));
    /// assert!(!throttler.can_send(0, Timestamp::START));
    /// assert!(throttler.can_send(u64::MAX, Timestamp::START));
    /// ```
    #[must_use]
    pub fn can_send(&self, draw: u64, now: Timestamp) -> bool {
        between(draw, 0, MILLION - 1) >= u64::from(self.rejection_probability(now))
    }

    /// Changes the configuration and keeps the counts.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, RequestThrottler, Timestamp};
    /// let mut throttler = RequestThrottler::new(Throttle::default());
    /// (0..1000).for_each(|_| throttler.record_request(Timestamp::START));
    /// throttler.set_config(Throttle::default().cap(750));
    /// assert_eq!(throttler.rejection_probability(Timestamp::START), 750_000);
    /// ```
    pub fn set_config(&mut self, config: Throttle) {
        self.window.resize(config.window);
        self.config = config;
    }

    /// The current configuration.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, RequestThrottler};
    /// assert_eq!(RequestThrottler::new(Throttle::default()).config(), &Throttle::default());
    /// ```
    #[must_use]
    pub const fn config(&self) -> &Throttle {
        &self.config
    }

    /// When the window will be empty, if nothing else happens.
    ///
    /// ```
    /// # use fetch_proto::{Throttle, RequestThrottler, Timestamp};
    /// let mut throttler = RequestThrottler::new(Throttle::default());
    /// throttler.record_request(Timestamp::START);
    /// assert_eq!(throttler.idle_at().to_string(), "120s");
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        self.window.idle_at()
    }
}
