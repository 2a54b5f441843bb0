//! Converts a table of the file to a policy patch.

use std::time::Duration;

use fetch_proto::{
    Backoff, ChaosPolicy, Fallback, Hedge, HedgeDelay, InjectedFault, Jitter, PolicyPatch, Quoted,
    RedirectPolicy, RetryAfterPolicy, RetryClasses, StallGuard, StatusSet, TimeoutsPatch,
};

use crate::keys::{self, FaultKind, parse_failure};
use crate::source::{PolicyError, PolicyErrorKind, SourceText};
use crate::values::{DurationText, Percent, TimeLimit};

/// The patch that the table at `path` describes. Missing keys of a nested table have their
/// defaults, but missing timeouts stay unset.
pub(crate) fn of(
    keys: &keys::Policy,
    text: &SourceText,
    path: &[&str],
) -> Result<PolicyPatch, PolicyError> {
    let mut patch = PolicyPatch::default();
    if let Some(attempts) = keys.attempts {
        if attempts == 0 {
            let why = "0 attempts would fetch nothing: use 1 or more";
            return Err(key_error(text, path, "attempts", why));
        }
        patch = patch.attempts(attempts);
    }
    if let Some(bytes) = keys.drain {
        patch = patch.drain(bytes);
    }
    if let Some(bytes) = keys.max_body {
        patch = patch.max_body(bytes);
    }
    if let Some(retry) = keys.retry_non_idempotent {
        patch = patch.retry_non_idempotent(retry);
    }
    if let Some(least) = keys.useful {
        patch = patch.min_attempt_time(least.0);
    }
    if let Some(rate) = keys.rate {
        patch = patch.rate(rate.0);
    }
    if let Some(statuses) = &keys.retry_statuses {
        patch = patch.retry_statuses(status_set(statuses, text, path)?);
    }
    if let Some(keys) = &keys.backoff {
        patch = patch.backoff(backoff(keys));
    }
    if let Some(keys) = &keys.timeouts {
        patch = patch.timeouts(timeouts(keys));
    }
    if let Some(keys) = &keys.retry_after {
        let default = RetryAfterPolicy::DEFAULT;
        patch = patch.retry_after(RetryAfterPolicy {
            cap: or(keys.cap, default.cap),
            over: keys.over.unwrap_or(default.over),
        });
    }
    if let Some(keys) = &keys.redirects {
        let redirects = RedirectPolicy::limit(keys.max.unwrap_or(10))
            .allow_downgrade(keys.downgrade.unwrap_or(false))
            .follow(keys.follow.unwrap_or(true))
            .trusted(keys.trusted.unwrap_or(false));
        let kept = keys.keep_post.as_deref().unwrap_or_default();
        if let Some(status) = kept.iter().find(|status| !(301..=303).contains(*status)) {
            let why = format!("{status} does not change the method: use 301, 302, 303");
            let path = &[path, &["redirects"]].concat();
            return Err(key_error(text, path, "keep_post", &why));
        }
        let keep = |redirects: RedirectPolicy, status: &u16| redirects.keep_post(*status);
        patch = patch.redirects(kept.iter().fold(redirects, keep));
    }
    if let Some(keys) = &keys.stall {
        patch = patch.stall(stall(keys));
    }
    if let Some(keys) = &keys.fallback {
        patch = patch.fallback(fallback(keys));
    }
    if let Some(keys) = &keys.hedge {
        patch = patch.hedge(hedge(keys, text, path)?);
    }
    if let Some(table) = &keys.classes {
        patch = patch.classes(classes(table, text, path)?);
    }
    if let Some(faults) = &keys.chaos {
        patch = patch.chaos(chaos(faults, text, path)?);
    }
    Ok(patch)
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

fn timeouts(keys: &keys::Timeouts) -> TimeoutsPatch {
    let mut patch = TimeoutsPatch::default();
    if let Some(TimeLimit(limit)) = keys.attempt {
        patch = patch.attempt(limit);
    }
    if let Some(TimeLimit(limit)) = keys.connect {
        patch = patch.connect(limit);
    }
    if let Some(TimeLimit(limit)) = keys.first_byte {
        patch = patch.first_byte(limit);
    }
    if let Some(TimeLimit(limit)) = keys.idle_read {
        patch = patch.idle_read(limit);
    }
    if let Some(TimeLimit(limit)) = keys.queue {
        patch = patch.queue(limit);
    }
    if let Some(TimeLimit(limit)) = keys.total {
        patch = patch.total(limit);
    }
    patch
}

fn stall(keys: &keys::Stall) -> StallGuard {
    let default = StallGuard::default();
    let min = keys.min_bytes_per_second;
    default
        .grace(or(keys.grace, default.grace))
        .min_bytes_per_second(min.unwrap_or(default.min_bytes_per_second))
        .window(or(keys.window, default.window))
}

fn fallback(keys: &keys::Fallback) -> Fallback {
    let url = keys.url.clone();
    let fallback = url.map_or_else(Fallback::default, Fallback::to);
    match keys.value {
        Some(true) => fallback.or_value(),
        _ => fallback,
    }
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
                           dropped, empty_reply, io, protocol, tls, unanswered, unknown_host";
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
                let why = "not a failure: use connect, decode, dns, dropped, empty_reply, io, \
                           protocol, tls, unanswered or unknown_host";
                InjectedFault::Error(
                    parse_failure(name)
                        .ok_or_else(|| wrong(&format!("{} is {why}", Quoted(name))))?,
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
