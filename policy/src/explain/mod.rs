//! Describes in words what happens to a URL, and where each of its settings comes from.

mod origin;
mod settings;

use std::fmt;
use std::time::Duration;

use fetch_proto::{
    AuthChoice, AuthProfile, EngineConfig, HedgeDelay, Method, OnOpen, OverCap, Policy, Quoted,
    RetryBudget, Timeouts, plural,
};
use url::Url;

use origin::{AppliedRule, OriginFinder};
pub use origin::{OptionSettings, SettingOrigin};

use crate::{AuthSettings, DurationText, PolicyError, PolicyFile};

/// The rule that a URL matches, the plan of its attempts, and its settings. Displays as lines of text, with
/// the settings that have another origin than the default; with `{:#}` it has all settings.
#[derive(Clone, Debug)]
pub struct PolicyExplanation {
    lines: Vec<String>,
    /// Number of the file's rule, counted from 1. `None` if none of the file's rules applies.
    pub rule: Option<usize>,
    /// All settings of the URL.
    pub settings: Vec<ExplainedSetting>,
}

/// A setting of a URL. Displays as `attempts = 5 (policy.toml:2)`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ExplainedSetting {
    /// The key in a policy file; those of `[default]` and rules are without their table.
    pub key: &'static str,
    /// The value that applies.
    pub value: String,
    /// Where the value comes from.
    pub origin: SettingOrigin,
}

impl fmt::Display for ExplainedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.key, self.value, self.origin)
    }
}

impl fmt::Display for PolicyExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))?;
        let is_shown =
            |one: &&ExplainedSetting| f.alternate() || one.origin != SettingOrigin::Default;
        let shown: Vec<_> = self.settings.iter().filter(is_shown).collect();
        if !shown.is_empty() {
            f.write_str("\n  settings:")?;
        }
        for setting in shown {
            write!(f, "\n    {setting}")?;
        }
        Ok(())
    }
}

impl PolicyFile {
    /// Describes what happens to a request under this policy.
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
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub fn explain(&self, method: &Method, url: &Url) -> Result<PolicyExplanation, PolicyError> {
        self.explain_config(method, url, &self.config()?, &OptionSettings::default())
    }

    /// Describes what happens to a request under `config`, which is this file's configuration with options
    /// over it. The first rules of `config` are those of `options`.
    ///
    /// ```
    /// use fetch_policy::{OptionSettings, PolicyFile};
    /// let file = PolicyFile::parse("p.toml", "default.attempts = 5")?;
    /// let config = file.config()?.per_host(2);
    /// let options = OptionSettings::default().key("limits.per_host", "--per-host");
    /// let plan = file.explain_config(&"GET".parse().unwrap(), &"http://a.test/".parse().unwrap(), &config, &options)?;
    /// let shown: Vec<_> = plan.to_string().lines().rev().take(2).map(str::to_owned).collect();
    /// assert_eq!(shown, ["    attempts = 5 (p.toml:1)", "    limits.per_host = 2 (option --per-host)"]);
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`auth_profiles`](Self::auth_profiles).
    pub fn explain_config(
        &self,
        method: &Method,
        url: &Url,
        config: &EngineConfig,
        options: &OptionSettings,
    ) -> Result<PolicyExplanation, PolicyError> {
        let rule = self.applied_rule(config.rules.matching_rule(method, url), options);
        let policy = config.rules.policy(method, url).clone();
        let mut lines = vec![self.describe_rule(method, url, rule, options)];
        let cache = self.cache()?;
        lines.extend(cache.map(|cache| crate::cache::describe(&cache, method)));
        lines.extend(describe_auth(&self.auth_profiles()?, &policy, url));
        lines.extend(describe_queue(config, &policy));
        lines.extend(describe_attempts(method, &policy));
        lines.extend(describe_last_steps(config, &policy));
        let origins = OriginFinder::new(self, options, rule);
        let engine = settings::of_engine(config).into_iter().map(|(key, value)| {
            let origin = origins.of_engine(key);
            ExplainedSetting { key, value, origin }
        });
        let own = settings::of_policy(&policy).into_iter();
        let own = own.map(|(key, value)| {
            let origin = origins.of_policy(key);
            ExplainedSetting { key, value, origin }
        });
        Ok(PolicyExplanation {
            lines,
            rule: match rule {
                AppliedRule::File(index) => Some(index + 1),
                _ => None,
            },
            settings: engine.chain(own).collect(),
        })
    }

    /// Whose rule has this index. The order is that of the sources: options, file, built-in rules.
    fn applied_rule(&self, index: Option<usize>, options: &OptionSettings) -> AppliedRule {
        let of_options = options.rules().len();
        match index {
            None => AppliedRule::None,
            Some(index) if index < of_options => AppliedRule::Option(index),
            Some(index) if index - of_options < self.keys.rule.len() => {
                AppliedRule::File(index - of_options)
            }
            Some(_) => AppliedRule::BuiltIn,
        }
    }

    fn describe_rule(
        &self,
        method: &Method,
        url: &Url,
        rule: AppliedRule,
        options: &OptionSettings,
    ) -> String {
        let count = self.keys.rule.len();
        match rule {
            AppliedRule::None if count == 0 => {
                format!("{method} {url}: the default policy; there are no rules")
            }
            AppliedRule::None if count == 1 => {
                format!("{method} {url}: the default policy; the one rule does not match")
            }
            AppliedRule::None => {
                format!("{method} {url}: the default policy; none of {count} rules matches")
            }
            AppliedRule::BuiltIn => {
                format!("{method} {url}: a built-in rule for its path, after the file's {count}")
            }
            AppliedRule::Option(index) => {
                let option = options.rules().get(index).map_or("", String::as_str);
                format!("{method} {url}: option {option}, before the file's {count}")
            }
            AppliedRule::File(index) => {
                let span = self
                    .text
                    .error_at(&["rule", &index.to_string(), "match"], "");
                let place = span
                    .position
                    .map_or(String::new(), |place| format!(", line {}", place.line));
                let pattern = self.keys.rule[index].pattern.as_deref().unwrap_or_default();
                format!(
                    "{method} {url}: rule {} of {count} ({}{place})",
                    index + 1,
                    Quoted(pattern)
                )
            }
        }
    }
}

