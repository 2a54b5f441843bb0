//! Connections that go from one request to the next within one turn of the driver's loop.
//!
//! Usually a request ends and the next one to the same origin starts a moment later on the same
//! thread. The connection then stays in this thread-local cache: no lock is taken and the pool is not
//! touched. Connections left over at the end of the turn go into the pool.

use std::cell::RefCell;
use std::mem;
use std::vec::Drain;

use crate::http1::H1Connection;
use crate::origin::OriginRef;

/// The most cached connections: about the number of requests in one turn.
const CAPACITY: usize = 256;

thread_local! {
    static CACHE: RefCell<TurnCache> = const { RefCell::new(TurnCache { conns: Vec::new(), owner: None }) };
}

/// A cached connection with the digest of its origin, so that a lookup touches no other connection.
type CachedConnection = (u64, Box<H1Connection>);

struct TurnCache {
    conns: Vec<CachedConnection>,
    /// The pool whose turn runs on this thread.
    owner: Option<CacheOwner>,
}

/// A pool by its address, which stays unique while the pool's turn runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CacheOwner(usize);

impl CacheOwner {
    pub(super) fn new<P>(pool: &P) -> Self {
        Self(std::ptr::from_ref(pool).addr())
    }
}

/// Ends the turn, even if it panics.
struct TurnGuard<F: Fn(Drain<'_, CachedConnection>)> {
    owner: CacheOwner,
    insert: F,
}

impl<F: Fn(Drain<'_, CachedConnection>)> Drop for TurnGuard<F> {
    fn drop(&mut self) {
        flush(self.owner, &self.insert);
        CACHE.with_borrow_mut(|cache| cache.owner = None);
    }
}

