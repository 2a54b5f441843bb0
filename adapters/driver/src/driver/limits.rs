//! What one driver of several has of the limits over all hosts.

use fetch_proto::Config;

use super::Driver;
use crate::driver::exchange::Exchanging;
use crate::shard::divided::{Held, WHOLE};
use crate::shard::limits::{Limits, has_rate};
use crate::transport::Transport;
use crate::transport::message::Outgoing;
use crate::transport::progress::Marks;

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
        rates.need(has_rate(config));
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
