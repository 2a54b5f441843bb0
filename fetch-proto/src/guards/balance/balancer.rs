//! The state machine that chooses endpoints.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::ewma::Ewma;
use super::outlier::{Health, Outlier};
use super::turn::{Turn, two};
use super::{Balance, Target, TargetError};
use crate::model::time::{Timestamp, nanos};

/// Chooses an endpoint of a [`Target`] for each attempt, using the results of earlier attempts.
///
/// Endpoints are identified by their index in the target. Call [`started`](Self::started) once for
/// each attempt sent, and [`ended`](Self::ended) once when it ends.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Balance, Balancer, Endpoint, Served, Target, Timestamp};
///
/// let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
/// let target = Target::new(urls.map(Endpoint::new)).strategy(Balance::RoundRobin);
/// let (mut balancer, now) = (Balancer::new(target)?, Timestamp::START);
///
/// let first = balancer.pick(&[], |_| true, 0, now).unwrap();
/// balancer.started(first, now);
/// balancer.ended(first, Served::Failure, Duration::from_millis(3), now);
/// let retry = balancer.pick(&[first], |_| true, 0, now).unwrap();
/// assert_ne!(first, retry);
/// # Ok::<(), fetch_proto::TargetError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Balancer {
    endpoints: Vec<State>,
    /// Start of the current sweep interval; `None` before the first call.
    sweep_from: Option<Timestamp>,
    target: Target,
    turn: Turn,
}

/// Result of an attempt, as evidence about its endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Served {
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
struct State {
    health: Health,
    latency: Ewma,
    pending: u32,
}

impl Balancer {
    /// Creates a balancer without measurements.
    ///
    /// # Errors
    ///
    /// The target is invalid: see [`Target::validate`].
    ///
    /// ```
    /// use fetch_proto::{Balancer, Target, TargetError};
    /// assert_eq!(Balancer::new(Target::new([])), Err(TargetError::NoEndpoints));
    /// ```
    pub fn new(target: Target) -> Result<Self, TargetError> {
        target.validate()?;
        Ok(Self {
            endpoints: vec![State::default(); target.endpoints.len()],
            sweep_from: None,
            turn: Turn::new(target.endpoints.len()),
            target,
        })
    }

