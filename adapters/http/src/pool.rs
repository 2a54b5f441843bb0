//! Idle connections by origin, and the bound on how many are open in all.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_listener::Event;
use hashbrown::HashMap;
use slab::Slab;

use crate::conn::{Conn, Shared};
use crate::origin::{Origin, OriginRef};

/// No index.
pub(crate) const NOWHERE: usize = usize::MAX;

/// Idle connections, newest first per origin, and a count of all open ones.
pub(crate) struct Pool {
    freed: Event,
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
    Reuse(Conn),
}

impl Pool {
    pub(crate) fn new(max: usize, idle_timeout: Duration) -> Self {
        Self {
            freed: Event::new(),
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
            if let Some(found) = self.try_checkout(origin, fresh) {
                return found;
            }
            let freed = self.freed.listen();
            // One may have come free between the look and the listening.
            if let Some(found) = self.try_checkout(origin, fresh) {
                return found;
            }
            freed.await;
        }
    }

    fn try_checkout(self: &Arc<Self>, origin: OriginRef<'_>, fresh: bool) -> Option<Checkout> {
        if !fresh && let Some(conn) = self.take(origin) {
            return Some(Checkout::Reuse(conn));
        }
        if let Some(ticket) = self.reserve() {
            return Some(Checkout::Open(ticket));
        }
        let evicted = self.lock().take_oldest()?;
        drop(evicted);
        self.reserve().map(Checkout::Open)
    }

    /// The newest idle connection to `origin` that is neither expired nor closed.
    fn take(&self, origin: OriginRef<'_>) -> Option<Conn> {
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
        let reserved = self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
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
        idle.insert(conn);
        drop(idle);
        drop(closed);
        self.freed.notify_additional(1);
    }

    /// Drops the connection from the idle ones, if it is there.
    pub(crate) fn forget(&self, shared: &Shared) {
        let mut idle = self.lock();
        let at = shared.slot.0.load(Ordering::Relaxed);
        let conn = (at != NOWHERE).then(|| idle.remove(at));
        drop(idle);
        drop(conn);
    }

    /// Closes all idle connections.
    pub(crate) fn clear(&self) {
        let idle = mem::take(&mut *self.lock());
        for (_, entry) in &idle.entries {
            entry.conn.shared.slot.0.store(NOWHERE, Ordering::Relaxed);
        }
        drop(idle);
    }

    /// How many connections are open, idle or not.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Whether the caller must start a sweeper, which ends when [`Pool::sweep`] says so.
    pub(crate) fn wants_sweeper(&self) -> bool {
        !self.sweeping.load(Ordering::Acquire) && !self.sweeping.swap(true, Ordering::AcqRel)
    }

    /// Closes expired connections; says when to come again, or `None` if nothing is open.
    pub(crate) fn sweep(&self) -> Option<Duration> {
        let mut closed = Vec::new();
        let mut idle = self.lock();
        idle.expire(self.idle_timeout, &mut closed);
        let oldest = idle.oldest_since();
        drop(idle);
        drop(closed);
        if self.open() == 0 {
            self.sweeping.store(false, Ordering::Release);
            // A connection opened just now found the sweeper still running.
            if self.open() == 0 || self.sweeping.swap(true, Ordering::AcqRel) {
                return None;
            }
        }
        let age = oldest.map_or(Duration::ZERO, |since| since.elapsed());
        Some(self.idle_timeout.saturating_sub(age).max(Duration::from_millis(10)))
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_additional(1);
    }
}

/// The idle connections: a stack per origin, and one queue over all by age. Every step is O(1).
struct Idle {
    entries: Slab<Entry>,
    newest: usize,
    oldest: usize,
    tops: HashMap<Arc<Origin>, usize>,
}

struct Entry {
    above: usize,
    below: usize,
    conn: Conn,
    newer: usize,
    older: usize,
    since: Instant,
}

impl Default for Idle {
    fn default() -> Self {
        Self { entries: Slab::new(), newest: NOWHERE, oldest: NOWHERE, tops: HashMap::new() }
    }
}

impl Idle {
    fn insert(&mut self, conn: Conn) {
        let at = self.entries.vacant_key();
        conn.shared.slot.0.store(at, Ordering::Relaxed);
        let below = self.tops.insert(conn.origin.clone(), at).unwrap_or(NOWHERE);
        if let Some(entry) = self.entries.get_mut(below) {
            entry.above = at;
        }
        let older = mem::replace(&mut self.newest, at);
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = at,
            None => self.oldest = at,
        }
        let since = Instant::now();
        let entry = Entry { above: NOWHERE, below, conn, newer: NOWHERE, older, since };
        self.entries.insert(entry);
    }

    fn remove(&mut self, at: usize) -> Conn {
        let Entry { above, below, conn, newer, older, .. } = self.entries.remove(at);
        conn.shared.slot.0.store(NOWHERE, Ordering::Relaxed);
        if let Some(entry) = self.entries.get_mut(below) {
            entry.above = above;
        }
        match self.entries.get_mut(above) {
            Some(entry) => entry.below = below,
            None if below == NOWHERE => drop(self.tops.remove(&conn.origin.key())),
            None => drop(self.tops.insert(conn.origin.clone(), below)),
        }
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
        conn
    }

    fn take_newest(&mut self, origin: OriginRef<'_>) -> Option<Conn> {
        let at = *self.tops.get(&origin)?;
        Some(self.remove(at))
    }

    fn take_oldest(&mut self) -> Option<Conn> {
        (self.oldest != NOWHERE).then(|| self.remove(self.oldest))
    }

    fn expire(&mut self, timeout: Duration, closed: &mut Vec<Conn>) {
        // All wait equally long, so the expired ones are at the old end.
        while self.oldest_since().is_some_and(|since| since.elapsed() >= timeout) {
            closed.extend(self.take_oldest());
        }
    }

    fn oldest_since(&self) -> Option<Instant> {
        self.entries.get(self.oldest).map(|entry| entry.since)
    }
}
