//! A store in a directory: one file for each response.

mod files;
pub(crate) mod inspect;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use blocking::unblock;

use self::files::CacheFiles;
use super::breaker::StoreBreaker;
use super::key::CacheKey;
use super::store::{CacheStore, CacheStoreError, CacheUsage, StoreAnswer};
use super::stored::StoredResponse;
use super::writes::PendingWrites;

/// A store in a directory, bounded by bytes: what was used least recently makes room. Several processes may
/// share it.
///
/// Every response is one file, which only its owner can read. It is written aside and then renamed, has a
/// digest of its head and one of its body, and names its URL in full. A file that is damaged, or that is of
/// another URL, is removed and counts as a miss. Credentials are never written: a keyed hash of them is.
///
/// Responses are written in the background: see [`Cache::flush`](crate::Cache::flush). If the disk is slower
/// than the network, some are not stored.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// use fetch_driver::{Cache, DiskStore};
/// let cache = Cache::new(DiskStore::open(directory.path(), 1024 * 1024 * 1024)?);
/// assert_eq!(cache.usage().responses, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct DiskStore {
    breaker: Arc<StoreBreaker>,
    files: Arc<CacheFiles>,
    writes: Arc<PendingWrites>,
}

impl DiskStore {
    /// Opens or creates a store in `directory`, of at most so many bytes.
    ///
    /// # Errors
    ///
    /// If the directory cannot be created, read or written.
    pub fn open(directory: impl AsRef<Path>, bytes: u64) -> io::Result<Self> {
        let directory: PathBuf = directory.as_ref().to_owned();
        Ok(Self {
            breaker: Arc::default(),
            files: Arc::new(CacheFiles::open(directory, bytes)?),
            writes: Arc::default(),
        })
    }
}

impl CacheStore for DiskStore {
    fn look(&self, key: &CacheKey) -> StoreAnswer<Vec<Arc<StoredResponse>>> {
        if let Some(response) = self.writes.get(key) {
            return StoreAnswer::Ready(vec![response]);
        }
        // The files may still be there.
        if self.writes.is_removing(key.url()) || !self.breaker.allows(Instant::now()) {
            return StoreAnswer::Ready(Vec::new());
        }
        let (files, key) = (self.files.clone(), key.clone());
        StoreAnswer::Pending(self.breaker.watch(Box::pin(async move {
            let read = unblock(move || files.read(&key)).await;
            read.map_err(CacheStoreError::new)
        })))
    }

    fn put(&self, key: &CacheKey, response: Arc<StoredResponse>, _: Duration) -> StoreAnswer<()> {
        if self.writes.begin(key, &response) {
            let (files, writes, key) = (self.files.clone(), self.writes.clone(), key.clone());
            // Detached, so that it also ends if the fetcher does.
            unblock(move || {
                // A response that cannot be written is one that is not stored.
                let written = files.write(&key, &response);
                let is_wanted = writes.end(&key, &response, written.is_err());
                if !is_wanted {
                    let _ = files.remove(key.url());
                }
            })
            .detach();
        }
        StoreAnswer::Ready(())
    }

    fn remove(&self, url: &str) -> StoreAnswer<()> {
        self.writes.cancel(url);
        self.writes.begin_removal(url);
        let (files, writes, url) = (self.files.clone(), self.writes.clone(), url.to_owned());
        // It begins now, before any later lookup.
        let removal = unblock(move || {
            let removed = files.remove(&url);
            writes.end_removal(&url);
            removed
        });
        StoreAnswer::Pending(Box::pin(async move {
            removal.await.map_err(CacheStoreError::new)
        }))
    }

    fn flush(&self) -> StoreAnswer<()> {
        let writes = self.writes.clone();
        StoreAnswer::Pending(Box::pin(async move {
            unblock(move || writes.wait()).await;
            Ok(())
        }))
    }

    fn usage(&self) -> CacheUsage {
        CacheUsage {
            dropped_writes: self.writes.dropped(),
            failed_writes: self.writes.failed(),
            skipped: self.breaker.skipped(),
            ..self.files.usage()
        }
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("directory", &self.files.directory())
            .finish_non_exhaustive()
    }
}
