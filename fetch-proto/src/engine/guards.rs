//! What a host's own policies know of it.

use alloc::boxed::Box;
use core::time::Duration;

use super::Config;
use super::config::Shed;
use crate::guards::breaker::{Circuit, Denied, OnOpen};
use crate::guards::budget::Purse;
use crate::guards::latency::Recent;
use crate::guards::limiter::Limiter;
use crate::guards::throttle::Throttler;
use crate::model::time::Timestamp;

/// The state of one host's breaker, purse, limits. Only what is configured is there.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Guards {
    pub(super) circuit: Option<Circuit>,
    pub(super) limiter: Option<Limiter>,
    pub(super) purse: Option<Purse>,
    pub(super) recent: Option<Recent>,
    /// Since when its queue has been too slow.
    pub(super) slow_since: Option<Timestamp>,
    pub(super) throttler: Option<Throttler>,
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
            Circuit::set_config,
            |breaker| Circuit::new(breaker, seed),
        );
        keep(
            &mut self.limiter,
            config.adaptive,
            Limiter::set_config,
            |adaptive| Limiter::new(adaptive, seed),
        );
        keep(
            &mut self.purse,
            config.host_budget,
            Purse::set_config,
            Purse::new,
        );
        keep(
            &mut self.throttler,
            config.throttle,
            Throttler::set_config,
            Throttler::new,
        );
        if self.recent.is_none() && config.wants_latency() {
            self.recent = Some(Recent::default());
        }
    }

    /// Until when its breaker lets nothing through, if that is to be waited for.
    pub(super) fn deferred_until(&self, now: Timestamp) -> Option<Denied> {
        let circuit = self.circuit.as_ref()?;
        let defers = circuit.config().on_open == OnOpen::Defer;
        circuit.denied_until(now).filter(|_| defers)
    }

    /// Whether its breaker lets nothing through, and nobody is to wait for that.
    pub(super) fn fails_fast(&self, now: Timestamp) -> bool {
        self.circuit.as_ref().is_some_and(|circuit| {
            circuit.config().on_open == OnOpen::FailFast && circuit.denied_until(now).is_some()
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
        let circuit = self.circuit.as_ref().map(Circuit::idle_at);
        let throttler = self.throttler.as_ref().map(Throttler::idle_at);
        let purse = self.purse.as_ref().map(Purse::idle_at);
        let all = circuit.into_iter().chain(throttler).chain(purse);
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
