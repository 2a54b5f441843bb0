//! The policy file of fetch-all: limits, breakers, budgets, targets and per-URL policies in TOML.
//!
//! ```
//! use fetch_policy::PolicyFile;
//!
//! let file = PolicyFile::parse("policy.toml", r#"
//!     [limits]
//!     per_host = 8
//!     [breaker]
//!     consecutive = 5
//!     [default]
//!     attempts = 5
//!     [[rule]]
//!     match = "/reports/"
//!     timeouts.attempt = "60s"
//! "#)?;
//! assert_eq!(file.config()?.per_host_limit(), Some(8));
//! # Ok::<(), fetch_policy::PolicyError>(())
//! ```
//!
//! All keys with their defaults:
//!
//! ```toml
#![doc = include_str!("../example.toml")]
//! ```
//!
//! Durations are strings with a unit (`"250ms"`, `"1m 30s"`), ratios are whole percentages. An error has
//! file, line, column, the text and the fix: [`PolicyError`]. [`PolicyFile::lint`] finds settings
//! that are valid but contradict each other, [`PolicyFile::explain`] describes in words what happens to a URL,
//! [`PolicyFile::with_env`] lets the environment override values, and a [`PolicyWatcher`] detects when the
//! file has changed.

mod auth;
mod cache;
mod config;
mod diagnostics;
mod env;
mod explain;
mod keys;
mod lint;
mod patch;
mod source;
mod tables;
mod values;
mod watch;

use std::path::Path;

use std::sync::Arc;

use fetch_proto::url::Url;
use fetch_proto::{EngineConfig, Method, Policy};

pub use auth::{
    AssertionSettings, AuthKind, AuthSettings, ClientSettings, GrantSettings, OAuthSettings,
    SigV4Keys, SigV4Settings,
};
pub use cache::CacheSettings;
pub use explain::{ExplainedSetting, OptionSettings, PolicyExplanation, SettingOrigin};
pub use lint::{PolicyFinding, Severity};
pub use source::{PolicyError, PolicyErrorKind, Position};
pub use values::{DurationText, parse_duration};
pub use watch::PolicyWatcher;

use keys::FileKeys;
use source::SourceText;

/// A parsed policy file.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    keys: FileKeys,
    /// The file with overrides from the environment applied.
    overridden: Option<toml::Table>,
    text: SourceText,
    /// The paths that variables set, and the names of these variables.
    variables: Vec<(Vec<String>, String)>,
}

impl PolicyFile {
    /// Parses `text`. `name` is used in error messages.
    ///
    /// ```
    /// use fetch_policy::PolicyFile;
    /// let error = PolicyFile::parse("p.toml", "[limits]\nper_hots = 8\n").unwrap_err();
    /// assert!(error.to_string().starts_with("p.toml:2:1: per_hots: "));
    /// assert!(error.to_string().contains("did you mean `per_host`?"));
    /// ```
    ///
    /// # Errors
    ///
    /// If it is not TOML, or has an unknown key or an invalid value.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let text = SourceText::new(name, text);
        let keys: FileKeys = text.parse()?;
        let file = Self {
            keys,
            overridden: None,
            text,
            variables: Vec::new(),
        };
        file.config()?;
        Ok(file)
    }

    /// Reads a file.
    ///
    /// ```
    /// let error = fetch_policy::PolicyFile::read("/no/such/file".as_ref()).unwrap_err();
    /// assert!(error.to_string().starts_with("/no/such/file: cannot be read: "));
    /// ```
    ///
    /// # Errors
    ///
    /// If it cannot be read or is not a valid policy file.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| PolicyError {
            name: name.clone(),
            position: None,
            text: String::new(),
            message: format!("cannot be read: {error}"),
            kind: PolicyErrorKind::Unreadable,
        })?;
        Self::parse(&name, &text)
    }

    /// The engine configuration that this file describes, over the defaults.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", "limits.concurrency = 7")?;
    /// assert_eq!(file.config()?.concurrency_limit(), 7);
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a value has the right type but is invalid: a pattern that does not compile, a target
    /// without endpoints. [`parse`](Self::parse) and [`with_env`](Self::with_env) check this too,
    /// so a file that they return has no such error.
    pub fn config(&self) -> Result<EngineConfig, PolicyError> {
        self.config_over(&EngineConfig::default())
    }

    /// The policy that this file gives to a request with this method and URL. A test can hold the file to
    /// its promises in virtual time:
    ///
    /// ```
    /// use fetch_policy::PolicyFile;
    /// use fetch_proto::testing::{FetchScript, status};
    /// use fetch_proto::Method;
    ///
    /// let file = PolicyFile::parse("p.toml", r#"
    ///     [[rule]]
    ///     match = "/reports/"
    ///     attempts = 2
    ///     backoff = { base = "5s", jitter = "none" }
    /// "#)?;
    /// let policy = file.policy_for(&Method::Get, &"http://a.test/reports/7".parse()?)?;
    /// let run = FetchScript::new((*policy).clone()).answers([status(503), status(200)]).run();
    /// assert_eq!(run.to_string(), "0s start · 0s 503 · 5s start · 5s 200 done");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub fn policy_for(&self, method: &Method, url: &Url) -> Result<Arc<Policy>, PolicyError> {
        Ok(self.config()?.policy_for(method, url).clone())
    }

    /// The profiles of authentication, ordered by name.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", "")?;
    /// assert!(file.auth_profiles()?.is_empty());
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a key of a profile is missing or invalid. [`parse`](Self::parse) and
    /// [`with_env`](Self::with_env) check this too.
    pub fn auth_profiles(&self) -> Result<Vec<AuthSettings>, PolicyError> {
        auth::settings(&self.keys, &self.text)
    }

    /// The engine configuration that this file describes, over `base`: keys that the file does not
    /// set are taken from there. The file's rules come first, then the rules of `base` with the
    /// file's `[default]` applied. If `[default]` sets an attempt timeout, the rules of `base` are
    /// dropped.
    ///
    /// The order of all sources is described at [`PolicyPatch`](fetch_proto::PolicyPatch).
    ///
    /// ```
    /// use fetch_proto::EngineConfig;
    ///
    /// let file = fetch_policy::PolicyFile::parse("p.toml", "limits.concurrency = 7")?;
    /// let base = EngineConfig::default().per_host(3);
    /// assert_eq!(file.config_over(&base)?.per_host_limit(), Some(3));
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config), or if the file's rules and those of `base` together exceed 1
    /// MiB when compiled.
    pub fn config_over(&self, base: &EngineConfig) -> Result<EngineConfig, PolicyError> {
        config::engine_config(&self.keys, &self.text, base)
    }
}

/// Compiles the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct ReadmeExample;
