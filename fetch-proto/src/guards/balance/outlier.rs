//! Which endpoints fail so much more than the others that they are left out for a while.

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// When an endpoint is left out ("ejected"), and for how long. After Envoy's outlier detection,
/// with its constants.
///
/// An endpoint is ejected at once after `consecutive_failures` in a row; and at each sweep if its
/// share of successes is lower than the mean by more than `deviations_per_mille` thousandths of the
/// standard deviation. It stays out for `base` × how often it was ejected, at most `max_time`; that
/// number falls by one for each full sweep in service. When it returns, it begins anew: an attempt
/// that was sent before says nothing any more.
///
/// ```
/// use fetch_proto::Outlier;
/// let strict = Outlier { consecutive_failures: 3, ..Outlier::default() };
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Outlier {
    /// How long the first ejection lasts. Default 30 s.
    pub base: Duration,
    /// After so many failures in a row. Default 5; 0 switches this reason off.
    pub consecutive_failures: u32,
    /// How far below the mean, in thousandths of the standard deviation. Default 1900; 0 switches
    /// this reason off.
    pub deviations_per_mille: u16,
    /// How many hundredths of all endpoints may be out at once. Default 10. Of two or more, one
    /// always may; of one, none.
    pub max_ejected_percent: u8,
    /// How long an ejection lasts at most, `base` at least. Default 300 s.
    pub max_time: Duration,
    /// How many endpoints must have `min_requests` for their successes to be compared. Default 5.
    pub min_endpoints: u32,
    /// How many results of an endpoint in one sweep are enough to compare. Default 100.
    pub min_requests: u32,
    /// If fewer hundredths of all endpoints than this are in service, all are used, the ejected
    /// ones too: more likely it is not the endpoints that fail. Default 50.
    pub panic_percent: u8,
    /// The time between two sweeps. Default 10 s. One happens with the first call after that.
    pub sweep: Duration,
}

impl Default for Outlier {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(30),
            consecutive_failures: 5,
            deviations_per_mille: 1900,
            max_ejected_percent: 10,
            max_time: Duration::from_secs(300),
            min_endpoints: 5,
            min_requests: 100,
            panic_percent: 50,
            sweep: Duration::from_secs(10),
        }
    }
}

impl Outlier {
    /// How many of `endpoints` may be out at once.
    pub(super) fn most_ejected(&self, endpoints: usize) -> usize {
        let share = endpoints * usize::from(self.max_ejected_percent.min(100)) / 100;
        if endpoints > 1 { share.max(1) } else { 0 }
    }

    /// Whether so many are out that all are used.
    pub(super) fn is_panic(&self, ejected: usize, endpoints: usize) -> bool {
        (endpoints - ejected) * 100 < endpoints * usize::from(self.panic_percent)
    }

    /// How long the ejection number `times` (from 1) lasts.
    fn duration(&self, times: u32) -> Duration {
        let longest = self.max_time.max(self.base);
        self.base.saturating_mul(times).min(longest)
    }

    /// The lowest share of successes, in millionths, that is not an outlier among `shares`. `None`
    /// if there are too few to compare.
    pub(super) fn lowest_share(&self, shares: impl Iterator<Item = u64> + Clone) -> Option<u64> {
        let count = shares.clone().count() as u64;
        if count == 0 || count < self.min_endpoints.into() || self.deviations_per_mille == 0 {
            return None;
        }
        let mean = shares.clone().sum::<u64>() / count;
        let variance = shares.map(|share| share.abs_diff(mean).pow(2)).sum::<u64>() / count;
        let margin = variance.isqrt() * u64::from(self.deviations_per_mille) / 1000;
        Some(mean.saturating_sub(margin))
    }
}

/// What is known of one endpoint.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Health {
    /// Failures in a row.
    consecutive: u32,
    /// When the last ejection ends or ended. What was sent before is not counted.
    out_until: Option<Timestamp>,
    /// Since the last sweep.
    results: u32,
    /// Of `results`.
    successes: u32,
    /// How often it was ejected, less one for each full sweep in service since.
    times: u32,
}

impl Health {
    pub(super) fn is_ejected(&self, now: Timestamp) -> bool {
        self.out_until.is_some_and(|until| now < until)
    }

    /// Takes in the result of an attempt that began at `began`. Whether it failed too often in a
    /// row.
    pub(super) fn record(&mut self, outlier: &Outlier, success: bool, began: Timestamp) -> bool {
        if self.is_ejected(began) {
            return false;
        }
        self.results = self.results.saturating_add(1);
        if success {
            self.successes = self.successes.saturating_add(1);
            self.consecutive = 0;
            return false;
        }
        self.consecutive = self.consecutive.saturating_add(1);
        let limit = outlier.consecutive_failures;
        limit > 0 && self.consecutive >= limit
    }

    pub(super) fn eject(&mut self, outlier: &Outlier, now: Timestamp) {
        let times = self.times.saturating_add(1);
        *self = Self {
            out_until: Some(now + outlier.duration(times)),
            times,
            ..Self::default()
        };
    }

    /// Successes in millionths of the results since the last sweep, if they are enough to compare.
    pub(super) fn share(&self, outlier: &Outlier) -> Option<u64> {
        if self.results < outlier.min_requests {
            return None;
        }
        (u64::from(self.successes) * 1_000_000).checked_div(self.results.into())
    }

    /// Ends the sweep that began at `from`.
    pub(super) fn swept(&mut self, outlier: &Outlier, from: Timestamp, now: Timestamp) {
        (self.results, self.successes) = (0, 0);
        let in_service = now.saturating_since(self.out_until.map_or(from, |until| until.max(from)));
        let sweeps = nanos(in_service) / nanos(outlier.sweep).max(1);
        let fewer = u32::try_from(sweeps).unwrap_or(u32::MAX);
        self.times = self.times.saturating_sub(fewer);
    }
}
