//! Finds settings that are valid but contradict each other.

use std::fmt;
use std::time::Duration;

use fetch_proto::{HedgeDelay, Policy, RetryAfterPolicy, RetryBudget, SecretSource, plural};

use crate::source::PolicyError;
use crate::{DurationText, PolicyFile};

/// The severity of a [`PolicyFinding`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// A contradiction: the setting cannot take effect.
    Error,
    /// Probably not what was intended.
    Warning,
}

/// An error or a warning about a policy file. Displays like a compiler message.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PolicyFinding {
    /// Position, message and fix.
    pub error: PolicyError,
    /// Its severity.
    pub severity: Severity,
    /// The source line at that position.
    pub line: String,
}

impl fmt::Display for PolicyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}: {}", self.error.message)?;
        let Some(place) = self.error.position else {
            return write!(f, "  --> {}", self.error.name);
        };
        writeln!(f, "  --> {}:{place}", self.error.name)?;
        let number = place.line.to_string();
        // Tabs are copied, so that the caret is below the text for any tab width.
        let before = self.line.chars().take(place.column - 1);
        let before: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
        let pad = " ".repeat(number.len());
        write!(f, "{number} | {}\n{pad} | {before}^", self.line)
    }
}

impl PolicyFile {
    /// Contradictions and probable mistakes, ordered by position.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", r#"
    /// [default]
    /// timeouts = { attempt = "60s", total = "30s" }
    /// "#)?;
    /// let findings = file.lint();
    /// assert!(findings[0].to_string().starts_with("error: an attempt may take 60s, the whole fetch 30s"));
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    #[must_use]
    pub fn lint(&self) -> Vec<PolicyFinding> {
        let mut linter = Linter {
            file: self,
            findings: Vec::new(),
        };
        linter.run();
        linter
            .findings
            .sort_by_key(|finding| finding.error.position);
        linter.findings
    }
}

impl PolicyFile {
    /// The secrets of profiles that `check` cannot read, with what it says. It gets the key of the secret
    /// and the place that it is read from.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", r#"
    /// [auth.api]
    /// kind = "bearer"
    /// origins = ["https://api.example"]
    /// token = "env:TOKEN"
    /// "#)?;
    /// let findings = file.lint_secrets(|_key, source| Err(format!("{source}: not set")));
    /// assert!(findings[0].to_string().starts_with("error: env:TOKEN: not set\n  --> p.toml:5:9"));
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    #[must_use]
    pub fn lint_secrets(
        &self,
        check: impl Fn(&str, &SecretSource) -> Result<(), String>,
    ) -> Vec<PolicyFinding> {
        let mut linter = Linter {
            file: self,
            findings: Vec::new(),
        };
        for profile in self.auth_profiles().unwrap_or_default() {
            for (key, source) in profile.kind.secrets() {
                if let Err(why) = check(key, source) {
                    linter.add(Severity::Error, &["auth", &profile.name, key], why);
                }
            }
        }
        linter.findings
    }
}

struct Linter<'a> {
    file: &'a PolicyFile,
    findings: Vec<PolicyFinding>,
}

