//! Outlier detection: temporary ejection of endpoints that fail more than the others.

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// When an endpoint is ejected, and for how long. After Envoy's outlier detection, with its
/// constants.
///
/// An endpoint is ejected at once after `consecutive_failures` in a row, and at each sweep if its
/// success rate is below the mean by more than `deviations_per_mille` thousandths of the standard
/// deviation. It stays ejected for `base` × the number of its ejections, at most `max_time`; that
/// number falls by one for each full sweep interval in service. After its return only attempts
/// sent since then are counted.
///
/// ```
/// use fetch_proto::OutlierDetection;
/// let strict = OutlierDetection::default().consecutive_failures(3);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct OutlierDetection {
    /// Duration of the first ejection. Default 30 s.
    pub base: Duration,
    /// Failures in a row that eject an endpoint at once. Default 5; 0 disables this criterion.
    pub consecutive_failures: u32,
    /// Distance of a success rate below the mean that ejects an endpoint, in thousandths of the
    /// standard deviation. Default 1900; 0 disables this criterion.
    pub deviations_per_mille: u16,
    /// Largest part of the endpoints that may be ejected at once, in percent. Default 10. Of two or
    /// more endpoints one may always be ejected; a single endpoint never is.
    pub max_ejected_percent: u8,
    /// Longest duration of an ejection. Default 300 s; less than `base` counts as `base`.
    pub max_time: Duration,
    /// Number of endpoints with `min_requests` results that are needed to compare success rates.
    /// Default 5.
    pub min_endpoints: u32,
    /// Number of results in one sweep interval that an endpoint needs to be compared. Default 100.
    pub min_requests: u32,
    /// If less than this percentage of the endpoints is in service, ejected endpoints are used too,
    /// because the cause is probably not the endpoints. Default 50.
    pub panic_percent: u8,
    /// Interval between two sweeps. Default 10 s. A sweep runs with the first call after it.
    pub sweep: Duration,
}

impl Default for OutlierDetection {
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

impl OutlierDetection {
    /// Sets [`base`](field@Self::base).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let outlier = fetch_proto::OutlierDetection::default().base(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Sets [`consecutive_failures`](field@Self::consecutive_failures).
    ///
    /// ```
    /// let outlier = fetch_proto::OutlierDetection::default().consecutive_failures(10);
    /// ```
    #[must_use]
    pub const fn consecutive_failures(mut self, consecutive_failures: u32) -> Self {
        self.consecutive_failures = consecutive_failures;
        self
    }

    /// Sets [`deviations_per_mille`](field@Self::deviations_per_mille).
    ///
    /// ```
    /// let outlier = fetch_proto::OutlierDetection::default().deviations_per_mille(500);
    /// ```
    #[must_use]
    pub const fn deviations_per_mille(mut self, deviations_per_mille: u16) -> Self {
        self.deviations_per_mille = deviations_per_mille;
        self
    }

    /// Sets [`max_ejected_percent`](field@Self::max_ejected_percent).
    ///
    /// ```
    /// let outlier = fetch_proto::OutlierDetection::default().max_ejected_percent(1);
    /// ```
    #[must_use]
    pub const fn max_ejected_percent(mut self, max_ejected_percent: u8) -> Self {
        self.max_ejected_percent = max_ejected_percent;
        self
    }

    /// Sets [`max_time`](field@Self::max_time).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let outlier = fetch_proto::OutlierDetection::default().max_time(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn max_time(mut self, max_time: Duration) -> Self {
        self.max_time = max_time;
        self
    }

    /// Sets [`min_endpoints`](field@Self::min_endpoints).
    ///
    /// ```
    /// let outlier = fetch_proto::OutlierDetection::default().min_endpoints(10);
    /// ```
    #[must_use]
    pub const fn min_endpoints(mut self, min_endpoints: u32) -> Self {
        self.min_endpoints = min_endpoints;
        self
    }

    /// Sets [`min_requests`](field@Self::min_requests).
    ///
    /// ```
    /// let outlier = fetch_proto::OutlierDetection::default().min_requests(10);
    /// ```
    #[must_use]
    pub const fn min_requests(mut self, min_requests: u32) -> Self {
        self.min_requests = min_requests;
        self
    }

