//! Where responses are stored.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::key::CacheKey;
use super::stored::StoredResponse;

/// Where responses are stored. All drivers of all fetchers that use a [`Cache`](crate::Cache) share one
/// store.
///
/// A store may forget anything at any time, and it never fails a fetch: what it cannot do is a miss. It
/// must never return a response under another key, nor a body that is not exactly the one it was given.
pub trait CacheStore: fmt::Debug + Send + Sync + 'static {
    /// The responses that are stored under this key, at most one for each variant.
    fn look(&self, key: &CacheKey) -> StoreAnswer<Vec<Arc<StoredResponse>>>;

    /// Stores a response, which replaces the [same variant](fetch_proto::cache::StoredHead::is_same_variant).
    /// It is of no use after `keep`.
    fn put(&self, key: &CacheKey, response: Arc<StoredResponse>, keep: Duration)
    -> StoreAnswer<()>;

    /// Removes all responses of this URL (see [`CacheKey::url`]), whoever's they are.
    fn remove(&self, url: &str) -> StoreAnswer<()>;

    /// Completes once everything is written that was given to [`put`](Self::put). Default: at once.
    fn flush(&self) -> StoreAnswer<()> {
        StoreAnswer::Ready(())
    }

    /// How much is stored.
    fn usage(&self) -> CacheUsage {
        CacheUsage::default()
    }
}

/// How much a store holds, as far as it knows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CacheUsage {
    /// The size of what is stored, in bytes.
    pub bytes: u64,
    /// How many responses were removed because there was no room.
    pub evicted: u64,
    /// How many responses were not written, because the store is slower than the network.
    pub dropped_writes: u64,
    /// How many responses could not be written.
    pub failed_writes: u64,
    /// How many responses are stored.
    pub responses: u64,
    /// How often the store was not asked, because it had failed shortly before.
    pub skipped: u64,
}

/// The answer of a store: at once, from memory, or later.
pub enum StoreAnswer<T> {
    /// It is known.
    Ready(T),
    /// It is read from elsewhere. Dropping it forgets the question.
    Pending(StoreFuture<T>),
}

/// An answer to come.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, CacheStoreError>> + Send>>;

impl<T: fmt::Debug> fmt::Debug for StoreAnswer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(answer) => f.debug_tuple("Ready").field(answer).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

/// Why a store could not answer.
#[derive(Debug)]
pub struct CacheStoreError(Box<dyn std::error::Error + Send + Sync>);

impl CacheStoreError {
    /// An error with this cause.
    ///
    /// ```
    /// let error = fetch_driver::CacheStoreError::new("the disk is full");
    /// assert_eq!(error.to_string(), "the disk is full");
    /// ```
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for CacheStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for CacheStoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
