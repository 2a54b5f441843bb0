//! The end of attempts and of the fetch.

use alloc::sync::Arc;

use super::command_queue::AttemptCommand;
use super::download::max_body;
use super::in_flight::stall_guard;
use super::in_flight::{AfterDiscard, InFlightAttempt, ResponseStage};
use super::retry::RetryPlan;
use super::{Fetch, FetchContext, FetchState, push_event};
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
use crate::model::verdict::ResponseVerdict;
use crate::policy::RetryClass;

impl Fetch {
    pub(super) fn on_body(
        &mut self,
        id: AttemptId,
        bytes: u64,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) {
        let Some(attempt) = self.in_flight.find_mut(|attempt| attempt.id == id) else {
            return;
        };
        attempt.record_body(bytes, stall_guard(&self.policy, self.delivery), now);
        let (received, fault) = (attempt.bytes, attempt.injected_fault());
        let discarding = matches!(attempt.stage, ResponseStage::Discarding(_));
        if matches!(fault, Some(InjectedFault::Truncate(at)) if received >= at) {
            self.request_abort(id);
            return self.on_end(id, Err(FailureKind::Io), now, context);
        }
        let (received, limit) = match self.attempt(id) {
            Some(attempt) if !discarding => (
                self.body_position(attempt),
                max_body(&self.policy, self.delivery),
            ),
            _ => (received, self.policy.drain),
        };
        if received <= limit {
            return;
        }
        if discarding {
            if let Some(ResponseStage::Discarding(next)) =
                self.abort(id, AttemptEnd::Responded, now)
            {
                self.continue_with(next, now);
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
        context: &mut dyn FetchContext,
    ) {
        let Some(attempt) = self.attempt(id) else {
            return;
        };
        let committed = self.is_committed(attempt);
        let discarding = matches!(attempt.stage, ResponseStage::Discarding(_));
        let (bytes, status) = (self.body_position(attempt), attempt.status);
        let length = self.continued_length().filter(|_| !discarding);
        let result = match length {
            // The server sent a smaller part than asked for: the next attempt asks for the rest.
            Some(length) if bytes < length => result.and(Err(FailureKind::Io)),
            Some(length) if bytes > length => Err(FailureKind::Protocol),
            _ => result,
        };
        let result = match attempt.injected_fault() {
            Some(InjectedFault::Truncate(_)) if !discarding => result.and(Err(FailureKind::Io)),
            _ => result,
        };
        let result = match status {
            None => result.map_err(|failure| self.unanswered_failure(failure)),
            Some(_) => result,
        };
        let end = match (result, status) {
            (_, Some(_)) if discarding => AttemptEnd::Responded,
            (Ok(()), Some(_)) => AttemptEnd::Responded,
            (Ok(()), None) => AttemptEnd::Failed(FailureKind::Dropped),
            (Err(FailureKind::BodyTooLarge), _) => AttemptEnd::BodyTooLarge,
            (Err(failure), _) => AttemptEnd::Failed(failure),
        };
        if let AttemptEnd::Failed(failure) = end {
            self.interrupt_body(id, FetchError::Failed(failure), now);
        }
        if let Some(ResponseStage::Discarding(next)) = self.end_attempt(id, end, now) {
            return self.continue_with(next, now);
        }
        match (end, status) {
            (AttemptEnd::Responded, Some(status)) => {
                let is_continued = self.resumed_from().is_some();
                let finish = CompleteResponse {
                    attempt: id,
                    bytes,
                    status: if is_continued { 200 } else { status },
                };
                self.finish(Ok(finish), now);
            }
            (AttemptEnd::Failed(failure), _) => {
                let answer = (status.is_some(), committed);
                self.fail(FailureCause::Failure(failure), answer, now, context);
            }
            _ => {
                let limit = max_body(&self.policy, self.delivery);
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
        context: &mut dyn FetchContext,
    ) {
        let answer = self.attempt(id).map_or((false, false), |attempt| {
            (attempt.status.is_some(), self.is_committed(attempt))
        });
        self.interrupt_body(id, FetchError::TimedOut(limit), now);
        match self.abort(id, AttemptEnd::TimedOut(limit), now) {
            Some(ResponseStage::Discarding(next)) => self.continue_with(next, now),
            _ => self.fail(FailureCause::Timeout(limit), answer, now, context),
        }
    }

    /// Whether the consumer has seen a part of the response.
    fn is_committed(&self, attempt: &InFlightAttempt) -> bool {
        let is_received = matches!(attempt.stage, ResponseStage::Receiving);
        self.delivery == BodyDelivery::Streamed && (is_received || self.is_stream_interrupted())
    }

    /// An attempt has failed: wait for one that is still in flight, or retry, or end. The response
    /// head had arrived if `answered`, and the consumer has a part of the response if `committed`.
    fn fail(
        &mut self,
        cause: FailureCause,
        (answered, committed): (bool, bool),
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) {
        if self.has_contender() {
            return self.on_contender_failed(true, now);
        }
        self.abort_all(AttemptEnd::Responded, now); // the others only discard refused responses
        let plan = if committed && self.resume_point().is_none() {
            Err(Some(GiveUpReason::Committed))
        } else {
            self.plan_retry(cause, None, answered, now, context)
        };
        match plan {
            Ok(plan) => {
                self.record_retry(cause, plan);
                self.back_off_until(now + plan.delay, now);
            }
            Err(why) => {
                self.give_up(cause, why);
                let error = match cause {
                    FailureCause::Failure(failure) => FetchError::Failed(failure),
                    FailureCause::Timeout(limit) => FetchError::TimedOut(limit),
                    FailureCause::Rejected(_) | FailureCause::Status(_) => {
                        unreachable!("it is a response")
                    }
                };
                if committed {
                    self.finish(Err(error), now);
                } else {
                    self.finish_or_fall_back(error, now);
                }
            }
        }
    }

    /// Updates counters for a retry that was decided, and reports it.
    pub(super) fn record_retry(&mut self, cause: FailureCause, plan: RetryPlan) {
        let (attempt, of) = (self.counted_attempts, self.policy.attempts.get());
        match plan.pace {
            RetryDelaySource::Free => {
                self.free_retry_used = true;
                self.fresh_connection = true;
            }
            RetryDelaySource::NotProcessed => {
                self.unprocessed_retries = match cause {
                    FailureCause::Failure(FailureKind::Unprocessed {
                        others_answered: true,
                    }) => 0,
                    _ => self.unprocessed_retries + 1,
                };
            }
            RetryDelaySource::ResourcesExhausted => self.exhaustion_retries += 1,
            RetryDelaySource::Challenge => self.auth_retries.count_challenge(),
            RetryDelaySource::TokenRefused => self.auth_retries.note_refused_token(),
            RetryDelaySource::Probe => {
                self.probe_retries = self.probe_retries.saturating_add(1);
                self.last_delay = plan.delay.into();
            }
            RetryDelaySource::Throttled => {
                self.throttle_retries = self.throttle_retries.saturating_add(1);
                self.waits_for_host = true;
            }
            RetryDelaySource::Progress => {
                self.count_progress_retry();
                self.earlier_retries = self.earlier_retries.saturating_add(self.counted_attempts);
                self.counted_attempts = 0;
                self.next_counts = true;
                self.free_retry_used = false;
                self.last_delay = CompactDuration::default();
            }
            RetryDelaySource::Backoff | RetryDelaySource::RetryAfter => {
                self.next_counts = true;
                self.free_retry_used = false;
                self.last_delay = plan.delay.into();
            }
        }
        let (delay, why) = (plan.delay, plan.pace);
        push_event(&mut self.events, || DecisionEvent::Retrying {
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
            push_event(&mut self.events, || DecisionEvent::GaveUp { cause, why });
        }
    }

    /// Takes the step that was decided when the response head arrived.
    fn continue_with(&mut self, next: AfterDiscard, now: Timestamp) {
        match next {
            AfterDiscard::Fallback => self.fall_back(now),
            AfterDiscard::Reject => {
                self.finish_or_fall_back(FetchError::Failed(FailureKind::Rejected), now);
            }
            AfterDiscard::AwaitOthers => {} // the attempts in flight decide
            AfterDiscard::Retry { until } => self.back_off_until(until, now),
            AfterDiscard::Redirect(hop) => {
                if let Some(report) = self.attempts.last_mut() {
                    report.end = AttemptEnd::Redirected;
                    self.redirecting += report.timings.total();
                }
                self.redirects += 1;
                self.auth_retries.forget_challenges();
                self.send_credentials &= !hop.cross_origin || self.policy.redirects.trusted;
                if hop.cross_origin || hop.credentials.is_some() {
                    self.credentials = hop.credentials.map(Arc::new);
                }
                self.send_body = hop.send_body;
                self.method = hop.method;
                self.url = Arc::new(hop.url);
                self.free_retry_used = false;
                self.request_slot(now);
            }
        }
    }

    /// Commands the driver to drop an attempt, if it knows of it.
    pub(super) fn request_abort(&mut self, id: AttemptId) {
        let is_unsent = self.commands.withdraw(id);
        let is_held = self.attempt(id).is_some_and(InFlightAttempt::is_held);
        if !is_unsent && !is_held {
            self.commands.push(AttemptCommand::Abort(id));
        }
    }

    /// Ends an attempt in flight, and commands the driver to drop it.
    pub(super) fn abort(
        &mut self,
        id: AttemptId,
        end: AttemptEnd,
        now: Timestamp,
    ) -> Option<ResponseStage> {
        self.attempt(id)?;
        self.request_abort(id);
        self.end_attempt(id, end, now)
    }

    pub(super) fn abort_all(&mut self, end: AttemptEnd, now: Timestamp) {
        while let Some(id) = self.in_flight.first().map(|attempt| attempt.id) {
            self.abort(id, end, now);
        }
    }

    /// Removes an attempt that has ended, and adds its report. Returns the stage that it had reached.
    fn end_attempt(
        &mut self,
        id: AttemptId,
        end: AttemptEnd,
        now: Timestamp,
    ) -> Option<ResponseStage> {
        let was_paused = self.is_total_paused();
        let attempt = self.in_flight.remove_first(|attempt| attempt.id == id)?;
        if was_paused && !self.is_total_paused() {
            self.extend_total(attempt.timings.head, now);
        }
        if self.in_flight.is_empty() {
            self.waiting_since = now;
            self.state = FetchState::Waiting { is_reported: true };
        }
        let mut timings = attempt.timings;
        timings.ended = now;
        if self.attempts.is_empty() {
            // Most fetches have one attempt.
            self.attempts.reserve_exact(1);
        }
        self.attempts.push(AttemptReport {
            bytes: attempt.bytes,
            end,
            number: id.number,
            retry_after: attempt.retry_after,
            status: attempt.status,
            timings,
            url: attempt.url,
            verdict: attempt.verdict,
        });
        Some(attempt.stage)
    }

    pub(super) fn finish(&mut self, result: Result<CompleteResponse, FetchError>, now: Timestamp) {
        match self.state {
            FetchState::Waiting { .. } => self.queued += now.saturating_since(self.waiting_since),
            FetchState::BackingOff { .. } => {
                self.backoff += now.saturating_since(self.waiting_since);
            }
            FetchState::InFlight | FetchState::Ended { .. } => {}
        }
        self.waiting_since = now;
        self.state = FetchState::Ended {
            is_reported: false,
            result,
        };
    }

    /// Whether the caller has accepted the last response, whatever its status.
    fn is_accepted(&self) -> bool {
        let last = self.attempts.last();
        last.is_some_and(|report| report.verdict == Some(ResponseVerdict::Accept))
    }

    /// Whether the policy has a fallback URL that was not used yet.
    pub(super) fn has_unused_fallback(&self) -> bool {
        self.policy.fallback.url.is_some() && !self.used_fallback
    }

    /// Whether the policy has an unused fallback URL, the request can be repeated, and time is
    /// left.
    pub(crate) fn can_fall_back(&self, now: Timestamp) -> bool {
        let is_in_time = self.deadline().is_none_or(|deadline| now < deadline);
        self.has_unused_fallback()
            && !self.is_stream_interrupted()
            && self.is_repeatable()
            && is_in_time
    }

    pub(super) fn finish_or_fall_back(&mut self, error: FetchError, now: Timestamp) {
        if self.can_fall_back(now) {
            return self.fall_back(now);
        }
        self.finish(Err(error), now);
    }

    /// Continues with the fallback URL, like a new fetch within the same total time limit.
    fn fall_back(&mut self, now: Timestamp) {
        let Some(url) = self.policy.fallback.url.clone() else {
            return;
        };
        push_event(&mut self.events, || DecisionEvent::FallbackStarted {
            to: url.clone(),
        });
        self.used_fallback = true;
        if url.origin() != self.url.origin() {
            self.send_credentials = false;
            self.credentials = None;
        }
        self.url = url;
        self.earlier_retries += self.counted_attempts.saturating_sub(1);
        self.start_body_over();
        self.counted_attempts = 0;
        self.next_counts = true;
        self.free_retry_used = false;
        self.last_delay = CompactDuration::default();
        self.gave_up = None;
        self.request_slot(now);
    }

    pub(super) fn outcome(&mut self, result: Result<CompleteResponse, FetchError>) -> FetchOutcome {
        let is_retryable = |status| {
            let cause = FailureCause::Status(status);
            self.policy.class(cause) != RetryClass::Forbidden
        };
        let is_bad = match result {
            Ok(finish) => !self.is_accepted() && is_retryable(finish.status),
            Err(FetchError::Cancelled) => false,
            Err(_) => self.gave_up != Some(GiveUpReason::Committed),
        };
        FetchOutcome {
            attempts: core::mem::take(&mut self.attempts),
            auth_profile: None,
            auth_retries: self.auth_retries.count(),
            used_fallback: self.used_fallback,
            gave_up: self.gave_up,
            redirects: self.redirects,
            result,
            resumed_from: self.resumed_from(),
            retries: self.earlier_retries + self.counted_attempts.saturating_sub(1),
            shared_with: None,
            tag: self.tag,
            timings: FetchTimings {
                submitted: self.submitted,
                started: self.started,
                ended: self.waiting_since,
                queued: self.queued.into(),
                backoff: self.backoff.into(),
                redirecting: self.redirecting.into(),
            },
            url: self.url.clone(),
            needs_fallback_value: is_bad && self.policy.fallback.value,
        }
    }
}
