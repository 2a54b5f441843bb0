//! The state machine of a circuit breaker.

use core::time::Duration;

use super::half_open::HalfOpen;
use super::tally::Tally;
use super::{Breaker, BreakerMode, Call, CallCounts, CircuitState, Denied, Verdict};
use crate::model::event::{Transition, Trip};
use crate::model::time::Timestamp;

/// The circuit breaker of one host: closed while the host is healthy, open for a while when it
/// fails, then half-open, where a few probes decide.
///
/// After Michael Nygard's "Release It!" (2007), with lessons from later implementations: a call
/// belongs to the state that admitted it, a probe occupies its slot for a limited time, neutral
/// results change nothing, and one failed probe does not reopen the circuit.
///
/// Only a failed or slow call opens it. No action is needed when a break ends: the first call after
/// it becomes the first probe. A clock that runs backwards only prolongs a break.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Breaker, Circuit, CircuitState, Timestamp, Transition, Verdict};
///
/// let mut circuit = Circuit::new(Breaker::default().consecutive(1).probes(1, 1), 7);
/// let (now, took) = (Timestamp::START, Duration::from_millis(5));
/// let call = circuit.admit(now).unwrap();
/// let opened = circuit.settle(call, Verdict::Failure, took, now);
/// let Some(Transition::Opened { until, .. }) = opened else { panic!("{opened:?}") };
///
/// let probe = circuit.admit(until).unwrap();
/// assert_eq!(circuit.settle(probe, Verdict::Success, took, until), Some(Transition::Closed));
/// assert_eq!(circuit.state(until), CircuitState::Closed);
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Circuit {
    config: Breaker,
    /// Number of state changes; identifies calls admitted in an earlier state.
    generation: u64,
    /// Breaks since it was last closed.
    opens: u32,
    seed: u64,
    state: Inner,
    tally: Tally,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum Inner {
    Closed,
    HalfOpen(HalfOpen),
    Open { until: Timestamp },
}

impl Circuit {
    /// Creates a closed circuit. `seed` determines the jitter of its breaks.
    ///
    /// ```
    /// use fetch_proto::{Breaker, Circuit, CircuitState, Timestamp};
    /// let circuit = Circuit::new(Breaker::default(), 7);
    /// assert_eq!(circuit.state(Timestamp::START), CircuitState::Closed);
    /// ```
    #[must_use]
    pub fn new(config: Breaker, seed: u64) -> Self {
        Self {
            tally: Tally::new(config.window),
            config,
            generation: 0,
            opens: 0,
            seed,
            state: Inner::Closed,
        }
    }

    /// Admits a call at `now`. Report its result with [`settle`](Self::settle).
    ///
    /// # Errors
    ///
    /// The circuit is open, or all probe slots are occupied: see
    /// [`denied_until`](Self::denied_until).
    ///
    /// ```
    /// use fetch_proto::{Breaker, BreakerMode, Circuit, Timestamp};
    /// let mut circuit = Circuit::new(Breaker::default().mode(BreakerMode::ForcedOpen), 7);
    /// assert_eq!(circuit.admit(Timestamp::START).unwrap_err().until, None);
    /// ```
    pub fn admit(&mut self, now: Timestamp) -> Result<Call, Denied> {
        if let Some(denied) = self.denied_until(now) {
            return Err(denied);
        }
        let normal = self.config.mode == BreakerMode::Normal;
        if normal && matches!(self.state, Inner::Open { .. }) {
            self.enter(Inner::HalfOpen(HalfOpen::new(now)));
        }
        let probe = match &mut self.state {
            Inner::HalfOpen(trial) if normal => Some(trial.lease(&self.config, now)),
            _ => None,
        };
        Ok(Call {
            generation: self.generation,
            probe,
        })
    }

    /// The error [`admit`](Self::admit) would return at `now`, or `None` if it would admit a call.
    ///
    /// ```
    /// use fetch_proto::{Breaker, Circuit, Timestamp};
    /// assert_eq!(Circuit::new(Breaker::default(), 7).denied_until(Timestamp::START), None);
    /// ```
    #[must_use]
    pub fn denied_until(&self, now: Timestamp) -> Option<Denied> {
        let until = match (self.config.mode, &self.state) {
            (BreakerMode::ForcedOpen, _) => return Some(Denied { until: None }),
            (BreakerMode::Disabled | BreakerMode::MetricsOnly, _) | (_, Inner::Closed) => None,
            (BreakerMode::Normal, Inner::Open { until }) => Some(*until).filter(|t| *t > now),
            (BreakerMode::Normal, Inner::HalfOpen(trial)) => trial.full_until(&self.config, now),
        };
        until.map(|until| Denied { until: Some(until) })
    }

    /// Records the result of a call that took `took` and ended at `now`. Returns the transition it
    /// caused, if any.
    ///
    /// A call admitted in an earlier state changes nothing. A neutral result only frees its probe
    /// slot.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Breaker, Circuit, Timestamp, Verdict};
    ///
    /// let (now, took) = (Timestamp::START, Duration::from_millis(5));
    /// let mut circuit = Circuit::new(Breaker::default(), 7);
    /// let call = circuit.admit(now).unwrap();
    /// assert_eq!(circuit.settle(call, Verdict::Success, took, now), None);
    /// assert_eq!(circuit.counts(now).calls, 1);
    /// ```
    pub fn settle(
        &mut self,
        call: Call,
        verdict: Verdict,
        took: Duration,
        now: Timestamp,
    ) -> Option<Transition> {
        if call.generation != self.generation {
            return None;
        }
        if let (Inner::HalfOpen(trial), Some(probe)) = (&mut self.state, call.probe) {
            trial.release(probe);
        }
        let failed = match verdict {
            Verdict::Failure => true,
            Verdict::Neutral => return None,
            Verdict::Success => false,
        };
        let slow = self.config.is_slow(took);
        match (self.config.mode, &mut self.state, call.probe) {
            (BreakerMode::Normal, Inner::HalfOpen(trial), Some(_)) => {
                let bad = failed || (slow && self.config.slow_ratio.is_some());
                let closes = trial.count(&self.config, !bad)?;
                Some(self.decide(closes, now))
            }
            (BreakerMode::Normal, Inner::Closed, _) => {
                self.tally.count(failed, slow, now);
                let trip = self.tally.trip(&self.config, failed, slow, now)?;
                Some(self.open(trip, now))
            }
            (BreakerMode::MetricsOnly, _, None) => {
                self.tally.count(failed, slow, now);
                None
            }
            _ => None,
        }
    }

    /// The state at `now`.
    ///
    /// ```
    /// use fetch_proto::{Breaker, BreakerMode, Circuit, CircuitState, Timestamp};
    /// let circuit = Circuit::new(Breaker::default().mode(BreakerMode::ForcedOpen), 7);
    /// assert_eq!(circuit.state(Timestamp::START), CircuitState::Open);
    /// ```
    #[must_use]
    pub fn state(&self, now: Timestamp) -> CircuitState {
        match (self.config.mode, &self.state) {
            (BreakerMode::ForcedOpen, _) => CircuitState::Open,
            (BreakerMode::Disabled | BreakerMode::MetricsOnly, _) | (_, Inner::Closed) => {
                CircuitState::Closed
            }
            (BreakerMode::Normal, Inner::Open { until }) if *until > now => CircuitState::Open,
            (BreakerMode::Normal, _) => CircuitState::HalfOpen,
        }
    }

    /// Calls counted in the window that ends at `now`. Probes are not included.
    ///
    /// ```
    /// use fetch_proto::{Breaker, Circuit, Timestamp};
    /// assert_eq!(Circuit::new(Breaker::default(), 7).counts(Timestamp::START).failures, 0);
    /// ```
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> CallCounts {
        self.tally.counts(now)
    }

    /// Changes the configuration and keeps the state: an open circuit stays open until the time it
    /// reported, and counted calls stay counted. A half-open phase restarts if its number of probes
    /// or of required successes changed.
    ///
    /// ```
    /// use fetch_proto::{Breaker, BreakerMode, Circuit, Timestamp};
    /// let mut circuit = Circuit::new(Breaker::default(), 7);
    /// circuit.set_config(Breaker::default().mode(BreakerMode::Disabled));
    /// assert!(circuit.admit(Timestamp::START).is_ok());
    /// ```
    pub fn set_config(&mut self, config: Breaker) {
        self.tally.resize(config.window);
        let rules = |config: &Breaker| (config.needed(), config.trials());
        let changed = rules(&config) != rules(&self.config);
        match &mut self.state {
            // Otherwise results counted under the old limits might already exceed the new ones.
            Inner::HalfOpen(trial) if changed => trial.restart(),
            _ => {}
        }
        self.config = config;
    }

    /// The current configuration.
    ///
    /// ```
    /// use fetch_proto::{Breaker, Circuit};
    /// assert_eq!(Circuit::new(Breaker::default(), 7).config(), &Breaker::default());
    /// ```
    #[must_use]
    pub const fn config(&self) -> &Breaker {
        &self.config
    }

    /// Whether the state equals that of a new circuit, so that it can be dropped.
    ///
    /// ```
    /// use fetch_proto::{Breaker, Circuit, Timestamp};
    /// assert!(Circuit::new(Breaker::default(), 7).is_idle(Timestamp::START));
    /// ```
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.idle_at() <= now
    }

    /// When the state can be dropped if no call follows: for a closed circuit, when its window is
    /// empty; otherwise one window after its break or its last probe lease has ended.
    ///
    /// ```
    /// use fetch_proto::{Breaker, Circuit, Timestamp};
    /// assert_eq!(Circuit::new(Breaker::default(), 7).idle_at(), Timestamp::START);
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        let counted = self.tally.idle_at();
        match &self.state {
            Inner::Closed => counted,
            Inner::HalfOpen(trial) => counted.max(trial.ends + self.config.window),
            Inner::Open { until } => counted.max(*until + self.config.window),
        }
    }

    #[cfg(test)]
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    fn decide(&mut self, closes: bool, now: Timestamp) -> Transition {
        if !closes {
            return self.open(Trip::Probes, now);
        }
        self.enter(Inner::Closed);
        self.tally.clear();
        self.opens = 0;
        Transition::Closed
    }

    fn open(&mut self, trip: Trip, now: Timestamp) -> Transition {
        let length = self
            .config
            .break_length(self.opens, self.seed, self.generation);
        let until = now + length;
        self.enter(Inner::Open { until });
        self.opens = self.opens.saturating_add(1);
        Transition::Opened { trip, until }
    }

    fn enter(&mut self, state: Inner) {
        self.state = state;
        self.generation += 1;
    }
}
