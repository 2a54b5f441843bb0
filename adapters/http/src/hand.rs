//! Connections that go from one request to the next within a turn of the loop.
//!
//! Mostly a request ends and the next to the same origin begins a moment later, on the same thread. Then
//! nobody else need know of the connection in between: no lock is taken, and no place in the pool is
//! filled and emptied again. What is in hand when the turn ends goes into the pool.

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use crate::http1::Conn;
use crate::origin::OriginRef;
use crate::pool::Pool;

/// So many at most: as many as a turn of the loop has requests, or nearly.
const MOST: usize = 256;

thread_local! {
    static HAND: RefCell<Hand> = const { RefCell::new(Hand { conns: Vec::new(), pool: None }) };
}

/// What this thread has in hand.
struct Hand {
    /// With the digest of its origin, so that looking through many touches none of them.
    conns: Vec<(u64, Box<Conn>)>,
    /// The pool whose turn it is, by its address, which is nobody else's until the turn ends.
    pool: Option<usize>,
}

/// Ends the turn however it ends.
struct Turn<'a>(&'a Arc<Pool>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        empty(self.0);
        HAND.with_borrow_mut(|hand| hand.pool = None);
    }
}

/// Runs `turn`, in which connections of `pool` may stay in hand.
pub(crate) fn turn(pool: &Arc<Pool>, turn: &mut dyn FnMut()) {
    let begun = HAND.with_borrow_mut(|hand| {
        // A turn within a turn leaves the hand to the outer one.
        let is_free = hand.pool.is_none();
        hand.pool.get_or_insert_with(|| address(pool));
        is_free
    });
    let _turn = begun.then(|| Turn(pool));
    turn();
}

/// Keeps a connection in hand; gives it back if there is no turn, or no room.
pub(crate) fn keep(pool: &Pool, conn: Box<Conn>) -> Option<Box<Conn>> {
    HAND.with_borrow_mut(|hand| {
        if hand.pool != Some(address(pool)) || hand.conns.len() >= MOST {
            return Some(conn);
        }
        hand.conns.push((conn.origin.digest(), conn));
        None
    })
}

/// The connection to `origin` that came to hand last.
pub(crate) fn take(pool: &Pool, origin: OriginRef<'_>) -> Option<Box<Conn>> {
    HAND.with_borrow_mut(|hand| {
        if hand.conns.is_empty() || hand.pool != Some(address(pool)) {
            return None;
        }
        let is_it = |conn: &Conn| conn.origin.key() == origin;
        // Mostly there is just one origin.
        if hand.conns.last().is_some_and(|(_, conn)| is_it(conn)) {
            return hand.conns.pop().map(|(_, conn)| conn);
        }
        let digest = origin.digest();
        let mut conns = hand.conns.iter();
        let at = conns.rposition(|(known, conn)| *known == digest && is_it(conn))?;
        Some(hand.conns.remove(at).1)
    })
}

/// Lays all that is in hand into the pool, whose turn it is.
pub(crate) fn empty(pool: &Pool) {
    let mut conns = HAND.with_borrow_mut(|hand| match hand.pool == Some(address(pool)) {
        true => mem::take(&mut hand.conns),
        false => Vec::new(),
    });
    if conns.is_empty() {
        return;
    }
    pool.lay(conns.drain(..).map(|(_, conn)| conn));
    // Its memory is for the next turn.
    HAND.with_borrow_mut(|hand| hand.conns = conns);
}

