//! Redacts URLs and rule patterns in JSON.

use std::borrow::Cow;

use serde_json::Value;

use super::{UrlRedactor, pattern_has_secret};

/// Redacts all URLs in `value` and replaces rule patterns that contain a secret by one that matches
/// nothing. Returns whether anything changed.
pub(crate) fn redact_json(value: &mut Value, redactor: &UrlRedactor) -> bool {
    match value {
        Value::Array(values) => values
            .iter_mut()
            .fold(false, |any, v| redact_json(v, redactor) | any),
        Value::Object(fields) => fields
            .iter_mut()
            .fold(false, |any, (name, value)| match value {
                Value::String(text) if name == "pattern" && pattern_has_secret(text) => {
                    *text = redactor.placeholder_pattern(text);
                    true
                }
                value => redact_json(value, redactor) | any,
            }),
        Value::String(text) if text.starts_with("http://") || text.starts_with("https://") => {
            match redactor.redact_url(text) {
                Cow::Owned(hidden) => {
                    *text = hidden;
                    true
                }
                Cow::Borrowed(_) => false,
            }
        }
        _ => false,
    }
}
