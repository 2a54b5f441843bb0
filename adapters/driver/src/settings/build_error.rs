//! Why a fetcher could not be built.

use std::fmt;

/// A fetcher could not be built: which setting is wrong, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BuildError {
    reason: String,
    setting: &'static str,
}

impl BuildError {
    /// An error about this setting.
    ///
    /// ```
    /// let error = fetch_driver::BuildError::new("proxy", "not supported by this client");
    /// assert_eq!(error.to_string(), "proxy: not supported by this client");
    /// ```
    pub fn new(setting: &'static str, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            setting,
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.reason)
    }
}

impl std::error::Error for BuildError {}
