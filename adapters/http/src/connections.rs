//! How many connections are open, in all pools that keep to one bound.
//!
//! Each thread of a fetcher has a pool of its own, and all have their connections from here. Nothing here
//! is touched for a request that finds a connection; what is shared by all is only read then.

use std::cmp::Reverse;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::pool::Pool;

/// The bound, and the pools that keep to it.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    open: AtomicUsize,
    pools: Mutex<Vec<Weak<Pool>>>,
    /// How many pools there are.
    count: AtomicUsize,
    /// How many requests wait for a connection to come free, in all pools.
    waiting: AtomicUsize,
}

/// A request that waits for a connection. While any does, connections go into their pools at once.
pub(crate) struct Waiting<'a> {
    common: &'a Connections,
    pool: &'a Pool,
}

/// The right to have one connection open. Weak, for the pool itself holds those of idle connections:
/// when nobody else needs it any more, they are closed.
pub(crate) struct Ticket {
    common: Arc<Connections>,
    pool: Weak<Pool>,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            open: AtomicUsize::new(0),
            pools: Mutex::default(),
            count: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Another pool keeps to the bound.
    pub(crate) fn join(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
        self.count.store(pools.len(), Ordering::Release);
    }

    /// The right to open a connection, if there is room, and nobody has a better claim to it.
    pub(crate) fn reserve(self: &Arc<Self>, pool: &Arc<Pool>) -> Option<Ticket> {
        if self.owes(pool, pool.open() + 1) {
            return None;
        }
        let more = |open: usize| (open < self.most).then_some(open + 1);
        let reserved = self
            .open
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        reserved.ok()?;
        pool.open.fetch_add(1, Ordering::SeqCst);
        self.relent(pool);
        Some(Ticket {
            common: self.clone(),
            pool: Arc::downgrade(pool),
        })
    }

    /// Whether `pool`, with so many connections, has more than its equal part while another has less and
    /// waits for one.
    pub(crate) fn owes(&self, pool: &Pool, has: usize) -> bool {
        self.others_wait(pool)
            && has > self.equal()
            && self.others(pool).iter().any(|other| self.is_hungry(other))
    }

    /// Closes an idle connection to make room: of the other pools, if this one has less than its equal
    /// part, else rather one of its own.
    pub(crate) fn evict(&self, pool: &Pool) -> bool {
        let elsewhere = || {
            let mut others = self.others(pool);
            others.sort_by_cached_key(|other| Reverse(other.open()));
            others.iter().any(|other| other.evict())
        };
        match pool.open() < self.equal() {
            true => elsewhere() || pool.evict(),
            false => pool.evict() || elsewhere(),
        }
    }

    /// A request of `pool` waits until what this gives is dropped. To be had before one looks again, and
    /// kept from look to look.
    pub(crate) fn wait<'a>(&'a self, pool: &'a Pool) -> Waiting<'a> {
        // In this order, so that all pools together never seem to have fewer who wait than one.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        pool.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting { common: self, pool }
    }

    /// Whether anyone waits.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Tells who waits that so many connections of `pool` are idle or closed. In other pools, too: whose
    /// they are is for [`reserve`](Self::reserve) to say.
    pub(crate) fn tell(&self, pool: &Pool, freed: usize) {
        pool.freed.notify_additional(freed);
        if self.others_wait(pool) {
            for other in self.others(pool) {
                other.freed.notify_additional(freed);
            }
        }
    }

    /// Wakes who waits in other pools: it may have given way to `pool`, which may have what it lacked.
    fn relent(&self, pool: &Pool) {
        if self.others_wait(pool) {
            for other in self.others(pool) {
                other.freed.notify(usize::MAX);
            }
        }
    }

    fn others_wait(&self, pool: &Pool) -> bool {
        self.waiting.load(Ordering::SeqCst) > pool.waiting()
    }

    fn is_hungry(&self, pool: &Pool) -> bool {
        pool.waiting() > 0 && pool.open() < self.equal()
    }

    /// An equal part. One at least: none would be owed to nobody.
    fn equal(&self) -> usize {
        (self.most / self.count.load(Ordering::Acquire).max(1)).max(1)
    }

    /// The other pools.
    fn others(&self, pool: &Pool) -> Vec<Arc<Pool>> {
        let mut pools = match self.count.load(Ordering::Acquire) {
            0 | 1 => return Vec::new(),
            _ => self.all(),
        };
        pools.retain(|other| !ptr::eq(Arc::as_ptr(other), pool));
        pools
    }

