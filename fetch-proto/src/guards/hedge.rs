//! Hedging: sending a request again before the first attempt has answered.

use core::time::Duration;

use crate::guards::latency::RecentLatency;
use crate::model::time::Timestamp;

/// Hedging: a request that takes unusually long is sent again, and the first good answer wins.
/// After Dean and Barroso, "The Tail at Scale" (CACM 2013).
///
/// Only requests that may be sent twice are hedged. The losing attempt is cancelled. It does not
/// count for the circuit breaker, concurrency limiter or load balancer, because the server did not
/// fail.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Hedge, HedgeDelay, Timestamp};
///
/// let hedge = Hedge::default().delay(HedgeDelay::Fixed(Duration::from_millis(300)));
/// assert_eq!(hedge.delay_for(None, Timestamp::START), Some(Duration::from_millis(300)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Hedge {
    /// How long the latest attempt may take to answer before the next is sent. Default: the 95th
    /// percentile of recent answers, at least 1 ms; no hedging while it is unknown.
    pub delay: HedgeDelay,
    /// Maximum number of attempts besides the first. Default 1; 0 disables hedging.
    pub max: u8,
    /// Whether a retryable failure sends the next attempt at once, as in gRPC (gRFC A6). Default
    /// `true`.
    pub on_failure: bool,
}

/// How long to wait for an answer before sending the next attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum HedgeDelay {
    /// A fixed delay. Zero sends all attempts at once.
    Fixed(Duration),
    /// A percentile of the host's recent answers: about `1000 − per_mille` thousandths of the
    /// requests are sent twice.
    Percentile {
        /// The percentile in thousandths: 950 for p95.
        per_mille: u16,
        /// Lower bound of the delay. Default 1 ms.
        #[cfg_attr(feature = "serde", serde(default = "default_min_delay"))]
        min: Duration,
        /// Delay while too few answers are known; `None` (the default) disables hedging then.
        #[cfg_attr(feature = "serde", serde(default))]
        fallback: Option<Duration>,
    },
}

impl Hedge {
    /// Sets [`delay`](field@Self::delay).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::HedgeDelay;
    /// let hedge = fetch_proto::Hedge::default().delay(HedgeDelay::Fixed(Duration::from_millis(300)));
    /// ```
    #[must_use]
    pub const fn delay(mut self, delay: HedgeDelay) -> Self {
        self.delay = delay;
        self
    }

    /// Sets [`max`](field@Self::max).
    ///
    /// ```
    /// let hedge = fetch_proto::Hedge::default().max(1);
    /// ```
    #[must_use]
    pub const fn max(mut self, max: u8) -> Self {
        self.max = max;
        self
    }

    /// Sets [`on_failure`](field@Self::on_failure).
    ///
    /// ```
    /// let hedge = fetch_proto::Hedge::default().on_failure(false);
    /// ```
    #[must_use]
    pub const fn on_failure(mut self, on_failure: bool) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// How long to wait for the latest attempt before sending the next; `None` to send none.
    /// `recent` holds the latencies of this host.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Hedge, RecentLatency, Timestamp};
    ///
    /// let (mut recent, now) = (RecentLatency::default(), Timestamp::START);
    /// assert_eq!(Hedge::default().delay_for(Some(&recent), now), None, "nothing is known yet");
    /// (0..20).for_each(|_| recent.record(Duration::from_millis(40), now));
    /// assert_eq!(Hedge::default().delay_for(Some(&recent), now), Some(Duration::from_millis(40)));
    /// ```
    #[must_use]
    pub fn delay_for(&self, recent: Option<&RecentLatency>, now: Timestamp) -> Option<Duration> {
        if self.max == 0 {
            return None;
        }
        match self.delay {
            HedgeDelay::Fixed(delay) => Some(delay),
            HedgeDelay::Percentile {
                per_mille,
                min,
                fallback,
            } => {
                let latency = recent.and_then(|recent| recent.quantile(per_mille, now));
                latency.map(|latency| latency.max(min)).or(fallback)
            }
        }
    }
}

impl Default for Hedge {
    fn default() -> Self {
        Self {
            delay: HedgeDelay::default(),
            max: 1,
            on_failure: true,
        }
    }
}

/// The parts of the default percentile: thousandths, lower bound, delay while nothing is known.
pub(crate) const DEFAULT_PERCENTILE: (u16, Duration, Option<Duration>) =
    (950, default_min_delay(), None);

impl Default for HedgeDelay {
    fn default() -> Self {
        let (per_mille, min, fallback) = DEFAULT_PERCENTILE;
        Self::Percentile {
            per_mille,
            min,
            fallback,
        }
    }
}

/// The minimum of Finagle's backup requests.
const fn default_min_delay() -> Duration {
    Duration::from_millis(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn percentile(min: Duration, fallback: Option<Duration>) -> Hedge {
        let delay = HedgeDelay::Percentile {
            per_mille: 950,
            min,
            fallback,
        };
        Hedge {
            delay,
            ..Hedge::default()
        }
    }

    fn usual(duration: Duration) -> RecentLatency {
        let mut recent = RecentLatency::default();
        (0..20).for_each(|_| recent.record(duration, Timestamp::START));
        recent
    }

    #[test]
    fn delay_is_the_percentile_but_at_least_the_minimum() {
        let hedge = percentile(10 * MS, None);
        for (took, delay) in [(40 * MS, 40 * MS), (2 * MS, 10 * MS)] {
            let recent = usual(took);
            assert_eq!(
                hedge.delay_for(Some(&recent), Timestamp::START),
                Some(delay)
            );
        }
    }

    #[test]
    fn fallback_applies_without_samples_and_ignores_the_minimum() {
        let hedge = percentile(10 * MS, Some(5 * MS));
        let long_ago = Timestamp::START + Duration::from_secs(600);
        assert_eq!(hedge.delay_for(None, Timestamp::START), Some(5 * MS));
        assert_eq!(hedge.delay_for(Some(&usual(MS)), long_ago), Some(5 * MS));
    }

    #[test]
    fn max_zero_disables_hedging() {
        let off = Hedge {
            delay: HedgeDelay::Fixed(MS),
            max: 0,
            ..Hedge::default()
        };
        assert_eq!(off.delay_for(None, Timestamp::START), None);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn omitted_fields_have_defaults() {
        let hedge: Hedge =
            serde_json::from_str(r#"{"delay": {"percentile": {"per_mille": 950}}}"#).unwrap();
        assert_eq!(hedge, Hedge::default());
        assert!(serde_json::from_str::<Hedge>(r#"{"delays": 1}"#).is_err());
    }
}
