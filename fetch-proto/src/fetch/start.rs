//! Starting attempts.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use url::Url;

use super::download::max_body;
use super::hedge::HedgeState;
use super::in_flight::{AttemptExtras, InFlightAttempt, InjectedHold};
use super::{Fetch, FetchContext, FetchState, push_event};
use crate::guards::budget::RetryKind;
use crate::model::attempt::Attempt;
use crate::model::event::DecisionEvent;
use crate::model::fault::InjectedFault;
use crate::model::id::AttemptId;
use crate::model::time::Timestamp;
use crate::policy::injected_latency;

impl Fetch {
    /// Grants the requested slot. `endpoint` is the URL at the endpoint that serves a balanced target.
    pub(crate) fn start_with(
        &mut self,
        now: Timestamp,
        endpoint: Option<Arc<Url>>,
        context: &mut dyn FetchContext,
    ) -> Option<Attempt> {
        self.handle_deadlines(now, context);
        let waited = match self.state {
            FetchState::Waiting { is_reported: true } => now.saturating_since(self.waiting_since),
            FetchState::InFlight if self.hedging.is_requested() => Duration::ZERO,
            _ => return None,
        };
        if self.is_in_flight() && !context.spend_retry(RetryKind::Transient, now) {
            self.skip_hedge();
            return None;
        }
        self.queued += waited;
        if core::mem::take(&mut self.waits_for_host) {
            self.release_limits(now);
        }
        if self.started.is_none() {
            self.started = Some(now);
            self.reset_held_total(now);
        }
        self.attempt_number = self.attempt_number.saturating_add(1);
        self.body.consume();
        if self.in_flight.is_empty() {
            self.counted_attempts += u16::from(core::mem::take(&mut self.next_counts));
            self.hedging = HedgeState::default();
        }
        self.schedule_hedge(now, context);
        self.state = FetchState::InFlight;
        let (attempt, url) = (
            self.attempt_number,
            endpoint.unwrap_or_else(|| self.url.clone()),
        );
        push_event(&mut self.events, || DecisionEvent::Started {
            attempt,
            queued: waited,
            url: url.clone(),
        });
        self.create_attempt(url, context, now)
    }

    /// Adds the attempt with the current number to those in flight. Returns it, unless an injected fault
    /// holds it back.
    fn create_attempt(
        &mut self,
        url: Arc<Url>,
        context: &mut dyn FetchContext,
        now: Timestamp,
    ) -> Option<Attempt> {
        let resume = self.resume_point().map(Box::new);
        if let Some(point) = &resume {
            let (attempt, offset) = (self.attempt_number, point.offset);
            push_event(&mut self.events, || DecisionEvent::Resuming {
                attempt,
                offset,
            });
        }
        let asks_for_rest = resume.is_some();
        let attempt = Attempt {
            fresh_connection: core::mem::take(&mut self.fresh_connection),
            id: AttemptId {
                fetch: self.id,
                number: self.attempt_number,
            },
            login: context.take_login().map(Box::new),
            max_body: max_body(&self.policy, self.delivery),
            method: self.method.clone(),
            repeatable: self.may_repeat_unanswered(),
            resume,
            send_body: self.send_body,
            credentials: self.credentials.clone(),
            send_credentials: self.send_credentials,
            token: context.token(),
            url: url.clone(),
        };
        let mut in_flight = InFlightAttempt::new(attempt.id, url, now);
        in_flight.asks_for_rest = asks_for_rest;
        if let Some(fault) = self.injected_fault() {
            in_flight.extras = Some(Box::new(AttemptExtras {
                fault: Some(fault),
                ..AttemptExtras::default()
            }));
        }
        let sent = self.apply_early_fault(&mut in_flight, attempt, now);
        self.in_flight.push(in_flight);
        sent
    }

    /// The fault to inject into the attempt with the current number.
    pub(crate) fn injected_fault(&self) -> Option<InjectedFault> {
        self.policy.chaos.draw(self.seed, self.attempt_number)
    }

    /// Injects a fault that takes effect before the request is sent.
    fn apply_early_fault(
        &mut self,
        in_flight: &mut InFlightAttempt,
        attempt: Attempt,
        now: Timestamp,
    ) -> Option<Attempt> {
        let Some((fault, extras)) = in_flight.injected_fault().zip(in_flight.extras.as_mut())
        else {
            return Some(attempt);
        };
        let number = self.attempt_number;
        push_event(&mut self.events, || DecisionEvent::FaultInjected {
            attempt: number,
            fault,
        });
        let seed = self.seed;
        extras.hold = match fault {
            InjectedFault::Error(failure) => Some(InjectedHold::FailNow(failure)),
            InjectedFault::Latency { min, max } => {
                let at = now + injected_latency(min, max, seed, number);
                Some(InjectedHold::Until(at, Box::new(attempt)))
            }
            InjectedFault::Stall => Some(InjectedHold::Never),
            InjectedFault::ClockJump(_) | InjectedFault::Reset | InjectedFault::Truncate(_) => {
                return Some(attempt);
            }
        };
        None
    }
}
