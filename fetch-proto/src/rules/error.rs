//! Errors of rules.

use alloc::boxed::Box;
use core::convert::Infallible;
use core::fmt::{self, Write};

use crate::model::text::Quoted;

/// A rule's pattern is invalid.
///
/// `{}` formats it as one line; `{:#}` adds a caret below the position.
///
/// ```
/// use fetch_proto::RulePattern;
///
/// let error = RulePattern::parse("regex:(a").unwrap_err();
/// assert_eq!(error.to_string(), r#""regex:(a": at 7: unclosed group"#);
/// assert_eq!(format!("{error:#}"), "unclosed group\n  regex:(a\n        ^");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleError {
    rule: Option<usize>,
    text: Box<str>,
    position: usize,
    kind: RuleErrorKind,
}

/// Why a rule's pattern is invalid.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RuleErrorKind {
    /// The pattern is empty.
    Empty,
    /// The host is not valid in a URL.
    Host,
    /// The method is not a token, or a standard method in lower case, which no request has.
    Method,
    /// A character that a URL only contains in percent-encoded form.
    NeverInUrl(char),
    /// The port is not a number from 1 to 65535.
    Port,
    /// The word before the colon is no kind of pattern.
    Prefix,
    /// The glob's range ends before it starts, such as `[z-a]`.
    Range,
    /// The regular expression is invalid; contains the parser's message.
    Regex(Box<str>),
    /// The pattern or its compiled form is too large, alone or with the preceding rules.
    TooLarge,
    /// The glob's braces are nested too deeply.
    TooNested,
    /// The glob ends with a `\`.
    TrailingEscape,
    /// The glob's `[` or `{` is never closed.
    Unclosed(char),
    /// The glob's `}` was never opened.
    Unopened,
}

impl RuleError {
    pub(super) fn new(text: &str, position: usize, kind: RuleErrorKind) -> Self {
        Self {
            rule: None,
            text: text.into(),
            position,
            kind,
        }
    }

    /// Adds the index of the rule in its list, from 0.
    ///
    /// ```
    /// let error = fetch_proto::RulePattern::parse("host:").unwrap_err().in_rule(2);
    /// assert!(error.to_string().starts_with("rule 3: "));
    /// ```
    #[must_use]
    pub fn in_rule(mut self, index: usize) -> Self {
        self.rule = Some(index);
        self
    }

    /// The index of the rule in its list, from 0, if it is in a list. Messages count from 1.
    ///
    /// ```
    /// let error = fetch_proto::RulePattern::parse("").unwrap_err();
    /// assert_eq!(error.rule(), None);
    /// ```
    #[must_use]
    pub fn rule(&self) -> Option<usize> {
        self.rule
    }

    /// The pattern's text form.
    ///
    /// ```
    /// let error = fetch_proto::RulePattern::glob("{a").unwrap_err();
    /// assert_eq!(error.text(), "glob:{a");
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Position of the error in [`text`](Self::text), in bytes from 0. Messages count characters
    /// from 1.
    ///
    /// ```
    /// let error = fetch_proto::RulePattern::glob("{a").unwrap_err();
    /// assert_eq!(error.position(), 5);
    /// ```
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The kind of error.
    ///
    /// ```
    /// use fetch_proto::{RulePattern, RuleErrorKind};
    /// assert_eq!(*RulePattern::glob("{a").unwrap_err().kind(), RuleErrorKind::Unclosed('{'));
    /// ```
    #[must_use]
    pub fn kind(&self) -> &RuleErrorKind {
        &self.kind
    }

    fn column(&self) -> usize {
        self.text
            .get(..self.position)
            .map_or(0, |before| before.chars().count())
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.rule {
            write!(f, "rule {}: ", index + 1)?;
        }
        if !f.alternate() {
            let Self { text, kind, .. } = self;
            return write!(f, "\"{}\": at {}: {kind}", OneLine(text), self.column() + 1);
        }
        let (text, column) = (OneLine(&self.text), self.column());
        write!(f, "{}\n  {text}\n  {:column$}^", self.kind, "")
    }
}

/// Displays a text with control characters replaced by spaces, which keeps columns aligned and logs
/// on one line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))
    }
}

impl fmt::Display for RuleErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "nothing to match: write \"glob:**\" for every URL",
            Self::Host => "not a host: write one such as example.com, *.example.com or [::1]",
            Self::Method => "not a method: write tokens such as GET,POST (case matters)",
            Self::NeverInUrl(' ') => "URLs contain no spaces: write %20",
            Self::NeverInUrl(c) if c.is_control() => "URLs contain no control characters",
            Self::NeverInUrl(c) => {
                let mut utf8 = [0; 4];
                let c = Quoted(c.encode_utf8(&mut utf8));
                return write!(f, "URLs do not contain {c}: write it percent-encoded");
            }
            Self::Port => "not a port: write a number from 1 to 65535",
            Self::Prefix => {
                "not a kind of pattern: write glob:, host:, method: or regex: before it, or substring: for \
                 this text"
            }
            Self::Range => "the range ends before it starts",
            Self::Regex(message) => message,
            Self::TooLarge => "too large: shorten it, or its repetitions",
            Self::TooNested => "braces nested too deeply",
            Self::TrailingEscape => "nothing after the backslash",
            Self::Unclosed('{') => "unclosed brace: write \"}\", or \"\\{\" for the character",
            Self::Unclosed(_) => "unclosed class: write \"]\", or \"\\[\" for the character",
            Self::Unopened => "unopened brace: write \"\\}\" for the character",
        })
    }
}

impl core::error::Error for RuleError {}

impl From<Infallible> for RuleError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
