//! A store in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lru::LruCache;

use super::key::CacheKey;
use super::store::{CacheStore, CacheUsage, StoreAnswer};
use super::stored::StoredResponse;
use crate::lock::lock;

/// At most so many responses are stored under one key; the oldest is replaced.
pub(crate) const MAX_VARIANTS: usize = 32;

/// A store in memory, bounded by bytes: what was used least recently makes room. A hit copies no body.
///
/// ```
/// use fetch_driver::{Cache, MemoryStore};
/// let cache = Cache::new(MemoryStore::new(64 * 1024 * 1024));
/// assert_eq!(cache.usage().responses, 0);
/// ```
#[derive(Debug)]
pub struct MemoryStore(Mutex<MemoryState>);

#[derive(Debug)]
struct MemoryState {
    entries: LruCache<CacheKey, Vec<Arc<StoredResponse>>>,
    /// The keys of each URL, to remove what is stored for it.
    keys: HashMap<Arc<str>, Vec<CacheKey>>,
    limit: usize,
    usage: CacheUsage,
    used: usize,
}

impl MemoryStore {
    /// A store of at most so many bytes, bookkeeping included.
    ///
    /// ```
    /// let store = fetch_driver::MemoryStore::new(1024 * 1024);
    /// ```
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Mutex::new(MemoryState {
            entries: LruCache::unbounded(),
            keys: HashMap::new(),
            limit: bytes,
            usage: CacheUsage::default(),
            used: 0,
        }))
    }
}

fn size(key: &CacheKey, response: &StoredResponse) -> usize {
    2 * key.url().len() + key.identity().len() + response.memory()
}

impl MemoryState {
    fn put(&mut self, key: &CacheKey, response: Arc<StoredResponse>) {
        let added = size(key, &response);
        self.remove_variant(key, &response);
        if added > self.limit {
            return;
        }
        while self.used + added > self.limit {
            let Some((oldest, dropped)) = self.entries.pop_lru() else {
                break;
            };
            self.forget(&oldest, &dropped);
            self.usage.evicted += dropped.len() as u64;
        }
        self.used += added;
        self.usage.responses += 1;
        if let Some(variants) = self.entries.get_mut(key) {
            variants.push(response);
        } else {
            let keys = self.keys.entry(key.url().into()).or_default();
            keys.push(key.clone());
            self.entries.put(key.clone(), vec![response]);
        }
    }

    /// Removes what the response replaces: the same variant, and the oldest one if there are too many.
    fn remove_variant(&mut self, key: &CacheKey, response: &StoredResponse) {
        let Some(variants) = self.entries.peek_mut(key) else {
            return;
        };
        let is_same = |stored: &Arc<StoredResponse>| stored.head.is_same_variant(&response.head);
        let same = variants.iter().position(is_same);
        let replaced = same.or_else(|| (variants.len() >= MAX_VARIANTS).then_some(0));
        if let Some(index) = replaced {
            let removed = variants.remove(index);
            self.used -= size(key, &removed);
            self.usage.responses -= 1;
        }
    }

    /// Forgets a key whose responses were taken out.
    fn forget(&mut self, key: &CacheKey, dropped: &[Arc<StoredResponse>]) {
        self.used -= dropped.iter().map(|one| size(key, one)).sum::<usize>();
        self.usage.responses -= dropped.len() as u64;
        if let Some(keys) = self.keys.get_mut(key.url()) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.keys.remove(key.url());
            }
        }
    }
}

impl CacheStore for MemoryStore {
    fn look(&self, key: &CacheKey) -> StoreAnswer<Vec<Arc<StoredResponse>>> {
        let mut state = lock(&self.0);
        StoreAnswer::Ready(state.entries.get(key).cloned().unwrap_or_default())
    }

    fn put(&self, key: &CacheKey, response: Arc<StoredResponse>, _: Duration) -> StoreAnswer<()> {
        lock(&self.0).put(key, response);
        StoreAnswer::Ready(())
    }

    fn remove(&self, url: &str) -> StoreAnswer<()> {
        let mut state = lock(&self.0);
        for key in state.keys.get(url).cloned().unwrap_or_default() {
            if let Some(dropped) = state.entries.pop(&key) {
                state.forget(&key, &dropped);
            }
        }
        StoreAnswer::Ready(())
    }

