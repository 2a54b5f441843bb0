//! Bodies in records: as text, JSON or base64.

use base64::Engine as _;
use clap::ValueEnum;
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::display::{ByteSize, Quoted};

/// How much of a document is searched for the name of its charset, as browsers do.
const CHARSET_SEARCH: usize = 1024;

/// The form of `--record-body`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum RecordedForm {
    /// Base64 (RFC 4648), for any content
    Base64,
    /// The JSON value itself; other content becomes a text, and `body_error` says so
    Json,
    /// Text, converted from the charset of the response
    Text,
}

/// The settings of `--record-body`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyRecording {
    pub(crate) form: RecordedForm,
    /// The size of the longest one, in bytes.
    pub(crate) max: u64,
}

/// The body of a record.
#[derive(Clone, Debug)]
pub(crate) enum RecordedValue {
    Base64(String),
    /// JSON on one line.
    Json(Box<RawValue>),
    Text(String),
}

/// A body as it is recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordedBody {
    /// Why it is missing, or not what `--record-body` asks for.
    pub(crate) error: Option<String>,
    /// `None` if it is missing, or empty where JSON is wanted.
    pub(crate) value: Option<RecordedValue>,
}

impl Serialize for RecordedValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(json) => json.serialize(serializer),
            Self::Base64(text) | Self::Text(text) => text.serialize(serializer),
        }
    }
}

impl BodyRecording {
    /// Encodes a body of this size, of which `bytes` are the first `max` at least. `content_type` is
    /// the response's field.
    pub(crate) fn encode(self, size: u64, bytes: &[u8], content_type: &str) -> RecordedBody {
        if size > self.max {
            let (size, max) = (ByteSize(size), ByteSize(self.max));
            return RecordedBody {
                error: Some(format!(
                    "{size} are longer than {max}, the limit of --record-body-max"
                )),
                value: None,
            };
        }
        let (error, value) = match self.form {
            RecordedForm::Base64 => {
                let text = base64::engine::general_purpose::STANDARD.encode(bytes);
                (None, Some(RecordedValue::Base64(text)))
            }
            RecordedForm::Text => {
                let (text, error) = decode(bytes, content_type);
                (error, Some(RecordedValue::Text(text)))
            }
            RecordedForm::Json if bytes.is_empty() => (None, None),
            RecordedForm::Json => {
                let (text, error) = decode(bytes, content_type);
                match serde_json::from_str::<&RawValue>(&text) {
                    Ok(_) => {
                        let json = RawValue::from_string(compact(&text)).ok();
                        (error, json.map(RecordedValue::Json))
                    }
                    Err(found) => {
                        let (line, column) = (found.line(), found.column());
                        let why = format!("not JSON: wrong at line {line}, column {column}");
                        (Some(why), Some(RecordedValue::Text(text)))
                    }
                }
            }
        };
        RecordedBody { error, value }
    }
}

/// Valid JSON without the whitespace between its tokens, so that it is on one line.
fn compact(json: &str) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        if in_string {
            in_string = is_escaped || *c != '"';
            is_escaped = *c == '\\' && !is_escaped;
            return true;
        }
        in_string = *c == '"';
        !matches!(c, ' ' | '\t' | '\r' | '\n')
    };
    json.chars().filter(is_kept).collect()
}

/// The text of a body, and what could not be converted.
fn decode(bytes: &[u8], content_type: &str) -> (String, Option<String>) {
    let declared = parameter(content_type, "charset");
    let known = declared.and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = known.or_else(|| declared_inside(bytes, content_type));
    let (text, used, has_errors) = encoding.unwrap_or(UTF_8).decode(bytes);
    let unknown = declared.filter(|_| known.is_none());
    if has_errors && encoding.is_none() && unknown.is_none() && is_kind(content_type, "text/") {
        let (text, _, _) = WINDOWS_1252.decode(bytes);
        let why = "neither UTF-8 nor with a charset: read as windows-1252";
        return (text.into_owned(), Some(why.into()));
    }
    let error = match (has_errors, unknown) {
        (true, _) => {
            let name = used.name();
            Some(format!(
                "not valid {name}: wrong bytes are replaced by U+FFFD; --record-body base64 keeps them"
            ))
        }
        (false, Some(label)) => {
            let label = Quoted(label);
            Some(format!("the charset {label} is unknown: read as UTF-8"))
        }
        (false, None) => None,
    };
    (text.into_owned(), error)
}

fn is_kind(content_type: &str, start: &str) -> bool {
    let kind = content_type.trim_start().get(..start.len());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(start))
}

