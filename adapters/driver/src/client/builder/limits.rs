//! Settings of the builder: concurrency, rates and windows.

use fetch_proto::{EngineConfig, OutageWait, Pacing, Rate};

use super::Builder;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;

impl<A: Adapter> Builder<A> {
    /// Sets the engine's whole configuration: limits, rates, rules, breakers, budgets, targets.
    /// Setters that are called after it change this configuration.
    ///
    /// ```
    /// use fetch_proto::{Breaker, EngineConfig, RetryBudget};
    ///
    /// let config = EngineConfig::default().breaker(Breaker::default()).host_budget(RetryBudget::default());
    /// let fetcher = fetch_smol::Fetcher::builder().config(config).build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn config(mut self, config: EngineConfig) -> Self {
        self.settings.config = config;
        self
    }

    /// Sets how many attempts may be in flight at once. Default 100; 0 is an error.
    ///
    /// ```
    /// assert!(fetch_smol::Fetcher::builder().concurrency(500).build().is_ok());
    /// assert!(fetch_smol::Fetcher::builder().concurrency(0).build().is_err());
    /// ```
    pub fn concurrency(mut self, attempts: usize) -> Self {
        if attempts == 0 {
            let reason = "0 would fetch nothing: use 1 or more";
            self.errors.push(BuildError::new("concurrency", reason));
        }
        self.update_config(|config| config.concurrency(attempts))
    }

    /// Sets the maximum rate of attempts at one host. Default: no limit.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().host_rate("5/s".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn host_rate(self, rate: Rate) -> Self {
        self.update_config(|config| config.host_rate(rate))
    }

    /// Sets how many attempts may be in flight at once at one host. Default: no separate limit.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().per_host(4);
    /// ```
    pub fn per_host(self, attempts: usize) -> Self {
        self.update_config(|config| config.per_host(attempts))
    }

    /// Sets the maximum rate of attempts over all hosts. Default: no limit.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().rate("50/s".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rate(self, rate: Rate) -> Self {
        self.update_config(|config| config.rate(rate))
    }

    /// Sets how many threads fetch, each with its own engine and connections. Default 1.
    ///
    /// Hosts are divided among the threads, and a redirect to a host of another thread moves there,
    /// so the limits of a host are as exact as with one thread. All threads share the concurrency, the
    /// rate over all hosts, the rates of rules and the retry budget over all hosts: these limits are as
    /// exact as with one thread, too, and a busy thread has all that others do not use. Hosts that serve
    /// a target are all on one thread. If the fetcher is recorded, one thread does all the work.
    /// [`max_connections`](Self::max_connections) is also shared: if there is no room, a thread with
    /// more than its equal part yields to a waiting one with less.
    ///
    /// Only the adapters for smol (on its global executor) and tokio support it.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let urls = [site.url("/get"), site.url("/status/404")];
    /// use fetch_smol::{Fetcher, StreamExt};
    ///
    /// let fetcher = Fetcher::builder().threads(2).build()?;
    /// let outcomes = smol::block_on(fetcher.fetch_all(urls).collect::<Vec<_>>());
    /// assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        if threads == 0 {
            self.errors
                .push(BuildError::new("threads", "use 1 or more"));
        }
        self.settings.threads = threads;
        self
    }

    /// Sets how many outcomes may wait for the consumer before no more attempts are started.
    /// Default: as many as the concurrency.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().undelivered(10);
    /// ```
    pub fn undelivered(mut self, outcomes: usize) -> Self {
        self.settings.undelivered = Some(outcomes);
        self
    }

    /// Waits for hosts that are down, instead of failing one fetch after the other: while no
    /// connection to a host is possible, or its gateway answers 502, 503 or 504, its fetches wait, up to
    /// 300 s, and up to 30 s if it has not answered once. A host that limits the rate of requests (429,
    /// or 503 while it also answers normally) gets as many as it accepts, and its refusals do not use
    /// up attempts: [`Pacing`](fetch_proto::Pacing). See
    /// [`OutageWait`](fetch_proto::OutageWait), which has the details; other times are set by
    /// [`config`](Self::config). Default: off, so that tests and services see failures at once.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().wait_for_outages().build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn wait_for_outages(self) -> Self {
        self.update_config(|config| {
            config
                .wait_for_outages(OutageWait::default())
                .pacing(Pacing::default())
        })
    }

    /// Sets how many fetches may be active at once: queued, in flight, or waiting for a retry. It
    /// bounds the memory. Default 4 × the concurrency, at least 10,000.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().window(100_000);
    /// ```
    pub fn window(self, fetches: usize) -> Self {
        self.update_config(|config| config.window(fetches))
    }

    pub(super) fn update_config(
        mut self,
        change: impl FnOnce(EngineConfig) -> EngineConfig,
    ) -> Self {
        self.settings.update_config(change);
        self
    }
}