impl Linter<'_> {
    fn add(&mut self, severity: Severity, path: &[&str], why: String) {
        let wrong = self.file.text.error_at(path, &why);
        let line = wrong.position.map(|place| self.file.text.line(place));
        self.findings.push(PolicyFinding {
            line: line.unwrap_or_default(),
            severity,
            error: wrong,
        });
    }

    fn run(&mut self) {
        let Ok(config) = self.file.config() else {
            return; // `parse` has checked it
        };
        let rules = &config.rules;
        let base = find_contradictions(rules.default_policy());
        for (severity, keys, why) in &base {
            let path = [&["default"], *keys].concat();
            self.add(*severity, &path, why.clone());
        }
        let own = rules.iter().take(self.file.keys.rule.len());
        for (index, (_, policy)) in own.enumerate() {
            let index = index.to_string();
            for found in find_contradictions(policy) {
                // A finding that a rule inherits from [default] is reported once, there.
                if !base.contains(&found) {
                    let (severity, keys, why) = found;
                    self.add(severity, &[&["rule", &*index], keys].concat(), why);
                }
            }
        }
        self.check_auth();
        self.check_breaker();
        self.check_cache();
        self.check_reachability();
        self.check_throttle(config.per_host_limit(), config.concurrency_limit());
        for (key, budget) in [
            ("budget", config.budget),
            ("host_budget", config.host_budget),
        ] {
            if let Some(budget) = budget {
                self.check_budget(key, &budget);
            }
        }
    }

    fn check_auth(&mut self) {
        let profiles = self.file.auth_profiles().unwrap_or_default();
        for (name, index, why) in crate::auth::unused_origins(&profiles, &self.file.keys) {
            let path = ["auth", &name, "origins", &index.to_string()];
            self.add(Severity::Warning, &path, why);
        }
    }

    fn check_cache(&mut self) {
        let Some(keys) = &self.file.keys.cache else {
            return;
        };
        let is_shared = keys.shared == Some(true);
        if is_shared && !self.file.keys.auth.is_empty() {
            let why = "a shared cache stores responses to authenticated requests only if they say `public`, \
                       `s-maxage` or `must-revalidate`: remove `shared`, or expect few hits";
            self.add(Severity::Warning, &["cache", "shared"], why.to_owned());
        }
        if !is_shared
            && keys
                .targeted
                .as_ref()
                .is_some_and(|names| !names.is_empty())
        {
            let why = "targeted fields such as CDN-Cache-Control are for shared caches: set `shared`, or remove them";
            self.add(Severity::Warning, &["cache", "targeted"], why.to_owned());
        }
        if let (Some(body), Some(size)) = (keys.max_body, keys.size)
            && body > size
        {
            let why = format!(
                "a body may have {body} bytes, but the whole cache has {size}: raise `size`"
            );
            self.add(Severity::Error, &["cache", "max_body"], why);
        }
    }

    fn check_breaker(&mut self) {
        let Some(breaker) = &self.file.keys.breaker else {
            return;
        };
        let Ok(config) = self.file.config() else {
            return;
        };
        let attempts = config.rules.iter().map(|(_, policy)| policy);
        let attempts = attempts.chain([config.rules.default_policy()]);
        let longest = attempts.filter_map(|policy| policy.timeouts.attempt).max();
        let window = breaker.window();
        if let Some(longest) = longest
            && window < 2 * longest
        {
            let [window, longest, two] = [window, longest, 2 * longest].map(DurationText);
            let why = format!(
                "the breaker's window of {window} is shorter than two attempts of {longest}: it \
                 would forget the first before the second has ended; use {two} or more"
            );
            self.add(Severity::Error, &["breaker", "window"], why);
        }
    }

    /// Reports rules that come after a rule that matches everything they match.
    fn check_reachability(&mut self) {
        let rules = &self.file.keys.rule;
        let everything = |pattern: &str| {
            let all = [
                "/",
                ":",
                "glob:**",
                "glob:/**",
                "glob:*/**",
                "regex:.*",
                "regex:^",
                "regex:/",
            ];
            all.contains(&pattern)
        };
        let taker = rules.iter().position(|rule| {
            rule.methods.is_none() && rule.pattern.as_deref().is_some_and(everything)
        });
        for index in taker.map_or(0..0, |taker| taker + 1..rules.len()) {
            let why = format!(
                "this rule never applies: rule {} before it matches every URL",
                taker.unwrap_or(0) + 1
            );
            self.add(
                Severity::Warning,
                &["rule", &index.to_string(), "match"],
                why,
            );
        }
        for (later, rule) in rules.iter().enumerate() {
            let same = |earlier: &crate::keys::Policy| {
                earlier.pattern == rule.pattern && earlier.methods.is_none()
            };
            if let Some(earlier) = rules[..later].iter().position(same) {
                let why = format!(
                    "this rule never applies: rule {} has the same pattern",
                    earlier + 1
                );
                self.add(
                    Severity::Warning,
                    &["rule", &later.to_string(), "match"],
                    why,
                );
            }
        }
    }

    fn check_throttle(&mut self, per_host: Option<usize>, concurrency: usize) {
        let Some(throttle) = &self.file.keys.throttle else {
            return;
        };
        let at_once = per_host.unwrap_or(concurrency);
        if throttle
            .minimum
            .is_some_and(|minimum| (minimum as usize) < at_once)
        {
            let why = format!(
                "{at_once} attempts in flight to a host count as refused until they are answered: \
                 set `minimum` to {at_once} or more, or `limits.per_host` lower"
            );
            self.add(Severity::Warning, &["throttle", "minimum"], why);
        }
    }

    fn check_budget(&mut self, key: &str, budget: &RetryBudget) {
        let none = match budget {
            RetryBudget::Capacity {
                capacity,
                retry_cost,
                ..
            } => capacity < retry_cost,
            RetryBudget::Ratio {
                min_per_second,
                per_mille,
                ..
            } => *min_per_second == 0 && *per_mille == 0,
            RetryBudget::Tokens { max, .. } => *max < 2,
            _ => false,
        };
        if none {
            let why =
                "this budget never allows a retry: raise it, or set `attempts = 1`".to_owned();
            self.add(Severity::Warning, &[key], why);
        }
    }
}

