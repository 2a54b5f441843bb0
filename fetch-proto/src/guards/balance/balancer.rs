//! The state machine that chooses endpoints.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::ewma::LatencyEwma;
use super::outlier::{EndpointHealth, OutlierDetection};
use super::rotation::{RotationState, draw_two};
use super::{BalanceStrategy, BalancedTarget, TargetError};
use crate::model::time::{Timestamp, nanos};

/// Chooses an endpoint of a [`BalancedTarget`] for each attempt, using the results of earlier attempts.
///
/// Endpoints are identified by their index in the target. Call [`record_start`](Self::record_start)
/// once for each attempt sent, and [`record_end`](Self::record_end) once when it ends.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{BalanceStrategy, LoadBalancer, TargetEndpoint, EndpointResult, BalancedTarget, Timestamp};
///
/// let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
/// let target = BalancedTarget::new(urls.map(TargetEndpoint::new)).strategy(BalanceStrategy::RoundRobin);
/// let (mut balancer, now) = (LoadBalancer::new(target)?, Timestamp::START);
///
/// let first = balancer.pick(&[], |_| true, 0, now).unwrap();
/// balancer.record_start(first, now);
/// balancer.record_end(first, EndpointResult::Failure, Duration::from_millis(3), now);
/// let retry = balancer.pick(&[first], |_| true, 0, now).unwrap();
/// assert_ne!(first, retry);
/// # Ok::<(), fetch_proto::TargetError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct LoadBalancer {
    endpoints: Vec<EndpointState>,
    /// Start of the current sweep interval; `None` before the first call.
    sweep_started: Option<Timestamp>,
    target: BalancedTarget,
    rotation: RotationState,
}

/// Result of an attempt, as evidence about its endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EndpointResult {
    /// The endpoint failed: no connection, a timeout, a 5xx status.
    Failure,
    /// No evidence: the attempt was cancelled, lost a race, or got 429, which only limits the rate.
    Neutral,
    /// The endpoint answered.
    Success,
}

/// Measurements of one endpoint.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct EndpointState {
    health: EndpointHealth,
    latency: LatencyEwma,
    in_flight: u32,
}

impl LoadBalancer {
    /// Creates a balancer without measurements.
    ///
    /// # Errors
    ///
    /// The target is invalid: see [`BalancedTarget::validate`].
    ///
    /// ```
    /// use fetch_proto::{LoadBalancer, BalancedTarget, TargetError};
    /// assert_eq!(LoadBalancer::new(BalancedTarget::new([])), Err(TargetError::NoEndpoints));
    /// ```
    pub fn new(target: BalancedTarget) -> Result<Self, TargetError> {
        target.validate()?;
        Ok(Self {
            endpoints: vec![EndpointState::default(); target.endpoints.len()],
            sweep_started: None,
            rotation: RotationState::new(target.endpoints.len()),
            target,
        })
    }

    /// The balanced target.
    ///
    /// ```
    /// # use fetch_proto::{LoadBalancer, TargetEndpoint, BalancedTarget};
    /// let target = BalancedTarget::new([TargetEndpoint::new("https://a.example".parse().unwrap())]);
    /// assert_eq!(LoadBalancer::new(target.clone()).unwrap().target(), &target);
    /// ```
    #[must_use]
    pub const fn target(&self) -> &BalancedTarget {
        &self.target
    }

