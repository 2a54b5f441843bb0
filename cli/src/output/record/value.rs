//! Values of fields, as JSON and as cells of a table.
//!
//! For speed, texts without special characters are copied to JSON unchanged; everything else is
//! left to `serde_json`. A test compares both for a whole record.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::value::RawValue;

use super::started_at::StartedAt;
use crate::outcome::error_type::ErrorType;
use crate::outcome::kind::OutcomeKind;
use crate::outcome::recorded_body::RecordedValue;

/// The type of a column. Tables have no unsigned numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::output) enum ColumnType {
    Double,
    Int,
    /// JSON as text.
    Json,
    Long,
    Text,
    /// Microseconds since 1970, in UTC; as text an RFC 3339 date.
    Timestamp,
}

/// One value of a column.
pub(in crate::output) enum TableCell<'a> {
    Double(f64),
    Int(i32),
    Long(i64),
    Null,
    Text(Cow<'a, str>),
    Timestamp(StartedAt),
}

impl TableCell<'_> {
    pub(super) fn text_of(value: &impl ToString) -> Self {
        Self::Text(value.to_string().into())
    }
}

impl fmt::Display for TableCell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Double(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
            Self::Null => Ok(()),
            Self::Text(text) => text.fmt(f),
            Self::Timestamp(at) => at.fmt(f),
        }
    }
}

/// The value of a field.
pub(super) trait FieldValue {
    /// The type of its column.
    const COLUMN: Option<ColumnType>;

    fn cell(&self) -> TableCell<'_>;

    fn write_json(&self, out: &mut Vec<u8>);

    /// Whether a JSON object has the field.
    fn is_present(&self) -> bool {
        true
    }
}

impl<T: FieldValue> FieldValue for Option<T> {
    const COLUMN: Option<ColumnType> = T::COLUMN;

    fn cell(&self) -> TableCell<'_> {
        self.as_ref().map_or(TableCell::Null, T::cell)
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write_json(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

/// A value that JSON objects leave out, instead of writing null.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct IfPresent<T>(pub(crate) Option<T>);

impl<T: FieldValue> FieldValue for IfPresent<T> {
    const COLUMN: Option<ColumnType> = T::COLUMN;

    fn cell(&self) -> TableCell<'_> {
        self.0.cell()
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        self.0.write_json(out);
    }

    fn is_present(&self) -> bool {
        self.0.is_some()
    }
}

impl FieldValue for &str {
    const COLUMN: Option<ColumnType> = Some(ColumnType::Text);

    fn cell(&self) -> TableCell<'_> {
        TableCell::Text((*self).into())
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        // Without a branch for each byte.
        if self
            .bytes()
            .fold(true, |plain, byte| plain & is_plain(byte))
        {
            out.reserve(self.len() + 2);
            out.push(b'"');
            out.extend_from_slice(self.as_bytes());
            out.push(b'"');
        } else {
            write_with_serde(out, self);
        }
    }
}

/// JSON on one line. A table has it as text.
impl FieldValue for &RawValue {
    const COLUMN: Option<ColumnType> = Some(ColumnType::Json);

    fn cell(&self) -> TableCell<'_> {
        TableCell::Text(self.get().into())
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.get().as_bytes());
    }
}

impl FieldValue for &RecordedValue {
    const COLUMN: Option<ColumnType> = Some(ColumnType::Text);

    fn cell(&self) -> TableCell<'_> {
        TableCell::Text(match self {
            RecordedValue::Json(json) => json.get().into(),
            RecordedValue::Base64(text) | RecordedValue::Text(text) => text.into(),
        })
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            RecordedValue::Json(json) => (&**json).write_json(out),
            RecordedValue::Base64(text) | RecordedValue::Text(text) => {
                text.as_str().write_json(out);
            }
        }
    }
}

impl FieldValue for OutcomeKind {
    const COLUMN: Option<ColumnType> = Some(ColumnType::Text);

    fn cell(&self) -> TableCell<'_> {
        TableCell::Text(self.as_str().into())
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        self.as_str().write_json(out);
    }
}

/// Implements [`FieldValue`] for types whose JSON is serde's: the type of the column, and the cell.
macro_rules! serde_values {
    ($($Value:ty: $column:expr, |$value:pat_param| $cell:expr;)*) => {
        $(impl FieldValue for $Value {
            const COLUMN: Option<ColumnType> = $column;

            fn cell(&self) -> TableCell<'_> {
                let $value = self;
                $cell
            }

            fn write_json(&self, out: &mut Vec<u8>) {
                write_with_serde(out, self);
            }
        })*
    };
}
pub(super) use serde_values;

serde_values!(
    u8: Some(ColumnType::Int), |value| TableCell::Int((*value).into());
    u16: Some(ColumnType::Int), |value| TableCell::Int((*value).into());
    u64: Some(ColumnType::Long), |value| saturated(*value);
    usize: Some(ColumnType::Long), |value| saturated(*value as u64);
    f64: Some(ColumnType::Double), |value| TableCell::Double(*value);
    ErrorType: Some(ColumnType::Text), |value| TableCell::text_of(value);
    IpAddr: Some(ColumnType::Text), |value| TableCell::text_of(value);
);

fn saturated(number: u64) -> TableCell<'static> {
    TableCell::Long(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(super) fn write_with_serde(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("a field is writable as JSON");
}
