//! Hedges: further attempts that race a slow one.

use super::in_flight::InFlightAttempt;
use super::{Fetch, FetchContext, push_event};
use crate::model::event::DecisionEvent;
use crate::model::id::AttemptId;
use crate::model::outcome::AttemptEnd;
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};

/// The hedges of one attempt of the retry policy.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct HedgeState {
    /// How many hedges have started.
    started: u8,
    /// When the next hedge is due.
    due_at: Option<Timestamp>,
    request: HedgeRequest,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum HedgeRequest {
    #[default]
    None,
    /// A slot is wanted; the fetch has not reported it.
    Pending,
    Reported,
}

impl HedgeState {
    /// Whether a slot was requested.
    pub(super) fn is_requested(self) -> bool {
        self.request == HedgeRequest::Reported
    }

    /// Whether a slot is wanted, and the fetch has not reported it.
    pub(super) fn is_pending(self) -> bool {
        self.request == HedgeRequest::Pending
    }

    /// Returns whether a request is pending, and marks it as reported.
    pub(super) fn take_pending(&mut self) -> bool {
        let is_pending = self.is_pending();
        if is_pending {
            self.request = HedgeRequest::Reported;
        }
        is_pending
    }

    pub(super) fn due_at_mut(&mut self) -> Option<&mut Timestamp> {
        self.due_at.as_mut()
    }

    pub(super) fn wake(self) -> Option<NextWake> {
        self.due_at.map(|at| NextWake {
            at,
            why: WakeReason::Hedge,
        })
    }
}

impl Fetch {
    /// Schedules the next hedge when an attempt starts, if the policy allows one.
    pub(super) fn schedule_hedge(&mut self, now: Timestamp, context: &mut dyn FetchContext) {
        let Some(hedge) = &self.policy.hedge else {
            return;
        };
        if !self.in_flight.is_empty() {
            self.hedging.started = self.hedging.started.saturating_add(1);
        }
        self.hedging.request = HedgeRequest::None;
        let more = self.hedging.started < hedge.max && self.is_repeatable();
        self.hedging.due_at = more
            .then(|| context.hedge_delay(hedge, now))
            .flatten()
            .map(|delay| now + delay);
    }

    /// Whether an attempt in flight may still win.
    pub(super) fn has_contender(&self) -> bool {
        self.in_flight.iter().any(InFlightAttempt::is_contending)
    }

    /// Whether an attempt in flight other than `id` may still win.
    pub(super) fn has_other_contender(&self, id: AttemptId) -> bool {
        let mut others = self.in_flight.iter().filter(|attempt| attempt.id != id);
        others.any(InFlightAttempt::is_contending)
    }

    /// Requests a slot for a hedge that is due, unless a response has arrived or the breaker is
    /// open.
    pub(super) fn request_hedge(&mut self, context: &mut dyn FetchContext, now: Timestamp) {
        self.hedging.due_at = None;
        let can_be_hedged = self.in_flight.iter().all(InFlightAttempt::can_be_hedged);
        if can_be_hedged && context.open_circuit(now).is_none() {
            self.hedging.request = HedgeRequest::Pending;
        }
    }

    /// Drops a hedge for which there is no slot: it does not queue.
    pub(crate) fn skip_hedge(&mut self) {
        self.hedging.request = HedgeRequest::None;
    }

    /// Handles the failure of one of several attempts. `allow_more`: whether further hedges may
    /// start.
    pub(super) fn on_contender_failed(&mut self, allow_more: bool, now: Timestamp) {
        let Some(hedge) = &self.policy.hedge else {
            return;
        };
        let more = self.hedging.started < hedge.max;
        self.hedging.due_at = match self.hedging.due_at {
            _ if !allow_more || !more => None,
            _ if hedge.on_failure => Some(now),
            due => due,
        };
    }

    /// Aborts the other attempts, because `winner` has the response.
    pub(super) fn abandon_others(&mut self, winner: AttemptId, now: Timestamp) {
        self.hedging.due_at = None;
        self.hedging.request = HedgeRequest::None;
        let other = |fetch: &Self| {
            let mut ids = fetch.in_flight.iter().map(|attempt| attempt.id);
            ids.find(|id| *id != winner)
        };
        while let Some(loser) = other(self) {
            let refused = self
                .attempt(loser)
                .is_some_and(|loser| !loser.is_contending());
            let end = if refused {
                AttemptEnd::Responded
            } else {
                AttemptEnd::Abandoned
            };
            self.abort(loser, end, now);
            push_event(&mut self.events, || DecisionEvent::Abandoned {
                attempt: loser.number,
                winner: winner.number,
            });
        }
    }
}
