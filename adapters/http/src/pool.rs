//! Idle connections by origin, and the bound on how many are open in all.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_listener::Event;

use crate::conn::{Conn, Shared};
#[cfg(feature = "http2")]
use crate::http2::{Flying, Groups, Lease};
use crate::idle::Idle;
use crate::origin::OriginRef;

/// Idle connections, newest first per origin, and a count of all open ones.
pub(crate) struct Pool {
    pub(crate) freed: Event,
    #[cfg(feature = "http2")]
    pub(crate) groups: Groups,
    idle: Mutex<Idle>,
    idle_timeout: Duration,
    max: usize,
    open: AtomicUsize,
    sweeping: AtomicBool,
}

/// The right to have one connection open.
pub(crate) struct Ticket(Arc<Pool>);

/// What a request gets from the pool.
pub(crate) enum Checkout {
    Open(Ticket),
    /// Others wait for what comes of it.
    #[cfg(feature = "http2")]
    OpenFirst(Ticket, Flying),
    Reuse(Conn),
    #[cfg(feature = "http2")]
    Share(Lease),
}

impl Pool {
    pub(crate) fn new(max: usize, idle_timeout: Duration) -> Self {
        Self {
            freed: Event::new(),
            #[cfg(feature = "http2")]
            groups: Groups::new(idle_timeout),
            idle: Mutex::new(Idle::default()),
            idle_timeout,
            max: max.max(1),
            open: AtomicUsize::new(0),
            sweeping: AtomicBool::new(false),
        }
    }

    /// An idle connection to `origin`, or the right to open one, as soon as there is either.
    pub(crate) async fn checkout(self: &Arc<Self>, origin: OriginRef<'_>, fresh: bool) -> Checkout {
        loop {
            let mut freed = None;
            let found = loop {
                match self.try_checkout(origin, fresh) {
                    Some(found) => break found,
                    // One may come free between the look and the listening: look again.
                    None => match freed.take() {
                        None => freed = Some(self.freed.listen()),
                        Some(freed) => freed.await,
                    },
                }
            };
            match found {
                Checkout::Reuse(conn) => {
                    if let Some(conn) = settled(conn).await {
                        return Checkout::Reuse(conn);
                    }
                }
                open => return open,
            }
        }
    }

    fn try_checkout(self: &Arc<Self>, origin: OriginRef<'_>, fresh: bool) -> Option<Checkout> {
        if !fresh && let Some(conn) = self.take(origin) {
            return Some(Checkout::Reuse(conn));
        }
        self.reserve_or_evict().map(Checkout::Open)
    }

    /// The right to open a connection, if need be in place of the one that is idle for longest.
    pub(crate) fn reserve_or_evict(self: &Arc<Self>) -> Option<Ticket> {
        if let Some(ticket) = self.reserve() {
            return Some(ticket);
        }
        self.evict().then(|| self.reserve()).flatten()
    }

    fn evict(&self) -> bool {
        #[cfg(feature = "http2")]
        if let Some(shared) = self.groups.oldest_since()
            && self
                .lock()
                .oldest_since()
                .is_none_or(|alone| shared < alone)
        {
            return self.groups.take_oldest().is_some();
        }
        // Closing wakes tasks: never under the lock.
        let evicted = self.lock().take_oldest();
        evicted.is_some()
    }

    /// The newest idle connection to `origin` that is neither expired nor closed.
    pub(crate) fn take(&self, origin: OriginRef<'_>) -> Option<Conn> {
        let mut closed = Vec::new();
        let mut idle = self.lock();
        idle.expire(self.idle_timeout, &mut closed);
        let found = loop {
            match idle.take_newest(origin) {
                Some(conn) if conn.sender.is_closed() => closed.push(conn),
                other => break other,
            }
        };
        drop(idle);
        // Closing wakes tasks: never under the lock.
        drop(closed);
        found
    }

    fn reserve(self: &Arc<Self>) -> Option<Ticket> {
        let more = |open: usize| (open < self.max).then_some(open + 1);
        let reserved = self
            .open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        reserved.is_ok().then(|| Ticket(self.clone()))
    }

    /// Keeps an idle connection for later.
    pub(crate) fn put(&self, conn: Conn) {
        if self.idle_timeout.is_zero() {
            return;
        }
        let mut closed = Vec::new();
        let mut idle = self.lock();
        idle.expire(self.idle_timeout, &mut closed);
        let shared = conn.shared.clone();
        idle.insert(conn);
        drop(idle);
        drop(closed);
        if shared.has_ended() {
            // Its task has looked for it here before it came.
            self.forget(&shared);
        }
        self.freed.notify_additional(1);
    }

    /// Drops the connection from the idle ones, if it is there.
    pub(crate) fn forget(&self, shared: &Shared) {
        let conn = self.lock().take(shared);
        drop(conn);
    }

    /// Closes all idle connections.
    pub(crate) fn clear(&self) {
        let idle = mem::take(&mut *self.lock());
        idle.close();
        #[cfg(feature = "http2")]
        self.expire_shared(Duration::ZERO);
    }

    /// How many connections are open, idle or not.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Whether the caller must start a sweeper, which ends when [`Pool::sweep`] says so.
    pub(crate) fn wants_sweeper(&self) -> bool {
        !self.idle_timeout.is_zero()
            && !self.sweeping.load(Ordering::Acquire)
            && !self.sweeping.swap(true, Ordering::AcqRel)
    }

    /// Closes expired connections; says when to come again, or `None` if nothing is open.
    pub(crate) fn sweep(&self) -> Option<Duration> {
        let mut closed = Vec::new();
        let mut idle = self.lock();
        idle.expire(self.idle_timeout, &mut closed);
        let oldest = idle.oldest_since();
        drop(idle);
        drop(closed);
        #[cfg(feature = "http2")]
        let oldest = oldest
            .into_iter()
            .chain(self.expire_shared(self.idle_timeout))
            .min();
        if self.open() == 0 {
            self.sweeping.store(false, Ordering::Release);
            // A connection opened just now found the sweeper still running.
            if self.open() == 0 || self.sweeping.swap(true, Ordering::AcqRel) {
                return None;
            }
        }
        let age = oldest.map_or(Duration::ZERO, |since| since.elapsed());
        Some(
            self.idle_timeout
                .saturating_sub(age)
                .max(Duration::from_millis(10)),
        )
    }

    /// Closes shared connections idle for `timeout`; says since when the oldest of the rest is.
    #[cfg(feature = "http2")]
    fn expire_shared(&self, timeout: Duration) -> Option<std::time::Instant> {
        let closed = self.groups.expire(timeout);
        drop(closed);
        self.groups.oldest_since()
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection, once its task has noticed, on another thread, that the last response is over.
pub(crate) async fn settled(mut conn: Conn) -> Option<Conn> {
    if !conn.sender.is_ready() && conn.sender.ready().await.is_err() {
        return None;
    }
    Some(conn)
}

#[cfg(feature = "http2")]
impl Ticket {
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_additional(1);
    }
}
