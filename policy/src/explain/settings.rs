//! The settings that a URL gets, one by one.

use std::time::Duration;

use fetch_proto::{
    AdaptiveConcurrency, EngineConfig, HedgeDelay, OverCap, Policy, Rate, StallGuard,
};
use serde::Serialize;
use toml::{Table, Value};

use crate::DurationText;

/// The keys and values of the engine, in the syntax of the policy file, without quotes.
pub(super) fn of_engine(config: &EngineConfig) -> Vec<(&'static str, String)> {
    let outages = config.effective_outage_wait();
    let outages = outages.map_or(Duration::ZERO, |wait| wait.max);
    let spacing = config.spacing.map(|(min, max)| {
        let [min, max] = [min, max].map(DurationText);
        format!("{min} to {max}")
    });
    let adaptive = config.adaptive.map(|law| match law {
        AdaptiveConcurrency::Aimd(_) => "aimd",
        AdaptiveConcurrency::Gradient2(_) => "gradient2",
        AdaptiveConcurrency::Vegas(_) => "vegas",
        _ => "on",
    });
    let budget = config.budget.map(|budget| super::describe_budget(&budget));
    let host_budget = config
        .host_budget
        .map(|budget| super::describe_budget(&budget));
    vec![
        ("limits.concurrency", config.concurrency_limit().to_string()),
        ("limits.per_host", or_none(config.per_host_limit())),
        ("limits.rate", or_none(config.rate)),
        ("limits.host_rate", or_none(config.host_rate)),
        ("limits.host_max_wait", DurationText(outages).to_string()),
        ("limits.window", config.window_size().to_string()),
        ("limits.slow_start", config.slow_start.to_string()),
        ("limits.spacing", or_none(spacing)),
        ("limits.adaptive", or_none(adaptive)),
        ("breaker", on_off(config.breaker.is_some())),
        ("budget", or_none(budget)),
        ("host_budget", or_none(host_budget)),
        ("throttle", on_off(config.throttle.is_some())),
        ("shed", on_off(config.shed.is_some())),
    ]
}

/// The keys and values of a policy, in the syntax of the policy file, without quotes.
pub(super) fn of_policy(policy: &Policy) -> Vec<(&'static str, String)> {
    let limits = &policy.timeouts;
    let mut all = vec![
        ("attempts", policy.attempts_limit().to_string()),
        ("timeouts.attempt", time_limit(limits.attempt)),
        ("timeouts.connect", time_limit(limits.connect)),
        ("timeouts.first_byte", time_limit(limits.first_byte)),
        ("timeouts.idle_read", time_limit(limits.idle_read)),
        ("timeouts.queue", time_limit(limits.queue)),
        ("timeouts.total", time_limit(limits.total)),
    ];
    all.extend(backoff(policy));
    all.extend([
        ("retry_statuses", statuses(policy)),
        (
            "retry_non_idempotent",
            policy.retry_non_idempotent.to_string(),
        ),
        ("classes", classes(policy)),
        (
            "retry_after.cap",
            DurationText(policy.retry_after.cap).to_string(),
        ),
        ("retry_after.over", over(policy.retry_after.over).to_owned()),
        ("useful", DurationText(policy.min_attempt_time).to_string()),
        ("rate", or_none::<Rate>(policy.rate)),
        ("auth", policy.auth.to_string()),
        ("max_body", max_body(policy)),
        ("drain", policy.drain.to_string()),
        ("stall", stall(policy.stall)),
    ]);
    all.extend(redirects(policy));
    all.extend([
        ("hedge", hedge(policy)),
        ("fallback.url", or_none(policy.fallback.url())),
        ("fallback.value", policy.fallback.has_value().to_string()),
        ("chaos", chaos(policy)),
    ]);
    all
}

/// The largest body, if the policy sets one, and what is so by default.
pub(super) fn describe_bodies(policy: &Policy) -> Vec<String> {
    let limit = match policy.max_body {
        Some(limit) => format!("  a body of more than {} is an error", size(limit)),
        None => {
            "  a body in memory of more than 64 MiB is an error; one that is saved or streamed may have any size"
                .to_owned()
        }
    };
    let drained = match policy.drain {
        0 => "  a body that is not needed closes its connection".to_owned(),
        bytes => format!(
            "  of a body that is not needed up to {} are read, so that its connection stays open",
            size(bytes)
        ),
    };
    let slow = |guard: StallGuard, whose: &str| {
        let (least, time) = (guard.min_bytes_per_second, guard.grace.max(guard.window));
        format!(
            "  a body {whose}slower than {least} B/s for {} is aborted",
            DurationText(time)
        )
    };
    let stall = match policy.stall {
        None => Some(slow(StallGuard::SAVED, "that is saved and is ")),
        Some(StallGuard::OFF) => None,
        Some(guard) => Some(slow(guard, "")),
    };
    [limit, drained].into_iter().chain(stall).collect()
}

fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn on_off(is_on: bool) -> String {
    if is_on { "on" } else { "off" }.to_owned()
}

fn time_limit(limit: Option<Duration>) -> String {
    or_none(limit.map(DurationText))
}

/// Bytes in the largest unit that has a whole number of them.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units
        .into_iter()
        .find(|(_, shift)| bytes >> shift > 0 && bytes.trailing_zeros() >= *shift);
    match unit {
        Some((name, shift)) => format!("{} {name}", bytes >> shift),
        None => format!("{bytes} B"),
    }
}

fn max_body(policy: &Policy) -> String {
    let default = "67108864 in memory, none if saved or streamed";
    policy
        .max_body
        .map_or_else(|| default.to_owned(), |bytes| bytes.to_string())
}

fn stall(guard: Option<StallGuard>) -> String {
    let text = |guard: StallGuard| {
        let (grace, window) = (DurationText(guard.grace), DurationText(guard.window));
        let least = guard.min_bytes_per_second;
        format!("{least} B/s, grace {grace}, window {window}")
    };
    match guard {
        None => format!("{} if saved, otherwise none", text(StallGuard::SAVED)),
        Some(StallGuard::OFF) => "none".to_owned(),
        Some(guard) => text(guard),
    }
}

const fn over(over: OverCap) -> &'static str {
    match over {
        OverCap::Clamp => "clamp",
        OverCap::Defer => "defer",
        OverCap::Fail => "fail",
    }
}

fn statuses(policy: &Policy) -> String {
    let all = (100..600).filter(|status| policy.retry_statuses.contains(*status));
    joined(all.map(|status: u16| status.to_string()))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<_> = parts.collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(" "),
    }
}

/// The fields of a part of the policy that has no getters.
fn fields(part: &impl Serialize) -> Table {
    Table::try_from(part).unwrap_or_default()
}

fn text(fields: &Table, key: &str) -> String {
    match fields.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Table(duration)) => {
            let part = |name| duration.get(name).and_then(Value::as_integer);
            let seconds = part("secs").and_then(|secs| u64::try_from(secs).ok());
            let nanos = part("nanos").and_then(|nanos| u32::try_from(nanos).ok());
            let duration = Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default());
            DurationText(duration).to_string()
        }
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Boolean(is_on)) => is_on.to_string(),
        _ => "none".to_owned(),
    }
}

fn backoff(policy: &Policy) -> [(&'static str, String); 5] {
    let fields = fields(&policy.backoff);
    [
        ("backoff.base", text(&fields, "base")),
        ("backoff.factor", text(&fields, "factor")),
        ("backoff.step", text(&fields, "step")),
        ("backoff.cap", text(&fields, "cap")),
        ("backoff.jitter", text(&fields, "jitter")),
    ]
}

fn redirects(policy: &Policy) -> [(&'static str, String); 6] {
    let fields = fields(&policy.redirects);
    let kept = fields.get("keep_post").and_then(Value::as_array);
    let kept = kept.into_iter().flatten().zip(301..);
    let kept = kept.filter(|(is_kept, _)| is_kept.as_bool() == Some(true));
    [
        ("redirects.follow", text(&fields, "follow")),
        ("redirects.max", text(&fields, "max")),
        ("redirects.downgrade", text(&fields, "downgrade")),
        ("redirects.https_only", text(&fields, "https_only")),
        (
            "redirects.keep_post",
            joined(kept.map(|(_, status): (_, u16)| status.to_string())),
        ),
        ("redirects.trusted", text(&fields, "trusted")),
    ]
}

fn classes(policy: &Policy) -> String {
    let fields = fields(&policy.classes);
    let pairs = ["statuses", "failures"].into_iter();
    let pairs = pairs.filter_map(|kind| fields.get(kind)?.as_array());
    joined(pairs.flatten().filter_map(|pair| {
        let [name, class] = pair.as_array()?.as_slice() else {
            return None;
        };
        let class = class.as_str()?;
        match name {
            Value::Integer(status) => Some(format!("{status}={class}")),
            name => Some(format!("{}={class}", name.as_str()?)),
        }
    }))
}

fn hedge(policy: &Policy) -> String {
    let Some(hedge) = policy.hedge else {
        return "none".to_owned();
    };
    match hedge.delay {
        HedgeDelay::Fixed(after) => format!("after {}, max {}", DurationText(after), hedge.max),
        HedgeDelay::Percentile { per_mille, .. } => {
            let percent = f64::from(per_mille) / 10.0;
            format!("percentile {percent}, max {}", hedge.max)
        }
        _ => "on".to_owned(),
    }
}

fn chaos(policy: &Policy) -> String {
    let faults = policy.chaos.faults();
    joined(faults.map(|(per_mille, fault)| format!("{} % {fault}", f64::from(per_mille) / 10.0)))
}
