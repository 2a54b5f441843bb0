//! The state machine of a circuit breaker.

use core::time::Duration;

use super::call_window::CallWindow;
use super::half_open::ProbePhase;
use super::{
    Breaker, BreakerCall, BreakerMode, CallCounts, CallNotPermitted, CallResult, CircuitState,
};
use crate::model::event::{CircuitTransition, TripReason};
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
/// use fetch_proto::{Breaker, CircuitBreaker, CircuitState, Timestamp, CircuitTransition, CallResult};
///
/// let mut circuit = CircuitBreaker::new(Breaker::default().consecutive(1).probes(1, 1), 7);
/// let (now, took) = (Timestamp::START, Duration::from_millis(5));
/// let call = circuit.admit(now).unwrap();
/// let opened = circuit.record(call, CallResult::Failure, took, now);
/// let Some(CircuitTransition::Opened { until, .. }) = opened else { panic!("{opened:?}") };
///
/// let probe = circuit.admit(until).unwrap();
/// assert_eq!(circuit.record(probe, CallResult::Success, took, until), Some(CircuitTransition::Closed));
/// assert_eq!(circuit.state(until), CircuitState::Closed);
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct CircuitBreaker {
    config: Breaker,
    /// Number of state changes; identifies calls admitted in an earlier state.
    generation: u64,
    /// Breaks since it was last closed.
    breaks: u32,
    /// When it first opened since it was last closed.
    opened_at: Option<Timestamp>,
    seed: u64,
    phase: CircuitPhase,
    calls: CallWindow,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum CircuitPhase {
    Closed,
    HalfOpen(ProbePhase),
    Open { until: Timestamp },
}

impl CircuitBreaker {
    /// Creates a closed circuit. `seed` determines the jitter of its breaks.
    ///
    /// ```
    /// use fetch_proto::{Breaker, CircuitBreaker, CircuitState, Timestamp};
    /// let circuit = CircuitBreaker::new(Breaker::default(), 7);
    /// assert_eq!(circuit.state(Timestamp::START), CircuitState::Closed);
    /// ```
    #[must_use]
    pub fn new(config: Breaker, seed: u64) -> Self {
        Self {
            calls: CallWindow::new(config.window),
            config,
            generation: 0,
            breaks: 0,
            opened_at: None,
            seed,
            phase: CircuitPhase::Closed,
        }
    }

    /// Admits a call at `now`. Report its result with [`record`](Self::record).
    ///
    /// # Errors
    ///
    /// The circuit is open, or all probe slots are occupied: see
    /// [`denial`](Self::denial).
    ///
    /// ```
    /// use fetch_proto::{Breaker, BreakerMode, CircuitBreaker, Timestamp};
    /// let mut circuit = CircuitBreaker::new(Breaker::default().mode(BreakerMode::ForcedOpen), 7);
    /// assert_eq!(circuit.admit(Timestamp::START).unwrap_err().until, None);
    /// ```
    pub fn admit(&mut self, now: Timestamp) -> Result<BreakerCall, CallNotPermitted> {
        if let Some(denied) = self.denial(now) {
            return Err(denied);
        }
        let normal = self.config.mode == BreakerMode::Normal;
        if normal && matches!(self.phase, CircuitPhase::Open { .. }) {
            self.set_phase(CircuitPhase::HalfOpen(ProbePhase::new(now)));
        }
        let probe = match &mut self.phase {
            CircuitPhase::HalfOpen(probing) if normal => {
                Some(probing.start_probe(&self.config, now))
            }
            _ => None,
        };
        Ok(BreakerCall {
            generation: self.generation,
            probe,
        })
    }

    /// The error [`admit`](Self::admit) would return at `now`, or `None` if it would admit a call.
    ///
    /// ```
    /// use fetch_proto::{Breaker, CircuitBreaker, Timestamp};
    /// assert_eq!(CircuitBreaker::new(Breaker::default(), 7).denial(Timestamp::START), None);
    /// ```
    #[must_use]
    pub fn denial(&self, now: Timestamp) -> Option<CallNotPermitted> {
        let until = match (self.config.mode, &self.phase) {
            (BreakerMode::ForcedOpen, _) => return Some(CallNotPermitted { until: None }),
            (BreakerMode::Disabled | BreakerMode::MetricsOnly, _) | (_, CircuitPhase::Closed) => {
                None
            }
            (BreakerMode::Normal, CircuitPhase::Open { until }) => {
                Some(*until).filter(|t| *t > now)
            }
            (BreakerMode::Normal, CircuitPhase::HalfOpen(probing)) => {
                probing.full_until(&self.config, now)
            }
        };
        until.map(|until| CallNotPermitted { until: Some(until) })
    }

    /// Records the result of a call that took `took` and ended at `now`. Returns the transition it
    /// caused, if any.
    ///
    /// A call admitted in an earlier state changes nothing. A neutral result only frees its probe
    /// slot.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Breaker, CircuitBreaker, Timestamp, CallResult};
    ///
    /// let (now, took) = (Timestamp::START, Duration::from_millis(5));
    /// let mut circuit = CircuitBreaker::new(Breaker::default(), 7);
    /// let call = circuit.admit(now).unwrap();
    /// assert_eq!(circuit.record(call, CallResult::Success, took, now), None);
    /// assert_eq!(circuit.counts(now).calls, 1);
    /// ```
    pub fn record(
        &mut self,
        call: BreakerCall,
        result: CallResult,
        took: Duration,
        now: Timestamp,
    ) -> Option<CircuitTransition> {
        if call.generation != self.generation {
            return None;
        }
        if let (CircuitPhase::HalfOpen(probing), Some(probe)) = (&mut self.phase, call.probe) {
            probing.release_probe(probe);
        }
        let failed = match result {
            CallResult::Failure => true,
            CallResult::Neutral => return None,
            CallResult::Success => false,
        };
        let slow = self.config.is_slow(took);
        match (self.config.mode, &mut self.phase, call.probe) {
            (BreakerMode::Normal, CircuitPhase::HalfOpen(probing), Some(_)) => {
                let bad = failed || (slow && self.config.slow_ratio.is_some());
                let closes = probing.record(&self.config, !bad)?;
                Some(self.end_probing(closes, now))
            }
            (BreakerMode::Normal, CircuitPhase::Closed, _) => {
                self.calls.record(failed, slow, now);
                let trip = self.calls.trip_reason(&self.config, failed, slow, now)?;
                Some(self.open(trip, now))
            }
            (BreakerMode::MetricsOnly, _, None) => {
                self.calls.record(failed, slow, now);
                None
            }
            _ => None,
        }
    }

    /// Opens a closed circuit because of evidence outside its counts. Returns the transition, or
    /// `None` if it is not closed or its mode does not let it open.
    pub(crate) fn trip(&mut self, now: Timestamp) -> Option<CircuitTransition> {
        let is_closed = matches!(self.phase, CircuitPhase::Closed);
        let can_open = is_closed && self.config.mode == BreakerMode::Normal;
        can_open.then(|| self.open(TripReason::Consecutive, now))
    }

    /// The state at `now`.
    ///
    /// ```
    /// use fetch_proto::{Breaker, BreakerMode, CircuitBreaker, CircuitState, Timestamp};
    /// let circuit = CircuitBreaker::new(Breaker::default().mode(BreakerMode::ForcedOpen), 7);
    /// assert_eq!(circuit.state(Timestamp::START), CircuitState::Open);
    /// ```
    #[must_use]
    pub fn state(&self, now: Timestamp) -> CircuitState {
        match (self.config.mode, &self.phase) {
            (BreakerMode::ForcedOpen, _) => CircuitState::Open,
            (BreakerMode::Disabled | BreakerMode::MetricsOnly, _) | (_, CircuitPhase::Closed) => {
                CircuitState::Closed
            }
            (BreakerMode::Normal, CircuitPhase::Open { until }) if *until > now => {
                CircuitState::Open
            }
            (BreakerMode::Normal, _) => CircuitState::HalfOpen,
        }
    }

    /// Calls counted in the window that ends at `now`. Probes are not included.
    ///
    /// ```
    /// use fetch_proto::{Breaker, CircuitBreaker, Timestamp};
    /// assert_eq!(CircuitBreaker::new(Breaker::default(), 7).counts(Timestamp::START).failures, 0);
    /// ```
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> CallCounts {
        self.calls.counts(now)
    }

    /// Changes the configuration and keeps the state: an open circuit stays open until the time it
    /// reported, and counted calls stay counted. A half-open phase restarts if its number of probes
    /// or of required successes changed.
    ///
    /// ```
    /// use fetch_proto::{Breaker, BreakerMode, CircuitBreaker, Timestamp};
    /// let mut circuit = CircuitBreaker::new(Breaker::default(), 7);
    /// circuit.set_config(Breaker::default().mode(BreakerMode::Disabled));
    /// assert!(circuit.admit(Timestamp::START).is_ok());
    /// ```
    pub fn set_config(&mut self, config: Breaker) {
        self.calls.resize(config.window);
        let limits = |config: &Breaker| (config.required_successes(), config.probe_count());
        let changed = limits(&config) != limits(&self.config);
        match &mut self.phase {
            // Otherwise results counted under the old limits might already exceed the new ones.
            CircuitPhase::HalfOpen(probing) if changed => probing.reset_counts(),
            _ => {}
        }
        self.config = config;
    }

    /// The current configuration.
    ///
    /// ```
    /// use fetch_proto::{Breaker, CircuitBreaker};
    /// assert_eq!(CircuitBreaker::new(Breaker::default(), 7).config(), &Breaker::default());
    /// ```
    #[must_use]
    pub const fn config(&self) -> &Breaker {
        &self.config
    }

    /// When the state can be dropped if no call follows: for a closed circuit, when its window is
    /// empty; otherwise one window after its break or its last probe lease has ended.
    ///
    /// ```
    /// use fetch_proto::{Breaker, CircuitBreaker, Timestamp};
    /// assert_eq!(CircuitBreaker::new(Breaker::default(), 7).idle_at(), Timestamp::START);
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        let counted = self.calls.idle_at();
        match &self.phase {
            CircuitPhase::Closed => counted,
            CircuitPhase::HalfOpen(probing) => {
                counted.max(probing.last_lease_ends + self.config.window)
            }
            CircuitPhase::Open { until } => counted.max(*until + self.config.window),
        }
    }

    #[cfg(test)]
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    fn end_probing(&mut self, closes: bool, now: Timestamp) -> CircuitTransition {
        if !closes {
            return self.open(TripReason::Probes, now);
        }
        self.set_phase(CircuitPhase::Closed);
        self.calls.clear();
        self.breaks = 0;
        self.opened_at = None;
        CircuitTransition::Closed
    }

    fn open(&mut self, trip: TripReason, now: Timestamp) -> CircuitTransition {
        let age = now.saturating_since(*self.opened_at.get_or_insert(now));
        let length = self
            .config
            .break_duration(self.breaks, age, self.seed, self.generation);
        let until = now + length;
        self.set_phase(CircuitPhase::Open { until });
        self.breaks = self.breaks.saturating_add(1);
        CircuitTransition::Opened { trip, until }
    }

    fn set_phase(&mut self, phase: CircuitPhase) {
        self.phase = phase;
        self.generation += 1;
    }
}
