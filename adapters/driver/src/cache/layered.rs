//! A fast store before a slow one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fetch_proto::cache::WallTime;

use super::key::CacheKey;
use super::store::{CacheStore, CacheUsage, StoreAnswer};
use super::stored::StoredResponse;

/// How long the first store keeps what it gets from the second.
const KEEP: Duration = Duration::from_secs(24 * 3600);

/// Two stores: what is not fresh in the first, usually memory, is looked up in the second, usually Redis
/// or a directory, and then also kept in the first.
///
/// What another process removes from the second store stays in the first until it is stale.
///
/// ```
/// use fetch_driver::{Cache, LayeredStore, MemoryStore};
/// let slow = MemoryStore::new(1 << 30);
/// let cache = Cache::new(LayeredStore::new(MemoryStore::new(1 << 20), slow));
/// assert_eq!(cache.usage().bytes, 0);
/// ```
#[derive(Debug)]
pub struct LayeredStore {
    first: Arc<dyn CacheStore>,
    second: Arc<dyn CacheStore>,
}

type Responses = Vec<Arc<StoredResponse>>;

impl LayeredStore {
    /// A store that asks `first`, then `second`.
    ///
    /// ```
    /// use fetch_driver::{LayeredStore, MemoryStore};
    /// let store = LayeredStore::new(MemoryStore::new(1 << 20), MemoryStore::new(1 << 30));
    /// ```
    #[must_use]
    pub fn new(first: impl CacheStore, second: impl CacheStore) -> Self {
        Self {
            first: Arc::new(first),
            second: Arc::new(second),
        }
    }
}

impl CacheStore for LayeredStore {
    fn look(&self, key: &CacheKey) -> StoreAnswer<Responses> {
        let known = match self.first.look(key) {
            StoreAnswer::Ready(found) if has_fresh(&found) => return StoreAnswer::Ready(found),
            StoreAnswer::Ready(found) => found,
            StoreAnswer::Pending(answer) => {
                let (first, second, key) = (self.first.clone(), self.second.clone(), key.clone());
                return StoreAnswer::Pending(Box::pin(async move {
                    let known = answer.await.unwrap_or_default();
                    if has_fresh(&known) {
                        return Ok(known);
                    }
                    let found = match second.look(&key) {
                        StoreAnswer::Ready(found) => found,
                        StoreAnswer::Pending(answer) => answer.await?,
                    };
                    Ok(merge(&*first, &key, known, found))
                }));
            }
        };
        match self.second.look(key) {
            StoreAnswer::Ready(found) => StoreAnswer::Ready(merge(&*self.first, key, known, found)),
            StoreAnswer::Pending(answer) => {
                let (first, key) = (self.first.clone(), key.clone());
                StoreAnswer::Pending(Box::pin(async move {
                    match answer.await {
                        Ok(found) => Ok(merge(&*first, &key, known, found)),
                        // What is known may still be validated, or replace an error.
                        Err(_) if !known.is_empty() => Ok(known),
                        Err(error) => Err(error),
                    }
                }))
            }
        }
    }

    fn put(
        &self,
        key: &CacheKey,
        response: Arc<StoredResponse>,
        keep: Duration,
    ) -> StoreAnswer<()> {
        let first = self.first.put(key, response.clone(), keep);
        both(first, self.second.put(key, response, keep))
    }

    fn remove(&self, url: &str) -> StoreAnswer<()> {
        both(self.first.remove(url), self.second.remove(url))
    }

    fn flush(&self) -> StoreAnswer<()> {
        both(self.first.flush(), self.second.flush())
    }

    /// The usage of the second store, with the failures of both.
    fn usage(&self) -> CacheUsage {
        let (first, second) = (self.first.usage(), self.second.usage());
        CacheUsage {
            dropped_writes: first.dropped_writes + second.dropped_writes,
            failed_writes: first.failed_writes + second.failed_writes,
            skipped: first.skipped + second.skipped,
            ..second
        }
    }
}

fn has_fresh(found: &[Arc<StoredResponse>]) -> bool {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = WallTime::from_unix(since_1970.unwrap_or_default());
    found.iter().any(|response| response.head.is_fresh(now))
}

/// What both stores have. What only the second has, or has newer, is put into the first.
fn merge(first: &dyn CacheStore, key: &CacheKey, known: Responses, found: Responses) -> Responses {
    let is_newer = |one: &StoredResponse, other: &StoredResponse| {
        one.head.is_same_variant(&other.head) && one.head.received() >= other.head.received()
    };
    let mut merged = known;
    for response in found {
        if merged.iter().any(|known| is_newer(known, &response)) {
            continue;
        }
        merged.retain(|known| !is_newer(&response, known));
        // A store that needs time for this gets it from the next response that is put.
        drop(first.put(key, response.clone(), KEEP));
        merged.push(response);
    }
    merged
}

fn both(first: StoreAnswer<()>, second: StoreAnswer<()>) -> StoreAnswer<()> {
    match (first, second) {
        (StoreAnswer::Ready(()), answer) | (answer, StoreAnswer::Ready(())) => answer,
        (StoreAnswer::Pending(first), StoreAnswer::Pending(second)) => {
            StoreAnswer::Pending(Box::pin(async {
                let first = first.await;
                second.await.and(first)
            }))
        }
    }
}
