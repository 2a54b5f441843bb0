//! How an attempt begins.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use url::Url;

use super::flight::{Flight, Held, Special};
use super::hedge::Racing;
use super::{Fetch, State, World, push};
use crate::guards::budget::RetryKind;
use crate::guards::stall::ThroughputMeter;
use crate::model::attempt::Attempt;
use crate::model::event::DecisionEvent;
use crate::model::fault::InjectedFault;
use crate::model::id::AttemptId;
use crate::model::time::Timestamp;
use crate::policy::injected_latency;

impl Fetch {
    /// `at`: the target's place at the endpoint that was chosen for it.
    pub(crate) fn start_in(
        &mut self,
        now: Timestamp,
        at: Option<Arc<Url>>,
        world: &mut dyn World,
    ) -> Option<Attempt> {
        self.expire(now, world);
        let waited = match self.state {
            State::Waiting { told: true } => now.saturating_since(self.since),
            State::Flying if self.racing.is_wanted() => Duration::ZERO,
            _ => return None,
        };
        if self.is_flying() && !world.pay(RetryKind::Transient, now) {
            self.skip_hedge();
            return None;
        }
        self.queued += waited;
        self.started.get_or_insert(now);
        self.number = self.number.saturating_add(1);
        if self.flights.is_empty() {
            self.tries += u16::from(core::mem::take(&mut self.counts));
            self.racing = Racing::default();
        }
        self.schedule_hedge(now, world);
        self.state = State::Flying;
        let (attempt, url) = (self.number, at.unwrap_or_else(|| self.url.clone()));
        push(&mut self.events, || DecisionEvent::Started {
            attempt,
            queued: waited,
            url: url.clone(),
        });
        self.launch(url, now)
    }

    /// Puts the attempt with the present number into the air, unless chaos holds it back.
    fn launch(&mut self, url: Arc<Url>, now: Timestamp) -> Option<Attempt> {
        let attempt = Attempt {
            fresh_connection: core::mem::take(&mut self.fresh_connection),
            id: AttemptId {
                fetch: self.id,
                number: self.number,
            },
            max_body: self.policy.max_body,
            method: self.method.clone(),
            send_body: self.send_body,
            send_credentials: self.send_credentials,
            url: url.clone(),
        };
        let mut flight = Flight::new(attempt.id, url, now);
        let fault = self.fault();
        if fault.is_some() || self.policy.stall.is_some() {
            flight.special = Some(Box::new(Special {
                fault,
                held: None,
                meter: self
                    .policy
                    .stall
                    .as_ref()
                    .map(|_| ThroughputMeter::new(now)),
            }));
        }
        let sent = self.hold_back(&mut flight, attempt, now);
        self.flights.push(flight);
        sent
    }

    /// The fault to make in the attempt with the present number.
    pub(crate) fn fault(&self) -> Option<InjectedFault> {
        self.policy.chaos.draw(self.seed, self.number)
    }

    /// Makes the fault of an attempt that shows before anything is sent.
    fn hold_back(
        &mut self,
        flight: &mut Flight,
        attempt: Attempt,
        now: Timestamp,
    ) -> Option<Attempt> {
        let Some((fault, special)) = flight.fault().zip(flight.special.as_mut()) else {
            return Some(attempt);
        };
        let number = self.number;
        push(&mut self.events, || DecisionEvent::FaultInjected {
            attempt: number,
            fault,
        });
        let seed = self.seed;
        special.held = match fault {
            InjectedFault::Error(failure) => Some(Held::Failing(failure)),
            InjectedFault::Latency { min, max } => {
                let at = now + injected_latency(min, max, seed, number);
                Some(Held::Until(at, Box::new(attempt)))
            }
            InjectedFault::Stall => Some(Held::ForEver),
            InjectedFault::ClockJump(_) | InjectedFault::Reset | InjectedFault::Truncate(_) => {
                return Some(attempt);
            }
        };
        None
    }
}
