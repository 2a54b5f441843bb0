//! Changing the configuration of a running engine.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::limits::host_guards::HostGuards;
use super::limits::rates::change_rate;
use super::state::fetch_slab::NO_INDEX;
use super::state::random::host_seed;
use super::state::target_endpoints::TargetEndpoints;
use super::{Engine, EngineConfig};
use crate::guards::balance::{BalancedTarget, LoadBalancer};
use crate::model::time::Timestamp;
use crate::rules::{MatcherCache, PolicyRules};

impl Engine {
    /// Replaces the configuration. The state of breakers, budgets, adaptive limits and rates is
    /// preserved. New limits apply from now on; attempts in flight over a lower limit are not
    /// ended. Fetches that were submitted before keep their policy.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(EngineConfig::default().concurrency(1), 7, now);
    /// for path in ["1", "2"] {
    ///     engine.submit(FetchRequest::get(format!("http://a.test/{path}").parse()?), now).unwrap();
    /// }
    /// assert!(matches!(engine.poll(now), EngineOutput::Start(_)));
    /// assert!(matches!(engine.poll(now), EngineOutput::Idle(_)));
    /// engine.set_config(EngineConfig::default().concurrency(2), now);
    /// assert!(matches!(engine.poll(now), EngineOutput::Start(_)));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn set_config(&mut self, config: EngineConfig, now: Timestamp) {
        let now = self.clock.advance(now);
        self.withdraw_start_request(now);
        if config.effective_outage_wait().is_none() {
            for host in self.hosts.down().collect::<Vec<_>>() {
                self.end_outage(host, now);
            }
        }
        let before = core::mem::replace(&mut self.config, config);
        self.matcher_cache = MatcherCache::default();
        self.concurrency.set_max(self.config.concurrency.get());
        self.outputs.set_events_enabled(self.config.events);
        self.rates.set_rate(self.config.rate);
        self.retry_budget.set_budget(self.config.budget);
        self.spacing.set_range(self.config.spacing);
        for host in self.hosts.numbers() {
            if !self.hosts.contains(host) {
                continue;
            }
            let state = self.hosts.get_mut(host);
            change_rate(&mut state.rate, self.config.host_rate);
            self.change_guards(host);
        }
        self.renumber_rules(&before.rules);
        let rates = &mut self.rates.rules;
        let deferred = rates.set_rules(&self.config.rules, Some(&before.rules));
        for id in deferred {
            self.requeue_deferred(id, now);
        }
        if self.config.auth != before.auth {
            self.restart_grants(now);
        }
        self.set_targets();
        for host in self.hosts.numbers() {
            if self.hosts.contains(host) {
                self.offer_turn(host, now);
            }
        }
    }

    /// Updates the rule numbers of all fetches. A fetch stays with its rule, wherever that is now;
    /// if the rule was removed, its rate no longer applies to the fetch.
    fn renumber_rules(&mut self, before: &PolicyRules) {
        let rules = &self.config.rules;
        let position = |pattern| rules.iter().position(|(known, _)| known == pattern);
        let positions = before.iter().map(|(pattern, _)| position(pattern));
        let positions: Vec<_> = positions.chain([Some(rules.iter().len())]).collect();
        for index in self.fetches.indices() {
            if let Some(slot) = self.fetches.get_mut(index) {
                let position = positions.get(slot.rule as usize).copied().flatten();
                slot.rule = position.map_or(NO_INDEX, |position| position as u32);
            }
        }
    }

    fn change_guards(&mut self, host: u32) {
        let state = self.hosts.get_mut(host);
        let seed = host_seed(self.random.seed(), &state.key);
        match &mut state.guards {
            guards if !self.config.is_guarded() => *guards = None,
            Some(guards) => guards.set_config(&self.config, seed),
            None => {
                let mut guards = Box::<HostGuards>::default();
                guards.set_config(&self.config, seed);
                state.guards = Some(guards);
            }
        }
    }

    /// Creates the configured balanced targets, and removes those that are no longer configured.
    pub(super) fn set_targets(&mut self) {
        for host in self.hosts.numbers() {
            self.remove_target(host);
        }
        for (url, target) in self.config.targets.clone() {
            let host = self.intern_host(&url);
            self.add_target(host, target);
        }
    }

    /// Stops balancing the host, unless its target is configured as before. Attempts in flight at
    /// its endpoints continue.
    fn remove_target(&mut self, host: u32) {
        if !self.hosts.contains(host) {
            return;
        }
        let is_unchanged = |target: &TargetEndpoints| {
            let mut configured = self.config.targets.iter();
            configured.any(|(url, config)| {
                self.hosts.find_url(url) == Some(host) && config == target.balancer.target()
            })
        };
        let state = self.hosts.get(host);
        if state
            .target
            .as_ref()
            .is_none_or(|target| is_unchanged(target))
        {
            return;
        }
        let Some(target) = self.hosts.get_mut(host).target.take() else {
            return;
        };
        let now = self.clock.now();
        for endpoint in target.endpoints {
            let state = self.hosts.get_mut(endpoint);
            state.endpoint_of.retain(|served| *served != host);
            self.leave_host(endpoint, now);
        }
        self.leave_host(host, now);
    }

    fn add_target(&mut self, host: u32, config: BalancedTarget) {
        if self.hosts.get(host).target.is_some() {
            return;
        }
        let urls = config.endpoints.iter().map(|endpoint| endpoint.url.clone());
        let urls: Vec<_> = urls.collect();
        let Ok(balancer) = LoadBalancer::new(config) else {
            return; // unreachable: `EngineConfig::target` has validated it
        };
        let endpoints: Vec<_> = urls.iter().map(|url| self.intern_host(url)).collect();
        for endpoint in &endpoints {
            let state = self.hosts.get_mut(*endpoint);
            state.live += 1; // while it is an endpoint
            state.endpoint_of.push(host);
        }
        let state = self.hosts.get_mut(host);
        state.live += 1; // while it is a target
        let target = TargetEndpoints {
            balancer,
            endpoints,
        };
        state.target = Some(target.into());
    }
}
