//! A pool of clients, each lent to one request at a time.

pub(crate) mod body;
pub(crate) mod transport;
pub(crate) mod upload;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_io::Timer;
use async_lock::{Mutex as AsyncMutex, Semaphore, SemaphoreGuardArc};
use fetch_driver::TransportError;

use crate::lock::lock;

/// The shortest sleep of the sweeper while no client is idle.
const MIN_SWEEP_INTERVAL: Duration = Duration::from_millis(10);

/// Clients that have at most one connection each, and carry one request at a time.
///
/// A client that is released carries the next request to the same origin, over the connection that it
/// keeps open. A client that is not released is dropped, and its connection with it. This cancels a
/// request, for which some libraries offer no other way.
///
/// ```
/// use std::time::Duration;
/// use fetch_transport_util::ClientPool;
///
/// let pool = ClientPool::new(10, Duration::from_secs(90));
/// futures_lite::future::block_on(async {
///     let lease = pool.acquire("http://a.test", false, || Ok("a client")).await?;
///     assert!(!lease.is_reused());
///     lease.release();
///     assert!(pool.acquire("http://a.test", false, || Ok("another")).await?.is_reused());
///     Ok::<(), fetch_driver::TransportError>(())
/// }).unwrap();
/// ```
pub struct ClientPool<C>(Arc<PoolInner<C>>);

struct PoolInner<C> {
    /// The longest idle first.
    idle: Mutex<VecDeque<IdleClient<C>>>,
    idle_timeout: Duration,
    /// One for each client that may be in use.
    permits: Arc<Semaphore>,
    /// Held while waiting for a permit. A free permit goes to the first task that polls for it, so
    /// without this queue newcomers could overtake a waiter forever. The mutex is fair.
    queue: AsyncMutex<()>,
}

struct IdleClient<C> {
    client: C,
    origin: String,
    since: Instant,
}

impl<C> ClientPool<C> {
    /// A pool of at most `limit` clients, idle ones included. A client is dropped after it has been
    /// idle for `idle_timeout`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_transport_util::ClientPool;
    /// let pool: ClientPool<()> = ClientPool::new(10, Duration::from_secs(90));
    /// ```
    #[must_use]
    pub fn new(limit: usize, idle_timeout: Duration) -> Self {
        Self(Arc::new(PoolInner {
            idle: Mutex::default(),
            idle_timeout,
            permits: Arc::new(Semaphore::new(limit.max(1))),
            queue: AsyncMutex::new(()),
        }))
    }

    /// Lends a client for a request to `origin`: an idle one, or, if there is none or it must be
    /// `new`, the result of `create`. Waits while all clients are in use.
    ///
    /// # Errors
    ///
    /// That of `create`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let pool = fetch_transport_util::ClientPool::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// let lease = pool.acquire("http://a.test", true, || Ok(7)).await.unwrap();
    /// assert_eq!(*lease.client(), 7);
    /// # });
    /// ```
    pub async fn acquire(
        &self,
        origin: &str,
        new: bool,
        create: impl FnOnce() -> Result<C, TransportError>,
    ) -> Result<ClientLease<C>, TransportError> {
        let permit = self.acquire_permit().await;
        let idle = if new { None } else { self.take_idle(origin) };
        let is_reused = idle.is_some();
        let client = match idle {
            Some(client) => client,
            None => {
                self.evict_idle();
                create()?
            }
        };
        Ok(ClientLease {
            client,
            is_reusable: self.0.idle_timeout > Duration::ZERO,
            is_reused,
            origin: origin.to_owned(),
            pool: Self(self.0.clone()),
            _permit: permit,
        })
    }

    async fn acquire_permit(&self) -> SemaphoreGuardArc {
        let _turn = self.0.queue.lock().await;
        self.0.permits.acquire_arc().await
    }

    /// Drops all idle clients.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_transport_util::ClientPool;
    /// # let pool: ClientPool<()> = ClientPool::new(10, Duration::from_secs(90));
    /// pool.close_idle();
    /// assert_eq!(pool.idle_count(), 0);
    /// ```
    pub fn close_idle(&self) {
        let dropped = std::mem::take(&mut *lock(&self.0.idle));
        drop(dropped);
    }

