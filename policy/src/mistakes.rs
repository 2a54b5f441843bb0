//! All that is wrong with a file, and not just the first.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::lint::{Finding, Severity};
use crate::text::Text;
use crate::{PolicyFile, Wrong};

/// With more mistakes than this it is another kind of file.
const MOST: usize = 20;

impl PolicyFile {
    /// What is wrong with `text`, in the order in which it is found: the mistakes for which
    /// [`parse`](Self::parse) refuses it, or, if there are none, what [`lint`](Self::lint) finds.
    ///
    /// Each mistake is blanked out to find the next. That ends with one that cannot be, such as a text
    /// that is not TOML, and after twenty.
    ///
    /// ```
    /// let text = "[limits]\nper_hots = 8\nrate = \"50\"\n";
    /// let findings = fetch_policy::PolicyFile::check("p.toml", text);
    /// assert!(findings[0].to_string().contains("--> p.toml:2:1"));
    /// assert!(findings[1].to_string().contains("--> p.toml:3:8"));
    /// ```
    #[must_use]
    pub fn check(name: &str, text: &str) -> Vec<Finding> {
        let original = Text::new(name, text);
        let mut rest = text.to_owned();
        let mut found: Vec<Finding> = Vec::new();
        while found.len() < MOST {
            let wrong = match Self::parse(name, &rest) {
                Ok(file) if found.is_empty() => return file.lint(),
                Ok(_) => break,
                Err(wrong) => wrong,
            };
            let place = wrong.place;
            // What is missing may be what was blanked out.
            if found.is_empty() || !is_missing(&wrong) {
                found.push(Finding {
                    line: place.map_or_else(String::new, |place| original.line(place).to_owned()),
                    severity: Severity::Error,
                    wrong,
                });
            }
            let at = place.and_then(|place| original.offset(place));
            match at.and_then(|at| without(&rest, at)) {
                Some(less) => rest = less,
                None => break,
            }
        }
        found.sort_by_key(|finding| finding.wrong.place);
        found
    }
}

fn is_missing(wrong: &Wrong) -> bool {
    let parts = [
        "missing field",
        "say which",
        "need each other",
        "say how far",
    ];
    parts.iter().any(|part| wrong.why.contains(part))
}

/// The text with the innermost key around `at` and its value blanked out, if it is still TOML then.
fn without(text: &str, at: usize) -> Option<String> {
    let tree = DeTable::parse(text).ok()?;
    let entry = innermost(tree.get_ref(), at)?;
    let entry = match text[entry.clone()].contains('=') {
        true => separated(text, dotted(text, entry)),
        // A table's header: what stands below it would belong to another.
        false => section(text, entry),
    };
    let blank: String = text[entry.clone()]
        .chars()
        .map(|c| if c == '\n' { c } else { ' ' })
        .collect();
    // Every byte keeps its place: a wider character is as many blanks.
    let short = entry.len() - blank.len();
    let blank = blank + &" ".repeat(short);
    let less = format!("{}{blank}{}", &text[..entry.start], &text[entry.end..]);
    DeTable::parse(&less).is_ok().then_some(less)
}

/// From the key's begin to the value's end.
fn innermost(table: &DeTable<'_>, at: usize) -> Option<Range<usize>> {
    table.iter().find_map(|(key, value)| {
        let inside = match value.get_ref() {
            DeValue::Table(table) => innermost(table, at),
            DeValue::Array(array) => array.iter().find_map(|one| match one.get_ref() {
                DeValue::Table(table) => innermost(table, at),
                _ => None,
            }),
            _ => None,
        };
        let own = key.span().start..value.span().end;
        inside.or_else(|| (own.contains(&at) && own.start < own.end).then_some(own))
    })
}

/// The header's line, and all up to the next header.
fn section(text: &str, header: Range<usize>) -> Range<usize> {
    let start = text[..header.start].rfind('\n').map_or(0, |at| at + 1);
    let below = &text[header.end..];
    start..below.find("\n[").map_or(text.len(), |at| header.end + at)
}

/// With the tables before the key, as in `limits.rate`.
fn dotted(text: &str, entry: Range<usize>) -> Range<usize> {
    let before = &text[..entry.start];
    let start = before.rfind(['\n', '{', ',']).map_or(0, |at| at + 1);
    start..entry.end
}

/// With the comma that divides it from its neighbour in an inline table.
fn separated(text: &str, entry: Range<usize>) -> Range<usize> {
    let after = &text[entry.end..];
    let blank = after.len() - after.trim_start_matches([' ', '\t']).len();
    if after[blank..].starts_with(',') {
        return entry.start..entry.end + blank + 1;
    }
    match text[..entry.start].ends_with(',') {
        true => entry.start - 1..entry.end,
        false => entry,
    }
}
