//! The guards of one host: breaker, adaptive limit, pacing, retry tokens, throttle, load shedding.

use alloc::boxed::Box;
use core::time::Duration;

use crate::engine::config::EngineConfig;
use crate::guards::breaker::{CallNotPermitted, CircuitBreaker, OnOpen};
use crate::guards::budget::RetryTokens;
use crate::guards::health::HostHealth;
use crate::guards::latency::RecentLatency;
use crate::guards::limiter::ConcurrencyLimiter;
use crate::guards::outage::HostOutage;
use crate::guards::pacing::HostPacer;
use crate::guards::shedding::LoadShedding;
use crate::guards::throttle::RequestThrottler;
use crate::model::time::Timestamp;

/// The guards of one host. Only those that are configured exist.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct HostGuards {
    pub(crate) circuit: Option<CircuitBreaker>,
    pub(crate) health: HostHealth,
    pub(crate) latency: Option<RecentLatency>,
    pub(crate) limiter: Option<ConcurrencyLimiter>,
    pub(crate) pacer: Option<HostPacer>,
    /// The current outage, if fetches wait for hosts that are down.
    pub(crate) outage: Option<HostOutage>,
    pub(crate) retry_tokens: Option<RetryTokens>,
    pub(crate) throttler: Option<RequestThrottler>,
    /// When the current series of too long queue waits started.
    overloaded_since: Option<Timestamp>,
}

impl HostGuards {
    /// The guards of a new host, if any is configured. `seed` returns the host's seed.
    pub(crate) fn new(config: &EngineConfig, seed: impl FnOnce() -> u64) -> Option<Box<Self>> {
        config.is_guarded().then(|| {
            let mut guards = Box::<Self>::default();
            guards.set_config(config, seed());
            guards
        })
    }

    /// Creates, updates or removes each guard. Updated guards keep their state; latency
    /// measurements are never removed.
    pub(crate) fn set_config(&mut self, config: &EngineConfig, seed: u64) {
        set_guard(
            &mut self.circuit,
            config.host_breaker(),
            CircuitBreaker::set_config,
            |breaker| CircuitBreaker::new(breaker, seed),
        );
        set_guard(
            &mut self.limiter,
            config.adaptive,
            ConcurrencyLimiter::set_config,
            |adaptive| ConcurrencyLimiter::new(adaptive, seed),
        );
        set_guard(
            &mut self.pacer,
            config.pacing,
            HostPacer::set_config,
            HostPacer::new,
        );
        set_guard(
            &mut self.retry_tokens,
            config.host_budget,
            RetryTokens::set_config,
            RetryTokens::new,
        );
        set_guard(
            &mut self.throttler,
            config.throttle,
            RequestThrottler::set_config,
            RequestThrottler::new,
        );
        if self.latency.is_none() && config.needs_latency() {
            self.latency = Some(RecentLatency::default());
        }
    }

    /// Until when the open breaker defers fetches; `None` if it lets calls through or fails fast.
    pub(crate) fn deferred_until(&self, now: Timestamp) -> Option<CallNotPermitted> {
        let circuit = self.circuit.as_ref()?;
        let defers = circuit.config().on_open == OnOpen::Defer && !self.is_given_up();
        circuit.denial(now).filter(|_| defers)
    }

    /// Whether the host is down and no longer waited for.
    pub(crate) fn is_given_up(&self) -> bool {
        self.outage.is_some_and(|outage| outage.is_given_up)
    }

    /// Whether fetches wait for the host because it is down.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.outage.is_some_and(|outage| !outage.is_given_up)
    }

    /// Whether the breaker is open and ends fetches instead of deferring them.
    pub(crate) fn fails_fast(&self, now: Timestamp) -> bool {
        self.circuit.as_ref().is_some_and(|circuit| {
            circuit.config().on_open == OnOpen::FailFast && circuit.denial(now).is_some()
        })
    }

    /// Whether to shed a fetch that waited for `waited`, because waits were too long for a whole
    /// interval. Like CoDel (RFC 8289), it judges a queue by the waits of what leaves it, and only
    /// if they stay long.
    pub(crate) fn should_shed(
        &mut self,
        shedding: &LoadShedding,
        waited: Duration,
        now: Timestamp,
    ) -> bool {
        if waited < shedding.target {
            self.overloaded_since = None;
            return false;
        }
        let since = *self.overloaded_since.get_or_insert(now);
        now.saturating_since(since) >= shedding.interval
    }

    /// When breaker, pacing, throttle and retry budget are idle, if no other attempt is made. The adaptive
    /// limit and the latency measurements do not keep a host.
    pub(crate) fn idle_at(&self) -> Timestamp {
        let circuit = self.circuit.as_ref().map(CircuitBreaker::idle_at);
        let throttler = self.throttler.as_ref().map(RequestThrottler::idle_at);
        let retry_tokens = self.retry_tokens.as_ref().map(RetryTokens::idle_at);
        let pacer = self.pacer.as_ref().map(HostPacer::idle_at);
        let all = [circuit, pacer, throttler, retry_tokens];
        all.into_iter().flatten().max().unwrap_or(Timestamp::START)
    }
}

/// Creates, updates or removes a guard.
fn set_guard<G, C>(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configured_guards_exist() {
        let config = EngineConfig::default();
        assert!(HostGuards::new(&config, || 0).is_none());
        let config = config.throttle(crate::Throttle::default());
        let mut guards = HostGuards::new(&config, || 0).unwrap();
        assert!(guards.throttler.is_some() && guards.circuit.is_none());
        guards.set_config(&EngineConfig::default(), 0);
        assert!(guards.throttler.is_none());
    }

    #[test]
    fn long_waits_shed_only_after_a_whole_interval() {
        let shedding = LoadShedding {
            target: Duration::from_secs(1),
            interval: Duration::from_secs(5),
        };
        let mut guards = HostGuards::default();
        let mut sheds = |waited: u64, now: u64| {
            let now = Timestamp::from_start(Duration::from_secs(now));
            guards.should_shed(&shedding, Duration::from_secs(waited), now)
        };
        assert_eq!(
            [sheds(2, 0), sheds(9, 4), sheds(2, 5)],
            [false, false, true]
        );
        assert_eq!([sheds(0, 6), sheds(2, 7)], [false, false]);
    }
}
