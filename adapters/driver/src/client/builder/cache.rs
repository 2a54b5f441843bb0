//! Settings of the builder: the cache.

use super::Builder;
use crate::cache::handle::Cache;
use crate::settings::adapter::Adapter;

impl<A: Adapter> Builder<A> {
    /// Stores responses and reuses them, as RFC 9111 says: see [`Cache`]. Default: no cache.
    ///
    /// A request is looked up before it waits for anything, so a response from the cache takes no slot, no
    /// part of a rate, and no attempt. Stale responses are validated, or fetched again. Identical GETs
    /// that are not stored wait for the first one's head, and, if that can be stored, for its response.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let url = site.url("/get");
    /// let cache = fetch_driver::Cache::memory(64 * 1024 * 1024);
    /// let fetcher = fetch_smol::Fetcher::builder().cache(cache.clone()).build()?;
    /// let response = smol::block_on(fetcher.get(&url))?;
    /// let status = response.cache_status().unwrap().to_string();
    /// assert!(status.starts_with("fetch-all; fwd=uri-miss; fwd-status=200"), "{status}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cache(mut self, cache: Cache) -> Self {
        self.settings.cache = Some(cache);
        self
    }
}
