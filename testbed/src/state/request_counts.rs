//! Counts requests by a key, for endpoints that fail the first requests only.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use super::lru_map::LruMap;
use crate::lock::lock;

const MAX_KEYS: usize = 1 << 18;

/// Number of requests per key, for the 262,144 most recently used keys.
#[derive(Debug)]
pub(crate) struct RequestCounts(Mutex<LruMap<u64, u64>>);

impl RequestCounts {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruMap::new(MAX_KEYS)))
    }

    /// Counts a request for a key. Returns the number of requests before it.
    pub(crate) fn count(&self, key: impl Hash) -> u64 {
        // Storing a hash bounds the memory for keys of any length.
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let mut seen = lock(&self.0);
        let count = seen.get_or_insert(hasher.finish(), || 0);
        *count += 1;
        *count - 1
    }
}