    /// How many clients are idle.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_transport_util::ClientPool;
    /// # let pool: ClientPool<()> = ClientPool::new(10, Duration::from_secs(90));
    /// assert_eq!(pool.idle_count(), 0);
    /// ```
    #[must_use]
    pub fn idle_count(&self) -> usize {
        lock(&self.0.idle).len()
    }

    /// A task to spawn: it drops clients whose idle timeout is over, until the pool is dropped.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_transport_util::ClientPool;
    /// # let pool: ClientPool<()> = ClientPool::new(10, Duration::from_secs(90));
    /// let sweeper = pool.sweep_idle();
    /// drop(pool);
    /// futures_lite::future::block_on(sweeper);
    /// ```
    pub fn sweep_idle(&self) -> impl Future<Output = ()> + Send + use<C>
    where
        C: Send,
    {
        let (inner, timeout) = (Arc::downgrade(&self.0), self.0.idle_timeout);
        async move {
            while let Some(inner) = inner.upgrade() {
                let next = Self(inner).drop_expired();
                // A client that becomes idle during the sleep may stay beyond its timeout, until
                // the sleep ends.
                match next {
                    Some(at) => Timer::at(at).await,
                    None => Timer::after(timeout.max(MIN_SWEEP_INTERVAL)).await,
                };
            }
        }
    }

    /// Drops clients whose idle timeout is over. Returns when the next timeout ends.
    fn drop_expired(&self) -> Option<Instant> {
        let mut idle = lock(&self.0.idle);
        let timeout = self.0.idle_timeout;
        let expired = idle.iter().take_while(|i| i.since.elapsed() >= timeout);
        let expired = expired.count();
        let dropped: Vec<_> = idle.drain(..expired).collect();
        let next = idle.front().and_then(|i| i.since.checked_add(timeout));
        drop(idle);
        drop(dropped);
        next
    }

    /// The client that became idle last among those connected to `origin`.
    fn take_idle(&self, origin: &str) -> Option<C> {
        self.drop_expired();
        let mut idle = lock(&self.0.idle);
        let index = idle.iter().rposition(|i| i.origin == origin)?;
        idle.remove(index).map(|i| i.client)
    }

    /// Drops the clients that have been idle longest, until there is a free permit for each idle
    /// one.
    fn evict_idle(&self) {
        let mut idle = lock(&self.0.idle);
        let excess = idle
            .len()
            .saturating_sub(self.0.permits.available_permits());
        let dropped: Vec<_> = idle.drain(..excess).collect();
        drop(idle);
        drop(dropped);
    }
}

impl<C> fmt::Debug for ClientPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientPool")
            .field("idle", &self.idle_count())
            .field("permits", &self.0.permits)
            .finish()
    }
}

/// A client that is lent to one request. Dropping the lease drops the client.
pub struct ClientLease<C> {
    client: C,
    /// Whether the client may carry another request.
    is_reusable: bool,
    is_reused: bool,
    origin: String,
    pool: ClientPool<C>,
    _permit: SemaphoreGuardArc,
}

impl<C> ClientLease<C> {
    /// The client.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let pool = fetch_transport_util::ClientPool::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// # let lease = pool.acquire("http://a.test", true, || Ok(7)).await.unwrap();
    /// assert_eq!(*lease.client(), 7);
    /// # });
    /// ```
    pub fn client(&self) -> &C {
        &self.client
    }

    /// Whether the client has carried another request before.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let pool = fetch_transport_util::ClientPool::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// # let lease = pool.acquire("http://a.test", true, || Ok(7)).await.unwrap();
    /// assert!(!lease.is_reused());
    /// # });
    /// ```
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Makes this the client's last request: `release` then drops it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let pool = fetch_transport_util::ClientPool::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// # let mut lease = pool.acquire("http://a.test", true, || Ok(7)).await.unwrap();
    /// lease.retire();
    /// lease.release();
    /// assert_eq!(pool.idle_count(), 0);
    /// # });
    /// ```
    pub fn retire(&mut self) {
        self.is_reusable = false;
    }

