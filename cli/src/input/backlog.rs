//! The fetches of each host that were read from the list and have not ended, in bounded memory.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use concurrent_queue::ConcurrentQueue;
use fetch_driver::{Outcome, Request};
use fetch_proto::{EngineConfig, Rate};
use hashbrown::HashMap;
use url::Url;

use crate::mutex::lock;
use fetch_proto::url_origin;

/// The most hosts with separate counts. To make room, hosts without waiting fetches are dropped. If
/// all hosts have some, a new host is counted with the others, without a time estimate.
const MAX_HOSTS: usize = 10_000;

/// The most ended fetches that are buffered before they are counted.
const MAX_BUFFERED: usize = 64;

/// The waiting fetches of all hosts. The reading thread adds fetches, and the run removes them.
#[derive(Debug)]
pub(crate) struct HostBacklog {
    /// Ended fetches that are not counted yet, so that the run does not lock for each.
    ended: ConcurrentQueue<FinishedFetch>,
    hosts: Mutex<HostQueues>,
}

/// An ended fetch.
#[derive(Debug)]
struct FinishedFetch {
    /// The total time of its attempts.
    held: Duration,
    url: Arc<Url>,
}

#[derive(Debug, Default)]
struct HostQueues {
    known: HashMap<Box<str>, HostQueue>,
    others: u64,
}

/// The waiting and ended fetches of one host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct HostQueue {
    /// The Crawl-delay of robots.txt.
    delay: Duration,
    /// Ended fetches.
    pub(crate) ended: u64,
    /// The total time of their attempts, without retry delays.
    held: Duration,
    /// Fetches that were read and have not ended, including those in flight.
    pub(crate) waiting: u64,
}

/// The limits that determine the minimum time of a host.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostLimits {
    pub(crate) host_rate: Option<Rate>,
    /// The most requests in flight per host.
    pub(crate) per_host: Option<usize>,
    /// The rate limit of all hosts together.
    pub(crate) rate: Option<Rate>,
}

impl HostLimits {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            host_rate: config.host_rate,
            per_host: config.per_host_limit().filter(|limit| *limit > 0),
            rate: config.rate,
        }
    }
}

impl HostBacklog {
    /// Adds requests that were read.
    pub(crate) fn add<'a>(&self, requests: impl IntoIterator<Item = &'a Request>) {
        let mut hosts = self.lock();
        for request in requests {
            match hosts.queue(request.url()) {
                Some(queue) => queue.waiting += 1,
                None => hosts.others += 1,
            }
        }
    }

    /// Removes a URL that is not fetched.
    pub(crate) fn remove(&self, url: &Url) {
        self.lock().remove(url);
    }

    /// Removes an ended fetch.
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

    /// Sets the Crawl-delay of a site, given by its origin.
    pub(crate) fn set_delay(&self, site: &str, delay: Duration) {
        let site = Url::parse(site);
        let mut hosts = self.lock();
        if let Some(queue) = site.ok().as_ref().and_then(|site| hosts.queue(site)) {
            queue.delay = delay;
        }
    }

    /// The minimum time of the slowest host.
    pub(crate) fn min_time(&self, limits: &HostLimits) -> Duration {
        let hosts = self.lock();
        let times = hosts.known.values().map(|queue| queue.min_time(limits));
        times.max().unwrap_or_default()
    }

    /// The `n` hosts with the most waiting fetches, then the most ended ones, by origin.
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

    /// Locks the hosts, and counts the buffered ends.
    fn lock(&self) -> MutexGuard<'_, HostQueues> {
        let mut hosts = lock(&self.hosts);
        self.ended.try_iter().for_each(|end| hosts.end(end));
        hosts
    }
}

impl Default for HostBacklog {
    fn default() -> Self {
        Self {
            ended: ConcurrentQueue::bounded(MAX_BUFFERED),
            hosts: Mutex::default(),
        }
    }
}

