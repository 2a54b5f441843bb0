//! State that the list reader shares with the run.

use std::io;
use std::num::NonZeroU64;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::backlog::HostBacklog;
use crate::exit::WorstStatus;

/// Counters and flags that the reader shares with the run.
#[derive(Debug, Default)]
pub(crate) struct SharedProgress {
    /// The URLs that wait per host, if progress or a summary is shown.
    pub(crate) backlog: Option<HostBacklog>,
    /// Whether reading should stop.
    pub(crate) stopped: AtomicBool,
    /// Whether reading has ended.
    pub(crate) finished: AtomicBool,
    /// URLs to fetch that were read so far: without malformed lines, and without duplicates and
    /// other URLs that are not fetched.
    pub(crate) urls: AtomicU64,
    /// Lines that are not URLs.
    pub(crate) malformed: AtomicU64,
    /// Duplicates that were skipped.
    pub(crate) duplicates: AtomicU64,
    /// URLs that robots.txt does not allow.
    pub(crate) disallowed: AtomicU64,
    /// URLs that were not fetched because their files exist.
    pub(crate) skipped: AtomicU64,
    /// Failed fetches and malformed lines.
    failures: AtomicU64,
    /// Whether the limit on failures stopped the run.
    pub(crate) failed_early: AtomicBool,
    pub(crate) exit_status: WorstStatus,
    /// Whether a list could not be read to its end.
    pub(crate) unread: AtomicBool,
    /// Why the state cannot be used any more.
    pub(crate) state_lost: Mutex<Option<io::Error>>,
}

impl SharedProgress {
    pub(crate) fn new(backlog: Option<HostBacklog>) -> Self {
        Self {
            backlog,
            ..Self::default()
        }
    }

    /// Counts a failure. Returns whether the limit is reached.
    pub(crate) fn count_failure(&self, limit: Option<NonZeroU64>) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        limit.is_some_and(|limit| failures >= limit.get())
    }
}
