//! Decisions about retries: whether, when and why.

use core::time::Duration;

use super::{Fetch, FetchContext};
use crate::fetch::body_state::BodyState;
use crate::guards::budget::RetryKind;
use crate::guards::health::OutageSign;
use crate::guards::pacing::Refusal;
use crate::model::event::RetryDelaySource;
use crate::model::failure::{FailureCause, FailureKind};
use crate::model::outcome::GiveUpReason;
use crate::model::time::Timestamp;
use crate::policy::{OverCap, RetryClass};

/// How an outage of the host affects a retry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum OutageRetry {
    /// It does not count as an attempt: the host is down, or may be.
    Free,
    /// There is none: the host was given up.
    GivenUp,
    /// Not at all.
    Ordinary,
}

/// A retry that was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RetryPlan {
    pub(super) delay: Duration,
    pub(super) pace: RetryDelaySource,
}

/// How many retries after exhausted file descriptors or ports do not count as attempts.
const MAX_EXHAUSTION_RETRIES: u8 = 100;

/// How many retries after a paced host refused only this request do not count as attempts. Fewer
/// are needed unless the host refuses this URL whatever the rate.
const MAX_THROTTLE_RETRIES: u8 = 10;

/// The delay before the first retry at a paced host. It doubles up to 32 times as long.
const THROTTLE_DELAY: Duration = Duration::from_millis(50);
/// How many retries of requests that the server did not process do not count as attempts, while it
/// answers no other request to the origin. The bound ends fetches from a server that only refuses.
const MAX_UNPROCESSED_RETRIES: u8 = 10;

/// How many retries after a breaker's probe do not count as attempts. The bound ends fetches that
/// have no time limit.
const MAX_PROBE_RETRIES: u8 = 100;

impl Fetch {
    /// Decides about a retry after `cause`. The checks are in the order that gives the most useful
    /// reason, and the budgets are charged last: class, idempotency, attempts left, time left, breaker,
    /// budget. `answered` is true if a response head arrived. `Err(None)` means that the cause is not one to retry.
    pub(super) fn plan_retry(
        &self,
        cause: FailureCause,
        asked: Option<Duration>,
        answered: bool,
        now: Timestamp,
        context: &mut dyn FetchContext,
    ) -> Result<RetryPlan, Option<GiveUpReason>> {
        if let Some(plan) = self.plan_uncounted_retry(cause) {
            return Ok(plan);
        }
        let class = self.retry_class(cause, context);
        if class == RetryClass::Forbidden {
            return Err(None);
        }
        let may_repeat = match answered {
            true => self.is_idempotent(),
            false => self.may_repeat_unanswered(),
        };
        if class != RetryClass::NotSent && !may_repeat {
            return Err(Some(GiveUpReason::NotIdempotent));
        }
        if self.has_consumed_body() {
            return Err(Some(GiveUpReason::BodyNotReplayable));
        }
        let throttled = class == RetryClass::Throttled && self.is_free_throttle(context);
        let max_wait = context.outage().map(|view| view.max_wait);
        let probe = match self.outage_retry(cause, context) {
            OutageRetry::Free => true,
            OutageRetry::GivenUp => return Err(Some(GiveUpReason::HostDown)),
            OutageRetry::Ordinary => max_wait.is_none() && self.is_free_probe(context),
        };
        let is_response = matches!(cause, FailureCause::Rejected(_) | FailureCause::Status(_));
        let progressed = self.has_progressed() && !is_response;
        let is_free = probe || throttled || progressed;
        if !is_free && self.counted_attempts >= self.policy.attempts.get() {
            return Err(Some(GiveUpReason::Attempts));
        }
        let plan = if throttled {
            self.plan_throttle_delay(asked, max_wait)
        } else {
            self.plan_delay(class, asked, progressed, max_wait)
        };
        let plan = plan.ok_or(Some(GiveUpReason::RetryAfterTooLong))?;
        let starts_at = now + plan.delay;
        // The limits do not run while the host is paused, if hosts are waited for.
        let is_held = max_wait.is_some() && plan.pace == RetryDelaySource::RetryAfter;
        if !is_held && !throttled && self.is_too_late(starts_at) {
            return Err(Some(GiveUpReason::TotalTimeout));
        }
        if let Some(open) = context.open_circuit(now) {
            let until = open.until.unwrap_or(Timestamp::MAX).max(starts_at);
            if open.fails_fast || self.is_too_late(until) {
                return Err(Some(GiveUpReason::CircuitOpen));
            }
        }
        if throttled {
            return Ok(plan);
        }
        if probe {
            let pace = RetryDelaySource::Probe;
            return Ok(RetryPlan { pace, ..plan });
        }
        if progressed {
            let pace = RetryDelaySource::Progress;
            return Ok(RetryPlan { pace, ..plan });
        }
        if !context.spend_retry(retry_kind(class, cause), now) {
            return Err(Some(GiveUpReason::Budget));
        }
        Ok(plan)
    }

