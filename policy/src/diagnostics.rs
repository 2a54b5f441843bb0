//! Collects all errors of a file instead of only the first.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::lint::{PolicyFinding, Severity};
use crate::source::SourceText;
use crate::{PolicyErrorKind, PolicyFile};

/// With more errors than this, the text is probably not a policy file.
const MAX_FINDINGS: usize = 20;

impl PolicyFile {
    /// Findings in `text`, ordered by position: the errors that [`parse`](Self::parse) would report
    /// or, without errors, the findings of [`lint`](Self::lint).
    ///
    /// Each entry with an error is blanked out to find the next error. The search stops after twenty
    /// errors, or at an error that cannot be blanked out, such as invalid TOML syntax.
    ///
    /// ```
    /// let text = "[limits]\nper_hots = 8\nrate = \"50\"\n";
    /// let findings = fetch_policy::PolicyFile::check("p.toml", text);
    /// assert!(findings[0].to_string().contains("--> p.toml:2:1"));
    /// assert!(findings[1].to_string().contains("--> p.toml:3:8"));
    /// ```
    #[must_use]
    pub fn check(name: &str, text: &str) -> Vec<PolicyFinding> {
        let original = SourceText::new(name, text);
        let mut rest = text.to_owned();
        let mut found: Vec<PolicyFinding> = Vec::new();
        while found.len() < MAX_FINDINGS {
            let wrong = match Self::parse(name, &rest) {
                Ok(file) if found.is_empty() => return file.lint(),
                Ok(_) => break,
                Err(wrong) => wrong,
            };
            let place = wrong.position;
            // A missing key may be one that was blanked out before.
            if found.is_empty() || wrong.kind != PolicyErrorKind::Missing {
                let line = place.map(|place| original.line(place));
                let is_hidden = wrong.kind == PolicyErrorKind::ExposedSecret;
                let line = if is_hidden {
                    Some(wrong.text.clone())
                } else {
                    line
                };
                found.push(PolicyFinding {
                    line: line.unwrap_or_default(),
                    severity: Severity::Error,
                    error: wrong,
                });
            }
            let at = place.and_then(|place| original.offset(place));
            match at.and_then(|at| blank_entry(&rest, at)) {
                Some(less) => rest = less,
                None => break,
            }
        }
        found.sort_by_key(|finding| finding.error.position);
        found
    }
}

/// The text with the innermost entry around `at` replaced by spaces, if the result is still valid TOML.
fn blank_entry(text: &str, at: usize) -> Option<String> {
    let tree = DeTable::parse(text).ok()?;
    let entry = innermost_entry(tree.get_ref(), at)?;
    let entry = match text[entry.clone()].contains('=') {
        true => with_comma(text, with_dotted_prefix(text, entry)),
        // A table's header: blank its entries too, or they would belong to the table before it.
        false => with_section(text, entry),
    };
    let blank: String = text[entry.clone()]
        .chars()
        .map(|c| if c == '\n' { c } else { ' ' })
        .collect();
    // Byte offsets stay valid: a character of several bytes becomes as many spaces.
    let short = entry.len() - blank.len();
    let blank = blank + &" ".repeat(short);
    let less = format!("{}{blank}{}", &text[..entry.start], &text[entry.end..]);
    DeTable::parse(&less).is_ok().then_some(less)
}

/// Byte range of the innermost entry around `at`, from the start of its key to the end of its value.
fn innermost_entry(table: &DeTable<'_>, at: usize) -> Option<Range<usize>> {
    table.iter().find_map(|(key, value)| {
        let inside = match value.get_ref() {
            DeValue::Table(table) => innermost_entry(table, at),
            DeValue::Array(array) => array.iter().find_map(|one| match one.get_ref() {
                DeValue::Table(table) => innermost_entry(table, at),
                _ => None,
            }),
            _ => None,
        };
        let own = key.span().start..value.span().end;
        inside.or_else(|| (own.contains(&at) && own.start < own.end).then_some(own))
    })
}

/// Extends a table header to its whole line and everything up to the next header.
fn with_section(text: &str, header: Range<usize>) -> Range<usize> {
    let start = text[..header.start].rfind('\n').map_or(0, |at| at + 1);
    let below = &text[header.end..];
    start..below.find("\n[").map_or(text.len(), |at| header.end + at)
}

/// Extends an entry by the dotted tables before its key, as in `limits.rate`.
fn with_dotted_prefix(text: &str, entry: Range<usize>) -> Range<usize> {
    let before = &text[..entry.start];
    let start = before.rfind(['\n', '{', ',']).map_or(0, |at| at + 1);
    start..entry.end
}

/// Extends an entry of an inline table by the comma that separates it from its neighbour.
fn with_comma(text: &str, entry: Range<usize>) -> Range<usize> {
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
