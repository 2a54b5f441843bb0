//! Clients, each lent to one request at a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fetch_driver::sync::{PermitArc, Semaphore, Sleep};
use fetch_driver::{AsyncIoTimer, TransportError};

/// Clients of which each has at most one connection and serves one request at a time.
///
/// A client that is given back serves the next request to the same origin, over the connection that
/// it has kept. One that is not given back is dropped, and its connection with it: that is how an
/// attempt is cancelled over a client that has no other way.
///
/// ```
/// use std::time::Duration;
/// use fetch_client::Leases;
///
/// let leases = Leases::new(10, Duration::from_secs(90));
/// futures_lite::future::block_on(async {
///     let lease = leases.lease("http://a.test", false, || Ok("a client")).await?;
///     assert!(!lease.reused());
///     lease.give_back();
///     assert!(leases.lease("http://a.test", false, || Ok("another")).await?.reused());
///     Ok::<(), fetch_driver::TransportError>(())
/// }).unwrap();
/// ```
pub struct Leases<C>(Arc<Inner<C>>);

struct Inner<C> {
    /// The longest idle first.
    idle: Mutex<VecDeque<Idle<C>>>,
    idle_timeout: Duration,
    /// One for each client that may be at work.
    slots: Arc<Semaphore>,
}

struct Idle<C> {
    client: C,
    origin: String,
    since: Instant,
}

impl<C> Leases<C> {
    /// At most `limit` clients in all, each kept for `idle_timeout` while it has nothing to do.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let leases: fetch_client::Leases<()> = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// ```
    #[must_use]
    pub fn new(limit: usize, idle_timeout: Duration) -> Self {
        Self(Arc::new(Inner {
            idle: Mutex::default(),
            idle_timeout,
            slots: Arc::new(Semaphore::new(limit.max(1))),
        }))
    }

    /// Lends a client for a request to `origin`: an idle one, or, if there is none or it must be
    /// `fresh`, one that `make` makes. Waits while all are lent.
    ///
    /// # Errors
    ///
    /// That of `make`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let leases = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// let lease = leases.lease("http://a.test", true, || Ok(7)).await.unwrap();
    /// assert_eq!(*lease.client(), 7);
    /// # });
    /// ```
    pub async fn lease(
        &self,
        origin: &str,
        fresh: bool,
        make: impl FnOnce() -> Result<C, TransportError>,
    ) -> Result<Lease<C>, TransportError> {
        let slot = self.0.slots.acquire_arc().await;
        let kept = if fresh { None } else { self.take(origin) };
        let reused = kept.is_some();
        let client = match kept {
            Some(client) => client,
            None => {
                self.make_room();
                make()?
            }
        };
        let origin = origin.to_owned();
        Ok(Lease {
            client,
            kept: self.0.idle_timeout > Duration::ZERO,
            leases: Self(self.0.clone()),
            origin,
            reused,
            _slot: slot,
        })
    }

    /// Drops all idle clients.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let leases: fetch_client::Leases<()> = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// leases.clear();
    /// assert_eq!(leases.idle(), 0);
    /// ```
    pub fn clear(&self) {
        let dropped = core::mem::take(&mut *self.lock());
        drop(dropped);
    }

    /// How many clients are idle.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let leases: fetch_client::Leases<()> = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// assert_eq!(leases.idle(), 0);
    /// ```
    #[must_use]
    pub fn idle(&self) -> usize {
        self.lock().len()
    }

    /// Drops clients that have been idle for too long, as long as the leases live: to be spawned.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let leases: fetch_client::Leases<()> = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// let sweeper = leases.sweeper();
    /// drop(leases);
    /// futures_lite::future::block_on(sweeper);
    /// ```
    pub fn sweeper(&self) -> impl Future<Output = ()> + Send + use<C>
    where
        C: Send,
    {
        let (inner, timeout) = (Arc::downgrade(&self.0), self.0.idle_timeout);
        async move {
            let mut sleep = Sleep::never(AsyncIoTimer::default());
            while let Some(inner) = inner.upgrade() {
                let next = Self(inner).expire();
                // Who becomes idle meanwhile may stay for as long as this sleep takes.
                match next {
                    Some(at) => sleep.reset_at(Some(at)),
                    None => sleep.reset(timeout.max(Duration::from_millis(10))),
                }
                (&mut sleep).await;
            }
        }
    }

    /// Drops those whose time is over. Tells when the next one's is.
    fn expire(&self) -> Option<Instant> {
        let mut idle = self.lock();
        let timeout = self.0.idle_timeout;
        let over = idle.iter().take_while(|i| i.since.elapsed() >= timeout);
        let over = over.count();
        let dropped: Vec<_> = idle.drain(..over).collect();
        let next = idle.front().and_then(|i| i.since.checked_add(timeout));
        drop(idle);
        drop(dropped);
        next
    }

