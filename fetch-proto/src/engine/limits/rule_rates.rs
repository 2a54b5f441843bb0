//! The rates of rules. Fetches that a rule's rate defers wait here, outside their host's queue.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::start_rate::StartRate;
use crate::engine::state::timers::TimerHeap;
use crate::model::id::FetchId;
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};
use crate::rules::PolicyRules;

/// One entry per rule, `None` if the rule has no rate. The last entry is for the default policy.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct RuleRates {
    are_shared: bool,
    rates: Vec<Option<RuleRate>>,
    timers: TimerHeap,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct RuleRate {
    /// Fetches that wait, the longest waiting first. Some may have ended since.
    deferred: VecDeque<FetchId>,
    rate: StartRate,
}

impl RuleRate {
    fn new(rate: StartRate) -> Self {
        Self {
            deferred: VecDeque::new(),
            rate,
        }
    }
}

impl RuleRates {
    pub(crate) fn new(rules: &PolicyRules) -> Self {
        let mut rates = Self::default();
        rates.set_rules(rules, None);
        rates
    }

    /// Applies the rates of `rules`. A rule that is also in `before`, at any position, keeps its
    /// debt. Returns all deferred fetches, which must be queued again.
    pub(crate) fn set_rules(
        &mut self,
        rules: &PolicyRules,
        before: Option<&PolicyRules>,
    ) -> Vec<FetchId> {
        let mut old = core::mem::take(&mut self.rates);
        let deferred = old.iter().flatten().flat_map(|rate| rate.deferred.iter());
        let deferred = deferred.copied().collect();
        let default = (None, rules.default_policy());
        let all = rules
            .iter()
            .map(|(pattern, policy)| (Some(pattern), policy));
        self.rates = all
            .chain([default])
            .map(|(pattern, policy)| {
                let configured = policy.rate?;
                let position = before.map(|before| match pattern {
                    Some(pattern) => before.iter().position(|(known, _)| known == pattern),
                    None => Some(before.iter().len()),
                });
                let known = position.flatten().and_then(|i| old[i].take());
                let rate = known.map_or_else(
                    || StartRate::new(configured, self.are_shared),
                    |mut known| {
                        known.rate.set_rate(configured);
                        known.rate
                    },
                );
                Some(RuleRate::new(rate))
            })
            .collect();
        self.timers = TimerHeap::default();
        deferred
    }

    /// Marks the rates as shared by several engines.
    pub(crate) fn share(&mut self) {
        self.are_shared = true;
        for rate in self.rates.iter_mut().flatten() {
            rate.rate = StartRate::new(rate.rate.rate(), true);
        }
    }

    pub(crate) fn has_rate(&self, rule: u32) -> bool {
        self.rates.get(rule as usize).is_some_and(Option::is_some)
    }

    /// Records that the shared rate of this rule grants nothing before `until`.
    pub(crate) fn deny_until(&mut self, rule: u32, until: Timestamp) {
        if let Some(rate) = self.rate_mut(rule) {
            rate.rate.deny_until(until);
        }
    }

    /// Whether a fetch of this rule may start an attempt now.
    pub(crate) fn allows(&self, rule: u32, now: Timestamp) -> bool {
        let is_due = |rate: &RuleRate| rate.rate.next_allowed(now) <= now;
        let rate = self.rates.get(rule as usize).and_then(Option::as_ref);
        rate.is_none_or(is_due)
    }

    /// Counts an attempt of this rule.
    pub(crate) fn consume(&mut self, rule: u32, now: Timestamp) {
        if let Some(rate) = self.rate_mut(rule) {
            rate.rate.consume(now);
        }
    }

    /// Lets a fetch of this rule wait until its rate allows it.
    pub(crate) fn defer(&mut self, rule: u32, id: FetchId, now: Timestamp) {
        let Some(rate) = self.rate_mut(rule) else {
            return;
        };
        rate.deferred.push_back(id);
        let at = rate.rate.next_allowed(now);
        if rate.deferred.len() == 1 {
            self.timers.set(rule, Some(rule_wake(at)));
        }
    }

    /// Lets a fetch whose start was denied wait until `until`, before all others of this rule.
    pub(crate) fn defer_first(&mut self, rule: u32, id: FetchId, until: Timestamp) {
        if let Some(rate) = self.rate_mut(rule) {
            rate.deferred.push_front(id);
            self.timers.set(rule, Some(rule_wake(until)));
        }
    }

    pub(crate) fn wake(&self) -> Option<NextWake> {
        self.timers.peek().map(|(wake, _)| wake)
    }

    /// Removes the next deferred fetch of a rule that is due; `is_live` returns whether a fetch has
    /// not ended.
    pub(crate) fn pop_due(
        &mut self,
        now: Timestamp,
        is_live: impl Fn(FetchId) -> bool,
    ) -> Option<FetchId> {
        let rule = self.timers.pop_due(now)?;
        let rate = self.rates.get_mut(rule as usize)?.as_mut()?;
        while rate.deferred.front().is_some_and(|id| !is_live(*id)) {
            rate.deferred.pop_front();
        }
        let id = rate.deferred.pop_front()?;
        if !rate.deferred.is_empty() {
            // The next follows one interval later, even if this one does not start an attempt.
            let next = now + interval(&rate.rate);
            let next = next.max(rate.rate.next_allowed(now));
            self.timers.set(rule, Some(rule_wake(next)));
        }
        Some(id)
    }

    fn rate_mut(&mut self, rule: u32) -> Option<&mut RuleRate> {
        self.rates.get_mut(rule as usize)?.as_mut()
    }
}

fn rule_wake(at: Timestamp) -> NextWake {
    NextWake {
        at,
        why: WakeReason::Rule,
    }
}

/// The time between two attempts, at least a nanosecond.
fn interval(rate: &StartRate) -> Duration {
    let rate = rate.rate();
    (rate.period() / rate.count().get()).max(Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, Rate};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_start(Duration::from_secs(seconds))
    }

    fn id(slot: u32) -> FetchId {
        let generation = 1;
        FetchId { slot, generation }
    }

    #[test]
    fn deferred_fetches_follow_at_the_rules_rate() {
        let policy = Policy::default().rate("1/s".parse::<Rate>().unwrap());
        let mut rates = RuleRates::new(&PolicyRules::from_policy(policy));
        rates.consume(0, at(0));
        assert!(!rates.allows(0, at(0)) && rates.allows(1, at(0)));
        for slot in 0..3 {
            rates.defer(0, id(slot), at(0));
        }
        assert_eq!(rates.wake(), Some(rule_wake(at(1))));
        let is_live = |fetch| fetch != id(1);
        assert_eq!(rates.pop_due(at(0), is_live), None);
        assert_eq!(rates.pop_due(at(1), is_live), Some(id(0)));
        assert_eq!(rates.wake(), Some(rule_wake(at(2))));
        assert_eq!(rates.pop_due(at(2), is_live), Some(id(2)));
        assert_eq!(rates.wake(), None);
    }
}