fn address(pool: &Pool) -> usize {
    std::ptr::from_ref(pool).addr()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::thread;
    use std::time::Duration;

    use futures_io::{AsyncRead, AsyncWrite};

    use super::*;
    use crate::connections::{Connections, Ticket};
    use crate::io::Duplex;
    use crate::origin::Origin;

    /// A stream to which nothing comes, or just its end.
    struct Silent {
        is_over: bool,
    }

    impl AsyncRead for Silent {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            match self.is_over {
                true => Poll::Ready(Ok(0)),
                false => Poll::Pending,
            }
        }
    }

    impl AsyncWrite for Silent {
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

    impl Duplex for Silent {}

    fn pool(most: usize) -> Arc<Pool> {
        let connections = Arc::new(Connections::new(most));
        Pool::new(connections, Duration::from_secs(60))
    }

    pub(crate) fn key(host: &str) -> OriginRef<'_> {
        OriginRef {
            host,
            port: 80,
            proxy: true,
            tls: false,
        }
    }

    pub(crate) fn conn(pool: &Arc<Pool>, host: &str, is_over: bool) -> Box<Conn> {
        opened(pool, host, is_over, pool.reserve_or_evict().unwrap())
    }

    pub(crate) fn opened(pool: &Arc<Pool>, host: &str, is_over: bool, ticket: Ticket) -> Box<Conn> {
        let origin = Arc::new(Origin::proxy(key(host), None));
        Conn::new(Silent { is_over }, origin, None, pool, ticket)
    }

    /// Whether another thread gets a connection, and so one that is in the pool.
    fn others_get(pool: &Arc<Pool>, host: &str) -> bool {
        thread::scope(|scope| {
            let taking = scope.spawn(|| pool.take(key(host)).is_some());
            taking.join().unwrap()
        })
    }

    #[test]
    fn in_a_turn_it_goes_from_hand_to_hand_and_then_into_the_pool() {
        let pool = pool(9);
        turn(&pool, &mut || {
            pool.put(conn(&pool, "a.test", false));
            assert!(!others_get(&pool, "a.test"));
            let conn = pool.take(key("a.test")).unwrap();
            assert!(pool.take(key("a.test")).is_none());
            pool.put(conn);
            assert!(pool.take(key("b.test")).is_none());
        });
        assert!(others_get(&pool, "a.test"));
    }

    #[test]
    fn without_a_turn_it_goes_into_the_pool() {
        let (pool, other) = (pool(9), pool(9));
        pool.put(conn(&pool, "a.test", false));
        assert!(others_get(&pool, "a.test"));
        turn(&other, &mut || pool.put(conn(&pool, "a.test", false)));
        assert!(others_get(&pool, "a.test"));
    }

    #[test]
    fn for_who_waits_it_goes_into_the_pool_at_once() {
        let pool = pool(9);
        turn(&pool, &mut || {
            let waiting = pool.wait();
            pool.put(conn(&pool, "a.test", false));
            assert!(others_get(&pool, "a.test"));
            drop(waiting);
            pool.put(conn(&pool, "a.test", false));
            assert!(!others_get(&pool, "a.test"));
        });
    }

    #[test]
    fn what_is_in_hand_makes_room_for_another_origin() {
        let pool = pool(1);
        turn(&pool, &mut || {
            pool.put(conn(&pool, "a.test", false));
            drop(conn(&pool, "b.test", false));
        });
        assert_eq!(pool.open(), 0);
    }

    #[test]
    fn one_that_has_ended_in_hand_is_closed() {
        let pool = pool(9);
        turn(&pool, &mut || {
            pool.put(conn(&pool, "a.test", true));
            assert!(pool.take(key("a.test")).is_none());
            assert_eq!(pool.open(), 0);
            pool.put(conn(&pool, "a.test", true));
        });
        assert_eq!(pool.open(), 0);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept_in_hand() {
        let pool = pool(MOST + 1);
        turn(&pool, &mut || {
            for _ in 0..=MOST {
                pool.put(conn(&pool, "a.test", false));
            }
            assert!(others_get(&pool, "a.test"));
            assert!(!others_get(&pool, "a.test"));
        });
    }

    #[test]
    fn nothing_is_lost_by_a_panic_or_a_turn_within_a_turn() {
        let pool = pool(9);
        turn(&pool, &mut || {
            let broken = AssertUnwindSafe(|| {
                turn(&pool, &mut || {
                    pool.put(conn(&pool, "a.test", false));
                    panic!("broken");
                });
            });
            assert!(catch_unwind(broken).is_err());
            assert!(!others_get(&pool, "a.test"));
        });
        assert!(others_get(&pool, "a.test"));
    }
}
