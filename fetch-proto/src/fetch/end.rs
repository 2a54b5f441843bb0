//! How attempts end, and with them the fetch.

use alloc::sync::Arc;

use super::flight::{Flight, Next, Stage};
use super::outbox::Word;
use super::retry::Plan;
use super::{Fetch, State, World, push};
use crate::fetch::request::BodyDelivery;
use crate::model::event::{DecisionEvent, RetryDelaySource};
use crate::model::failure::{FailureCause, FailureKind, TimeLimit};
use crate::model::fault::InjectedFault;
use crate::model::id::AttemptId;
use crate::model::outcome::{
    AttemptEnd, AttemptReport, CompleteResponse, FetchError, FetchOutcome, GiveUpReason,
};
use crate::model::time::{CompactDuration, Timestamp};
use crate::model::timings::FetchTimings;

impl Fetch {
    pub(super) fn on_body(
        &mut self,
        id: AttemptId,
        bytes: u64,
        now: Timestamp,
        world: &mut dyn World,
    ) {
        let Some(flight) = self.flights.find_mut(|flight| flight.id == id) else {
            return;
        };
        flight.received(bytes, &self.policy, now);
        let (received, fault) = (flight.bytes, flight.fault());
        let discarding = matches!(flight.stage, Stage::Discarding(_));
        if matches!(fault, Some(InjectedFault::Truncate(at)) if received >= at) {
            self.drop_flight(id);
            return self.on_end(id, Err(FailureKind::Io), now, world);
        }
        let limit = if discarding {
            self.policy.drain
        } else {
            self.policy.max_body
        };
        if received <= limit {
            return;
        }
        if discarding {
            if let Some(Stage::Discarding(next)) = self.abort(id, AttemptEnd::Responded, now) {
                self.go_on(next, now);
            }
        } else {
            self.abandon_others(id, now);
            self.abort(id, AttemptEnd::BodyTooLarge, now);
            self.finish_or_fall_back(FetchError::BodyTooLarge { limit }, now);
        }
    }

    pub(super) fn on_end(
        &mut self,
        id: AttemptId,
        result: Result<(), FailureKind>,
        now: Timestamp,
        world: &mut dyn World,
    ) {
        let Some(flight) = self.flight(id) else {
            return;
        };
        let committed = self.is_committed(flight);
        let discarding = matches!(flight.stage, Stage::Discarding(_));
        let (bytes, status) = (flight.bytes, flight.status);
        let result = match flight.fault() {
            Some(InjectedFault::Truncate(_)) if !discarding => result.and(Err(FailureKind::Io)),
            _ => result,
        };
        let end = match (result, status) {
            (_, Some(_)) if discarding => AttemptEnd::Responded,
            (Ok(()), Some(_)) => AttemptEnd::Responded,
            (Ok(()), None) => AttemptEnd::Failed(FailureKind::Dropped),
            (Err(FailureKind::BodyTooLarge), _) => AttemptEnd::BodyTooLarge,
            (Err(failure), _) => AttemptEnd::Failed(failure),
        };
        if let Some(Stage::Discarding(next)) = self.land(id, end, now) {
            return self.go_on(next, now);
        }
        match (end, status) {
            (AttemptEnd::Responded, Some(status)) => {
                let finish = CompleteResponse {
                    attempt: id,
                    bytes,
                    status,
                };
                self.finish(Ok(finish), now);
            }
            (AttemptEnd::Failed(failure), _) => {
                self.fail(FailureCause::Failure(failure), committed, now, world);
            }
            _ => {
                let limit = self.policy.max_body;
                self.abort_all(AttemptEnd::Abandoned, now);
                self.finish_or_fall_back(FetchError::BodyTooLarge { limit }, now);
            }
        }
    }

