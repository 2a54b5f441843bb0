//! Which failures are retried, and when an attempt counts as stalled.

use std::time::Duration;

use fetch_proto::{
    FailureKind, PolicyPatch, RetryClass, RetryClasses, StallGuard, StallPatch, StatusSet,
};

use crate::args::RetryConditionArgs;

/// curl's default of `--speed-time`.
const DEFAULT_SPEED_TIME: Duration = Duration::from_secs(30);

/// The given conditions. With `fail`, `--retry-all-errors` includes 4xx and 5xx.
pub(super) fn patch(conditions: &RetryConditionArgs, fail: bool) -> PolicyPatch {
    let mut patch = PolicyPatch::default();
    let retry_on = conditions.retry_on.unwrap_or_default();
    if let Some(statuses) = retry_on.statuses {
        patch = patch.retry_statuses(statuses);
    }
    if conditions.retry_all_errors {
        patch = patch.classes(retry_all(fail)).retry_non_idempotent(true);
    } else if retry_on.unanswered {
        let classes = RetryClasses::default();
        patch = patch.classes(classes.failure(FailureKind::Unanswered, RetryClass::Transient));
    }
    let mut stall = StallPatch::default();
    if let Some(bytes) = conditions.speed_limit {
        stall = stall.min_bytes_per_second(bytes);
    }
    if let Some(time) = conditions.speed_time {
        stall = stall.grace(time);
    }
    patch.stall(stall)
}

/// curl's defaults of the guard, if one of its options is given. They are below the policy file.
pub(super) fn default_stall(conditions: &RetryConditionArgs) -> StallPatch {
    let is_given = conditions.speed_limit.is_some() || conditions.speed_time.is_some();
    match is_given {
        true => StallGuard::default().grace(DEFAULT_SPEED_TIME).into(),
        false => StallPatch::default(),
    }
}

/// Makes every failure transient, and with `fail` every error status too.
fn retry_all(fail: bool) -> RetryClasses {
    let failures = [
        FailureKind::Decode,
        FailureKind::Protocol,
        FailureKind::Tls,
        FailureKind::UnknownHost,
        FailureKind::Unsupported,
    ];
    let statuses = if fail { 400..600 } else { 0..0 };
    let classes = failures
        .into_iter()
        .fold(RetryClasses::default(), |all, one| {
            all.failure(one, RetryClass::Transient)
        });
    // Statuses that are retried by default keep their class: 429 is throttling.
    let others = statuses.filter(|status| !StatusSet::RETRYABLE.contains(*status));
    others.fold(classes, |all, status| {
        all.status(status, RetryClass::Transient)
    })
}

#[cfg(test)]
mod tests {
    use fetch_proto::{FailureCause, Policy};

    use super::*;
    use crate::args::RetryConditions;

    fn no_conditions() -> RetryConditionArgs {
        RetryConditionArgs {
            retry_all_errors: false,
            retry_connrefused: false,
            retry_on: None,
            speed_limit: None,
            speed_time: None,
        }
    }

    #[test]
    fn all_errors_are_retried_and_statuses_among_them_with_fail() {
        let conditions = RetryConditionArgs {
            retry_all_errors: true,
            ..no_conditions()
        };
        let class = |fail, cause| {
            patch(&conditions, fail)
                .apply(&Policy::default())
                .class(cause)
        };
        assert_eq!(
            class(false, FailureCause::Failure(FailureKind::Tls)),
            RetryClass::Transient
        );
        assert_eq!(
            class(false, FailureCause::Status(404)),
            RetryClass::Forbidden
        );
        assert_eq!(
            class(true, FailureCause::Status(404)),
            RetryClass::Transient
        );
        assert_eq!(
            class(true, FailureCause::Status(429)),
            RetryClass::Throttled
        );
    }

    #[test]
    fn unanswered_requests_are_admitted_and_the_statuses_stay() {
        let conditions = RetryConditionArgs {
            retry_on: Some(RetryConditions {
                statuses: None,
                unanswered: true,
            }),
            ..no_conditions()
        };
        let policy = patch(&conditions, false).apply(&Policy::default());
        let classes =
            RetryClasses::default().failure(FailureKind::Unanswered, RetryClass::Transient);
        assert_eq!(policy, Policy::default().classes(classes));
    }

    #[test]
    fn the_statuses_to_retry_replace_those_built_in() {
        let conditions = RetryConditionArgs {
            retry_on: Some(RetryConditions {
                statuses: Some(StatusSet::EMPTY.with(404)),
                unanswered: false,
            }),
            ..no_conditions()
        };
        let policy = patch(&conditions, false).apply(&Policy::default());
        assert_ne!(
            policy.class(FailureCause::Status(404)),
            RetryClass::Forbidden
        );
        assert_eq!(
            policy.class(FailureCause::Status(503)),
            RetryClass::Forbidden
        );
    }
}
