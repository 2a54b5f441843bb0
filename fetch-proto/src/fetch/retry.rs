//! Whether, when and why a fetch is tried again.

use core::time::Duration;

use super::Fetch;
use crate::event::{Cause, Pace};
use crate::failure::Failure;
use crate::outcome::GaveUp;
use crate::policy::{Limit, OverCap};
use crate::request::RequestBody;
use crate::time::Timestamp;

/// A retry that will happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) delay: Duration,
    pub(super) pace: Pace,
}

/// How often a fetch may meet a machine without file descriptors before that is its failure.
const MAX_PRESSURE: u8 = 100;

impl Fetch {
    /// Decides about a retry after `cause`, in the order that makes the reason most useful: is it
    /// worth it, is it safe, is a try left, is it in time. `Err(None)` means not worth it.
    pub(super) fn plan(
        &self,
        cause: Cause,
        asked: Option<Duration>,
        now: Timestamp,
    ) -> Result<Plan, Option<GaveUp>> {
        if let Some(plan) = self.uncounted(cause) {
            return Ok(plan);
        }
        let worth_it = match cause {
            Cause::Failure(failure) => failure.is_transient(),
            Cause::Status(_) | Cause::Timeout(_) => true,
        };
        if !worth_it {
            return Err(None);
        }
        if !self.may_repeat(cause) {
            return Err(Some(GaveUp::NotIdempotent));
        }
        if self.body_is_gone() {
            return Err(Some(GaveUp::BodyNotReplayable));
        }
        if self.tries >= self.policy.attempts.get() {
            return Err(Some(GaveUp::Attempts));
        }
        let plan = self.pace(asked).ok_or(Some(GaveUp::RetryAfterTooLong))?;
        match self.deadline() {
            Some(deadline) if now + plan.delay >= deadline => Err(Some(GaveUp::TotalTimeout)),
            _ => Ok(plan),
        }
    }

    /// Retries that cost no try: the fault lies with an old connection or with this machine.
    fn uncounted(&self, cause: Cause) -> Option<Plan> {
        let Cause::Failure(failure) = cause else {
            return None;
        };
        let repeatable = self.may_repeat(cause) && !self.body_is_gone();
        match failure {
            Failure::Stale { .. } if repeatable && !self.free_retry_used => Some(Plan {
                delay: Duration::ZERO,
                pace: Pace::Free,
            }),
            Failure::Exhausted if !self.body_is_gone() && self.pressure < MAX_PRESSURE => {
                let delay = Duration::from_millis(50 << self.pressure.min(5));
                Some(Plan {
                    delay,
                    pace: Pace::Pressure,
                })
            }
            _ => None,
        }
    }

    /// Whether sending the request again can do no harm.
    fn may_repeat(&self, cause: Cause) -> bool {
        let unsent = match cause {
            Cause::Failure(failure) => failure.is_unsent(),
            Cause::Timeout(limit) => limit == Limit::Connect,
            Cause::Status(_) => false,
        };
        unsent || self.idempotent || self.method.is_idempotent() || self.policy.retry_non_idempotent
    }

    /// Whether the request's body was a stream: the first attempt took it.
    fn body_is_gone(&self) -> bool {
        self.send_body && self.body == RequestBody::Once
    }

    /// How long to wait; `None` if the server asks for too much.
    fn pace(&self, asked: Option<Duration>) -> Option<Plan> {
        let retry = u32::from(self.tries.saturating_sub(1));
        let backoff = self.policy.backoff.delay(self.seed, retry, self.last_delay);
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
                pace: Pace::RetryAfter,
            },
            _ => Plan {
                delay: backoff,
                pace: Pace::Backoff,
            },
        })
    }
}
