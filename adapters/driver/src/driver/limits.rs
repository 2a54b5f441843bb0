//! What one driver of several has of the limits over all hosts.

use std::task::{Context, Poll};

use fetch_proto::{Config, Timestamp};

use super::Driver;
use crate::divided::{Divided, Held, WHOLE};
use crate::exchange::Exchanging;
use crate::marks::Marks;
use crate::threads;
use crate::transport::{Outgoing, Transport};

/// Its parts. They are apart, since a rate must not wait until a retry counts no more.
pub(crate) struct Limits {
    budget: Divided,
    rates: Divided,
}

impl Limits {
    /// For so many drivers.
    pub(crate) fn new(drivers: usize) -> impl Iterator<Item = Self> {
        let both = Divided::new(drivers).into_iter().zip(Divided::new(drivers));
        both.map(|(budget, rates)| Self { budget, rates })
    }

    /// When to settle again at the latest.
    pub(super) fn settles_at(&self) -> Option<Timestamp> {
        let both = [self.budget.settles_at(), self.rates.settles_at()];
        both.into_iter().flatten().min()
    }

    /// Waits until another driver's part of one of them changed, or is to change.
    pub(super) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let both = [self.budget.poll_changed(cx), self.rates.poll_changed(cx)];
        match both.contains(&Poll::Ready(())) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl<T, F, S> Driver<T, F, S>
where
    T: Transport,
    F: Exchanging,
    S: Fn(&T, Outgoing, Marks) -> F,
{
    /// From now on there are these limits.
    pub(super) fn divide_limits(&mut self, config: &Config) {
        let Some(Limits { budget, rates }) = &mut self.limits else {
            return;
        };
        rates.need(threads::has_rate(config));
        self.engine.set_rate_part(rates.parts(), WHOLE);
        budget.need(config.budget_ref().is_some());
        let fill = self.engine.budget_fill();
        self.engine.set_budget_part(budget.parts(), WHOLE, fill);
    }

    /// Settles with the others who has how much of each; tells whether this driver's part changed.
    pub(super) fn settle_limits(&mut self, is_busy: bool) -> bool {
        let Some(Limits { budget, rates }) = &mut self.limits else {
            return false;
        };
        let mut changed = false;
        if rates.is_needed() {
            let held = Held::at_rest(self.engine.rate_rests_at());
            if rates.settle(is_busy, held, self.clock.now()).is_some() {
                self.engine.set_rate_part(rates.parts(), WHOLE);
                changed = true;
            }
        }
        if budget.is_needed() {
            let held = Held {
                fill: self.engine.budget_fill(),
                rests_at: self.engine.budget_rests_at(),
            };
            if let Some(fill) = budget.settle(is_busy, held, self.clock.now()) {
                self.engine.set_budget_part(budget.parts(), WHOLE, fill);
                changed = true;
            }
        }
        changed
    }
}
