//! Where the value of a setting comes from.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use crate::{PolicyFile, Position};

/// Where the value of a setting comes from. Displays as a few words.
///
/// ```
/// use fetch_policy::SettingOrigin;
/// assert_eq!(SettingOrigin::Option("--retry".into()).to_string(), "option --retry");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SettingOrigin {
    /// The default.
    Default,
    /// A built-in rule for the path of the URL.
    BuiltInRule,
    /// The policy file of this name.
    File(String, Position),
    /// The environment variable of this name.
    Environment(String),
    /// The option of this name.
    Option(String),
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::BuiltInRule => f.write_str("built-in rule"),
            Self::File(name, position) => write!(f, "{name}:{}", position.line),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Option(name) => write!(f, "option {name}"),
        }
    }
}

/// The settings that options set over a policy file, so that an explanation can name the option.
///
/// ```
/// let options = fetch_policy::OptionSettings::default()
///     .key("attempts", "--retry")
///     .rule("--timeout /slow/");
/// ```
#[derive(Clone, Debug, Default)]
pub struct OptionSettings {
    keys: BTreeMap<String, String>,
    rules: Vec<String>,
}

impl OptionSettings {
    /// Adds a setting, by its key in the policy file: `limits.per_host`, or without its table for the
    /// keys of `[default]` and rules: `timeouts.attempt`.
    #[must_use]
    pub fn key(mut self, key: &str, option: &str) -> Self {
        self.keys.insert(key.to_owned(), option.to_owned());
        self
    }

    /// Adds a rule that sets `timeouts.attempt` for some URLs. These rules come before those of the file.
    #[must_use]
    pub fn rule(mut self, option: &str) -> Self {
        self.rules.push(option.to_owned());
        self
    }

    pub(super) fn rules(&self) -> &[String] {
        &self.rules
    }
}

/// The rule that applies to a URL.
#[derive(Clone, Copy, Debug)]
pub(super) enum AppliedRule {
    None,
    BuiltIn,
    /// A rule of the file, by its index.
    File(usize),
    /// A rule of the options, by its index.
    Option(usize),
}

/// Finds the origin of each setting of one URL.
pub(super) struct OriginFinder<'a> {
    file: &'a PolicyFile,
    options: &'a OptionSettings,
    rule: AppliedRule,
    /// The file with overrides from the environment.
    table: Table,
}

impl<'a> OriginFinder<'a> {
    pub(super) fn new(
        file: &'a PolicyFile,
        options: &'a OptionSettings,
        rule: AppliedRule,
    ) -> Self {
        let parsed = || file.text.parse().unwrap_or_default();
        Self {
            file,
            options,
            rule,
            table: file.overridden.clone().unwrap_or_else(parsed),
        }
    }

    /// The origin of a key of a policy, such as `timeouts.attempt`.
    pub(super) fn of_policy(&self, key: &str) -> SettingOrigin {
        let is_attempt = key == "timeouts.attempt";
        if let AppliedRule::Option(index) = self.rule
            && is_attempt
            && let Some(option) = self.options.rules.get(index)
        {
            return SettingOrigin::Option(option.clone());
        }
        let rule = match self.rule {
            AppliedRule::File(index) => Some(format!("rule.{index}.{key}")),
            _ => None,
        };
        let paths = rule.into_iter().chain([format!("default.{key}")]);
        match self.of_paths(key, paths) {
            SettingOrigin::Default if is_attempt && matches!(self.rule, AppliedRule::BuiltIn) => {
                SettingOrigin::BuiltInRule
            }
            origin => origin,
        }
    }

    /// The origin of a key outside policies, such as `limits.per_host`.
    pub(super) fn of_engine(&self, key: &str) -> SettingOrigin {
        self.of_paths(key, [key.to_owned()])
    }

    /// The origin of an option's key, or of the first path that is set.
    fn of_paths(&self, key: &str, paths: impl IntoIterator<Item = String>) -> SettingOrigin {
        if let Some(option) = self.options.keys.get(key) {
            return SettingOrigin::Option(option.clone());
        }
        let mut paths = paths.into_iter();
        let found = paths.find_map(|path| {
            let path: Vec<_> = path.split('.').collect();
            self.of_path(&path)
        });
        found.unwrap_or(SettingOrigin::Default)
    }

    fn of_path(&self, path: &[&str]) -> Option<SettingOrigin> {
        let mut parts = path.iter();
        let first = self.table.get(*parts.next()?)?;
        parts.try_fold(first, |value, name| match value {
            Value::Table(table) => table.get(*name),
            Value::Array(array) => array.get(name.parse::<usize>().ok()?),
            _ => None,
        })?;
        let sets = |variable: &&(Vec<String>, String)| {
            let mut pairs = variable.0.iter().zip(path);
            pairs.all(|(name, part)| name == part)
        };
        let variables = &self.file.variables;
        if let Some((_, name)) = variables.iter().find(sets) {
            return Some(SettingOrigin::Environment(name.clone()));
        }
        let position = self.file.text.error_at(path, "").position?;
        Some(SettingOrigin::File(self.file.text.name.clone(), position))
    }
}