    /// A retry with an answer to the server's challenge, free of attempts and budgets.
    pub(super) fn plan_challenge_retry(
        &self,
        status: u16,
        context: &dyn FetchContext,
    ) -> Option<RetryPlan> {
        let is_possible = status == 401
            && context.can_answer_challenge()
            && self.auth_retries.can_answer_challenge()
            && !self.has_consumed_body();
        is_possible.then_some(RetryPlan {
            delay: Duration::ZERO,
            pace: RetryDelaySource::Challenge,
        })
    }

    /// A retry with another token, because a server refused this one: once for each fetch, free of
    /// attempts and budgets.
    pub(super) fn plan_token_retry(
        &self,
        status: u16,
        context: &dyn FetchContext,
    ) -> Option<RetryPlan> {
        let is_possible = status == 401
            && context.can_send_again()
            && !self.auth_retries.was_token_refused()
            && !self.has_consumed_body();
        is_possible.then_some(RetryPlan {
            delay: Duration::ZERO,
            pace: RetryDelaySource::TokenRefused,
        })
    }

    /// The class of `cause`. An endpoint whose name does not exist says nothing about the others of its
    /// balanced target, so the fetch may try one of them.
    fn retry_class(&self, cause: FailureCause, context: &dyn FetchContext) -> RetryClass {
        let unknown = FailureKind::UnknownHost;
        let is_built_in = self.policy.classes.failure_class(unknown).is_none();
        if cause == FailureCause::Failure(unknown) && is_built_in && context.is_balanced() {
            return RetryClass::NotSent;
        }
        self.policy.class(cause)
    }

    /// Whether the attempt was a breaker's probe, so that a retry counts neither as an attempt nor
    /// against a budget. A probe tests the host: if it counted, a host with few fetches would lose
    /// them to an outage. Their time limits still end them. A policy with one attempt has no
    /// retries at all.
    fn is_free_probe(&self, context: &dyn FetchContext) -> bool {
        self.policy.attempts.get() > 1
            && self.probe_retries < MAX_PROBE_RETRIES
            && context.is_probe()
    }

    /// Whether the host is paced and refused the request because of the rate, so that a retry counts
    /// neither as an attempt nor against a budget. A policy with one attempt has no retries at all.
    fn is_free_throttle(&self, context: &dyn FetchContext) -> bool {
        self.policy.attempts.get() > 1
            && match context.refusal() {
                Some(Refusal::Single) => self.throttle_retries < MAX_THROTTLE_RETRIES,
                // The host ends this, once it has accepted nothing for too long.
                Some(Refusal::All) => true,
                None => false,
            }
    }

    /// How an outage of the host affects a retry, if hosts that are down are waited for. A fetch with
    /// a fallback URL does not wait, and a policy with one attempt has no retries at all.
    fn outage_retry(&self, cause: FailureCause, context: &mut dyn FetchContext) -> OutageRetry {
        let Some(view) = context.outage() else {
            return OutageRetry::Ordinary;
        };
        let report = match cause {
            FailureCause::Rejected(_) | FailureCause::Status(_) => None,
            _ => self.attempts.last(),
        };
        let has_retries = self.policy.attempts.get() > 1 && !self.has_unused_fallback();
        let Some(sign) = OutageSign::of(cause, report).filter(|_| has_retries) else {
            return OutageRetry::Ordinary;
        };
        let own = self.earliest_own_failure(&self.attempts, self.attempt_number);
        if sign != OutageSign::Unreachable && own.is_some() && own < view.health.answered_at() {
            return OutageRetry::Ordinary;
        }
        let is_last = self.counted_attempts >= self.policy.attempts.get();
        match view.outage {
            Some(outage) if outage.is_given_up => OutageRetry::GivenUp,
            Some(_) => OutageRetry::Free,
            // The host may turn out to be down before this fetch would try again.
            None if is_last
                && self.probe_retries < MAX_PROBE_RETRIES
                && view.health.may_be_down(sign) =>
            {
                OutageRetry::Free
            }
            None => OutageRetry::Ordinary,
        }
    }

    /// Whether an attempt that starts at `at` has too little time left to be useful.
    fn is_too_late(&self, at: Timestamp) -> bool {
        self.deadline()
            .is_some_and(|deadline| at + self.policy.min_attempt_time >= deadline)
    }

