//! The connection pool of one transport.

mod checkout;
#[cfg(feature = "http2")]
mod checkout_shared;
mod idle;
pub(crate) mod limit;
pub(crate) mod sweep;
mod turn_cache;

use std::mem;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event_listener::EventListener;

pub(crate) use checkout::PoolCheckout;
use idle::IdleConnections;
use limit::{ConnectionLimit, ConnectionPermit, PoolCounters, PoolMember, WaiterGuard};
use sweep::SweepQueue;
use turn_cache::CacheOwner;

use crate::http1::H1Connection;
#[cfg(feature = "http2")]
use crate::http2::H2Pool;
use crate::origin::OriginRef;
use fetch_transport_util::lock;

/// Connections that are idle or shared, by origin, under a limit on all open ones.
pub(crate) struct ConnectionPool {
    counters: Arc<PoolCounters>,
    #[cfg(feature = "http2")]
    h2: Arc<H2Pool>,
    idle: Mutex<IdleConnections>,
    idle_timeout: Duration,
    limit: Arc<ConnectionLimit>,
    sweep_queue: Arc<SweepQueue>,
}

impl ConnectionPool {
    pub(crate) fn new(limit: Arc<ConnectionLimit>, idle_timeout: Duration) -> Arc<Self> {
        let pool = Arc::new(Self {
            counters: Arc::default(),
            #[cfg(feature = "http2")]
            h2: H2Pool::new(idle_timeout),
            idle: Mutex::default(),
            idle_timeout,
            limit,
            sweep_queue: Arc::default(),
        });
        pool.limit.register(&pool);
        pool
    }

    #[cfg(feature = "http2")]
    pub(crate) fn h2(&self) -> &Arc<H2Pool> {
        &self.h2
    }

    /// The queue to which watchers of idle connections report.
    pub(crate) fn sweep_queue(&self) -> &Arc<SweepQueue> {
        &self.sweep_queue
    }

    /// Open connections, idle ones included.
    pub(crate) fn open(&self) -> usize {
        self.counters.open()
    }

    /// Runs one turn of the driver's loop: during it, released connections stay on this thread.
    pub(crate) fn run_turn(&self, turn: &mut dyn FnMut()) {
        turn_cache::run_turn(CacheOwner::new(self), turn, |conns| {
            self.insert_idle(conns.map(|(_, conn)| conn));
        });
    }

    /// A permit to open a connection. At the limit, an idle one is closed for it, if any.
    pub(crate) fn reserve_or_evict(&self) -> Option<ConnectionPermit> {
        if let Some(permit) = self.limit.reserve(&self.counters) {
            return Some(permit);
        }
        // Cached connections are idle, too.
        self.flush_turn_cache();
        let has_room =
            !self.limit.must_yield(&self.counters, self.open() + 1) && self.limit.evict_for(self);
        has_room
            .then(|| self.limit.reserve(&self.counters))
            .flatten()
    }

    /// The newest idle connection to `origin` that is neither expired nor closed.
    pub(crate) fn take_idle(&self, origin: OriginRef<'_>) -> Option<Box<H1Connection>> {
        while let Some(mut conn) = turn_cache::get(CacheOwner::new(self), origin) {
            if conn.is_reusable() {
                return Some(conn);
            }
        }
        let mut closed = Vec::new();
        let mut idle = lock(&self.idle);
        idle.expire(self.idle_timeout, &mut closed);
        let found = loop {
            let Some(mut conn) = idle.take_newest(origin) else {
                break None;
            };
            if conn.is_expired() || conn.watcher.take_woken() && !conn.is_reusable() {
                closed.push(conn);
            } else {
                break Some(conn);
            }
        };
        drop(idle);
        // Closing wakes tasks: never under the lock.
        drop(closed);
        found
    }

    /// Takes back a connection that can serve another request.
    pub(crate) fn release(&self, conn: Box<H1Connection>) {
        if self.idle_timeout.is_zero() {
            return;
        }
        let has_waiters = self.limit.has_waiters();
        let uncached = match has_waiters {
            true => Some(conn),
            false => turn_cache::put(CacheOwner::new(self), conn),
        };
        match uncached {
            // Closed, so that a starved pool may open one.
            Some(conn) if has_waiters && self.limit.must_yield(&self.counters, self.open()) => {
                drop(conn);
            }
            Some(conn) => self.insert_idle([conn]),
            None => {}
        }
    }

    /// Adds idle connections, the newest last.
    fn insert_idle(&self, conns: impl IntoIterator<Item = Box<H1Connection>>) {
        let (mut closed, mut inserted) = (Vec::new(), 0);
        let mut idle = lock(&self.idle);
        for conn in conns {
            closed.extend(idle.insert(conn));
            inserted += 1;
        }
        drop(idle);
        // Closing wakes tasks: never under the lock.
        drop(closed);
        self.limit.notify_freed(&self.counters, inserted);
    }

    fn flush_turn_cache(&self) {
        turn_cache::flush(CacheOwner::new(self), |conns| {
            self.insert_idle(conns.map(|(_, conn)| conn));
        });
    }