    /// All pools: a copy, for nothing may be closed or woken under the lock.
    fn all(&self) -> Vec<Arc<Pool>> {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(feature = "http2")]
impl Ticket {
    /// The pool, if there still is one.
    pub(crate) fn pool(&self) -> Option<Arc<Pool>> {
        self.pool.upgrade()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.common.open.fetch_sub(1, Ordering::SeqCst);
        match self.pool.upgrade() {
            Some(pool) => {
                pool.open.fetch_sub(1, Ordering::SeqCst);
                self.common.tell(&pool, 1);
            }
            // It went with its pool. Others may still wait.
            None => self.common.all().iter().for_each(|pool| {
                pool.freed.notify_additional(1);
            }),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pool.waiting.fetch_sub(1, Ordering::SeqCst);
        self.common.waiting.fetch_sub(1, Ordering::SeqCst);
        self.common.relent(self.pool);
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
    use crate::hand;
    use crate::hand::tests::{conn, key, opened};
    use crate::pool::Checkout;

    fn pools(most: usize) -> [Arc<Pool>; 2] {
        let connections = Arc::new(Connections::new(most));
        [(); 2].map(|()| Pool::new(connections.clone(), Duration::from_secs(60)))
    }

    fn is_told(ear: &mut EventListener) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(ear).poll(&mut cx).is_ready()
    }

    fn reserve(pool: &Arc<Pool>, count: usize) -> Vec<Ticket> {
        let tickets = (0..count).map_while(|_| pool.reserve_or_evict());
        tickets.collect()
    }

    #[test]
    fn the_bound_holds_for_all_pools_together() {
        let [a, b] = pools(5);
        let mut most = reserve(&a, 3);
        let rest = reserve(&b, 9);
        assert_eq!((most.len(), rest.len()), (3, 2));
        most.pop();
        assert_eq!(reserve(&b, 9).len(), 1);
    }

    #[test]
    fn what_is_idle_elsewhere_makes_room() {
        let [a, b] = pools(2);
        let idle = [conn(&a, "a.test", false), conn(&a, "a.test", false)];
        a.lay(idle);
        let ticket = b.reserve_or_evict();
        assert!(ticket.is_some());
        assert_eq!((a.open(), b.open()), (1, 1));
        // With its equal part it has none but its own to close.
        assert_eq!(reserve(&b, 9).len(), 1);
        assert_eq!((a.open(), b.open()), (0, 1));
    }

    #[test]
    fn who_waits_elsewhere_is_told_of_what_is_idle_or_closed() {
        let [a, b] = pools(1);
        let conn = conn(&a, "a.test", false);
        let (_waiting, mut ear) = (b.wait(), b.freed.listen());
        assert!(!is_told(&mut ear) && b.reserve_or_evict().is_none());
        a.lay([conn]);
        assert!(is_told(&mut ear));

        let mut ear = b.freed.listen();
        assert!(!is_told(&mut ear));
        drop(a.take(key("a.test")));
        assert!(is_told(&mut ear));
    }

    #[test]
    fn who_has_more_than_its_part_gives_way_to_who_waits_with_less() {
        let [a, b] = pools(3);
        let mut conns: Vec<_> = (0..3).map(|_| conn(&a, "a.test", false)).collect();
        let (own, waiting) = (a.wait(), b.wait());
        a.put(conns.remove(0));
        assert_eq!(a.open(), 2, "closed, not kept");
        assert!(a.reserve_or_evict().is_none(), "another's turn");
        let mut ear = a.freed.listen();
        let ticket = b.reserve_or_evict();
        // It has its part: who gave way may look again.
        assert!(ticket.is_some() && is_told(&mut ear));
        drop((own, waiting));
    }

    #[test]
    fn who_gave_way_to_one_that_does_not_come_looks_again() {
        let [a, b] = pools(3);
        let _two = reserve(&a, 2);
        let (_own, hungry) = (a.wait(), b.wait());
        assert!(a.reserve_or_evict().is_none());
        let mut ear = a.freed.listen();
        assert!(!is_told(&mut ear));
        drop(hungry);
        assert!(is_told(&mut ear) && a.reserve_or_evict().is_some());
    }

    /// One request after the other, each with a connection that is kept or closed.
    fn work(pool: &Arc<Pool>, host: &str, common: &Connections) {
        for n in 0..2_000 {
            let conn = match smol::block_on(pool.checkout(key(host), false)) {
                Checkout::Reuse(conn) => conn,
                Checkout::Open(ticket) => {
                    assert!(common.open.load(Ordering::SeqCst) <= common.most);
                    opened(pool, host, false, ticket)
                }
                #[cfg(feature = "http2")]
                _ => unreachable!("nothing is shared here"),
            };
            let mut conn = Some(conn);
            match n % 3 {
                0 => {}
                1 => conn.take().into_iter().for_each(|conn| pool.put(conn)),
                // First in hand.
                _ => hand::turn(pool, &mut || {
                    conn.take().into_iter().for_each(|conn| pool.put(conn));
                }),
            }
        }
    }

    #[test]
    fn with_more_threads_than_connections_all_get_on() {
        let connections = Arc::new(Connections::new(3));
        thread::scope(|scope| {
            for host in ["a.test", "b.test", "c.test"] {
                let pool = Pool::new(connections.clone(), Duration::from_secs(60));
                for _ in 0..2 {
                    let (pool, connections) = (pool.clone(), &connections);
                    scope.spawn(move || work(&pool, host, connections));
                }
            }
        });
        assert_eq!(connections.open.load(Ordering::SeqCst), 0);
    }
}
