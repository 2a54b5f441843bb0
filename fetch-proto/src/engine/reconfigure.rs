//! Changes while it runs: limits, rates and rules of a new configuration, what is known being kept.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::guards::Guards;
use super::hosts::seed_of;
use super::slab::NONE;
use super::{Config, Engine};
use crate::guards::budget::RetryTokens;
use crate::guards::rate::RateLimiter;
use crate::model::time::Timestamp;
use crate::rules::{MatcherCache, PolicyRules};

impl Engine {
    /// Takes over a new configuration. Breakers, budgets, learned limits and the debts of rates are
    /// kept; new limits count from now on, and attempts in flight over a lower one just land. Fetches
    /// that were submitted keep the policy that was chosen for them.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Output, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default().concurrency(1), 7, now);
    /// for path in ["1", "2"] {
    ///     engine.submit(FetchRequest::get(format!("http://a.test/{path}").parse()?), now).unwrap();
    /// }
    /// assert!(matches!(engine.poll(now), Output::Start(_)));
    /// assert!(matches!(engine.poll(now), Output::Idle(_)));
    /// engine.set_config(Config::default().concurrency(2), now);
    /// assert!(matches!(engine.poll(now), Output::Start(_)));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn set_config(&mut self, config: Config, now: Timestamp) {
        let now = self.advance(now);
        let before = core::mem::replace(&mut self.config, config);
        self.scratch = MatcherCache::default();
        let rate = self.own_rate();
        change_rate(&mut self.rate, rate);
        match (&mut self.tokens, self.config.budget) {
            (Some(tokens), Some(budget)) => tokens.set_config(budget),
            (tokens, budget) => {
                let new = |budget| RetryTokens::with_fraction(budget, self.budget_portion);
                *tokens = budget.map(new);
            }
        }
        for host in self.hosts.numbers() {
            if !self.hosts.exists(host) {
                continue;
            }
            let state = self.hosts.get_mut(host);
            change_rate(&mut state.rate, self.config.host_rate);
            self.change_guards(host);
        }
        self.number_rules(&before.rules);
        let parked = self.gates.adopt(&self.config.rules, Some(&before.rules));
        for id in parked {
            self.rejoin(id, now);
        }
        self.adopt_targets();
        for host in self.hosts.numbers() {
            if self.hosts.exists(host) {
                self.offer(host, now);
            }
        }
    }

    /// Fetches keep the rate of their rule, wherever it stands now; that of a rule which is gone
    /// holds them back no longer.
    fn number_rules(&mut self, before: &PolicyRules) {
        let rules = &self.config.rules;
        let place = |pattern| rules.iter().position(|(known, _)| known == pattern);
        let places = before.iter().map(|(pattern, _)| place(pattern));
        let places: Vec<_> = places.chain([Some(rules.iter().len())]).collect();
        for index in self.slots.indices() {
            if let Some(slot) = self.slots.get_mut(index) {
                let place = places.get(slot.rule as usize).copied().flatten();
                slot.rule = place.map_or(NONE, |place| place as u32);
            }
        }
    }

    fn change_guards(&mut self, host: u32) {
        let state = self.hosts.get_mut(host);
        let seed = seed_of(self.seed, &state.key);
        match &mut state.guards {
            guards if !self.config.is_guarded() => *guards = None,
            Some(guards) => guards.adopt(&self.config, seed),
            None => {
                let mut guards = Box::<Guards>::default();
                guards.adopt(&self.config, seed);
                state.guards = Some(guards);
            }
        }
    }

    /// Sets the least time between the starts of two attempts at one host (named by scheme, host
    /// and, unless it is the scheme's own, port), such as the crawl delay of its robots.txt. Zero
    /// takes it back.
    ///
    /// ```
    /// use core::time::Duration;
    /// # use fetch_proto::{Config, Engine, Timestamp};
    /// let mut engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// engine.set_crawl_delay("https://a.example", Duration::from_secs(2));
    /// ```
    pub fn set_crawl_delay(&mut self, host: &str, delay: Duration) {
        if delay.is_zero() {
            self.crawl_delays.remove(host);
        } else {
            self.crawl_delays.insert(host.into(), delay);
        }
    }
}

pub(super) fn change_rate(
    state: &mut Option<RateLimiter>,
    rate: Option<crate::guards::rate::Rate>,
) {
    match (state.as_mut(), rate) {
        (Some(gcra), Some(rate)) => gcra.set_rate(rate),
        (_, rate) => *state = rate.map(RateLimiter::new),
    }
}
