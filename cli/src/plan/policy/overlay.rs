//! Applies the options of the command line to a configuration from a policy file or a recording.

use std::time::Duration;

use fetch_proto::{EngineConfig, Policy, PolicyRules, RetryAfterPolicy};

use super::retry_conditions;
use super::rules::{backoff, limit_of};
use crate::args::explicit::ExplicitOptions;
use crate::args::{LimitArgs, RetryArgs, TimeoutArgs};
use crate::exit::CliError;

/// Applies the explicit options to `config`: they take precedence over it.
///
/// # Errors
///
/// If the patterns of `--timeout` are too large together.
pub(crate) fn apply(
    explicit: &ExplicitOptions,
    config: EngineConfig,
    limits: &LimitArgs,
    retry: &RetryArgs,
    timeouts: &TimeoutArgs,
) -> Result<EngineConfig, CliError> {
    let rules = config
        .rules_ref()
        .map(|policy| with_options(explicit, policy, retry, timeouts));
    let mut config = config.rules(with_patterns(rules, timeouts)?);
    if let Some(attempts) = explicit.value_of("concurrency", limits.concurrency) {
        config = config.concurrency(attempts);
    }
    if let Some(attempts) = explicit.value_of("per_host", limits.per_host) {
        config = config.per_host(attempts);
    }
    if let Some(rate) = limits.rate {
        config = config.rate(rate);
    }
    if let Some(rate) = limits.host_rate {
        config = config.host_rate(rate);
    }
    Ok(config)
}

/// Applies the explicit options to one policy.
fn with_options(
    explicit: &ExplicitOptions,
    policy: Policy,
    retry: &RetryArgs,
    timeouts: &TimeoutArgs,
) -> Policy {
    let old = *policy.timeouts_ref();
    let or = |option: Option<Duration>, old| option.map_or(old, limit_of);
    let mut policy = policy.timeouts(
        old.attempt(or(timeouts.max_time, old.attempt))
            .connect(or(timeouts.connect_timeout, old.connect))
            .idle_read(or(timeouts.read_timeout, old.idle_read))
            .total(or(retry.retry_max_time, old.total)),
    );
    if let Some(retries) = explicit.value_of("retry", retry.retry) {
        policy = policy.attempts(retries.saturating_add(1));
    }
    if let Some(cap) = retry.max_retry_after {
        policy = policy.retry_after(RetryAfterPolicy {
            cap,
            ..RetryAfterPolicy::DEFAULT
        });
    }
    if retry.retry_delay.is_some() || retry.no_jitter {
        policy = policy.backoff(backoff(retry));
    }
    retry_conditions::apply(&retry.conditions, policy, explicit.contains_any(&["fail"]))
}

/// Puts the patterns of `--timeout` before the rules.
fn with_patterns(rules: PolicyRules, timeouts: &TimeoutArgs) -> Result<PolicyRules, CliError> {
    if timeouts.timeout.is_empty() {
        return Ok(rules);
    }
    let base = rules.default_policy();
    let mut builder = PolicyRules::builder();
    for (pattern, limit) in &timeouts.timeout {
        let policy = Policy::clone(base);
        let timeouts = policy.timeouts_ref().attempt(limit_of(*limit));
        builder = builder.rule(pattern.clone(), policy.timeouts(timeouts));
    }
    for (pattern, policy) in rules.iter() {
        builder = builder.rule(pattern.clone(), policy.clone());
    }
    let built = builder.default(base.clone()).build();
    built.map_err(|error| CliError::usage(format!("--timeout: {error}")))
}
