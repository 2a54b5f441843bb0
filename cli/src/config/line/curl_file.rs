//! Files of options in curl's syntax: `-K FILE`.

/// An option of a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FileOption {
    /// The number of the line, from 1.
    pub(super) line: usize,
    /// As written, with its dashes if it has some.
    pub(super) name: String,
    pub(super) value: Option<String>,
    /// Text after a value without quotes, which is probably a part of it.
    pub(super) rest: String,
}

/// The options of a file.
///
/// As in curl, a line has an option, with or without dashes, and its value after spaces, `=` or `:`.
/// A value with spaces is in double quotes, with the escapes `\t`, `\n`, `\r` and `\v`, and `\` before
/// any other character for this character. A line that begins with `#`, `/` or `*` is a comment.
pub(super) fn parse(text: &str) -> impl Iterator<Item = FileOption> {
    let lines = text.lines().enumerate();
    lines.filter_map(|(at, line)| {
        let line = line.trim_start_matches(is_space);
        let is_comment = line.is_empty() || line.starts_with(['#', '/', '*']);
        (!is_comment).then(|| option(at + 1, line))
    })
}

fn option(number: usize, line: &str) -> FileOption {
    // After dashes, `=` and `:` are part of the name.
    let is_separator = |c: char| !line.starts_with('-') && matches!(c, '=' | ':');
    let end = line.find(|c| is_space(c) || is_separator(c));
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(|c| is_space(c) || is_separator(c));
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => (Some(unquote(quoted)), ""),
        None => {
            let (value, rest) = rest.split_at(rest.find(is_space).unwrap_or(rest.len()));
            let rest = rest.trim_matches(is_space);
            let rest = if rest.starts_with('#') { "" } else { rest };
            ((!value.is_empty()).then(|| value.to_owned()), rest)
        }
    };
    FileOption {
        line: number,
        name: name.to_owned(),
        value,
        rest: rest.to_owned(),
    }
}

/// The text up to the closing quote.
fn unquote(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => break,
            '\\' => match characters.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('v') => out.push('\x0b'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}

/// White space of C's `isspace`.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> (String, Option<String>, String) {
        let options: Vec<_> = parse(line).collect();
        assert_eq!(options.len(), 1, "{line}");
        let FileOption {
            name, value, rest, ..
        } = options.into_iter().next().unwrap();
        (name, value, rest)
    }

    #[test]
    fn lines_are_read_as_curl_reads_them() {
        for (line, name, value, rest) in [
            ("max-time = 5", "max-time", Some("5"), ""),
            ("max-time: 5", "max-time", Some("5"), ""),
            ("max-time 5", "max-time", Some("5"), ""),
            ("  --max-time\t5  ", "--max-time", Some("5"), ""),
            ("-m 5 # seconds", "-m", Some("5"), ""),
            ("--max-time=5", "--max-time=5", None, ""),
            ("-fsS", "-fsS", None, ""),
            ("silent\r", "silent", None, ""),
            (
                "user-agent = \"a \\\"b\\\"\\t\\x\" c",
                "user-agent",
                Some("a \"b\"\tx"),
                "",
            ),
            ("referer = \"\"", "referer", Some(""), ""),
            ("header = X-A: 1", "header", Some("X-A:"), "1"),
            ("url = http://a/#b", "url", Some("http://a/#b"), ""),
            ("data = \"not closed", "data", Some("not closed"), ""),
        ] {
            let expected = (name.to_owned(), value.map(str::to_owned), rest.to_owned());
            assert_eq!(one(line), expected, "{line}");
        }
    }

    #[test]
    fn comments_and_empty_lines_are_counted_and_ignored() {
        let text = "# a\n\n// b\n* c\n   # d\nsilent\n\n-f\n";
        let lines: Vec<_> = parse(text).map(|option| option.line).collect();
        assert_eq!(lines, [6, 8]);
    }
}
