//! What the end of an attempt tells the host's guards, and who may start instead.

use core::time::Duration;

use super::Engine;
use super::slab::Paid;
use super::slab::{NO_ENDPOINT, Permit, Slot};
use crate::fetch::Step;
use crate::guards::balance::EndpointResult;
use crate::guards::breaker::CallResult;
use crate::model::event::{CircuitTransition, DecisionEvent};
use crate::model::failure::{FailureCause, FailureKind, TimeLimit};
use crate::model::outcome::{AttemptEnd, AttemptReport, GiveUpReason};
use crate::model::time::Timestamp;
use crate::policy::{Policy, RetryClass};

/// An attempt that is not in the air any more.
pub(super) struct Landing {
    /// The host that the fetch queued for.
    host: u32,
    /// To the head, if there was one: how long the body takes says little of the server's load.
    first_byte: Option<Duration>,
    /// Whether the fetch ended with it, without asking for a retry's price.
    gave_up: bool,
    paid: Paid,
    permit: Permit,
    /// Whether the server said, or showed, that it has too much to do.
    overloaded: bool,
    /// Whether it asked for patience.
    refused: bool,
    took: Duration,
    verdict: CallResult,
}

impl Landing {
    /// The next landing of the fetch that was not yet told. `step` is what it said last.
    pub(super) fn next(slot: &mut Slot, step: &Step) -> Option<Self> {
        let reports = match step {
            Step::Done(outcome) => &outcome.attempts,
            _ => slot.fetch.landed(),
        };
        let report = reports.get(usize::from(slot.settled))?;
        slot.settled += 1;
        let permit = slot
            .permits
            .remove_first(|permit| permit.number == report.number)?;
        let (verdict, overloaded) = judge(report, slot.fetch.policy());
        let first_byte = report
            .timings
            .head
            .map(|at| at.saturating_since(report.timings.started));
        let success = verdict == CallResult::Success;
        let paid = slot.rare.as_mut().filter(|_| success);
        Some(Self {
            host: slot.host,
            first_byte,
            gave_up: matches!(step, Step::Done(outcome) if outcome.gave_up != Some(GiveUpReason::Budget)),
            overloaded,
            refused: report.retry_after.is_some(),
            paid: paid
                .map(|rare| core::mem::take(&mut rare.paid))
                .unwrap_or_default(),
            permit,
            took: first_byte.unwrap_or_else(|| report.timings.total()),
            verdict,
        })
    }
}

/// What an attempt's end says about its server, and whether it says that it is overloaded.
fn judge(report: &AttemptReport, policy: &Policy) -> (CallResult, bool) {
    let cause = match (report.end, report.status) {
        (AttemptEnd::Responded | AttemptEnd::Redirected, Some(status)) => {
            FailureCause::Status(status)
        }
        (AttemptEnd::BodyTooLarge | AttemptEnd::Failed(FailureKind::BodyTooLarge), _) => {
            return (CallResult::Success, false);
        }
        (AttemptEnd::TimedOut(TimeLimit::Total | TimeLimit::Queue), _) => {
            return (CallResult::Neutral, false);
        }
        (AttemptEnd::TimedOut(limit), _) => FailureCause::Timeout(limit),
        (AttemptEnd::Failed(failure), _) if failure.is_local() => {
            return (CallResult::Neutral, false);
        }
        (AttemptEnd::Failed(_), _) => return (CallResult::Failure, false),
        _ => return (CallResult::Neutral, false),
    };
    match (cause, policy.class(cause)) {
        // It says to be asked less often, not that it is broken: that is for limits and rests.
        (FailureCause::Status(429), _) => (CallResult::Neutral, true),
        (_, RetryClass::Forbidden) => (CallResult::Success, false),
        (_, RetryClass::Throttled) | (FailureCause::Timeout(_), _) => (CallResult::Failure, true),
        _ => (CallResult::Failure, false),
    }
}

