//! Idle connections by origin, on their way from one request to the next.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_listener::{Event, EventListener};

use crate::connections::{Connections, Ticket, Waiting};
use crate::hand;
use crate::http1::{Conn, Watch};
#[cfg(feature = "http2")]
use crate::http2::{Flying, Groups, Lease};
use crate::idle::Idle;
use crate::origin::OriginRef;

/// Idle connections, newest first per origin, and a count of all open ones.
pub(crate) struct Pool {
    /// What it keeps to together with others.
    connections: Arc<Connections>,
    pub(crate) freed: Event,
    #[cfg(feature = "http2")]
    pub(crate) groups: Groups,
    idle: Mutex<Idle>,
    idle_timeout: Duration,
    pub(crate) open: AtomicUsize,
    /// Idle connections on which something happened.
    suspects: Mutex<Vec<Arc<Watch>>>,
    /// Told when the sweeper has something to look at.
    alarm: Event,
    sweeping: AtomicBool,
    /// How many wait for a connection to come free.
    pub(crate) waiting: AtomicUsize,
}

/// What a request gets from the pool.
pub(crate) enum Checkout {
    Open(Ticket),
    /// Others wait for what comes of it.
    #[cfg(feature = "http2")]
    OpenFirst(Ticket, Flying),
    Reuse(Box<Conn>),
    #[cfg(feature = "http2")]
    Share(Lease),
}

impl Pool {
    pub(crate) fn new(connections: Arc<Connections>, idle_timeout: Duration) -> Arc<Self> {
        let pool = Arc::new(Self {
            connections,
            freed: Event::new(),
            #[cfg(feature = "http2")]
            groups: Groups::new(idle_timeout),
            idle: Mutex::new(Idle::default()),
            idle_timeout,
            open: AtomicUsize::new(0),
            suspects: Mutex::default(),
            alarm: Event::new(),
            sweeping: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        });
        pool.connections.join(&pool);
        pool
    }

    /// An idle connection to `origin`, or the right to open one, as soon as there is either.
    pub(crate) async fn checkout(self: &Arc<Self>, origin: OriginRef<'_>, fresh: bool) -> Checkout {
        let (mut freed, mut waiting) = (None, None);
        loop {
            match self.try_checkout(origin, fresh) {
                Some(found) => return found,
                // One may come free between the look and the listening: look again.
                None => match freed.take() {
                    None => {
                        waiting.get_or_insert_with(|| self.wait());
                        freed = Some(self.freed.listen());
                    }
                    Some(freed) => freed.await,
                },
            }
        }
    }

    fn try_checkout(self: &Arc<Self>, origin: OriginRef<'_>, fresh: bool) -> Option<Checkout> {
        if !fresh && let Some(conn) = self.take(origin) {
            return Some(Checkout::Reuse(conn));
        }
        self.reserve_or_evict().map(Checkout::Open)
    }

    /// The right to open a connection, if need be in place of one that is idle.
    pub(crate) fn reserve_or_evict(self: &Arc<Self>) -> Option<Ticket> {
        let connections = &self.connections;
        if let Some(ticket) = connections.reserve(self) {
            return Some(ticket);
        }
        // What is in hand is idle, too.
        hand::empty(self);
        let has_room = !connections.owes(self, self.open() + 1) && connections.evict(self);
        has_room.then(|| connections.reserve(self)).flatten()
    }

    /// Closes the one that is idle for longest.
    pub(crate) fn evict(&self) -> bool {
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

    /// A request waits for a connection: see [`Connections::wait`].
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.connections.wait(self)
    }

    /// The newest idle connection to `origin` that is neither expired nor closed.
    pub(crate) fn take(&self, origin: OriginRef<'_>) -> Option<Box<Conn>> {
        while let Some(mut conn) = hand::take(self, origin) {
            if conn.is_quiet() {
                return Some(conn);
            }
        }
        let mut closed = Vec::new();
        let mut idle = self.lock();
        idle.expire(self.idle_timeout, &mut closed);
        let found = loop {
            let Some(mut conn) = idle.take_newest(origin) else {
                break None;
            };
            if conn.watch.was_woken() && !conn.is_quiet() {
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

    /// Keeps an idle connection for later.
    pub(crate) fn put(&self, conn: Box<Conn>) {
        if self.idle_timeout.is_zero() {
            return;
        }
        let is_awaited = self.connections.is_awaited();
        let rest = match is_awaited {
            true => Some(conn),
            false => hand::keep(self, conn),
        };
        match rest {
            // Closed, so that another pool may open one.
            Some(conn) if is_awaited && self.connections.owes(self, self.open()) => drop(conn),
            Some(conn) => self.lay([conn]),
            None => {}
        }
    }

    /// Adds idle connections, the newest last.
    pub(crate) fn lay(&self, conns: impl IntoIterator<Item = Box<Conn>>) {
        let (mut closed, mut laid) = (Vec::new(), 0);
        let mut idle = self.lock();
        for conn in conns {
            closed.extend(idle.insert(conn));
            laid += 1;
        }
        drop(idle);
        // Closing wakes tasks: never under the lock.
        drop(closed);
        self.connections.tell(self, laid);
    }

    /// Has the sweeper look at a connection on which something happened while it was idle.
    pub(crate) fn suspect(&self, watch: Arc<Watch>) {
        lock(&self.suspects).push(watch);
        self.alarm.notify(1);
    }

    /// Drops those suspects that are indeed over.
    fn examine(&self) {
        let suspects = mem::take(&mut *lock(&self.suspects));
        for watch in suspects {
            let over = self.lock().examine(&watch);
            drop(over);
        }
    }

    /// Closes all idle connections.
    pub(crate) fn clear(&self) {
        hand::empty(self);
        let idle = mem::take(&mut *self.lock());
        idle.close();
        #[cfg(feature = "http2")]
        self.expire_shared(Duration::ZERO);
    }

    /// How many connections are open, idle or not.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// How many requests wait for a connection to come free.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Tells who waits for it that a connection is idle.
    #[cfg(feature = "http2")]
    pub(crate) fn rested(&self) {
        self.connections.tell(self, 1);
    }

    /// Whether the caller must start a sweeper, which ends when [`Pool::sweep`] says so.
    pub(crate) fn wants_sweeper(&self) -> bool {
        !self.idle_timeout.is_zero()
            && !self.sweeping.load(Ordering::Acquire)
            && !self.sweeping.swap(true, Ordering::AcqRel)
    }

    /// Is told when [`Pool::sweep`] should be called before its time.
    pub(crate) fn alarm(&self) -> EventListener {
        self.alarm.listen()
    }

    /// Closes connections that are expired or over; says when to come again, or `None` if nothing is
    /// open.
    pub(crate) fn sweep(&self) -> Option<Duration> {
        self.examine();
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
        lock(&self.idle)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The sweeper need not sleep on.
        self.alarm.notify(1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
