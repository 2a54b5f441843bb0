//! One row of a list: the URL and other properties of its request.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use fetch_proto::Method;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::members::check_fields;
use crate::args::values;
use crate::display::{Quoted, sanitize};
use crate::outcome::checksum::Checksum;
use crate::outcome::row::CarriedRow;
use crate::upload::RequestPayload;

/// The names of columns with a meaning.
pub(super) const COLUMNS: [&str; 11] = [
    "body",
    "body_base64",
    "body_file",
    "checksum",
    "headers",
    "id",
    "method",
    "out",
    "priority",
    "timeout",
    "url",
];

/// How header fields are written.
const HEADERS_FORM: &str =
    "write an object of names and values, such as {\"Accept\": \"text/html\"}";

/// A valid row. Fields that it does not set have the values common to all requests.
#[derive(Debug, Default)]
pub(in crate::input) struct ListRow {
    pub(in crate::input) body: Option<RequestPayload>,
    /// A file below `--body-dir`.
    pub(in crate::input) body_file: Option<String>,
    /// The columns that are carried into the record.
    pub(in crate::input) carried: Option<CarriedRow>,
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

impl ListRow {
    /// Sets the field of a column. An empty value sets nothing.
    ///
    /// # Errors
    ///
    /// The fault of the value, and the replacement to write.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        let wrong = |why: String| format!("{name} {}: {why}", Quoted(value));
        match name {
            "body" => self.set_body(value.to_owned().into())?,
            "body_base64" => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(value.trim());
                let bytes = bytes.map_err(|error| wrong(format!("not base64: {error}")))?;
                self.set_body(bytes.into())?;
            }
            "body_file" => {
                self.body_file = Some(value.to_owned());
                self.check_bodies()?;
            }
            "checksum" => self.checksum = Some(Checksum::parse(value)?),
            "headers" => {
                let fields = serde_json::from_str(value);
                let fields = fields.map_err(|_| wrong(HEADERS_FORM.into()))?;
                check_fields(value)?;
                self.set_headers(&fields)?;
            }
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
            "url" => value.trim().clone_into(&mut self.url),
            _ => {}
        }
        Ok(())
    }

    /// Sets the body.
    ///
    /// # Errors
    ///
    /// If the row has one already.
    pub(super) fn set_body(&mut self, body: Bytes) -> Result<(), String> {
        match self.body.replace(RequestPayload::Bytes(body)) {
            Some(_) => Err("body and body_base64: leave one out".into()),
            None => self.check_bodies(),
        }
    }

    fn check_bodies(&self) -> Result<(), String> {
        match self.body.is_some() && self.body_file.is_some() {
            true => Err("body and body_file: leave one out".into()),
            false => Ok(()),
        }
    }

    /// Adds the header fields of an object, whose values are texts, numbers or lists of them.
    ///
    /// # Errors
    ///
    /// The item that is not valid.
    pub(super) fn set_headers(&mut self, fields: &Value) -> Result<(), String> {
        let Value::Object(fields) = fields else {
            let found = sanitize(fields.to_string().as_bytes());
            return Err(format!("headers {found}: {HEADERS_FORM}"));
        };
        for (name, value) in fields {
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                let text = scalar(value).ok_or_else(|| {
                    let found = sanitize(value.to_string().as_bytes());
                    format!(
                        "headers: {} is {found}: write a text, or a list of texts to send the \
                         field several times",
                        Quoted(name)
                    )
                })?;
                self.header(name, &text)
                    .map_err(|why| format!("headers: {why}"))?;
            }
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

    /// Sets the content type of a JSON body, unless the row sets one.
    pub(super) fn set_json_type(&mut self) -> Result<(), String> {
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
            carried,
            checksum,
            headers,
            id,
            method,
            out,
            priority,
            timeout,
            url: _,
        } = self;
        let nothing = body.is_none() && checksum.is_none() && headers.is_empty() && id.is_none();
        let nothing = nothing && body_file.is_none() && carried.is_none();
        nothing && method.is_none() && out.is_none() && *priority == 0 && timeout.is_none()
    }
}

/// A text, a number or a boolean as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Null | Value::Object(_) => None,
    }
}
