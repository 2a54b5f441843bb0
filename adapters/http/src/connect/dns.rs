//! Name lookups: a bounded number at once, one at a time per name, cached.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event_listener::Event;
use fetch_driver::{DnsResolver, ResolvedAddresses};
use futures_lite::FutureExt;
use hashbrown::HashMap;

use fetch_transport_util::lock;

/// The most concurrent lookups.
const MAX_WORKERS: usize = 32;
/// How long a failure is cached, unless the TTL is shorter.
const NEGATIVE_TTL: Duration = Duration::from_secs(5);
/// The most cached names.
const MAX_NAMES: usize = 16 * 1024;

/// The system's resolver, `getaddrinfo`: the default.
///
/// On Linux, a name that does not exist is an error of the kind
/// [`NotFound`](io::ErrorKind::NotFound). macOS and Windows report the same error while the machine
/// is offline, so it is not distinguished from other failures there.
///
/// ```
/// use fetch_driver::DnsResolver;
/// use fetch_http::SystemResolver;
///
/// let found = smol::block_on(SystemResolver.resolve("127.0.0.1"))?;
/// assert!(found[0].is_loopback());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl DnsResolver for SystemResolver {
    fn resolve(&self, host: &str) -> ResolvedAddresses {
        let host = host.to_owned();
        Box::pin(blocking::unblock(move || getaddrinfo(&host)))
    }
}

/// Asks the system. This blocks.
fn getaddrinfo(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addrs = Vec::new();
    for addr in (host, 0).to_socket_addrs().map_err(mark_unknown_host)? {
        if !addrs.contains(&addr.ip()) {
            addrs.push(addr.ip());
        }
    }
    Ok(addrs)
}

/// The texts of `gai_strerror` for `EAI_NONAME` in glibc and in musl.
const NO_NAME_TEXTS: [&str; 2] = ["Name or service not known", "Name does not resolve"];

/// Gives the kind `NotFound` to the error of `getaddrinfo` for a name that does not exist.
///
/// The standard library keeps only the text of the error. An unknown text, such as a translated one,
/// leaves the error as it is.
fn mark_unknown_host(error: io::Error) -> io::Error {
    let text = error.to_string();
    let is_no_name = NO_NAME_TEXTS.iter().any(|no_name| text.ends_with(no_name));
    if cfg!(target_os = "linux") && error.raw_os_error().is_none() && is_no_name {
        return io::Error::new(io::ErrorKind::NotFound, text);
    }
    error
}

/// Whether a resolver's error says that the name does not exist. An error with an OS error code is
/// another one: `NotFound` may then be a missing configuration file.
pub(crate) fn is_unknown_host(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound && error.raw_os_error().is_none()
}

/// Runs a lookup in the background.
pub(crate) type SpawnLookup = Box<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

type LookupResult = Result<Arc<[IpAddr]>, Arc<io::Error>>;

/// A cache in front of a resolver. Concurrent lookups of one name share one call.
pub(crate) struct DnsCache {
    resolver: Arc<dyn DnsResolver>,
    spawn: SpawnLookup,
    state: Mutex<DnsState>,
    ttl: Duration,
}

#[derive(Default)]
struct DnsState {
    /// The cached names in the order of eviction.
    eviction_order: VecDeque<Arc<str>>,
    names: HashMap<Arc<str>, DnsEntry>,
    /// Names to look up.
    queue: VecDeque<Arc<str>>,
    workers: usize,
}

enum DnsEntry {
    Cached {
        result: LookupResult,
        until: Instant,
        /// Whether it was used since it was last considered for eviction.
        used: bool,
    },
    Pending(Arc<PendingLookup>),
}

/// One lookup, with the requests that wait for it.
#[derive(Default)]
struct PendingLookup {
    done: Event,
    result: Mutex<Option<LookupResult>>,
}

