//! Round-trip estimate that rises at once and decays exponentially.

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// 2^-(2^-i) for i = 1..=16, in units of 2^-32. A fractional power of ½ is the product of the
/// entries for the bits of its exponent.
const ROOTS: [u64; 16] = [
    3_037_000_500,
    3_611_622_603,
    3_938_502_376,
    4_112_874_773,
    4_202_935_003,
    4_248_701_965,
    4_271_771_996,
    4_283_353_945,
    4_289_156_690,
    4_292_061_010,
    4_293_513_907,
    4_294_240_540,
    4_294_603_903,
    4_294_785_595,
    4_294_876_445,
    4_294_921_870,
];

/// log₂ e in units of 2^-32.
const LOG2_E: u128 = 6_196_328_019;

/// The peak-EWMA of Finagle and tower.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct LatencyEwma {
    /// Nanoseconds, as of `at`; 0 without samples.
    estimate: u64,
    at: Option<Timestamp>,
}

impl LatencyEwma {
    /// Records a round trip of `rtt` nanoseconds that ended at `now`: a longer one replaces the
    /// estimate, a shorter one gives `estimate·w + rtt·(1 − w)` with `w = e^(−Δ/decay)`.
    pub(super) fn record(&mut self, rtt: u64, decay: Duration, now: Timestamp) {
        self.estimate = if rtt >= self.estimate {
            rtt
        } else {
            rtt + scale(self.estimate - rtt, self.weight(decay, now))
        };
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }

    /// The estimate at `now`, in nanoseconds. It decays without new samples, so that a formerly
    /// slow endpoint is used again eventually.
    pub(super) fn estimate_at(&self, decay: Duration, now: Timestamp) -> u64 {
        scale(self.estimate, self.weight(decay, now))
    }

    fn weight(&self, decay: Duration, now: Timestamp) -> u64 {
        let age = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_since(at));
        exp_minus(nanos(age), nanos(decay).max(1))
    }
}

/// `value × weight / 2^32`.
fn scale(value: u64, weight: u64) -> u64 {
    ((u128::from(value) * u128::from(weight)) >> 32) as u64
}

/// e^(−t/tau) in units of 2^-32; the absolute error is below 10^-5.
///
/// With x = t/tau · log₂ e, the result is 2^-⌊x⌋ · 2^-(x − ⌊x⌋). Rounding the fraction to 16 bits
/// contributes an error of at most ln 2 · 2^-17 = 5.3 · 10^-6.
fn exp_minus(t: u64, tau: u64) -> u64 {
    let ratio = (u128::from(t) << 32) / u128::from(tau);
    // From a ratio of 32 on, the result rounds to 0; below it, no product overflows.
    if ratio >= 32 << 32 {
        return 0;
    }
    // In units of 2^-16, rounded.
    let x = (((ratio * LOG2_E) >> 47) + 1) >> 1;
    let (whole, fraction) = (x >> 16, x & 0xffff);
    let mut power = 1_u64 << 32;
    for (i, root) in ROOTS.iter().enumerate() {
        if (fraction >> (15 - i)) & 1 == 1 {
            power = scale(power, *root);
        }
    }
    power >> whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_error_is_below_the_documented_bound() {
        for t in 0..40_000_u32 {
            let exact = (-f64::from(t) / 1000.0).exp();
            let found = exp_minus(t.into(), 1000) as f64 / 4_294_967_296.0;
            assert!((exact - found).abs() < 1e-5, "{t}: {exact} {found}");
        }
        assert_eq!((exp_minus(0, 1), exp_minus(u64::MAX, 1)), (1 << 32, 0));
    }

    #[test]
    fn exponential_is_monotonic() {
        let values = (0..50_000).map(|t| exp_minus(t, 3000));
        assert!(values.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn longer_sample_replaces_the_estimate_and_shorter_one_is_averaged() {
        let (decay, mut ewma) = (Duration::from_secs(10), LatencyEwma::default());
        let at = |s| Timestamp::START + Duration::from_secs(s);
        ewma.record(100_000, decay, at(0));
        ewma.record(500_000, decay, at(0));
        assert_eq!(ewma.estimate_at(decay, at(0)), 500_000);
        ewma.record(100_000, decay, at(10));
        let expected = 100_000 + 147_152; // 400 000/e
        assert!(ewma.estimate_at(decay, at(10)).abs_diff(expected) < 10);
    }

    #[test]
    fn estimate_decays_to_zero_without_samples() {
        let (decay, mut ewma) = (Duration::from_secs(10), LatencyEwma::default());
        ewma.record(1_000_000, decay, Timestamp::START);
        let later = Timestamp::START + Duration::from_secs(10);
        assert!(ewma.estimate_at(decay, later).abs_diff(367_879) < 10);
        assert_eq!(ewma.estimate_at(decay, Timestamp::MAX), 0);
    }
}