    /// A retry that does not count as an attempt, because an old connection or this machine failed.
    fn plan_uncounted_retry(&self, cause: FailureCause) -> Option<RetryPlan> {
        let FailureCause::Failure(failure) = cause else {
            return None;
        };
        let repeatable =
            (failure.is_unsent() || self.may_repeat_unanswered()) && !self.has_consumed_body();
        match failure {
            FailureKind::Unprocessed { others_answered }
                if repeatable
                    && (others_answered || self.unprocessed_retries < MAX_UNPROCESSED_RETRIES) =>
            {
                Some(RetryPlan {
                    delay: Duration::ZERO,
                    pace: RetryDelaySource::NotProcessed,
                })
            }
            FailureKind::Stale { .. } if repeatable && !self.free_retry_used => Some(RetryPlan {
                delay: Duration::ZERO,
                pace: RetryDelaySource::Free,
            }),
            FailureKind::Exhausted
                if !self.has_consumed_body()
                    && self.exhaustion_retries < MAX_EXHAUSTION_RETRIES =>
            {
                let delay = Duration::from_millis(50 << self.exhaustion_retries.min(5));
                Some(RetryPlan {
                    delay,
                    pace: RetryDelaySource::ResourcesExhausted,
                })
            }
            _ => None,
        }
    }

    /// Names the failure of an attempt without a response head. If a connection ends after a request
    /// was sent, nobody knows whether the server processed it. That only matters where a repetition
    /// may do harm.
    pub(super) fn unanswered_failure(&self, failure: FailureKind) -> FailureKind {
        match failure {
            FailureKind::Stale { sent: true } if !self.may_repeat_unanswered() => {
                FailureKind::Unanswered
            }
            FailureKind::EmptyReply | FailureKind::Io if !self.is_idempotent() => {
                FailureKind::Unanswered
            }
            other => other,
        }
    }

    /// Whether the request may be sent again after an attempt without an answer.
    pub(super) fn may_repeat_unanswered(&self) -> bool {
        let class = || self.policy.classes.failure_class(FailureKind::Unanswered);
        self.is_idempotent() || class().is_some_and(|class| class != RetryClass::Forbidden)
    }

    /// Whether the request may be sent again even if it reached the server.
    fn is_idempotent(&self) -> bool {
        self.idempotent || self.method.is_idempotent() || self.policy.retry_non_idempotent
    }

    /// Whether the request can and may be sent again.
    pub(super) fn is_repeatable(&self) -> bool {
        self.is_idempotent() && !self.has_consumed_body()
    }

    /// Whether the request's body is a stream, which an attempt has consumed.
    fn has_consumed_body(&self) -> bool {
        self.send_body && self.body == BodyState::Consumed
    }

    /// The delay before the retry; `None` if the server asks for a longer one than the policy allows.
    /// `max_wait` bounds a longer wait that is accepted.
    fn plan_delay(
        &self,
        class: RetryClass,
        asked: Option<Duration>,
        progressed: bool,
        max_wait: Option<Duration>,
    ) -> Option<RetryPlan> {
        let retry = match progressed {
            true => 0,
            false => u32::from(self.counted_attempts.saturating_sub(1)),
        };
        let backoff = self.policy.backoff.for_class(class);
        let backoff = backoff.delay(self.seed, retry, self.last_delay.into());
        Some(match self.bounded_pause(asked, max_wait)? {
            Some(asked) if asked >= backoff => RetryPlan {
                delay: asked,
                pace: RetryDelaySource::RetryAfter,
            },
            _ => RetryPlan {
                delay: backoff,
                pace: RetryDelaySource::Backoff,
            },
        })
    }

    /// The delay before a retry at a paced host, which spaces the attempts itself. It grows so that
    /// one URL is not refused again and again; `None` if the server asks for a longer one than the
    /// policy allows.
    fn plan_throttle_delay(
        &self,
        asked: Option<Duration>,
        max_wait: Option<Duration>,
    ) -> Option<RetryPlan> {
        let own = THROTTLE_DELAY * (1 << self.throttle_retries.min(5));
        Some(RetryPlan {
            delay: self
                .bounded_pause(asked, max_wait)?
                .unwrap_or_default()
                .max(own),
            pace: RetryDelaySource::Throttled,
        })
    }

    /// The pause that the server asks for, within the policy's cap; `None` if it is too long.
    fn bounded_pause(
        &self,
        asked: Option<Duration>,
        max_wait: Option<Duration>,
    ) -> Option<Option<Duration>> {
        let rule = self.policy.retry_after;
        Some(match asked {
            Some(asked) if asked > rule.cap => match rule.over {
                OverCap::Clamp => Some(rule.cap),
                OverCap::Defer if max_wait.is_none_or(|max| asked <= max) => Some(asked),
                OverCap::Defer | OverCap::Fail => return None,
            },
            asked => asked,
        })
    }
}

/// The kind of a retry, on which its cost depends.
fn retry_kind(class: RetryClass, cause: FailureCause) -> RetryKind {
    match (class, cause) {
        (RetryClass::Throttled, _) => RetryKind::Throttled,
        (_, FailureCause::Timeout(_)) => RetryKind::Timeout,
        _ => RetryKind::Transient,
    }
}