    /// The balanced target.
    ///
    /// ```
    /// # use fetch_proto::{Balancer, Endpoint, Target};
    /// let target = Target::new([Endpoint::new("https://a.example".parse().unwrap())]);
    /// assert_eq!(Balancer::new(target.clone()).unwrap().target(), &target);
    /// ```
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Chooses an endpoint for an attempt that starts at `now`, or `None` if no endpoint is usable.
    ///
    /// - `avoid`: endpoints this fetch has already used; chosen only if there is no other.
    /// - `usable`: whether an endpoint may be used by other criteria, such as its connection limit
    ///   or circuit breaker.
    /// - `draw`: a random word, for the randomised strategies.
    ///
    /// Ejected endpoints are skipped, unless so many are ejected that all are used again
    /// ([`Outlier::panic_percent`]).
    ///
    /// ```
    /// use fetch_proto::{Balancer, Endpoint, Target, Timestamp};
    ///
    /// let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
    /// let mut balancer = Balancer::new(Target::new(urls.map(Endpoint::new)))?;
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
        let sound = |i: usize| usable(i) && (panic || !endpoints[i].health.is_ejected(now));
        let untried = (0..endpoints.len()).any(|i| sound(i) && !avoid.contains(&i));
        let open = |i: &usize| sound(*i) && !(untried && avoid.contains(i));
        let candidates = (0..endpoints.len()).filter(open);
        match self.target.strategy {
            Balance::RoundRobin => self.turn.next(candidates),
            Balance::Weighted => self.turn.weighted(candidates, &self.target.endpoints),
            Balance::LeastLoaded | Balance::PeakEwma { .. } => {
                let (a, b) = two(candidates, draw)?;
                Some(if self.is_cheaper(b, a, now) { b } else { a })
            }
        }
    }

    /// Records that an attempt at endpoint `i` starts at `now`. An index outside the target is
    /// ignored.
    ///
    /// ```
    /// # use fetch_proto::{Balancer, Endpoint, Target, Timestamp};
    /// # let target = Target::new([Endpoint::new("https://a.example".parse().unwrap())]);
    /// # let mut balancer = Balancer::new(target).unwrap();
    /// balancer.started(0, Timestamp::START);
    /// assert_eq!(balancer.pending(0), 1);
    /// ```
    pub fn started(&mut self, i: usize, now: Timestamp) {
        self.sweep(now);
        if let Some(state) = self.endpoints.get_mut(i) {
            state.pending = state.pending.saturating_add(1);
        }
    }

    /// Records that an attempt at endpoint `i` ended at `now`, `rtt` after its start. An index
    /// outside the target is ignored.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Served, Timestamp};
    /// # use fetch_proto::{Balancer, Endpoint, Outlier, Target};
    /// # let urls = ["https://a.example", "https://b.example"].map(|url| url.parse().unwrap());
    /// # let target = Target::new(urls.map(Endpoint::new)).outlier(Outlier::default());
    /// # let mut balancer = Balancer::new(target).unwrap();
    ///
    /// let now = Timestamp::START;
    /// for _ in 0..5 {
    ///     balancer.started(0, now);
    ///     balancer.ended(0, Served::Failure, Duration::ZERO, now);
    /// }
    /// assert!(balancer.ejected(0, now), "five failures in a row");
    /// ```
    pub fn ended(&mut self, i: usize, served: Served, rtt: Duration, now: Timestamp) {
        self.sweep(now);
        let Some(state) = self.endpoints.get_mut(i) else {
            return;
        };
        state.pending = state.pending.saturating_sub(1);
        if served == Served::Neutral {
            return;
        }
        let success = served == Served::Success;
        if let Balance::PeakEwma { decay, penalty } = self.target.strategy {
            let least = if success { Duration::ZERO } else { penalty };
            state
                .latency
                .observe(nanos(rtt.max(least)).max(1), decay, now);
        }
        if let Some(outlier) = self.target.outlier {
            let began = Timestamp::from_nanos(now.as_nanos().saturating_sub(nanos(rtt)));
            if state.health.record(&outlier, success, began) {
                self.eject(i, &outlier, now);
            }
        }
    }

    /// Number of attempts in flight at endpoint `i`.
    ///
    /// ```
    /// # use fetch_proto::{Balancer, Endpoint, Target};
    /// # let target = Target::new([Endpoint::new("https://a.example".parse().unwrap())]);
    /// assert_eq!(Balancer::new(target).unwrap().pending(0), 0);
    /// ```
    #[must_use]
    pub fn pending(&self, i: usize) -> usize {
        self.endpoints
            .get(i)
            .map_or(0, |state| state.pending as usize)
    }

    /// Whether endpoint `i` is ejected at `now` by outlier detection.
    ///
    /// ```
    /// # use fetch_proto::{Balancer, Endpoint, Target, Timestamp};
    /// # let target = Target::new([Endpoint::new("https://a.example".parse().unwrap())]);
    /// assert!(!Balancer::new(target).unwrap().ejected(0, Timestamp::START));
    /// ```
    #[must_use]
    pub fn ejected(&self, i: usize, now: Timestamp) -> bool {
        self.endpoints
            .get(i)
            .is_some_and(|state| state.health.is_ejected(now))
    }

    /// Number of endpoints ejected at `now`. Counted on each call rather than cached, so that it is
    /// exact at the instant an endpoint returns.
    ///
    /// ```
    /// # use fetch_proto::{Balancer, Endpoint, Target, Timestamp};
    /// # let target = Target::new([Endpoint::new("https://a.example".parse().unwrap())]);
    /// assert_eq!(Balancer::new(target).unwrap().ejected_count(Timestamp::START), 0);
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
        let load = u128::from(state.pending) + 1;
        let Balance::PeakEwma { decay, penalty } = self.target.strategy else {
            return load;
        };
        match state.latency.read(decay, now) {
            // No estimate yet: allow a single attempt until it ends, as Finagle does.
            0 if state.pending == 0 => 0,
            0 => u128::from(nanos(penalty)) * load,
            estimate => u128::from(estimate) * load,
        }
    }

    fn eject(&mut self, i: usize, outlier: &Outlier, now: Timestamp) {
        if self.ejected_count(now) < outlier.most_ejected(self.endpoints.len()) {
            self.endpoints[i].health.eject(outlier, now);
        }
    }

    /// Ejects endpoints with an outlying success rate, once per sweep interval.
    fn sweep(&mut self, now: Timestamp) {
        let Some(outlier) = self.target.outlier else {
            return;
        };
        let from = *self.sweep_from.get_or_insert(now);
        if now.saturating_since(from) < outlier.sweep {
            return;
        }
        self.sweep_from = Some(now);
        let share = |state: &State| state.health.share(&outlier);
        let lowest = outlier.lowest_share(self.endpoints.iter().filter_map(share));
        let mut worse: Vec<(u64, usize)> = Vec::new();
        for (i, state) in self.endpoints.iter_mut().enumerate() {
            if let Some(share) = share(state).filter(|share| lowest.is_some_and(|low| *share < low))
            {
                worse.push((share, i));
            }
            state.health.swept(&outlier, from, now);
        }
        worse.sort_unstable();
        for (_, i) in worse {
            self.eject(i, &outlier, now);
        }
    }
}