impl DnsCache {
    pub(crate) fn new(resolver: Arc<dyn DnsResolver>, ttl: Duration, spawn: SpawnLookup) -> Self {
        Self {
            resolver,
            spawn,
            state: Mutex::default(),
            ttl,
        }
    }

    /// The addresses of `host`; never an empty list.
    pub(crate) async fn lookup(self: &Arc<Self>, host: &str) -> LookupResult {
        let pending = match self.get_or_enqueue(host) {
            Ok(result) => return result,
            Err(pending) => pending,
        };
        loop {
            if let Some(result) = lock(&pending.result).clone() {
                return result;
            }
            let done = pending.done.listen();
            if let Some(result) = lock(&pending.result).clone() {
                return result;
            }
            done.await;
        }
    }

    fn get_or_enqueue(self: &Arc<Self>, host: &str) -> Result<LookupResult, Arc<PendingLookup>> {
        let mut state = lock(&self.state);
        match state.names.get_mut(host) {
            Some(DnsEntry::Pending(pending)) => return Err(pending.clone()),
            Some(DnsEntry::Cached {
                result,
                until,
                used,
            }) if Instant::now() < *until => {
                *used = true;
                return Ok(result.clone());
            }
            _ => {}
        }
        let pending = Arc::new(PendingLookup::default());
        let host: Arc<str> = host.into();
        let entry = DnsEntry::Pending(pending.clone());
        state.names.insert(host.clone(), entry);
        state.queue.push_back(host);
        if state.workers < MAX_WORKERS {
            state.workers += 1;
            let this = self.clone();
            // Detached: the request that started the lookup may be cancelled while others wait.
            (self.spawn)(Box::pin(async move { this.run_worker().await }));
        }
        Err(pending)
    }

    /// Performs queued lookups until none is left.
    async fn run_worker(&self) {
        while let Some((host, pending)) = self.next_lookup() {
            // If the resolver panics, the waiting requests must fail, not hang.
            let resolve = async { self.resolver.resolve(&host).await };
            let result = match AssertUnwindSafe(resolve).catch_unwind().await {
                Ok(Ok(addrs)) if addrs.is_empty() => {
                    Err(io::Error::other("the name has no address"))
                }
                Ok(result) => result,
                Err(_) => Err(io::Error::other("the resolver panicked")),
            };
            let result = result.map(Arc::from).map_err(Arc::new);
            self.store(host, result.clone());
            *lock(&pending.result) = Some(result);
            pending.done.notify(usize::MAX);
        }
    }

    fn next_lookup(&self) -> Option<(Arc<str>, Arc<PendingLookup>)> {
        let mut state = lock(&self.state);
        while let Some(host) = state.queue.pop_front() {
            if let Some(DnsEntry::Pending(pending)) = state.names.get(&host) {
                if Arc::strong_count(pending) > 1 {
                    return Some((host, pending.clone()));
                }
                // All requests that waited were cancelled.
                state.names.remove(&host);
            }
        }
        state.workers -= 1;
        None
    }

    fn store(&self, host: Arc<str>, result: LookupResult) {
        let ttl = if result.is_ok() {
            self.ttl
        } else {
            NEGATIVE_TTL.min(self.ttl)
        };
        let mut state = lock(&self.state);
        if ttl.is_zero() {
            state.names.remove(&host);
            return;
        }
        let entry = DnsEntry::Cached {
            result,
            until: Instant::now() + ttl,
            used: false,
        };
        state.names.insert(host.clone(), entry);
        state.eviction_order.push_back(host);
        state.evict_unused();
    }
}

