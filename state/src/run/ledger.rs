//! The completed requests and those in flight. The thread that reads lists claims requests, and the
//! writing thread settles them when they are durable.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::completed::{CompletedRequest, CompletionKind};
use crate::files::entry::{RetryRound, StateEntries, StateEntry};
use crate::files::segment::Segment;

/// Completed requests, and those in flight. Its memory is that of two journals (9 MiB each), the
/// segments' indexes, and the requests in flight.
#[derive(Debug)]
pub struct StateLedger {
    inner: Mutex<LedgerInner>,
    /// Whether the run reached the end of its lists.
    complete: AtomicBool,
    /// The entries of the journal and the segments when the state was opened, from earlier runs.
    earlier: (StateEntries, Arc<[Arc<Segment>]>),
    /// The round whose failures count as completed; `None` if those of all rounds do.
    retry_round: Option<RetryRound>,
    skipped: Mutex<SkippedClaims>,
}

/// The claims of a run that were refused.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SkippedClaims {
    /// Claims for requests that an earlier run completed.
    pub completed: u64,
    /// Claims for requests that were claimed in this run before.
    pub duplicates: u64,
    /// Those of `completed` that failed.
    pub failed: u64,
}

#[derive(Debug)]
struct LedgerInner {
    /// By tag, so that settling needs no digest.
    claimed: HashMap<u64, StateEntry>,
    in_flight: StateEntries,
    /// The entries of the journal.
    recent: StateEntries,
    /// Later segments take precedence.
    segments: Arc<[Arc<Segment>]>,
}

impl StateLedger {
    pub(crate) fn new(
        recent: StateEntries,
        segments: Vec<Segment>,
        retry_round: Option<RetryRound>,
    ) -> Self {
        let segments: Arc<[_]> = segments.into_iter().map(Arc::new).collect();
        Self {
            earlier: (recent.clone(), segments.clone()),
            inner: Mutex::new(LedgerInner {
                claimed: HashMap::new(),
                in_flight: StateEntries::default(),
                recent,
                segments,
            }),
            complete: AtomicBool::new(false),
            retry_round,
            skipped: Mutex::default(),
        }
    }

    /// Claims a request under this tag. False if it is completed, or in flight already. `digest` is
    /// a hash of the request with evenly distributed bits; its last two bytes are ignored. Only one
    /// thread may claim.
    ///
    /// # Errors
    ///
    /// If a segment cannot be read, or is damaged.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let options = fetch_state::StateOptions::new(directory.path().join("state"));
    /// let state = fetch_state::State::open(&options)?;
    /// assert!(state.ledger.claim([7; 16], 1)?);
    /// assert!(!state.ledger.claim([7; 16], 2)?, "in flight");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim(&self, digest: [u8; 16], tag: u64) -> io::Result<bool> {
        let entry = StateEntry::of(digest);
        let inner = self.lock();
        let recent = inner.recent.get(&entry).copied();
        let is_in_flight = inner.in_flight.contains(&entry);
        let segments = inner.segments.clone();
        // A request that is settled after this point was in flight above, so the result is the
        // same.
        drop(inner);
        let ended = match recent {
            None if !is_in_flight => find(&segments, entry)?,
            ended => ended,
        };
        if is_in_flight || ended.is_some_and(|ended| self.is_completed(ended)) {
            let earlier = self.completed_earlier(entry)?;
            let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
            match earlier {
                Some(kind) => {
                    skipped.completed += 1;
                    skipped.failed += u64::from(kind == CompletionKind::Failed);
                }
                None => skipped.duplicates += 1,
            }
            return Ok(false);
        }
        let mut inner = self.lock();
        inner.claimed.insert(tag, entry);
        inner.in_flight.insert(entry);
        Ok(true)
    }

    /// How an earlier run completed the request; `None` if it did not, or the request is to be repeated.
    fn completed_earlier(&self, entry: StateEntry) -> io::Result<Option<CompletionKind>> {
        let (recent, segments) = &self.earlier;
        let ended = match recent.get(&entry) {
            Some(ended) => Some(*ended),
            None => find(segments, entry)?,
        };
        let completed = ended.filter(|ended| self.is_completed(*ended));
        Ok(completed.map(StateEntry::kind))
    }

    fn is_completed(&self, ended: StateEntry) -> bool {
        let again = self.retry_round.is_some_and(|round| ended.round() != round);
        !(again && ended.kind() == CompletionKind::Failed)
    }

    /// The entries that these requests were claimed for, with their results.
    pub(crate) fn resolve(
        &self,
        completed: &[CompletedRequest],
        round: RetryRound,
    ) -> Vec<StateEntry> {
        let mut inner = self.lock();
        let ended = completed.iter().map(|completed| {
            let entry = inner.claimed.remove(&completed.tag)?;
            Some(entry.with_result(completed.kind, round))
        });
        ended.flatten().collect()
    }

    /// The digest under which a request was claimed, if it is not completed: 14 bytes of it.
    pub(crate) fn claimed_digest(&self, tag: u64) -> Option<u128> {
        self.lock().claimed.get(&tag).map(|entry| entry.digest())
    }

    /// How a request ended; `None` if it is not completed.
    ///
    /// # Errors
    ///
    /// If a segment cannot be read, or is damaged.
    pub fn find_result(&self, digest: [u8; 16]) -> io::Result<Option<CompletionKind>> {
        let entry = StateEntry::of(digest);
        let inner = self.lock();
        let (recent, segments) = (inner.recent.get(&entry).copied(), inner.segments.clone());
        drop(inner);
        let ended = match recent {
            None => find(&segments, entry)?,
            ended => ended,
        };
        Ok(ended.map(StateEntry::kind))
    }

    /// Adds durable entries; returns the number of entries in the journal.
    pub(crate) fn settle(&self, ended: &[StateEntry]) -> usize {
        let mut inner = self.lock();
        for entry in ended {
            inner.in_flight.remove(entry);
            inner.recent.replace(*entry);
        }
        inner.recent.len()
    }

    /// The entries of the journal, sorted.
    pub(crate) fn sorted(&self) -> Vec<StateEntry> {
        let mut entries: Vec<_> = self.lock().recent.iter().copied().collect();
        entries.sort_unstable_by_key(|entry| entry.digest());
        entries
    }

    pub(crate) fn segments(&self) -> Arc<[Arc<Segment>]> {
        self.lock().segments.clone()
    }

    /// Replaces the segments. `sealed`: one of them has the journal's entries.
    pub(crate) fn replace_segments(&self, segments: Vec<Arc<Segment>>, sealed: bool) {
        let mut inner = self.lock();
        inner.segments = segments.into();
        if sealed {
            inner.recent.clear();
        }
    }

    /// The claims that were refused in this run.
    pub fn skipped(&self) -> SkippedClaims {
        *self.skipped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks that the run has reached the end of its lists.
    /// [`StateWriter::finish`](crate::StateWriter::finish) records it, and the next run with
    /// [`StateOptions::retry_failed`](crate::StateOptions) starts a new round.
    pub fn set_complete(&self) {
        self.complete.store(true, Relaxed);
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, LedgerInner> {
        // The data is consistent at every statement that may panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(segments: &[Arc<Segment>], entry: StateEntry) -> io::Result<Option<StateEntry>> {
    for segment in segments.iter().rev() {
        if let Some(found) = segment.find(entry)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
