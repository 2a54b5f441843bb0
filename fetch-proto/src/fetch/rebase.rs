//! A fetch that continues on another clock, in another process.

use super::Fetch;
use crate::model::time::{ClockChange, Timestamp};
use crate::model::timings::AttemptTimings;

impl Fetch {
    /// Continues on a clock that shows `to` where the old one showed `from`. It must wait for a slot, so
    /// that no attempt is in flight. Its limits continue with the time that was left, also if it is older
    /// than the new clock, whose earliest time then stands for all that was before.
    pub(crate) fn rebase(&mut self, from: Timestamp, to: Timestamp) {
        let change = ClockChange { from, to };
        let waited_before = change.before_start(self.waiting_since);
        let ran_before = self.started.map(|started| change.before_start(started));
        let ran_before = ran_before.unwrap_or_default();
        if !waited_before.is_zero() || !ran_before.is_zero() {
            self.hold
                .get_or_insert_default()
                .carry(ran_before, waited_before);
        }
        for at in [&mut self.waiting_since, &mut self.submitted] {
            change.apply(at);
        }
        let due_at = self.hedging.due_at_mut();
        let received = self.download.as_mut().and_then(|one| one.since_mut());
        for at in self.started.iter_mut().chain(due_at).chain(received) {
            change.apply(at);
        }
        if let Some(hold) = &mut self.hold {
            hold.times_mut().for_each(|at| change.apply(at));
        }
        for report in &mut self.attempts {
            times_mut(&mut report.timings).for_each(|at| change.apply(at));
        }
    }
}

fn times_mut(timings: &mut AttemptTimings) -> impl Iterator<Item = &mut Timestamp> {
    let AttemptTimings {
        started,
        resolved,
        connected,
        reused: _,
        tls_done,
        sent,
        head,
        ended,
    } = timings;
    let phases = [resolved, connected, tls_done, sent, head];
    phases.into_iter().flatten().chain([started, ended])
}
