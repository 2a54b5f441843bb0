//! What becomes of a URL, in words.

use std::fmt;
use std::time::Duration;

use fetch_proto::{Config, HedgeDelay, Method, OnOpen, Policy, RetryBudget, Timeouts};
use url::Url;

use crate::{PolicyFile, Wrong};

/// Which rule a URL matches, and the whole plan of its attempts. Displays as lines of text.
#[derive(Clone, Debug)]
pub struct Explanation {
    lines: Vec<String>,
    /// The number of the rule, from 1; `None` if the default applies.
    pub rule: Option<usize>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl PolicyFile {
    /// What becomes of a request by this file.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", r#"
    /// [[rule]]
    /// match = "/slow/"
    /// attempts = 2
    /// backoff = { jitter = "none" }
    /// "#)?;
    /// let plan = file.explain(&"GET".parse().unwrap(), &"http://a.test/slow/1".parse().unwrap())?;
    /// assert_eq!(plan.rule, Some(1));
    /// assert!(plan.to_string().contains("attempt 2 after 1s"));
    /// # Ok::<(), fetch_policy::Wrong>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub fn explain(&self, method: &Method, url: &Url) -> Result<Explanation, Wrong> {
        let config = self.config()?;
        let rule = config.rules_ref().matched(method, url);
        let policy = config.rules_ref().policy(method, url).clone();
        let mut lines = vec![self.rule(method, url, rule)];
        lines.extend(queue(&config, &policy));
        lines.extend(attempts(method, &policy));
        lines.extend(after(&config, &policy));
        Ok(Explanation {
            lines,
            rule: rule.map(|index| index + 1),
        })
    }

    fn rule(&self, method: &Method, url: &Url, rule: Option<usize>) -> String {
        let count = self.keys.rule.len();
        match rule {
            None if count == 0 => format!("{method} {url}: the default policy; there are no rules"),
            None => format!("{method} {url}: the default policy; none of {count} rules matches"),
            Some(index) if index >= count => {
                format!("{method} {url}: a built-in rule for its path, after the file's {count}")
            }
            Some(index) => {
                let span = self
                    .text
                    .wrong_at(&["rule", &index.to_string(), "match"], "");
                let place = span
                    .place
                    .map_or(String::new(), |place| format!(", line {}", place.line));
                let pattern = self.keys.rule[index].pattern.as_deref().unwrap_or_default();
                format!(
                    "{method} {url}: rule {} of {count} ({pattern:?}{place})",
                    index + 1
                )
            }
        }
    }
}

fn queue(config: &Config, policy: &Policy) -> Vec<String> {
    let mut waits = vec![format!("{} at once in all", config.concurrency_limit())];
    if let Some(attempts) = config.per_host_limit() {
        waits.push(format!("{attempts} at its host"));
    }
    if let Some(rate) = config.rate_limit() {
        waits.push(format!("{rate} in all"));
    }
    if let Some(rate) = config.host_rate_limit() {
        waits.push(format!("{rate} at its host"));
    }
    if let Some(rate) = policy.rate_limit() {
        waits.push(format!("{rate} by this rule"));
    }
    let queue = policy.timeouts_ref().queue;
    let limit = match queue {
        Some(limit) => format!("at most {limit:?}"),
        None => "without limit".to_owned(),
    };
    vec![format!(
        "  it waits for its turn, {limit}: {}",
        waits.join(", ")
    )]
}

