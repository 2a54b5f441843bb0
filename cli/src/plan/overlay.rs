//! The options of the command line over what is configured otherwise.

use std::time::Duration;

use fetch_proto::{Config, Policy, RetryAfter, Rules, Timeouts};

use super::rules::{backoff, limited};
use crate::args::given::ExplicitOptions;
use crate::args::{LimitOptions, RetryOptions, TimeoutOptions};
use crate::exit::CliError;

/// `config`, changed by the options that are given: they win over everything.
///
/// # Errors
///
/// If the patterns of `--timeout` are too large together.
pub(crate) fn config(
    given: &ExplicitOptions,
    config: Config,
    speed: &LimitOptions,
    retry: &RetryOptions,
    time: &TimeoutOptions,
) -> Result<Config, CliError> {
    let rules = config
        .rules_ref()
        .map(|policy| changed(given, policy, retry, time));
    let mut config = config.rules(with_patterns(rules, time)?);
    if let Some(attempts) = given.of("concurrency", speed.concurrency) {
        config = config.concurrency(attempts);
    }
    if let Some(attempts) = given.of("per_host", speed.per_host) {
        config = config.per_host(attempts);
    }
    if let Some(rate) = speed.rate {
        config = config.rate(rate);
    }
    if let Some(rate) = speed.host_rate {
        config = config.host_rate(rate);
    }
    Ok(config)
}

/// A policy, changed by the options that are given.
fn changed(
    given: &ExplicitOptions,
    policy: Policy,
    retry: &RetryOptions,
    time: &TimeoutOptions,
) -> Policy {
    let old = *policy.timeouts_ref();
    let or = |option: Option<Duration>, old| option.map_or(old, limited);
    let mut policy = policy.timeouts(Timeouts {
        attempt: or(time.max_time, old.attempt),
        connect: or(time.connect_timeout, old.connect),
        idle_read: or(time.read_timeout, old.idle_read),
        total: or(retry.retry_max_time, old.total),
        ..old
    });
    if let Some(retries) = given.of("retry", retry.retry) {
        policy = policy.attempts(retries.saturating_add(1));
    }
    if let Some(cap) = retry.max_retry_after {
        policy = policy.retry_after(RetryAfter {
            cap,
            ..RetryAfter::DEFAULT
        });
    }
    if retry.retry_delay.is_some() || retry.no_jitter {
        policy = policy.backoff(backoff(retry));
    }
    retry.tries.over(policy, given.any(&["fail"]))
}

/// The rules, after those of `--timeout`.
fn with_patterns(rules: Rules, time: &TimeoutOptions) -> Result<Rules, CliError> {
    if time.timeout.is_empty() {
        return Ok(rules);
    }
    let base = rules.default_policy();
    let mut builder = Rules::builder();
    for (pattern, limit) in &time.timeout {
        let policy = Policy::clone(base);
        let timeouts = Timeouts {
            attempt: limited(*limit),
            ..*policy.timeouts_ref()
        };
        builder = builder.rule(pattern.clone(), policy.timeouts(timeouts));
    }
    for (pattern, policy) in rules.iter() {
        builder = builder.rule(pattern.clone(), policy.clone());
    }
    let built = builder.default(base.clone()).build();
    built.map_err(|error| CliError::usage(format!("--timeout: {error}")))
}
