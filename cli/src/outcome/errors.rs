//! What went wrong, by kind, with a few examples of each.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use fetch_driver::{Error, ErrorKind, Outcome, Redacted};
use url::Url;

use crate::display::shown_up_to;
use crate::outcome::error_type::{ErrorType, error_type};
use crate::outcome::result::Ended;

/// So many examples are kept from the beginning, and as many from the end.
pub(crate) const KEPT: usize = 5;

/// The most characters of a URL or a message.
const SHOWN: usize = 500;

/// The numbers of each kind, known by the outcome's name and what it is about. There are no more
/// kinds than statuses and names of errors, however many URLs fail.
#[derive(Debug, Default)]
pub(crate) struct Errors(BTreeMap<(&'static str, ErrorType), Kind>);

/// The failures of one kind.
#[derive(Debug, Default)]
pub(crate) struct Kind {
    pub(crate) count: u64,
    pub(crate) first: Vec<Example>,
    /// Those after the first, if there are more.
    pub(crate) last: VecDeque<Example>,
}

/// One failure, without secrets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Example {
    /// When it ended, since the run began.
    pub(crate) at: Duration,
    pub(crate) message: String,
    /// Requests that were sent.
    pub(crate) requests: usize,
    pub(crate) url: String,
}

impl Errors {
    /// Counts it if it is one.
    pub(crate) fn note(&mut self, ended: &Ended<'_>, at: Duration) {
        if let Some(kind) = error_type(ended) {
            self.record(ended.verdict.outcome, kind, || Example::of(ended, at));
        }
    }

    pub(crate) fn record(
        &mut self,
        outcome: &'static str,
        kind: ErrorType,
        example: impl FnOnce() -> Example,
    ) {
        let seen = self.0.entry((outcome, kind)).or_default();
        seen.count += 1;
        if seen.first.len() < KEPT {
            return seen.first.push(example());
        }
        if seen.last.len() == KEPT {
            seen.last.pop_front();
        }
        seen.last.push_back(example());
    }

    /// All kinds, the most frequent first.
    pub(crate) fn kinds(&self) -> Vec<((&'static str, ErrorType), &Kind)> {
        let mut all: Vec<_> = self.0.iter().map(|(key, kind)| (*key, kind)).collect();
        all.sort_by_key(|(_, kind)| std::cmp::Reverse(kind.count));
        all
    }
}

impl Example {
    fn of(ended: &Ended<'_>, at: Duration) -> Self {
        let outcome = ended.outcome;
        let message = match (&outcome.result, ended.trouble()) {
            (_, Some(trouble)) => trouble.to_owned(),
            (Ok(response), None) => reason(response.status),
            (Err(error), None) => explain(error),
        };
        Self {
            at,
            message: shown_up_to(SHOWN, message.as_bytes()),
            requests: outcome.attempts.len(),
            url: shown_url(outcome),
        }
    }
}

/// The URL that was asked first, without its secrets, for who reads it in some log or page.
pub(crate) fn shown_url(outcome: &Outcome) -> String {
    let first = outcome.attempts.first();
    let url = first.map_or_else(
        || without_secrets(&outcome.url),
        |first| Redacted(&first.url).to_string(),
    );
    shown_up_to(SHOWN, url.as_bytes())
}

fn reason(status: http::StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// What the error says, but for its URL and the advice, which stand beside it.
fn explain(error: &Error) -> String {
    let mut text = match error.kind() {
        ErrorKind::Fetch(cause) => cause.to_string(),
        kind => kind.as_str().to_owned(),
    };
    if let Some(step) = error.step() {
        let _ = write!(text, " while {step}");
    }
    if let Some(detail) = error.detail() {
        let _ = write!(text, ": {}", without_secrets(detail));
    }
    text
}

/// A text in which every URL has its secrets replaced.
pub(crate) fn without_secrets(text: &str) -> String {
    let clean = |word: &str| match Url::parse(word) {
        Ok(url) if word.contains("://") => Redacted(&url).to_string(),
        _ => word.to_owned(),
    };
    text.split(' ').map(clean).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_the_first_and_the_last_are_kept_and_all_are_counted() {
        let mut errors = Errors::default();
        let example = |n: usize| Example {
            url: n.to_string(),
            ..Example::default()
        };
        for n in 0..1000 {
            errors.record("timeout", ErrorType::Name("timeout"), || example(n));
        }
        errors.record("http_error", ErrorType::Status(404), || example(0));
        let kinds = errors.kinds();
        let (key, kind) = kinds[0];
        let urls = |examples: Vec<&Example>| -> Vec<_> {
            examples.iter().map(|example| example.url.clone()).collect()
        };
        assert_eq!((key.0, kind.count, kinds.len()), ("timeout", 1000, 2));
        assert_eq!(urls(kind.first.iter().collect()), ["0", "1", "2", "3", "4"]);
        let last = urls(kind.last.iter().collect());
        assert_eq!(last, ["995", "996", "997", "998", "999"]);
    }

    #[test]
    fn urls_in_a_text_lose_their_secrets() {
        assert_eq!(
            without_secrets("cannot go to http://u:p@a.test/?sig=1&a=2 now"),
            "cannot go to http://REDACTED:REDACTED@a.test/?sig=REDACTED&a=2 now"
        );
    }
}
