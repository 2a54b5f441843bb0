//! The URL part of a pattern.

use alloc::borrow::ToOwned;
use alloc::string::String;

use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_syntax::hir::{Dot, Hir, Look, Repetition};

use super::error::RuleErrorKind;
use super::syntax::{PatternFault, parse_regex};
use super::{glob, host};

/// Prefixes of the text forms.
pub(super) const PREFIXES: [&str; 5] = ["glob:", "host:", "method:", "regex:", "substring:"];
/// Maximum memory of one compiled pattern.
const MAX_COMPILED: usize = 256 << 10;

/// The URL part of a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct UrlPattern {
    pub(super) text: String,
    /// Anchored at the start of the URL, so that several can be matched at once: see `RuleMatcher`.
    pub(super) hir: Hir,
    /// Memory of the compiled form in bytes.
    pub(super) cost: usize,
}

impl UrlPattern {
    pub(super) fn parse(text: &str) -> Result<Self, PatternFault> {
        if has_prefix(text) && !PREFIXES.iter().any(|kind| text.starts_with(kind)) {
            return Err((0, RuleErrorKind::Prefix));
        }
        let kind = PREFIXES
            .iter()
            .find(|kind| text.starts_with(**kind))
            .copied();
        let kind = kind.filter(|kind| *kind != "method:").unwrap_or("");
        let body = &text[kind.len()..];
        let hir = Self::compile(kind, body).map_err(|(at, reason)| (kind.len() + at, reason))?;
        let cost = cost(&hir).ok_or((kind.len(), RuleErrorKind::TooLarge))?;
        let text = match kind {
            "substring:" if !has_prefix(body) => body,
            _ => text,
        };
        Ok(Self {
            text: text.to_owned(),
            hir,
            cost,
        })
    }

    fn compile(kind: &str, body: &str) -> Result<Hir, PatternFault> {
        if body.is_empty() {
            return Err((0, RuleErrorKind::Empty));
        }
        match kind {
            "host:" => parse_regex(&host::regex(body)?),
            "regex:" => Ok(anywhere(parse_regex(body)?)),
            _ => {
                let stray = body.char_indices().find(|(_, c)| !c.is_ascii_graphic());
                match stray {
                    Some((at, c)) => Err((at, RuleErrorKind::NeverInUrl(c))),
                    None if kind == "glob:" => glob::hir(body),
                    None => Ok(anywhere(Hir::literal(body.as_bytes()))),
                }
            }
        }
    }
}

/// Whether the text begins like one of [`PREFIXES`]: with a word and a colon. `http://` and a host's
/// port do not.
pub(super) fn has_prefix(text: &str) -> bool {
    text.split_once(':').is_some_and(|(word, rest)| {
        word.len() > 1
            && word.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !word.eq_ignore_ascii_case("http")
            && !word.eq_ignore_ascii_case("https")
            && !rest.starts_with(|c: char| c.is_ascii_digit() || c == '/')
    }) || PREFIXES.iter().any(|kind| text.starts_with(kind))
}

/// `hir` anywhere in the URL.
fn anywhere(hir: Hir) -> Hir {
    let any = Hir::dot(Dot::AnyByte).into();
    let before = Hir::repetition(Repetition {
        min: 0,
        max: None,
        greedy: false,
        sub: any,
    });
    Hir::concat([Hir::look(Look::Start), before, hir].into())
}

fn cost(hir: &Hir) -> Option<usize> {
    let config = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(MAX_COMPILED))
        .which_captures(WhichCaptures::Implicit);
    let nfa = NFA::compiler().configure(config).build_from_hir(hir).ok()?;
    Some(nfa.memory_usage())
}