    pub(super) fn on_timeout(
        &mut self,
        id: AttemptId,
        limit: TimeLimit,
        now: Timestamp,
        world: &mut dyn World,
    ) {
        let committed = self.flight(id).is_some_and(|f| self.is_committed(f));
        match self.abort(id, AttemptEnd::TimedOut(limit), now) {
            Some(Stage::Discarding(next)) => self.go_on(next, now),
            _ => self.fail(FailureCause::Timeout(limit), committed, now, world),
        }
    }

    /// Whether the consumer has been given the response already.
    fn is_committed(&self, flight: &Flight) -> bool {
        self.delivery == BodyDelivery::Streamed && matches!(flight.stage, Stage::Receiving)
    }

    /// The attempt came to nothing: another races on, or try again, or end.
    fn fail(
        &mut self,
        cause: FailureCause,
        committed: bool,
        now: Timestamp,
        world: &mut dyn World,
    ) {
        if self.has_contender() {
            return self.lost_a_race(true, now);
        }
        self.abort_all(AttemptEnd::Responded, now); // what is left only reads a refused response
        let plan = if committed {
            Err(Some(GiveUpReason::Committed))
        } else {
            self.plan(cause, None, now, world)
        };
        match plan {
            Ok(plan) => {
                self.announce(cause, plan);
                self.sleep(now + plan.delay, now);
            }
            Err(why) => {
                self.give_up(cause, why);
                let error = match cause {
                    FailureCause::Failure(failure) => FetchError::Failed(failure),
                    FailureCause::Timeout(limit) => FetchError::TimedOut(limit),
                    FailureCause::Status(_) => unreachable!("a status is a response"),
                };
                if committed {
                    self.finish(Err(error), now);
                } else {
                    self.finish_or_fall_back(error, now);
                }
            }
        }
    }

    /// Keeps the books of a retry that was decided.
    pub(super) fn announce(&mut self, cause: FailureCause, plan: Plan) {
        let (attempt, of) = (self.tries, self.policy.attempts.get());
        match plan.pace {
            RetryDelaySource::Free => {
                self.free_retry_used = true;
                self.fresh_connection = true;
            }
            RetryDelaySource::ResourcesExhausted => self.pressure += 1,
            RetryDelaySource::Probe => {
                self.probes += 1;
                self.last_delay = plan.delay.into();
            }
            RetryDelaySource::Backoff | RetryDelaySource::RetryAfter => {
                self.counts = true;
                self.free_retry_used = false;
                self.last_delay = plan.delay.into();
            }
        }
        let (delay, why) = (plan.delay, plan.pace);
        push(&mut self.events, || DecisionEvent::Retrying {
            attempt,
            cause,
            delay,
            of,
            why,
        });
    }

    pub(super) fn give_up(&mut self, cause: FailureCause, why: Option<GiveUpReason>) {
        self.gave_up = why;
        if let Some(why) = why {
            push(&mut self.events, || DecisionEvent::GaveUp { cause, why });
        }
    }

    /// Does what was decided when the head came.
    fn go_on(&mut self, next: Next, now: Timestamp) {
        match next {
            Next::Fallback => self.fall_back(now),
            Next::Race => {} // the attempts that are left decide
            Next::Retry { until } => self.sleep(until, now),
            Next::Hop(hop) => {
                if let Some(report) = self.attempts.last_mut() {
                    report.end = AttemptEnd::Redirected;
                    self.redirecting += report.timings.total();
                }
                self.redirects += 1;
                self.send_credentials &= !hop.cross_origin;
                self.send_body = hop.send_body;
                self.method = hop.method;
                self.url = Arc::new(hop.url);
                self.free_retry_used = false;
                self.queue(now);
            }
        }
    }

    /// Tells the driver to drop an attempt, if it knows of it.
    pub(super) fn drop_flight(&mut self, id: AttemptId) {
        let unsent = self.outbox.withdraw(id);
        let held = self.flight(id).is_some_and(Flight::is_held);
        if !unsent && !held {
            self.outbox.push(Word::Abort(id));
        }
    }