    /// Chooses an endpoint for an attempt that starts at `now`, or `None` if no endpoint is usable.
    ///
    /// - `avoid`: endpoints this fetch has already used; chosen only if there is no other.
    /// - `usable`: whether an endpoint may be used by other criteria, such as its connection limit
    ///   or circuit breaker.
    /// - `draw`: a random word, for the randomised strategies.
    ///
    /// Ejected endpoints are skipped, unless too many are ejected, so that all are used
    /// ([`OutlierDetection::panic_percent`]).
    ///
    /// ```
    /// use fetch_proto::{LoadBalancer, TargetEndpoint, BalancedTarget, Timestamp};
    ///
    /// let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
    /// let mut balancer = LoadBalancer::new(BalancedTarget::new(urls.map(TargetEndpoint::new)))?;
    /// let now = Timestamp::START;
    /// assert_eq!(balancer.pick(&[], |i| i == 1, 7, now), Some(1));
    /// assert_eq!(balancer.pick(&[1], |i| i == 1, 7, now), Some(1), "there is no other");
    /// assert_eq!(balancer.pick(&[], |_| false, 7, now), None);
    /// # Ok::<(), fetch_proto::TargetError>(())
    /// ```
    pub fn pick(
        &mut self,
        avoid: &[usize],
        usable: impl Fn(usize) -> bool,
        draw: u64,
        now: Timestamp,
    ) -> Option<usize> {
        self.sweep(now);
        let panic = self.is_panic(now);
        let endpoints = &self.endpoints;
        let in_service = |i: usize| usable(i) && (panic || !endpoints[i].health.is_ejected(now));
        let untried = (0..endpoints.len()).any(|i| in_service(i) && !avoid.contains(&i));
        let eligible = |i: &usize| in_service(*i) && !(untried && avoid.contains(i));
        let candidates = (0..endpoints.len()).filter(eligible);
        match self.target.strategy {
            BalanceStrategy::RoundRobin => self.rotation.next(candidates),
            BalanceStrategy::Weighted => self
                .rotation
                .next_weighted(candidates, &self.target.endpoints),
            BalanceStrategy::LeastLoaded | BalanceStrategy::PeakEwma { .. } => {
                let (a, b) = draw_two(candidates, draw)?;
                Some(if self.is_cheaper(b, a, now) { b } else { a })
            }
        }
    }

    /// Records that an attempt at endpoint `i` starts at `now`. An index outside the target is
    /// ignored.
    ///
    /// ```
    /// # use fetch_proto::{LoadBalancer, TargetEndpoint, BalancedTarget, Timestamp};
    /// # let target = BalancedTarget::new([TargetEndpoint::new("https://a.example".parse().unwrap())]);
    /// # let mut balancer = LoadBalancer::new(target).unwrap();
    /// balancer.record_start(0, Timestamp::START);
    /// assert_eq!(balancer.in_flight(0), 1);
    /// ```
    pub fn record_start(&mut self, i: usize, now: Timestamp) {
        self.sweep(now);
        if let Some(state) = self.endpoints.get_mut(i) {
            state.in_flight = state.in_flight.saturating_add(1);
        }
    }

    /// Records that an attempt at endpoint `i` ended at `now`, `rtt` after its start. An index
    /// outside the target is ignored.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{EndpointResult, Timestamp};
    /// # use fetch_proto::{LoadBalancer, TargetEndpoint, OutlierDetection, BalancedTarget};
    /// # let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
    /// # let target = BalancedTarget::new(urls.map(TargetEndpoint::new)).outlier(OutlierDetection::default());
    /// # let mut balancer = LoadBalancer::new(target).unwrap();
    ///
    /// let now = Timestamp::START;
    /// for _ in 0..5 {
    ///     balancer.record_start(0, now);
    ///     balancer.record_end(0, EndpointResult::Failure, Duration::ZERO, now);
    /// }
    /// assert!(balancer.is_ejected(0, now), "five failures in a row");
    /// ```
    pub fn record_end(&mut self, i: usize, result: EndpointResult, rtt: Duration, now: Timestamp) {
        self.sweep(now);
        let Some(state) = self.endpoints.get_mut(i) else {
            return;
        };
        state.in_flight = state.in_flight.saturating_sub(1);
        if result == EndpointResult::Neutral {
            return;
        }
        let success = result == EndpointResult::Success;
        if let BalanceStrategy::PeakEwma { decay, penalty } = self.target.strategy {
            let least = if success { Duration::ZERO } else { penalty };
            state
                .latency
                .record(nanos(rtt.max(least)).max(1), decay, now);
        }
        if let Some(outlier) = self.target.outlier {
            let started = Timestamp::from_nanos(now.as_nanos().saturating_sub(nanos(rtt)));
            if state.health.record(&outlier, success, started) {
                self.eject(i, &outlier, now);
            }
        }
    }