/// Which profile authenticates the request, if the file has any.
fn describe_auth(profiles: &[AuthSettings], policy: &Policy, url: &Url) -> Option<String> {
    if profiles.is_empty() {
        return None;
    }
    let scopes: Vec<_> = profiles.iter().map(AuthSettings::profile).collect();
    let chosen = AuthProfile::choose(&scopes, &policy.auth, url, true);
    let chosen = chosen.and_then(|position| profiles.get(usize::from(position)));
    Some(match (chosen, &policy.auth) {
        (Some(profile), _) => {
            let (name, kind) = (&profile.name, profile.kind.name());
            format!("  authenticated by [auth.{name}] ({kind})")
        }
        (None, AuthChoice::Profile(name)) => {
            format!("  not authenticated: it is outside the origins of [auth.{name}]")
        }
        (None, AuthChoice::Off) => "  not authenticated: auth = \"none\"".to_owned(),
        (None, _) => "  not authenticated: no profile has its origin".to_owned(),
    })
}

fn describe_queue(config: &EngineConfig, policy: &Policy) -> Vec<String> {
    let mut waits = vec![format!(
        "{} at once over all hosts",
        plural(config.concurrency_limit() as u64, "request", "requests")
    )];
    if let Some(attempts) = config.per_host_limit() {
        waits.push(format!("{attempts} per host"));
    }
    if let Some(rate) = config.rate {
        waits.push(format!("{rate} over all hosts"));
    }
    if let Some(rate) = config.host_rate {
        waits.push(format!("{rate} per host"));
    }
    if let Some(rate) = policy.rate {
        waits.push(format!("{rate} for this rule"));
    }
    let queue = policy.timeouts.queue;
    let limit = match queue {
        Some(limit) => format!("at most {}", DurationText(limit)),
        None => "without limit".to_owned(),
    };
    vec![format!(
        "  waits in the queue, {limit}: {}",
        waits.join(", ")
    )]
}

