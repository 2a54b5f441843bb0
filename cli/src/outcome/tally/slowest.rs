//! The URLs that took the longest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::outcome::error_type::error_type;
use crate::outcome::errors::shown_url;
use crate::outcome::result::Ended;

/// So many are kept.
pub(crate) const KEPT: usize = 20;

/// The slowest so far.
#[derive(Debug, Default)]
pub(crate) struct Slowest(BinaryHeap<Reverse<Slow>>);

/// One of them. The first field orders them.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Slow {
    pub(crate) took: Duration,
    /// How long it waited between its tries.
    pub(crate) waited: Duration,
    pub(crate) requests: usize,
    /// What it came to: a status or a word.
    pub(crate) result: String,
    pub(crate) url: String,
}

impl Slowest {
    pub(crate) fn record(&mut self, ended: &Ended<'_>) {
        let outcome = ended.outcome;
        self.offer(outcome.duration(), |took| Slow {
            took,
            waited: outcome.timings.backoff,
            requests: outcome.attempts.len(),
            result: match (outcome.status(), error_type(ended)) {
                (_, Some(kind)) => kind.to_string(),
                (Some(status), None) => status.as_u16().to_string(),
                (None, None) => "-".to_owned(),
            },
            url: shown_url(outcome),
        });
    }

    /// Makes one only if it is slow enough.
    fn offer(&mut self, took: Duration, make: impl FnOnce(Duration) -> Slow) {
        if self.0.len() == KEPT && self.0.peek().is_some_and(|least| took <= least.0.took) {
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop();
        }
        self.0.push(Reverse(make(took)));
    }

    /// The slowest first.
    pub(crate) fn list(&self) -> Vec<&Slow> {
        let mut list: Vec<_> = self.0.iter().map(|Reverse(slow)| slow).collect();
        list.sort_unstable_by(|a, b| b.cmp(a));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_are_kept_in_order_and_others_are_not_even_made() {
        let (mut slowest, mut made) = (Slowest::default(), 0);
        for ms in (0..1000).rev() {
            slowest.offer(Duration::from_millis(ms), |took| {
                made += 1;
                Slow {
                    took,
                    waited: Duration::ZERO,
                    requests: 1,
                    result: "200".to_owned(),
                    url: ms.to_string(),
                }
            });
        }
        let urls: Vec<_> = slowest.list().iter().map(|slow| slow.url.clone()).collect();
        assert_eq!((urls.len(), &*urls[0], &*urls[19]), (KEPT, "999", "980"));
        assert_eq!(made, KEPT);
    }
}
