//! Regular expressions over URLs.

use alloc::string::ToString;

use regex_syntax::hir::Hir;
use regex_syntax::{Error, ParserBuilder};

use super::error::RuleReason;

/// Where a text is wrong, in bytes, and why.
pub(super) type PatternFault = (usize, RuleReason);

/// What begins every URL: its scheme. Fit to be followed by a host.
pub(super) const SCHEME: &str = "^[a-z][a-z0-9+.-]*://";

/// Parses a regular expression. A URL is ASCII: Unicode's tables are not needed.
pub(super) fn syntax(regex: &str) -> Result<Hir, PatternFault> {
    let parsed = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(regex);
    parsed.map_err(|error| {
        let (at, reason) = match &error {
            Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
            Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
            other => (0, other.to_string()),
        };
        (at, RuleReason::Regex(reason.into()))
    })
}
