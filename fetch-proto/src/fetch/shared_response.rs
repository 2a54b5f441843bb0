//! Fetches that follow an identical request, and fetches that lose their attempts.

use super::{Fetch, FetchState, push_event};
use crate::model::event::{DecisionEvent, RetryDelaySource};
use crate::model::failure::{FailureCause, FailureKind};
use crate::model::id::FetchId;
use crate::model::outcome::{AttemptEnd, FetchError, FetchOutcome};
use crate::model::time::Timestamp;

impl Fetch {
    /// Waits for the response to the identical request of `leader`, within its own total time limit.
    pub(crate) fn follow(&mut self, leader: FetchId, now: Timestamp) {
        self.started = Some(now);
        self.waiting_since = now;
        self.state = FetchState::Waiting { is_reported: true };
        push_event(&mut self.events, || DecisionEvent::ResponseShared {
            with: leader,
        });
    }

    /// Whether it waits for another fetch's response. False once it has ended or uses its fallback.
    pub(crate) fn is_following(&self) -> bool {
        self.is_unstarted() && !self.used_fallback && self.is_waiting_for_slot()
    }

    /// Sends the request itself, because its leader has ended without a response to share.
    pub(crate) fn stop_following(&mut self, now: Timestamp) {
        self.queued += now.saturating_since(self.waiting_since);
        self.request_slot(now);
    }

    /// Ends with the leader's result.
    pub(crate) fn finish_with_shared(
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

    /// Ends with `error`, or falls back, instead of taking its turn.
    pub(crate) fn reject(&mut self, error: FetchError, now: Timestamp) {
        self.finish_or_fall_back(error, now);
    }

    /// Ends with `error`, or falls back, if it waits for a slot or for a retry. Returns whether it does.
    pub(crate) fn end_wait(&mut self, error: FetchError, now: Timestamp) -> bool {
        let waits = match self.state {
            FetchState::Waiting { .. } => !self.is_following(),
            FetchState::BackingOff { .. } => true,
            FetchState::InFlight | FetchState::Ended { .. } => false,
        };
        if waits {
            self.finish_or_fall_back(error, now);
        }
        waits
    }

    /// Drops all attempts in flight, because the process that carried them has ended. They do not count
    /// as attempts, and the driver gets no commands about them.
    pub(crate) fn drop_attempts(&mut self, now: Timestamp) {
        if self.in_flight.is_empty() {
            while self.commands.pop().is_some() {}
            return;
        }
        let repeatable = self.is_repeatable() && !self.is_stream_interrupted();
        // The bytes of earlier attempts are lost, too.
        self.start_body_over();
        self.abort_all(AttemptEnd::Failed(FailureKind::Dropped), now);
        while self.commands.pop().is_some() {}
        if repeatable {
            self.counted_attempts = self.counted_attempts.saturating_sub(1);
            self.next_counts = true;
            let cause = FailureCause::Failure(FailureKind::Dropped);
            let (attempt, of) = (self.attempt_number, self.policy.attempts.get());
            push_event(&mut self.events, || DecisionEvent::Retrying {
                attempt,
                cause,
                delay: core::time::Duration::ZERO,
                of,
                why: RetryDelaySource::Free,
            });
            self.request_slot(now);
        } else {
            self.finish(Err(FetchError::Failed(FailureKind::Dropped)), now);
        }
    }
}