/// A parameter of a media type (RFC 9110, section 8.3.1).
fn parameter<'a>(content_type: &'a str, wanted: &str) -> Option<&'a str> {
    let parameters = content_type.split(';').skip(1);
    let mut pairs = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
    Some(value.trim().trim_matches(['"', '\'']))
}

/// The charset that an HTML or XML document names in its first bytes.
fn declared_inside(bytes: &[u8], content_type: &str) -> Option<&'static Encoding> {
    let media_type = content_type.split(';').next().unwrap_or_default();
    let media_type = media_type.to_ascii_lowercase();
    if !media_type.contains("html") && !media_type.contains("xml") {
        return None;
    }
    let start = &bytes[..bytes.len().min(CHARSET_SEARCH)];
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    ["charset=", "encoding="].iter().find_map(|name| {
        let (_, rest) = start.split_once(name)?;
        let rest = rest.trim_start_matches(['"', '\'', ' ']);
        let end = rest.find(['"', '\'', ' ', ';', '>', '?', '/'])?;
        Encoding::for_label(&rest.as_bytes()[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(form: RecordedForm, bytes: &[u8], content_type: &str) -> (String, String) {
        let recording = BodyRecording { form, max: 100 };
        let body = recording.encode(bytes.len() as u64, bytes, content_type);
        let value = serde_json::to_string(&body.value).unwrap();
        (value, body.error.unwrap_or_default())
    }

    fn text(bytes: &[u8], content_type: &str) -> (String, String) {
        encode(RecordedForm::Text, bytes, content_type)
    }

    #[test]
    fn text_is_converted_from_its_charset() {
        for (bytes, content_type) in [
            (&b"\xc3\xa9"[..], "application/json"),
            (b"\xe9", "text/plain; charset=\"iso-8859-1\""),
            (b"\xef\xbb\xbf\xc3\xa9", "text/plain; charset=latin1"),
            (b"\xff\xfe\xe9\0", "text/plain"),
        ] {
            let expected = ("\"é\"".to_owned(), String::new());
            assert_eq!(text(bytes, content_type), expected, "{content_type}");
        }
        let html = b"<meta charset=windows-1251>\xe9";
        assert!(text(html, "text/html").0.contains("й"));
        let xml = b"<?xml version='1.0' encoding='ISO-8859-2'?>\xea";
        assert!(text(xml, "application/rss+xml").0.contains("ę"));
    }

    #[test]
    fn text_that_cannot_be_converted_exactly_is_reported() {
        let (value, error) = text(b"a\xff", "application/x");
        assert_eq!(value, "\"a\u{fffd}\"");
        assert!(error.contains("not valid UTF-8"), "{error}");
        let (value, error) = text(b"\xe9", "text/html");
        assert_eq!(value, "\"é\"");
        assert!(error.contains("windows-1252"), "{error}");
        let (_, error) = text(b"a", "text/plain; charset=klingon");
        assert!(error.contains("\"klingon\" is unknown"), "{error}");
    }

    #[test]
    fn json_is_recorded_as_it_is_on_one_line() {
        let json = b"\xef\xbb\xbf{\r\n \"b\" : [ 1.0,\t12345678901234567890123 ], \"a\\\" \": \"x  y\" }\n";
        let expected = r#"{"b":[1.0,12345678901234567890123],"a\" ":"x  y"}"#;
        let (value, error) = encode(RecordedForm::Json, json, "application/json");
        assert_eq!((value.as_str(), error.as_str()), (expected, ""));
        let (value, _) = encode(RecordedForm::Json, b"", "application/json");
        assert_eq!(value, "null");
    }

    #[test]
    fn what_is_no_json_is_recorded_as_text_and_reported() {
        for (body, place) in [
            (&b"<html>"[..], "line 1, column 1"),
            (b"{\"a\": 1,\n 2}", "line 2"),
            (b"1 2", "column 3"),
            (b"tru e", "column"),
            (b"{} {}", "column 4"),
        ] {
            let (value, error) = encode(RecordedForm::Json, body, "");
            let expected = serde_json::to_string(str::from_utf8(body).unwrap()).unwrap();
            assert_eq!(value, expected);
            assert!(
                error.contains("not JSON") && error.contains(place),
                "{error}"
            );
        }
    }

    #[test]
    fn base64_holds_any_content_and_long_bodies_are_left_out() {
        let (value, _) = encode(RecordedForm::Base64, b"\0\xff", "image/png");
        assert_eq!(value, "\"AP8=\"");
        let (value, error) = text(&[b'x'; 101], "text/plain");
        assert_eq!(value, "null");
        assert!(error.contains("101 B are longer than 100 B"), "{error}");
    }
}
