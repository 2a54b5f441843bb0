//! From the file's keys to the engine's configuration.

use std::time::Duration;

use fetch_proto::{
    Backoff, ChaosPolicy, EngineConfig, Fallback, Hedge, HedgeDelay, InjectedFault, Jitter, Policy,
    PolicyRules, RedirectPolicy, RetryAfterPolicy, RetryClasses, RulePattern, StallGuard,
    StatusSet, Timeouts,
};

use crate::keys::{self, FaultKind, FileKeys, parse_failure};
use crate::source::{PolicyError, PolicyErrorKind, SourceText};
use crate::tables::Budget;
use crate::time::{DurationText, Percent, TimeLimit};

pub(crate) fn engine_config(
    keys: &FileKeys,
    text: &SourceText,
    base: &EngineConfig,
) -> Result<EngineConfig, PolicyError> {
    let limits = &keys.limits;
    let mut config = base.clone().rules(rules(keys, text, base.rules_ref())?);
    if let Some(learned) = limits.adaptive {
        config = config.adaptive(learned.adaptive());
    }
    if let Some(breaker) = &keys.breaker {
        if breaker.slow_percent.is_some() != breaker.slow_after.is_some() {
            let why = "`slow_percent` and `slow_after` need each other: set both";
            return Err(text.missing_at(&["breaker"], why));
        }
        config = config.breaker(breaker.breaker());
    }
    let made = |name: &str, budget: &Budget| {
        let made = budget.budget();
        made.map_err(|(key, why)| match key {
            "" => text.missing_at(&[name], &why),
            key => text.error_at(&[name, key], &why),
        })
    };
    if let Some(budget) = &keys.budget {
        config = config.budget(made("budget", budget)?);
    }
    if let Some(budget) = &keys.host_budget {
        config = config.host_budget(made("host_budget", budget)?);
    }
    if let Some(attempts) = limits.per_host {
        config = config.per_host(attempts);
    }
    if let Some(shed) = &keys.shed {
        config = config.shed(shed.shed());
    }
    if let Some(attempts) = limits.concurrency {
        config = config.concurrency(attempts);
    }
    if let Some(throttle) = &keys.throttle {
        let at_once = config.per_host_limit();
        let at_once = at_once.unwrap_or_else(|| config.concurrency_limit());
        config = config.throttle(throttle.throttle(at_once));
    }
    if let Some(window) = limits.window {
        config = config.window(window);
    }
    if let Some(rate) = limits.rate {
        config = config.rate(rate.0);
    }
    if let Some(rate) = limits.host_rate {
        config = config.host_rate(rate.0);
    }
    if let Some(slow_start) = limits.slow_start {
        config = config.slow_start(slow_start);
    }
    if let Some([min, max]) = limits.spacing {
        if min.0 > max.0 {
            let why = "the minimum is longer than the maximum: swap them";
            return Err(text.error_at(&["limits", "spacing"], why));
        }
        config = config.spacing(min.0..=max.0);
    }
    for (index, target) in keys.target.iter().enumerate() {
        let added = config.target(target.url.clone(), target.target());
        config = added
            .map_err(|error| text.error_at(&["target", &index.to_string()], &error.to_string()))?;
    }
    Ok(config)
}

fn rules(
    keys: &FileKeys,
    text: &SourceText,
    before: &PolicyRules,
) -> Result<PolicyRules, PolicyError> {
    for key in ["match", "methods"] {
        let given = match key {
            "match" => keys.default.pattern.is_some(),
            _ => keys.default.methods.is_some(),
        };
        if given {
            let why = "[default] applies to URLs that no rule matches: move this key to a [[rule]]";
            return Err(text.error_at(&["default", key], why));
        }
    }
    let change = |policy: &Policy| apply_keys(policy.clone(), &keys.default, text, &["default"]);
    let base = change(before.default_policy())?;
    let mut builder = PolicyRules::builder();
    for (index, rule) in keys.rule.iter().enumerate() {
        let index = index.to_string();
        let path = ["rule", &index];
        let policy = apply_keys(base.clone(), rule, text, &path)?;
        builder = builder.rule(pattern(rule, text, &index)?, policy);
    }
    let timeouts = keys.default.timeouts.as_ref();
    if timeouts.is_none_or(|timeouts| timeouts.attempt.is_none()) {
        for (pattern, policy) in before.iter() {
            builder = builder.rule(pattern.clone(), change(policy)?);
        }
    }
    let built = builder.default(base).build();
    built.map_err(|error| text.error_at(&["rule"], &error.to_string()))
}

