//! Idle HTTP/1.1 connections: one stack per origin, and one queue over all by age.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use slab::Slab;

use super::sweep::{IdleWatcher, NO_SLOT};
use crate::http1::H1Connection;
use crate::origin::{Origin, OriginRef};

/// The idle connections of a pool. Every operation is O(1) per connection.
pub(super) struct IdleConnections {
    entries: Slab<IdleEntry>,
    newest: usize,
    newest_by_origin: HashMap<Arc<Origin>, usize>,
    oldest: usize,
}

/// An idle connection with its neighbours in the stack of its origin and in the queue by age.
struct IdleEntry {
    above: usize,
    below: usize,
    conn: Box<H1Connection>,
    newer: usize,
    older: usize,
    since: Instant,
}

impl Default for IdleConnections {
    fn default() -> Self {
        Self {
            entries: Slab::new(),
            newest: NO_SLOT,
            newest_by_origin: HashMap::new(),
            oldest: NO_SLOT,
        }
    }
}

impl IdleConnections {
    /// Adds the newest connection. Returns it if it is closed already.
    pub(super) fn insert(&mut self, mut conn: Box<H1Connection>) -> Option<Box<H1Connection>> {
        let index = self.entries.vacant_key();
        // Before the connection is watched, so that no wake-up is missed.
        conn.watcher.slot.store(index);
        if !conn.is_reusable() {
            conn.watcher.slot.clear();
            return Some(conn);
        }
        let below = self.newest_by_origin.insert(conn.origin.clone(), index);
        let below = below.unwrap_or(NO_SLOT);
        if let Some(entry) = self.entries.get_mut(below) {
            entry.above = index;
        }
        let older = mem::replace(&mut self.newest, index);
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = index,
            None => self.oldest = index,
        }
        let since = Instant::now();
        let entry = IdleEntry {
            above: NO_SLOT,
            below,
            conn,
            newer: NO_SLOT,
            older,
            since,
        };
        self.entries.insert(entry);
        None
    }

    /// Removes the watched connection if it is closed. The slot may meanwhile hold another
    /// connection, and TLS may have read something that is not part of a response.
    pub(super) fn remove_closed(&mut self, watcher: &IdleWatcher) -> Option<Box<H1Connection>> {
        let index = watcher.slot.load();
        let entry = self.entries.get_mut(index)?;
        (watcher.take_woken() && !entry.conn.is_reusable()).then(|| self.remove(index))
    }

    /// Closes all connections. To be called without the pool's lock, because closing wakes tasks.
    pub(super) fn close_all(self) {
        for (_, entry) in &self.entries {
            entry.conn.watcher.slot.clear();
        }
    }

    fn remove(&mut self, index: usize) -> Box<H1Connection> {
        let IdleEntry {
            above,
            below,
            conn,
            newer,
            older,
            ..
        } = self.entries.remove(index);
        conn.watcher.slot.clear();
        if let Some(entry) = self.entries.get_mut(below) {
            entry.above = above;
        }
        let tops = &mut self.newest_by_origin;
        match self.entries.get_mut(above) {
            Some(entry) => entry.below = below,
            None if below == NO_SLOT => drop(tops.remove(&conn.origin.key())),
            None => drop(tops.insert(conn.origin.clone(), below)),
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
    pub(super) fn take_newest(&mut self, origin: OriginRef<'_>) -> Option<Box<H1Connection>> {
        let index = *self.newest_by_origin.get(&origin)?;
        Some(self.remove(index))
    }

    /// The connection that has been idle for the longest time.
    pub(super) fn take_oldest(&mut self) -> Option<Box<H1Connection>> {
        (self.oldest != NO_SLOT).then(|| self.remove(self.oldest))
    }

    /// Moves connections that have been idle for `timeout` to `closed`.
    pub(super) fn expire(
        &mut self,
        timeout: Duration,
        closed: &mut impl Extend<Box<H1Connection>>,
    ) {
        // The timeout is the same for all, so the expired ones are at the old end.
        while self
            .oldest_since()
            .is_some_and(|since| since.elapsed() >= timeout)
        {
            closed.extend(self.take_oldest());
        }
    }

    /// Since when the oldest connection has been idle.
    pub(super) fn oldest_since(&self) -> Option<Instant> {
        self.entries.get(self.oldest).map(|entry| entry.since)
    }
}
