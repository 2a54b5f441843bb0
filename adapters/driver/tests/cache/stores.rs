//! Stores that are not in memory.

use std::sync::Arc;
use std::time::Duration;

use fetch_driver::{
    Cache, CacheKey, CacheStore, CacheStoreError, MemoryStore, StoreAnswer, StoredResponse,
};

use crate::server::{FRESH, Server, get, request, told};

/// A store that answers later: correctly, or by errors.
#[derive(Debug)]
struct SlowStore {
    fails: bool,
    memory: MemoryStore,
}

impl SlowStore {
    fn later<T: Send + 'static>(&self, answer: StoreAnswer<T>) -> StoreAnswer<T> {
        let fails = self.fails;
        StoreAnswer::Pending(Box::pin(async move {
            futures_lite::future::yield_now().await;
            match answer {
                StoreAnswer::Ready(answer) if !fails => Ok(answer),
                _ => Err(CacheStoreError::new("no store")),
            }
        }))
    }
}

impl CacheStore for SlowStore {
    fn look(&self, key: &CacheKey) -> StoreAnswer<Vec<Arc<StoredResponse>>> {
        self.later(self.memory.look(key))
    }

    fn put(
        &self,
        key: &CacheKey,
        response: Arc<StoredResponse>,
        keep: Duration,
    ) -> StoreAnswer<()> {
        self.later(self.memory.put(key, response, keep))
    }

    fn remove(&self, url: &str) -> StoreAnswer<()> {
        self.later(self.memory.remove(url))
    }
}

#[test]
fn a_store_may_answer_later() {
    let server = Server::fixed(FRESH);
    let store = SlowStore {
        fails: false,
        memory: MemoryStore::new(1 << 20),
    };
    let fetcher = server.fetcher(&Cache::new(store));
    for _ in 0..3 {
        assert_eq!(told(&get(&fetcher, request())).0, "1");
    }
    assert_eq!(server.count(), 1);
}

#[test]
fn a_store_that_fails_costs_hits_and_no_fetch() {
    let server = Server::fixed(FRESH);
    let store = SlowStore {
        fails: true,
        memory: MemoryStore::new(1 << 20),
    };
    let cache = Cache::new(store);
    let fetcher = server.fetcher(&cache);
    for n in 1..=3 {
        assert_eq!(told(&get(&fetcher, request())).0, n.to_string());
    }
    assert!(cache.stats().store_errors >= 3);
}
