//! Deadlines: backoff ends, hedges are due, time limits are reached.

use super::command_queue::AttemptCommand;
use super::in_flight::{InFlightAttempt, InjectedHold, earlier};
use super::{Fetch, FetchContext, FetchState};
use crate::model::failure::TimeLimit;
use crate::model::id::AttemptId;
use crate::model::outcome::{AttemptEnd, FetchError};
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};

impl Fetch {
    /// The fetch's earliest deadline.
    pub(crate) fn next_wake(&self) -> Option<NextWake> {
        let at = |at, why| Some(NextWake { at, why });
        let own = match &self.state {
            FetchState::Waiting { .. } if self.are_limits_held() => None,
            FetchState::Waiting { .. } => self.policy.timeouts.queue.and_then(|limit| {
                at(
                    self.waiting_since + self.extended_waiting(limit),
                    WakeReason::Limit(TimeLimit::Queue),
                )
            }),
            FetchState::InFlight => self
                .in_flight
                .iter()
                .map(|attempt| attempt.next_wake(&self.policy, self.delivery))
                .fold(self.hedging.wake(), earlier),
            FetchState::BackingOff { until } => at(*until, WakeReason::Backoff),
            FetchState::Ended { .. } => return None,
        };
        let total = self
            .deadline()
            .filter(|_| !self.is_total_paused())
            .and_then(|t| at(t, WakeReason::Limit(TimeLimit::Total)));
        earlier(own, total)
    }

    /// When the total limit ends; `None` if it does not run. It is extended by the time in which it
    /// did not run.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        if self.are_limits_held() {
            return None;
        }
        let limit = self.policy.timeouts.total?;
        Some(self.started? + self.extended_total(limit))
    }

    /// Handles all deadlines that are due at `now`. Returns the next one.
    pub(super) fn handle_deadlines(
        &mut self,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) -> Option<NextWake> {
        loop {
            let wake = self.next_wake();
            let Some(wake) = wake.filter(|wake| wake.at <= now) else {
                return wake;
            };
            match wake.why {
                WakeReason::Backoff => {
                    let waited = now.saturating_since(self.waiting_since);
                    self.backoff += waited;
                    self.request_slot(now);
                }
                WakeReason::Hedge => self.request_hedge(context, now),
                WakeReason::Limit(limit @ (TimeLimit::Queue | TimeLimit::Total)) => {
                    self.abort_all(AttemptEnd::TimedOut(limit), now);
                    self.finish_or_fall_back(FetchError::TimedOut(limit), now);
                }
                WakeReason::Fault | WakeReason::Limit(_) => {
                    self.handle_attempt_deadline(wake, now, context);
                }
                WakeReason::Host | WakeReason::Rate | WakeReason::Rule | WakeReason::Token => {
                    unreachable!("a deadline of the engine, not of a fetch")
                }
            }
        }
    }

    /// Handles the deadline of an attempt.
    pub(super) fn handle_attempt_deadline(
        &mut self,
        wake: NextWake,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) {
        let due = |attempt: &&InFlightAttempt| {
            attempt.next_wake(&self.policy, self.delivery) == Some(wake)
        };
        let Some(id) = self.in_flight.iter().find(due).map(|attempt| attempt.id) else {
            return;
        };
        match wake.why {
            WakeReason::Limit(limit) => self.on_timeout(id, limit, now, context),
            _ => self.release_hold(id, now, context),
        }
    }

    /// Ends the hold of an injected fault.
    pub(super) fn release_hold(
        &mut self,
        id: AttemptId,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) {
        let attempt = self.attempt_mut(id);
        let hold = attempt.and_then(|attempt| attempt.extras.as_mut()?.hold.take());
        match hold {
            Some(InjectedHold::FailNow(failure)) => self.on_end(id, Err(failure), now, context),
            Some(InjectedHold::Until(_, attempt)) => {
                self.commands.push(AttemptCommand::Start(attempt));
            }
            Some(InjectedHold::Never) | None => {}
        }
    }

    pub(super) fn back_off_until(&mut self, until: Timestamp, now: Timestamp) {
        if self.waits_for_host {
            self.hold_limits(now);
        }
        if until > now {
            self.waiting_since = now;
            self.state = FetchState::BackingOff { until };
        } else {
            self.request_slot(now);
        }
    }

    pub(super) fn request_slot(&mut self, now: Timestamp) {
        self.waiting_since = now;
        self.reset_held_waiting();
        self.state = FetchState::Waiting { is_reported: false };
    }
}
