//! The syntax of `-w`.

use super::variable::WriteOutVariable;

/// A part of a format.
#[derive(Debug, PartialEq)]
pub(super) enum WriteOutPart {
    /// A header field: its first value, or all with a separator.
    Header {
        name: String,
        separator: Option<String>,
    },
    /// The rest is written for failures only.
    OnError,
    Text(String),
    /// The rest is written to this output.
    To(OutputName),
    Variable(WriteOutVariable),
}

/// An output that a format names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OutputName {
    /// A file; `append` if its content is kept.
    File {
        path: String,
        append: bool,
    },
    Stderr,
    Stdout,
}

/// Parses a format as curl does: what is no variable is literal. Returns the names of unknown variables,
/// which stay empty.
pub(super) fn parse(text: &str) -> (Vec<WriteOutPart>, Vec<String>) {
    let (mut parts, mut unknown) = (Vec::new(), Vec::new());
    let mut rest = text;
    let mut literal = String::new();
    while let Some(at) = rest.find(['%', '\\']) {
        literal.push_str(&rest[..at]);
        let (special, after) = parse_special(&rest[at..]);
        rest = after;
        let part = match special {
            Special::Literal(text) => {
                literal.push_str(text);
                continue;
            }
            Special::Part(part) => part,
            Special::Unknown(name) => {
                unknown.push(name.to_owned());
                continue;
            }
        };
        parts.push(WriteOutPart::Text(std::mem::take(&mut literal)));
        parts.push(part);
    }
    literal.push_str(rest);
    parts.push(WriteOutPart::Text(literal));
    parts.retain(|part| *part != WriteOutPart::Text(String::new()));
    (parts, unknown)
}

enum Special<'a> {
    Literal(&'a str),
    Part(WriteOutPart),
    Unknown(&'a str),
}

/// Parses a part that starts with `%` or a backslash. Returns it and the rest of the text.
fn parse_special(text: &str) -> (Special<'_>, &str) {
    for (escape, meaning) in [("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("%%", "%")] {
        if let Some(rest) = text.strip_prefix(escape) {
            return (Special::Literal(meaning), rest);
        }
    }
    for (prefix, parse) in [
        ("%header{", parse_header as fn(&str) -> Special<'_>),
        ("%output{", parse_output),
        ("%{", parse_variable),
    ] {
        let Some(inside) = text.strip_prefix(prefix) else {
            continue;
        };
        return match inside.split_once('}') {
            Some((inside, rest)) => (parse(inside), rest),
            None => text
                .split_at_checked(prefix.len())
                .map_or((Special::Literal(text), ""), |(prefix, rest)| {
                    (Special::Literal(prefix), rest)
                }),
        };
    }
    // Both characters are literal.
    let length = text.chars().take(2).map(char::len_utf8).sum();
    let (both, rest) = text.split_at(length);
    (Special::Literal(both), rest)
}

fn parse_header(inside: &str) -> Special<'_> {
    // `name:all:separator`
    let (name, rest) = inside.split_once(':').unwrap_or((inside, ""));
    let separator = rest.strip_prefix("all");
    let separator = separator.map(|rest| match rest.strip_prefix(':') {
        Some(separator) => separator.to_owned(),
        None => ", ".to_owned(),
    });
    Special::Part(WriteOutPart::Header {
        name: name.to_ascii_lowercase(),
        separator,
    })
}

fn parse_output(inside: &str) -> Special<'_> {
    let kept = inside.strip_prefix(">>");
    Special::Part(WriteOutPart::To(OutputName::File {
        path: kept.unwrap_or(inside).to_owned(),
        append: kept.is_some(),
    }))
}

fn parse_variable(name: &str) -> Special<'_> {
    Special::Part(match name {
        "onerror" => WriteOutPart::OnError,
        "stderr" => WriteOutPart::To(OutputName::Stderr),
        "stdout" => WriteOutPart::To(OutputName::Stdout),
        _ => match WriteOutVariable::named(name) {
            Some(variable) => WriteOutPart::Variable(variable),
            None => return Special::Unknown(name),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> WriteOutPart {
        WriteOutPart::Text(text.to_owned())
    }

    fn header(name: &str, separator: Option<&str>) -> WriteOutPart {
        WriteOutPart::Header {
            name: name.to_owned(),
            separator: separator.map(str::to_owned),
        }
    }

    #[test]
    fn text_escapes_and_variables_are_distinguished() {
        let (parts, unknown) = parse("a\\n%%\\x%{url}\\t%header{ETag}%q");
        let url = WriteOutPart::Variable(WriteOutVariable::named("url").unwrap());
        let expected = [
            text("a\n%\\x"),
            url,
            text("\t"),
            header("etag", None),
            text("%q"),
        ];
        assert_eq!(parts, expected);
        assert!(unknown.is_empty());
    }

    #[test]
    fn all_values_of_a_field_have_a_separator() {
        for (format, separator) in [
            ("%header{a:all}", Some(", ")),
            ("%header{a:all:;}", Some(";")),
            ("%header{a:all:}", Some("")),
            ("%header{a:b}", None),
        ] {
            assert_eq!(parse(format).0, [header("a", separator)], "{format}");
        }
    }

    #[test]
    fn unknown_variables_stay_empty_and_are_named() {
        let (parts, unknown) = parse("a%{http_cod}b%{}");
        assert_eq!(parts, [text("ab")]);
        assert_eq!(unknown, ["http_cod", ""]);
    }

    #[test]
    fn what_is_no_variable_is_literal_as_in_curl() {
        for (format, literal) in [
            ("%{url", "%{url"),
            ("%header{url", "%header{url"),
            ("\\\\n", "\\\\n"),
            ("\\q%\\n%", "\\q%\\n%"),
            ("%ü\\ü", "%ü\\ü"),
        ] {
            assert_eq!(parse(format), (vec![text(literal)], vec![]), "{format}");
        }
    }

    #[test]
    fn outputs_are_files_and_streams() {
        let file = |path: &str, append| {
            WriteOutPart::To(OutputName::File {
                path: path.to_owned(),
                append,
            })
        };
        let (parts, _) = parse("%{stderr}%{stdout}%output{a b}%output{>>c}%{onerror}");
        let expected = [
            WriteOutPart::To(OutputName::Stderr),
            WriteOutPart::To(OutputName::Stdout),
            file("a b", false),
            file("c", true),
            WriteOutPart::OnError,
        ];
        assert_eq!(parts, expected);
    }
}