fn describe_attempts(method: &Method, policy: &Policy) -> Vec<String> {
    let limits = &policy.timeouts;
    let mut lines = vec![format!("  attempt 1{}", describe_timeouts(limits))];
    let mut latest = limits.attempt;
    for retry in 1..u32::from(policy.attempts_limit()) {
        let (low, high) = policy.backoff.bounds(retry - 1);
        let wait = match low == high {
            true => DurationText(low).to_string(),
            false => format!("{} to {}", DurationText(low), DurationText(high)),
        };
        lines.push(format!("  attempt {} after {wait}", retry + 1));
        latest = latest
            .zip(limits.attempt)
            .map(|(sum, attempt)| sum + high + attempt);
    }
    if policy.attempts_limit() > 1 {
        let statuses = (100..600).filter(|status| policy.retry_statuses.contains(*status));
        let statuses: Vec<_> = statuses.map(|status| status.to_string()).collect();
        let whether = match method.is_idempotent() {
            true => "retried",
            false => "not idempotent: retried only if the request was certainly not sent",
        };
        lines.push(format!(
            "  {whether} after connect, DNS, reset and timeout failures and status {}",
            statuses.join(" ")
        ));
        let cap = DurationText(policy.retry_after.cap);
        let over = match policy.retry_after.over {
            OverCap::Clamp => format!("a longer one counts as {cap}"),
            OverCap::Defer => {
                "a longer one too, as long as a host that is down is waited for".to_owned()
            }
            OverCap::Fail => "with a longer one the response is the result".to_owned(),
        };
        lines.push(format!(
            "  a Retry-After of up to {cap} is honoured; {over}"
        ));
    }
    let worst = [latest, limits.total].into_iter().flatten().min();
    if let Some(worst) = worst {
        lines.push(format!(
            "  takes at most {} from the start of the first attempt",
            DurationText(worst)
        ));
    }
    lines
}

fn describe_timeouts(limits: &Timeouts) -> String {
    let named = [
        ("", limits.attempt),
        ("connect ", limits.connect),
        ("first byte ", limits.first_byte),
        ("idle read ", limits.idle_read),
    ];
    let set = named
        .iter()
        .filter_map(|(name, limit): &(&str, Option<Duration>)| {
            Some(format!("{name}{}", DurationText((*limit)?)))
        });
    let set: Vec<_> = set.collect();
    let scope = match (limits.attempt, limits.attempt_covers_body) {
        (Some(_), false) => "; a body that is saved or streamed takes longer",
        _ => "",
    };
    match set.is_empty() {
        true => ", without limit".to_owned(),
        false => format!(", within {}{scope}", set.join(", ")),
    }
}

fn describe_last_steps(config: &EngineConfig, policy: &Policy) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(hedge) = policy.hedge {
        let when = match hedge.delay {
            HedgeDelay::Fixed(after) => format!("after {}", DurationText(after)),
            HedgeDelay::Percentile { per_mille, .. } => {
                format!(
                    "slower than {} % of its host's responses",
                    f64::from(per_mille) / 10.0
                )
            }
            _ => "that is slow".to_owned(),
        };
        lines.push(format!(
            "  an attempt {when} is hedged by up to {} more",
            hedge.max
        ));
    }
    if let Some(breaker) = config.breaker {
        let what = match breaker.on_open {
            OnOpen::Defer => "it waits",
            OnOpen::FailFast => "it fails at once",
        };
        lines.push(format!(
            "  while the circuit breaker of its host is open, {what}"
        ));
    }
    if let Some(wait) = config.effective_outage_wait() {
        let known = DurationText(wait.max);
        let unknown = DurationText(wait.unanswered.min(wait.max));
        lines.push(format!(
            "  while its host is down, it waits up to {known}, or {unknown} if the host never answered"
        ));
    }
    for (whose, budget) in [
        ("the host's", config.host_budget),
        ("the global", config.budget),
    ] {
        if let Some(budget) = budget {
            lines.push(format!(
                "  retries and hedges are paid from {whose} retry budget: {}",
                describe_budget(&budget)
            ));
        }
    }
    lines.extend(settings::describe_bodies(policy));
    let fallback = &policy.fallback;
    if let Some(url) = fallback.url() {
        lines.push(format!("  fallback: {url}"));
    }
    if fallback.has_value() {
        lines.push("  last fallback: the value set by the caller".into());
    }
    for (per_mille, fault) in policy.chaos.faults() {
        let percent = f64::from(per_mille) / 10.0;
        lines.push(format!("  injected in {percent} % of attempts: {fault}"));
    }
    lines
}

fn describe_budget(budget: &RetryBudget) -> String {
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
        _ => "of another kind".to_owned(),
    }
}
