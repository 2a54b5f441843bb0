//! One file for everything that fetch-all decides by: limits, breakers, budgets, targets, and the
//! policy of each URL.
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
//! # Ok::<(), fetch_policy::Wrong>(())
//! ```
//!
//! Everything that can be said, with its defaults:
//!
//! ```toml
#![doc = include_str!("../example.toml")]
//! ```
//!
//! Times are texts with a unit (`"250ms"`, `"1m 30s"`), shares are whole percents. A mistake is told
//! with file, line, column, the text and the fix: [`Wrong`]. [`PolicyFile::lint`] finds what is valid
//! and makes no sense, [`PolicyFile::explain`] tells in words what becomes of a URL,
//! [`PolicyFile::with_env`] lets the environment override values, and a [`Watcher`] sees when the
//! file has changed.

mod config;
mod env;
mod explain;
mod keys;
mod limits;
mod lint;
mod mistakes;
mod text;
mod time;
mod watch;

use std::path::Path;

use fetch_proto::Config;

pub use explain::Explanation;
pub use lint::{Finding, Severity};
pub use text::{Place, Wrong};
pub use time::{Period, period};
pub use watch::Watcher;

use keys::Keys;
use text::Text;

/// A policy file that was read.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    keys: Keys,
    /// The file with what the environment said otherwise.
    overridden: Option<toml::Table>,
    text: Text,
}

impl PolicyFile {
    /// Reads `text`, which `name` is the name of.
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
    /// It is not TOML, or has a key or value that is not known.
    pub fn parse(name: &str, text: &str) -> Result<Self, Wrong> {
        let text = Text::new(name, text);
        let keys: Keys = text.parse()?;
        let file = Self {
            keys,
            overridden: None,
            text,
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
    /// It cannot be read, or is no policy file.
    pub fn read(path: &Path) -> Result<Self, Wrong> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Wrong {
            name: name.clone(),
            place: None,
            text: String::new(),
            why: format!("cannot be read: {error}"),
        })?;
        Self::parse(&name, &text)
    }

    /// The engine's configuration that it describes.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", "limits.concurrency = 7")?;
    /// assert_eq!(file.config()?.concurrency_limit(), 7);
    /// # Ok::<(), fetch_policy::Wrong>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A value is of the right kind and still no good: a pattern that cannot be compiled, a target
    /// without endpoints. [`parse`](Self::parse) has asked before, so only overrides can cause it.
    pub fn config(&self) -> Result<Config, Wrong> {
        self.config_over(&Config::default())
    }

    /// The same over another base than the defaults: what the file does not say is as there. The
    /// file's rules come first, then the base's, which have what the file's default policy says;
    /// with an attempt timeout of its own the file replaces the base's rules.
    ///
    /// ```
    /// use fetch_proto::Config;
    ///
    /// let file = fetch_policy::PolicyFile::parse("p.toml", "limits.concurrency = 7")?;
    /// let base = Config::default().per_host(3);
    /// assert_eq!(file.config_over(&base)?.per_host_limit(), Some(3));
    /// # Ok::<(), fetch_policy::Wrong>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub fn config_over(&self, base: &Config) -> Result<Config, Wrong> {
        config::config(&self.keys, &self.text, base)
    }
}
