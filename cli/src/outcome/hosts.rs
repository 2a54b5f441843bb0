//! Counts and times per host, in bounded memory.

use std::time::Duration;

use hashbrown::HashMap;

/// The most hosts with separate numbers. At this number, the half with the fewest fetches is merged
/// into one. So a busy host is found however late it occurs, and every fetch is counted.
const MAX_HOSTS: usize = 10_000;

/// The numbers of one host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct HostTally {
    pub(crate) count: u64,
    pub(crate) failed: u64,
    pub(crate) longest: Duration,
    pub(crate) retries: u64,
    total: Duration,
}

impl HostTally {
    /// The numbers of one fetch.
    pub(crate) fn of_fetch(took: Duration, failed: bool, retries: u64) -> Self {
        Self {
            count: 1,
            failed: failed.into(),
            longest: took,
            retries,
            total: took,
        }
    }

    pub(crate) fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.total.as_secs_f64() / self.count.max(1) as f64)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.failed += other.failed;
        self.longest = self.longest.max(other.longest);
        self.retries += other.retries;
        self.total += other.total;
    }
}

/// The numbers of all hosts.
#[derive(Debug, Default)]
pub(crate) struct HostTallies {
    known: HashMap<String, HostTally>,
    others: HostTally,
}

impl HostTallies {
    pub(crate) fn record(&mut self, name: &str, fetch: &HostTally) {
        if let Some(host) = self.known.get_mut(name) {
            return host.add(fetch);
        }
        if self.known.len() >= MAX_HOSTS {
            self.merge_smallest();
        }
        self.known.insert(name.to_owned(), *fetch);
    }

    /// Merges the half with the fewest fetches.
    fn merge_smallest(&mut self) {
        let mut counts: Vec<u64> = self.known.values().map(|host| host.count).collect();
        let (_, middle, _) = counts.select_nth_unstable(MAX_HOSTS / 2);
        let middle = *middle;
        // All hosts may have the median's count: only half of them are merged.
        let mut left = MAX_HOSTS / 2;
        let others = &mut self.others;
        self.known.retain(|_, host| {
            let goes = host.count <= middle && left > 0;
            if goes {
                left -= 1;
                others.add(host);
            }
            !goes
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The numbers of all merged hosts.
    pub(crate) fn others(&self) -> &HostTally {
        &self.others
    }

    /// The hosts with the most fetches.
    pub(crate) fn busiest(&self, n: usize) -> Vec<(&str, HostTally)> {
        self.top(n, |host| host.count)
    }

    /// The hosts with the longest mean time.
    pub(crate) fn slowest(&self, n: usize) -> Vec<(&str, HostTally)> {
        self.top(n, HostTally::mean)
    }

    /// The hosts with the most failures.
    pub(crate) fn failing(&self, n: usize) -> Vec<(&str, HostTally)> {
        let mut top = self.top(n, |host| host.failed);
        top.retain(|(_, host)| host.failed > 0);
        top
    }

    fn top<K: Ord>(&self, n: usize, key: impl Fn(&HostTally) -> K) -> Vec<(&str, HostTally)> {
        let mut all: Vec<_> = self
            .known
            .iter()
            .map(|(name, host)| (name.as_str(), *host))
            .collect();
        // Equal hosts are ordered by name, so that the output is reproducible.
        all.sort_unstable_by(|a, b| key(&b.1).cmp(&key(&a.1)).then(a.0.cmp(b.0)));
        all.truncate(n);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(ms: u64, failed: bool) -> HostTally {
        HostTally::of_fetch(Duration::from_millis(ms), failed, 0)
    }

    #[test]
    fn the_slowest_and_the_failing_come_first() {
        let mut hosts = HostTallies::default();
        for (name, ms, failed) in [
            ("a", 10, true),
            ("b", 30, false),
            ("a", 20, true),
            ("c", 5, true),
        ] {
            hosts.record(name, &fetch(ms, failed));
        }
        let names = |list: Vec<(&str, HostTally)>| {
            list.iter().map(|(n, _)| n.to_string()).collect::<String>()
        };
        assert_eq!(names(hosts.slowest(2)), "ba");
        assert_eq!(names(hosts.failing(5)), "ac");
        assert_eq!(names(hosts.busiest(1)), "a");
        assert_eq!(hosts.busiest(1)[0].1.longest, Duration::from_millis(20));
    }

    #[test]
    fn memory_is_bounded_and_a_late_busy_host_is_found() {
        let mut hosts = HostTallies::default();
        for n in 0..3 * MAX_HOSTS {
            hosts.record(&n.to_string(), &fetch(1, false));
            if n > MAX_HOSTS {
                hosts.record("late", &fetch(1, false));
            }
        }
        assert!(hosts.len() <= MAX_HOSTS);
        let (name, host) = hosts.busiest(1)[0];
        assert_eq!((name, host.count), ("late", 2 * MAX_HOSTS as u64 - 1));
        let known: u64 = hosts.busiest(MAX_HOSTS).iter().map(|(_, h)| h.count).sum();
        let all = 5 * MAX_HOSTS as u64 - 1;
        assert_eq!(known + hosts.others().count, all, "no fetch is lost");
    }
}
