//! Settling ended attempts: limits are released, guards learn the result, waiting hosts get a turn.

use core::time::Duration;

use crate::engine::Engine;
use crate::engine::limits::host_guards::HostGuards;
use crate::engine::state::fetch_slab::{AttemptPermit, FetchSlot, NO_ENDPOINT, RetryCosts};
use crate::fetch::FetchStep;
use crate::guards::balance::EndpointResult;
use crate::guards::breaker::{BreakerCall, CallResult};
use crate::guards::health::{HostEvidence, HostHealth, HostSignal, OutageSign};
use crate::model::event::{CircuitTransition, DecisionEvent};
use crate::model::failure::{FailureCause, FailureKind, TimeLimit};
use crate::model::outcome::{AttemptEnd, AttemptReport, GiveUpReason};
use crate::model::time::Timestamp;
use crate::model::verdict::ResponseVerdict;
use crate::policy::{Policy, RetryClass};

/// The data of an ended attempt that limits and guards need.
pub(crate) struct EndedAttempt {
    /// Whether the server asked for a pause by `Retry-After`.
    asked_for_pause: bool,
    /// Time to the response head, if one arrived. The body is not included, because its duration
    /// depends more on its size than on the server's load.
    first_byte: Option<Duration>,
    /// Whether the fetch ended with this attempt, for another reason than an exhausted retry
    /// budget.
    gave_up: bool,
    /// The host in whose queue the fetch waited. For a balanced target it differs from
    /// `permit.host`, the endpoint.
    host: u32,
    /// Whether the server reported or showed overload.
    overloaded: bool,
    /// When an earlier attempt of the fetch failed in a way that may be the URL's own fault.
    own_failure: Option<Timestamp>,
    permit: AttemptPermit,
    /// Costs of the latest retry or hedge, which a success refunds.
    retry_costs: RetryCosts,
    signal: HostSignal,
    took: Duration,
    verdict: CallResult,
}

impl EndedAttempt {
    /// The next ended attempt of the fetch that is not settled. `step` is the fetch's latest step.
    pub(crate) fn next(slot: &mut FetchSlot, step: &FetchStep) -> Option<Self> {
        let reports = match step {
            FetchStep::Done(outcome) => &outcome.attempts,
            _ => slot.fetch.ended_attempts(),
        };
        let report = reports.get(usize::from(slot.settled))?;
        slot.settled += 1;
        let permit = slot
            .permits
            .remove_first(|permit| permit.number == report.number)?;
        let (verdict, overloaded) = assess(report, slot.fetch.policy());
        let timings = &report.timings;
        let first_byte = timings.head.map(|at| at.saturating_since(timings.started));
        let own_failure = slot.fetch.earliest_own_failure(reports, report.number);
        let is_success = verdict == CallResult::Success;
        let cold = slot.cold.as_mut().filter(|_| is_success);
        Some(Self {
            asked_for_pause: report.retry_after.is_some(),
            first_byte,
            gave_up: matches!(
                step,
                FetchStep::Done(outcome) if outcome.gave_up != Some(GiveUpReason::Budget)
            ),
            host: slot.host,
            overloaded,
            own_failure,
            permit,
            retry_costs: cold
                .map(|cold| core::mem::take(&mut cold.retry_costs))
                .unwrap_or_default(),
            signal: HostSignal::of(report),
            took: first_byte.unwrap_or_else(|| timings.total()),
            verdict,
        })
    }
}

impl EndedAttempt {
    pub(crate) fn permit(&self) -> AttemptPermit {
        self.permit
    }

    /// What the attempt says about the host with this health. A URL that failed before, when the
    /// host answered others, says nothing if it fails again.
    fn signal_at(&self, health: &HostHealth) -> HostSignal {
        let is_own = self.own_failure.is_some() && self.own_failure < health.answered_at();
        match self.signal {
            HostSignal::Sign(sign, _) if is_own && sign != OutageSign::Unreachable => {
                HostSignal::Silence
            }
            signal => signal,
        }
    }
}

