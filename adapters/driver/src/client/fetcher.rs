//! The handle to running drivers.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use fetch_proto::{ActiveDownload, EngineSnapshot, EngineStats, HostStats, WaitingHost};
use futures_core::Stream;
use futures_lite::{StreamExt, stream};

use crate::client::drivers::{CancelOnDrop, DriverSet};
use crate::client::fetch_all::FetchAll;
use crate::client::streamed::StreamedResponse;
use crate::driver::command::DriverCommand;
use crate::driver::fetches::job::FetchJob;
use crate::driver::outcomes::queue::outcome_queue;
use crate::driver::outcomes::sender::{OutcomeSender, rejected_outcome};
use crate::model::error::{Error, ErrorKind, SHUT_DOWN};
use crate::model::outcome::Outcome;
use crate::model::request::{IntoRequest, Request};
use crate::model::response::Response;
use crate::settings::build_error::BuildError;
use crate::telemetry::tracing::with_logged_events;

/// Fetches URLs on the runtime of `A`. All fetches share the same limits and connections.
///
/// Cheap to clone. Its driver ends when the last clone and the last stream are dropped.
pub struct Fetcher<A> {
    adapter: PhantomData<fn() -> A>,
    drivers: Arc<DriverSet>,
}

impl<A> Fetcher<A> {
    pub(crate) fn new(drivers: DriverSet) -> Self {
        Self {
            adapter: PhantomData,
            drivers: Arc::new(drivers),
        }
    }

    /// A fetcher that could not be built: every fetch fails with this error.
    pub(crate) fn failing(error: &BuildError) -> Self {
        Self::new(DriverSet::failing(error))
    }

    /// Fetches all `urls` and streams the outcomes in the order in which they end.
    ///
    /// URLs are taken lazily, as far as the window allows. A URL that fails or is invalid has an outcome
    /// like any other: the stream never ends early. Dropping it cancels the rest.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let urls = [site.url("/get"), site.url("/status/404")];
    /// use fetch_smol::StreamExt;
    ///
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// let count = smol::block_on(fetcher.fetch_all(urls).count());
    /// assert_eq!(count, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fetch_all<I>(&self, urls: I) -> FetchAll<stream::Iter<I::IntoIter>>
    where
        I: IntoIterator<Item: IntoRequest>,
    {
        let urls = urls.into_iter();
        let total = match urls.size_hint() {
            (low, Some(high)) if low == high => Some(low as u64),
            _ => None,
        };
        FetchAll::new(self.drivers.clone(), stream::iter(urls), total)
    }

    /// Like [`fetch_all`](Self::fetch_all), for URLs that come as a stream.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let urls = fetch_smol::stream::iter([site.url("/get")]);
    /// use fetch_smol::StreamExt;
    ///
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert_eq!(smol::block_on(fetcher.fetch_stream(urls).count()), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fetch_stream<S>(&self, urls: S) -> FetchAll<S>
    where
        S: Stream<Item: IntoRequest>,
    {
        FetchAll::new(self.drivers.clone(), urls, None)
    }

    /// Fetches one request. Dropping the future cancels it.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let url = site.url("/get");
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// let outcome = smol::block_on(fetcher.fetch(url));
    /// assert!(outcome.is_success(), "{outcome}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn fetch(&self, request: impl IntoRequest) -> Outcome {
        let mut request = match request.into_request() {
            Ok(request) => request,
            Err(error) => {
                let url = error.url().to_owned();
                return rejected_outcome(error, url, 0);
            }
        };
        let (queue, mut receiver) = outcome_queue();
        let sender = OutcomeSender::to_queue(&mut request, queue);
        let mut cancel = self.submit(request, sender);
        // The driver always delivers an outcome, even if it is dropped.
        let delivered = receiver.next().await;
        cancel.disarm();
        delivered.outcome
    }