fn attempts(method: &Method, policy: &Policy) -> Vec<String> {
    let limits = policy.timeouts_ref();
    let mut lines = vec![format!("  attempt 1{}", within(limits))];
    let mut latest = limits.attempt;
    for retry in 1..u32::from(policy.attempts_limit()) {
        let (low, high) = policy.backoff_ref().bounds(retry - 1);
        let wait = match low == high {
            true => format!("{low:?}"),
            false => format!("{low:?} to {high:?}"),
        };
        lines.push(format!("  attempt {} after {wait}", retry + 1));
        latest = latest
            .zip(limits.attempt)
            .map(|(sum, attempt)| sum + high + attempt);
    }
    if policy.attempts_limit() > 1 {
        let statuses = (100..600).filter(|status| policy.retry_statuses_ref().contains(*status));
        let statuses: Vec<_> = statuses.map(|status| status.to_string()).collect();
        let whether = match method.is_idempotent() {
            true => "it is retried",
            false => "it may not be repeated, so it is retried only if it was certainly not sent",
        };
        lines.push(format!(
            "  {whether}: after connection, DNS, reset and timeout failures, and {}",
            statuses.join(" ")
        ));
        let after = policy.retry_after_ref();
        lines.push(format!(
            "  a Retry-After of up to {:?} is obeyed",
            after.cap
        ));
    }
    let worst = [latest, limits.total].into_iter().flatten().min();
    if let Some(worst) = worst {
        lines.push(format!(
            "  all that takes at most {worst:?} from the first attempt's start"
        ));
    }
    lines
}

fn within(limits: &Timeouts) -> String {
    let named = [
        ("", limits.attempt),
        ("connecting ", limits.connect),
        ("the first byte ", limits.first_byte),
        ("between pieces of the body ", limits.idle_read),
    ];
    let set = named
        .iter()
        .filter_map(|(name, limit): &(&str, Option<Duration>)| {
            Some(format!("{name}{:?}", (*limit)?))
        });
    let set: Vec<_> = set.collect();
    match set.is_empty() {
        true => ", without limit".to_owned(),
        false => format!(", within {}", set.join(", ")),
    }
}

fn after(config: &Config, policy: &Policy) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(hedge) = policy.hedge_ref() {
        let when = match hedge.delay {
            HedgeDelay::Fixed(after) => format!("after {after:?}"),
            HedgeDelay::Percentile { per_mille, .. } => {
                format!(
                    "slower than {} % of its host's answers",
                    f64::from(per_mille) / 10.0
                )
            }
        };
        lines.push(format!(
            "  an attempt {when} is raced by up to {} more",
            hedge.max
        ));
    }
    if let Some(breaker) = config.breaker_ref() {
        let what = match breaker.on_open_setting() {
            OnOpen::Defer => "waits",
            OnOpen::FailFast => "ends at once",
        };
        lines.push(format!("  while its host's breaker is open it {what}"));
    }
    for (whose, budget) in [
        ("its host's", config.host_budget_ref()),
        ("the common", config.budget_ref()),
    ] {
        if let Some(budget) = budget {
            lines.push(format!(
                "  retries and races come out of {whose} budget: {}",
                shown(budget)
            ));
        }
    }
    if let Some(guard) = policy.stall_ref() {
        let (least, grace) = (guard.min_bytes_per_second, guard.grace);
        lines.push(format!(
            "  a body slower than {least} B/s for {grace:?} is given up"
        ));
    }
    let fallback = policy.fallback_ref();
    if let Some(url) = fallback.url() {
        lines.push(format!("  if all that fails: {url}"));
    }
    if fallback.has_value() {
        lines.push("  as the last resort: the caller's value".into());
    }
    for (per_mille, fault) in policy.chaos_ref().faults() {
        let percent = f64::from(per_mille) / 10.0;
        lines.push(format!("  on purpose, in {percent} % of attempts: {fault}"));
    }
    lines
}

fn shown(budget: &RetryBudget) -> String {
    match budget {
        RetryBudget::Capacity { capacity, .. } => format!("a bucket of {capacity}"),
        RetryBudget::Ratio {
            min_per_second,
            per_mille,
            ..
        } => format!(
            "{} % of the requests, at least {min_per_second} a second",
            f64::from(*per_mille) / 10.0
        ),
        RetryBudget::Tokens { max, .. } => format!("{max} tokens"),
    }
}