    /// Returns the client to the pool. Its response must have been read to the end.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let pool = fetch_transport_util::ClientPool::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// # let lease = pool.acquire("http://a.test", true, || Ok(7)).await.unwrap();
    /// lease.release();
    /// assert_eq!(pool.idle_count(), 1);
    /// # });
    /// ```
    pub fn release(self) {
        if self.is_reusable {
            lock(&self.pool.0.idle).push_back(IdleClient {
                client: self.client,
                origin: self.origin,
                since: Instant::now(),
            });
        }
    }
}

impl<C> fmt::Debug for ClientLease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLease")
            .field("origin", &self.origin)
            .field("is_reused", &self.is_reused)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn acquire(pool: &ClientPool<u8>, origin: &str, new: bool) -> ClientLease<u8> {
        block_on(pool.acquire(origin, new, || Ok(0))).unwrap()
    }

    #[test]
    fn only_released_clients_are_reused_and_only_for_their_origin() {
        let pool = ClientPool::new(9, LONG);
        drop(acquire(&pool, "a", false));
        assert!(!acquire(&pool, "a", false).is_reused());
        acquire(&pool, "a", false).release();
        assert!(!acquire(&pool, "b", false).is_reused());
        assert!(!acquire(&pool, "a", true).is_reused());
        assert!(acquire(&pool, "a", false).is_reused());
    }

    #[test]
    fn the_limit_includes_idle_clients() {
        let pool = ClientPool::new(2, LONG);
        acquire(&pool, "a", false).release();
        acquire(&pool, "b", false).release();
        let third = acquire(&pool, "c", false);
        assert_eq!(pool.idle_count(), 1);
        let fourth = acquire(&pool, "b", false);
        assert!(fourth.is_reused());
        assert!(block_on(poll_once(pool.acquire("d", false, || Ok(0)))).is_none());
        drop(third);
        assert!(block_on(poll_once(pool.acquire("d", false, || Ok(0)))).is_some());
    }

    #[test]
    fn the_sweeper_drops_clients_after_their_idle_timeout() {
        let pool = ClientPool::new(2, Duration::from_millis(10));
        acquire(&pool, "a", false).release();
        let swept = async {
            while pool.idle_count() > 0 {
                Timer::after(Duration::from_millis(1)).await;
            }
        };
        block_on(futures_lite::future::or(pool.sweep_idle(), swept));
        assert_eq!(pool.idle_count(), 0);
    }

    #[test]
    fn waiters_are_served_under_a_stream_of_newcomers() {
        let pool = ClientPool::new(1, LONG);
        let acquire_next = || pool.acquire("a", false, || Ok(0));
        let poll = |acquire: &mut Pin<Box<_>>| block_on(poll_once(acquire)).map(Result::unwrap);
        let mut lease = Some(acquire(&pool, "a", false));
        let mut waiters = [Box::pin(acquire_next()), Box::pin(acquire_next())];
        for waiter in &mut waiters {
            assert!(poll(waiter).is_none());
        }
        let mut newcomers = Vec::new();
        for mut waiter in waiters {
            let started = Instant::now();
            loop {
                // The newcomer asks for the returned client before the waiter runs.
                drop(lease.take());
                let mut newcomer = Box::pin(acquire_next());
                lease = poll(&mut newcomer);
                if lease.is_some() {
                    assert!(poll(&mut waiter).is_none());
                    assert!(started.elapsed() < Duration::from_secs(1), "starved");
                    continue;
                }
                newcomers.push(newcomer);
                lease = poll(&mut waiter);
                assert!(lease.is_some(), "the permit is lost");
                break;
            }
        }
    }

    #[test]
    fn an_idle_timeout_of_zero_keeps_no_client() {
        let pool = ClientPool::new(2, Duration::ZERO);
        acquire(&pool, "a", false).release();
        assert_eq!(pool.idle_count(), 0);
    }
}
