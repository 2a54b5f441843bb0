//! Secrets: where they are read from, and how they are kept out of sight.

mod command;
mod identity;
mod output;
mod read;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use fetch_proto::SecretSource;
use zeroize::Zeroizing;

pub(crate) use identity::{identity, known_secret};
#[cfg(feature = "sigv4")]
pub(crate) use output::lifetime as secret_lifetime;
#[cfg(feature = "oauth")]
pub(crate) use output::seconds;
#[cfg(any(feature = "oauth", feature = "sigv4"))]
pub(crate) use output::wipe;
pub use read::{check_secret, read_secret};

/// A secret text. It is wiped from memory when it is dropped, and `Debug` does not show it.
///
/// ```
/// let secret = fetch_auth::Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps this text.
    ///
    /// ```
    /// let secret = fetch_auth::Secret::new("hunter2".to_owned());
    /// ```
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text.
    ///
    /// ```
    /// assert_eq!(fetch_auth::Secret::new("a".to_owned()).expose(), "a");
    /// ```
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a secret may look like.
///
/// ```
/// use fetch_auth::{SecretKind, check_secret};
/// let missing = check_secret(&"file:/no/such/key.pem".parse()?, SecretKind::Text);
/// assert!(missing.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecretKind {
    /// One line, such as a password or a token. White space around it does not count. A command may also
    /// print JSON: see [`read_secret`].
    Line,
    /// Any number of lines, such as a key in PEM.
    Text,
}

/// A secret, and how long it is valid.
///
/// ```no_run
/// use fetch_auth::{SecretKind, read_secret};
/// let token = read_secret(&"exec:gcloud auth print-access-token".parse()?, SecretKind::Line)?;
/// assert!(!token.secret.expose().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReadSecret {
    /// How long it is valid from now on, if its source says so.
    pub lifetime: Option<Duration>,
    /// The secret.
    pub secret: Secret,
}

/// Why a secret could not be read. Displays its place, what happened, and what to do; never the secret.
///
/// ```
/// use fetch_auth::{SecretKind, read_secret};
/// let error = read_secret(&"env:NO_SUCH_SECRET".parse()?, SecretKind::Line).unwrap_err();
/// assert_eq!(error.to_string(), "env:NO_SUCH_SECRET: the variable is not set: export it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretError {
    is_final: bool,
    source: SecretSource,
    why: String,
}

impl SecretError {
    pub(crate) fn new(source: &SecretSource, why: impl Into<String>) -> Self {
        Self {
            // A file may be replaced, and a command may find its server again.
            is_final: matches!(source, SecretSource::Env(_)),
            source: source.clone(),
            why: why.into(),
        }
    }

    /// Whether another attempt would fail in the same way.
    ///
    /// ```
    /// use fetch_auth::{SecretKind, read_secret};
    /// let error = read_secret(&"env:NO_SUCH_SECRET".parse()?, SecretKind::Line).unwrap_err();
    /// assert!(error.is_final());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.is_final
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.why)
    }
}

impl Error for SecretError {}
