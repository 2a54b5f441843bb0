//! The limit on open connections that all pools of a fetcher share.
//!
//! Each thread of a fetcher has its own pool, and every pool takes its permits here. A request that
//! finds an idle connection only reads one shared counter.

use std::cmp::Reverse;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use event_listener::{Event, EventListener};

use fetch_transport_util::lock;

/// A limit on open connections, with the pools that share it.
#[derive(Debug)]
pub(crate) struct ConnectionLimit {
    max: usize,
    open: AtomicUsize,
    pools: Mutex<Vec<Weak<dyn PoolMember>>>,
    /// The length of `pools`, readable without the lock.
    pool_count: AtomicUsize,
    /// Requests waiting for a connection, over all pools.
    waiting: AtomicUsize,
}

/// A pool as its limit sees it.
pub(crate) trait PoolMember: Send + Sync {
    fn counters(&self) -> &Arc<PoolCounters>;

    /// Closes the connection that has been idle for the longest time. False if none is idle.
    fn evict_oldest(&self) -> bool;
}

/// One pool's open connections and waiting requests.
#[derive(Debug, Default)]
pub(crate) struct PoolCounters {
    /// Notified when a waiting request should look again.
    freed: Event,
    open: AtomicUsize,
    waiting: AtomicUsize,
}

/// Counts a request as waiting for a connection until it is dropped. While any request waits,
/// released connections bypass the turn cache.
pub(crate) struct WaiterGuard<'a> {
    limit: &'a ConnectionLimit,
    counters: &'a PoolCounters,
}

/// The right to have one connection open. It does not reference the pool, because the pool holds
/// the permits of its idle connections.
pub(crate) struct ConnectionPermit {
    limit: Arc<ConnectionLimit>,
    counters: Arc<PoolCounters>,
}

impl PoolCounters {
    /// Resolves when a connection may have become available.
    pub(crate) fn listen(&self) -> EventListener {
        self.freed.listen()
    }

    /// Wakes one more waiting request of this pool.
    #[cfg(feature = "http2")]
    pub(crate) fn wake_another(&self) {
        self.freed.notify_additional(1);
    }