    fn usage(&self) -> CacheUsage {
        let state = lock(&self.0);
        CacheUsage {
            bytes: state.used as u64,
            ..state.usage
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fetch_proto::Method;
    use fetch_proto::cache::{
        CacheMode, CacheRequest, CacheResponse, CacheRules, WallTime, judge_store,
    };
    use http::{HeaderMap, Version};

    use super::*;

    fn key(url: &str, identity: &str) -> CacheKey {
        let url = format!("http://a.test{url}").parse().unwrap();
        CacheKey::new(&url, None, identity.as_bytes().into())
    }

    /// A response of this size to a request with this value of `x`, on which it depends.
    fn response(x: &str, len: usize) -> Arc<StoredResponse> {
        let (asked, fields) = ([("x", x)], [("cache-control", "max-age=9"), ("vary", "x")]);
        let request = CacheRequest {
            fields: &asked,
            method: &Method::Get,
            mode: CacheMode::Default,
        };
        let response = CacheResponse {
            fields: &fields,
            requested: WallTime::default(),
            received: WallTime::default(),
            status: 200,
        };
        Arc::new(StoredResponse {
            body: Bytes::from(vec![b'x'; len]),
            coded_headers: None,
            head: judge_store(request, response, &CacheRules::default()).unwrap(),
            headers: HeaderMap::new(),
            version: Version::HTTP_11,
        })
    }

    fn look(store: &MemoryStore, key: &CacheKey) -> Vec<usize> {
        match store.look(key) {
            StoreAnswer::Ready(found) => found.iter().map(|one| one.body.len()).collect(),
            StoreAnswer::Pending(_) => panic!("not from memory"),
        }
    }

    fn put(store: &MemoryStore, key: &CacheKey, x: &str, len: usize) {
        let _ = store.put(key, response(x, len), Duration::MAX);
    }

    #[test]
    fn a_variant_is_replaced_and_others_stay() {
        let store = MemoryStore::new(1 << 20);
        let key = key("/", "");
        for (x, len) in [("1", 1), ("2", 2), ("1", 3)] {
            put(&store, &key, x, len);
        }
        assert_eq!(look(&store, &key), [2, 3]);
        assert_eq!(store.usage().responses, 2);
        for x in 0..100 {
            put(&store, &key, &x.to_string(), 1);
        }
        assert_eq!(look(&store, &key).len(), MAX_VARIANTS);
        assert_eq!(store.usage().responses, MAX_VARIANTS as u64);
    }

    #[test]
    fn what_was_used_least_recently_makes_room() {
        let store = MemoryStore::new(4 * 2_000);
        let urls = ["/1", "/2", "/3", "/4"];
        for url in &urls[..3] {
            put(&store, &key(url, ""), "", 1_200);
        }
        assert_eq!(look(&store, &key("/1", "")), [1_200]);
        for url in &urls[3..] {
            put(&store, &key(url, ""), "", 2_400);
        }
        assert!(store.usage().bytes <= 8_000 && store.usage().evicted > 0);
        assert_eq!(look(&store, &key("/1", "")), [1_200]);
        assert!(look(&store, &key("/2", "")).is_empty());
        // Larger than the whole store: it replaces what was there by nothing.
        put(&store, &key("/1", ""), "", 10_000);
        assert!(look(&store, &key("/1", "")).is_empty());
    }

    #[test]
    fn a_url_is_removed_for_all_identities_and_found_for_one() {
        let store = MemoryStore::new(1 << 20);
        for (url, identity) in [("/", ""), ("/", "a"), ("/", "b"), ("/x", "a")] {
            put(&store, &key(url, identity), "", identity.len() + 1);
        }
        assert_eq!(look(&store, &key("/", "a")), [2]);
        assert!(look(&store, &key("/x", "b")).is_empty());
        let _ = store.remove("http://a.test/");
        assert!(
            ["", "a", "b"]
                .iter()
                .all(|identity| look(&store, &key("/", identity)).is_empty())
        );
        assert_eq!(look(&store, &key("/x", "a")), [2]);
        let _ = store.remove("http://a.test/x");
        assert_eq!(store.usage(), CacheUsage::default());
    }

    #[test]
    fn a_hit_shares_the_body() {
        let store = MemoryStore::new(1 << 20);
        let stored = response("", 100);
        let _ = store.put(&key("/", ""), stored.clone(), Duration::MAX);
        let StoreAnswer::Ready(found) = store.look(&key("/", "")) else {
            panic!("not from memory");
        };
        assert!(Arc::ptr_eq(&found[0], &stored));
    }

    #[test]
    fn the_size_of_many_responses_is_never_exceeded() {
        let store = MemoryStore::new(50_000);
        for n in 0..500_usize {
            put(
                &store,
                &key(&format!("/{}", n % 60), &"i".repeat(n % 3)),
                &(n % 2).to_string(),
                n * 7 % 3_000,
            );
            assert!(store.usage().bytes <= 50_000);
        }
    }
}
