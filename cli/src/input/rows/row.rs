//! One row of a list: the URL and other properties of its request.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use fetch_proto::Method;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use crate::args::values;
use crate::outcome::checksum::Checksum;
use crate::upload::RequestPayload;

/// A valid row. Fields that it does not set have the values common to all requests.
#[derive(Debug, Default)]
pub(in crate::input) struct ListRow {
    pub(in crate::input) body: Option<RequestPayload>,
    /// A file below `--body-dir`.
    pub(in crate::input) body_file: Option<String>,
    pub(in crate::input) checksum: Option<Checksum>,
    pub(in crate::input) headers: Vec<(HeaderName, HeaderValue)>,
    pub(in crate::input) id: Option<String>,
    pub(in crate::input) method: Option<Method>,
    pub(in crate::input) out: Option<String>,
    pub(in crate::input) priority: i8,
    /// The timeout of an attempt.
    pub(in crate::input) timeout: Option<Duration>,
    pub(in crate::input) url: String,
}

/// A line of a JSONL list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRow {
    url: String,
    body: Option<Value>,
    body_base64: Option<String>,
    body_file: Option<String>,
    checksum: Option<String>,
    headers: Option<BTreeMap<String, FieldValues>>,
    id: Option<Value>,
    method: Option<String>,
    out: Option<String>,
    priority: Option<i8>,
    timeout: Option<Value>,
}

/// The values of header fields of one name.
#[derive(Deserialize)]
#[serde(untagged)]
enum FieldValues {
    Many(Vec<String>),
    One(String),
}

impl ListRow {
    /// Parses a line of a JSONL list: an object, or a URL as a string.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to write instead.
    pub(in crate::input) fn json(line: &[u8]) -> Result<Self, String> {
        if line.first() == Some(&b'"') {
            let url = serde_json::from_slice(line).map_err(|error| json_error(&error))?;
            return Ok(Self {
                url,
                ..Self::default()
            });
        }
        let object: JsonRow = serde_json::from_slice(line).map_err(|error| json_error(&error))?;
        let mut row = Self {
            priority: object.priority.unwrap_or(0),
            url: object.url,
            ..Self::default()
        };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        for (name, value) in [
            ("body_file", object.body_file),
            ("checksum", object.checksum),
            ("id", object.id.as_ref().map(text)),
            ("method", object.method),
            ("out", object.out),
            ("timeout", object.timeout.as_ref().map(text)),
        ] {
            row.set(name, value.as_deref().unwrap_or_default())?;
        }
        for (name, fields) in object.headers.unwrap_or_default() {
            let values = match fields {
                FieldValues::Many(values) => values,
                FieldValues::One(value) => vec![value],
            };
            for value in values {
                row.header(&name, &value)?;
            }
        }
        row.body = match (object.body, object.body_base64) {
            (Some(_), Some(_)) => return Err("body and body_base64: leave one out".into()),
            (Some(Value::String(text)), None) => Some(RequestPayload::Bytes(text.into())),
            (Some(json), None) => {
                row.set_json_type()?;
                Some(RequestPayload::Bytes(json.to_string().into()))
            }
            (None, Some(text)) => {
                let engine = base64::engine::general_purpose::STANDARD;
                let bytes = engine.decode(text.trim());
                let bytes = bytes.map_err(|error| format!("body_base64: {error}"))?;
                Some(RequestPayload::Bytes(bytes.into()))
            }
            (None, None) => None,
        };
        if row.body.is_some() && row.body_file.is_some() {
            return Err("body and body_file: leave one out".into());
        }
        Ok(row)
    }

