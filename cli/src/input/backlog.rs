//! What waits at each host: read from the list, and not ended. In bounded memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use concurrent_queue::ConcurrentQueue;
use fetch_driver::{Outcome, Request};
use fetch_proto::{Config, Rate};
use hashbrown::HashMap;
use url::Url;

use crate::outcome::origin::origin;

/// So many hosts are told apart. Hosts where nothing waits make room; else a new one is among the
/// others, where it is counted, but with no bound of its own.
const MAX_HOSTS: usize = 10_000;

/// So many ends are noted before they are counted together.
const ENDS: usize = 64;

/// All hosts. The thread that reads adds to it, the run takes away.
#[derive(Debug)]
pub(crate) struct HostBacklog {
    /// What ended and is not counted yet: the run takes no lock for each.
    ended: ConcurrentQueue<FinishedFetch>,
    hosts: Mutex<HostQueues>,
}

/// A fetch that ended.
#[derive(Debug)]
struct FinishedFetch {
    /// How long its attempts held their slots.
    held: Duration,
    url: Arc<Url>,
}

#[derive(Debug, Default)]
struct HostQueues {
    known: HashMap<Box<str>, HostQueue>,
    others: u64,
}

/// What waits at one host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct HostQueue {
    /// The least time between two of its requests, as its robots.txt has it.
    delay: Duration,
    /// Fetches that ended.
    pub(crate) ended: u64,
    /// How long these held their slots, all together: waits between tries are not counted.
    held: Duration,
    /// Fetches that were read and have not ended, those in flight included.
    pub(crate) waiting: u64,
}

/// The limits that bound how soon a host can be done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostLimits {
    pub(crate) host_rate: Option<Rate>,
    /// Attempts at once at one host; `None` if that has no limit of its own.
    pub(crate) per_host: Option<usize>,
    /// Of all hosts together.
    pub(crate) rate: Option<Rate>,
}

impl HostLimits {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            host_rate: config.host_rate_limit(),
            per_host: config.per_host_limit().filter(|limit| *limit > 0),
            rate: config.rate_limit(),
        }
    }
}

impl HostBacklog {
    /// Adds what was read.
    pub(crate) fn read<'a>(&self, requests: impl IntoIterator<Item = &'a Request>) {
        let mut hosts = self.lock();
        for request in requests {
            match hosts.at(request.url()) {
                Some(queue) => queue.waiting += 1,
                None => hosts.others += 1,
            }
        }
    }

    /// Takes away what is not fetched after all.
    pub(crate) fn leave(&self, url: &Url) {
        self.lock().take(url);
    }

    /// Takes away what has ended.
    pub(crate) fn end(&self, outcome: &Outcome) {
        let held = outcome.attempts.iter().map(|attempt| {
            let timings = &attempt.timings;
            timings.ended.saturating_since(timings.started)
        });
        let held = held.sum();
        let url = match outcome.attempts.first() {
            Some(first) => first.url.clone(),
            None => match Url::parse(&outcome.url) {
                Ok(url) => Arc::new(url),
                Err(_) => return,
            },
        };
        self.note(FinishedFetch { held, url });
    }

    fn note(&self, end: FinishedFetch) {
        if let Err(full) = self.ended.push(end) {
            self.lock().end(full.into_inner());
        }
    }

    /// Notes the least time between two requests at a site, named by its origin.
    pub(crate) fn set_delay(&self, site: &str, delay: Duration) {
        let site = Url::parse(site);
        let mut hosts = self.lock();
        if let Some(queue) = site.ok().as_ref().and_then(|site| hosts.at(site)) {
            queue.delay = delay;
        }
    }

    /// How long the host that takes the longest needs at least.
    pub(crate) fn time(&self, limits: &HostLimits) -> Duration {
        let hosts = self.lock();
        let times = hosts.known.values().map(|queue| queue.time(limits));
        times.max().unwrap_or_default()
    }

    /// The hosts where the most waits, and then those where the most has ended, by origin.
    pub(crate) fn top(&self, n: usize) -> Vec<(Box<str>, HostQueue)> {
        let hosts = self.lock();
        let mut all: Vec<_> = hosts.known.iter().collect();
        all.sort_unstable_by(|(a, x), (b, y)| {
            let key = |queue: &HostQueue| (queue.waiting, queue.ended);
            key(y).cmp(&key(x)).then(a.cmp(b))
        });
        let top = all.into_iter().take(n);
        top.map(|(name, queue)| (name.clone(), *queue)).collect()
    }

    /// The hosts, with all that has ended counted.
    fn lock(&self) -> MutexGuard<'_, HostQueues> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.try_iter().for_each(|end| hosts.end(end));
        hosts
    }
}

impl Default for HostBacklog {
    fn default() -> Self {
        Self {
            ended: ConcurrentQueue::bounded(ENDS),
            hosts: Mutex::default(),
        }
    }
}

impl HostQueues {
    /// The host's, unless there is no room.
    fn at(&mut self, url: &Url) -> Option<&mut HostQueue> {
        let name = origin(url);
        if !self.known.contains_key(&*name) {
            if self.known.len() >= MAX_HOSTS {
                self.known.retain(|_, queue| queue.waiting > 0);
            }
            if self.known.len() >= MAX_HOSTS {
                return None;
            }
            self.known
                .insert(name.as_ref().into(), HostQueue::default());
        }
        self.known.get_mut(&*name)
    }

