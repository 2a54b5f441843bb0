//! A log record as one line, which logged values cannot break or colour.

use std::collections::BTreeMap;
use std::fmt::Write;

use log::Record;
use log::kv::{self, Key, VisitSource, VisitValue};
use serde::Serialize;
use serde_json::{Number, Value};

/// Formats `TIME LEVEL target: message key=value …`.
pub(crate) fn text(time: &str, record: &Record<'_>) -> String {
    let mut line = format!("{time} {:5} ", record.level());
    push_escaped(&mut line, record.target());
    line.push_str(": ");
    push_escaped(&mut line, &record.args().to_string());
    for (key, value) in fields(record) {
        line.push(' ');
        push_word(&mut line, &key);
        line.push('=');
        match value {
            Value::String(value) => push_word(&mut line, &value),
            value => line.push_str(&value.to_string()),
        }
    }
    line.push('\n');
    line
}

/// Formats one JSON object; `fields` has the key-values with their types.
pub(crate) fn json(time: &str, record: &Record<'_>) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        time: &'a str,
        level: &'a str,
        target: &'a str,
        message: String,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<String, Value>,
    }
    let line = Line {
        time,
        level: record.level().as_str(),
        target: record.target(),
        message: record.args().to_string(),
        fields: fields(record).into_iter().collect(),
    };
    let text = serde_json::to_string(&line).expect("strings and numbers have a JSON form");
    // DEL, C1 controls and direction marks are not escaped yet. They can only be in strings.
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if is_unsafe(c) {
            write!(line, "\\u{:04x}", u32::from(c)).expect("a string takes every write");
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

/// Whether a character could end the line, control the terminal or reorder the text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        )
        || matches!(c, '\u{2066}'..='\u{2069}')
}

fn push_escaped(line: &mut String, text: &str) {
    for c in text.chars() {
        if is_unsafe(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

/// Quotes the text unless it is a single word.
fn push_word(line: &mut String, text: &str) {
    let special = |c: char| c.is_whitespace() || is_unsafe(c) || matches!(c, '"' | '\\' | '=');
    if !text.is_empty() && !text.contains(special) {
        return line.push_str(text);
    }
    line.push('"');
    push_escaped(line, &text.replace('\\', "\\\\").replace('"', "\\\""));
    line.push('"');
}

/// Collects the key-values in their order.
fn fields(record: &Record<'_>) -> Vec<(String, Value)> {
    struct FieldCollector(Vec<(String, Value)>);
    impl<'kvs> VisitSource<'kvs> for FieldCollector {
        fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
            let mut collector = ValueCollector(Value::Null);
            value.visit(&mut collector)?;
            self.0.push((key.as_str().to_owned(), collector.0));
            Ok(())
        }
    }
    let mut fields = FieldCollector(Vec::new());
    if let Err(error) = record.key_values().visit(&mut fields) {
        // A logger can report its own errors only in the line.
        fields
            .0
            .push(("log_error".to_owned(), Value::String(error.to_string())));
    }
    fields.0
}

/// Collects a value with its type; types that JSON does not have become texts.
struct ValueCollector(Value);

impl VisitValue<'_> for ValueCollector {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.0 = Value::String(value.to_string());
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.0 = Value::Null;
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        let number = Number::from_f64(value);
        self.0 = number.map_or_else(|| Value::String(value.to_string()), Value::Number);
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;
    use serde_json::json;

    const TIME: &str = "2030-01-02T03:04:05.678901Z";

    type Pairs<'a> = Vec<(&'a str, kv::Value<'a>)>;

    fn line(format: fn(&str, &Record<'_>) -> String, message: &str, pairs: &Pairs<'_>) -> String {
        let mut record = Record::builder();
        record
            .level(Level::Info)
            .target("fetch_all")
            .key_values(pairs);
        let line = format(TIME, &record.args(format_args!("{message}")).build());
        assert!(
            line.ends_with('\n') && line.lines().count() == 1,
            "{line:?}"
        );
        assert!(!line.trim_end_matches('\n').contains(is_unsafe), "{line:?}");
        line
    }

    const HOSTILE: &str = "a\nb\r\u{1b}[31m\u{7f}\u{9b}2J\u{202e}\u{2028}\0\t\"\\";

    #[test]
    fn text_has_time_level_target_message_and_values() {
        let pairs = vec![
            ("n", 7u32.into()),
            ("url", "http://h/?a b".into()),
            ("ok", true.into()),
        ];
        let expected = format!("{TIME} INFO  fetch_all: done n=7 url=\"http://h/?a b\" ok=true\n");
        assert_eq!(line(text, "done", &pairs), expected);
    }

    #[test]
    fn text_escapes_unsafe_characters() {
        let pairs = vec![("header", HOSTILE.into()), ("bad\nkey", "".into())];
        let line = line(text, "two\nlines \u{1b}[2J", &pairs);
        assert!(line.contains(r"fetch_all: two\nlines \u{1b}[2J "), "{line}");
        let header = r#"header="a\nb\r\u{1b}[31m\u{7f}\u{9b}2J\u{202e}\u{2028}\u{0}\t\"\\""#;
        assert!(line.contains(header), "{line}");
        assert!(line.contains(r#" "bad\nkey"="""#), "{line}");
    }

    #[test]
    fn text_does_not_escape_other_scripts() {
        assert!(line(text, "größe 東京 🦀", &vec![]).contains(": größe 東京 🦀\n"));
    }

    #[test]
    fn json_is_one_object_with_typed_fields() {
        let pairs = vec![
            ("n", 7u64.into()),
            ("i", (-1i64).into()),
            ("x", 1.5f64.into()),
            ("ok", true.into()),
        ];
        let parsed: Value = serde_json::from_str(&line(json, "done", &pairs)).unwrap();
        let fields = json!({"n": 7, "i": -1, "x": 1.5, "ok": true});
        let expected = json!({
            "time": TIME, "level": "INFO", "target": "fetch_all", "message": "done", "fields": fields
        });
        assert_eq!(parsed, expected);
    }

    #[test]
    fn json_preserves_every_unsafe_character() {
        let pairs = vec![("header", HOSTILE.into()), (HOSTILE, f64::NAN.into())];
        let parsed: Value = serde_json::from_str(&line(json, HOSTILE, &pairs)).unwrap();
        assert_eq!(parsed["message"], HOSTILE);
        assert_eq!(parsed["fields"], json!({"header": HOSTILE, HOSTILE: "NaN"}));
    }
}