    /// Sets the field of a column. An empty value sets nothing.
    ///
    /// # Errors
    ///
    /// Why the value is not valid.
    pub(in crate::input) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        let wrong = |why: String| format!("{name} {value:?}: {why}");
        match name {
            "body" => self.body = Some(RequestPayload::Bytes(value.to_owned().into())),
            "body_file" => self.body_file = Some(value.to_owned()),
            "checksum" => self.checksum = Some(Checksum::parse(value)?),
            "id" => self.id = Some(value.to_owned()),
            "method" => self.method = Some(values::method(value).map_err(wrong)?),
            "out" => self.out = Some(value.to_owned()),
            "priority" => {
                let parsed = value.parse();
                self.priority =
                    parsed.map_err(|_| wrong("write a whole number from -128 to 127".into()))?;
            }
            "timeout" => {
                let limit = values::seconds(value).map_err(wrong)?;
                if limit.is_zero() {
                    return Err(wrong("write more than 0 seconds".into()));
                }
                self.timeout = Some(limit);
            }
            "url" => value.clone_into(&mut self.url),
            _ => {}
        }
        Ok(())
    }

    fn header(&mut self, name: &str, value: &str) -> Result<(), String> {
        let option = values::header(&format!("{name}: {value}"))?;
        let value = match option.value {
            Some(value) => value,
            None => HeaderValue::from_static(""),
        };
        self.headers.push((option.name, value));
        Ok(())
    }

    fn set_json_type(&mut self) -> Result<(), String> {
        match self.headers.iter().any(|(name, _)| name == "content-type") {
            true => Ok(()),
            false => self.header("content-type", "application/json"),
        }
    }

    /// Whether it sets nothing but the URL.
    pub(in crate::input) fn is_plain(&self) -> bool {
        let Self {
            body,
            body_file,
            checksum,
            headers,
            id,
            method,
            out,
            priority,
            timeout,
            url: _,
        } = self;
        let nothing = body.is_none()
            && body_file.is_none()
            && checksum.is_none()
            && headers.is_empty()
            && id.is_none();
        nothing && method.is_none() && out.is_none() && *priority == 0 && timeout.is_none()
    }
}

/// The names of columns with a meaning.
pub(super) const COLUMNS: [&str; 9] = [
    "body",
    "body_file",
    "checksum",
    "id",
    "method",
    "out",
    "priority",
    "timeout",
    "url",
];

/// The message for a line of JSON that cannot be parsed.
fn json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // Each line is a separate document, so only the column counts.
    let (what, _) = text.split_once(" at line ").unwrap_or((&text, ""));
    match error.column() {
        0 => what.to_owned(),
        column => format!("{what}, at column {column}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields_of_an_object_are_read() {
        let row = ListRow::json(
            br#"{"url": "http://a.test/", "method": "PUT", "headers": {"X-A": ["1", "2"], "x-b": "3"},
            "body": {"n": 1}, "out": "a.txt", "id": 7, "priority": -3, "timeout": "1.5",
            "checksum": "md5:d41d8cd98f00b204e9800998ecf8427e"}"#,
        );
        let row = row.unwrap();
        assert_eq!(
            (row.url.as_str(), row.method),
            ("http://a.test/", Some(Method::Put))
        );
        let fields: Vec<_> = row
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_bytes()))
            .collect();
        let expected = [
            ("x-a", "1"),
            ("x-a", "2"),
            ("x-b", "3"),
            ("content-type", "application/json"),
        ];
        assert_eq!(
            fields,
            expected.map(|(name, value)| (name, value.as_bytes()))
        );
        assert_eq!(row.body.unwrap().identity(), br#"{"n":1}"#);
        assert_eq!(
            (row.id.as_deref(), row.out.as_deref()),
            (Some("7"), Some("a.txt"))
        );
        assert_eq!(
            (row.priority, row.timeout),
            (-3, Some(Duration::from_millis(1500)))
        );
        assert!(row.checksum.is_some());
        assert!(ListRow::json(br#""http://a.test/""#).unwrap().is_plain());
    }

    #[test]
    fn wrong_rows_are_reported_with_a_fix() {
        for (line, part) in [
            (
                r#"{"ur": "http://a.test/"}"#,
                "unknown field `ur`, expected one of `url`",
            ),
            (r#"{"method": "GET"}"#, "missing field `url`"),
            (r#"{"url": "http://a.test/""#, "at column"),
            (r"[1]", "invalid"),
            (r#"{"url": "u", "checksum": "abc"}"#, "write sha256:"),
            (
                r#"{"url": "u", "checksum": "sha256:12"}"#,
                "64 hexadecimal digits",
            ),
            (r#"{"url": "u", "method": "get"}"#, "write GET"),
            (
                r#"{"url": "u", "headers": {"a b": "c"}}"#,
                "not a field's name",
            ),
            (
                r#"{"url": "u", "headers": {"Host": "c"}}"#,
                "host cannot be set",
            ),
            (r#"{"url": "u", "timeout": 0}"#, "more than 0"),
            (r#"{"url": "u", "timeout": "soon"}"#, "timeout \"soon\""),
            (r#"{"url": "u", "priority": 1000}"#, "expected i8"),
            (
                r#"{"url": "u", "body": "a", "body_base64": "YQ=="}"#,
                "leave one out",
            ),
            (r#"{"url": "u", "body_base64": "?"}"#, "body_base64"),
            (
                r#"{"url": "u", "body": "a", "body_file": "b"}"#,
                "leave one out",
            ),
        ] {
            let why = ListRow::json(line.as_bytes()).unwrap_err();
            assert!(why.contains(part), "{line}: {why}");
        }
    }
}
