//! The options for what is tried again, and what is given up.

use std::time::Duration;

use clap::Args as Group;
use fetch_proto::{Class, Classes, Failure, Policy, StallGuard, StatusSet};

use super::values;

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Retries")]
pub(crate) struct RetryConditionOptions {
    /// The statuses that are tried again, such as 429,5xx [default: see --retry]
    #[arg(long, value_name = "STATUS,…", visible_alias = "retry-on-http-error")]
    #[arg(value_parser = values::statuses)]
    pub(crate) retry_on: Option<StatusSet>,

    /// Try again after every failure, whatever the method; with -f after all of 4xx and 5xx, too
    #[arg(long)]
    pub(crate) retry_all_errors: bool,

    /// Try again when a connection is refused: it always is
    #[arg(long, hide = true)]
    pub(crate) retry_connrefused: bool,

    /// Give an attempt up that is slower than this, in bytes per second, for --speed-time
    /// [default with --speed-time: 1]
    #[arg(short = 'Y', long, value_name = "BYTES", value_parser = values::bytes)]
    pub(crate) speed_limit: Option<u64>,

    /// How long an attempt may be that slow [default with --speed-limit: 30]
    #[arg(short = 'y', long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) speed_time: Option<Duration>,
}

impl RetryConditionOptions {
    /// A policy, changed by the options that are given; `fail` is `--fail`.
    pub(crate) fn over(&self, mut policy: Policy, fail: bool) -> Policy {
        if let Some(statuses) = self.retry_on {
            policy = policy.retry_statuses(statuses);
        }
        if self.retry_all_errors {
            policy = policy.classes(all(fail)).retry_non_idempotent(true);
        }
        if self.speed_limit.is_some() || self.speed_time.is_some() {
            let default = StallGuard::default();
            let curls = Duration::from_secs(30);
            policy = policy.stall(StallGuard {
                grace: self.speed_time.unwrap_or(curls),
                min_bytes_per_second: self.speed_limit.unwrap_or(1),
                ..default
            });
        }
        policy
    }
}

/// Every failure is worth another try.
fn all(fail: bool) -> Classes {
    let failures = [
        Failure::Decode,
        Failure::Protocol,
        Failure::Tls,
        Failure::Unsupported,
    ];
    let statuses = if fail { 400..600 } else { 0..0 };
    let classes = failures.into_iter().fold(Classes::default(), |all, one| {
        all.failure(one, Class::Transient)
    });
    // Those that have a class of their own among the retried keep it.
    let others = statuses.filter(|status| !StatusSet::RETRYABLE.contains(*status));
    others.fold(classes, |all, status| all.status(status, Class::Transient))
}

#[cfg(test)]
mod tests {
    use fetch_proto::Cause;

    use super::*;

    fn tries() -> RetryConditionOptions {
        RetryConditionOptions {
            retry_all_errors: false,
            retry_connrefused: false,
            retry_on: None,
            speed_limit: None,
            speed_time: None,
        }
    }

    #[test]
    fn all_errors_are_retried_and_statuses_among_them_with_fail() {
        let tries = RetryConditionOptions {
            retry_all_errors: true,
            ..tries()
        };
        let class = |fail, cause| tries.over(Policy::default(), fail).class(cause);
        assert_eq!(class(false, Cause::Failure(Failure::Tls)), Class::Transient);
        assert_eq!(class(false, Cause::Status(404)), Class::Forbidden);
        assert_eq!(class(true, Cause::Status(404)), Class::Transient);
        assert_eq!(class(true, Cause::Status(429)), Class::Throttled);
    }

    #[test]
    fn the_statuses_to_retry_replace_those_built_in() {
        let tries = RetryConditionOptions {
            retry_on: Some(StatusSet::EMPTY.with(404)),
            ..tries()
        };
        let policy = tries.over(Policy::default(), false);
        assert_ne!(policy.class(Cause::Status(404)), Class::Forbidden);
        assert_eq!(policy.class(Cause::Status(503)), Class::Forbidden);
    }
}
