//! A store in Redis.

mod link;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::link::RedisLink;
use super::breaker::StoreBreaker;
use super::key::CacheKey;
use super::store::{CacheStore, CacheStoreError, CacheUsage, StoreAnswer};
use super::stored::StoredResponse;
use super::writes::PendingWrites;

/// A store in Redis, or a server that speaks its protocol, for several machines.
///
/// A lookup is one command, and lookups at the same time share one connection. The responses of a URL to
/// one identity are a hash under `PREFIX:{HASH}:IDENTITY`, with a field for each variant; a set under `PREFIX:{HASH}` names
/// them. Redis removes them when they are of no use any more, and earlier by its own `maxmemory-policy`.
/// Names are keyed hashes; the key is made by the first user and is in `PREFIX:secret`. Every value has its
/// URL in full and digests of its head and its body; what is damaged or of another URL is removed and
/// counts as a miss. Bodies are not encrypted, so whoever may read the database may read them.
///
/// While the server is down or slow, lookups are misses. After 3 failures it is not asked for 1 s to 30 s. A removal that fails
/// is done again before the URL is looked up again. The store works on every runtime: its
/// connection belongs to the executor of `smol`.
#[derive(Clone)]
pub struct RedisStore {
    breaker: Arc<StoreBreaker>,
    link: Arc<RedisLink>,
    writes: Arc<PendingWrites>,
}

impl RedisStore {
    /// How long a command may take by default: 250 ms.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);

    /// Responses that are larger, with their head, are not stored: 16 MiB.
    pub const MAX_RESPONSE: usize = 16 * 1024 * 1024;

    /// A store on the server with this URL: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` or
    /// `redis+unix:///PATH`. The connection is made when it is needed.
    ///
    /// # Errors
    ///
    /// If the URL is not valid.
    ///
    /// ```
    /// use fetch_driver::{Cache, LayeredStore, MemoryStore, RedisStore};
    /// let redis = RedisStore::new("redis://127.0.0.1:6379")?;
    /// let cache = Cache::new(LayeredStore::new(MemoryStore::new(64 << 20), redis));
    /// # Ok::<(), fetch_driver::CacheStoreError>(())
    /// ```
    pub fn new(url: &str) -> Result<Self, CacheStoreError> {
        Ok(Self {
            breaker: Arc::default(),
            link: Arc::new(RedisLink::new(url)?),
            writes: Arc::default(),
        })
    }

    /// Sets how long a command, and the connection for it, may take. Default:
    /// [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT).
    ///
    /// ```
    /// use std::time::Duration;
    /// use fetch_driver::RedisStore;
    /// let store = RedisStore::new("redis://cache.test")?.timeout(Duration::from_millis(50));
    /// # Ok::<(), fetch_driver::CacheStoreError>(())
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.link = Arc::new(self.link.with_timeout(timeout));
        self
    }

    /// Sets what all its names in the database begin with. Default: `fetch-all`.
    ///
    /// ```
    /// let store = fetch_driver::RedisStore::new("redis://cache.test")?.prefix("pages");
    /// # Ok::<(), fetch_driver::CacheStoreError>(())
    /// ```
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.link = Arc::new(self.link.with_prefix(prefix));
        self
    }

    /// Runs it on the executor of `smol`, to which the connection belongs.
    fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, CacheStoreError>> + Send + 'static,
    ) -> StoreAnswer<T> {
        StoreAnswer::Pending(self.breaker.watch(Box::pin(smol::spawn(work))))
    }
}

impl CacheStore for RedisStore {
    fn look(&self, key: &CacheKey) -> StoreAnswer<Vec<Arc<StoredResponse>>> {
        if let Some(response) = self.writes.get(key) {
            return StoreAnswer::Ready(vec![response]);
        }
        if !self.breaker.allows(Instant::now()) {
            return StoreAnswer::Ready(Vec::new());
        }
        let (link, key) = (self.link.clone(), key.clone());
        self.run(async move { link.read(&key).await })
    }

    fn put(
        &self,
        key: &CacheKey,
        response: Arc<StoredResponse>,
        keep: Duration,
    ) -> StoreAnswer<()> {
        if !self.breaker.allows(Instant::now()) || !self.writes.begin(key, &response) {
            return StoreAnswer::Ready(());
        }
        let (link, writes, key) = (self.link.clone(), self.writes.clone(), key.clone());
        let breaker = self.breaker.clone();
        // Detached, so that it also ends if the fetcher does.
        smol::spawn(async move {
            let written = link.write(&key, &response, keep).await;
            breaker.report(written.is_ok(), Instant::now());
            let is_wanted = writes.end(&key, &response, written.is_err());
            if !is_wanted {
                let _ = link.remove(key.url()).await;
            }
        })
        .detach();
        StoreAnswer::Ready(())
    }

    fn remove(&self, url: &str) -> StoreAnswer<()> {
        self.writes.cancel(url);
        self.link.note_unremoved(url);
        if !self.breaker.allows(Instant::now()) {
            return StoreAnswer::Ready(());
        }
        let (link, url) = (self.link.clone(), url.to_owned());
        self.run(async move { link.remove(&url).await })
    }

    fn flush(&self) -> StoreAnswer<()> {
        let (writes, link) = (self.writes.clone(), self.link.clone());
        StoreAnswer::Pending(Box::pin(async move {
            smol::unblock(move || writes.wait()).await;
            smol::spawn(async move { link.remove_unremoved().await }).await
        }))
    }

    fn usage(&self) -> CacheUsage {
        CacheUsage {
            dropped_writes: self.writes.dropped(),
            failed_writes: self.writes.failed(),
            skipped: self.breaker.skipped(),
            ..CacheUsage::default()
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.link.address())
            .finish_non_exhaustive()
    }
}
