//! Settings that the driver changes while the engine runs: pauses, its share of a common
//! concurrency limit, crawl delays.

use core::time::Duration;

use super::Engine;

impl Engine {
    /// Starts no further attempts until [`resume_starts`](Self::resume_starts), for example while
    /// the consumer does not take outcomes. Attempts in flight continue.
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
}
