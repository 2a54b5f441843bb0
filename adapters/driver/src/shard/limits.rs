//! One driver's parts of the limits over all hosts.

use std::task::{Context, Poll};

use fetch_proto::{EngineConfig, Timestamp};

use crate::shard::divided::{Divided, Held, WHOLE};
use crate::telemetry::recording::DriverEngine;

/// A driver's parts of the limits over all hosts. Rates and budget change hands separately, because a
/// rate must not wait until the budget's window has passed.
pub(crate) struct Limits {
    budget: Divided,
    rates: Divided,
}

impl Limits {
    /// The parts of each of `drivers`.
    pub(crate) fn new(drivers: usize) -> impl Iterator<Item = Self> {
        let both = Divided::new(drivers).into_iter().zip(Divided::new(drivers));
        both.map(|(budget, rates)| Self { budget, rates })
    }

    /// Divides the limits of a new configuration, and sets this driver's parts in its engine.
    pub(crate) fn configure(&mut self, config: &EngineConfig, engine: &mut DriverEngine) {
        self.rates.need(has_rate(config));
        engine.set_rate_share(self.rates.parts(), WHOLE);
        self.budget.need(config.budget_ref().is_some());
        let fill = engine.budget_fill();
        engine.set_budget_share(self.budget.parts(), WHOLE, fill);
    }

    /// Settles with the other drivers how much of each limit this one has. Returns true if a part
    /// changed.
    pub(crate) fn settle(
        &mut self,
        is_busy: bool,
        engine: &mut DriverEngine,
        now: Timestamp,
    ) -> bool {
        let mut changed = false;
        if self.rates.is_needed() {
            let held = Held::at_rest(engine.rate_idle_at());
            if self.rates.settle(is_busy, held, now).is_some() {
                engine.set_rate_share(self.rates.parts(), WHOLE);
                changed = true;
            }
        }
        if self.budget.is_needed() {
            let held = Held {
                fill: engine.budget_fill(),
                rests_at: engine.budget_idle_at(),
            };
            if let Some(fill) = self.budget.settle(is_busy, held, now) {
                engine.set_budget_share(self.budget.parts(), WHOLE, fill);
                changed = true;
            }
        }
        changed
    }

    /// When to settle again at the latest.
    pub(crate) fn settles_at(&self) -> Option<Timestamp> {
        let both = [self.budget.settles_at(), self.rates.settles_at()];
        both.into_iter().flatten().min()
    }

    /// Ready when another driver's part of a limit has changed.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let both = [self.budget.poll_changed(cx), self.rates.poll_changed(cx)];
        match both.contains(&Poll::Ready(())) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// Whether a rate applies to several hosts together.
pub(crate) fn has_rate(config: &EngineConfig) -> bool {
    let rules = config.rules_ref();
    let policies = rules.iter().map(|(_, policy)| policy);
    let mut policies = policies.chain([rules.default_policy()]);
    config.rate_limit().is_some() || policies.any(|policy| policy.rate_limit().is_some())
}
