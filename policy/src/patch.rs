//! Converts a table of the file to a policy patch.

use std::sync::Arc;
use std::time::Duration;

use fetch_proto::{
    BackoffPatch, ChaosPolicy, FallbackPatch, HedgeDelayPatch, HedgePatch, InjectedFault, Jitter,
    KeptPostsPatch, PolicyPatch, Quoted, RedirectPatch, RetryAfterPatch, RetryClasses, StallPatch,
    StatusSet, TimeoutsPatch,
};

use crate::keys::{self, FaultKind, parse_failure};
use crate::source::{PolicyError, PolicyErrorKind, SourceText};
use crate::values::{DurationText, Percent, TimeLimit};

/// The patch that the table at `path` describes. Missing keys stay unset, also those of a nested table.
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
    if let Some(name) = &keys.auth {
        let Ok(choice) = name.parse();
        patch = patch.auth(choice);
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
        patch = patch.retry_after(retry_after(keys));
    }
    if let Some(keys) = &keys.redirects {
        patch = patch.redirects(redirects(keys, text, path)?);
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

fn backoff(keys: &keys::Backoff) -> BackoffPatch {
    let mut patch = BackoffPatch::default();
    if let Some(base) = keys.base {
        patch = patch.base(base.0);
    }
    if let Some(cap) = keys.cap {
        patch = patch.cap(cap.0);
    }
    if let Some(factor) = keys.factor {
        patch = patch.factor(factor);
    }
    if let Some(step) = keys.step {
        patch = patch.step(step.0);
    }
    match keys.jitter {
        None => patch,
        Some(keys::Jitter::None) => patch.jitter(None),
        Some(keys::Jitter::Decorrelated) => patch.jitter(Jitter::Decorrelated),
        Some(keys::Jitter::Equal) => patch.jitter(Jitter::Equal),
        Some(keys::Jitter::Full) => patch.jitter(Jitter::Full),
        Some(keys::Jitter::Smooth) => patch.jitter(Jitter::Smooth),
    }
}

fn retry_after(keys: &keys::RetryAfter) -> RetryAfterPatch {
    let mut patch = RetryAfterPatch::default();
    if let Some(cap) = keys.cap {
        patch = patch.cap(cap.0);
    }
    if let Some(over) = keys.over {
        patch = patch.over(over);
    }
    patch
}

fn redirects(
    keys: &keys::Redirects,
    text: &SourceText,
    path: &[&str],
) -> Result<RedirectPatch, PolicyError> {
    let mut patch = RedirectPatch::default();
    if let Some(allowed) = keys.downgrade {
        patch = patch.downgrade(allowed);
    }
    if let Some(follow) = keys.follow {
        patch = patch.follow(follow);
    }
    if let Some(only) = keys.https_only {
        patch = patch.https_only(only);
    }
    if let Some(kept) = &keys.keep_post {
        const STATUSES: [u16; 3] = [301, 302, 303];
        if let Some(status) = kept.iter().find(|status| !STATUSES.contains(*status)) {
            let why = format!("{status} does not change the method: use 301, 302, 303");
            let path = &[path, &["redirects"]].concat();
            return Err(key_error(text, path, "keep_post", &why));
        }
        // The list is whole: a status that is not in it is not kept.
        let keep = STATUSES.map(|status| kept.contains(&status));
        patch = patch.keep_post(KeptPostsPatch::from(keep));
    }
    if let Some(max) = keys.max {
        patch = patch.max(max);
    }
    if let Some(trusted) = keys.trusted {
        patch = patch.trusted(trusted);
    }
    Ok(patch)
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
    if let Some(TimeLimit(limit)) = keys.hook {
        patch = patch.hook(limit);
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

fn stall(keys: &keys::Stall) -> StallPatch {
    let mut patch = StallPatch::default();
    if let Some(grace) = keys.grace {
        patch = patch.grace(grace.0);
    }
    if let Some(least) = keys.min_bytes_per_second {
        patch = patch.min_bytes_per_second(least);
    }
    if let Some(window) = keys.window {
        patch = patch.window(window.0);
    }
    patch
}

fn fallback(keys: &keys::Fallback) -> FallbackPatch {
    let mut patch = FallbackPatch::default();
    if let Some(url) = &keys.url {
        patch = patch.url(Some(Arc::new(url.clone())));
    }
    if let Some(value) = keys.value {
        patch = patch.value(value);
    }
    patch
}

fn hedge(keys: &keys::Hedge, text: &SourceText, path: &[&str]) -> Result<HedgePatch, PolicyError> {
    let mut patch = HedgePatch::default();
    if let (Some(_), Some(_)) = (keys.after, keys.percentile) {
        let why = "`after` and `percentile` exclude each other: remove one";
        return Err(key_error(text, path, "hedge", why));
    }
    if let Some(after) = keys.after {
        patch = patch.delay(HedgeDelayPatch::Fixed(after.0));
    } else if keys.percentile.is_some() || keys.min.is_some() || keys.fallback.is_some() {
        patch = patch.delay(HedgeDelayPatch::Percentile {
            per_mille: keys.percentile.map(Percent::per_mille),
            min: keys.min.map(|min| min.0),
            fallback: keys.fallback.map(|fallback| Some(fallback.0)),
        });
    }
    if let Some(max) = keys.max {
        patch = patch.max(max);
    }
    if let Some(on_failure) = keys.on_failure {
        patch = patch.on_failure(on_failure);
    }
    Ok(patch)
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