    /// Open connections, idle ones included.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl ConnectionLimit {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            open: AtomicUsize::new(0),
            pools: Mutex::default(),
            pool_count: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Adds a pool that shares the limit.
    pub(crate) fn register<P: PoolMember + 'static>(&self, pool: &Arc<P>) {
        let pool: Weak<dyn PoolMember> = Arc::<P>::downgrade(pool);
        let mut pools = lock(&self.pools);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(pool);
        self.pool_count.store(pools.len(), Ordering::Release);
    }

    /// A permit to open a connection, if the limit allows it and this pool need not yield to
    /// another.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        counters: &Arc<PoolCounters>,
    ) -> Option<ConnectionPermit> {
        if self.must_yield(counters, counters.open() + 1) {
            return None;
        }
        let more = |open: usize| (open < self.max).then_some(open + 1);
        let reserved = self
            .open
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        reserved.ok()?;
        counters.open.fetch_add(1, Ordering::SeqCst);
        self.wake_waiters(counters);
        Some(ConnectionPermit {
            limit: self.clone(),
            counters: counters.clone(),
        })
    }

    /// Whether a pool with `open` connections has more than its fair share while another pool has
    /// less and waits for one.
    pub(crate) fn must_yield(&self, counters: &PoolCounters, open: usize) -> bool {
        self.has_other_waiters(counters)
            && open > self.fair_share()
            && self
                .others(counters)
                .iter()
                .any(|other| self.is_starved(other.counters()))
    }

    /// Closes an idle connection to make room for `pool`: one of another pool first if `pool` has
    /// less than its fair share, else one of `pool` first.
    pub(crate) fn evict_for(&self, pool: &dyn PoolMember) -> bool {
        let evict_elsewhere = || {
            let mut others = self.others(pool.counters());
            others.sort_by_cached_key(|other| Reverse(other.counters().open()));
            others.iter().any(|other| other.evict_oldest())
        };
        match pool.counters().open() < self.fair_share() {
            true => evict_elsewhere() || pool.evict_oldest(),
            false => pool.evict_oldest() || evict_elsewhere(),
        }
    }

    /// Registers a waiting request. To be called before the request looks again, and held until it
    /// has a connection.
    pub(crate) fn register_waiter<'a>(&'a self, counters: &'a PoolCounters) -> WaiterGuard<'a> {
        // In this order, so that the total is never less than the sum over the pools.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        counters.waiting.fetch_add(1, Ordering::SeqCst);
        WaiterGuard {
            limit: self,
            counters,
        }
    }

    /// Whether any request waits for a connection, in any pool.
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Wakes waiting requests because `count` connections of this pool became idle or closed. Other
    /// pools are notified too: [`reserve`](Self::reserve) decides which one gets a connection.
    pub(crate) fn notify_freed(&self, counters: &PoolCounters, count: usize) {
        counters.freed.notify_additional(count);
        if self.has_other_waiters(counters) {
            for other in self.others(counters) {
                other.counters().freed.notify_additional(count);
            }
        }
    }

    /// Wakes waiters of other pools: they may have yielded to this pool, which is now served.
    fn wake_waiters(&self, counters: &PoolCounters) {
        if self.has_other_waiters(counters) {
            for other in self.others(counters) {
                other.counters().freed.notify(usize::MAX);
            }
        }
    }

    fn has_other_waiters(&self, counters: &PoolCounters) -> bool {
        self.waiting.load(Ordering::SeqCst) > counters.waiting()
    }

    fn is_starved(&self, counters: &PoolCounters) -> bool {
        counters.waiting() > 0 && counters.open() < self.fair_share()
    }

    /// The limit divided by the number of pools; at least 1.
    fn fair_share(&self) -> usize {
        (self.max / self.pool_count.load(Ordering::Acquire).max(1)).max(1)
    }

    /// All pools but the one with these counters. Copied, because no connection may be closed and no
    /// task woken under the lock.
    fn others(&self, counters: &PoolCounters) -> Vec<Arc<dyn PoolMember>> {
        if self.pool_count.load(Ordering::Acquire) <= 1 {
            return Vec::new();
        }
        let pools = lock(&self.pools);
        let pools = pools.iter().filter_map(Weak::upgrade);
        pools
            .filter(|other| !ptr::eq(Arc::as_ptr(other.counters()), counters))
            .collect()
    }
}

#[cfg(feature = "http2")]
impl ConnectionPermit {
    /// Wakes waiting requests because the permit's connection became idle.
    pub(crate) fn notify_idle(&self) {
        self.limit.notify_freed(&self.counters, 1);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.limit.open.fetch_sub(1, Ordering::SeqCst);
        self.counters.open.fetch_sub(1, Ordering::SeqCst);
        self.limit.notify_freed(&self.counters, 1);
    }
}

