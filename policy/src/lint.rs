//! What is valid and makes no sense.

use std::fmt;
use std::time::Duration;

use fetch_proto::{HedgeDelay, Policy, RetryAfter, RetryBudget};

use crate::PolicyFile;
use crate::text::Wrong;

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// It contradicts itself: what is asked for cannot happen.
    Error,
    /// It is surely not what was meant.
    Warning,
}

/// What a linter has to say of a place. Displays in the style of compilers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong where, and the fix.
    pub wrong: Wrong,
    /// How bad it is.
    pub severity: Severity,
    /// The line that it is about.
    pub line: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}: {}", self.wrong.why)?;
        let Some(place) = self.wrong.place else {
            return write!(f, "  --> {}", self.wrong.name);
        };
        writeln!(f, "  --> {}:{place}", self.wrong.name)?;
        let number = place.line.to_string();
        // A tab stays one, so that the caret stands below the text wherever tabs end.
        let before = self.line.chars().take(place.column - 1);
        let before: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
        let pad = " ".repeat(number.len());
        write!(f, "{number} | {}\n{pad} | {before}^", self.line)
    }
}

impl PolicyFile {
    /// What contradicts itself, or cannot be what was meant, in the order of the file.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", r#"
    /// [default]
    /// timeouts = { attempt = "60s", total = "30s" }
    /// "#)?;
    /// let findings = file.lint();
    /// assert!(findings[0].to_string().starts_with("error: an attempt may take 60s, the whole 30s"));
    /// # Ok::<(), fetch_policy::Wrong>(())
    /// ```
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let mut linter = Linter {
            file: self,
            findings: Vec::new(),
        };
        linter.all();
        linter.findings.sort_by_key(|finding| finding.wrong.place);
        linter.findings
    }
}

struct Linter<'a> {
    file: &'a PolicyFile,
    findings: Vec<Finding>,
}

impl Linter<'_> {
    fn add(&mut self, severity: Severity, path: &[&str], why: String) {
        let wrong = self.file.text.wrong_at(path, &why);
        let line = wrong
            .place
            .map(|place| self.file.text.line(place).to_owned());
        self.findings.push(Finding {
            line: line.unwrap_or_default(),
            severity,
            wrong,
        });
    }

    fn all(&mut self) {
        let Ok(config) = self.file.config() else {
            return; // it was asked when the file was read
        };
        let rules = config.rules_ref();
        let base = contradictions(rules.default_policy());
        for (severity, keys, why) in &base {
            let path = [&["default"], *keys].concat();
            self.add(*severity, &path, why.clone());
        }
        let own = rules.iter().take(self.file.keys.rule.len());
        for (index, (_, policy)) in own.enumerate() {
            let index = index.to_string();
            for told in contradictions(policy) {
                // What a rule only inherits is told once, where it stands.
                if !base.contains(&told) {
                    let (severity, keys, why) = told;
                    self.add(severity, &[&["rule", &*index], keys].concat(), why);
                }
            }
        }
        self.breaker();
        self.reach();
        self.throttle(config.per_host_limit(), config.concurrency_limit());
        for (key, budget) in [
            ("budget", config.budget_ref()),
            ("host_budget", config.host_budget_ref()),
        ] {
            if let Some(budget) = budget {
                self.budget(key, budget);
            }
        }
    }

    fn breaker(&mut self) {
        let Some(breaker) = &self.file.keys.breaker else {
            return;
        };
        let Ok(config) = self.file.config() else {
            return;
        };
        let attempts = config.rules_ref().iter().map(|(_, policy)| policy);
        let attempts = attempts.chain([config.rules_ref().default_policy()]);
        let longest = attempts
            .filter_map(|policy| policy.timeouts_ref().attempt)
            .max();
        let window = breaker.window();
        if let Some(longest) = longest
            && window < 2 * longest
        {
            let why = format!(
                "the breaker's window of {window:?} is shorter than two attempts of {longest:?}: it \
                 would forget the first before the second has ended; use {:?} or more",
                2 * longest
            );
            self.add(Severity::Error, &["breaker", "window"], why);
        }
    }

    /// Rules behind one that takes everything.
    fn reach(&mut self) {
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
                "this rule never applies: rule {} before it takes every URL",
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
                    "this rule never applies: rule {} matches the same",
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

    fn throttle(&mut self, per_host: Option<usize>, concurrency: usize) {
        let Some(throttle) = &self.file.keys.throttle else {
            return;
        };
        let at_once = per_host.unwrap_or(concurrency);
        if throttle
            .minimum
            .is_some_and(|minimum| (minimum as usize) < at_once)
        {
            let why = format!(
                "{at_once} attempts at once at a host look like refusals until they are answered: \
                 set `minimum` to {at_once} or more, or `limits.per_host` lower"
            );
            self.add(Severity::Warning, &["throttle", "minimum"], why);
        }
    }

    fn budget(&mut self, key: &str, budget: &RetryBudget) {
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
        };
        if none {
            let why =
                "this budget never allows a retry: raise it, or set `attempts = 1`".to_owned();
            self.add(Severity::Warning, &[key], why);
        }
    }
}

/// What is told of a policy: how bad it is, by which keys, and why.
type Told = (Severity, &'static [&'static str], String);

/// Where a policy contradicts itself.
fn contradictions(policy: &Policy) -> Vec<Told> {
    [attempts(policy), retry_after(policy), hedge(policy)]
        .into_iter()
        .flatten()
        .collect()
}

/// Attempts that cannot be made within the total limit.
fn attempts(policy: &Policy) -> Option<Told> {
    let limits = policy.timeouts_ref();
    let (attempt, total) = (limits.attempt?, limits.total?);
    if attempt > total {
        let why = format!(
            "an attempt may take {attempt:?}, the whole {total:?}: raise `total` or lower `attempt`"
        );
        return Some((Severity::Error, &["timeouts", "attempt"], why));
    }
    let of = policy.attempts_limit();
    let retries = u32::from(of) - 1;
    let waits: Duration = (0..retries).map(|n| policy.backoff_ref().bounds(n).0).sum();
    if waits >= total {
        let why = format!(
            "the waits between {of} attempts take at least {waits:?}, the whole may take {total:?}: \
             the last attempts can never happen"
        );
        return Some((Severity::Warning, &["attempts"], why));
    }
    let before = attempt.saturating_mul(retries).saturating_add(waits);
    (before >= total).then(|| {
        let why = format!(
            "{retries} attempts that time out after {attempt:?} and the waits between them take \
             {before:?}, the whole may take {total:?}: the last of {of} attempts then never happens; \
             raise `total`"
        );
        (Severity::Warning, &["timeouts", "total"][..], why)
    })
}

/// Waits that the server asks for and that the total limit does not allow.
fn retry_after(policy: &Policy) -> Option<Told> {
    let (cap, total) = (policy.retry_after_ref().cap, policy.timeouts_ref().total?);
    (cap > total && cap != RetryAfter::DEFAULT.cap).then(|| {
        let why = format!(
            "a Retry-After of up to {cap:?} is obeyed, the whole may take {total:?}: lower `cap`"
        );
        (Severity::Warning, &["retry_after", "cap"][..], why)
    })
}

/// Races that never begin.
fn hedge(policy: &Policy) -> Option<Told> {
    let attempt = policy.timeouts_ref().attempt?;
    match policy.hedge_ref()?.delay {
        HedgeDelay::Fixed(after) if after >= attempt => {
            let why = format!(
                "a second attempt after {after:?} never begins: the first ends at {attempt:?}"
            );
            Some((Severity::Warning, &["hedge"], why))
        }
        _ => None,
    }
}
