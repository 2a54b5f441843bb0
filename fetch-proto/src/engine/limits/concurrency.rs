//! How many attempts may be in flight: what holds them back, and what lets go.

use super::Engine;
use crate::model::event::DecisionEvent;

impl Engine {
    /// Stops starting attempts, because the consumer has not taken what is there. Fetches in flight
    /// go on.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Output, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(Config::default(), 7, now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// engine.hold();
    /// assert!(matches!(engine.poll(now), Output::Idle(_)));
    /// engine.release();
    /// assert!(matches!(engine.poll(now), Output::Start(_)));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Starts attempts again after [`hold`](Self::hold).
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Timestamp};
    /// let mut engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// engine.release();
    /// ```
    pub fn release(&mut self) {
        self.held = false;
    }

    /// Sets how many attempts may be in flight at once, beside what the configuration says: the part of
    /// one of several engines that have a limit together. If more are in flight, no other begins until
    /// there are fewer; at zero none begins.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Output, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default(), 7, now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// engine.set_ceiling(0);
    /// assert!(matches!(engine.poll(now), Output::Idle(_)));
    /// engine.set_ceiling(1);
    /// assert!(matches!(engine.poll(now), Output::Start(_)));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn set_ceiling(&mut self, attempts: usize) {
        self.ceiling = attempts;
    }

    /// Whether another attempt would begin now, but for the [ceiling](Self::set_ceiling).
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default(), 7, now);
    /// engine.set_ceiling(0);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// let _ = engine.poll(now);
    /// assert!(engine.wants_more());
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn wants_more(&self) -> bool {
        !self.ring.is_empty() && self.flying >= self.ceiling && self.has_room()
    }

    /// Whether another attempt may begin.
    pub(super) fn has_place(&self) -> bool {
        self.flying < self.ceiling && self.has_room()
    }

    /// Whether there is a place but for the ceiling.
    fn has_room(&self) -> bool {
        let limit = self.pressure.unwrap_or(usize::MAX);
        !self.held && self.flying < limit.min(self.config.concurrency.get())
    }

    /// Out of descriptors: one fewer at once than fly now, and one fewer for each that fails so.
    pub(super) fn press(&mut self) {
        let limit = self
            .pressure
            .map_or(self.flying, |limit| limit.min(self.flying));
        let limit = limit.saturating_sub(1).max(1);
        self.pressure = Some(limit);
        self.tell(|| DecisionEvent::ResourcesExhausted { concurrency: limit });
    }

    /// A complete response: one more may fly again.
    pub(super) fn ease(&mut self) {
        self.pressure = self
            .pressure
            .map(|limit| limit + 1)
            .filter(|l| *l < self.config.concurrency.get());
    }
}
