//! `-w`: a text with curl's variables, printed for each URL.

mod variable;

use std::fs;
use std::io::Read;

use crate::exit::CliError;
use crate::output::format::RecordEncoder;
use crate::output::record::{RecordBuilder, RecordInput};
use variable::WriteOutVariable;

/// A parsed format.
#[derive(Debug)]
pub(crate) struct WriteOut(Vec<WriteOutPart>);

#[derive(Debug, PartialEq)]
enum WriteOutPart {
    /// All values of a header field.
    Header(String),
    Text(String),
    Variable(WriteOutVariable),
}

impl WriteOut {
    /// Parses the option, which may name a file. `stdin_is_taken`: the list is read from stdin.
    ///
    /// # Errors
    ///
    /// If a variable is not known, or the file cannot be read.
    pub(crate) fn load(option: &str, stdin_is_taken: bool) -> Result<Self, CliError> {
        let text = match option.strip_prefix('@') {
            None => option.to_owned(),
            Some("-") if stdin_is_taken => {
                return Err(CliError::usage(
                    "-w @- and -i -: stdin can be read only once",
                ));
            }
            Some(path) => read(path).map_err(|error| {
                CliError::file(format!("--write-out @{path}: cannot be read: {error}"))
            })?,
        };
        Self::parse(&text).map_err(|error| CliError::usage(format!("--write-out: {error}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut literal = String::new();
        while let Some(at) = rest.find(['%', '\\']) {
            literal.push_str(&rest[..at]);
            let (part, after) = parse_special(&rest[at..])?;
            match part {
                WriteOutPart::Text(text) => literal.push_str(&text),
                part => {
                    parts.push(WriteOutPart::Text(std::mem::take(&mut literal)));
                    parts.push(part);
                }
            }
            rest = after;
        }
        literal.push_str(rest);
        parts.push(WriteOutPart::Text(literal));
        parts.retain(|part| *part != WriteOutPart::Text(String::new()));
        Ok(Self(parts))
    }
}

fn read(path: &str) -> std::io::Result<String> {
    if path != "-" {
        return fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map(|_| text)
}

/// Parses a part that starts with `%` or a backslash. Returns it and the rest of the text.
fn parse_special(text: &str) -> Result<(WriteOutPart, &str), String> {
    for (escape, meaning) in [("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("%%", "%")] {
        if let Some(rest) = text.strip_prefix(escape) {
            return Ok((WriteOutPart::Text(meaning.to_owned()), rest));
        }
    }
    let header = text.strip_prefix("%header{");
    if let Some(inside) = header.or_else(|| text.strip_prefix("%{")) {
        let (name, rest) = inside
            .split_once('}')
            .ok_or_else(|| format!("{text:?}: unbalanced brace"))?;
        if header.is_some() {
            return Ok((WriteOutPart::Header(name.to_ascii_lowercase()), rest));
        }
        let variable = WriteOutVariable::named(name).ok_or_else(|| {
            let known = variable::names().join(" ");
            format!("%{{{name}}} is not known here: use {known}, or %header{{name}}")
        })?;
        return Ok((WriteOutPart::Variable(variable), rest));
    }
    // Anything else is literal, as in curl.
    let (one, rest) = text.split_at(1);
    Ok((WriteOutPart::Text(one.to_owned()), rest))
}

impl RecordEncoder for WriteOut {
    fn encode(&self, out: &mut Vec<u8>, builder: &RecordBuilder, input: &RecordInput<'_>) {
        let record = builder.build(input);
        let headers = input.headers();
        let headers = headers.as_deref();
        for part in &self.0 {
            match part {
                WriteOutPart::Header(name) => {
                    let values = headers
                        .into_iter()
                        .flat_map(|headers| headers.get_all(name));
                    for (n, value) in values.enumerate() {
                        out.extend_from_slice(if n == 0 { b"" } else { b", " });
                        out.extend_from_slice(value.as_bytes());
                    }
                }
                WriteOutPart::Text(text) => out.extend_from_slice(text.as_bytes()),
                WriteOutPart::Variable(variable) => variable.write(out, &record, headers),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_escapes_and_variables_are_distinguished() {
        let WriteOut(parts) = WriteOut::parse("a\\n%%\\x%{url}\\t%header{ETag}%q").unwrap();
        let text = |text: &str| WriteOutPart::Text(text.to_owned());
        let url = WriteOutPart::Variable(WriteOutVariable::named("url").unwrap());
        let etag = WriteOutPart::Header("etag".to_owned());
        assert_eq!(parts, [text("a\n%\\x"), url, text("\t"), etag, text("%q")]);
    }

    #[test]
    fn unknown_variables_are_named_at_once() {
        for (format, why) in [
            ("%{http_cod}", "%{http_cod} is not known"),
            ("%{local_ip}", "%{local_ip} is not known"),
            ("%{url", "brace"),
        ] {
            let error = WriteOut::parse(format).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