/// The evidence of an ended attempt about the server's health, and whether it shows overload.
fn assess(report: &AttemptReport, policy: &Policy) -> (CallResult, bool) {
    let cause = match (report.end, report.status) {
        (AttemptEnd::Responded | AttemptEnd::Redirected, Some(status)) => match report.verdict {
            Some(ResponseVerdict::Accept) => return (CallResult::Success, false),
            Some(ResponseVerdict::Reject(class)) => FailureCause::Rejected(class),
            None => FailureCause::Status(status),
        },
        (AttemptEnd::BodyTooLarge | AttemptEnd::Failed(FailureKind::BodyTooLarge), _) => {
            return (CallResult::Success, false);
        }
        (AttemptEnd::TimedOut(TimeLimit::Hook | TimeLimit::Total | TimeLimit::Queue), _) => {
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
        // Too many requests: the server works, so this is for limits and pauses, not the breaker.
        (FailureCause::Status(429), _) => (CallResult::Neutral, true),
        (_, RetryClass::Forbidden) => (CallResult::Success, false),
        (_, RetryClass::Throttled) | (FailureCause::Timeout(_), _) => (CallResult::Failure, true),
        _ => (CallResult::Failure, false),
    }
}

/// Reports an ended attempt to the breaker of its host. If hosts are waited for (`waits`), only what shows
/// that the host is down counts, and a host with few fetches may be down before as many have failed as the
/// breaker requires.
fn report_to_breaker(
    guards: &mut HostGuards,
    attempt: &EndedAttempt,
    (signal, evidence): (HostSignal, HostEvidence),
    waits: bool,
    now: Timestamp,
) -> Option<CircuitTransition> {
    let circuit = guards.circuit.as_mut()?;
    let is_probe = attempt.permit.call.is_some_and(BreakerCall::is_probe);
    let result = match (evidence, signal) {
        _ if !waits => attempt.verdict,
        (HostEvidence::Alive, _) => CallResult::Success,
        (HostEvidence::Outage, _) => CallResult::Failure,
        (HostEvidence::Throttled, _) if is_probe => CallResult::Success,
        // No answer to a probe: the host is not back.
        (HostEvidence::Unknown, HostSignal::Silence | HostSignal::Sign(..)) if is_probe => {
            CallResult::Failure
        }
        // A time limit may make it a slow call.
        (HostEvidence::Unknown, HostSignal::Silence) if circuit.config().counts_slow_calls() => {
            CallResult::Success
        }
        _ => CallResult::Neutral,
    };
    let call = attempt.permit.call?;
    let transition = circuit.record(call, result, attempt.took, now);
    let is_down = waits && transition.is_none() && guards.health.is_down(now);
    transition.or_else(|| is_down.then(|| circuit.trip(now)).flatten())
}

impl Engine {
    /// Releases the attempt's limits, reports its result to the guards, and offers turns to the hosts
    /// that may have waited for it.
    pub(crate) fn settle(&mut self, attempt: &EndedAttempt, now: Timestamp) {
        let host = attempt.permit.host;
        self.concurrency.release();
        let state = self.hosts.get_mut(host);
        let in_flight = state.in_flight;
        state.in_flight -= 1;
        let limit_before = state.adaptive_limit();
        if !attempt.asked_for_pause {
            state.raise_ramp_limit(self.config.concurrency.get());
        }
        self.report_to_throttlers(attempt, now);
        self.report_to_guards(attempt, in_flight, now);
        self.report_to_retry_budgets(attempt, now);
        self.report_to_balancer(attempt, now);
        let state = self.hosts.get(host);
        if let Some(limit) = state.adaptive_limit()
            && limit_before != Some(limit)
        {
            let host = state.key.clone();
            self.outputs
                .push_event(|| DecisionEvent::HostLimitChanged { host, limit });
        }
        self.offer_turns(host, now);
        self.release_host(host, now);
    }

    /// Offers a turn to the host and to the balanced targets that it serves.
    pub(crate) fn offer_turns(&mut self, host: u32, now: Timestamp) {
        self.offer_turn(host, now);
        for target in self.hosts.get(host).endpoint_of.clone() {
            self.offer_turn(target, now);
        }
    }

    fn report_to_guards(&mut self, attempt: &EndedAttempt, in_flight: usize, now: Timestamp) {
        let waits = self.config.effective_outage_wait().is_some();
        self.report_to_target_health(attempt, now);
        let state = self.hosts.get_mut(attempt.permit.host);
        let Some(guards) = &mut state.guards else {
            return;
        };
        let is_informative = attempt.verdict != CallResult::Neutral || attempt.overloaded;
        if let Some(limiter) = guards.limiter.as_mut().filter(|_| is_informative) {
            limiter.record(attempt.took, in_flight, attempt.overloaded, now);
        }
        if let Some((latency, took)) = guards.latency.as_mut().zip(attempt.first_byte)
            && attempt.verdict == CallResult::Success
        {
            latency.record(took, now);
        }
        let signal = attempt.signal_at(&guards.health);
        let evidence = guards.health.record(signal, now);
        let transition = report_to_breaker(guards, attempt, (signal, evidence), waits, now);
        if let (Some(outage), HostSignal::Sign(_, cause)) = (&mut guards.outage, signal) {
            outage.cause = cause;
        }
        if let Some(transition) = transition {
            // After the breaker closes, the host starts slowly: otherwise all waiting fetches would
            // start at once.
            let starts_slowly = transition == CircuitTransition::Closed && self.config.slow_start;
            state.ramp_limit = starts_slowly.then_some(1);
            match transition {
                CircuitTransition::Closed => self.stats.circuits_closed += 1,
                CircuitTransition::Opened { .. } => self.stats.circuits_opened += 1,
            }
            let key = state.key.clone();
            self.outputs.push_event(|| DecisionEvent::CircuitChanged {
                host: key,
                transition,
            });
            match transition {
                CircuitTransition::Closed => self.end_outage(attempt.permit.host, now),
                CircuitTransition::Opened { .. } => self.begin_outage(attempt.permit.host, now),
            }
        }
    }

    /// A balanced target has the health of all its endpoints together.
    fn report_to_target_health(&mut self, attempt: &EndedAttempt, now: Timestamp) {
        if attempt.host != attempt.permit.host
            && self.hosts.contains(attempt.host)
            && let Some(guards) = self.hosts.guards_mut(attempt.host)
        {
            guards.health.record(attempt.signal_at(&guards.health), now);
        }
    }

    /// A throttle counts every request that was not refused because of overload as accepted.
    fn report_to_throttlers(&mut self, attempt: &EndedAttempt, now: Timestamp) {
        if attempt.overloaded {
            return;
        }
        let serving = attempt.permit.host;
        let target = Some(attempt.host);
        let target = target.filter(|host| *host != serving && self.hosts.contains(*host));
        for counted in target.into_iter().chain([serving]) {
            let guards = self.hosts.guards_mut(counted);
            if let Some(throttler) = guards.and_then(|guards| guards.throttler.as_mut()) {
                throttler.record_accept(now);
            }
        }
    }

    fn report_to_retry_budgets(&mut self, attempt: &EndedAttempt, now: Timestamp) {
        let guards = self.hosts.guards_mut(attempt.host);
        let host = guards.and_then(|guards| guards.retry_tokens.as_mut());
        let budgets = [
            (host, attempt.retry_costs.host),
            (
                self.retry_budget.tokens_mut(),
                attempt.retry_costs.all_hosts,
            ),
        ];
        for (tokens, cost) in budgets {
            match (tokens, attempt.verdict) {
                (Some(tokens), CallResult::Success) => tokens.record_success(cost, now),
                (Some(tokens), CallResult::Failure) if attempt.gave_up => {
                    tokens.record_failure(now);
                }
                _ => {}
            }
        }
    }

    fn report_to_balancer(&mut self, attempt: &EndedAttempt, now: Timestamp) {
        if attempt.permit.endpoint == NO_ENDPOINT {
            return;
        }
        let Some(target) = &mut self.hosts.get_mut(attempt.host).target else {
            return;
        };
        let served = match attempt.verdict {
            CallResult::Success => EndpointResult::Success,
            CallResult::Failure => EndpointResult::Failure,
            CallResult::Neutral => EndpointResult::Neutral,
        };
        let endpoint = usize::from(attempt.permit.endpoint);
        target
            .balancer
            .record_end(endpoint, served, attempt.took, now);
    }
}
