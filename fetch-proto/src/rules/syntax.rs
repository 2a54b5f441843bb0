//! Regular expressions over URLs.

use alloc::string::ToString;

use regex_syntax::hir::Hir;
use regex_syntax::{Error, ParserBuilder};

use super::error::RuleErrorKind;

/// Position of an error in a pattern's text, in bytes, and its kind.
pub(super) type PatternFault = (usize, RuleErrorKind);

/// Expression for the scheme at the start of a URL, to be followed by a host.
pub(super) const SCHEME: &str = "^[a-z][a-z0-9+.-]*://";

/// Parses a regular expression, without Unicode tables because URLs are ASCII.
pub(super) fn parse_regex(regex: &str) -> Result<Hir, PatternFault> {
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
        (at, RuleErrorKind::Regex(reason.into()))
    })
}
