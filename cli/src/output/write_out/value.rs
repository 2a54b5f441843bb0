//! Values of variables, as text and as JSON.

use std::borrow::Cow;
use std::io::Write;

use crate::output::record::{ColumnType, TableCell};

/// The value of a variable.
pub(super) enum WriteOutValue<'a> {
    Integer(i64),
    /// Written with microseconds, as in curl.
    Seconds(f64),
    /// Three digits as text, a number in JSON.
    Status(u16),
    /// Empty as text, and null in JSON, if it is not known.
    Text(Option<Cow<'a, str>>),
}

impl<'a> WriteOutValue<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(Some(text.into()))
    }

    pub(super) fn number(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// The value of a field of the record. As in curl, an unknown number is 0.
    pub(super) fn of_field(kind: Option<ColumnType>, cell: TableCell<'a>) -> Self {
        match (cell, kind) {
            (TableCell::Double(value), _) => Self::Seconds(value),
            (TableCell::Int(value), _) => Self::Integer(value.into()),
            (TableCell::Long(value), _) => Self::Integer(value),
            (cell @ TableCell::Timestamp(_), _) => Self::text(cell.to_string()),
            (TableCell::Text(text), _) => Self::Text(Some(text)),
            (TableCell::Null, Some(ColumnType::Double)) => Self::Seconds(0.0),
            (TableCell::Null, Some(ColumnType::Int | ColumnType::Long)) => Self::Integer(0),
            (TableCell::Null, _) => Self::Text(None),
        }
    }

    pub(super) fn write_text(&self, out: &mut Vec<u8>) {
        let written = match self {
            Self::Integer(number) => write!(out, "{number}"),
            Self::Seconds(seconds) => write!(out, "{seconds:.6}"),
            Self::Status(status) => write!(out, "{status:03}"),
            Self::Text(text) => out.write_all(text.as_deref().unwrap_or_default().as_bytes()),
        };
        written.expect("a vector takes every write");
    }

    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Status(status) => Self::Integer((*status).into()).write_text(out),
            Self::Text(text) => {
                serde_json::to_writer(out, text).expect("a text is writable as JSON");
            }
            number => number.write_text(out),
        }
    }
}