/// A contradiction in a policy: its severity, the keys, and the message.
type Contradiction = (Severity, &'static [&'static str], String);

/// Contradictions within one policy.
fn find_contradictions(policy: &Policy) -> Vec<Contradiction> {
    [
        check_attempts(policy),
        check_retry_after(policy),
        check_hedge(policy),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Attempts that do not fit into the total limit.
fn check_attempts(policy: &Policy) -> Option<Contradiction> {
    let limits = &policy.timeouts;
    let (attempt, total) = (limits.attempt?, limits.total?);
    if attempt > total {
        let (attempt, total) = (DurationText(attempt), DurationText(total));
        let why = format!(
            "an attempt may take {attempt}, the whole fetch {total}: raise `total` or lower `attempt`"
        );
        return Some((Severity::Error, &["timeouts", "attempt"], why));
    }
    let of = policy.attempts_limit();
    let retries = u32::from(of) - 1;
    let waits: Duration = (0..retries).map(|n| policy.backoff.bounds(n).0).sum();
    if waits >= total {
        let (waits, total) = (DurationText(waits), DurationText(total));
        let why = format!(
            "the waits between {of} attempts take at least {waits}, the whole fetch may take {total}: \
             the last attempts never start"
        );
        return Some((Severity::Warning, &["attempts"], why));
    }
    let before = attempt.saturating_mul(retries).saturating_add(waits);
    (before >= total).then(|| {
        let first = plural(
            retries.into(),
            "attempt that times out",
            "attempts that time out",
        );
        let [attempt, before, total] = [attempt, before, total].map(DurationText);
        let why = format!(
            "{first} after {attempt} and the waits between them take \
             {before}, the whole fetch may take {total}: the last of {of} attempts never starts; \
             raise `total`"
        );
        (Severity::Warning, &["timeouts", "total"][..], why)
    })
}

/// A `Retry-After` cap beyond the total limit.
fn check_retry_after(policy: &Policy) -> Option<Contradiction> {
    let (cap, total) = (policy.retry_after.cap, policy.timeouts.total?);
    (cap > total && cap != RetryAfterPolicy::DEFAULT.cap).then(|| {
        let (cap, total) = (DurationText(cap), DurationText(total));
        let why = format!(
            "a Retry-After of up to {cap} is honoured, the whole fetch may take {total}: lower `cap`"
        );
        (Severity::Warning, &["retry_after", "cap"][..], why)
    })
}

/// A hedge that never starts, because its delay is not shorter than the attempt limit.
fn check_hedge(policy: &Policy) -> Option<Contradiction> {
    let attempt = policy.timeouts.attempt?;
    match policy.hedge?.delay {
        HedgeDelay::Fixed(after) if after >= attempt => {
            let (after, attempt) = (DurationText(after), DurationText(attempt));
            let why = format!("a hedge after {after} never starts: the first ends at {attempt}");
            Some((Severity::Warning, &["hedge"], why))
        }
        _ => None,
    }
}
