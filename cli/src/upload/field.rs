//! The value of `-F`: curl's syntax of a form's field.

use crate::display::Quoted;

/// A field of a form, or the beginning or end of a group of fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum FormField {
    /// `NAME=(`: the following fields, up to `=)`, are the parts of this one.
    Begin(FieldOptions),
    /// `NAME=@FILE,FILE`.
    Files(FieldOptions, Vec<FieldOptions>),
    /// `NAME=<FILE`: the file's content, without its name.
    Content(FieldOptions, String),
    /// `=)`
    End,
    Text(FieldOptions, String),
}

/// The attributes of a field, or of a file in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct FieldOptions {
    /// `;encoder=`
    pub(super) encoding: Option<TransferEncoding>,
    /// `;filename=`
    pub(super) filename: Option<String>,
    /// `;headers=`: fields, `@FILE` or `<FILE`.
    pub(super) headers: Vec<String>,
    /// The name of the field, or of a file in it.
    pub(super) name: String,
    /// `;type=`
    pub(super) media_type: Option<String>,
}

/// The value of `;encoder=`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TransferEncoding {
    Base64,
    /// The bytes as they are, with this name in `Content-Transfer-Encoding`.
    Identity(&'static str),
}

const FORM: &str =
    "write NAME=CONTENT, NAME=@FILE or NAME=<FILE, then ;type=, ;filename= or ;headers=";

impl FormField {
    /// Parses the value of `-F`.
    ///
    /// # Errors
    ///
    /// The fault, and the replacement to write.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, content) = text
            .split_once('=')
            .ok_or_else(|| format!("no =: {FORM}"))?;
        let options = FieldOptions {
            name: name.to_owned(),
            ..FieldOptions::default()
        };
        let mut rest = content;
        match content.chars().next() {
            Some('(') => {
                rest = &rest[1..];
                Ok(Self::Begin(options.parse(&mut rest, "")?))
            }
            Some(')') if name.is_empty() && content.len() == 1 => Ok(Self::End),
            Some('@') => {
                let mut files = Vec::new();
                while let Some(after) = rest.strip_prefix(['@', ',']) {
                    rest = after;
                    let path = word(&mut rest, ",;");
                    if path.is_empty() {
                        return Err(format!("no file after @: {FORM}"));
                    }
                    let file = FieldOptions {
                        name: path,
                        ..FieldOptions::default()
                    };
                    files.push(file.parse(&mut rest, ",")?);
                }
                Ok(Self::Files(options, files))
            }
            Some('<') => {
                rest = &rest[1..];
                let path = word(&mut rest, ";");
                if path.is_empty() {
                    return Err(format!("no file after <: {FORM}"));
                }
                Ok(Self::Content(options.parse(&mut rest, "")?, path))
            }
            _ => {
                let text = word(&mut rest, ";");
                Ok(Self::Text(options.parse(&mut rest, "")?, text))
            }
        }
    }

    /// The value of `--form-string`: no character has a meaning.
    ///
    /// # Errors
    ///
    /// If there is no `=`.
    pub(crate) fn parse_string(text: &str) -> Result<Self, String> {
        let (name, content) = text.split_once('=').ok_or("no =: write NAME=CONTENT")?;
        let options = FieldOptions {
            name: name.to_owned(),
            ..FieldOptions::default()
        };
        Ok(Self::Text(options, content.to_owned()))
    }
}

impl FieldOptions {
    /// Parses `;KEY=VALUE` up to the end, or up to a character of `end`.
    fn parse(mut self, rest: &mut &str, end: &str) -> Result<Self, String> {
        while let Some(after) = rest.strip_prefix(';') {
            let after = after.trim_start();
            let stops = format!("{end};");
            let Some((key, value)) = after.split_once('=').filter(|(key, _)| is_key(key)) else {
                return Err(format!(
                    "after ; comes type=, filename=, headers= or encoder=, not {}: write \
                     quotes around content with a semicolon, or --form-string",
                    Quoted(after)
                ));
            };
            *rest = value;
            match key {
                "type" => {
                    let mut found = word(rest, &stops);
                    // Parameters of the media type follow it, such as ;charset=utf-8.
                    while let Some(more) = rest.strip_prefix(';')
                        && let Some((key, _)) = more.split_once('=')
                        && !is_key(key.trim_start())
                        && !key.contains(';')
                    {
                        let space = &more[..more.len() - more.trim_ascii_start().len()];
                        *rest = more;
                        found = format!("{found};{space}{}", word(rest, &stops));
                    }
                    let is_type = found.split(';').next().is_some_and(|kind| {
                        kind.split_once('/')
                            .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
                    });
                    if !is_type {
                        return Err(format!("type={found}: write one such as type=text/plain"));
                    }
                    self.media_type = Some(found);
                }
                "filename" => self.filename = Some(word(rest, &stops)),
                "headers" => self.headers.push(word(rest, &stops)),
                _ => self.encoding = Some(encoding(&word(rest, &stops))?),
            }
        }
        match rest.is_empty() || rest.starts_with(|c| end.contains(c)) {
            true => Ok(self),
            false => Err(format!("{} follows a quoted text: {FORM}", Quoted(rest))),
        }
    }
}

