//! Lists in JSONL: one object per line, or a URL as a string.

use serde_json::Value;
use serde_json::value::RawValue;

use super::columns::{CarriedColumns, ColumnChoice, ColumnNotes, is_same, json_text, meaning};
use super::members::{self, Members};
use super::row::{ListRow, scalar};
use super::{ParsedRow, TableError};
use crate::args::UrlColumn;
use crate::display::{Quoted, sanitize};

/// How a line is written.
const FORM: &str = "write an object per line, such as {\"url\": \"http://…\"}, or a URL in quotes";

/// Parses the lines of a JSONL list.
#[derive(Debug)]
pub(in crate::input) struct JsonRows {
    choice: ColumnChoice,
    /// Columns that are probably misspelt.
    names: ColumnNotes,
    /// Messages about the list that have not been printed.
    pub(in crate::input) notes: Vec<String>,
    /// The key of the URL.
    url: String,
}

impl JsonRows {
    /// # Errors
    ///
    /// If the URL's column is given by a number.
    pub(in crate::input) fn new(
        url: Option<&UrlColumn>,
        choice: ColumnChoice,
    ) -> Result<Self, TableError> {
        let url = match url {
            None => "url".to_owned(),
            Some(UrlColumn::Named(name)) => name.clone(),
            Some(UrlColumn::Number(number)) => {
                return Err(TableError(format!(
                    "--url-column {number}: the members of JSON objects have no order: write the name"
                )));
            }
        };
        Ok(Self {
            choice,
            names: ColumnNotes::default(),
            notes: Vec::new(),
            url,
        })
    }

    /// Parses a line.
    pub(in crate::input) fn parse(&mut self, number: u64, line: &[u8]) -> ParsedRow {
        let mut row = ListRow::default();
        let result = match line.first() {
            Some(b'"') => serde_json::from_slice(line)
                .map(|url: String| row.url = url.trim().to_owned())
                .map_err(|error| json_error(line, &error)),
            _ => match serde_json::from_slice(line) {
                Ok(members) => self.read(&members, &mut row),
                Err(error) => Err(json_error(line, &error)),
            },
        };
        ParsedRow {
            error: result.err(),
            line: number,
            raw: line.to_vec(),
            row,
        }
    }

    fn read(&mut self, Members(members): &Members<'_>, row: &mut ListRow) -> Result<(), String> {
        let mut carried = CarriedColumns::default();
        let mut result = Ok(());
        let mut has_url = false;
        let mut json_body = None;
        let mut meanings: Vec<(&str, &str)> = Vec::new();
        for (name, value) in members {
            let known = match is_same(name, &self.url) {
                true => Some("url"),
                false => meaning(name),
            };
            if self.choice.includes(name, known.is_some()) {
                carried.add(&json_text(name), value.get());
                if known.is_none() {
                    let others = members.iter().map(|(name, _)| name.as_str());
                    let note = self.names.note(&self.choice, name, others);
                    self.notes.extend(note);
                }
            }
            let Some(known) = known else { continue };
            if let Some((_, other)) = meanings.iter().find(|(meaning, _)| *meaning == known) {
                let (other, name) = (Quoted(other), Quoted(name));
                let both = format!("{other} and {name} mean the same: leave one out");
                result = result.and(Err(both));
            }
            meanings.push((known, name));
            has_url |= known == "url";
            let set = set_member(row, known, value, &mut json_body);
            result = result.and(set);
        }
        row.carried = carried.finish();
        if let Some(json) = json_body {
            result = result
                .and_then(|()| row.set_body(json.into()))
                .and_then(|()| row.set_json_type());
        }
        result?;
        if row.url.is_empty() {
            return Err(self.missing_url(members, has_url));
        }
        Ok(())
    }

    /// The hint for a row without a URL.
    fn missing_url(&self, members: &[(String, &RawValue)], has_url: bool) -> String {
        let wanted = Quoted(&self.url);
        if has_url {
            return format!("{wanted} is empty: write a URL");
        }
        let has_scheme = |value: &RawValue| value.get().contains("://");
        let mut candidates = members.iter().filter(|(_, value)| has_scheme(value));
        let hint = match (candidates.next(), candidates.next()) {
            (Some((name, _)), None) => {
                let name = sanitize(name.as_bytes());
                format!("write --url-column {name} if that is the URL")
            }
            _ => "write it, or name its column by --url-column".to_owned(),
        };
        format!("there is no {wanted}: {hint}")
    }
}

