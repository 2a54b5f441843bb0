//! Globs over URLs. Published glob crates are for file names and need `std`.

use alloc::vec::Vec;

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

use super::error::RuleErrorKind;
use super::syntax::{PatternFault, SCHEME, parse_regex};

const MAX_DEPTH: usize = 16;

/// The expression of `glob`, which is ASCII without spaces. See
/// [`RulePattern::glob`](super::RulePattern::glob).
pub(super) fn hir(glob: &str) -> Result<Hir, PatternFault> {
    let scheme = glob.find("://").filter(|end| !glob[..*end].contains('/'));
    let authority = scheme.map_or(0, |end| end + 3);
    let mut parser = GlobParser {
        glob: glob.as_bytes(),
        at: 0,
        end: authority,
        depth: 0,
        path: false,
        query: false,
    };
    let mut parts = Vec::new();
    if scheme.is_some() {
        parts.extend([Hir::look(Look::Start), parser.sequence()?]);
    } else if glob.starts_with('/') {
        parts.push(parse_regex(&[SCHEME, "[^/?#]*"].concat())?);
    } else {
        parts.push(parse_regex(SCHEME)?);
    }
    parser.end = glob.len();
    parser.path = false;
    parts.push(parser.sequence()?);
    if !parser.query {
        parts.push(parse_regex(r"(?s:(?:\?.*)?)")?);
    }
    parts.push(Hir::look(Look::End));
    Ok(Hir::concat(parts))
}

struct GlobParser<'a> {
    glob: &'a [u8],
    at: usize,
    end: usize,
    depth: usize,
    /// Whether the parser has reached the path; case is ignored before it.
    path: bool,
    /// Whether the parser has reached the query.
    query: bool,
}

impl GlobParser<'_> {
    /// Parses up to the end, or within braces up to the next `,` or `}`.
    fn sequence(&mut self) -> Result<Hir, PatternFault> {
        let mut parts = Vec::new();
        while let Some(byte) = self.peek() {
            parts.push(match byte {
                b'*' => self.stars(),
                b'?' => {
                    self.at += 1;
                    self.one()
                }
                b'[' => self.class()?,
                b'{' => self.braces()?,
                b'}' if self.depth == 0 => return Err((self.at, RuleErrorKind::Unopened)),
                b'}' | b',' if self.depth > 0 => break,
                _ => Hir::literal([self.literal()?]),
            });
        }
        Ok(Hir::concat(parts))
    }

    fn peek(&self) -> Option<u8> {
        self.glob[..self.end].get(self.at).copied()
    }

    fn literal(&mut self) -> Result<u8, PatternFault> {
        let start = self.at;
        if self.peek() == Some(b'\\') {
            self.at += 1;
        }
        let byte = self.peek().ok_or((start, RuleErrorKind::TrailingEscape))?;
        self.path |= byte == b'/';
        self.query |= byte == b'?';
        self.at += 1;
        Ok(if self.path {
            byte
        } else {
            byte.to_ascii_lowercase()
        })
    }

    fn stars(&mut self) -> Hir {
        let start = self.at;
        while self.peek() == Some(b'*') {
            self.at += 1;
        }
        if self.at - start == 1 {
            return many(self.one());
        }
        let any = many(class(if self.query { b"" } else { b"?" }));
        let whole = start == 0 || self.glob[start - 1] == b'/';
        if whole && self.peek() == Some(b'/') {
            self.at += 1;
            self.path = true;
            return optional(Hir::concat([any, Hir::literal(*b"/")].into()));
        }
        any
    }

    /// Any character of a path segment.
    fn one(&self) -> Hir {
        class(if self.query { b"/" } else { b"/?" })
    }

    fn class(&mut self) -> Result<Hir, PatternFault> {
        let unclosed = (self.at, RuleErrorKind::Unclosed('['));
        self.at += 1;
        let negated = matches!(self.peek(), Some(b'!' | b'^'));
        self.at += usize::from(negated);
        let mut set = ClassBytes::empty();
        loop {
            match self.peek() {
                None => return Err(unclosed),
                Some(b']') if !set.ranges().is_empty() => break,
                Some(_) => set.push(self.range()?),
            }
        }
        self.at += 1;
        if negated {
            set.union(&byte_set(if self.query { b"/" } else { b"/?" }));
            set.negate();
        }
        Ok(Hir::class(Class::Bytes(set)))
    }

    fn range(&mut self) -> Result<ClassBytesRange, PatternFault> {
        let start = self.at;
        let low = self.literal()?;
        let open = self.peek() == Some(b'-') && self.glob.get(self.at + 1) != Some(&b']');
        if !open {
            return Ok(ClassBytesRange::new(low, low));
        }
        self.at += 1;
        let high = self.literal().map_err(|_| (start, RuleErrorKind::Range))?;
        if high < low {
            return Err((start, RuleErrorKind::Range));
        }
        Ok(ClassBytesRange::new(low, high))
    }

    fn braces(&mut self) -> Result<Hir, PatternFault> {
        let open = self.at;
        if self.depth == MAX_DEPTH {
            return Err((open, RuleErrorKind::TooNested));
        }
        self.depth += 1;
        let mut choices = Vec::new();
        // Every alternative starts in the part of the URL where the brace opens.
        let (before, mut after) = (self.path, self.path);
        loop {
            self.at += 1;
            self.path = before;
            choices.push(self.sequence()?);
            after |= self.path;
            match self.peek() {
                Some(b',') => {}
                Some(_) => break,
                None => return Err((open, RuleErrorKind::Unclosed('{'))),
            }
        }
        self.at += 1;
        self.depth -= 1;
        self.path = after;
        Ok(Hir::alternation(choices))
    }
}

/// Any byte except `excluded`.
fn class(excluded: &[u8]) -> Hir {
    let mut set = byte_set(excluded);
    set.negate();
    Hir::class(Class::Bytes(set))
}

fn byte_set(bytes: &[u8]) -> ClassBytes {
    ClassBytes::new(bytes.iter().map(|byte| ClassBytesRange::new(*byte, *byte)))
}

fn many(hir: Hir) -> Hir {
    Hir::repetition(Repetition {
        min: 0,
        max: None,
        greedy: true,
        sub: hir.into(),
    })
}

fn optional(hir: Hir) -> Hir {
    Hir::repetition(Repetition {
        min: 0,
        max: Some(1),
        greedy: true,
        sub: hir.into(),
    })
}
