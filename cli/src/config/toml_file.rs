//! TOML files that people write. Errors have file, line, column, the text, and a fix.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};

use super::print::is_secret_option;
use crate::display::sanitize;
use crate::exit::CliError;

/// A TOML text and its name.
pub(crate) struct TomlDocument {
    name: String,
    text: String,
}

impl TomlDocument {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let (name, text) = (name.to_owned(), text.to_owned());
        Self { name, text }
    }

    /// Reads the file that `option` names.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not UTF-8.
    pub(crate) fn read(option: &str, path: &Path) -> Result<Self, CliError> {
        let name = sanitize(path.as_os_str().as_encoded_bytes());
        let text = fs::read_to_string(path).map_err(|error| {
            CliError::file(format!(
                "{option} {name}: cannot be read: {error}: check the name of the file"
            ))
        })?;
        Ok(Self { name, text })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text has the syntax of TOML.
    pub(crate) fn is_toml(&self) -> bool {
        toml::from_str::<toml::Table>(&self.text).is_ok()
    }

    /// Deserializes the text as a `T`.
    ///
    /// # Errors
    ///
    /// If it is not valid TOML, or not a `T`.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        toml::from_str(&self.text).map_err(|error| {
            let why = error.message().replace('\n', "; ");
            self.error_at(error.span().unwrap_or(0..0), &why)
        })
    }

    /// An error about the bytes of `span`.
    pub(crate) fn error_at(&self, span: Range<usize>, why: &str) -> CliError {
        let mut start = span.start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let line = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let number = self.text[..line].matches('\n').count() + 1;
        let column = self.text[line..start].chars().count() + 1;
        let whole = self.text[line..].lines().next().unwrap_or_default();
        // A span of several lines is a table: its first line identifies it.
        let text = match self.text.get(span) {
            Some(text) if !text.trim().is_empty() && !text.contains('\n') => text,
            _ => whole.trim(),
        };
        let text = match self.secret_key(line) {
            Some(key) => key.to_owned(),
            None => sanitize(text.as_bytes()),
        };
        CliError::usage(format!("{}:{number}:{column}: {text}: {why}", self.name))
    }
}

impl TomlDocument {
    /// The key of the value that the line at `start` belongs to, if it is an option with a secret.
    fn secret_key(&self, start: usize) -> Option<&str> {
        let end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |end| start + end);
        let mut keys = self.text[..end].lines().rev().filter_map(|line| {
            let key = line.split_once('=')?.0.trim().trim_matches(['"', '\'']);
            let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            (!key.is_empty() && key.chars().all(is_key)).then_some(key)
        });
        keys.next()
            .filter(|key| is_secret_option(&key.replace('-', "_")))
    }
}

/// A duration, written as `"250ms"`, `"6s"` or `"1m 30s"`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextDuration(pub(crate) Duration);

impl<'de> serde::Deserialize<'de> for TextDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a time such as \"250ms\" or \"6s\"", |text| {
            parse_duration(text).map(Self)
        })
    }
}

/// Parses a duration.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed: Option<jiff::SignedDuration> = text.trim().parse().ok();
    let parsed =
        parsed.ok_or("not a time: write a number with a unit, such as \"250ms\" or \"6s\"")?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative here".to_owned())
}

/// Deserializes a string that `parse` accepts.
pub(crate) fn deserialize_text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct TextVisitor<P>(&'static str, P);

    impl<T, P: FnOnce(&str) -> Result<T, String>> Visitor<'_> for TextVisitor<P> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(TextVisitor(expected, parse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct TestTable {
        #[expect(dead_code, reason = "only its errors matter")]
        wait: TextDuration,
    }

    fn error(text: &str) -> String {
        let document = TomlDocument::new("x.toml", text);
        document.parse::<TestTable>().unwrap_err().message
    }

    #[test]
    fn errors_name_line_column_text_and_fix() {
        assert_eq!(
            error("# é\nwait = \"soon\"\n"),
            "x.toml:2:8: \"soon\": not a time: write a number with a unit, such as \"250ms\" or \"6s\""
        );
        for (text, parts) in [
            ("wait = 5", &["x.toml:1:8: 5: ", "a time such as"][..]),
            (
                "wiat = \"5s\"",
                &["x.toml:1:1: wiat: ", "unknown field", "`wait`"],
            ),
            ("wait = \"-5s\"", &["x.toml:1:8: ", "negative"]),
            ("wait = \"5s", &["x.toml:1:", "wait = \"5s"]),
            ("", &["x.toml:1:1: ", "missing field `wait`"]),
        ] {
            let error = error(text);
            parts
                .iter()
                .for_each(|part| assert!(error.contains(part), "{error}: {part}"));
        }
    }

    #[test]
    fn values_of_secret_options_are_not_shown() {
        for text in [
            "user = \"me:secret\" x",
            "user = [\"me:secret\", x",
            "oauth2-bearer = secret",
            "header = [\n\"X-Key secret\" x",
            "\"proxy-user\" = 'me:secret",
        ] {
            let error = error(text);
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("5").is_err() && parse_duration("").is_err());
    }
}