/// Sets the field of a member. A body that is no text is left in `json_body`, because the content type
/// depends on the other members.
fn set_member(
    row: &mut ListRow,
    name: &str,
    value: &RawValue,
    json_body: &mut Option<String>,
) -> Result<(), String> {
    if value.get() == "null" {
        return Ok(());
    }
    let is_text = value.get().starts_with('"');
    if name == "body" && !is_text {
        *json_body = Some(value.get().to_owned());
        return Ok(());
    }
    let parsed: Value = serde_json::from_str(value.get())
        .map_err(|error| format!("{name}: {}", members::syntax(&error.to_string())))?;
    match (name, parsed) {
        ("body", Value::String(text)) => row.set_body(text.into()),
        ("headers", fields) if !is_text => {
            members::check_fields(value.get())?;
            row.set_headers(&fields)
        }
        ("url" | "out" | "method" | "checksum", parsed) if !is_text => {
            let found = sanitize(parsed.to_string().as_bytes());
            Err(format!("{name} {found}: write a text in quotes"))
        }
        (_, parsed) => match scalar(&parsed) {
            Some(text) if name == "url" => {
                text.trim().clone_into(&mut row.url);
                Ok(())
            }
            Some(text) => row.set(name, &text),
            None => {
                let found = sanitize(parsed.to_string().as_bytes());
                Err(format!("{name} {found}: write a text or a number"))
            }
        },
    }
}

