//! Concurrency limit by the estimated queue at the server.

use super::AttemptSample;
use crate::random::{between, mix};

/// Number of recent round trips whose median filters out outliers.
const MEDIAN_OF: usize = 5;

/// Limit by the queue at the server, as in TCP Vegas.
///
/// With `rtt₀`, the round-trip time without a queue, `q = ⌈L·(1 − rtt₀/rtt)⌉` of the `L` attempts
/// wait at the server. With `g = max(1, ⌊log₁₀ L⌋)` the new limit is:
///
/// - `L + 6g` for `q ≤ g`,
/// - `L + g` for `q < 3g`,
/// - `L − g` for `q > 6g`, and for a drop.
///
/// After Netflix's concurrency-limits, `VegasLimit`, with its constants. `rtt₀` is measured again
/// after each `U(½, 1) × probe × L` answers, so that a server that became permanently slower is not
/// starved.
///
/// It differs from `VegasLimit` in `rtt₀`: there a single fast round trip, such as an answer from a
/// cache, makes all others look like a queue (concurrency-limits #37). Here `rtt₀` is the lowest
/// *median of the last five* answers, and drops, which may be fast, do not count.
///
/// ```
/// use fetch_proto::{AdaptiveConcurrency, ConcurrencyLimiter, Vegas};
/// let limiter = ConcurrencyLimiter::new(AdaptiveConcurrency::Vegas(Vegas::default().max(10)), 0);
/// assert_eq!(limiter.limit(), 10);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Vegas {
    /// Initial limit. Default 20; clamped to the bounds.
    pub initial: u32,
    /// Highest limit. Default 1000; less than `min` counts as `min`.
    pub max: u32,
    /// Lowest limit. Default 1; 0 counts as 1.
    pub min: u32,
    /// The round-trip time without a queue is measured again after at most `probe` × limit answers.
    /// Default 30; 0 disables this.
    pub probe: u32,
}

/// Measurements of [`Vegas`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct VegasState {
    /// The latest round-trip times in nanoseconds, newest first; 0 for none yet.
    latest: [u64; MEDIAN_OF],
    /// Number of times `rtt0` was measured again.
    probes: u64,
    /// Round-trip time without a queue, in nanoseconds; 0 before the first.
    rtt0: u64,
    /// Answers since `rtt0` was last measured again.
    since: u64,
}

#[cfg(test)]
impl VegasState {
    pub(super) fn has_probed(&self) -> bool {
        self.probes > 0
    }
}

impl Vegas {
    /// Sets [`initial`](field@Self::initial).
    ///
    /// ```
    /// let vegas = fetch_proto::Vegas::default().initial(10);
    /// ```
    #[must_use]
    pub const fn initial(mut self, initial: u32) -> Self {
        self.initial = initial;
        self
    }

    /// Sets [`max`](field@Self::max).
    ///
    /// ```
    /// let vegas = fetch_proto::Vegas::default().max(10);
    /// ```
    #[must_use]
    pub const fn max(mut self, max: u32) -> Self {
        self.max = max;
        self
    }

    /// Sets [`min`](field@Self::min).
    ///
    /// ```
    /// let vegas = fetch_proto::Vegas::default().min(10);
    /// ```
    #[must_use]
    pub const fn min(mut self, min: u32) -> Self {
        self.min = min;
        self
    }

    /// Sets [`probe`](field@Self::probe).
    ///
    /// ```
    /// let vegas = fetch_proto::Vegas::default().probe(10);
    /// ```
    #[must_use]
    pub const fn probe(mut self, probe: u32) -> Self {
        self.probe = probe;
        self
    }

    pub(super) fn next_limit(
        &self,
        state: &mut VegasState,
        seed: u64,
        limit: u64,
        sample: &AttemptSample,
    ) -> Option<u64> {
        let step = u64::from(limit.max(1).ilog10()).max(1);
        if sample.dropped {
            return Some(limit.saturating_sub(step));
        }
        if !self.measure(state, seed, limit, sample.rtt) || !sample.is_busy(limit) {
            return None;
        }
        match queue(limit, state.rtt0, sample.rtt) {
            q if q <= step => Some(limit + 6 * step),
            q if q < 3 * step => Some(limit + step),
            q if q > 6 * step => Some(limit.saturating_sub(step)),
            _ => None,
        }
    }

    /// Records a round-trip time. Returns whether it can be compared with `rtt0`: not if it has just
    /// set `rtt0` or is below it.
    fn measure(&self, state: &mut VegasState, seed: u64, limit: u64, rtt: u64) -> bool {
        let first = state.rtt0 == 0;
        state.latest.rotate_right(1);
        state.latest[0] = rtt;
        state.since = state.since.saturating_add(1);
        let due = limit.saturating_mul(self.probe.into());
        let jitter = between(mix(seed, state.probes), 500, 1000);
        let probe =
            self.probe > 0 && state.since.saturating_mul(1000) >= due.saturating_mul(jitter);
        let median = median(&state.latest);
        // The median of fewer samples is unreliable, so that the next one may also raise it.
        let settled = state.latest[MEDIAN_OF - 1] != 0;
        if probe {
            state.probes = state.probes.wrapping_add(1);
            state.since = 0;
        }
        if probe || !settled || median < state.rtt0 {
            state.rtt0 = median;
        }
        !first && !probe && rtt >= state.rtt0
    }
}

impl Default for Vegas {
    fn default() -> Self {
        Self {
            initial: 20,
            max: 1000,
            min: 1,
            probe: 30,
        }
    }
}

/// `⌈limit × (1 − rtt0/rtt)⌉`, for `rtt0 <= rtt`.
fn queue(limit: u64, rtt0: u64, rtt: u64) -> u64 {
    let waiting = u128::from(limit) * u128::from(rtt - rtt0);
    waiting.div_ceil(rtt.into()) as u64
}

/// The lower median of the non-zero entries.
fn median(latest: &[u64; MEDIAN_OF]) -> u64 {
    let mut sorted = *latest;
    sorted.sort_unstable();
    let missing = sorted.iter().filter(|rtt| **rtt == 0).count();
    sorted[missing + (MEDIAN_OF - missing - 1) / 2]
}
