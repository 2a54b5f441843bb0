//! Retries by cause, and the reasons for giving up.

use std::collections::BTreeMap;
use std::time::Duration;

use fetch_driver::{AttemptEnd, AttemptReport, Outcome};

use crate::outcome::class::attempt_error_type;
use crate::outcome::error_type::ErrorType;

/// Retries by cause. The number of causes is limited by that of statuses and error names.
#[derive(Debug, Default)]
pub(crate) struct RetryTally {
    causes: BTreeMap<ErrorType, u64>,
    gave_up: BTreeMap<String, u64>,
    /// Fetches that succeeded after a retry.
    pub(crate) rescued: u64,
    /// Responses with `Retry-After` that were followed by another attempt.
    pub(crate) retry_after: u64,
    /// The total wait between attempts, over all fetches.
    pub(crate) waited: Duration,
}

impl RetryTally {
    pub(crate) fn record(&mut self, outcome: &Outcome) {
        if let Some(why) = outcome.gave_up {
            *self.gave_up.entry(why.to_string()).or_default() += 1;
        }
        if outcome.retries == 0 {
            return;
        }
        self.rescued += u64::from(outcome.status().is_some_and(|status| status.as_u16() < 400));
        self.waited += outcome.timings.backoff;
        let before_last = outcome
            .attempts
            .split_last()
            .map_or(&[][..], |(_, all)| all);
        for attempt in before_last {
            self.retry_after += u64::from(attempt.retry_after.is_some());
            if let Some(cause) = cause(attempt) {
                *self.causes.entry(cause).or_default() += 1;
            }
        }
    }

    /// The causes of retries, the most frequent first.
    pub(crate) fn causes(&self) -> Vec<(ErrorType, u64)> {
        sorted_by_count(&self.causes)
    }

    /// The reasons why failed fetches were not retried, the most frequent first.
    pub(crate) fn gave_up(&self) -> Vec<(String, u64)> {
        sorted_by_count(&self.gave_up)
    }
}

fn sorted_by_count<K: Clone + Ord>(counts: &BTreeMap<K, u64>) -> Vec<(K, u64)> {
    let mut all: Vec<_> = counts.iter().map(|(key, n)| (key.clone(), *n)).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}

/// The error of an attempt that was followed by another. A redirect is no error.
fn cause(attempt: &AttemptReport) -> Option<ErrorType> {
    match (attempt.end, attempt.status) {
        (AttemptEnd::Abandoned | AttemptEnd::Redirected, _) => None,
        (AttemptEnd::Responded, Some(status)) => Some(ErrorType::Status(status)),
        (end, _) => attempt_error_type(end).map(ErrorType::Name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_cause_comes_first() {
        let mut retries = RetryTally::default();
        for (cause, count) in [(ErrorType::Name("dns"), 1), (ErrorType::Status(503), 3)] {
            retries.causes.insert(cause, count);
        }
        let names: Vec<_> = retries.causes().iter().map(|c| c.0.to_string()).collect();
        assert_eq!(names, ["503", "dns"]);
    }
}
