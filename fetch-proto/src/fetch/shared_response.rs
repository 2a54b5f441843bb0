//! A fetch that waits for another's response, or lost what it had in the air.

use super::{Fetch, State, push};
use crate::model::event::{DecisionEvent, RetryDelaySource};
use crate::model::failure::{FailureCause, FailureKind};
use crate::model::id::FetchId;
use crate::model::outcome::{AttemptEnd, FetchError, FetchOutcome};
use crate::model::time::Timestamp;

impl Fetch {
    /// Waits for the response to the same request of `leader`. Its own total limit runs.
    pub(crate) fn follow(&mut self, leader: FetchId, now: Timestamp) {
        self.started = Some(now);
        self.since = now;
        self.state = State::Waiting { told: true };
        push(&mut self.events, || DecisionEvent::ResponseShared {
            with: leader,
        });
    }

    /// Whether it waits for another's response: one that has turned to its fallback, or is over,
    /// does not.
    pub(crate) fn is_following(&self) -> bool {
        self.is_first() && !self.used_fallback && self.is_waiting()
    }

    /// Nobody is left to wait for: it asks itself.
    pub(crate) fn lead(&mut self, now: Timestamp) {
        self.queued += now.saturating_since(self.since);
        self.queue(now);
    }

    /// Ends with the other's result.
    pub(crate) fn adopt(
        &mut self,
        leader: FetchId,
        other: &FetchOutcome,
        now: Timestamp,
    ) -> FetchOutcome {
        self.finish(other.result, now);
        FetchOutcome {
            used_fallback: other.used_fallback,
            gave_up: other.gave_up,
            redirects: other.redirects,
            shared_with: Some(leader),
            url: other.url.clone(),
            ..self.outcome(other.result)
        }
    }

    /// Ends before its turn.
    pub(crate) fn refuse(&mut self, error: FetchError, now: Timestamp) {
        self.finish_or_fall_back(error, now);
    }

    /// What was in the air is lost with the process that carried it: not the server's fault, and no
    /// try. Nothing is told to the driver, which knows nothing of it.
    pub(crate) fn lose(&mut self, now: Timestamp) {
        if self.flights.is_empty() {
            while self.outbox.pop().is_some() {}
            return;
        }
        let repeatable = self.is_repeatable();
        self.abort_all(AttemptEnd::Failed(FailureKind::Dropped), now);
        while self.outbox.pop().is_some() {}
        if repeatable {
            self.tries = self.tries.saturating_sub(1);
            self.counts = true;
            let cause = FailureCause::Failure(FailureKind::Dropped);
            let (attempt, of) = (self.number, self.policy.attempts.get());
            push(&mut self.events, || DecisionEvent::Retrying {
                attempt,
                cause,
                delay: core::time::Duration::ZERO,
                of,
                why: RetryDelaySource::Free,
            });
            self.queue(now);
        } else {
            self.finish(Err(FetchError::Failed(FailureKind::Dropped)), now);
        }
    }
}