impl HostQueues {
    /// The queue of the host, unless there is no room.
    fn queue(&mut self, url: &Url) -> Option<&mut HostQueue> {
        let name = url_origin(url);
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
        if let Some(queue) = self.remove(&end.url) {
            queue.ended += 1;
            queue.held += end.held;
        }
    }

    /// Decrements the waiting fetches of the URL's host; `None` if no waiting fetch is counted
    /// there.
    fn remove(&mut self, url: &Url) -> Option<&mut HostQueue> {
        match self.known.get_mut(&*url_origin(url)) {
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
    /// The minimum time for the waiting fetches: the longest of
    /// - the time by its rate limit: `waiting / rate`, after a free burst,
    /// - the time by its Crawl-delay: `waiting · delay`,
    /// - the time by its concurrency limit, if fetches take as long as before (Little's law):
    ///   `waiting · mean time / slots`.
    pub(crate) fn min_time(&self, limits: &HostLimits) -> Duration {
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

    /// The mean time of the attempts of a fetch.
    pub(crate) fn mean(&self) -> Duration {
        times(self.held, 1, self.ended)
    }
}

/// `time · by / through`; zero if `through` is zero.
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
    fn the_tightest_limit_determines_the_time() {
        let mut limits = HostLimits::default();
        let mut queue = queue(100, 10, 20);
        let time = |queue: &HostQueue, limits: &HostLimits| queue.min_time(limits).as_secs();
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
    fn requests_wait_until_they_end_and_the_busiest_host_comes_first() {
        let backlog = HostBacklog::default();
        let urls = ["http://a.test/1", "http://u:p@b.test/", "http://b.test/2"];
        let requests = urls.map(|url| Request::get(url).unwrap());
        backlog.add(&requests);
        let top = |n| -> Vec<_> {
            let top = backlog.top(n).into_iter();
            top.map(|(name, queue)| format!("{name} {}", queue.waiting))
                .collect()
        };
        assert_eq!(top(9), ["http://b.test 2", "http://a.test 1"]);
        backlog.remove(&Url::parse("http://b.test/x").unwrap());
        backlog.remove(&Url::parse("http://b.test/x").unwrap());
        backlog.remove(&Url::parse("http://b.test/x").unwrap());
        assert_eq!(top(1), ["http://a.test 1"]);
    }

    #[test]
    fn all_buffered_ends_are_counted() {
        let backlog = HostBacklog::default();
        let request = || Request::get("http://a.test/").unwrap();
        let requests: Vec<_> = std::iter::repeat_with(request)
            .take(3 * MAX_BUFFERED)
            .collect();
        backlog.add(&requests);
        for n in 1..=2 * MAX_BUFFERED as u64 + 1 {
            let (held, url) = (Duration::from_secs(2), requests[0].url().clone().into());
            backlog.note(FinishedFetch { held, url });
            if n % 50 == 0 {
                let (_, queue) = backlog.top(1).remove(0);
                let waiting = requests.len() as u64 - n;
                assert_eq!((queue.ended, queue.waiting), (n, waiting));
                assert_eq!(queue.mean(), held);
            }
        }
        assert_eq!(backlog.top(1)[0].1.ended, 2 * MAX_BUFFERED as u64 + 1);
    }

    #[test]
    fn idle_hosts_are_dropped_when_the_map_is_full() {
        let backlog = HostBacklog::default();
        let request = |n: usize| Request::get(format!("http://h{n}.test/")).unwrap();
        let many: Vec<_> = (0..MAX_HOSTS + 5).map(request).collect();
        backlog.add(&many);
        assert_eq!(backlog.lock().known.len(), MAX_HOSTS);
        assert_eq!(backlog.lock().others, 5);
        many.iter()
            .for_each(|request| backlog.remove(request.url()));
        assert_eq!(backlog.lock().others, 0);
        backlog.add([&request(MAX_HOSTS * 2)]);
        assert_eq!(backlog.lock().known.len(), 1);
    }
}
