//! Matching of all rules in one pass over the URL.

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use regex_automata::meta::{Cache, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::Hir;
use url::{Position, Url};

use super::error::{RuleError, RuleReason};
use super::pattern::Pattern;
use crate::model::method::Method;

/// Maximum memory of all compiled rules together, without the tables of the lazy DFA.
const MAX_COMPILED: usize = 1 << 20;
/// Maximum memory of one pass's lazy DFA tables, which grow during matching. They are cleared when
/// full, which only makes matching slower.
const MAX_TABLES: usize = 1 << 20;

/// Finds the first matching rule.
pub(super) struct Matcher {
    /// Index of the pass of each method that a rule names.
    named: Vec<(Method, usize)>,
    /// The first pass is for all other methods.
    passes: Vec<Pass>,
}

/// The rules that apply to a set of methods, merged into one expression.
struct Pass {
    rules: Vec<usize>,
    regex: Option<Regex>,
    /// First rule without a URL pattern, which matches every URL; later rules are unreachable.
    last: Option<usize>,
}

/// Search caches of a single caller, which avoid the locked pool inside `Regex`. Valid for one set
/// of rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch(Vec<Option<Cache>>);

impl Matcher {
    pub(super) fn empty() -> Self {
        let none = Pass {
            rules: Vec::new(),
            regex: None,
            last: None,
        };
        Self {
            named: Vec::new(),
            passes: [none].into(),
        }
    }

    pub(super) fn new(patterns: &[&Pattern]) -> Result<Self, RuleError> {
        let mut matcher = Self {
            named: Vec::new(),
            passes: Vec::new(),
        };
        let mut room = MAX_COMPILED;
        matcher.pass(None, patterns, &mut room)?;
        for method in patterns.iter().flat_map(|pattern| &pattern.methods) {
            if matcher.named.iter().all(|(known, _)| known != method) {
                let place = matcher.pass(Some(method), patterns, &mut room)?;
                matcher.named.push((method.clone(), place));
            }
        }
        Ok(matcher)
    }

    /// Returns the index of the pass for `method`. Methods with the same rules share a pass.
    fn pass(
        &mut self,
        method: Option<&Method>,
        patterns: &[&Pattern],
        room: &mut usize,
    ) -> Result<usize, RuleError> {
        let (rules, last) = applicable(method, patterns);
        let same = |pass: &Pass| pass.rules == rules && pass.last == last;
        if let Some(place) = self.passes.iter().position(same) {
            return Ok(place);
        }
        let regex = compile(&rules, patterns, room)?;
        self.passes.push(Pass { rules, regex, last });
        Ok(self.passes.len() - 1)
    }

    pub(super) fn first(&self, method: &Method, url: &Url) -> Option<usize> {
        let pass = &self.passes[self.place(method)];
        let found = pass.regex.as_ref().and_then(|regex| {
            let text = subject(url);
            regex.search_half(&Input::new(&*text).anchored(Anchored::Yes))
        });
        found.map_or(pass.last, |found| Some(pass.rules[found.pattern()]))
    }

    /// Like `first`, with the caller's caches.
    pub(super) fn first_in(
        &self,
        scratch: &mut Scratch,
        method: &Method,
        url: &Url,
    ) -> Option<usize> {
        let place = self.place(method);
        let pass = &self.passes[place];
        let found = pass.regex.as_ref().and_then(|regex| {
            let text = subject(url);
            let caches = &mut scratch.0;
            caches.resize(self.passes.len().max(caches.len()), None);
            let cache = caches[place].get_or_insert_with(|| regex.create_cache());
            regex.search_half_with(cache, &Input::new(&*text).anchored(Anchored::Yes))
        });
        found.map_or(pass.last, |found| Some(pass.rules[found.pattern()]))
    }

    fn place(&self, method: &Method) -> usize {
        let mut named = self.named.iter();
        let named = named.find(|(named, _)| named == method);
        named.map_or(0, |(_, at)| *at)
    }
}

/// The part of a URL that patterns match: all except user, password and fragment.
fn subject(url: &Url) -> Cow<'_, str> {
    let rest = &url[Position::BeforeHost..Position::AfterQuery];
    let credentials = &url[Position::BeforeUsername..Position::BeforeHost];
    if credentials.is_empty() {
        return Cow::Borrowed(&url[..Position::AfterQuery]);
    }
    Cow::Owned([&url[..Position::BeforeUsername], rest].concat())
}

/// The rules with URL patterns that apply to `method`, up to the first rule without one, and that
/// rule, if any.
fn applicable(method: Option<&Method>, patterns: &[&Pattern]) -> (Vec<usize>, Option<usize>) {
    let mut rules = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let named = method.is_some_and(|method| pattern.methods.contains(method));
        if !pattern.methods.is_empty() && !named {
            continue;
        }
        if pattern.url.is_none() {
            return (rules, Some(index));
        }
        rules.push(index);
    }
    (rules, None)
}

/// Merges the rules into one expression whose match identifies the first matching rule.
///
/// Every pattern is anchored at the start of the URL, so all matches start at the same position;
/// among those, leftmost-first search prefers the earliest pattern.
fn compile(
    rules: &[usize],
    patterns: &[&Pattern],
    room: &mut usize,
) -> Result<Option<Regex>, RuleError> {
    let too_large = |index: usize| {
        RuleError::new(&patterns[index].to_string(), 0, RuleReason::TooLarge).in_rule(index)
    };
    let mut hirs: Vec<&Hir> = Vec::new();
    for index in rules {
        let Some(url) = &patterns[*index].url else {
            continue;
        };
        *room = room
            .checked_sub(url.cost)
            .ok_or_else(|| too_large(*index))?;
        hirs.push(&url.hir);
    }
    let Some(last) = rules.last() else {
        return Ok(None);
    };
    let config = Regex::config()
        .utf8_empty(false)
        .which_captures(WhichCaptures::Implicit)
        .hybrid_cache_capacity(MAX_TABLES)
        .nfa_size_limit(Some(2 * MAX_COMPILED));
    let built = Regex::builder()
        .configure(config)
        .build_many_from_hir(&hirs);
    built.map(Some).map_err(|_| too_large(*last))
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("passes", &self.passes.len())
            .finish_non_exhaustive()
    }
}