    /// Fetches one URL, or request, into memory.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let url = site.url("/bytes/5");
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert_eq!(smol::block_on(fetcher.get(url))?.body.len(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no response. A response of any status is `Ok`: see [`Response::status`].
    pub async fn get(&self, request: impl IntoRequest) -> Result<Response, Error> {
        self.fetch(request).await.result
    }

    /// Fetches one request up to the response's head. The body is then read as a stream.
    ///
    /// Failures are retried until the head is received, and not after that. Dropping the future, or the
    /// body, cancels the fetch.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let url = site.url("/bytes/100000");
    /// use fetch_smol::StreamExt;
    ///
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// let bytes = smol::block_on(async {
    ///     let mut response = fetcher.open(url).await?;
    ///     let mut bytes = 0;
    ///     while let Some(chunk) = response.body.next().await {
    ///         bytes += chunk?.len();
    ///     }
    ///     Ok::<_, fetch_driver::Error>(bytes)
    /// })?;
    /// assert_eq!(bytes, 100_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub async fn open(&self, request: impl IntoRequest) -> Result<StreamedResponse, Error> {
        let mut request = request.into_request()?;
        let (sender, receiver) = async_channel::bounded(1);
        let url = request.text.clone();
        let sender = OutcomeSender::to_stream(&mut request, sender);
        let mut cancel = self.submit(request, sender);
        match receiver.recv().await {
            Ok(Ok(opened)) => Ok(StreamedResponse::new(opened, cancel)),
            Ok(Err(error)) => {
                cancel.disarm();
                Err(error)
            }
            Err(_) => Err(Error::rejected(ErrorKind::Stopped, &url, SHUT_DOWN)),
        }
    }

    /// Replaces the engine's configuration while fetches continue: limits, rates, rules, breakers,
    /// budgets. The state of hosts is preserved. The bound on connections does not change.
    ///
    /// Several threads share all limits over several hosts: the new ones apply to all of them at once,
    /// and what was used of a rate or a budget counts for the new one.
    ///
    /// ```
    /// use fetch_proto::EngineConfig;
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// fetcher.set_config(EngineConfig::default().concurrency(10));
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn set_config(&self, config: fetch_proto::EngineConfig) {
        self.drivers.set_config(&with_logged_events(config));
    }

    /// Sets the minimum time between the starts of two attempts at one host, such as the crawl
    /// delay of its robots.txt. Zero removes it. The host is given as scheme, host and, unless it
    /// is the scheme's default, port.
    ///
    /// ```
    /// use std::time::Duration;
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// fetcher.set_crawl_delay("https://a.example", Duration::from_secs(2));
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn set_crawl_delay(&self, host: &str, delay: Duration) {
        let command = || DriverCommand::SetCrawlDelay(host.into(), delay);
        self.drivers.send_all(command);
    }

    /// The state of one host: its queue, its attempts in flight, its breaker. `None` if the engine
    /// has no state for it. The host is given as for [`set_crawl_delay`](Self::set_crawl_delay).
    ///
    /// ```
    /// # smol::block_on(async {
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert_eq!(fetcher.host_stats("https://a.example").await, None);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// # }).unwrap();
    /// ```
    pub async fn host_stats(&self, host: &str) -> Option<HostStats> {
        // Several drivers may know the host, for instance while a transferred fetch waits for a shared
        // response.
        let (sender, receiver) = async_channel::unbounded();
        let command = || DriverCommand::SendHostStats(host.into(), sender.clone());
        self.drivers.send_all(command);
        drop(sender);
        let answers = receiver.filter_map(|stats| stats).collect::<Vec<_>>();
        let busiest = |stats: &HostStats| (stats.in_flight, stats.live);
        answers.await.into_iter().max_by_key(busiest)
    }

    /// The hosts whose fetches wait because the host is down or asked for a pause, and those that were
    /// given up, in the order of their names. How many there are is also in [`stats`](Self::stats).
    /// The times are those of the engine: since the fetcher was built.
    ///
    /// ```
    /// # smol::block_on(async {
    /// let fetcher = fetch_smol::Fetcher::builder().wait_for_outages().build()?;
    /// assert!(fetcher.waiting_hosts().await.is_empty());
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// # }).unwrap();
    /// ```
    pub async fn waiting_hosts(&self) -> Vec<WaitingHost> {
        let (sender, receiver) = async_channel::unbounded();
        let command = || DriverCommand::SendWaitingHosts(sender.clone());
        self.drivers.send_all(command);
        drop(sender);
        let lists = receiver.collect::<Vec<_>>().await;
        let mut hosts: Vec<_> = lists.into_iter().flatten().collect();
        hosts.sort_unstable_by(|a, b| a.host.cmp(&b.host));
        hosts
    }

    /// The bodies that have been arriving for at least `min_age`, the oldest first. The times are
    /// those of the engine: since the fetcher was built.
    ///
    /// ```
    /// # smol::block_on(async {
    /// use std::time::Duration;
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert!(fetcher.downloads(Duration::from_secs(3600)).await.is_empty());
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// # }).unwrap();
    /// ```
    pub async fn downloads(&self, min_age: Duration) -> Vec<ActiveDownload> {
        let (sender, receiver) = async_channel::unbounded();
        let command = || DriverCommand::SendDownloads(min_age, sender.clone());
        self.drivers.send_all(command);
        drop(sender);
        let lists = receiver.collect::<Vec<_>>().await;
        let mut downloads: Vec<_> = lists.into_iter().flatten().collect();
        downloads.sort_by_key(|download| download.since);
        downloads
    }

    /// The state of the engine now, for dashboards: counts and queues, and all hosts with their breakers
    /// and budgets. With several threads, that of all their engines together. Its `Display` form is one
    /// line, and one for each host.
    ///
    /// ```
    /// # smol::block_on(async {
    /// let fetcher = fetch_smol::Fetcher::builder().per_host(2).build()?;
    /// let snapshot = fetcher.snapshot().await;
    /// assert_eq!((snapshot.hosts.len(), snapshot.concurrency), (0, 100));
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// # }).unwrap();
    /// ```
    pub async fn snapshot(&self) -> EngineSnapshot {
        let (sender, receiver) = async_channel::unbounded();
        let command = || DriverCommand::SendSnapshot(sender.clone());
        self.drivers.send_all(command);
        drop(sender);
        let snapshots = receiver.fold(None, |sum: Option<EngineSnapshot>, one| {
            Some(match sum {
                Some(sum) => sum.plus(one),
                None => one,
            })
        });
        let mut snapshot = snapshots.await.unwrap_or_default();
        self.drivers.add_shared_limits(&mut snapshot);
        snapshot
    }

    /// The statistics of the engine, as of its last turn.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert_eq!(fetcher.stats().live, 0);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.drivers.stats()
    }

    fn submit(&self, request: Request, sender: OutcomeSender) -> CancelOnDrop {
        let group = self.drivers.new_group();
        self.drivers.submit(vec![FetchJob {
            #[cfg(feature = "cache")]
            cache: None,
            group,
            request,
            sender,
        }]);
        CancelOnDrop {
            group,
            drivers: Some(self.drivers.clone()),
        }
    }
}

impl<A> Clone for Fetcher<A> {
    fn clone(&self) -> Self {
        Self {
            adapter: PhantomData,
            drivers: self.drivers.clone(),
        }
    }
}

impl<A> fmt::Debug for Fetcher<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
