//! Who asks and who tells: the thread that reads lists claims what is to be fetched, the writing
//! thread settles what is durable.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::done::Done;
use super::entry::{Entries, Entry, Kind, Round};
use super::segment::Segment;
use crate::output::record::Id;

/// What is done, and what is on its way. Its memory is that of one journal (9 MiB), of the segments'
/// indexes, and of what is on its way.
#[derive(Debug)]
pub(crate) struct Ledger {
    inner: Mutex<Inner>,
    /// Whether the lists were fetched to their end.
    complete: AtomicBool,
    /// Skipped, and failed before.
    failed: AtomicU64,
    /// The round in which a failure counts as done, if that is not every one.
    retrying: Option<Round>,
    skipped: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    /// By tag, so that an outcome needs no digest to be settled.
    claimed: HashMap<u64, Entry>,
    flying: Entries,
    /// What the journal has.
    recent: Entries,
    /// Later ones count more.
    segments: Arc<[Arc<Segment>]>,
}

impl Ledger {
    pub(crate) fn new(recent: Entries, segments: Vec<Segment>, retrying: Option<Round>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                claimed: HashMap::new(),
                flying: Entries::default(),
                recent,
                segments: segments.into_iter().map(Arc::new).collect(),
            }),
            complete: AtomicBool::new(false),
            failed: AtomicU64::new(0),
            retrying,
            skipped: AtomicU64::new(0),
        }
    }

    /// Whether this is to be fetched: it is not done, and not on its way. If so, it is on its way
    /// from now on, under this tag. Only one thread may claim.
    ///
    /// # Errors
    ///
    /// If a segment cannot be read, or is damaged.
    pub(crate) fn claim(&self, id: &Id, tag: u64) -> io::Result<bool> {
        let entry = Entry::of(id);
        let inner = self.lock();
        let recent = inner.recent.get(&entry).copied();
        let twice = inner.flying.contains(&entry);
        let segments = inner.segments.clone();
        // What is durable from here on was in flight before, and so this is not it.
        drop(inner);
        let ended = match recent {
            None if !twice => find(&segments, entry)?,
            ended => ended,
        };
        if twice || ended.is_some_and(|ended| self.is_done(ended)) {
            let failed = ended.is_some_and(|ended| ended.kind() == Kind::Failed);
            self.skipped.fetch_add(1, Relaxed);
            self.failed.fetch_add(u64::from(failed), Relaxed);
            return Ok(false);
        }
        let mut inner = self.lock();
        inner.claimed.insert(tag, entry);
        inner.flying.insert(entry);
        Ok(true)
    }

    fn is_done(&self, ended: Entry) -> bool {
        let again = self.retrying.is_some_and(|round| ended.round() != round);
        !(again && ended.kind() == Kind::Failed)
    }

    /// What these tags were claimed for, ended.
    pub(crate) fn resolve(&self, done: &[Done], round: Round) -> Vec<Entry> {
        let mut inner = self.lock();
        let ended = done.iter().map(|done| {
            let entry = inner.claimed.remove(&done.tag)?;
            Some(entry.ended(done.kind, round))
        });
        ended.flatten().collect()
    }

    /// These are durable. Returns how many the journal has.
    pub(crate) fn settle(&self, ended: &[Entry]) -> usize {
        let mut inner = self.lock();
        for entry in ended {
            inner.flying.remove(entry);
            inner.recent.replace(*entry);
        }
        inner.recent.len()
    }

    /// What the journal has, in order.
    pub(crate) fn sorted(&self) -> Vec<Entry> {
        let mut entries: Vec<_> = self.lock().recent.iter().copied().collect();
        entries.sort_unstable_by_key(|entry| entry.digest());
        entries
    }

    pub(crate) fn segments(&self) -> Arc<[Arc<Segment>]> {
        self.lock().segments.clone()
    }

    /// These are the segments now; `sealed` says that one of them has what the journal had.
    pub(crate) fn replace_segments(&self, segments: Vec<Arc<Segment>>, sealed: bool) {
        let mut inner = self.lock();
        inner.segments = segments.into();
        if sealed {
            inner.recent.clear();
        }
    }

    /// How many were skipped in this run, and how many of these had failed.
    pub(crate) fn skipped(&self) -> (u64, u64) {
        (self.skipped.load(Relaxed), self.failed.load(Relaxed))
    }

    pub(crate) fn set_complete(&self) {
        self.complete.store(true, Relaxed);
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(segments: &[Arc<Segment>], entry: Entry) -> io::Result<Option<Entry>> {
    for segment in segments.iter().rev() {
        if let Some(found) = segment.find(entry)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
