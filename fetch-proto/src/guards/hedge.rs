//! When to ask a second time before the first answer is there.

use core::time::Duration;

use crate::guards::latency::Recent;
use crate::model::time::Timestamp;

/// Hedging: a request that takes unusually long is sent once more, and the first good answer wins.
/// After Dean and Barroso, "The Tail at Scale" (CACM 2013).
///
/// Only for requests that may be sent twice. The loser is cancelled, and that is no failure of its
/// server: it is reported to no breaker, limiter or balancer.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Hedge, HedgeDelay, Timestamp};
///
/// let hedge = Hedge { delay: HedgeDelay::Fixed(Duration::from_millis(300)), ..Hedge::default() };
/// assert_eq!(hedge.delay(None, Timestamp::START), Some(Duration::from_millis(300)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Hedge {
    /// How long the latest attempt may be without an answer before the next is sent. Default: p95,
    /// at least 1 ms, and none while that is unknown.
    pub delay: HedgeDelay,
    /// How many attempts may be sent besides the first. Default 1; 0 switches hedging off.
    pub max: u8,
    /// Whether an attempt that failed in a way that may be retried makes the next one go out at
    /// once, as gRPC's does (gRFC A6). Default yes.
    pub on_failure: bool,
}

/// How long to wait for an answer before asking once more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
pub enum HedgeDelay {
    /// Always as long. Zero sends all attempts at once.
    Fixed(Duration),
    /// As long as most answers took of late: so about `1000 − per_mille` thousandths of the
    /// requests are sent twice.
    Percentile {
        /// How many thousandths of the answers took less: 950 for p95.
        per_mille: u16,
        /// The shortest delay, however fast answers are.
        #[cfg_attr(feature = "serde", serde(default = "least"))]
        min: Duration,
        /// The delay while too few answers are known; `None` sends no second attempt then.
        #[cfg_attr(feature = "serde", serde(default))]
        fallback: Option<Duration>,
    },
}

impl Hedge {
    /// How long to wait for the latest attempt before the next is sent; `None` if none is to be
    /// sent. `recent` are the durations of this host's answers.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Hedge, Recent, Timestamp};
    ///
    /// let (mut recent, now) = (Recent::default(), Timestamp::START);
    /// assert_eq!(Hedge::default().delay(Some(&recent), now), None, "nothing is known yet");
    /// (0..20).for_each(|_| recent.record(Duration::from_millis(40), now));
    /// assert_eq!(Hedge::default().delay(Some(&recent), now), Some(Duration::from_millis(40)));
    /// ```
    #[must_use]
    pub fn delay(&self, recent: Option<&Recent>, now: Timestamp) -> Option<Duration> {
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
                let usual = recent.and_then(|recent| recent.quantile(per_mille, now));
                usual.map(|usual| usual.max(min)).or(fallback)
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

impl Default for HedgeDelay {
    fn default() -> Self {
        Self::Percentile {
            per_mille: 950,
            min: least(),
            fallback: None,
        }
    }
}

/// That of Finagle's backup requests.
const fn least() -> Duration {
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

    fn usual(duration: Duration) -> Recent {
        let mut recent = Recent::default();
        (0..20).for_each(|_| recent.record(duration, Timestamp::START));
        recent
    }

    #[test]
    fn the_delay_is_what_is_usual_but_not_too_short() {
        let hedge = percentile(10 * MS, None);
        for (took, delay) in [(40 * MS, 40 * MS), (2 * MS, 10 * MS)] {
            let recent = usual(took);
            assert_eq!(hedge.delay(Some(&recent), Timestamp::START), Some(delay));
        }
    }

    #[test]
    fn the_fallback_is_for_when_nothing_is_known_and_is_not_raised() {
        let hedge = percentile(10 * MS, Some(5 * MS));
        let long_ago = Timestamp::START + Duration::from_secs(600);
        assert_eq!(hedge.delay(None, Timestamp::START), Some(5 * MS));
        assert_eq!(hedge.delay(Some(&usual(MS)), long_ago), Some(5 * MS));
    }

    #[test]
    fn no_extra_attempt_means_no_delay() {
        let off = Hedge {
            delay: HedgeDelay::Fixed(MS),
            max: 0,
            ..Hedge::default()
        };
        assert_eq!(off.delay(None, Timestamp::START), None);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn what_is_left_out_of_a_file_has_its_default() {
        let hedge: Hedge =
            serde_json::from_str(r#"{"delay": {"percentile": {"per_mille": 950}}}"#).unwrap();
        assert_eq!(hedge, Hedge::default());
        assert!(serde_json::from_str::<Hedge>(r#"{"delays": 1}"#).is_err());
    }
}
