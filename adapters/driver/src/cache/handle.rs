//! A cache with its settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fetch_proto::cache::{CacheMode, CacheResult, CacheRules};
use url::Url;

use super::key::url_key;
use super::memory::MemoryStore;
use super::store::{CacheStore, CacheUsage, StoreAnswer};

/// A cache of responses, as RFC 9111 describes it: see [`Builder::cache`](crate::Builder::cache). Clones
/// share what is stored, and so do all fetchers with a clone.
///
/// ```
/// use std::time::Duration;
/// use fetch_driver::{Cache, cache::CacheRules};
///
/// let rules = CacheRules::default().stale_if_error(Duration::from_secs(3600));
/// let cache = Cache::memory(256 * 1024 * 1024).rules(rules);
/// let fetcher = fetch_smol::Fetcher::builder().cache(cache.clone()).build()?;
/// assert_eq!(cache.stats().hits, 0);
/// # Ok::<(), fetch_driver::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cache {
    keep: Duration,
    lookup_limit: Duration,
    max_body: u64,
    mode: CacheMode,
    rules: Arc<CacheRules>,
    shared: Arc<CacheShared>,
}

#[derive(Debug)]
struct CacheShared {
    counts: [AtomicU64; 5],
    errors: AtomicU64,
    store: Box<dyn CacheStore>,
}

/// How often a cache was used, and how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Requests that the cache did not concern.
    pub bypasses: u64,
    /// Fresh responses from the cache.
    pub hits: u64,
    /// Requests without a usable response in the cache.
    pub misses: u64,
    /// Stored responses that the server confirmed.
    pub revalidated: u64,
    /// Stale responses from the cache.
    pub stale: u64,
    /// How often the store failed.
    pub store_errors: u64,
}

impl Cache {
    /// The largest body that is stored by default: 64 MiB.
    pub const DEFAULT_MAX_BODY: u64 = 64 * 1024 * 1024;

    /// How long a lookup may take by default: 500 ms.
    pub const DEFAULT_LOOKUP_LIMIT: Duration = Duration::from_millis(500);

    /// A cache over this store.
    ///
    /// ```
    /// use fetch_driver::{Cache, MemoryStore};
    /// let cache = Cache::new(MemoryStore::new(1024 * 1024));
    /// ```
    #[must_use]
    pub fn new(store: impl CacheStore) -> Self {
        Self {
            keep: Duration::from_secs(30 * 24 * 3600),
            lookup_limit: Self::DEFAULT_LOOKUP_LIMIT,
            max_body: Self::DEFAULT_MAX_BODY,
            mode: CacheMode::Default,
            rules: Arc::default(),
            shared: Arc::new(CacheShared {
                counts: Default::default(),
                errors: AtomicU64::new(0),
                store: Box::new(store),
            }),
        }
    }

    /// A cache in memory of at most so many bytes.
    ///
    /// ```
    /// let cache = fetch_driver::Cache::memory(64 * 1024 * 1024);
    /// ```
    #[must_use]
    pub fn memory(bytes: usize) -> Self {
        Self::new(MemoryStore::new(bytes))
    }

    /// Sets how responses are stored and reused. Default: as the standards say, for one user.
    ///
    /// ```
    /// use fetch_driver::{Cache, cache::{CacheRules, CacheScope}};
    /// let cache = Cache::memory(1 << 20).rules(CacheRules::default().scope(CacheScope::Shared));
    /// ```
    #[must_use]
    pub fn rules(mut self, rules: CacheRules) -> Self {
        self.rules = Arc::new(rules);
        self
    }

    /// Sets how requests use it that do not say so [themselves](crate::Request::cache_mode). Default:
    /// [`CacheMode::Default`].
    ///
    /// ```
    /// use fetch_driver::{Cache, cache::CacheMode};
    /// let cache = Cache::memory(1 << 20).mode(CacheMode::ForceCache);
    /// ```
    #[must_use]
    pub fn mode(mut self, mode: CacheMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the largest body, decoded, that is stored, in bytes. Default:
    /// [`DEFAULT_MAX_BODY`](Self::DEFAULT_MAX_BODY). A body is held in memory until it is complete.
    ///
    /// ```
    /// let cache = fetch_driver::Cache::memory(1 << 20).max_body(100_000);
    /// ```
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long a store that forgets by time keeps responses that can be validated, after their end of
    /// life. Default: 30 days. A store in memory keeps what it has room for.
    ///
    /// ```
    /// use std::time::Duration;
    /// let cache = fetch_driver::Cache::memory(1 << 20).keep(Duration::from_secs(3600));
    /// ```
    #[must_use]
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// Sets how long a lookup in a store that is not in memory may take. Later answers count as misses.
    /// Default: [`DEFAULT_LOOKUP_LIMIT`](Self::DEFAULT_LOOKUP_LIMIT).
    ///
    /// ```
    /// use std::time::Duration;
    /// let cache = fetch_driver::Cache::memory(1 << 20).lookup_limit(Duration::from_millis(50));
    /// ```
    #[must_use]
    pub fn lookup_limit(mut self, limit: Duration) -> Self {
        self.lookup_limit = limit;
        self
    }

    /// How often it was used.
    ///
    /// ```
    /// assert_eq!(fetch_driver::Cache::memory(1 << 20).stats().misses, 0);
    /// ```
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let count =
            |result: CacheResult| self.shared.counts[result as usize].load(Ordering::Relaxed);
        CacheStats {
            bypasses: count(CacheResult::Bypass),
            hits: count(CacheResult::Hit),
            misses: count(CacheResult::Miss),
            revalidated: count(CacheResult::Revalidated),
            stale: count(CacheResult::Stale),
            store_errors: self.shared.errors.load(Ordering::Relaxed),
        }
    }

    /// Completes once everything is written that was stored so far. Call it before the program ends, unless
    /// the store is in memory.
    ///
    /// ```
    /// let cache = fetch_driver::Cache::memory(1 << 20);
    /// smol::block_on(cache.flush());
    /// ```
    pub async fn flush(&self) {
        if let StoreAnswer::Pending(flushed) = self.shared.store.flush()
            && flushed.await.is_err()
        {
            self.count_error();
        }
    }

    /// Removes what is stored for this URL, for all identities: for instance because a body turned out to
    /// be wrong.
    ///
    /// ```
    /// let cache = fetch_driver::Cache::memory(1 << 20);
    /// smol::block_on(cache.remove(&"http://a.test/".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn remove(&self, url: &Url) {
        if let StoreAnswer::Pending(removed) = self.shared.store.remove(&url_key(url, None))
            && removed.await.is_err()
        {
            self.count_error();
        }
    }

    /// How much is stored.
    ///
    /// ```
    /// assert_eq!(fetch_driver::Cache::memory(1 << 20).usage().bytes, 0);
    /// ```
    #[must_use]
    pub fn usage(&self) -> CacheUsage {
        self.shared.store.usage()
    }

    pub(crate) fn store(&self) -> &dyn CacheStore {
        &*self.shared.store
    }

    pub(crate) fn core_rules(&self) -> &CacheRules {
        &self.rules
    }

    pub(crate) fn default_mode(&self) -> CacheMode {
        self.mode
    }

    pub(crate) fn body_limit(&self) -> u64 {
        self.max_body
    }

    pub(crate) fn longest_lookup(&self) -> Duration {
        self.lookup_limit
    }

    pub(crate) fn keep_time(&self) -> Duration {
        self.keep
    }

    pub(crate) fn count(&self, result: CacheResult) {
        self.shared.counts[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_error(&self) {
        self.shared.errors.fetch_add(1, Ordering::Relaxed);
    }
}
