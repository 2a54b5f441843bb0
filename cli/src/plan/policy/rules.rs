//! The rules that options and defaults make: attempts, backoff and timeouts of each URL.

use std::time::Duration;

use fetch_driver::Policy;
use fetch_proto::{Backoff, PolicyRules, RedirectPolicy, RetryAfterPolicy, Timeouts};

use super::retry_conditions;
use crate::args::{CliArgs, RetryArgs};
use crate::exit::CliError;

/// Builds the rules: `--timeout` patterns first, then the built-in ones unless `--max-time` is given.
///
/// # Errors
///
/// If the patterns are too large together.
pub(in crate::plan) fn rules(args: &CliArgs) -> Result<PolicyRules, CliError> {
    let base = policy(args);
    let attempt = |limit| base.clone().timeouts(base.timeouts_ref().attempt(limit));
    let mut builder = PolicyRules::builder();
    for (pattern, limit) in &args.timeouts.timeout {
        builder = builder.rule(pattern.clone(), attempt(limit_of(*limit)));
    }
    let default = match args.timeouts.max_time {
        Some(limit) => attempt(limit_of(limit)),
        None => {
            let built_in = PolicyRules::default();
            for (pattern, policy) in built_in.iter() {
                builder = builder.rule(pattern.clone(), attempt(policy.timeouts_ref().attempt));
            }
            attempt(built_in.default_policy().timeouts_ref().attempt)
        }
    };
    let rules = builder.default(default).build();
    rules.map_err(|error| CliError::usage(format!("--timeout: {error}")))
}

fn policy(args: &CliArgs) -> Policy {
    let (retry, request, time) = (&args.retry, &args.request, &args.timeouts);
    let redirects = match request.location {
        true => request
            .max_redirs
            .map_or_else(RedirectPolicy::default, RedirectPolicy::limit),
        false => RedirectPolicy::NONE,
    };
    let default = Timeouts::DEFAULT;
    let or = |option: Option<Duration>, default| option.map_or(default, limit_of);
    let timeouts = default
        .connect(or(time.connect_timeout, default.connect))
        .idle_read(or(time.read_timeout, default.idle_read))
        .total(or(retry.retry_max_time, default.total))
        // With a rate limit a list may take days; --deadline bounds the whole run.
        .queue(None);
    let cap = retry
        .max_retry_after
        .unwrap_or(RetryAfterPolicy::DEFAULT.cap);
    let policy = Policy::default()
        .attempts(retry.retry.saturating_add(1))
        .backoff(backoff(retry))
        .redirects(redirects)
        .retry_after(RetryAfterPolicy {
            cap,
            ..RetryAfterPolicy::DEFAULT
        })
        .timeouts(timeouts);
    let policy = retry_conditions::apply(&retry.conditions, policy, args.output.fail);
    match request.max_filesize {
        Some(bytes) => policy.max_body(bytes),
        None => policy,
    }
}

pub(super) fn backoff(retry: &RetryArgs) -> Backoff {
    let backoff = match retry.retry_delay {
        Some(delay) => Backoff::default().base(delay).factor(1).cap(delay),
        None => Backoff::default(),
    };
    if retry.no_jitter {
        backoff.jitter(None)
    } else {
        backoff
    }
}

/// Zero means no limit, as in curl.
pub(super) fn limit_of(limit: Duration) -> Option<Duration> {
    (!limit.is_zero()).then_some(limit)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use fetch_proto::Method;

    use super::*;

    fn limit(options: &[&str], url: &str) -> Option<Duration> {
        let line = ["fetch-all"].iter().chain(options);
        let rules = rules(&CliArgs::try_parse_from(line).unwrap()).unwrap();
        rules
            .policy(&Method::Get, &url.parse().unwrap())
            .timeouts_ref()
            .attempt
    }

    #[test]
    fn timeout_patterns_precede_max_time_and_built_in_rules() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(limit(&[], "http://a.test/delay/1"), seconds(10));
        assert_eq!(limit(&[], "http://a.test/status/1"), seconds(8));
        assert_eq!(limit(&[], "http://a.test/"), seconds(6));
        assert_eq!(limit(&["-m", "3"], "http://a.test/delay/1"), seconds(3));
        assert_eq!(limit(&["-m", "0"], "http://a.test/"), None);
        let both = [
            "-m",
            "3",
            "--timeout",
            "/delay/=4",
            "--timeout",
            "/delay/1=5",
        ];
        assert_eq!(limit(&both, "http://a.test/delay/1"), seconds(4));
        assert_eq!(limit(&["--timeout", "/x=0"], "http://a.test/x"), None);
    }

    #[test]
    fn every_rule_has_the_other_options() {
        let line = ["fetch-all", "--retry", "0", "-L", "--retry-max-time", "0"];
        let rules = rules(&CliArgs::try_parse_from(line).unwrap()).unwrap();
        for (_, policy) in rules.iter() {
            assert_eq!(policy.timeouts_ref().total, None);
            assert_eq!(
                **policy,
                policy
                    .as_ref()
                    .clone()
                    .attempts(1)
                    .redirects(RedirectPolicy::default())
            );
        }
    }
}
