//! Idle connections: a stack per origin, and one queue over all by age.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use slab::Slab;

use crate::http1::{Conn, Watch};
use crate::origin::{Origin, OriginRef};

/// No index.
const NOWHERE: usize = usize::MAX;

/// Where a connection is kept; written under the pool's lock only.
pub(crate) struct Slot(AtomicUsize);

impl Default for Slot {
    fn default() -> Self {
        Self(AtomicUsize::new(NOWHERE))
    }
}

impl Slot {
    /// Whether the connection is not kept anywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.load() == NOWHERE
    }

    fn load(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn store(&self, at: usize) {
        self.0.store(at, Ordering::Relaxed);
    }
}

/// The idle connections. Every step is O(1).
pub(crate) struct Idle {
    entries: Slab<Entry>,
    newest: usize,
    oldest: usize,
    tops: HashMap<Arc<Origin>, usize>,
}

struct Entry {
    above: usize,
    below: usize,
    conn: Box<Conn>,
    newer: usize,
    older: usize,
    since: Instant,
}

impl Default for Idle {
    fn default() -> Self {
        Self {
            entries: Slab::new(),
            newest: NOWHERE,
            oldest: NOWHERE,
            tops: HashMap::new(),
        }
    }
}

impl Idle {
    /// Adds the newest; gives it back if it is over already.
    pub(crate) fn insert(&mut self, mut conn: Box<Conn>) -> Option<Box<Conn>> {
        let at = self.entries.vacant_key();
        // Before it is watched, so that nothing is missed.
        conn.watch.slot.store(at);
        if !conn.is_quiet() {
            conn.watch.slot.store(NOWHERE);
            return Some(conn);
        }
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
        let entry = Entry {
            above: NOWHERE,
            below,
            conn,
            newer: NOWHERE,
            older,
            since,
        };
        self.entries.insert(entry);
        None
    }

    /// Takes out the connection with this watch if it is over. It may also have gone on, or have had
    /// something to read that is no request's business.
    pub(crate) fn examine(&mut self, watch: &Watch) -> Option<Box<Conn>> {
        let at = watch.slot.load();
        let entry = self.entries.get_mut(at)?;
        (watch.was_woken() && !entry.conn.is_quiet()).then(|| self.remove(at))
    }

    /// Closes them all. Not under the pool's lock, which must not be held while tasks are woken.
    pub(crate) fn close(self) {
        for (_, entry) in &self.entries {
            entry.conn.watch.slot.store(NOWHERE);
        }
    }

    fn remove(&mut self, at: usize) -> Box<Conn> {
        let Entry {
            above,
            below,
            conn,
            newer,
            older,
            ..
        } = self.entries.remove(at);
        conn.watch.slot.store(NOWHERE);
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

    /// The newest connection to `origin`.
    pub(crate) fn take_newest(&mut self, origin: OriginRef<'_>) -> Option<Box<Conn>> {
        let at = *self.tops.get(&origin)?;
        Some(self.remove(at))
    }

    /// The connection that has been idle for the longest time.
    pub(crate) fn take_oldest(&mut self) -> Option<Box<Conn>> {
        (self.oldest != NOWHERE).then(|| self.remove(self.oldest))
    }

    /// Moves what has been idle for `timeout` to `closed`.
    pub(crate) fn expire(&mut self, timeout: Duration, closed: &mut impl Extend<Box<Conn>>) {
        // All wait equally long, so the expired ones are at the old end.
        while self
            .oldest_since()
            .is_some_and(|since| since.elapsed() >= timeout)
        {
            closed.extend(self.take_oldest());
        }
    }

    /// Since when the oldest one has been idle.
    pub(crate) fn oldest_since(&self) -> Option<Instant> {
        self.entries.get(self.oldest).map(|entry| entry.since)
    }
}
