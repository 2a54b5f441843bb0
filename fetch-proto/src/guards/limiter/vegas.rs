//! The limit by the queue at the server.

use super::Seen;
use crate::random::{between, mix};

/// How many of the latest round trips are kept to judge whether a low one is a rule or luck.
const KEPT: usize = 5;

/// As TCP Vegas does, from the queue that the round-trip time betrays.
///
/// With `rtt₀` the round-trip time without a queue, `q = ⌈L·(1 − rtt₀/rtt)⌉` of the `L` attempts
/// wait at the server. With `g = max(1, ⌊log₁₀ L⌋)`: up to `g` waiting, `L + 6g`; fewer than `3g`,
/// `L + g`; more than `6g`, `L − g`; a drop, `L − g`. After Netflix's concurrency-limits,
/// `VegasLimit`, with its constants. `rtt₀` is measured anew after each `U(½, 1) × probe × L`
/// answers, so that a server which became slower for good is not starved for ever.
///
/// It differs from `VegasLimit` in what it takes for `rtt₀`: there one lucky round trip, such as an
/// answer from a cache, makes all others look like a queue (concurrency-limits #37). Here `rtt₀` is
/// the lowest *median of the last five* answers, and drops, which may be fast, do not count.
///
/// ```
/// use fetch_proto::{Adaptive, Limiter, Vegas};
/// let limiter = Limiter::new(Adaptive::Vegas(Vegas { max: 10, ..Vegas::default() }), 0);
/// assert_eq!(limiter.limit(), 10);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Vegas {
    /// The limit to begin with. Default 20; moved into the bounds.
    pub initial: u32,
    /// The highest limit. Default 1000; less than `min` counts as `min`.
    pub max: u32,
    /// The lowest limit. Default 1; 0 counts as 1.
    pub min: u32,
    /// The round-trip time without a queue is measured anew after at most this many times the limit
    /// answers. Default 30; 0 measures never.
    pub probe: u32,
}

/// What [`Vegas`] has measured.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct State {
    /// The latest round-trip times in nanoseconds, newest first; 0 where there was none yet.
    latest: [u64; KEPT],
    /// How often `rtt0` was measured anew.
    probes: u64,
    /// Nanoseconds; 0 before the first.
    rtt0: u64,
    /// Answers since `rtt0` was measured anew.
    since: u64,
}

#[cfg(test)]
impl State {
    pub(super) fn has_probed(&self) -> bool {
        self.probes > 0
    }
}

impl Vegas {
    pub(super) fn next(
        &self,
        state: &mut State,
        seed: u64,
        limit: u64,
        seen: &Seen,
    ) -> Option<u64> {
        let step = u64::from(limit.max(1).ilog10()).max(1);
        if seen.dropped {
            return Some(limit.saturating_sub(step));
        }
        if !self.measure(state, seed, limit, seen.rtt) || !seen.is_busy(limit) {
            return None;
        }
        match queue(limit, state.rtt0, seen.rtt) {
            q if q <= step => Some(limit + 6 * step),
            q if q < 3 * step => Some(limit + step),
            q if q > 6 * step => Some(limit.saturating_sub(step)),
            _ => None,
        }
    }

    /// Takes in a round-trip time. Whether it can be judged: not if it set `rtt0` or is below it.
    fn measure(&self, state: &mut State, seed: u64, limit: u64, rtt: u64) -> bool {
        let first = state.rtt0 == 0;
        state.latest.rotate_right(1);
        state.latest[0] = rtt;
        state.since = state.since.saturating_add(1);
        let due = limit.saturating_mul(self.probe.into());
        let jitter = between(mix(seed, state.probes), 500, 1000);
        let probe =
            self.probe > 0 && state.since.saturating_mul(1000) >= due.saturating_mul(jitter);
        let median = median(&state.latest);
        // Of fewer than all the median is still unsure, so the next one may also raise it.
        let settled = state.latest[KEPT - 1] != 0;
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

/// The lower median of those that are there.
fn median(latest: &[u64; KEPT]) -> u64 {
    let mut sorted = *latest;
    sorted.sort_unstable();
    let missing = sorted.iter().filter(|rtt| **rtt == 0).count();
    sorted[missing + (KEPT - missing - 1) / 2]
}