    /// Sets [`panic_percent`](field@Self::panic_percent).
    ///
    /// ```
    /// let outlier = fetch_proto::OutlierDetection::default().panic_percent(1);
    /// ```
    #[must_use]
    pub const fn panic_percent(mut self, panic_percent: u8) -> Self {
        self.panic_percent = panic_percent;
        self
    }

    /// Sets [`sweep`](field@Self::sweep).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let outlier = fetch_proto::OutlierDetection::default().sweep(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn sweep(mut self, sweep: Duration) -> Self {
        self.sweep = sweep;
        self
    }

    /// How many of `endpoints` may be ejected at once.
    pub(super) fn max_ejected(&self, endpoints: usize) -> usize {
        let limit = endpoints * usize::from(self.max_ejected_percent.min(100)) / 100;
        if endpoints > 1 { limit.max(1) } else { 0 }
    }

    /// Whether too many endpoints are ejected, so that all are used.
    pub(super) fn is_panic(&self, ejected: usize, endpoints: usize) -> bool {
        (endpoints - ejected) * 100 < endpoints * usize::from(self.panic_percent)
    }

    /// Duration of an endpoint's ejection number `ejections`, counted from 1.
    fn ejection_duration(&self, ejections: u32) -> Duration {
        let longest = self.max_time.max(self.base);
        self.base.saturating_mul(ejections).min(longest)
    }

    /// The lowest success rate that is no outlier among `rates`, in millionths. `None` if there
    /// are too few to compare.
    pub(super) fn lowest_normal_rate(
        &self,
        rates: impl Iterator<Item = u64> + Clone,
    ) -> Option<u64> {
        let count = rates.clone().count() as u64;
        if count == 0 || count < self.min_endpoints.into() || self.deviations_per_mille == 0 {
            return None;
        }
        let mean = rates.clone().sum::<u64>() / count;
        let variance = rates.map(|rate| rate.abs_diff(mean).pow(2)).sum::<u64>() / count;
        let margin = variance.isqrt() * u64::from(self.deviations_per_mille) / 1000;
        Some(mean.saturating_sub(margin))
    }
}

/// Results and ejections of one endpoint.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct EndpointHealth {
    /// Failures in a row.
    consecutive: u32,
    /// End of the latest ejection. Results of attempts sent before it are not counted.
    ejected_until: Option<Timestamp>,
    /// Results since the last sweep.
    results: u32,
    /// Successes among `results`.
    successes: u32,
    /// Number of ejections, less one for each full sweep interval in service.
    ejections: u32,
}

impl EndpointHealth {
    pub(super) fn is_ejected(&self, now: Timestamp) -> bool {
        self.ejected_until.is_some_and(|until| now < until)
    }

    /// Records the result of an attempt that started at `started`. Returns whether the endpoint has
    /// reached the limit of failures in a row.
    pub(super) fn record(
        &mut self,
        outlier: &OutlierDetection,
        success: bool,
        started: Timestamp,
    ) -> bool {
        if self.is_ejected(started) {
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

    pub(super) fn eject(&mut self, outlier: &OutlierDetection, now: Timestamp) {
        let ejections = self.ejections.saturating_add(1);
        *self = Self {
            ejected_until: Some(now + outlier.ejection_duration(ejections)),
            ejections,
            ..Self::default()
        };
    }

    /// Success rate since the last sweep, in millionths, if there are enough results to compare.
    pub(super) fn success_rate(&self, outlier: &OutlierDetection) -> Option<u64> {
        if self.results < outlier.min_requests {
            return None;
        }
        (u64::from(self.successes) * 1_000_000).checked_div(self.results.into())
    }

    /// Resets the counts at the end of the sweep interval that started at `from`.
    pub(super) fn end_sweep(
        &mut self,
        outlier: &OutlierDetection,
        from: Timestamp,
        now: Timestamp,
    ) {
        (self.results, self.successes) = (0, 0);
        let in_service =
            now.saturating_since(self.ejected_until.map_or(from, |until| until.max(from)));
        let sweeps = nanos(in_service) / nanos(outlier.sweep).max(1);
        let fewer = u32::try_from(sweeps).unwrap_or(u32::MAX);
        self.ejections = self.ejections.saturating_sub(fewer);
    }
}
