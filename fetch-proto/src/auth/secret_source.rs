//! Where a secret is read from.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

/// The place of a secret, as it is written in a policy file or an option. The secret itself is never
/// written there.
///
/// ```
/// use fetch_proto::SecretSource;
///
/// let source: SecretSource = "env:API_SECRET".parse()?;
/// assert_eq!(source, SecretSource::Env("API_SECRET".into()));
/// assert_eq!(source.to_string(), "env:API_SECRET");
/// let pasted = "hunter2".parse::<SecretSource>().unwrap_err();
/// assert!(!pasted.to_string().contains("hunter2"));
/// # Ok::<(), fetch_proto::InvalidSecretSource>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SecretSource {
    /// The environment variable of this name.
    Env(String),
    /// The output of this command.
    Exec(String),
    /// The content of the file with this path.
    File(String),
}

/// The text does not say where a secret is read from. The text is not shown, because it may be the
/// secret.
///
/// ```
/// use fetch_proto::SecretSource;
/// let error = "secret".parse::<SecretSource>().unwrap_err();
/// assert!(error.to_string().starts_with("write where the secret is read from: env:NAME"));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct InvalidSecretSource;

impl FromStr for SecretSource {
    type Err = InvalidSecretSource;

    fn from_str(text: &str) -> Result<Self, InvalidSecretSource> {
        let (kind, place) = text.split_once(':').ok_or(InvalidSecretSource)?;
        let place = place.trim();
        let has_control = place.chars().any(char::is_control);
        if place.is_empty() || has_control {
            return Err(InvalidSecretSource);
        }
        let place = place.to_string();
        match kind {
            "env" if !place.contains('=') => Ok(Self::Env(place)),
            "exec" => Ok(Self::Exec(place)),
            "file" => Ok(Self::File(place)),
            _ => Err(InvalidSecretSource),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Exec(command) => write!(f, "exec:{command}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl fmt::Display for InvalidSecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "write where the secret is read from: env:NAME, file:PATH or exec:COMMAND, not the secret itself",
        )
    }
}

impl core::error::Error for InvalidSecretSource {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_as_it_is_written() {
        for text in [
            "env:A_B",
            "file:/run/secrets/a b",
            "exec:pass show api | head -1",
        ] {
            let source: SecretSource = text.parse().unwrap();
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn a_text_without_a_place_is_refused_and_not_shown() {
        for text in [
            "",
            "env:",
            "env: ",
            "env:A=b",
            "s3cret",
            "vault:x",
            "file:a\nb",
            ":x",
        ] {
            let error = text.parse::<SecretSource>().unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{text}");
        }
    }
}
