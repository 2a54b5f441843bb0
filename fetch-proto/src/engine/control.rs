//! Settings that the driver changes while the engine runs: pauses, and shares of common limits.

use core::time::Duration;

use super::Engine;
use crate::guards::limit_fraction::LimitFraction;
use crate::model::time::Timestamp;

impl Engine {
    /// Starts no further attempts until [`resume_starts`](Self::resume_starts), because outcomes are
    /// not taken. Attempts in flight continue.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(EngineConfig::default(), 7, now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// engine.pause_starts();
    /// assert!(matches!(engine.poll(now), EngineOutput::Idle(_)));
    /// engine.resume_starts();
    /// assert!(matches!(engine.poll(now), EngineOutput::Start(_)));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn pause_starts(&mut self) {
        self.concurrency.set_paused(true);
    }

    /// Starts attempts again after [`pause_starts`](Self::pause_starts).
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.resume_starts();
    /// ```
    pub fn resume_starts(&mut self) {
        self.concurrency.set_paused(false);
    }

    /// Sets this engine's share of a concurrency limit that several engines have in common, in
    /// addition to the configured concurrency. If more attempts are in flight, none starts until
    /// there are fewer; at zero none starts.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(EngineConfig::default(), 7, now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// engine.set_concurrency_ceiling(0);
    /// assert!(matches!(engine.poll(now), EngineOutput::Idle(_)));
    /// engine.set_concurrency_ceiling(1);
    /// assert!(matches!(engine.poll(now), EngineOutput::Start(_)));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn set_concurrency_ceiling(&mut self, attempts: usize) {
        self.concurrency.set_ceiling(attempts);
    }

    /// Whether another attempt would start now if the
    /// [ceiling](Self::set_concurrency_ceiling) were higher.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(EngineConfig::default(), 7, now);
    /// engine.set_concurrency_ceiling(0);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// let _ = engine.poll(now);
    /// assert!(engine.is_limited_by_ceiling());
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn is_limited_by_ceiling(&self) -> bool {
        !self.host_turns.is_empty() && self.concurrency.is_limited_by_ceiling()
    }

    /// Sets the least time between the starts of two attempts at one host, such as the crawl delay of
    /// its robots.txt. Zero removes it. The host is named by scheme, host, and the port unless it is
    /// the scheme's default.
    ///
    /// ```
    /// use core::time::Duration;
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.set_crawl_delay("https://a.example", Duration::from_secs(2));
    /// ```
    pub fn set_crawl_delay(&mut self, host: &str, delay: Duration) {
        self.spacing.set_crawl_delay(host, delay);
    }

    /// Sets this engine's share of the [rate](crate::EngineConfig::rate) over all hosts and of the
    /// rates of rules, if several engines have them in common: `parts` of `of`, with a burst of at
    /// least one. With no part, no attempt starts that has such a rate. What is owed stays owed.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(EngineConfig::default().rate("50/s".parse()?), 7, now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// engine.set_rate_share(0, 2);
    /// assert!(matches!(engine.poll(now), EngineOutput::Idle(_)));
    /// engine.set_rate_share(1, 2);
    /// assert!(matches!(engine.poll(now), EngineOutput::Start(_)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_rate_share(&mut self, parts: u32, of: u32) {
        self.rates.set_fraction(LimitFraction::new(parts, of));
    }

    /// When nothing is owed to the rate over all hosts or to those of rules, if no other attempt
    /// starts: from then on another engine may take over this one's share. In the past if nothing is
    /// owed.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(EngineConfig::default().rate("2/s".parse()?), 7, now);
    /// assert!(engine.rate_idle_at() <= now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// assert!(matches!(engine.poll(now), EngineOutput::Start(_)));
    /// assert_eq!(engine.rate_idle_at(), now + Duration::from_millis(500));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn rate_idle_at(&self) -> Timestamp {
        self.driver_time(self.rates.idle_at())
    }

    /// Sets this engine's share of the [budget](crate::EngineConfig::budget) over all hosts, if several
    /// engines have it in common: `parts` of `of`, and how full a bucket of that size is, from 0 to
    /// [`RetryBudget::FULL`]. What requests add by [`RetryBudget::Ratio`] is not shared.
    ///
    /// Parts move between engines with their content: the engine that gives some keeps its
    /// [fill](Self::budget_fill), the one that takes them gets the mean of both.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, RetryBudget, Timestamp};
    /// let config = EngineConfig::default().budget(RetryBudget::CAPACITY);
    /// let mut engine = Engine::new(config, 7, Timestamp::START);
    /// engine.set_budget_share(1, 2, RetryBudget::FULL / 4);
    /// assert_eq!(engine.budget_fill(), RetryBudget::FULL / 4);
    /// ```
    ///
    /// [`RetryBudget::FULL`]: crate::RetryBudget::FULL
    /// [`RetryBudget::Ratio`]: crate::RetryBudget::Ratio
    pub fn set_budget_share(&mut self, parts: u32, of: u32, fill: u64) {
        self.retry_budget
            .set_fraction(LimitFraction::new(parts, of), fill);
    }

    /// How full the bucket of the budget over all hosts is, from 0 to
    /// [`RetryBudget::FULL`](crate::RetryBudget::FULL); full if that budget has no bucket.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, RetryBudget, Timestamp};
    /// let config = EngineConfig::default().budget(RetryBudget::CAPACITY);
    /// let engine = Engine::new(config, 7, Timestamp::START);
    /// assert_eq!(engine.budget_fill(), RetryBudget::FULL);
    /// ```
    #[must_use]
    pub fn budget_fill(&self) -> u64 {
        self.retry_budget.fill()
    }

    /// When no retry counts any more against this engine's share of the budget over all hosts, if no
    /// other is made: from then on another engine may take over the share. In the past if none counts.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, RetryBudget, Timestamp};
    /// let config = EngineConfig::default().budget(RetryBudget::RATIO);
    /// let engine = Engine::new(config, 7, Timestamp::START);
    /// assert_eq!(engine.budget_idle_at(), Timestamp::START);
    /// ```
    #[must_use]
    pub fn budget_idle_at(&self) -> Timestamp {
        self.driver_time(self.retry_budget.idle_at())
    }

    /// An engine time as the driver's clock shows it; the start if there is none.
    fn driver_time(&self, at: Option<Timestamp>) -> Timestamp {
        at.map_or(Timestamp::START, |at| self.clock.to_driver(at))
    }
}
