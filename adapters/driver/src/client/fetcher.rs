//! The handle to a running driver.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};

use fetch_proto::{HostStats, Stats};
use futures_core::Stream;
use futures_lite::{StreamExt, stream};

use crate::client::drivers::{CancelOnDrop, Inner};
use crate::client::fetch_all::FetchAll;
use crate::client::streamed::StreamedResponse;
use crate::driver::command::Command;
use crate::driver::delivery::{Sink, stillborn};
use crate::driver::job::Job;
use crate::driver::outcome_queue::deliveries;
use crate::model::error::{Error, ErrorKind};
use crate::model::outcome::{Outcome, Response};
use crate::model::request::{IntoRequest, Request};
use crate::settings::build_error::BuildError;

/// Fetches URLs on the runtime of `A`, all within the same limits and over the same connections.
///
/// Cheap to clone. The driver behind it ends when the last clone and the last stream are dropped.
pub struct Fetcher<A> {
    pub(crate) adapter: PhantomData<fn() -> A>,
    pub(crate) inner: Arc<Inner>,
}

impl<A> Fetcher<A> {
    /// A fetcher that could not be built: every fetch ends with the reason.
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            adapter: PhantomData,
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn broken(why: &BuildError) -> Self {
        Self::new(Inner::broken(why))
    }

    /// Fetches all `urls` and streams the outcomes in the order in which they end.
    ///
    /// URLs are taken lazily, as there is room. A URL that fails, or that is none, is an outcome
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
        FetchAll::new(self.inner.clone(), stream::iter(urls), total)
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
        FetchAll::new(self.inner.clone(), urls, None)
    }

    /// Fetches one request and tells how it ended. Dropping the future cancels it.
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
            Err(error) => return stillborn(error, String::new(), 0),
        };
        let (deliveries, inbox) = deliveries();
        let sink = Sink::outcome(&mut request, deliveries);
        let mut cancel = self.submit(request, sink);
        // Whatever becomes of it, its sink says so.
        let delivered = inbox.next().await;
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
    /// If there is no response. A response of any status is one: see
    /// [`Response::status`].
    pub async fn get(&self, request: impl IntoRequest) -> Result<Response, Error> {
        self.fetch(request).await.result
    }

    /// Fetches one request as far as the response's head, whose body is then read piece by piece.
    ///
    /// Retries happen until the head is there and never after it. Dropping the future, or the body,
    /// cancels the fetch.
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
        let sink = Sink::stream(&mut request, sender);
        let mut cancel = self.submit(request, sink);
        match receiver.recv().await {
            Ok(Ok(opened)) => Ok(StreamedResponse::new(opened, cancel)),
            Ok(Err(error)) => {
                cancel.disarm();
                Err(error)
            }
            Err(_) => Err(stopped(&url)),
        }
    }

    /// Takes over another configuration of the engine while everything goes on: limits, rates,
    /// rules, breakers, budgets. What is known of hosts is kept. The bound on connections stays as it
    /// was built. A fetcher with several threads divides the rates over all hosts and of rules, and the
    /// budget over all hosts, equally among those that have something to do; of a rate each has a burst of
    /// one at least, while a part of a budget that is less than one retry allows for none. One that is built with such limits keeps them exactly, on one thread.
    ///
    /// ```
    /// use fetch_proto::Config;
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// fetcher.set_config(Config::default().concurrency(10));
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn set_config(&self, config: fetch_proto::Config) {
        if let Some(balance) = &self.inner.balance {
            balance.resize(config.concurrency_limit());
        }
        let configure = || Command::Configure(Box::new(config.clone()));
        self.inner.send_all(configure);
    }

    /// Sets the least time between the starts of two attempts at one host, named by scheme, host and
    /// port, such as the crawl delay of its robots.txt. Zero takes it back.
    ///
    /// ```
    /// use std::time::Duration;
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// fetcher.set_crawl_delay("https://a.example", Duration::from_secs(2));
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn set_crawl_delay(&self, host: &str, delay: std::time::Duration) {
        let command = || Command::CrawlDelay(host.into(), delay);
        self.inner.send_all(command);
    }

    /// How it stands with one host now, named by scheme, host and port: what waits and flies, its
    /// breaker, its rest. `None` if nothing is known of it, or no longer.
    ///
    /// ```
    /// # smol::block_on(async {
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert_eq!(fetcher.host_stats("https://a.example").await, None);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// # }).unwrap();
    /// ```
    pub async fn host_stats(&self, host: &str) -> Option<HostStats> {
        // Others may know it, too, as where a fetch came from that waits for another's response.
        let (sender, receiver) = async_channel::unbounded();
        let command = || Command::HostStats(host.into(), sender.clone());
        self.inner.send_all(command);
        drop(sender);
        let known = receiver.filter_map(|stats| stats).collect::<Vec<_>>();
        let has_most = |stats: &HostStats| (stats.flying, stats.live);
        known.await.into_iter().max_by_key(has_most)
    }

    /// What the engine has done and holds, as of its last turn.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert_eq!(fetcher.stats().live, 0);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        let drivers = self.inner.drivers.iter();
        let stats =
            drivers.map(|driver| *driver.stats.lock().unwrap_or_else(PoisonError::into_inner));
        stats.reduce(Stats::plus).unwrap_or_default()
    }

    fn submit(&self, request: Request, sink: Sink) -> CancelOnDrop {
        let group = self.inner.group();
        self.inner.submit(vec![Job {
            group,
            request,
            sink,
        }]);
        CancelOnDrop {
            group,
            inner: Some(self.inner.clone()),
        }
    }
}

fn stopped(url: &str) -> Error {
    Error::invalid(ErrorKind::Stopped, url, "its driver is gone")
}

impl<A> Clone for Fetcher<A> {
    fn clone(&self) -> Self {
        Self {
            adapter: PhantomData,
            inner: self.inner.clone(),
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
