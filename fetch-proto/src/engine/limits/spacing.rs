//! The time between the starts of two attempts at one host.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::model::time::nanos;
use crate::random::between;

/// A random distance for all hosts, and crawl delays of single hosts.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct AttemptSpacing {
    /// By host key.
    crawl_delays: BTreeMap<Box<str>, Duration>,
    /// The shortest and the longest random distance.
    range: Option<(Duration, Duration)>,
}

impl AttemptSpacing {
    pub(crate) fn new(range: Option<(Duration, Duration)>) -> Self {
        Self {
            range,
            ..Self::default()
        }
    }

    pub(crate) fn set_range(&mut self, range: Option<(Duration, Duration)>) {
        self.range = range;
    }

    /// Sets the crawl delay of a host; zero removes it.
    pub(crate) fn set_crawl_delay(&mut self, host: &str, delay: Duration) {
        if delay.is_zero() {
            self.crawl_delays.remove(host);
        } else {
            self.crawl_delays.insert(host.into(), delay);
        }
    }

    /// The distance to the next attempt at this host: the longer of its crawl delay and a random
    /// one, for which `draw` returns the random word.
    pub(crate) fn next_distance(&self, host: &str, draw: impl FnOnce() -> u64) -> Option<Duration> {
        let random = self.range.map(|(min, max)| {
            let nanos = between(draw(), nanos(min), nanos(max));
            Duration::from_nanos(nanos)
        });
        if self.crawl_delays.is_empty() {
            return random;
        }
        self.crawl_delays.get(host).copied().max(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_longer_of_crawl_delay_and_random_distance_counts() {
        let mut spacing = AttemptSpacing::default();
        let no_draw = || unreachable!("there is no random distance");
        assert_eq!(spacing.next_distance("http://a.test", no_draw), None);
        spacing.set_crawl_delay("http://a.test", SECOND);
        assert_eq!(spacing.next_distance("http://b.test", no_draw), None);
        assert_eq!(
            spacing.next_distance("http://a.test", no_draw),
            Some(SECOND)
        );
        spacing.set_range(Some((2 * SECOND, 3 * SECOND)));
        for (draw, expected) in [(0, 2 * SECOND), (u64::MAX, 3 * SECOND)] {
            let distance = spacing.next_distance("http://a.test", || draw);
            assert_eq!(distance, Some(expected));
        }
        spacing.set_range(None);
        spacing.set_crawl_delay("http://a.test", Duration::ZERO);
        assert_eq!(spacing.next_distance("http://a.test", no_draw), None);
    }
}
