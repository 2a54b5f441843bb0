//! How each host fares, in bounded memory.

use std::collections::HashMap;
use std::time::Duration;

/// So many hosts are told apart; those that come later are counted together.
const MAX_HOSTS: usize = 10_000;

/// The numbers of one host.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Host {
    pub(crate) count: u64,
    pub(crate) failed: u64,
    total: Duration,
}

impl Host {
    pub(crate) fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.total.as_secs_f64() / self.count.max(1) as f64)
    }
}

/// The numbers of all hosts.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    known: HashMap<String, Host>,
    /// Fetches at hosts past the bound.
    others: u64,
}

impl Hosts {
    pub(crate) fn record(&mut self, name: &str, took: Duration, failed: bool) {
        if !self.known.contains_key(name) && self.known.len() < MAX_HOSTS {
            self.known.insert(name.to_owned(), Host::default());
        }
        let Some(host) = self.known.get_mut(name) else {
            self.others += 1;
            return;
        };
        host.count += 1;
        host.failed += u64::from(failed);
        host.total += took;
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many fetches were at hosts that are not told apart.
    pub(crate) fn others(&self) -> u64 {
        self.others
    }

    /// The hosts with the longest mean time.
    pub(crate) fn slowest(&self, n: usize) -> Vec<(&str, Host)> {
        self.top(n, Host::mean)
    }

    /// The hosts with the most failures.
    pub(crate) fn failing(&self, n: usize) -> Vec<(&str, Host)> {
        let mut top = self.top(n, |host| host.failed);
        top.retain(|(_, host)| host.failed > 0);
        top
    }

    fn top<K: Ord>(&self, n: usize, key: impl Fn(&Host) -> K) -> Vec<(&str, Host)> {
        let mut all: Vec<_> = self
            .known
            .iter()
            .map(|(name, host)| (name.as_str(), *host))
            .collect();
        // The name decides between equals, so that two runs print the same.
        all.sort_unstable_by(|a, b| key(&b.1).cmp(&key(&a.1)).then(a.0.cmp(b.0)));
        all.truncate(n);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_and_the_failing_come_first() {
        let mut hosts = Hosts::default();
        for (name, ms, failed) in [
            ("a", 10, true),
            ("b", 30, false),
            ("a", 20, true),
            ("c", 5, true),
        ] {
            hosts.record(name, Duration::from_millis(ms), failed);
        }
        let names =
            |list: Vec<(&str, Host)>| list.iter().map(|(n, _)| n.to_string()).collect::<String>();
        assert_eq!(names(hosts.slowest(2)), "ba");
        assert_eq!(names(hosts.failing(5)), "ac");
    }

    #[test]
    fn memory_is_bounded() {
        let mut hosts = Hosts::default();
        for n in 0..MAX_HOSTS + 5 {
            hosts.record(&n.to_string(), Duration::ZERO, false);
        }
        assert_eq!((hosts.len(), hosts.others()), (MAX_HOSTS, 5));
    }
}
