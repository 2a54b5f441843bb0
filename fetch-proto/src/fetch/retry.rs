//! Whether, when and why a fetch is tried again.

use core::time::Duration;

use super::{Fetch, World};
use crate::fetch::request::RequestBodyKind;
use crate::guards::budget::RetryKind;
use crate::model::event::RetryDelaySource;
use crate::model::failure::{FailureCause, FailureKind};
use crate::model::outcome::GiveUpReason;
use crate::model::time::Timestamp;
use crate::policy::{OverCap, RetryClass};

/// A retry that will happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) delay: Duration,
    pub(super) pace: RetryDelaySource,
}

/// How often a fetch may meet a machine without file descriptors before that is its failure.
const MAX_PRESSURE: u8 = 100;

/// How many probes a fetch may be at most, for those without any limit on time.
const MAX_PROBES: u8 = 100;

impl Fetch {
    /// Decides about a retry after `cause`, in the order that makes the reason most useful and
    /// leaves the purse for the end: is it worth it, is it safe, is a try left, is it in time, is
    /// the breaker closed, is it paid for. `Err(None)` means not worth it.
    pub(super) fn plan(
        &self,
        cause: FailureCause,
        asked: Option<Duration>,
        now: Timestamp,
        world: &mut dyn World,
    ) -> Result<Plan, Option<GiveUpReason>> {
        if let Some(plan) = self.uncounted(cause) {
            return Ok(plan);
        }
        let class = self.policy.class(cause);
        if class == RetryClass::Forbidden {
            return Err(None);
        }
        if class != RetryClass::NotSent && !self.is_idempotent() {
            return Err(Some(GiveUpReason::NotIdempotent));
        }
        if self.body_is_gone() {
            return Err(Some(GiveUpReason::BodyNotReplayable));
        }
        let probe = self.probes(world);
        if !probe && self.tries >= self.policy.attempts.get() {
            return Err(Some(GiveUpReason::Attempts));
        }
        let plan = self.pace(class, asked);
        let plan = plan.ok_or(Some(GiveUpReason::RetryAfterTooLong))?;
        let begins = now + plan.delay;
        if self.is_late(begins) {
            return Err(Some(GiveUpReason::TotalTimeout));
        }
        if let Some(open) = world.open(now) {
            let until = open.until.unwrap_or(Timestamp::MAX).max(begins);
            if open.fail_fast || self.is_late(until) {
                return Err(Some(GiveUpReason::CircuitOpen));
            }
        }
        if probe {
            let pace = RetryDelaySource::Probe;
            return Ok(Plan { pace, ..plan });
        }
        if !world.pay(kind(class, cause), now) {
            return Err(Some(GiveUpReason::Budget));
        }
        Ok(plan)
    }

    /// Whether the attempt was a breaker's probe, which is sent for the host's sake: it costs its
    /// fetch no try, and is no load that a budget is there to bound. So a host with few fetches does
    /// not lose them to an outage; their limits on time end them. Who wants one attempt gets one.
    fn probes(&self, world: &dyn World) -> bool {
        self.policy.attempts.get() > 1 && self.probes < MAX_PROBES && world.is_probe()
    }

    /// Whether an attempt that begins at `at` would have no useful time left.
    fn is_late(&self, at: Timestamp) -> bool {
        self.deadline()
            .is_some_and(|deadline| at + self.policy.min_attempt_time >= deadline)
    }

    /// Retries that cost no try: the fault lies with an old connection or with this machine.
    fn uncounted(&self, cause: FailureCause) -> Option<Plan> {
        let FailureCause::Failure(failure) = cause else {
            return None;
        };
        let repeatable = (failure.is_unsent() || self.is_idempotent()) && !self.body_is_gone();
        match failure {
            FailureKind::Stale { .. } if repeatable && !self.free_retry_used => Some(Plan {
                delay: Duration::ZERO,
                pace: RetryDelaySource::Free,
            }),
            FailureKind::Exhausted if !self.body_is_gone() && self.pressure < MAX_PRESSURE => {
                let delay = Duration::from_millis(50 << self.pressure.min(5));
                Some(Plan {
                    delay,
                    pace: RetryDelaySource::ResourcesExhausted,
                })
            }
            _ => None,
        }
    }

    /// Whether sending the request again does no harm, even if it reached the server.
    fn is_idempotent(&self) -> bool {
        self.idempotent || self.method.is_idempotent() || self.policy.retry_non_idempotent
    }

    /// Whether the same request can be sent again, and does no harm.
    pub(super) fn is_repeatable(&self) -> bool {
        self.is_idempotent() && !self.body_is_gone()
    }

    /// Whether the request's body was a stream: the first attempt took it.
    fn body_is_gone(&self) -> bool {
        self.send_body && self.body == RequestBodyKind::Once
    }

    /// How long to wait; `None` if the server asks for too much.
    fn pace(&self, class: RetryClass, asked: Option<Duration>) -> Option<Plan> {
        let retry = u32::from(self.tries.saturating_sub(1));
        let backoff = self.policy.backoff.for_class(class);
        let backoff = backoff.delay(self.seed, retry, self.last_delay.into());
        let rule = self.policy.retry_after;
        let asked = match asked {
            Some(asked) if asked > rule.cap => match rule.over {
                OverCap::Clamp => Some(rule.cap),
                OverCap::Defer => Some(asked),
                OverCap::Fail => return None,
            },
            asked => asked,
        };
        Some(match asked {
            Some(asked) if asked >= backoff => Plan {
                delay: asked,
                pace: RetryDelaySource::RetryAfter,
            },
            _ => Plan {
                delay: backoff,
                pace: RetryDelaySource::Backoff,
            },
        })
    }
}

/// What the purse is told of a retry.
fn kind(class: RetryClass, cause: FailureCause) -> RetryKind {
    match (class, cause) {
        (RetryClass::Throttled, _) => RetryKind::Throttled,
        (_, FailureCause::Timeout(_)) => RetryKind::Timeout,
        _ => RetryKind::Transient,
    }
}
