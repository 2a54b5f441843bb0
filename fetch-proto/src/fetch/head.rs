//! Handles a response head: its body is accepted, or a redirect, retry or fallback follows.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::command_queue::AttemptCommand;
use super::in_flight::stall_guard;
use super::in_flight::{AfterDiscard, ResponseStage};
use super::{Fetch, FetchContext, push_event};
use crate::fetch::body_state::BodyState;
use crate::model::attempt::HeadSummary;
use crate::model::event::DecisionEvent;
use crate::model::failure::{FailureCause, FailureKind, RedirectError};
use crate::model::fault::InjectedFault;
use crate::model::id::AttemptId;
use crate::model::outcome::{AttemptEnd, FetchError, GiveUpReason};
use crate::model::resume::Continuation;
use crate::model::time::Timestamp;
use crate::model::verdict::ResponseVerdict;
use crate::policy::RetryClass;
use crate::policy::redirect::{RedirectHop, hop, is_redirect};

impl Fetch {
    pub(super) fn on_head(
        &mut self,
        id: AttemptId,
        head: &HeadSummary,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) {
        let is_measured = stall_guard(&self.policy, self.delivery).is_some();
        let Some(attempt) = self.attempt_mut(id) else {
            return;
        };
        attempt.timings.head.get_or_insert(now);
        attempt.progress_at = now;
        if attempt.injected_fault() == Some(InjectedFault::Reset) {
            self.request_abort(id);
            return self.on_end(id, Err(FailureKind::Io), now, context);
        }
        if is_measured {
            attempt.start_meter(now);
        }
        attempt.status = Some(head.status);
        attempt.retry_after = head.retry_after;
        attempt.verdict = head.verdict;
        push_event(&mut self.events, || DecisionEvent::HeadReceived {
            attempt: id.number,
            status: head.status,
        });
        let continuation = self.continuation(id, head);
        let decided = match continuation {
            Continuation::Mismatch if !self.is_stream_interrupted() => {
                self.refuse_continuation(id, head.status);
                Ok(Some(AfterDiscard::Retry { until: now }))
            }
            Continuation::Nothing | Continuation::Rest(_) => Ok(None),
            Continuation::Mismatch | Continuation::Other => {
                self.decide_after_head(id, head, now, context)
            }
        };
        let next = match decided {
            Ok(next) => next,
            Err(error) => {
                self.abandon_others(id, now);
                self.abort(id, AttemptEnd::Redirected, now);
                return self.finish_or_fall_back(FetchError::Redirect(error), now);
            }
        };
        let is_rest = matches!(continuation, Continuation::Nothing | Continuation::Rest(_));
        if let (None, false, Some(error)) = (&next, is_rest, self.interruption()) {
            // The caller has the first part of a body whose rest cannot be had.
            self.abandon_others(id, now);
            self.abort(id, AttemptEnd::Responded, now);
            self.gave_up = Some(GiveUpReason::Committed);
            return self.finish(Err(error), now);
        }
        if !matches!(next, Some(AfterDiscard::AwaitOthers)) {
            self.abandon_others(id, now);
        }
        let Some(attempt) = self.attempt_mut(id) else {
            return;
        };
        let command = match next {
            Some(next) => {
                attempt.stage = ResponseStage::Discarding(next);
                AttemptCommand::Discard(id)
            }
            None => {
                attempt.stage = ResponseStage::Receiving;
                self.begin_body(id, head, continuation);
                AttemptCommand::Accept(id)
            }
        };
        self.commands.push(command);
    }

    /// Decides the step after a response with this head; `None` to accept its body.
    fn decide_after_head(
        &mut self,
        id: AttemptId,
        head: &HeadSummary,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) -> Result<Option<AfterDiscard>, RedirectError> {
        let status = head.status;
        match head.verdict {
            Some(ResponseVerdict::Accept) => return Ok(None),
            Some(ResponseVerdict::Reject(class)) => {
                let cause = FailureCause::Rejected(class);
                let next = self.plan_after_failure(id, cause, head, now, context);
                return Ok(Some(next.unwrap_or(AfterDiscard::Reject)));
            }
            None => {}
        }
        if let Some(location) = head.location.as_deref()
            && is_redirect(status, location)
            && self.policy.redirects.follow
        {
            return self
                .plan_redirect(status, location)
                .map(|hop| Some(AfterDiscard::Redirect(Box::new(hop))));
        }
        let cause = FailureCause::Status(status);
        let plan = self.plan_challenge_retry(status, context);
        if let Some(plan) = plan.or_else(|| self.plan_token_retry(status, context)) {
            if self.has_other_contender(id) {
                return Ok(Some(AfterDiscard::AwaitOthers));
            }
            self.record_retry(cause, plan);
            return Ok(Some(AfterDiscard::Retry { until: now }));
        }
        if self.policy.class(cause) == RetryClass::Forbidden {
            return Ok(None);
        }
        let next = self.plan_after_failure(id, cause, head, now, context);
        let falls_back = next.is_none() && self.can_fall_back(now);
        Ok(next.or_else(|| falls_back.then_some(AfterDiscard::Fallback)))
    }

    /// Decides the step after a response that is a failure; `None` if no attempt follows.
    fn plan_after_failure(
        &mut self,
        id: AttemptId,
        cause: FailureCause,
        head: &HeadSummary,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) -> Option<AfterDiscard> {
        if self.has_other_contender(id) {
            // No further hedge starts if the server asks for a pause.
            self.on_contender_failed(head.retry_after.is_none(), now);
            return Some(AfterDiscard::AwaitOthers);
        }
        let asked = head.retry_after.or(head.pause);
        match self.plan_retry(cause, asked, true, now, context) {
            Ok(plan) => {
                self.record_retry(cause, plan);
                Some(AfterDiscard::Retry {
                    until: now + plan.delay,
                })
            }
            Err(why) => {
                self.give_up(cause, why);
                None
            }
        }
    }

    fn plan_redirect(&mut self, status: u16, location: &str) -> Result<RedirectHop, RedirectError> {
        let rules = self.policy.redirects;
        let hop = hop(
            status,
            location,
            &self.url,
            &self.method,
            self.send_body,
            rules,
        )?;
        if self.redirects >= rules.max {
            return Err(RedirectError::TooMany);
        }
        if hop.send_body && self.body == BodyState::Consumed {
            return Err(RedirectError::BodyNotReplayable);
        }
        let credentials_dropped = hop.cross_origin && self.send_credentials && !rules.trusted;
        push_event(&mut self.events, || DecisionEvent::Redirecting {
            credentials_dropped,
            status,
            to: Arc::new(hop.url.clone()),
        });
        Ok(hop)
    }
}
