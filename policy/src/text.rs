//! The file's text: where something stands in it, and what is wrong there.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// A text and its name.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) name: String,
    text: String,
}

/// A place in a text, both counted from 1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong with a policy file. Displays as `file:line:column: text: why and the fix`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Wrong {
    /// The file, or the environment variable.
    pub name: String,
    /// Where in the file.
    pub place: Option<Place>,
    /// The text that is wrong.
    pub text: String,
    /// Why, and the fix.
    pub why: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(place) = self.place {
            write!(f, ":{place}")?;
        }
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl std::error::Error for Wrong {}

impl Text {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let (name, text) = (name.to_owned(), text.to_owned());
        Self { name, text }
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Wrong> {
        toml::from_str(&self.text).map_err(|error| {
            let why = with_hint(&error.message().replace('\n', "; "));
            self.wrong(error.span().unwrap_or(0..0), &why)
        })
    }

    /// What is wrong at `span`, in bytes from the start.
    pub(crate) fn wrong(&self, span: Range<usize>, why: &str) -> Wrong {
        let (place, line) = self.place(span.start);
        // A span over several lines is a table: its first line is enough to find it.
        let text = match self.text.get(span) {
            Some(text) if !text.trim().is_empty() && !text.contains('\n') => text,
            _ => line.trim(),
        };
        Wrong {
            name: self.name.clone(),
            place: Some(place),
            text: text.to_owned(),
            why: why.to_owned(),
        }
    }

    /// What is wrong with the value at `path`: names of tables, and numbers in their arrays.
    pub(crate) fn wrong_at(&self, path: &[&str], why: &str) -> Wrong {
        self.wrong(self.span(path), why)
    }

    fn place(&self, at: usize) -> (Place, &str) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let start = self.text[..at].rfind('\n').map_or(0, |end| end + 1);
        let place = Place {
            line: self.text[..start].matches('\n').count() + 1,
            column: self.text[start..at].chars().count() + 1,
        };
        let line = self.text[start..].lines().next().unwrap_or_default();
        (place, line)
    }

    /// Where in the text, in bytes, a place is.
    pub(crate) fn offset(&self, place: Place) -> Option<usize> {
        let lines = self.text.split_inclusive('\n');
        let start: usize = lines.take(place.line - 1).map(str::len).sum();
        let line = self.text.get(start..)?;
        let column = line.char_indices().nth(place.column - 1);
        column.map(|(at, _)| start + at)
    }

    /// Where the value at `path` stands, or the table that it would be in.
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

    /// The line of a place, for showing it.
    pub(crate) fn line(&self, place: Place) -> &str {
        self.text.lines().nth(place.line - 1).unwrap_or_default()
    }
}

/// An error about a key or a variant that is not known, with the nearest that is.
fn with_hint(message: &str) -> String {
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