impl DnsState {
    /// Evicts names that were not used since they were last considered (the clock algorithm), until
    /// the cache is within its limit.
    fn evict_unused(&mut self) {
        let mut spared = 0;
        while self.eviction_order.len() > MAX_NAMES
            && let Some(host) = self.eviction_order.pop_front()
        {
            match self.names.get_mut(&host) {
                Some(DnsEntry::Cached { used, .. }) if *used && spared < MAX_NAMES => {
                    *used = false;
                    spared += 1;
                    self.eviction_order.push_back(host);
                }
                Some(DnsEntry::Cached { .. }) => drop(self.names.remove(&host)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache that looks nothing up.
    fn test_cache(ttl: Duration) -> DnsCache {
        DnsCache::new(Arc::new(SystemResolver), ttl, Box::new(drop))
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_a_name_that_does_not_exist_is_marked_as_unknown() {
        let is_unknown = |text: &str| {
            let text = format!("failed to lookup address information: {text}");
            let marked = mark_unknown_host(io::Error::other(text.clone()));
            assert_eq!(marked.to_string(), text);
            is_unknown_host(&marked)
        };
        assert!(is_unknown("Name or service not known"));
        assert!(is_unknown("Name does not resolve"));
        for other in [
            "Temporary failure in name resolution",
            "No address associated with hostname",
            "Non-recoverable failure in name resolution",
            "Try again",
        ] {
            assert!(!is_unknown(other), "{other}");
        }
        let no_file = io::Error::from_raw_os_error(libc::ENOENT);
        assert!(!is_unknown_host(&mark_unknown_host(no_file)));
    }

    /// How long a result is cached at a TTL: at least, and at most.
    fn cached_for(ttl: Duration, result: LookupResult) -> Option<(Duration, Duration)> {
        let cache = test_cache(ttl);
        let before = Instant::now();
        cache.store("a.test".into(), result);
        let after = Instant::now();
        match lock(&cache.state).names.get("a.test")? {
            DnsEntry::Cached { until, .. } => Some((*until - after, *until - before)),
            DnsEntry::Pending(_) => None,
        }
    }

    #[test]
    fn answers_are_cached_for_the_ttl_and_failures_for_at_most_five_seconds() {
        let answer = || Ok(Arc::from([IpAddr::from([127, 0, 0, 1])]));
        let failure = || Err(Arc::new(io::Error::other("no such name")));
        let seconds = Duration::from_secs;
        for (ttl, result, expected) in [
            (seconds(300), answer(), seconds(300)),
            (seconds(2), answer(), seconds(2)),
            (seconds(300), failure(), seconds(5)),
            (seconds(2), failure(), seconds(2)),
        ] {
            let (least, most) = cached_for(ttl, result).unwrap();
            assert!(
                least <= expected && expected <= most,
                "{ttl:?}: {least:?} to {most:?}"
            );
        }
        for result in [answer(), failure()] {
            assert_eq!(cached_for(Duration::ZERO, result), None);
        }
    }

    #[test]
    fn an_expired_result_is_looked_up_again() {
        let failure: LookupResult = Err(Arc::new(io::Error::other("no such name")));
        for (ttl, is_cached) in [
            (Duration::from_secs(300), true),
            (Duration::from_nanos(1), false),
        ] {
            let cache = Arc::new(test_cache(ttl));
            cache.store("127.0.0.1".into(), failure.clone());
            let stored = Instant::now();
            while stored.elapsed().is_zero() {}
            assert_eq!(
                cache.get_or_enqueue("127.0.0.1").is_ok(),
                is_cached,
                "{ttl:?}"
            );
        }
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_names_in_use() {
        let cache = Arc::new(test_cache(Duration::from_secs(300)));
        let result: LookupResult = Ok(Arc::from([IpAddr::from([127, 0, 0, 1])]));
        for n in 0..MAX_NAMES {
            cache.store(format!("n{n}").into(), result.clone());
        }
        assert!(cache.get_or_enqueue("n0").is_ok());
        cache.store("one more".into(), result);
        let state = lock(&cache.state);
        assert_eq!(
            (state.names.len(), state.eviction_order.len()),
            (MAX_NAMES, MAX_NAMES)
        );
        assert!(state.names.contains_key("n0") && state.names.contains_key("one more"));
        assert!(!state.names.contains_key("n1"));
    }
}
