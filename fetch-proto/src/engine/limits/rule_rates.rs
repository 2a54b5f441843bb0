//! The rates of rules: fetches that a rule holds back wait beside their host's queue.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::timers::Timers;
use crate::guards::limit_fraction::LimitFraction;
use crate::guards::rate::{Rate, RateLimiter};
use crate::model::id::FetchId;
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};
use crate::rules::PolicyRules;

/// One gate for each rule, the last for what no rule matches.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Gates {
    gates: Vec<Option<Gate>>,
    /// How much of each rate is this engine's.
    portion: LimitFraction,
    timers: Timers,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct Gate {
    /// Those that were turned back, the longest waiting first. Some may be over meanwhile.
    parked: VecDeque<FetchId>,
    /// This engine's portion of the rule's rate.
    rate: RateLimiter,
    whole: Rate,
}

impl Gates {
    pub(super) fn new(rules: &PolicyRules) -> Self {
        let mut gates = Self::default();
        gates.adopt(rules, None);
        gates
    }

    /// Takes over the rates of `rules`. A rule that was there `before`, wherever it stood, keeps what
    /// it owes. Everything that was parked is handed back, to be looked at anew.
    pub(super) fn adopt(
        &mut self,
        rules: &PolicyRules,
        before: Option<&PolicyRules>,
    ) -> Vec<FetchId> {
        let mut old = core::mem::take(&mut self.gates);
        let parked = old.iter().flatten().flat_map(|gate| gate.parked.iter());
        let parked = parked.copied().collect();
        let default = (None, rules.default_policy());
        let all = rules
            .iter()
            .map(|(pattern, policy)| (Some(pattern), policy));
        self.gates = all
            .chain([default])
            .map(|(pattern, policy)| {
                let whole = policy.rate?;
                let rate = self.portion.of_rate(whole);
                let place = before.map(|before| match pattern {
                    Some(pattern) => before.iter().position(|(known, _)| known == pattern),
                    None => Some(before.iter().len()),
                });
                let known = place.flatten().and_then(|place| old[place].take());
                let rate = known.map_or_else(
                    || RateLimiter::new(rate),
                    |mut known| {
                        known.rate.set_rate(rate);
                        known.rate
                    },
                );
                Some(Gate {
                    parked: VecDeque::new(),
                    rate,
                    whole,
                })
            })
            .collect();
        self.timers = Timers::default();
        parked
    }

    /// So much of each rate is this engine's from now on.
    pub(super) fn set_portion(&mut self, portion: LimitFraction) {
        self.portion = portion;
        for rule in 0..self.gates.len() {
            if let Some(gate) = &mut self.gates[rule] {
                gate.rate.set_rate(portion.of_rate(gate.whole));
                let waits = !gate.parked.is_empty() && !portion.is_zero();
                let at = waits.then(|| wake(gate.rate.next_allowed(Timestamp::START)));
                self.timers.set(rule as u32, at);
            }
        }
    }

    /// When nothing is owed any more, if no other fetch of a rule with a rate begins.
    pub(super) fn rests_at(&self) -> Option<Timestamp> {
        let gates = self.gates.iter().flatten();
        gates.map(|gate| gate.rate.idle_at()).max()
    }

    /// Whether a fetch of this rule may begin now.
    pub(super) fn allows(&self, rule: u32, now: Timestamp) -> bool {
        let is_open = |gate: &Gate| gate.rate.next_allowed(now) <= now;
        self.gate(rule)
            .is_none_or(|gate| !self.portion.is_zero() && is_open(gate))
    }

    /// A fetch of this rule begins.
    pub(super) fn pass(&mut self, rule: u32, now: Timestamp) {
        if let Some(gate) = self.gates.get_mut(rule as usize).and_then(Option::as_mut) {
            let taken = gate.rate.try_acquire(now);
            debug_assert!(taken.is_ok(), "it was allowed");
        }
    }

    /// A fetch of this rule may not begin, and waits here.
    pub(super) fn park(&mut self, rule: u32, id: FetchId, now: Timestamp) {
        let Some(gate) = self.gates.get_mut(rule as usize).and_then(Option::as_mut) else {
            return;
        };
        gate.parked.push_back(id);
        let at = gate.rate.next_allowed(now);
        if gate.parked.len() == 1 && !self.portion.is_zero() {
            self.timers.set(rule, Some(wake(at)));
        }
    }

    pub(super) fn wake(&self) -> Option<NextWake> {
        self.timers.peek().map(|(wake, _)| wake)
    }

    /// The next that may try again, if a gate is due. `is_live` tells whether one is not over.
    pub(super) fn due(
        &mut self,
        now: Timestamp,
        is_live: impl Fn(FetchId) -> bool,
    ) -> Option<FetchId> {
        let (_, rule) = self.timers.peek().filter(|(wake, _)| wake.at <= now)?;
        self.timers.set(rule, None);
        let gate = self.gates.get_mut(rule as usize)?.as_mut()?;
        while gate.parked.front().is_some_and(|id| !is_live(*id)) {
            gate.parked.pop_front();
        }
        let id = gate.parked.pop_front()?;
        if !gate.parked.is_empty() {
            // One at a time: the next follows when there is room for it, at the rate's own pace even
            // if this one does not begin.
            let next = now + interval(&gate.rate);
            let next = next.max(gate.rate.next_allowed(now));
            self.timers.set(rule, Some(wake(next)));
        }
        Some(id)
    }

    fn gate(&self, rule: u32) -> Option<&Gate> {
        self.gates.get(rule as usize)?.as_ref()
    }
}

fn wake(at: Timestamp) -> NextWake {
    NextWake {
        at,
        why: WakeReason::Rule,
    }
}

/// The time between two, at least a nanosecond.
fn interval(rate: &RateLimiter) -> Duration {
    let rate = rate.rate();
    (rate.period() / rate.count().get()).max(Duration::from_nanos(1))
}
