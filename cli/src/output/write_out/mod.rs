//! What `-w` prints for each URL, with curl's variables.

mod variable;

use std::fs;
use std::io::Read;

use crate::exit::CliError;
use crate::output::format::Encoder;
use crate::output::record::{Recorder, Told};
use variable::Variable;

/// A format that was read.
#[derive(Debug)]
pub(crate) struct WriteOut(Vec<Piece>);

#[derive(Debug, PartialEq)]
enum Piece {
    /// All values of a header field.
    Header(String),
    Text(String),
    Variable(Variable),
}

impl WriteOut {
    /// Reads the format, which may be in a file. `stdin_is_taken` by the list.
    ///
    /// # Errors
    ///
    /// If it names what is not known, or its file cannot be read.
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
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut literal = String::new();
        while let Some(at) = rest.find(['%', '\\']) {
            literal.push_str(&rest[..at]);
            let (piece, after) = special(&rest[at..])?;
            match piece {
                Piece::Text(text) => literal.push_str(&text),
                piece => {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                    pieces.push(piece);
                }
            }
            rest = after;
        }
        literal.push_str(rest);
        pieces.push(Piece::Text(literal));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        Ok(Self(pieces))
    }
}

fn read(path: &str) -> std::io::Result<String> {
    if path != "-" {
        return fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map(|_| text)
}

/// What begins with `%` or a backslash, and the rest.
fn special(text: &str) -> Result<(Piece, &str), String> {
    for (escape, meaning) in [("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("%%", "%")] {
        if let Some(rest) = text.strip_prefix(escape) {
            return Ok((Piece::Text(meaning.to_owned()), rest));
        }
    }
    let header = text.strip_prefix("%header{");
    if let Some(inside) = header.or_else(|| text.strip_prefix("%{")) {
        let (name, rest) = inside
            .split_once('}')
            .ok_or_else(|| format!("{text:?}: a brace without its other"))?;
        if header.is_some() {
            return Ok((Piece::Header(name.to_ascii_lowercase()), rest));
        }
        let variable = Variable::named(name).ok_or_else(|| {
            let known = variable::names().collect::<Vec<_>>().join(" ");
            format!("%{{{name}}} is not known here: there are {known}, and %header{{name}}")
        })?;
        return Ok((Piece::Variable(variable), rest));
    }
    // Anything else is itself, as in curl.
    let (one, rest) = text.split_at(1);
    Ok((Piece::Text(one.to_owned()), rest))
}

impl Encoder for WriteOut {
    fn add(&self, out: &mut Vec<u8>, recorder: &Recorder, told: &Told<'_>) {
        let record = recorder.make(told);
        let headers = match told {
            Told::Ended(ended) => ended.outcome.response().map(|response| &response.headers),
            _ => None,
        };
        for piece in &self.0 {
            match piece {
                Piece::Header(name) => {
                    let values = headers
                        .into_iter()
                        .flat_map(|headers| headers.get_all(name));
                    for (n, value) in values.enumerate() {
                        out.extend_from_slice(if n == 0 { b"" } else { b", " });
                        out.extend_from_slice(value.as_bytes());
                    }
                }
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => variable.write(out, &record, headers),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_escapes_and_variables_are_told_apart() {
        let WriteOut(pieces) = WriteOut::parse("a\\n%%\\x%{url}\\t%header{ETag}%q").unwrap();
        let text = |text: &str| Piece::Text(text.to_owned());
        let url = Piece::Variable(Variable::named("url").unwrap());
        let etag = Piece::Header("etag".to_owned());
        assert_eq!(pieces, [text("a\n%\\x"), url, text("\t"), etag, text("%q")]);
    }

    #[test]
    fn what_is_not_known_is_named_at_once() {
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