    /// Number of attempts in flight at endpoint `i`.
    ///
    /// ```
    /// # use fetch_proto::{LoadBalancer, TargetEndpoint, BalancedTarget};
    /// # let target = BalancedTarget::new([TargetEndpoint::new("https://a.example".parse().unwrap())]);
    /// assert_eq!(LoadBalancer::new(target).unwrap().in_flight(0), 0);
    /// ```
    #[must_use]
    pub fn in_flight(&self, i: usize) -> usize {
        self.endpoints
            .get(i)
            .map_or(0, |state| state.in_flight as usize)
    }

    /// Whether endpoint `i` is ejected at `now` by outlier detection.
    ///
    /// ```
    /// # use fetch_proto::{LoadBalancer, TargetEndpoint, BalancedTarget, Timestamp};
    /// # let target = BalancedTarget::new([TargetEndpoint::new("https://a.example".parse().unwrap())]);
    /// assert!(!LoadBalancer::new(target).unwrap().is_ejected(0, Timestamp::START));
    /// ```
    #[must_use]
    pub fn is_ejected(&self, i: usize, now: Timestamp) -> bool {
        self.endpoints
            .get(i)
            .is_some_and(|state| state.health.is_ejected(now))
    }

    /// Number of endpoints ejected at `now`. Counted on each call rather than cached, so that it is
    /// exact at the instant an endpoint returns.
    ///
    /// ```
    /// # use fetch_proto::{LoadBalancer, TargetEndpoint, BalancedTarget, Timestamp};
    /// # let target = BalancedTarget::new([TargetEndpoint::new("https://a.example".parse().unwrap())]);
    /// assert_eq!(LoadBalancer::new(target).unwrap().ejected_count(Timestamp::START), 0);
    /// ```
    #[must_use]
    pub fn ejected_count(&self, now: Timestamp) -> usize {
        self.endpoints
            .iter()
            .filter(|state| state.health.is_ejected(now))
            .count()
    }

    fn is_panic(&self, now: Timestamp) -> bool {
        let total = self.endpoints.len();
        let outlier = self.target.outlier.as_ref();
        outlier.is_some_and(|outlier| outlier.is_panic(self.ejected_count(now), total))
    }

    /// Whether `a` has the lower cost per weight.
    fn is_cheaper(&self, a: usize, b: usize, now: Timestamp) -> bool {
        let weight = |i: usize| u128::from(self.target.endpoints[i].weight);
        self.cost(a, now) * weight(b) < self.cost(b, now) * weight(a)
    }

    /// At most 2^96.
    fn cost(&self, i: usize, now: Timestamp) -> u128 {
        let state = &self.endpoints[i];
        let load = u128::from(state.in_flight) + 1;
        let BalanceStrategy::PeakEwma { decay, penalty } = self.target.strategy else {
            return load;
        };
        match state.latency.estimate_at(decay, now) {
            // No estimate yet: allow a single attempt until it ends, as Finagle does.
            0 if state.in_flight == 0 => 0,
            0 => u128::from(nanos(penalty)) * load,
            estimate => u128::from(estimate) * load,
        }
    }

    fn eject(&mut self, i: usize, outlier: &OutlierDetection, now: Timestamp) {
        if self.ejected_count(now) < outlier.max_ejected(self.endpoints.len()) {
            self.endpoints[i].health.eject(outlier, now);
        }
    }

    /// Ejects endpoints with an outlying success rate, once per sweep interval.
    fn sweep(&mut self, now: Timestamp) {
        let Some(outlier) = self.target.outlier else {
            return;
        };
        let from = *self.sweep_started.get_or_insert(now);
        if now.saturating_since(from) < outlier.sweep {
            return;
        }
        self.sweep_started = Some(now);
        let success_rate = |state: &EndpointState| state.health.success_rate(&outlier);
        let lowest = outlier.lowest_normal_rate(self.endpoints.iter().filter_map(success_rate));
        let mut outliers: Vec<(u64, usize)> = Vec::new();
        for (i, state) in self.endpoints.iter_mut().enumerate() {
            if let Some(rate) =
                success_rate(state).filter(|rate| lowest.is_some_and(|low| *rate < low))
            {
                outliers.push((rate, i));
            }
            state.health.end_sweep(&outlier, from, now);
        }
        outliers.sort_unstable();
        for (_, i) in outliers {
            self.eject(i, &outlier, now);
        }
    }
}
