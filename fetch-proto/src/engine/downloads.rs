//! Bodies that are being received.

use alloc::vec::Vec;
use core::time::Duration;

use super::Engine;
use crate::model::download::ActiveDownload;
use crate::model::time::Timestamp;

impl Engine {
    /// The bodies that have been arriving for at least `min_age`, the oldest first. Takes time in
    /// proportion to the number of fetches.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, HeadSummary, Input, Timestamp};
    ///
    /// let now = Timestamp::START;
    /// let mut engine = Engine::new(EngineConfig::default(), 7, now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// let EngineOutput::Start(attempt) = engine.poll(now) else { unreachable!() };
    /// engine.handle(attempt.id, Input::Head(HeadSummary::status(200)), now);
    /// let later = now + Duration::from_secs(4);
    /// engine.handle(attempt.id, Input::Body { bytes: 1000 }, later);
    /// let downloads = engine.downloads(Duration::from_secs(4), later);
    /// assert_eq!((downloads[0].bytes, downloads[0].bytes_per_second), (1000, 250));
    /// assert!(engine.downloads(Duration::from_secs(5), later).is_empty());
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn downloads(&self, min_age: Duration, now: Timestamp) -> Vec<ActiveDownload> {
        let now = self.clock.to_engine(now);
        let indices = self.fetches.indices().into_iter();
        let fetches = indices.filter_map(|index| Some(&self.fetches.get(index)?.fetch));
        let downloads = fetches.filter_map(|fetch| fetch.active_download(now));
        let mut downloads: Vec<_> = downloads
            .filter(|download| now.saturating_since(download.since) >= min_age)
            .map(|download| ActiveDownload {
                since: self.clock.to_driver(download.since),
                ..download
            })
            .collect();
        downloads.sort_by_key(|download| download.since);
        downloads
    }
}