    fn end(&mut self, end: FinishedFetch) {
        if let Some(queue) = self.take(&end.url) {
            queue.ended += 1;
            queue.held += end.held;
        }
    }

    /// Counts one less there.
    fn take(&mut self, url: &Url) -> Option<&mut HostQueue> {
        match self.known.get_mut(&*origin(url)) {
            Some(queue) if queue.waiting > 0 => {
                queue.waiting -= 1;
                Some(queue)
            }
            _ => {
                self.others = self.others.saturating_sub(1);
                None
            }
        }
    }
}

impl HostQueue {
    /// How long it needs at least for what waits: the longest of what
    /// - its rate allows: `waiting / rate`, a burst being free,
    /// - its robots.txt allows: `waiting · delay`,
    /// - its slots allow, if each fetch holds one as long as those before did (Little's law):
    ///   `waiting · mean held time / slots`.
    pub(crate) fn time(&self, limits: &HostLimits) -> Duration {
        if self.waiting == 0 {
            return Duration::ZERO;
        }
        let by_rate = limits.host_rate.map(|rate| rate.time_for(self.waiting));
        let by_delay = times(self.delay, self.waiting, 1);
        let by_slots = limits.per_host.map_or(Duration::ZERO, |slots| {
            times(self.mean(), self.waiting, slots as u64)
        });
        by_rate.unwrap_or_default().max(by_delay).max(by_slots)
    }

    /// The mean time that a fetch held its slots.
    pub(crate) fn mean(&self) -> Duration {
        times(self.held, 1, self.ended)
    }
}

/// `time · by / through`, zero through nothing.
fn times(time: Duration, by: u64, through: u64) -> Duration {
    if through == 0 {
        return Duration::ZERO;
    }
    let seconds = time.as_secs_f64() * by as f64 / through as f64;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(waiting: u64, ended: u64, held: u64) -> HostQueue {
        HostQueue {
            delay: Duration::ZERO,
            ended,
            held: Duration::from_secs(held),
            waiting,
        }
    }

    #[test]
    fn the_tightest_limit_of_a_host_says_how_long_it_needs() {
        let mut limits = HostLimits::default();
        let mut queue = queue(100, 10, 20);
        let time = |queue: &HostQueue, limits: &HostLimits| queue.time(limits).as_secs();
        assert_eq!(time(&queue, &limits), 0, "nothing bounds it");
        limits.per_host = Some(4);
        assert_eq!(time(&queue, &limits), 50, "100 of 2 s on 4 slots");
        limits.host_rate = Rate::new(1.try_into().unwrap(), Duration::from_secs(1));
        assert_eq!(time(&queue, &limits), 99, "one a second, the first at once");
        queue.delay = Duration::from_secs(2);
        assert_eq!(time(&queue, &limits), 200);
        queue.waiting = 0;
        assert_eq!(time(&queue, &limits), 0);
    }

    #[test]
    fn what_is_read_waits_until_it_ends_and_the_busiest_comes_first() {
        let backlog = HostBacklog::default();
        let urls = ["http://a.test/1", "http://u:p@b.test/", "http://b.test/2"];
        let requests = urls.map(|url| Request::get(url).unwrap());
        backlog.read(&requests);
        let top = |n| -> Vec<_> {
            let top = backlog.top(n).into_iter();
            top.map(|(name, queue)| format!("{name} {}", queue.waiting))
                .collect()
        };
        assert_eq!(top(9), ["http://b.test 2", "http://a.test 1"]);
        backlog.leave(&Url::parse("http://b.test/x").unwrap());
        backlog.leave(&Url::parse("http://b.test/x").unwrap());
        backlog.leave(&Url::parse("http://b.test/x").unwrap());
        assert_eq!(top(1), ["http://a.test 1"]);
    }

    #[test]
    fn ends_are_counted_however_many_there_are_at_once() {
        let backlog = HostBacklog::default();
        let request = || Request::get("http://a.test/").unwrap();
        let requests: Vec<_> = std::iter::repeat_with(request).take(3 * ENDS).collect();
        backlog.read(&requests);
        for n in 1..=2 * ENDS as u64 + 1 {
            let (held, url) = (Duration::from_secs(2), requests[0].url().clone().into());
            backlog.note(FinishedFetch { held, url });
            if n % 50 == 0 {
                let (_, queue) = backlog.top(1).remove(0);
                let waiting = requests.len() as u64 - n;
                assert_eq!((queue.ended, queue.waiting), (n, waiting));
                assert_eq!(queue.mean(), held);
            }
        }
        assert_eq!(backlog.top(1)[0].1.ended, 2 * ENDS as u64 + 1);
    }

    #[test]
    fn memory_is_bounded_and_idle_hosts_make_room() {
        let backlog = HostBacklog::default();
        let request = |n: usize| Request::get(format!("http://h{n}.test/")).unwrap();
        let many: Vec<_> = (0..MAX_HOSTS + 5).map(request).collect();
        backlog.read(&many);
        assert_eq!(backlog.lock().known.len(), MAX_HOSTS);
        assert_eq!(backlog.lock().others, 5);
        many.iter().for_each(|request| backlog.leave(request.url()));
        assert_eq!(backlog.lock().others, 0);
        backlog.read([&request(MAX_HOSTS * 2)]);
        assert_eq!(backlog.lock().known.len(), 1);
    }
}
