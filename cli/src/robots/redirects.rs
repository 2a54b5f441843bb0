//! robots.txt for the targets of redirects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use fetch_driver::{RedirectCheck, RedirectVerdict};
use fetch_proto::url_origin;
use fetch_smol::Fetcher;
use smol::lock::OnceCell;
use url::Url;

use super::cache::{RobotsCache, SharedCache};
use super::file::RobotsFile;
use crate::mutex::lock;

/// Asks the robots.txt of each site to which a redirect leads.
pub(crate) struct RobotsRedirects {
    agent: String,
    cache: SharedCache,
    /// The sites whose files are being fetched.
    fetching: Arc<Mutex<HashMap<String, Arc<OnceCell<()>>>>>,
    /// Not the fetcher of the run: all of whose requests may wait for these files.
    fetcher: Fetcher,
}

impl RobotsRedirects {
    pub(crate) fn new(agent: String, cache: SharedCache, fetcher: Fetcher) -> Self {
        Self {
            agent,
            cache,
            fetching: Arc::default(),
            fetcher,
        }
    }
}

impl RedirectCheck for RobotsRedirects {
    fn check(&self, url: &Url) -> RedirectVerdict {
        let site = url_origin(url).into_owned();
        let (agent, fetcher, url) = (self.agent.clone(), self.fetcher.clone(), url.clone());
        let (cache, fetching) = (self.cache.clone(), self.fetching.clone());
        Box::pin(async move {
            if let Some(verdict) = known(&cache, &site, &url) {
                return verdict;
            }
            let cell = lock(&fetching).entry(site.clone()).or_default().clone();
            let fetch = async {
                let file = RobotsFile::fetch(&fetcher, &site, &agent).await;
                lock(&cache).insert(site.clone(), file);
                lock(&fetching).remove(&site);
            };
            cell.get_or_init(|| fetch).await;
            let evicted = || Err(format!("robots.txt of {site} is not in memory any more"));
            known(&cache, &site, &url).unwrap_or_else(evicted)
        })
    }
}

/// The answer of the site's robots.txt, if the file is known.
fn known(cache: &Mutex<RobotsCache>, site: &str, url: &Url) -> Option<Result<(), String>> {
    let cache = lock(cache);
    let refusal = cache.get(site)?.redirect_refusal(url);
    Some(refusal.map_or(Ok(()), Err))
}