fn is_key(key: &str) -> bool {
    matches!(key, "encoder" | "filename" | "headers" | "type")
}

fn encoding(name: &str) -> Result<TransferEncoding, String> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "base64" => TransferEncoding::Base64,
        "7bit" => TransferEncoding::Identity("7bit"),
        "8bit" => TransferEncoding::Identity("8bit"),
        "binary" => TransferEncoding::Identity("binary"),
        _ => {
            return Err(format!(
                "encoder={name}: write base64, 7bit, 8bit or binary"
            ));
        }
    })
}

/// Takes a word that ends before one of `stops`, without the spaces around it. In quotes, these have no
/// meaning, and a backslash stands before a quote or a backslash.
fn word(rest: &mut &str, stops: &str) -> String {
    if let Some(quoted) = rest.trim_ascii_start().strip_prefix('"')
        && let Some((text, after)) = quoted_word(quoted)
        && let after = after.trim_ascii_start()
        && (after.is_empty() || after.starts_with(|c| stops.contains(c)))
    {
        *rest = after;
        return text;
    }
    let end = rest.find(|c| stops.contains(c)).unwrap_or(rest.len());
    let (text, after) = rest.split_at(end);
    *rest = after;
    text.trim_ascii().to_owned()
}

/// The text up to the closing quote, and what follows it.
fn quoted_word(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 1..])),
            '\\' if text[at + 1..].starts_with(['"', '\\']) => {
                out.extend(chars.next().map(|(_, c)| c));
            }
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(name: &str) -> FieldOptions {
        FieldOptions {
            name: name.to_owned(),
            ..FieldOptions::default()
        }
    }

    #[test]
    fn fields_are_parsed_as_curl_does() {
        let text = |name, text: &str| FormField::Text(options(name), text.to_owned());
        for (value, expected) in [
            ("a=b", text("a", "b")),
            ("a=b=c", text("a", "b=c")),
            ("a=", text("a", "")),
            ("a= <b> ", text("a", "<b>")),
            ("a= \" b \" ", text("a", " b ")),
            ("a= @f", text("a", "@f")),
            ("a=\"b;c\\\"\"", text("a", "b;c\"")),
            ("a=say \"x\"", text("a", "say \"x\"")),
            ("=)", FormField::End),
            ("a=(", FormField::Begin(options("a"))),
            ("a=<f", FormField::Content(options("a"), "f".to_owned())),
            (
                "a=@f,\"g,h\"",
                FormField::Files(options("a"), vec![options("f"), options("g,h")]),
            ),
        ] {
            assert_eq!(FormField::parse(value), Ok(expected), "{value}");
        }
        assert_eq!(
            FormField::parse_string("a=@b;type=c"),
            Ok(text("a", "@b;type=c"))
        );
    }

    #[test]
    fn spaces_around_attributes_are_dropped() {
        let parsed = FormField::parse("a=b ; type=text/foo; charset=utf-8 ; filename= c ");
        let expected = FieldOptions {
            filename: Some("c".to_owned()),
            media_type: Some("text/foo; charset=utf-8".to_owned()),
            ..options("a")
        };
        assert_eq!(parsed, Ok(FormField::Text(expected, "b".to_owned())));
    }

    #[test]
    fn type_filename_headers_and_encoder_follow() {
        let parsed = FormField::parse(
            "a=@f;filename=\"x;y\"; type=text/html;charset=utf-8;headers=X: 1;headers=@h;encoder=base64,g",
        );
        let first = FieldOptions {
            encoding: Some(TransferEncoding::Base64),
            filename: Some("x;y".to_owned()),
            headers: vec!["X: 1".to_owned(), "@h".to_owned()],
            name: "f".to_owned(),
            media_type: Some("text/html;charset=utf-8".to_owned()),
        };
        assert_eq!(
            parsed,
            Ok(FormField::Files(options("a"), vec![first, options("g")]))
        );
    }

    #[test]
    fn wrong_fields_are_refused_with_a_fix() {
        for (value, part) in [
            ("a", "no =: write NAME=CONTENT"),
            ("a=@", "no file"),
            ("a=@f,", "no file"),
            ("a=<", "no file"),
            ("a=b;c", "--form-string"),
            ("a=b;type=x", "type=text/plain"),
            ("a=b;encoder=quoted-printable", "base64"),
            ("a=(x", "follows"),
        ] {
            let error = FormField::parse(value).unwrap_err();
            assert!(error.contains(part), "{value}: {error}");
        }
    }
}