    fn take(&self, origin: &str) -> Option<C> {
        self.expire();
        let mut idle = self.lock();
        let index = idle.iter().rposition(|i| i.origin == origin)?;
        idle.remove(index).map(|i| i.client)
    }

    /// Drops the longest idle while there are more than there are free slots.
    fn make_room(&self) {
        let mut idle = self.lock();
        let over = idle.len().saturating_sub(self.0.slots.available());
        let dropped: Vec<_> = idle.drain(..over).collect();
        drop(idle);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle<C>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> fmt::Debug for Leases<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases")
            .field("idle", &self.idle())
            .field("slots", &self.0.slots)
            .finish()
    }
}

/// A client, for one request. Dropped, it takes the client with it.
pub struct Lease<C> {
    client: C,
    kept: bool,
    leases: Leases<C>,
    origin: String,
    reused: bool,
    _slot: PermitArc,
}

impl<C> Lease<C> {
    /// The client.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let leases = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// # let lease = leases.lease("http://a.test", true, || Ok(7)).await.unwrap();
    /// assert_eq!(*lease.client(), 7);
    /// # });
    /// ```
    pub fn client(&self) -> &C {
        &self.client
    }

    /// Whether it has served another request before.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let leases = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// # let lease = leases.lease("http://a.test", true, || Ok(7)).await.unwrap();
    /// assert!(!lease.reused());
    /// # });
    /// ```
    #[must_use]
    pub fn reused(&self) -> bool {
        self.reused
    }

    /// Makes this its last request: given back, it is dropped all the same.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let leases = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// # let mut lease = leases.lease("http://a.test", true, || Ok(7)).await.unwrap();
    /// lease.retire();
    /// lease.give_back();
    /// assert_eq!(leases.idle(), 0);
    /// # });
    /// ```
    pub fn retire(&mut self) {
        self.kept = false;
    }

    /// Gives the client back: its connection is in order.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let leases = fetch_client::Leases::new(10, Duration::from_secs(90));
    /// # futures_lite::future::block_on(async {
    /// # let lease = leases.lease("http://a.test", true, || Ok(7)).await.unwrap();
    /// lease.give_back();
    /// assert_eq!(leases.idle(), 1);
    /// # });
    /// ```
    pub fn give_back(self) {
        if self.kept {
            self.leases.lock().push_back(Idle {
                client: self.client,
                origin: self.origin,
                since: Instant::now(),
            });
        }
    }
}

impl<C> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("origin", &self.origin)
            .field("reused", &self.reused)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn lease(leases: &Leases<u8>, origin: &str, fresh: bool) -> Lease<u8> {
        block_on(leases.lease(origin, fresh, || Ok(0))).unwrap()
    }

    #[test]
    fn only_what_was_given_back_is_lent_again_and_to_its_origin_only() {
        let leases = Leases::new(9, LONG);
        drop(lease(&leases, "a", false));
        assert!(!lease(&leases, "a", false).reused());
        lease(&leases, "a", false).give_back();
        assert!(!lease(&leases, "b", false).reused());
        assert!(!lease(&leases, "a", true).reused());
        assert!(lease(&leases, "a", false).reused());
    }

    #[test]
    fn the_bound_counts_the_idle_ones_too() {
        let leases = Leases::new(2, LONG);
        lease(&leases, "a", false).give_back();
        lease(&leases, "b", false).give_back();
        let third = lease(&leases, "c", false);
        assert_eq!(leases.idle(), 1);
        let fourth = lease(&leases, "b", false);
        assert!(fourth.reused());
        assert!(block_on(poll_once(leases.lease("d", false, || Ok(0)))).is_none());
        drop(third);
        assert!(block_on(poll_once(leases.lease("d", false, || Ok(0)))).is_some());
    }

    #[test]
    fn the_sweeper_drops_what_is_idle_for_too_long() {
        let leases = Leases::new(2, Duration::from_millis(10));
        lease(&leases, "a", false).give_back();
        let swept = async {
            while leases.idle() > 0 {
                fetch_driver::sync::sleep(Duration::from_millis(1)).await;
            }
        };
        block_on(futures_lite::future::or(leases.sweeper(), swept));
        assert_eq!(leases.idle(), 0);
    }

    #[test]
    fn nothing_is_kept_with_an_idle_timeout_of_zero() {
        let leases = Leases::new(2, Duration::ZERO);
        lease(&leases, "a", false).give_back();
        assert_eq!(leases.idle(), 0);
    }
}
