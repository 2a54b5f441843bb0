//! Values with a secret name: parameters, fields of forms, header fields, members of JSON.

use alloc::vec::Vec;
use core::ops::Range;

use super::{is_secret_field, is_secret_parameter, percent_decode, secret_ranges};

/// The last name before a separator.
#[derive(Clone, Default)]
struct Name {
    range: Range<usize>,
    is_complete: bool,
    /// Whether a quote follows it, as in JSON.
    is_quoted: bool,
}

/// Finds values after `NAME=`, and after `Name:` as in header fields and JSON.
pub(super) fn find(text: &str, depth: usize, found: &mut Vec<Range<usize>>) {
    let mut name = Name::default();
    let mut is_in_query = false;
    // The value that was found last ends here.
    let mut skip_to = 0;
    for (at, c) in text.char_indices() {
        if at < skip_to {
            continue;
        }
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '%') => {
                if name.is_complete || name.range.is_empty() {
                    name = Name {
                        range: at..at,
                        ..Name::default()
                    };
                }
                name.range.end = at + 1;
            }
            '"' | '\'' | '\\' => (name.is_complete, name.is_quoted) = (true, true),
            ' ' | ']' | '\t' => name.is_complete = true,
            '=' | ':' => {
                let value = match c {
                    '=' => parameter_value(text, at + 1, &name, is_in_query),
                    _ => field_value(text, at + 1, &name),
                };
                if let Some(value) = value {
                    skip_to = value.end;
                    found.push(value);
                }
                name = Name::default();
            }
            _ => name = Name::default(),
        }
        match c {
            '?' => is_in_query = true,
            '#' => is_in_query = false,
            c if c.is_whitespace() => is_in_query = false,
            _ => {}
        }
    }
    find_encoded(text, depth, found);
}

/// Finds percent-encoded parts that have a secret when they are decoded: a URL within a query.
fn find_encoded(text: &str, depth: usize, found: &mut Vec<Range<usize>>) {
    let is_end =
        |c: char| c.is_whitespace() || matches!(c, '/' | '\\' | '?' | '&' | '#' | '=' | ';' | '"');
    let mut start = 0;
    for part in text.split_inclusive(is_end) {
        let bare = part.trim_end_matches(is_end);
        if bare.contains('%') {
            let decoded = percent_decode(bare);
            let has_secret = || depth == 0 || !secret_ranges(&decoded, depth - 1).is_empty();
            if decoded.len() < bare.len() && has_secret() {
                found.push(start..start + bare.len());
            }
        }
        start += part.len();
    }
}

/// The value that begins at `start`, if the parameter's name is secret.
fn parameter_value(
    text: &str,
    start: usize,
    name: &Name,
    is_in_query: bool,
) -> Option<Range<usize>> {
    if !is_secret_parameter(&percent_decode(&text[name.range.clone()])) {
        return None;
    }
    if let Some(value) = quoted(text, start) {
        return Some(value);
    }
    let is_in_path = text[..name.range.start].ends_with([';', '/', '\\']) && !is_in_query;
    let is_end = |c: char| {
        c.is_whitespace()
            || matches!(c, '&' | '#' | '"' | '<')
            || !is_in_query && c == ';'
            || is_in_path && matches!(c, '/' | '\\' | '?')
    };
    let value = &text[start..];
    let value = &value[..value.find(is_end).unwrap_or(value.len())];
    // What ends a sentence, or a quotation, is not part of it.
    let value = value.trim_end_matches(['\'', '`', ')', ',', '.', ':', '>', ']', '}']);
    Some(start..start + value.len())
}

/// The value that begins at `start`, if a field or a member of JSON has the name, and it is secret.
fn field_value(text: &str, start: usize, name: &Name) -> Option<Range<usize>> {
    let field = &text[name.range.clone()];
    let after = &text[start..];
    let is_name = match name.is_quoted {
        true => is_secret_field(field),
        false => is_field_name(field) && after.starts_with([' ', '\t']),
    };
    if !is_name {
        return None;
    }
    if let Some(value) = quoted(text, start) {
        return Some(value);
    }
    let value = after.trim_start();
    let end = match (value.chars().next(), name.is_quoted) {
        (Some('['), true) => value.find(']').map(|end| end + 1),
        (Some('{'), true) => value.find('}').map(|end| end + 1),
        (_, true) => value.find([',', '}', '\n']),
        (_, false) => {
            let quote = text[..name.range.start].chars().next_back();
            let quote = quote.filter(|c| matches!(c, '"' | '\'' | '`'));
            value.find(|c| matches!(c, '\r' | '\n') || Some(c) == quote)
        }
    };
    let start = text.len() - value.len();
    Some(start..start + end.unwrap_or(value.len()))
}

/// Whether a word before a colon is the name of a secret field, and no word of a sentence.
fn is_field_name(name: &str) -> bool {
    let known = [
        "apikey",
        "authorization",
        "cookie",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "token",
    ];
    let is_option = name.starts_with("--") || name == "cookie-jar";
    let is_known = known.iter().any(|known| name.eq_ignore_ascii_case(known));
    !is_option && (is_known || name.contains(['-', '_']) && is_secret_field(name))
}

/// The content of the quotes that begin at `start`, behind spaces. The quotes may be escaped themselves.
fn quoted(text: &str, start: usize) -> Option<Range<usize>> {
    let value = text[start..].trim_start_matches([' ', '\t']);
    let quote = ["\\\"", "\"", "'"]
        .into_iter()
        .find(|quote| value.starts_with(quote))?;
    let start = text.len() - value.len() + quote.len();
    let content = &text[start..];
    let is_closing = |at: usize| {
        let escapes = content[..at]
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\\');
        quote.len() > 1 || escapes.count() % 2 == 0
    };
    let mut ends = content.match_indices(quote).map(|(at, _)| at);
    let end = ends.find(|at| is_closing(*at)).unwrap_or(content.len());
    Some(start..start + end)
}
