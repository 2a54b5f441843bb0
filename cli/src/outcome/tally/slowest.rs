//! The slowest fetches.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::outcome::error_type::ErrorType;
use crate::outcome::errors::display_url;
use crate::outcome::result::FetchResult;

/// The number of fetches in the list.
pub(crate) const MAX_FETCHES: usize = 20;

/// The slowest fetches so far.
#[derive(Debug, Default)]
pub(crate) struct SlowestFetches(BinaryHeap<Reverse<SlowFetch>>);

/// A slow fetch. The first field orders them.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SlowFetch {
    pub(crate) took: Duration,
    /// The waits between its attempts.
    pub(crate) waited: Duration,
    pub(crate) requests: usize,
    /// A status, or the type of an error.
    pub(crate) result: String,
    pub(crate) url: String,
}

impl SlowestFetches {
    pub(crate) fn record(&mut self, result: &FetchResult<'_>) {
        let outcome = result.outcome;
        self.record_with(outcome.duration(), |took| SlowFetch {
            took,
            waited: outcome.timings.backoff,
            requests: outcome.attempts.len(),
            result: match (outcome.status(), ErrorType::of(result)) {
                (_, Some(error)) => error.to_string(),
                (Some(status), None) => status.as_u16().to_string(),
                (None, None) => "-".to_owned(),
            },
            url: display_url(outcome),
        });
    }

    /// Calls `make` only if the fetch is slow enough.
    fn record_with(&mut self, took: Duration, make: impl FnOnce(Duration) -> SlowFetch) {
        if self.0.len() == MAX_FETCHES && self.0.peek().is_some_and(|least| took <= least.0.took) {
            return;
        }
        if self.0.len() == MAX_FETCHES {
            self.0.pop();
        }
        self.0.push(Reverse(make(took)));
    }

    /// The slowest first.
    pub(crate) fn list(&self) -> Vec<&SlowFetch> {
        let mut list: Vec<_> = self.0.iter().map(|Reverse(slow)| slow).collect();
        list.sort_unstable_by(|a, b| b.cmp(a));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_slowest_are_made_and_sorted() {
        let (mut slowest, mut made) = (SlowestFetches::default(), 0);
        for ms in (0..1000).rev() {
            slowest.record_with(Duration::from_millis(ms), |took| {
                made += 1;
                SlowFetch {
                    took,
                    waited: Duration::ZERO,
                    requests: 1,
                    result: "200".to_owned(),
                    url: ms.to_string(),
                }
            });
        }
        let urls: Vec<_> = slowest.list().iter().map(|slow| slow.url.clone()).collect();
        assert_eq!(
            (urls.len(), &*urls[0], &*urls[19]),
            (MAX_FETCHES, "999", "980")
        );
        assert_eq!(made, MAX_FETCHES);
    }
}