/// The message for a line that cannot be parsed.
fn json_error(line: &[u8], error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = members::syntax(&text);
    if what.ends_with(members::REPEATED) {
        return format!("{what}: leave one out");
    }
    if line.starts_with(b"[") {
        return format!(
            "a list in JSON: {FORM}; `jq -c '.[]' FILE` converts a file that is one list"
        );
    }
    if error.is_data() || !line.starts_with(b"{") && !line.starts_with(b"\"") {
        return format!("not a JSON object: {FORM}");
    }
    if std::str::from_utf8(line).is_err() {
        return "not valid UTF-8: save the list as UTF-8".into();
    }
    let place = match error.column() {
        0 => String::new(),
        column => format!(" at column {column}"),
    };
    match error.is_eof() {
        true => format!("the JSON ends too early{place}: {FORM}"),
        false => format!("not valid JSON{place}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fetch_proto::Method;

    use super::*;

    fn parse(line: &str) -> Result<ListRow, String> {
        parse_with(line, None)
    }

    fn parse_with(line: &str, url: Option<&str>) -> Result<ListRow, String> {
        let url = url.map(|url| UrlColumn::parse(url).unwrap());
        let mut rows = JsonRows::new(url.as_ref(), ColumnChoice::Others).unwrap();
        let parsed = rows.parse(1, line.as_bytes());
        parsed.error.map_or(Ok(parsed.row), Err)
    }

    #[test]
    fn two_members_of_one_meaning_are_refused() {
        for (line, names) in [
            (
                r#"{"url":"http://a/","URL":"http://b/"}"#,
                "\"url\" and \"URL\"",
            ),
            (
                r#"{"url":"http://a/","Method":"POST","method":"GET"}"#,
                "\"Method\" and \"method\"",
            ),
        ] {
            let mut rows = JsonRows::new(None, ColumnChoice::default()).unwrap();
            let error = rows.parse(1, line.as_bytes()).error;
            let expected = format!("{names} mean the same: leave one out");
            assert_eq!(error, Some(expected), "{line}");
        }
    }

    #[test]
    fn all_fields_of_an_object_are_read() {
        let row = parse(
            r#"{"url": "http://a.test/", "method": "PUT", "headers": {"X-A": ["1", 2], "x-b": "3"},
            "body": {"n": 1.0}, "out": "a.txt", "id": 7, "priority": -3, "timeout": "1.5",
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
        assert_eq!(row.body.unwrap().identity(), br#"{"n": 1.0}"#);
        assert_eq!(
            (row.id.as_deref(), row.out.as_deref()),
            (Some("7"), Some("a.txt"))
        );
        assert_eq!(
            (row.priority, row.timeout),
            (-3, Some(Duration::from_millis(1500)))
        );
        assert!(row.checksum.is_some() && row.carried.is_none());
        assert!(parse(r#""http://a.test/""#).unwrap().is_plain());
    }

    #[test]
    fn other_members_are_carried_as_they_are_written() {
        let line = r#"{"caption": "a \"cat\"", "url": "http://a/", "n": 1.0, "t": [1, {"b": null}],
            "big": 12345678901234567890123, "none": null}"#;
        let carried = parse(line).unwrap().carried.unwrap();
        let expected = r#"{"caption":"a \"cat\"","n":1.0,"t":[1, {"b": null}],"big":12345678901234567890123,"none":null}"#;
        assert_eq!(carried.get(), expected);
    }

    #[test]
    fn the_url_may_have_another_name() {
        let line = r#"{"Link": "http://a/", "url": "x"}"#;
        let row = parse_with(line, Some("link")).unwrap();
        assert_eq!(row.url, "http://a/");
        assert_eq!(row.carried.unwrap().get(), r#"{"url":"x"}"#);
        assert_eq!(parse(r#"{"URL": "http://a/"}"#).unwrap().url, "http://a/");
        let number = UrlColumn::Number(1);
        let error = JsonRows::new(Some(&number), ColumnChoice::Others).unwrap_err();
        assert!(error.0.contains("write the name"), "{}", error.0);
    }

    #[test]
    fn a_wrong_row_still_has_its_url_and_its_columns() {
        let mut rows = JsonRows::new(None, ColumnChoice::Others).unwrap();
        let line = br#"{"timeout": 0, "url": "http://a/", "caption": "c"}"#;
        let parsed = rows.parse(1, line);
        assert!(parsed.error.is_some());
        assert_eq!(parsed.row.url, "http://a/");
        assert_eq!(parsed.row.carried.unwrap().get(), r#"{"caption":"c"}"#);
    }

    #[test]
    fn wrong_rows_are_reported_with_a_fix() {
        for (line, part) in [
            (r#"{"ur": "http://a.test/"}"#, "write --url-column ur"),
            (r#"{"method": "GET"}"#, "there is no \"url\": write it"),
            (r#"{"url": ""}"#, "is empty"),
            (r#"{"url": null}"#, "is empty"),
            (r#"{"url": 5}"#, "url 5: write a text in quotes"),
            (r#"{"url": "http://a.test/""#, "ends too early at column"),
            (r#"{"url": "http://a.test/" "x": 1}"#, "at column"),
            (r#"{"url": "u", "url": "v"}"#, "twice: leave one out"),
            (r"[1]", "jq -c"),
            ("http://a.test/", "a URL in quotes"),
            ("7", "not a JSON object"),
            (r#"{"url": "u", "checksum": "abc"}"#, "write sha256:"),
            (
                r#"{"url": "u", "checksum": "sha256:12"}"#,
                "64 hexadecimal digits",
            ),
            (r#"{"url": "u", "checksum": 5}"#, "checksum 5: write a text"),
            (r#"{"url": "u", "method": "get"}"#, "write GET"),
            (r#"{"url": "u", "method": 5}"#, "method 5: write a text"),
            (
                r#"{"url": "u", "id": [1]}"#,
                "id [1]: write a text or a number",
            ),
            (
                r#"{"url": "u", "headers": {"a b": "c"}}"#,
                "not a field's name",
            ),
            (
                r#"{"url": "u", "headers": {"Content-Length": "5"}}"#,
                "content-length cannot be set",
            ),
            (r#"{"url": "u", "headers": ["a: b"]}"#, "write an object"),
            (
                r#"{"url": "u", "headers": {"a": {"b": 1}}}"#,
                "a list of texts",
            ),
            (r#"{"url": "u", "headers": {"a": null}}"#, "\"a\" is null"),
            (
                r#"{"url": "u", "headers": {"a": "1", "a": "2"}}"#,
                "\"a\" is there twice: write a list",
            ),
            (r#"{"url": "u", "x": 1, "x": 2}"#, "\"x\" is there twice"),
            (r#"{"url": "u", "timeout": 0}"#, "more than 0"),
            (r#"{"url": "u", "timeout": "soon"}"#, "timeout \"soon\""),
            (r#"{"url": "u", "priority": 1000}"#, "from -128 to 127"),
            (r#"{"url": "u", "priority": 1.5}"#, "from -128 to 127"),
            (
                r#"{"url": "u", "body": "a", "body_base64": "YQ=="}"#,
                "leave one out",
            ),
            (r#"{"url": "u", "body_base64": "?"}"#, "not base64"),
            (
                r#"{"url": "u", "body": "a", "body_file": "b"}"#,
                "leave one out",
            ),
        ] {
            let why = parse(line).unwrap_err();
            assert!(why.contains(part), "{line}: {why}");
            for leak in [
                "variant",
                "untagged",
                "invalid type",
                "unknown field",
                "EOF",
                "i8",
            ] {
                assert!(!why.contains(leak), "{line}: {why}");
            }
        }
    }
}
