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

use super::error::{RuleError, RuleErrorKind};
use super::pattern::RulePattern;
use crate::model::method::Method;

/// Maximum memory of all compiled rules together, without the tables of the lazy DFA.
const MAX_COMPILED: usize = 1 << 20;
/// Maximum memory of one pass's lazy DFA tables, which grow during matching. They are cleared when
/// full, which only makes matching slower.
const MAX_TABLES: usize = 1 << 20;

/// Finds the first matching rule.
pub(super) struct RuleMatcher {
    /// Index of the pass of each method that a rule names.
    by_method: Vec<(Method, usize)>,
    /// The first pass is for all other methods.
    passes: Vec<MatchPass>,
}

/// The rules that apply to a set of methods, merged into one expression.
struct MatchPass {
    rules: Vec<usize>,
    regex: Option<Regex>,
    /// First rule without a URL pattern, which matches every URL; later rules are unreachable.
    last: Option<usize>,
}

/// Search caches of a single caller, which avoid the locked pool inside `Regex`. Valid for one set
/// of rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct MatcherCache(Vec<Option<Cache>>);

impl RuleMatcher {
    pub(super) fn empty() -> Self {
        let none = MatchPass {
            rules: Vec::new(),
            regex: None,
            last: None,
        };
        Self {
            by_method: Vec::new(),
            passes: [none].into(),
        }
    }

    pub(super) fn new(patterns: &[&RulePattern]) -> Result<Self, RuleError> {
        let mut matcher = Self {
            by_method: Vec::new(),
            passes: Vec::new(),
        };
        let mut budget = MAX_COMPILED;
        matcher.add_pass(None, patterns, &mut budget)?;
        for method in patterns.iter().flat_map(|pattern| &pattern.methods) {
            if matcher.by_method.iter().all(|(known, _)| known != method) {
                let index = matcher.add_pass(Some(method), patterns, &mut budget)?;
                matcher.by_method.push((method.clone(), index));
            }
        }
        Ok(matcher)
    }

    /// Returns the index of the pass for `method`. Methods with the same rules share a pass.
    fn add_pass(
        &mut self,
        method: Option<&Method>,
        patterns: &[&RulePattern],
        budget: &mut usize,
    ) -> Result<usize, RuleError> {
        let (rules, last) = applicable_rules(method, patterns);
        let same = |pass: &MatchPass| pass.rules == rules && pass.last == last;
        if let Some(index) = self.passes.iter().position(same) {
            return Ok(index);
        }
        let regex = compile(&rules, patterns, budget)?;
        self.passes.push(MatchPass { rules, regex, last });
        Ok(self.passes.len() - 1)
    }

    pub(super) fn find_first(&self, method: &Method, url: &Url) -> Option<usize> {
        let pass = &self.passes[self.pass_index(method)];
        let found = pass.regex.as_ref().and_then(|regex| {
            let text = matched_part(url);
            regex.search_half(&Input::new(&*text).anchored(Anchored::Yes))
        });
        found.map_or(pass.last, |found| Some(pass.rules[found.pattern()]))
    }

    /// Like `find_first`, with the caller's caches.
    pub(super) fn find_first_with(
        &self,
        scratch: &mut MatcherCache,
        method: &Method,
        url: &Url,
    ) -> Option<usize> {
        let index = self.pass_index(method);
        let pass = &self.passes[index];
        let found = pass.regex.as_ref().and_then(|regex| {
            let text = matched_part(url);
            let caches = &mut scratch.0;
            caches.resize(self.passes.len().max(caches.len()), None);
            let cache = caches[index].get_or_insert_with(|| regex.create_cache());
            regex.search_half_with(cache, &Input::new(&*text).anchored(Anchored::Yes))
        });
        found.map_or(pass.last, |found| Some(pass.rules[found.pattern()]))
    }

    fn pass_index(&self, method: &Method) -> usize {
        let mut named = self.by_method.iter();
        let named = named.find(|(named, _)| named == method);
        named.map_or(0, |(_, at)| *at)
    }
}

/// The part of a URL that patterns match: all except user, password and fragment.
fn matched_part(url: &Url) -> Cow<'_, str> {
    let rest = &url[Position::BeforeHost..Position::AfterQuery];
    let credentials = &url[Position::BeforeUsername..Position::BeforeHost];
    if credentials.is_empty() {
        return Cow::Borrowed(&url[..Position::AfterQuery]);
    }
    Cow::Owned([&url[..Position::BeforeUsername], rest].concat())
}

/// The rules with URL patterns that apply to `method`, up to the first rule without one, and that
/// rule, if any.
fn applicable_rules(
    method: Option<&Method>,
    patterns: &[&RulePattern],
) -> (Vec<usize>, Option<usize>) {
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
    patterns: &[&RulePattern],
    budget: &mut usize,
) -> Result<Option<Regex>, RuleError> {
    let too_large = |index: usize| {
        RuleError::new(&patterns[index].to_string(), 0, RuleErrorKind::TooLarge).in_rule(index)
    };
    let mut hirs: Vec<&Hir> = Vec::new();
    for index in rules {
        let Some(url) = &patterns[*index].url else {
            continue;
        };
        *budget = budget
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

impl fmt::Debug for RuleMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleMatcher")
            .field("passes", &self.passes.len())
            .finish_non_exhaustive()
    }
}