impl Drop for WaiterGuard<'_> {
    fn drop(&mut self) {
        self.counters.waiting.fetch_sub(1, Ordering::SeqCst);
        self.limit.waiting.fetch_sub(1, Ordering::SeqCst);
        self.limit.wake_waiters(self.counters);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};
    use std::thread;
    use std::time::Duration;

    use event_listener::EventListener;

    use super::*;
    use crate::pool::turn_cache::tests::{connection_with, open_connection, origin};
    use crate::pool::{ConnectionPool, PoolCheckout};

    fn pools(max: usize) -> [Arc<ConnectionPool>; 2] {
        let limit = Arc::new(ConnectionLimit::new(max));
        [(); 2].map(|()| ConnectionPool::new(limit.clone(), Duration::from_secs(60)))
    }

    fn is_notified(listener: &mut EventListener) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(listener).poll(&mut cx).is_ready()
    }

    fn reserve(pool: &Arc<ConnectionPool>, count: usize) -> Vec<ConnectionPermit> {
        let permits = (0..count).map_while(|_| pool.reserve_or_evict());
        permits.collect()
    }

    #[test]
    fn the_limit_holds_for_all_pools_together() {
        let [a, b] = pools(5);
        let mut first = reserve(&a, 3);
        let rest = reserve(&b, 9);
        assert_eq!((first.len(), rest.len()), (3, 2));
        first.pop();
        assert_eq!(reserve(&b, 9).len(), 1);
    }

    #[test]
    fn an_idle_connection_of_another_pool_is_evicted() {
        let [a, b] = pools(2);
        let idle = [
            open_connection(&a, "a.test", false),
            open_connection(&a, "a.test", false),
        ];
        a.insert_idle(idle);
        let permit = b.reserve_or_evict();
        assert!(permit.is_some());
        assert_eq!((a.open(), b.open()), (1, 1));
        // At its fair share, a pool closes only its own connections.
        assert_eq!(reserve(&b, 9).len(), 1);
        assert_eq!((a.open(), b.open()), (0, 1));
    }

    #[test]
    fn waiters_of_other_pools_are_notified_of_idle_and_closed_connections() {
        let [a, b] = pools(1);
        let conn = open_connection(&a, "a.test", false);
        let (_waiting, mut listener) = (b.register_waiter(), b.counters().listen());
        assert!(!is_notified(&mut listener) && b.reserve_or_evict().is_none());
        a.insert_idle([conn]);
        assert!(is_notified(&mut listener));

        let mut listener = b.counters().listen();
        assert!(!is_notified(&mut listener));
        drop(a.take_idle(origin("a.test")));
        assert!(is_notified(&mut listener));
    }

    #[test]
    fn a_pool_above_its_fair_share_yields_to_a_starved_one() {
        let [a, b] = pools(3);
        let mut conns: Vec<_> = (0..3)
            .map(|_| open_connection(&a, "a.test", false))
            .collect();
        let (own, waiting) = (a.register_waiter(), b.register_waiter());
        a.release(conns.remove(0));
        assert_eq!(a.open(), 2, "closed instead of pooled");
        assert!(a.reserve_or_evict().is_none(), "the other pool is starved");
        let mut listener = a.counters().listen();
        let permit = b.reserve_or_evict();
        // The starved pool is served, so the one that yielded may look again.
        assert!(permit.is_some() && is_notified(&mut listener));
        drop((own, waiting));
    }

    #[test]
    fn a_pool_that_yielded_in_vain_looks_again() {
        let [a, b] = pools(3);
        let _permits = reserve(&a, 2);
        let (_own, starved) = (a.register_waiter(), b.register_waiter());
        assert!(a.reserve_or_evict().is_none());
        let mut listener = a.counters().listen();
        assert!(!is_notified(&mut listener));
        drop(starved);
        assert!(is_notified(&mut listener) && a.reserve_or_evict().is_some());
    }

    /// One request after the other, each with a connection that is then pooled or closed.
    fn work(pool: &Arc<ConnectionPool>, host: &str, limit: &ConnectionLimit) {
        for n in 0..2_000 {
            let conn = match smol::block_on(pool.check_out(origin(host), false)) {
                PoolCheckout::Reuse(conn) => conn,
                PoolCheckout::Open(permit) => {
                    assert!(limit.open.load(Ordering::SeqCst) <= limit.max);
                    connection_with(pool, host, false, permit)
                }
                #[cfg(feature = "http2")]
                _ => unreachable!("nothing is shared here"),
            };
            let mut conn = Some(conn);
            match n % 3 {
                0 => {}
                1 => conn.take().into_iter().for_each(|conn| pool.release(conn)),
                // Through the turn cache.
                _ => pool.run_turn(&mut || {
                    conn.take().into_iter().for_each(|conn| pool.release(conn));
                }),
            }
        }
    }

    #[test]
    fn with_more_threads_than_connections_all_make_progress() {
        let limit = Arc::new(ConnectionLimit::new(3));
        thread::scope(|scope| {
            for host in ["a.test", "b.test", "c.test"] {
                let pool = ConnectionPool::new(limit.clone(), Duration::from_secs(60));
                for _ in 0..2 {
                    let (pool, limit) = (pool.clone(), &limit);
                    scope.spawn(move || work(&pool, host, limit));
                }
            }
        });
        assert_eq!(limit.open.load(Ordering::SeqCst), 0);
    }
}
