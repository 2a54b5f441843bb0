//! What a host's own policies know of it.

use alloc::boxed::Box;
use core::time::Duration;

use super::Config;
use super::config::Shed;
use crate::guards::breaker::{CallNotPermitted, CircuitBreaker, OnOpen};
use crate::guards::budget::RetryTokens;
use crate::guards::latency::RecentLatency;
use crate::guards::limiter::ConcurrencyLimiter;
use crate::guards::throttle::RequestThrottler;
use crate::model::time::Timestamp;

/// The state of one host's breaker, purse, limits. Only what is configured is there.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Guards {
    pub(super) circuit: Option<CircuitBreaker>,
    pub(super) limiter: Option<ConcurrencyLimiter>,
    pub(super) tokens: Option<RetryTokens>,
    pub(super) recent: Option<RecentLatency>,
    /// Since when its queue has been too slow.
    pub(super) slow_since: Option<Timestamp>,
    pub(super) throttler: Option<RequestThrottler>,
}

impl Guards {
    /// The guards of a host that is new. `seed` is its own.
    pub(super) fn new(config: &Config, seed: impl FnOnce() -> u64) -> Option<Box<Self>> {
        config.is_guarded().then(|| {
            let mut guards = Box::<Self>::default();
            guards.adopt(config, seed());
            guards
        })
    }

    /// Takes over what is configured, and keeps what is known.
    pub(super) fn adopt(&mut self, config: &Config, seed: u64) {
        keep(
            &mut self.circuit,
            config.breaker,
            CircuitBreaker::set_config,
            |breaker| CircuitBreaker::new(breaker, seed),
        );
        keep(
            &mut self.limiter,
            config.adaptive,
            ConcurrencyLimiter::set_config,
            |adaptive| ConcurrencyLimiter::new(adaptive, seed),
        );
        keep(
            &mut self.tokens,
            config.host_budget,
            RetryTokens::set_config,
            RetryTokens::new,
        );
        keep(
            &mut self.throttler,
            config.throttle,
            RequestThrottler::set_config,
            RequestThrottler::new,
        );
        if self.recent.is_none() && config.wants_latency() {
            self.recent = Some(RecentLatency::default());
        }
    }

    /// Until when its breaker lets nothing through, if that is to be waited for.
    pub(super) fn deferred_until(&self, now: Timestamp) -> Option<CallNotPermitted> {
        let circuit = self.circuit.as_ref()?;
        let defers = circuit.config().on_open == OnOpen::Defer;
        circuit.denial(now).filter(|_| defers)
    }

    /// Whether its breaker lets nothing through, and nobody is to wait for that.
    pub(super) fn fails_fast(&self, now: Timestamp) -> bool {
        self.circuit.as_ref().is_some_and(|circuit| {
            circuit.config().on_open == OnOpen::FailFast && circuit.denial(now).is_some()
        })
    }

    /// Whether a fetch that waited so long is to be left out: the queue has been too slow for a
    /// whole interval. After CoDel (RFC 8289), which judges a queue by how long what leaves it has
    /// waited, and only if that lasts.
    pub(super) fn sheds(&mut self, shed: &Shed, waited: Duration, now: Timestamp) -> bool {
        if waited < shed.target {
            self.slow_since = None;
            return false;
        }
        let since = *self.slow_since.get_or_insert(now);
        now.saturating_since(since) >= shed.interval
    }

    /// When nothing is left to remember.
    pub(super) fn idle_at(&self) -> Timestamp {
        let circuit = self.circuit.as_ref().map(CircuitBreaker::idle_at);
        let throttler = self.throttler.as_ref().map(RequestThrottler::idle_at);
        let tokens = self.tokens.as_ref().map(RetryTokens::idle_at);
        let all = circuit.into_iter().chain(throttler).chain(tokens);
        all.max().unwrap_or(Timestamp::START)
    }
}

/// Makes, changes or drops a guard.
fn keep<G, C>(
    guard: &mut Option<G>,
    config: Option<C>,
    change: impl FnOnce(&mut G, C),
    make: impl FnOnce(C) -> G,
) {
    match (guard.as_mut(), config) {
        (Some(guard), Some(config)) => change(guard, config),
        (None, Some(config)) => *guard = Some(make(config)),
        (_, None) => *guard = None,
    }
}