    /// Ends an attempt in flight and tells the driver to drop it.
    pub(super) fn abort(
        &mut self,
        id: AttemptId,
        end: AttemptEnd,
        now: Timestamp,
    ) -> Option<Stage> {
        self.flight(id)?;
        self.drop_flight(id);
        self.land(id, end, now)
    }

    pub(super) fn abort_all(&mut self, end: AttemptEnd, now: Timestamp) {
        while let Some(id) = self.flights.first().map(|flight| flight.id) {
            self.abort(id, end, now);
        }
    }

    /// Takes the attempt out of the air and writes its report.
    fn land(&mut self, id: AttemptId, end: AttemptEnd, now: Timestamp) -> Option<Stage> {
        let flight = self.flights.remove_first(|flight| flight.id == id)?;
        if self.flights.is_empty() {
            self.since = now;
            self.state = State::Waiting { told: true };
        }
        let mut timings = flight.timings;
        timings.ended = now;
        if self.attempts.is_empty() {
            // Most have just one.
            self.attempts.reserve_exact(1);
        }
        self.attempts.push(AttemptReport {
            bytes: flight.bytes,
            end,
            number: id.number,
            retry_after: flight.retry_after,
            status: flight.status,
            timings,
            url: flight.url,
        });
        Some(flight.stage)
    }

    pub(super) fn finish(&mut self, result: Result<CompleteResponse, FetchError>, now: Timestamp) {
        match self.state {
            State::Waiting { .. } => self.queued += now.saturating_since(self.since),
            State::Sleeping { .. } => self.backoff += now.saturating_since(self.since),
            State::Flying | State::Over { .. } => {}
        }
        self.since = now;
        self.state = State::Over {
            told: false,
            result,
        };
    }

    /// Whether there is another URL to turn to, and time and leave for it.
    pub(super) fn may_fall_back(&self, now: Timestamp) -> bool {
        let timely = self.deadline().is_none_or(|deadline| now < deadline);
        self.policy.fallback.url.is_some() && !self.used_fallback && self.is_repeatable() && timely
    }

    pub(super) fn finish_or_fall_back(&mut self, error: FetchError, now: Timestamp) {
        if self.may_fall_back(now) {
            return self.fall_back(now);
        }
        self.finish(Err(error), now);
    }

    /// Turns to the fallback's URL, as to a new fetch within the same total limit.
    fn fall_back(&mut self, now: Timestamp) {
        let Some(url) = self.policy.fallback.url.clone() else {
            return;
        };
        push(&mut self.events, || DecisionEvent::FallbackStarted {
            to: url.clone(),
        });
        self.used_fallback = true;
        self.send_credentials &= url.origin() == self.url.origin();
        self.url = url;
        self.retried += self.tries.saturating_sub(1);
        self.tries = 0;
        self.counts = true;
        self.free_retry_used = false;
        self.last_delay = CompactDuration::default();
        self.gave_up = None;
        self.queue(now);
    }

    pub(super) fn outcome(&mut self, result: Result<CompleteResponse, FetchError>) -> FetchOutcome {
        let retried = |status| {
            let cause = FailureCause::Status(status);
            self.policy.class(cause) != crate::RetryClass::Forbidden
        };
        let bad = match result {
            Ok(finish) => retried(finish.status),
            Err(FetchError::Cancelled) => false,
            Err(_) => self.gave_up != Some(GiveUpReason::Committed),
        };
        FetchOutcome {
            attempts: core::mem::take(&mut self.attempts),
            used_fallback: self.used_fallback,
            gave_up: self.gave_up,
            redirects: self.redirects,
            result,
            retries: self.retried + self.tries.saturating_sub(1),
            shared_with: None,
            tag: self.tag,
            timings: FetchTimings {
                submitted: self.submitted,
                started: self.started,
                ended: self.since,
                queued: self.queued.into(),
                backoff: self.backoff.into(),
                redirecting: self.redirecting.into(),
            },
            url: self.url.clone(),
            needs_fallback_value: bad && self.policy.fallback.value,
        }
    }
}
