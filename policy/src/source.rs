//! The text of a policy file: finds the position of a value and builds errors that point to it.

use std::fmt;
use std::ops::Range;

use fetch_proto::redact_secrets;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// The text of a policy file and its name.
#[derive(Clone, Debug)]
pub(crate) struct SourceText {
    pub(crate) name: String,
    text: String,
}

/// A position in a text. Line and column count from 1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// An error in a policy file. Displays as `file:line:column: text: message`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PolicyError {
    /// Name of the file, or of the environment variables.
    pub name: String,
    /// Position in the file. `None` if the value comes from the environment or the file cannot be read.
    pub position: Option<Position>,
    /// The text at that position, or the value of the environment variable; may be empty.
    pub text: String,
    /// What is wrong with it and how to fix it.
    pub message: String,
    /// Kind of the error.
    pub kind: PolicyErrorKind,
}

/// Kind of a [`PolicyError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PolicyErrorKind {
    /// A secret stands where its place is expected. The text of the error does not show it.
    ExposedSecret,
    /// A key that another key needs is missing.
    Missing,
    /// A key is unknown, or a value or the syntax is invalid.
    Invalid,
    /// The file cannot be read.
    Unreadable,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(place) = self.position {
            write!(f, ":{place}")?;
        }
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for PolicyError {}

impl PolicyError {
    pub(crate) fn with_kind(mut self, kind: PolicyErrorKind) -> Self {
        self.kind = kind;
        self
    }
}

impl SourceText {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let (name, text) = (name.to_owned(), text.to_owned());
        Self { name, text }
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, PolicyError> {
        toml::from_str(&self.text).map_err(|error| {
            let message = error.message();
            let kind = match message.starts_with("missing field") {
                true => PolicyErrorKind::Missing,
                false => PolicyErrorKind::Invalid,
            };
            let text = add_suggestion(&message.replace('\n', "; "));
            self.error_in(error.span().unwrap_or(0..0), &text)
                .with_kind(kind)
        })
    }

    /// An error at `span`, a range of bytes.
    pub(crate) fn error_in(&self, span: Range<usize>, why: &str) -> PolicyError {
        let (place, line) = self.position(span.start);
        // A span of several lines is a table: show its first line only.
        let text = match self.text.get(span) {
            Some(text) if !text.trim().is_empty() && !text.contains('\n') => text,
            _ => line.trim(),
        };
        PolicyError {
            name: self.name.clone(),
            position: Some(place),
            text: redact_secrets(text).into_owned(),
            message: why.to_owned(),
            kind: PolicyErrorKind::Invalid,
        }
    }

    /// An error at the value with this path of table keys and array indices.
    pub(crate) fn error_at(&self, path: &[&str], why: &str) -> PolicyError {
        self.error_in(self.span(path), why)
    }

    /// An error about a key that is missing in the table at `path`.
    pub(crate) fn missing_at(&self, path: &[&str], why: &str) -> PolicyError {
        self.error_at(path, why).with_kind(PolicyErrorKind::Missing)
    }

    fn position(&self, at: usize) -> (Position, &str) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let start = self.text[..at].rfind('\n').map_or(0, |end| end + 1);
        let place = Position {
            line: self.text[..start].matches('\n').count() + 1,
            column: self.text[start..at].chars().count() + 1,
        };
        let line = self.text[start..].lines().next().unwrap_or_default();
        (place, line)
    }

    /// Byte offset of a position.
    pub(crate) fn offset(&self, place: Position) -> Option<usize> {
        let lines = self.text.split_inclusive('\n');
        let start: usize = lines.take(place.line - 1).map(str::len).sum();
        let line = self.text.get(start..)?;
        let column = line.char_indices().nth(place.column - 1);
        column.map(|(at, _)| start + at)
    }

    /// Byte range of the value at `path`, or of the innermost table that exists on the path.
    pub(crate) fn span(&self, path: &[&str]) -> Range<usize> {
        let Ok(tree) = DeTable::parse(&self.text) else {
            return 0..0;
        };
        let mut span = 0..0;
        let mut table = Some(tree.get_ref());
        let mut array = None;
        for name in path {
            let value = match (table, array) {
                (Some(table), _) => table.iter().find(|(key, _)| key.get_ref() == name),
                (None, _) => None,
            };
            let value = value.map(|(_, value)| value);
            let value = value.or_else(|| {
                let array: &toml::de::DeArray<'_> = array?;
                array.get(name.parse::<usize>().ok()?)
            });
            let Some(value) = value else { break };
            span = value.span();
            (table, array) = match value.get_ref() {
                DeValue::Table(table) => (Some(table), None),
                DeValue::Array(array) => (None, Some(array)),
                _ => (None, None),
            };
        }
        span
    }

    /// The line that contains a position.
    pub(crate) fn line(&self, place: Position) -> String {
        let line = self.text.lines().nth(place.line - 1);
        redact_secrets(line.unwrap_or_default()).into_owned()
    }
}

/// Adds the most similar known name to an error about an unknown key or variant.
fn add_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(wrong) = quoted.next().filter(|_| message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    let nearest = quoted.min_by_key(|known| strsim::damerau_levenshtein(wrong, known));
    match nearest {
        Some(known) if strsim::damerau_levenshtein(wrong, known) <= 3 => {
            format!("unknown here: did you mean `{known}`? ({message})")
        }
        _ => message.to_owned(),
    }
}
