//! Why a fetcher could not be built.

use std::fmt;

/// A fetcher could not be built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BuildError {
    setting: &'static str,
    why: String,
}

impl BuildError {
    /// An error about this setting.
    ///
    /// ```
    /// let error = fetch_driver::BuildError::new("proxy", "this client has none");
    /// assert_eq!(error.to_string(), "proxy: this client has none");
    /// ```
    pub fn new(setting: &'static str, why: impl Into<String>) -> Self {
        Self {
            setting,
            why: why.into(),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.why)
    }
}

impl std::error::Error for BuildError {}
