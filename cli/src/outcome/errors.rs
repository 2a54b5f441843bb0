//! Errors by kind, with a few examples of each.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use fetch_driver::{Error, ErrorKind, Outcome, RedactedUrl};
use fetch_proto::redact_secrets;

use crate::display::sanitize_up_to;
use crate::outcome::error_type::ErrorType;
use crate::outcome::kind::OutcomeKind;
use crate::outcome::result::FetchResult;

/// The number of first examples, and of last ones.
pub(crate) const EXAMPLES: usize = 5;

/// The most characters of a URL or a message.
const MAX_CHARS: usize = 500;

/// Errors by outcome and type. The number of groups is limited by that of statuses and error names,
/// however many URLs fail.
#[derive(Debug, Default)]
pub(crate) struct ErrorTally(BTreeMap<(OutcomeKind, ErrorType), ErrorGroup>);

/// The errors of one kind.
#[derive(Debug, Default)]
pub(crate) struct ErrorGroup {
    pub(crate) count: u64,
    pub(crate) first: Vec<ErrorExample>,
    /// The latest of those after `first`.
    pub(crate) last: VecDeque<ErrorExample>,
}

/// One error, without secrets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ErrorExample {
    /// When the fetch ended, since the start of the run.
    pub(crate) at: Duration,
    pub(crate) message: String,
    /// The number of requests that were sent.
    pub(crate) requests: usize,
    pub(crate) url: String,
}

impl ErrorTally {
    /// Counts the error of a result, if there is one.
    pub(crate) fn record_result(&mut self, result: &FetchResult<'_>, at: Duration) {
        if let Some(error) = ErrorType::of(result) {
            self.record(result.class.kind, error, || ErrorExample::new(result, at));
        }
    }

    pub(crate) fn record(
        &mut self,
        outcome: OutcomeKind,
        error: ErrorType,
        example: impl FnOnce() -> ErrorExample,
    ) {
        let group = self.0.entry((outcome, error)).or_default();
        group.count += 1;
        if group.first.len() < EXAMPLES {
            return group.first.push(example());
        }
        if group.last.len() == EXAMPLES {
            group.last.pop_front();
        }
        group.last.push_back(example());
    }

    /// All groups, the most frequent first.
    pub(crate) fn groups(&self) -> Vec<((OutcomeKind, ErrorType), &ErrorGroup)> {
        let mut groups: Vec<_> = self.0.iter().map(|(key, group)| (*key, group)).collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
        groups
    }
}

impl ErrorExample {
    fn new(result: &FetchResult<'_>, at: Duration) -> Self {
        let outcome = result.outcome;
        let message = match (&outcome.result, result.save_error()) {
            (_, Some(save_error)) => save_error.to_owned(),
            (Ok(response), None) => status_text(response.status),
            (Err(error), None) => error_text(error),
        };
        Self {
            at,
            message: sanitize_up_to(MAX_CHARS, message.as_bytes()),
            requests: outcome.attempts.len(),
            url: display_url(outcome),
        }
    }
}

/// The URL of the first request, without secrets.
pub(crate) fn display_url(outcome: &Outcome) -> String {
    let first = outcome.attempts.first();
    let url = first.map_or_else(
        || redact_secrets(&outcome.url).into_owned(),
        |first| RedactedUrl(&first.url).to_string(),
    );
    sanitize_up_to(MAX_CHARS, url.as_bytes())
}

fn status_text(status: http::StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// The error without its URL and advice, which are shown beside it.
fn error_text(error: &Error) -> String {
    let mut text = match error.kind() {
        ErrorKind::Fetch(cause) => cause.to_string(),
        kind => kind.as_str().to_owned(),
    };
    if let Some(step) = error.step() {
        let _ = write!(text, " while {step}");
    }
    if let Some(detail) = error.detail() {
        let _ = write!(text, ": {}", redact_secrets(detail));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_its_first_and_last_examples_and_counts_all() {
        let mut errors = ErrorTally::default();
        let example = |n: usize| ErrorExample {
            url: n.to_string(),
            ..ErrorExample::default()
        };
        for n in 0..1000 {
            errors.record(OutcomeKind::Timeout, ErrorType::Name("timeout"), || {
                example(n)
            });
        }
        errors.record(OutcomeKind::HttpError, ErrorType::Status(404), || {
            example(0)
        });
        let groups = errors.groups();
        let (key, group) = groups[0];
        let urls = |examples: Vec<&ErrorExample>| -> Vec<_> {
            examples.iter().map(|example| example.url.clone()).collect()
        };
        assert_eq!(
            (key.0.as_str(), group.count, groups.len()),
            ("timeout", 1000, 2)
        );
        assert_eq!(
            urls(group.first.iter().collect()),
            ["0", "1", "2", "3", "4"]
        );
        let last = urls(group.last.iter().collect());
        assert_eq!(last, ["995", "996", "997", "998", "999"]);
    }
}