fn pattern(
    rule: &keys::Policy,
    text: &SourceText,
    index: &str,
) -> Result<RulePattern, PolicyError> {
    let Some(pattern) = &rule.pattern else {
        let why = "this rule matches no URL: add a pattern, such as match = \"glob:/api/**\"";
        return Err(text.missing_at(&["rule", index], why));
    };
    let pattern = RulePattern::parse(pattern)
        .map_err(|error| text.error_at(&["rule", index, "match"], &error.to_string()))?;
    let methods = rule.methods.iter().flatten();
    let methods: Result<Vec<_>, _> = methods.map(|method| method.parse()).collect();
    let methods = methods.map_err(|error: fetch_proto::InvalidMethod| {
        text.error_at(&["rule", index, "methods"], &error.to_string())
    })?;
    Ok(match methods.is_empty() {
        true => pattern,
        false => pattern.methods(methods),
    })
}

/// `policy` with the keys that are set applied over it.
fn apply_keys(
    mut policy: Policy,
    keys: &keys::Policy,
    text: &SourceText,
    path: &[&str],
) -> Result<Policy, PolicyError> {
    if let Some(attempts) = keys.attempts {
        if attempts == 0 {
            return Err(key_error(
                text,
                path,
                "attempts",
                "0 attempts would fetch nothing: use 1 or more",
            ));
        }
        policy = policy.attempts(attempts);
    }
    if let Some(bytes) = keys.drain {
        policy = policy.drain(bytes);
    }
    if let Some(bytes) = keys.max_body {
        policy = policy.max_body(bytes);
    }
    if let Some(retry) = keys.retry_non_idempotent {
        policy = policy.retry_non_idempotent(retry);
    }
    if let Some(least) = keys.useful {
        policy = policy.min_attempt_time(least.0);
    }
    if let Some(rate) = keys.rate {
        policy = policy.rate(rate.0);
    }
    if let Some(statuses) = &keys.retry_statuses {
        policy = policy.retry_statuses(status_set(statuses, text, path)?);
    }
    if let Some(keys) = &keys.backoff {
        policy = policy.backoff(backoff(keys));
    }
    if let Some(keys) = &keys.timeouts {
        let old = *policy.timeouts_ref();
        policy = policy.timeouts(timeouts(old, keys));
    }
    if let Some(keys) = &keys.retry_after {
        let default = RetryAfterPolicy::DEFAULT;
        policy = policy.retry_after(RetryAfterPolicy {
            cap: or(keys.cap, default.cap),
            over: keys.over.unwrap_or(default.over),
        });
    }
    if let Some(keys) = &keys.redirects {
        let redirects = RedirectPolicy::limit(keys.max.unwrap_or(10));
        policy = policy.redirects(redirects.allow_downgrade(keys.downgrade.unwrap_or(false)));
    }
    if let Some(keys) = &keys.stall {
        let default = StallGuard::default();
        policy = policy.stall(
            StallGuard::default()
                .grace(or(keys.grace, default.grace))
                .min_bytes_per_second(
                    keys.min_bytes_per_second
                        .unwrap_or(default.min_bytes_per_second),
                )
                .window(or(keys.window, default.window)),
        );
    }
    if let Some(keys) = &keys.fallback {
        let fallback = keys
            .url
            .clone()
            .map_or_else(Fallback::default, Fallback::to);
        policy = policy.fallback(match keys.value {
            Some(true) => fallback.or_value(),
            _ => fallback,
        });
    }
    if let Some(keys) = &keys.hedge {
        policy = policy.hedge(hedge(keys, text, path)?);
    }
    if let Some(table) = &keys.classes {
        policy = policy.classes(classes(table, text, path)?);
    }
    if let Some(faults) = &keys.chaos {
        policy = policy.chaos(chaos(faults, text, path)?);
    }
    Ok(policy)
}

fn key_error(text: &SourceText, path: &[&str], key: &str, why: &str) -> PolicyError {
    text.error_at(&[path, &[key]].concat(), why)
}

fn or(period: Option<DurationText>, default: Duration) -> Duration {
    period.map_or(default, |period| period.0)
}

fn status_set(
    statuses: &[u16],
    text: &SourceText,
    path: &[&str],
) -> Result<StatusSet, PolicyError> {
    if let Some(status) = statuses.iter().find(|status| !(100..600).contains(*status)) {
        let why = format!("{status} is not a status: use 100 to 599");
        return Err(key_error(text, path, "retry_statuses", &why));
    }
    let add = |set: StatusSet, status: &u16| set.with(*status);
    Ok(statuses.iter().fold(StatusSet::EMPTY, add))
}

