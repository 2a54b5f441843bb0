//! Requests that wait for the response to an identical request.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use fetch_proto::Timestamp;
use lru::LruCache;

use crate::cache::key::CacheKey;
use crate::driver::fetches::job::FetchJob;

/// For how long nobody waits again for a response that turned out not to be storable.
const REMEMBERED: Duration = Duration::from_secs(120);

/// How many such keys are remembered.
const MAX_REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The keys whose responses are on the way, and who waits for them.
pub(super) struct Flights {
    active: HashMap<CacheKey, Vec<FetchJob>>,
    /// Until when nobody waits for a key.
    unstorable: LruCache<CacheKey, Timestamp>,
}

impl Default for Flights {
    fn default() -> Self {
        Self {
            active: HashMap::new(),
            unstorable: LruCache::new(MAX_REMEMBERED),
        }
    }
}

impl Flights {
    /// Whether a response to this key is on the way.
    pub(super) fn has(&self, key: &CacheKey) -> bool {
        self.active.contains_key(key)
    }

    /// Notes that a response to this key is on the way. Returns false if nobody is to wait for it.
    pub(super) fn begin(&mut self, key: &CacheKey, now: Timestamp) -> bool {
        match self.unstorable.peek(key) {
            Some(until) if now < *until => return false,
            Some(_) => drop(self.unstorable.pop(key)),
            None => {}
        }
        self.active.insert(key.clone(), Vec::new());
        true
    }

    /// Lets a job wait, if a response to this key is on the way; otherwise returns it.
    pub(super) fn join(&mut self, key: &CacheKey, job: FetchJob) -> Option<FetchJob> {
        match self.active.get_mut(key) {
            Some(waiting) => {
                waiting.push(job);
                None
            }
            None => Some(job),
        }
    }

    /// Ends a flight, and returns who waited.
    pub(super) fn end(&mut self, key: &CacheKey) -> Vec<FetchJob> {
        self.active.remove(key).unwrap_or_default()
    }

    /// Those who wait for a key.
    pub(super) fn waiting(&mut self, key: &CacheKey) -> Option<&mut Vec<FetchJob>> {
        self.active.get_mut(key)
    }

    /// Remembers that a response cannot be stored.
    pub(super) fn note_unstorable(&mut self, key: &CacheKey, now: Timestamp) {
        self.unstorable.put(key.clone(), now + REMEMBERED);
    }

    /// Takes out the waiting jobs of a group.
    pub(super) fn take_group(&mut self, group: u64) -> Vec<FetchJob> {
        let mut taken = Vec::new();
        for waiting in self.active.values_mut() {
            taken.extend(waiting.extract_if(.., |job| job.group == group));
        }
        taken
    }

    /// Drops all waiting jobs, which sends their outcomes.
    pub(super) fn clear(&mut self) {
        self.active.values_mut().for_each(Vec::clear);
    }

    /// Whether any job waits.
    pub(super) fn has_waiting(&self) -> bool {
        self.active.values().any(|waiting| !waiting.is_empty())
    }
}
