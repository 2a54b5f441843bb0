//! Additive increase, multiplicative decrease.

use core::time::Duration;

use super::Seen;
use crate::model::time::nanos;

/// Additive increase, multiplicative decrease, as TCP Reno does: `L + 1` for an answer while half
/// of the limit `L` is used, `L × backoff` for a drop or a round trip over `timeout`.
///
/// Each drop counts, also of many at once, as each answer does for growth: so the limit settles where
/// both are in balance, at a tenth of drops at about 90.
///
/// It needs no notion of a good round-trip time, so it suits a client of unknown servers. After
/// Netflix's concurrency-limits, `AIMDLimit`.
///
/// ```
/// use fetch_proto::Aimd;
/// let careful = Aimd { backoff_per_mille: 500, initial: 2, ..Aimd::default() };
/// assert_eq!(careful.max, 200);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Aimd {
    /// What the limit is multiplied by, in thousandths; it always falls by at least one. Default
    /// 900; above 1000 counts as 1000.
    pub backoff_per_mille: u16,
    /// The limit to begin with. Default 20; moved into the bounds.
    pub initial: u32,
    /// The highest limit. Default 200; less than `min` counts as `min`.
    pub max: u32,
    /// The lowest limit. Default 1; 0 counts as 1.
    pub min: u32,
    /// A round trip longer than this counts as a drop. Default 5 s.
    pub timeout: Duration,
}

impl Aimd {
    pub(super) fn next(&self, limit: u64, seen: &Seen) -> Option<u64> {
        if seen.dropped || seen.rtt > nanos(self.timeout) {
            let less = limit * u64::from(self.backoff_per_mille.min(1000)) / 1000;
            return Some(less.min(limit.saturating_sub(1)));
        }
        seen.is_busy(limit).then_some(limit + 1)
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