fn backoff(keys: &keys::Backoff) -> Backoff {
    let mut backoff = Backoff::default();
    if let Some(base) = keys.base {
        backoff = backoff.base(base.0);
    }
    if let Some(cap) = keys.cap {
        backoff = backoff.cap(cap.0);
    }
    if let Some(factor) = keys.factor {
        backoff = backoff.factor(factor);
    }
    if let Some(step) = keys.step {
        backoff = backoff.step(step.0);
    }
    match keys.jitter {
        None => backoff,
        Some(keys::Jitter::None) => backoff.jitter(None),
        Some(keys::Jitter::Decorrelated) => backoff.jitter(Jitter::Decorrelated),
        Some(keys::Jitter::Equal) => backoff.jitter(Jitter::Equal),
        Some(keys::Jitter::Full) => backoff.jitter(Jitter::Full),
        Some(keys::Jitter::Smooth) => backoff.jitter(Jitter::Smooth),
    }
}

fn timeouts(old: Timeouts, keys: &keys::Timeouts) -> Timeouts {
    let or = |key: Option<TimeLimit>, old| key.map_or(old, |limit| limit.0);
    Timeouts::NONE
        .attempt(or(keys.attempt, old.attempt))
        .connect(or(keys.connect, old.connect))
        .first_byte(or(keys.first_byte, old.first_byte))
        .idle_read(or(keys.idle_read, old.idle_read))
        .queue(or(keys.queue, old.queue))
        .total(or(keys.total, old.total))
}

fn hedge(keys: &keys::Hedge, text: &SourceText, path: &[&str]) -> Result<Hedge, PolicyError> {
    let default = Hedge::default();
    let delay = match (keys.after, keys.percentile) {
        (Some(_), Some(_)) => {
            let why = "`after` and `percentile` exclude each other: remove one";
            return Err(key_error(text, path, "hedge", why));
        }
        (Some(after), None) => HedgeDelay::Fixed(after.0),
        (None, percentile) => HedgeDelay::Percentile {
            per_mille: percentile.map_or(950, Percent::per_mille),
            min: or(keys.min, Duration::from_millis(1)),
            fallback: keys.fallback.map(|fallback| fallback.0),
        },
    };
    Ok(Hedge::default()
        .delay(delay)
        .max(keys.max.unwrap_or(default.max))
        .on_failure(keys.on_failure.unwrap_or(default.on_failure)))
}

fn classes(
    table: &std::collections::BTreeMap<String, fetch_proto::RetryClass>,
    text: &SourceText,
    path: &[&str],
) -> Result<RetryClasses, PolicyError> {
    let mut classes = RetryClasses::default();
    for (name, class) in table {
        classes = match (name.parse::<u16>(), parse_failure(name)) {
            (Ok(status @ 100..=599), _) => classes.status(status, *class),
            (_, Some(failure)) => classes.failure(failure, *class),
            _ => {
                let why = "neither a status nor a failure: 100 to 599, or connect, decode, dns, \
                           dropped, empty_reply, io, protocol, tls";
                return Err(text.error_at(&[path, &["classes", name]].concat(), why));
            }
        };
    }
    Ok(classes)
}

fn chaos(
    faults: &[keys::Chaos],
    text: &SourceText,
    path: &[&str],
) -> Result<ChaosPolicy, PolicyError> {
    let mut chaos = ChaosPolicy::default();
    for (index, one) in faults.iter().enumerate() {
        let index = index.to_string();
        let wrong = |why: &str| text.error_at(&[path, &["chaos", &index]].concat(), why);
        let fault = match one.fault {
            FaultKind::ClockJump => {
                let by = one.by.ok_or_else(|| {
                    wrong("`by` is missing: set the size of the jump, such as by = \"10s\"")
                        .with_kind(PolicyErrorKind::Missing)
                })?;
                InjectedFault::ClockJump(by.0)
            }
            FaultKind::Error => {
                let name = one.failure.as_deref().unwrap_or("connect");
                let why = "not a failure: use connect, decode, dns, dropped, empty_reply, io, protocol or tls";
                InjectedFault::Error(
                    parse_failure(name).ok_or_else(|| wrong(&format!("{name:?} is {why}")))?,
                )
            }
            FaultKind::Latency => InjectedFault::Latency {
                min: or(one.min, Duration::ZERO),
                max: or(one.max, Duration::from_secs(1)),
            },
            FaultKind::Reset => InjectedFault::Reset,
            FaultKind::Stall => InjectedFault::Stall,
            FaultKind::Truncate => InjectedFault::Truncate(one.bytes.unwrap_or(0)),
        };
        chaos = chaos.fault(one.percent.per_mille(), fault);
    }
    Ok(chaos)
}