impl Engine {
    /// A place is free again, and the host's guards learn how it went.
    pub(super) fn settle(&mut self, landing: &Landing, now: Timestamp) {
        let permit = landing.permit;
        self.flying -= 1;
        let state = self.hosts.get_mut(permit.host);
        let in_flight = state.flying;
        state.flying -= 1;
        let learned = state.learned_limit();
        if !landing.refused {
            state.climb(self.config.concurrency.get());
        }
        self.tell_throttlers(landing, now);
        self.tell_guards(landing, in_flight, now);
        self.tell_purses(landing, now);
        self.tell_balancer(landing, now);
        if let Some(limit) = self.hosts.get(permit.host).learned_limit()
            && learned != Some(limit)
        {
            let host = self.hosts.get(permit.host).key.clone();
            self.tell(|| DecisionEvent::HostLimitChanged { host, limit });
        }
        self.offer(permit.host, now);
        for target in self.hosts.get(permit.host).serves.clone() {
            self.offer(target, now);
        }
        self.forget(permit.host, now);
    }

    fn tell_guards(&mut self, landing: &Landing, in_flight: usize, now: Timestamp) {
        let state = self.hosts.get_mut(landing.permit.host);
        let Some(guards) = &mut state.guards else {
            return;
        };
        let known = landing.verdict != CallResult::Neutral || landing.overloaded;
        if let Some(limiter) = guards.limiter.as_mut().filter(|_| known) {
            limiter.record(landing.took, in_flight, landing.overloaded, now);
        }
        let good = landing.verdict == CallResult::Success;
        if let Some((recent, took)) = guards.recent.as_mut().zip(landing.first_byte)
            && good
        {
            recent.record(took, now);
        }
        let circuit = guards.circuit.as_mut().zip(landing.permit.call);
        let moved = circuit
            .and_then(|(circuit, call)| circuit.record(call, landing.verdict, landing.took, now));
        if let Some(transition) = moved {
            // Else all that waited would come at once.
            let closed = transition == CircuitTransition::Closed && self.config.slow_start;
            state.ramp = closed.then_some(1);
            let host = state.key.clone();
            match transition {
                CircuitTransition::Closed => self.stats.circuits_closed += 1,
                CircuitTransition::Opened { .. } => self.stats.circuits_opened += 1,
            }
            self.tell(|| DecisionEvent::CircuitChanged { host, transition });
        }
    }

    /// Only a server that says, or shows, that it has too much to do has refused.
    fn tell_throttlers(&mut self, landing: &Landing, now: Timestamp) {
        if landing.overloaded {
            return;
        }
        let to = landing.permit.host;
        let other = Some(landing.host).filter(|host| *host != to && self.hosts.exists(*host));
        for counted in other.into_iter().chain([to]) {
            let guards = self.hosts.get_mut(counted).guards.as_mut();
            if let Some(throttler) = guards.and_then(|guards| guards.throttler.as_mut()) {
                throttler.record_accept(now);
            }
        }
    }

    fn tell_purses(&mut self, landing: &Landing, now: Timestamp) {
        let guards = self.hosts.get_mut(landing.host).guards.as_mut();
        let host = guards.and_then(|guards| guards.tokens.as_mut());
        let budgets = [
            (host, landing.paid.host),
            (self.tokens.as_mut(), landing.paid.common),
        ];
        for (tokens, paid) in budgets {
            match (tokens, landing.verdict) {
                (Some(tokens), CallResult::Success) => tokens.record_success(paid, now),
                (Some(tokens), CallResult::Failure) if landing.gave_up => {
                    tokens.record_failure(now)
                }
                _ => {}
            }
        }
    }

    fn tell_balancer(&mut self, landing: &Landing, now: Timestamp) {
        if landing.permit.endpoint == NO_ENDPOINT {
            return;
        }
        let Some(group) = &mut self.hosts.get_mut(landing.host).group else {
            return;
        };
        let served = match landing.verdict {
            CallResult::Success => EndpointResult::Success,
            CallResult::Failure => EndpointResult::Failure,
            CallResult::Neutral => EndpointResult::Neutral,
        };
        let endpoint = usize::from(landing.permit.endpoint);
        group
            .balancer
            .record_end(endpoint, served, landing.took, now);
    }
}
