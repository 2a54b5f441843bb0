//! Reads secrets.

use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::time::Duration;

use fetch_proto::SecretSource;
use zeroize::Zeroizing;

use super::command::MAX_BYTES;
use super::{ReadSecret, Secret, SecretError, SecretKind, command, output};

/// How long a command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(20);

/// How long the content of a file is used before it is read again, so that a token that is replaced
/// there is noticed before the old one ends.
const FILE_LIFETIME: Duration = Duration::from_secs(60);

/// Reads a secret now. Blocks, for a command up to 20 s.
///
/// - The content of a file is valid for 60 s, because it may be replaced.
/// - A command is run by `sh -c`, without input. It prints the secret in one line, or JSON with a member
///   `token`, `access_token`, `accessToken` or `status.token`, and optionally its end: `expires_in` in
///   seconds, `expires_on` in seconds since 1970, or `expiration`, `expiry`, `token_expiry` or
///   `status.expirationTimestamp` as a time of RFC 3339.
///
/// ```
/// use fetch_auth::{SecretKind, read_secret};
/// # if cfg!(unix) {
/// let secret = read_secret(&"exec:echo hunter2".parse()?, SecretKind::Line)?;
/// assert_eq!(secret.secret.expose(), "hunter2");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If it cannot be read, is empty, longer than 64 KiB, or not of this kind.
pub fn read_secret(source: &SecretSource, kind: SecretKind) -> Result<ReadSecret, SecretError> {
    let (text, lifetime) = match source {
        SecretSource::Env(name) => (read_variable(source, name)?, None),
        SecretSource::File(path) => (read_file(source, path)?, Some(FILE_LIFETIME)),
        SecretSource::Exec(line) => {
            let printed = command::output(line, COMMAND_LIMIT);
            let printed = printed.map_err(|why| SecretError::new(source, why))?;
            (utf8(source, printed)?, None)
        }
        _ => return Err(SecretError::new(source, "sources of this kind are unknown")),
    };
    if kind == SecretKind::Text {
        check_empty(source, &text)?;
        return Ok(ReadSecret {
            lifetime,
            secret: Secret(text),
        });
    }
    let (line, stated) = match source {
        SecretSource::Exec(_) => output::secret_and_lifetime(&text),
        _ => Ok((Zeroizing::new(text.trim().to_owned()), None)),
    }
    .map_err(|why| SecretError::new(source, why))?;
    check_empty(source, &line)?;
    if line.chars().any(char::is_control) {
        let why = "has several lines or control characters: one line is expected";
        return Err(SecretError::new(source, why));
    }
    Ok(ReadSecret {
        lifetime: stated.or(lifetime),
        secret: Secret(line),
    })
}

/// Checks that a secret can be read, as far as that is possible without running a command.
///
/// ```
/// use fetch_auth::{SecretKind, check_secret};
/// assert!(check_secret(&"exec:vault read api".parse()?, SecretKind::Line).is_ok());
/// assert!(check_secret(&"env:NO_SUCH_SECRET".parse()?, SecretKind::Line).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`read_secret`], except for commands.
pub fn check_secret(source: &SecretSource, kind: SecretKind) -> Result<(), SecretError> {
    match source {
        SecretSource::Exec(_) => Ok(()),
        _ => read_secret(source, kind).map(drop),
    }
}

fn read_variable(source: &SecretSource, name: &str) -> Result<Zeroizing<String>, SecretError> {
    let why = match env::var(name) {
        Ok(text) => return Ok(Zeroizing::new(text)),
        Err(env::VarError::NotPresent) => "the variable is not set: export it",
        Err(env::VarError::NotUnicode(_)) => "the variable is not UTF-8",
    };
    Err(SecretError::new(source, why))
}

fn read_file(source: &SecretSource, path: &str) -> Result<Zeroizing<String>, SecretError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > MAX_BYTES => {
            Err(SecretError::new(source, "is longer than 64 KiB"))
        }
        Ok(bytes) => utf8(source, bytes),
        Err(error) => {
            let why = format!("cannot be read: {error}: check its name and its mode");
            Err(SecretError::new(source, why))
        }
    }
}

fn utf8(source: &SecretSource, bytes: Vec<u8>) -> Result<Zeroizing<String>, SecretError> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(SecretError::new(source, "is not UTF-8"))
        }
    }
}

fn check_empty(source: &SecretSource, text: &str) -> Result<(), SecretError> {
    match text.trim().is_empty() {
        true => Err(SecretError::new(source, "is empty")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str, kind: SecretKind) -> Result<ReadSecret, String> {
        let source: SecretSource = text.parse().unwrap();
        read_secret(&source, kind).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_read_again_each_time_and_loses_the_space_around_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let source = format!("file:{}", path.display());
        for text in ["one\n", " two \r\n"] {
            fs::write(&path, text).unwrap();
            let secret = read(&source, SecretKind::Line).unwrap();
            assert_eq!(secret.secret.expose(), text.trim());
            assert_eq!(secret.lifetime, Some(FILE_LIFETIME));
        }
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let source = format!("file:{}", path.display());
        for (content, kind, expected) in [
            (&b" \n"[..], SecretKind::Line, "is empty"),
            (b"a\nb", SecretKind::Line, "has several lines"),
            (b"\xff", SecretKind::Text, "is not UTF-8"),
            (&[b'a'; 70_000], SecretKind::Text, "is longer than 64 KiB"),
        ] {
            fs::write(&path, content).unwrap();
            let error = read(&source, kind).unwrap_err();
            assert!(
                error.starts_with(&format!("{source}: {expected}")),
                "{error}"
            );
        }
        fs::write(&path, "a\nb").unwrap();
        assert!(read(&source, SecretKind::Text).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_fails_is_reported_with_its_first_line_of_errors() {
        let error = read("exec:echo no vault >&2; exit 3", SecretKind::Line).unwrap_err();
        assert!(error.contains("exit status: 3: no vault"), "{error}");
        let error = read("exec:true", SecretKind::Line).unwrap_err();
        assert!(error.ends_with("exec:true: is empty"), "{error}");
        let secret = read("exec:printf 'a\\nb\\n'", SecretKind::Text).unwrap();
        assert_eq!(secret.secret.expose(), "a\nb\n");
    }
}