/// Runs `turn`, during which connections of `owner` may stay cached. `insert` gets those that are
/// left over.
pub(super) fn run_turn(
    owner: CacheOwner,
    turn: &mut dyn FnMut(),
    insert: impl Fn(Drain<'_, CachedConnection>),
) {
    let is_outermost = CACHE.with_borrow_mut(|cache| {
        let is_free = cache.owner.is_none();
        cache.owner.get_or_insert(owner);
        is_free
    });
    // A turn within a turn leaves the cache to the outer one.
    let _guard = is_outermost.then(|| TurnGuard { owner, insert });
    turn();
}

/// Caches a connection. Returns it if no turn of `owner` runs, or if the cache is full.
pub(super) fn put(owner: CacheOwner, conn: Box<H1Connection>) -> Option<Box<H1Connection>> {
    CACHE.with_borrow_mut(|cache| {
        if cache.owner != Some(owner) || cache.conns.len() >= CAPACITY {
            return Some(conn);
        }
        cache.conns.push((conn.origin.digest(), conn));
        None
    })
}

/// Takes the connection to `origin` that was cached last.
pub(super) fn get(owner: CacheOwner, origin: OriginRef<'_>) -> Option<Box<H1Connection>> {
    CACHE.with_borrow_mut(|cache| {
        if cache.conns.is_empty() || cache.owner != Some(owner) {
            return None;
        }
        let matches = |conn: &H1Connection| conn.origin.key() == origin;
        // Usually there is just one origin.
        if cache.conns.last().is_some_and(|(_, conn)| matches(conn)) {
            return cache.conns.pop().map(|(_, conn)| conn);
        }
        let digest = origin.digest();
        let mut conns = cache.conns.iter();
        let index = conns.rposition(|(cached, conn)| *cached == digest && matches(conn))?;
        Some(cache.conns.remove(index).1)
    })
}

/// Gives all cached connections of `owner` to `insert`.
pub(super) fn flush(owner: CacheOwner, insert: impl FnOnce(Drain<'_, CachedConnection>)) {
    let mut conns = CACHE.with_borrow_mut(|cache| match cache.owner == Some(owner) {
        true => mem::take(&mut cache.conns),
        false => Vec::new(),
    });
    if conns.is_empty() {
        return;
    }
    insert(conns.drain(..));
    // The next turn uses the memory again.
    CACHE.with_borrow_mut(|cache| cache.conns = conns);
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};
    use std::thread;
    use std::time::Duration;

    use futures_io::{AsyncRead, AsyncWrite};

    use fetch_driver::ConnectionInfo;

    use super::*;
    use crate::io::byte_stream::ByteStream;
    use crate::origin::Origin;
    use crate::pool::ConnectionPool;
    use crate::pool::limit::{ConnectionLimit, ConnectionPermit};

    /// A stream on which nothing arrives, or just its end.
    struct SilentStream {
        is_closed: bool,
    }

    impl AsyncRead for SilentStream {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            match self.is_closed {
                true => Poll::Ready(Ok(0)),
                false => Poll::Pending,
            }
        }
    }

    impl AsyncWrite for SilentStream {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl ByteStream for SilentStream {}

    pub(crate) fn pool(most: usize) -> Arc<ConnectionPool> {
        let connections = Arc::new(ConnectionLimit::new(most));
        ConnectionPool::new(connections, Duration::from_secs(60))
    }

    pub(crate) fn origin(host: &str) -> OriginRef<'_> {
        OriginRef {
            host,
            port: 80,
            proxy: true,
            tls: false,
        }
    }

    pub(crate) fn open_connection(
        pool: &Arc<ConnectionPool>,
        host: &str,
        is_closed: bool,
    ) -> Box<H1Connection> {
        connection_with(pool, host, is_closed, pool.reserve_or_evict().unwrap())
    }

    pub(crate) fn connection_with(
        pool: &Arc<ConnectionPool>,
        host: &str,
        is_closed: bool,
        permit: ConnectionPermit,
    ) -> Box<H1Connection> {
        let key = Arc::new(Origin::proxy(origin(host), None, Arc::default()));
        H1Connection::new(
            SilentStream { is_closed },
            key,
            ConnectionInfo::default(),
            pool.sweep_queue(),
            permit,
        )
    }

    /// Whether another thread finds a connection, which must then be in the pool.
    fn other_thread_gets(pool: &Arc<ConnectionPool>, host: &str) -> bool {
        thread::scope(|scope| {
            let taking = scope.spawn(|| pool.take_idle(origin(host)).is_some());
            taking.join().unwrap()
        })
    }

    #[test]
    fn a_connection_is_cached_during_a_turn_and_pooled_afterwards() {
        let pool = pool(9);
        pool.run_turn(&mut || {
            pool.release(open_connection(&pool, "a.test", false));
            assert!(!other_thread_gets(&pool, "a.test"));
            let conn = pool.take_idle(origin("a.test")).unwrap();
            assert!(pool.take_idle(origin("a.test")).is_none());
            pool.release(conn);
            assert!(pool.take_idle(origin("b.test")).is_none());
        });
        assert!(other_thread_gets(&pool, "a.test"));
    }

    #[test]
    fn outside_a_turn_a_connection_is_pooled_at_once() {
        let (pool, other) = (pool(9), pool(9));
        pool.release(open_connection(&pool, "a.test", false));
        assert!(other_thread_gets(&pool, "a.test"));
        other.run_turn(&mut || pool.release(open_connection(&pool, "a.test", false)));
        assert!(other_thread_gets(&pool, "a.test"));
    }

    #[test]
    fn a_connection_is_pooled_at_once_while_a_request_waits() {
        let pool = pool(9);
        pool.run_turn(&mut || {
            let waiting = pool.register_waiter();
            pool.release(open_connection(&pool, "a.test", false));
            assert!(other_thread_gets(&pool, "a.test"));
            drop(waiting);
            pool.release(open_connection(&pool, "a.test", false));
            assert!(!other_thread_gets(&pool, "a.test"));
        });
    }

    #[test]
    fn a_cached_connection_is_evicted_for_another_origin() {
        let pool = pool(1);
        pool.run_turn(&mut || {
            pool.release(open_connection(&pool, "a.test", false));
            drop(open_connection(&pool, "b.test", false));
        });
        assert_eq!(pool.open(), 0);
    }

    #[test]
    fn a_cached_connection_that_the_server_closed_is_dropped() {
        let pool = pool(9);
        pool.run_turn(&mut || {
            pool.release(open_connection(&pool, "a.test", true));
            assert!(pool.take_idle(origin("a.test")).is_none());
            assert_eq!(pool.open(), 0);
            pool.release(open_connection(&pool, "a.test", true));
        });
        assert_eq!(pool.open(), 0);
    }

    #[test]
    fn the_cache_is_bounded() {
        let pool = pool(CAPACITY + 1);
        pool.run_turn(&mut || {
            for _ in 0..=CAPACITY {
                pool.release(open_connection(&pool, "a.test", false));
            }
            assert!(other_thread_gets(&pool, "a.test"));
            assert!(!other_thread_gets(&pool, "a.test"));
        });
    }

    #[test]
    fn a_panic_in_a_nested_turn_loses_no_connection() {
        let pool = pool(9);
        pool.run_turn(&mut || {
            let broken = AssertUnwindSafe(|| {
                pool.run_turn(&mut || {
                    pool.release(open_connection(&pool, "a.test", false));
                    panic!("broken");
                });
            });
            assert!(catch_unwind(broken).is_err());
            assert!(!other_thread_gets(&pool, "a.test"));
        });
        assert!(other_thread_gets(&pool, "a.test"));
    }
}