    /// Closes all idle connections.
    pub(crate) fn close_idle(&self) {
        self.flush_turn_cache();
        let idle = mem::take(&mut *lock(&self.idle));
        idle.close_all();
        #[cfg(feature = "http2")]
        drop(self.h2.expire(Duration::ZERO));
    }

    /// Whether the caller must start a sweeper, which runs until [`sweep`](Self::sweep) returns
    /// `None`.
    pub(crate) fn claim_sweeper(&self) -> bool {
        !self.idle_timeout.is_zero() && self.sweep_queue.claim()
    }

    /// Resolves when a sweep is needed earlier than planned.
    pub(crate) fn sweep_requested(&self) -> EventListener {
        self.sweep_queue.sweep_requested()
    }

    /// Closes idle connections that are expired or that the server closed. Returns the pause until
    /// the next sweep, or `None` if no connection is open.
    pub(crate) fn sweep(&self) -> Option<Duration> {
        for watcher in self.sweep_queue.take_readable() {
            let closed = lock(&self.idle).remove_closed(&watcher);
            drop(closed);
        }
        let oldest = self.expire();
        if self.open() == 0 {
            self.sweep_queue.release();
            // A connection that was opened meanwhile may have found the claim taken.
            if self.open() == 0 || !self.sweep_queue.claim() {
                return None;
            }
        }
        let age = oldest.map_or(Duration::ZERO, |since| since.elapsed());
        let left = self.idle_timeout.saturating_sub(age);
        Some(left.max(Duration::from_millis(10)))
    }

    /// Closes expired connections. Returns since when the oldest remaining one has been idle.
    fn expire(&self) -> Option<Instant> {
        let mut closed = Vec::new();
        let mut idle = lock(&self.idle);
        idle.expire(self.idle_timeout, &mut closed);
        let oldest = idle.oldest_since();
        drop(idle);
        drop(closed);
        #[cfg(feature = "http2")]
        let oldest = {
            drop(self.h2.expire(self.idle_timeout));
            oldest.into_iter().chain(self.h2.oldest_since()).min()
        };
        oldest
    }

    /// Counts a request as waiting for a connection.
    fn register_waiter(&self) -> WaiterGuard<'_> {
        self.limit.register_waiter(&self.counters)
    }
}

impl PoolMember for ConnectionPool {
    fn counters(&self) -> &Arc<PoolCounters> {
        &self.counters
    }

    fn evict_oldest(&self) -> bool {
        #[cfg(feature = "http2")]
        if let Some(shared) = self.h2.oldest_since()
            && lock(&self.idle)
                .oldest_since()
                .is_none_or(|exclusive| shared < exclusive)
        {
            return self.h2.take_oldest().is_some();
        }
        // Closing wakes tasks: never under the lock.
        let evicted = lock(&self.idle).take_oldest();
        evicted.is_some()
    }
}

impl Drop for ConnectionPool {
    fn drop(&mut self) {
        // The sweeper sees that the pool is gone, and ends.
        self.sweep_queue.request_sweep();
    }
}

#[cfg(test)]
mod tests {
    use super::turn_cache::tests::{open_connection, origin, pool};
    use super::*;

    fn pool_with(idle_timeout: Duration) -> Arc<ConnectionPool> {
        ConnectionPool::new(Arc::new(ConnectionLimit::new(9)), idle_timeout)
    }

    fn wait(time: Duration) {
        let started = Instant::now();
        while started.elapsed() <= time {}
    }

    #[test]
    fn a_connection_that_was_idle_for_too_long_is_not_taken() {
        let pool = pool_with(Duration::from_nanos(1));
        pool.release(open_connection(&pool, "a.test", false));
        wait(Duration::from_nanos(1));
        assert!(pool.take_idle(origin("a.test")).is_none());
        assert_eq!(pool.open(), 0);
    }

    #[test]
    fn a_connection_past_the_time_that_its_server_allows_is_not_taken() {
        let pool = pool(9);
        let mut conn = open_connection(&pool, "a.test", false);
        let allowed = Duration::from_millis(20);
        conn.set_idle_limit(Some(allowed));
        pool.release(conn);
        wait(allowed);
        assert!(pool.take_idle(origin("a.test")).is_none());
        assert_eq!(pool.open(), 0);
    }

    #[test]
    fn one_sweeper_runs_until_no_connection_is_open() {
        let pool = pool(9);
        assert!(pool.claim_sweeper() && !pool.claim_sweeper());
        pool.release(open_connection(&pool, "a.test", false));
        let pause = pool.sweep().unwrap();
        assert!(
            Duration::ZERO < pause && pause <= Duration::from_secs(60),
            "{pause:?}"
        );
        assert!(!pool.claim_sweeper(), "it still runs");
        drop(pool.take_idle(origin("a.test")));
        assert_eq!(pool.sweep(), None);
        assert!(pool.claim_sweeper(), "the next connection starts another");
        assert!(
            !pool_with(Duration::ZERO).claim_sweeper(),
            "nothing is ever idle"
        );
    }

    #[test]
    fn a_sweep_closes_what_was_idle_for_too_long() {
        let pool = pool_with(Duration::from_nanos(1));
        pool.release(open_connection(&pool, "a.test", false));
        wait(Duration::from_nanos(1));
        assert_eq!((pool.sweep(), pool.open()), (None, 0));
    }
}
