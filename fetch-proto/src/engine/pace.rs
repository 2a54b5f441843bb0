//! How many attempts may be in flight: what holds them back, and what lets go.

use super::live::change_rate;
use super::{Engine, shifted};
use crate::event::Event;
use crate::rate::{Gcra, Portion, Rate};
use crate::time::Timestamp;

impl Engine {
    /// Stops starting attempts, because the consumer has not taken what is there. Fetches in flight
    /// go on.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Output, Request, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(Config::default(), 7, now);
    /// engine.submit(Request::get("http://a.test/".parse()?), now).unwrap();
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
    /// # use fetch_proto::{Config, Engine, Output, Request, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default(), 7, now);
    /// engine.submit(Request::get("http://a.test/".parse()?), now).unwrap();
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
    /// # use fetch_proto::{Config, Engine, Request, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default(), 7, now);
    /// engine.set_ceiling(0);
    /// engine.submit(Request::get("http://a.test/".parse()?), now).unwrap();
    /// let _ = engine.poll(now);
    /// assert!(engine.wants_more());
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn wants_more(&self) -> bool {
        !self.ring.is_empty() && self.flying >= self.ceiling && self.has_room()
    }

    /// Sets how much of the [rate](crate::Config::rate) over all hosts, and of the rates of rules, is this
    /// engine's, if several engines keep them together: so many of `of` parts, and a burst of one at
    /// least. With no part, no attempt begins that has such a rate. What is owed stays owed.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Output, Request, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default().rate("50/s".parse()?), 7, now);
    /// engine.submit(Request::get("http://a.test/".parse()?), now).unwrap();
    /// engine.set_rate_part(0, 2);
    /// assert!(matches!(engine.poll(now), Output::Idle(_)));
    /// engine.set_rate_part(1, 2);
    /// assert!(matches!(engine.poll(now), Output::Start(_)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_rate_part(&mut self, parts: u32, of: u32) {
        self.portion = Portion::new(parts, of);
        let rate = self.own_rate();
        change_rate(&mut self.rate, rate);
        self.gates.set_portion(self.portion);
    }

    /// When nothing will be owed to the rate over all hosts, nor to those of rules, if no other attempt
    /// begins: from then on another engine may have this one's part. In the past if nothing is owed.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{Config, Engine, Output, Request, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default().rate("2/s".parse()?), 7, now);
    /// assert!(engine.rate_rests_at() <= now);
    /// engine.submit(Request::get("http://a.test/".parse()?), now).unwrap();
    /// assert!(matches!(engine.poll(now), Output::Start(_)));
    /// assert_eq!(engine.rate_rests_at(), now + Duration::from_millis(500));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn rate_rests_at(&self) -> Timestamp {
        let of_rules = self.gates.rests_at();
        let at = self.rate.as_ref().map(Gcra::idle_at).max(of_rules);
        at.map_or(Timestamp::START, |at| {
            shifted(at, self.offset.saturating_neg())
        })
    }

    /// The engine's part of the rate over all hosts.
    pub(super) fn own_rate(&self) -> Option<Rate> {
        self.config.rate.map(|all| self.portion.of(all))
    }

    /// Whether it has any part of it.
    pub(super) fn has_rate(&self) -> bool {
        !self.portion.is_nothing()
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
        self.tell(|| Event::Pressure { concurrency: limit });
    }

    /// A complete response: one more may fly again.
    pub(super) fn ease(&mut self) {
        self.pressure = self
            .pressure
            .map(|limit| limit + 1)
            .filter(|l| *l < self.config.concurrency.get());
    }
}
