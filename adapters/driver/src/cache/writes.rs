//! Responses that are being written.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::cache::key::CacheKey;
use crate::cache::stored::StoredResponse;
use crate::lock::lock;

/// No more responses are written at once: a store that is slower than the network costs hits, not memory.
const MAX_WRITES: usize = 256;

/// Responses that are being written. Until then they are served from here.
#[derive(Default)]
pub(crate) struct PendingWrites {
    ended: Condvar,
    state: Mutex<WriteState>,
}

#[derive(Default)]
struct WriteState {
    count: usize,
    dropped: u64,
    failed: u64,
    /// The latest response of each key, as long as it is wanted.
    latest: HashMap<CacheKey, Arc<StoredResponse>>,
    /// URLs that are being removed, and how often.
    #[cfg(feature = "cache-disk")]
    removals: HashMap<String, usize>,
}

impl PendingWrites {
    /// The response of this key that is being written.
    pub(crate) fn get(&self, key: &CacheKey) -> Option<Arc<StoredResponse>> {
        lock(&self.state).latest.get(key).cloned()
    }

    /// Begins a write. Returns false if there are too many.
    pub(crate) fn begin(&self, key: &CacheKey, response: &Arc<StoredResponse>) -> bool {
        let mut state = lock(&self.state);
        if state.count >= MAX_WRITES {
            state.dropped += 1;
            return false;
        }
        state.count += 1;
        state.latest.insert(key.clone(), response.clone());
        true
    }

    /// Ends a write. Returns false if the response was removed meanwhile.
    pub(crate) fn end(&self, key: &CacheKey, response: &Arc<StoredResponse>, failed: bool) -> bool {
        let mut state = lock(&self.state);
        state.count -= 1;
        state.failed += u64::from(failed);
        let latest = state.latest.get(key);
        let is_wanted = latest.is_some();
        if latest.is_some_and(|latest| Arc::ptr_eq(latest, response)) {
            state.latest.remove(key);
        }
        self.ended.notify_all();
        is_wanted
    }

    /// Begins the removal of a URL. Until it has ended, nothing of it may be read.
    #[cfg(feature = "cache-disk")]
    pub(crate) fn begin_removal(&self, url: &str) {
        *lock(&self.state).removals.entry(url.into()).or_default() += 1;
    }

    #[cfg(feature = "cache-disk")]
    pub(crate) fn end_removal(&self, url: &str) {
        let mut state = lock(&self.state);
        if let Some(count) = state.removals.get_mut(url) {
            *count -= 1;
            if *count == 0 {
                state.removals.remove(url);
            }
        }
    }

    #[cfg(feature = "cache-disk")]
    pub(crate) fn is_removing(&self, url: &str) -> bool {
        lock(&self.state).removals.contains_key(url)
    }

    /// Notes that nothing of this URL is wanted any more.
    pub(crate) fn cancel(&self, url: &str) {
        lock(&self.state).latest.retain(|key, _| key.url() != url);
    }

    /// How many writes were refused.
    pub(crate) fn dropped(&self) -> u64 {
        lock(&self.state).dropped
    }

    /// How many writes failed.
    pub(crate) fn failed(&self) -> u64 {
        lock(&self.state).failed
    }

    /// Blocks until nothing is written.
    pub(crate) fn wait(&self) {
        let state = lock(&self.state);
        let waited = self.ended.wait_while(state, |state| state.count > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
