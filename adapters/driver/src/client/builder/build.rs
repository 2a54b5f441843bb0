//! From the settings to a running fetcher.

use fetch_proto::Rules;

use super::Builder;
use super::threads;
use crate::client::drivers::Inner;
use crate::client::fetcher::Fetcher;
use crate::driver::{self, Place};
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;
use crate::transport::clock::Clock;
use crate::transport::shared_state::InCommon;

impl<A: Adapter> Builder<A> {
    /// Builds the fetcher and starts its driver.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting is wrong, the transport cannot do what is asked, or there is no runtime.
    pub fn build(mut self) -> Result<Fetcher<A>, BuildError> {
        if let Some(error) = self.errors.pop() {
            return Err(error);
        }
        self.settings.rules = self.rules_with_timeouts()?;
        // What transports share is this fetcher's alone, whoever else is built from the same settings.
        self.settings.common = InCommon::default();
        let (settings, clock) = (self.settings, Clock::start());
        let undelivered = settings.undelivered.unwrap_or(settings.concurrency).max(1);
        if settings.threads > 1 {
            return threads::build(&self.adapter, settings, self.record, (clock, undelivered));
        }
        let transport = self.adapter.transport(&settings)?;
        let place = Place {
            clock,
            limits: None,
            peers: None,
            share: None,
            undelivered,
        };
        let (timer, record) = (self.adapter.timer(), self.record);
        let (handle, driver) = driver::new(transport, timer, &settings, record, place);
        self.adapter.spawn(driver)?;
        let window = settings.engine_config().window_size();
        Ok(Fetcher::new(Inner::new(vec![handle], window, None)))
    }

    /// Builds the fetcher, or, if that fails, one whose every fetch ends with the reason: for the
    /// short forms that cannot return an error.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().concurrency(0).build_or_broken();
    /// let error = smol::block_on(fetcher.get("http://a.test/")).unwrap_err();
    /// assert!(error.to_string().contains("concurrency"));
    /// ```
    pub fn build_or_broken(self) -> Fetcher<A> {
        self.build().unwrap_or_else(|why| Fetcher::broken(&why))
    }

    /// The rules, with the policy and the timeouts that were set besides them.
    fn rules_with_timeouts(&mut self) -> Result<Rules, BuildError> {
        let mut rules = core::mem::take(&mut self.settings.rules);
        if let Some(policy) = &self.policy {
            // Each rule keeps its own attempt timeout: that is what it was made for.
            rules = rules.map(|old| {
                let limits = *old.timeouts_ref();
                let timeouts = fetch_proto::Timeouts {
                    attempt: limits.attempt,
                    ..*policy.timeouts_ref()
                };
                policy.clone().timeouts(timeouts)
            });
            rules = rules.with_default(policy.clone());
        }
        if self.timeouts.is_empty() {
            return Ok(rules);
        }
        let base = rules.default_policy().clone();
        let mut builder = Rules::builder();
        for (pattern, limit) in self.timeouts.drain(..) {
            builder = builder.rule(pattern, (*base).clone().attempt_timeout(limit));
        }
        for (pattern, policy) in rules.iter() {
            builder = builder.rule(pattern.clone(), policy.clone());
        }
        let built = builder.default(base).build();
        built.map_err(|error| BuildError::new("timeout", error.to_string()))
    }
}
