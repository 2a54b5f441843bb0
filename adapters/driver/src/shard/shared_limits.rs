//! Rates over several hosts, and the retry budget over all hosts, shared by all drivers of a fetcher.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use fetch_proto::{EngineConfig, RetryTokens, RulePattern, SharedRate, Timestamp};

use crate::lock::lock;
use crate::shard::fair_limiter::FairRateLimiter;
use crate::telemetry::recording::DriverEngine;

/// The limits that apply to the hosts of all drivers together: the rate over all hosts, the rates of
/// rules, and the retry budget over all hosts.
///
/// The lock is held during one call to an engine. Without such a limit, these calls do not take it.
#[derive(Debug)]
pub(crate) struct SharedLimits {
    state: Mutex<LimitState>,
}

#[derive(Debug, Default)]
struct LimitState {
    all_hosts: Option<FairRateLimiter>,
    retry_tokens: Option<RetryTokens>,
    /// A rule that is removed keeps its place, because drivers refer to it by its index.
    rules: Vec<RuleLimit>,
}

#[derive(Debug)]
struct RuleLimit {
    /// `None` for the default policy.
    pattern: Option<RulePattern>,
    /// `None` if the current configuration has no such rule, or the rule has no rate.
    rate: Option<FairRateLimiter>,
}

impl SharedLimits {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        let mut state = LimitState::default();
        state.set_config(config);
        Self {
            state: Mutex::new(state),
        }
    }

    /// Changes the limits. What was used of the old ones counts for the new ones.
    pub(crate) fn set_config(&self, config: &EngineConfig) {
        lock(&self.state).set_config(config);
    }

    /// How many retries and hedges the budget over all hosts allows, if there is one.
    pub(crate) fn retries_left(&self, now: Timestamp) -> Option<u64> {
        let state = lock(&self.state);
        let tokens = state.retry_tokens.as_ref();
        tokens.map(|tokens| tokens.available_retries(now))
    }
}

impl LimitState {
    fn set_config(&mut self, config: &EngineConfig) {
        match (&mut self.all_hosts, config.rate) {
            (Some(limiter), Some(rate)) => limiter.set_rate(rate),
            (limiter, rate) => *limiter = rate.map(FairRateLimiter::new),
        }
        match (&mut self.retry_tokens, config.budget) {
            (Some(tokens), Some(budget)) => tokens.set_config(budget),
            (tokens, budget) => *tokens = budget.map(RetryTokens::new),
        }
        let mut before: Vec<_> = self.rules.iter_mut().map(|rule| rule.rate.take()).collect();
        for (pattern, rate) in rule_rates(config) {
            let Some(rate) = rate else { continue };
            let index = self.rule_index(pattern);
            let limit = &mut self.rules[index];
            if limit.rate.is_none() {
                let known = before.get_mut(index).and_then(Option::take);
                let mut limiter = known.unwrap_or_else(|| FairRateLimiter::new(rate));
                limiter.set_rate(rate);
                limit.rate = Some(limiter);
            }
        }
    }

    /// The index of the rule with this pattern, which is added if there is none.
    fn rule_index(&mut self, pattern: Option<&RulePattern>) -> usize {
        let mut rules = self.rules.iter();
        let known = rules.position(|rule| rule.pattern.as_ref() == pattern);
        known.unwrap_or_else(|| {
            self.rules.push(RuleLimit {
                pattern: pattern.cloned(),
                rate: None,
            });
            self.rules.len() - 1
        })
    }

    /// The rate that denies the driver a start now, and when the driver must ask again.
    fn deny(
        &mut self,
        driver: usize,
        rule: Option<usize>,
        now: Timestamp,
    ) -> Option<(SharedRate, Timestamp)> {
        let rule = rule.and_then(|rule| self.rules[rule].rate.as_mut());
        let Some(all_hosts) = &mut self.all_hosts else {
            return Some((SharedRate::Rule, rule?.deny(driver, now)?));
        };
        if let Some(at) = all_hosts.deny(driver, now) {
            return Some((SharedRate::AllHosts, at));
        }
        // Drivers wait in one line only: with two, each of two drivers could wait for the other.
        let at = rule?.next_allowed(now);
        (at > now).then_some((SharedRate::Rule, at))
    }

    /// Counts a start that no rate denies.
    fn count_start(&mut self, driver: usize, rule: Option<usize>, now: Timestamp) {
        let rule = rule.and_then(|rule| self.rules[rule].rate.as_mut());
        for limiter in self.all_hosts.iter_mut().chain(rule) {
            limiter.count_start(driver, now);
        }
    }

    /// Lends the retry tokens to the engine for one call.
    fn lend_tokens<R>(
        &mut self,
        engine: &mut DriverEngine,
        call: impl FnOnce(&mut DriverEngine) -> R,
    ) -> R {
        let Some(tokens) = self.retry_tokens.take() else {
            return call(engine);
        };
        engine.lend_retry_tokens(tokens);
        let result = call(engine);
        self.retry_tokens = engine.take_retry_tokens();
        result
    }
}

/// The rates of all rules in their order, and that of the default policy.
fn rule_rates(
    config: &EngineConfig,
) -> impl Iterator<Item = (Option<&RulePattern>, Option<fetch_proto::Rate>)> {
    let rules = &config.rules;
    let default = (None, rules.default_policy().rate);
    let rules = rules.iter();
    let rules = rules.map(|(pattern, policy)| (Some(pattern), policy.rate));
    rules.chain([default])
}

/// One driver's access to the shared limits.
#[derive(Debug)]
pub(crate) struct SharedLimitsHandle {
    /// The number of this driver.
    driver: usize,
    has_budget: bool,
    /// For each rule of the engine's configuration, then its default policy: the index in
    /// [`LimitState::rules`], if it has a rate.
    rules: Vec<Option<usize>>,
    shared: Arc<SharedLimits>,
}

impl SharedLimitsHandle {
    pub(crate) fn new(shared: Arc<SharedLimits>, driver: usize, config: &EngineConfig) -> Self {
        let mut handle = Self {
            driver,
            has_budget: false,
            rules: Vec::new(),
            shared,
        };
        handle.configure(config);
        handle
    }

    /// Adopts the configuration that the engine has from now on. The limits themselves are changed by
    /// [`SharedLimits::set_config`].
    pub(crate) fn configure(&mut self, config: &EngineConfig) {
        self.has_budget = config.budget.is_some();
        let mut state = lock(&self.shared.state);
        let index = |(pattern, rate): (_, Option<_>)| rate.map(|_| state.rule_index(pattern));
        self.rules = rule_rates(config).map(index).collect();
    }

    /// Makes a call to the engine that may decide about a retry, with the retry tokens.
    pub(crate) fn with_tokens<R>(
        &self,
        engine: &mut DriverEngine,
        call: impl FnOnce(&mut DriverEngine) -> R,
    ) -> R {
        match self.has_budget {
            true => lock(&self.shared.state).lend_tokens(engine, call),
            false => call(engine),
        }
    }

    /// Grants or denies the start for which the engine needs a grant. Returns false if there is none.
    pub(crate) fn answer_start_request(&self, engine: &mut DriverEngine, now: Timestamp) -> bool {
        let Some(request) = engine.start_request() else {
            return false;
        };
        let rule = self.rules.get(request.rule as usize).copied().flatten();
        let mut state = lock(&self.shared.state);
        if let Some((rate, until)) = state.deny(self.driver, rule, now) {
            engine.deny_start(rate, until, now);
        } else if state.lend_tokens(engine, |engine| engine.grant_start(now)) {
            state.count_start(self.driver, rule, now);
        }
        true
    }
}
