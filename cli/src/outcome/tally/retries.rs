//! What was tried again, and why; and why not.

use std::collections::BTreeMap;
use std::time::Duration;

use fetch_driver::{AttemptEnd, AttemptReport, Outcome};

use crate::outcome::error_type::ErrorType;
use crate::outcome::verdict::attempt_error;

/// Counts of retries by cause. There are no more causes than statuses and names of errors.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    causes: BTreeMap<ErrorType, u64>,
    gave_up: BTreeMap<String, u64>,
    /// Fetches that ended well only because they were tried again.
    pub(crate) saved: u64,
    /// How often a server said how long to wait.
    pub(crate) told_to_wait: u64,
    /// The waits between tries, of all fetches together.
    pub(crate) waited: Duration,
}

impl Retries {
    pub(crate) fn record(&mut self, outcome: &Outcome) {
        if let Some(why) = outcome.gave_up {
            *self.gave_up.entry(why.to_string()).or_default() += 1;
        }
        if outcome.retries == 0 {
            return;
        }
        self.saved += u64::from(outcome.status().is_some_and(|status| status.as_u16() < 400));
        self.waited += outcome.timings.backoff;
        let before_last = outcome
            .attempts
            .split_last()
            .map_or(&[][..], |(_, all)| all);
        for attempt in before_last {
            self.told_to_wait += u64::from(attempt.retry_after.is_some());
            if let Some(cause) = cause(attempt) {
                *self.causes.entry(cause).or_default() += 1;
            }
        }
    }

    /// Why requests were sent again, the most frequent first.
    pub(crate) fn causes(&self) -> Vec<(ErrorType, u64)> {
        by_count(&self.causes)
    }

    /// Why what had failed was not tried again, the most frequent first.
    pub(crate) fn gave_up(&self) -> Vec<(String, u64)> {
        by_count(&self.gave_up)
    }
}

fn by_count<K: Clone + Ord>(counts: &BTreeMap<K, u64>) -> Vec<(K, u64)> {
    let mut all: Vec<_> = counts.iter().map(|(key, n)| (key.clone(), *n)).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}

/// What was wrong with an attempt after which there was another. A redirect is nothing wrong.
fn cause(attempt: &AttemptReport) -> Option<ErrorType> {
    match (attempt.end, attempt.status) {
        (AttemptEnd::Abandoned | AttemptEnd::Redirected, _) => None,
        (AttemptEnd::Responded, Some(status)) => Some(ErrorType::Status(status)),
        (end, _) => attempt_error(end).map(ErrorType::Name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_cause_comes_first() {
        let mut retries = Retries::default();
        for (cause, count) in [(ErrorType::Name("dns"), 1), (ErrorType::Status(503), 3)] {
            retries.causes.insert(cause, count);
        }
        let names: Vec<_> = retries.causes().iter().map(|c| c.0.to_string()).collect();
        assert_eq!(names, ["503", "dns"]);
    }
}
