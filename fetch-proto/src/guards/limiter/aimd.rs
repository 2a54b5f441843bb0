//! Additive increase, multiplicative decrease.

use core::time::Duration;

use super::AttemptSample;
use crate::model::time::nanos;

/// Additive increase, multiplicative decrease, as in TCP Reno: `L + 1` for an answer while at least
/// half of the limit `L` is in use, `L × backoff` for a drop or a round trip over `timeout`.
///
/// Every answer and every drop counts, even if many arrive at once. The limit settles where both
/// balance: with a tenth of drops, at about 90.
///
/// It needs no reference round-trip time, so it suits a client of unknown servers. After Netflix's
/// concurrency-limits, `AIMDLimit`.
///
/// ```
/// use fetch_proto::Aimd;
/// let careful = Aimd::default().backoff_per_mille(500).initial(2);
/// assert_eq!(careful.max, 200);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Aimd {
    /// Factor of a decrease in thousandths; the limit falls by at least one. Default 900; above
    /// 1000 counts as 1000.
    pub backoff_per_mille: u16,
    /// Initial limit. Default 20; clamped to the bounds.
    pub initial: u32,
    /// Highest limit. Default 200; less than `min` counts as `min`.
    pub max: u32,
    /// Lowest limit. Default 1; 0 counts as 1.
    pub min: u32,
    /// A round trip longer than this counts as a drop. Default 5 s.
    pub timeout: Duration,
}

impl Aimd {
    /// Sets [`backoff_per_mille`](field@Self::backoff_per_mille).
    ///
    /// ```
    /// let aimd = fetch_proto::Aimd::default().backoff_per_mille(500);
    /// ```
    #[must_use]
    pub const fn backoff_per_mille(mut self, backoff_per_mille: u16) -> Self {
        self.backoff_per_mille = backoff_per_mille;
        self
    }

    /// Sets [`initial`](field@Self::initial).
    ///
    /// ```
    /// let aimd = fetch_proto::Aimd::default().initial(10);
    /// ```
    #[must_use]
    pub const fn initial(mut self, initial: u32) -> Self {
        self.initial = initial;
        self
    }

    /// Sets [`max`](field@Self::max).
    ///
    /// ```
    /// let aimd = fetch_proto::Aimd::default().max(10);
    /// ```
    #[must_use]
    pub const fn max(mut self, max: u32) -> Self {
        self.max = max;
        self
    }

    /// Sets [`min`](field@Self::min).
    ///
    /// ```
    /// let aimd = fetch_proto::Aimd::default().min(10);
    /// ```
    #[must_use]
    pub const fn min(mut self, min: u32) -> Self {
        self.min = min;
        self
    }

    /// Sets [`timeout`](field@Self::timeout).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let aimd = fetch_proto::Aimd::default().timeout(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) fn next_limit(&self, limit: u64, sample: &AttemptSample) -> Option<u64> {
        if sample.dropped || sample.rtt > nanos(self.timeout) {
            let less = limit * u64::from(self.backoff_per_mille.min(1000)) / 1000;
            return Some(less.min(limit.saturating_sub(1)));
        }
        sample.is_busy(limit).then_some(limit + 1)
    }
}

impl Default for Aimd {
    fn default() -> Self {
        Self {
            backoff_per_mille: 900,
            initial: 20,
            max: 200,
            min: 1,
            timeout: Duration::from_secs(5),
        }
    }
}
