//! What several engines have together, and how much of it is this one's: rates and the budget of retries.

use super::live::change_rate;
use super::{Engine, shifted};
use crate::guards::budget::{RetryBudget, RetryTokens};
use crate::guards::limit_fraction::LimitFraction;
use crate::guards::rate::{Rate, RateLimiter};
use crate::model::time::Timestamp;

impl Engine {
    /// Sets how much of the [rate](crate::Config::rate) over all hosts, and of the rates of rules, is this
    /// engine's, if several engines keep them together: so many of `of` parts, and a burst of one at
    /// least. With no part, no attempt begins that has such a rate. What is owed stays owed.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Output, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default().rate("50/s".parse()?), 7, now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// engine.set_rate_part(0, 2);
    /// assert!(matches!(engine.poll(now), Output::Idle(_)));
    /// engine.set_rate_part(1, 2);
    /// assert!(matches!(engine.poll(now), Output::Start(_)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_rate_part(&mut self, parts: u32, of: u32) {
        self.rate_portion = LimitFraction::new(parts, of);
        let rate = self.own_rate();
        change_rate(&mut self.rate, rate);
        self.gates.set_portion(self.rate_portion);
    }

    /// When nothing will be owed to the rate over all hosts, nor to those of rules, if no other attempt
    /// begins: from then on another engine may have this one's part. In the past if nothing is owed.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{Config, Engine, Output, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// let mut engine = Engine::new(Config::default().rate("2/s".parse()?), 7, now);
    /// assert!(engine.rate_rests_at() <= now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// assert!(matches!(engine.poll(now), Output::Start(_)));
    /// assert_eq!(engine.rate_rests_at(), now + Duration::from_millis(500));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn rate_rests_at(&self) -> Timestamp {
        let of_rules = self.gates.rests_at();
        let at = self.rate.as_ref().map(RateLimiter::idle_at).max(of_rules);
        self.told(at)
    }

    /// The engine's part of the rate over all hosts.
    pub(super) fn own_rate(&self) -> Option<Rate> {
        self.config.rate.map(|all| self.rate_portion.of_rate(all))
    }

    /// Whether it has any part of it.
    pub(super) fn has_rate(&self) -> bool {
        !self.rate_portion.is_zero()
    }

    /// Sets how much of the [budget](crate::Config::budget) over all hosts is this engine's, if several
    /// engines keep it together: so many of `of` parts, and how full a bucket of that size is, from 0 to
    /// [`RetryBudget::FULL`]. What requests allow beside, by [`RetryBudget::Ratio`], is the engine's own.
    ///
    /// Between engines parts change hands with what is in them: the one that gives keeps its
    /// [fill](Self::budget_fill) in what it keeps; the one that takes has the mean of both.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, RetryBudget, Timestamp};
    /// let config = Config::default().budget(RetryBudget::CAPACITY);
    /// let mut engine = Engine::new(config, 7, Timestamp::START);
    /// engine.set_budget_part(1, 2, RetryBudget::FULL / 4);
    /// assert_eq!(engine.budget_fill(), RetryBudget::FULL / 4);
    /// ```
    pub fn set_budget_part(&mut self, parts: u32, of: u32, fill: u64) {
        self.budget_portion = LimitFraction::new(parts, of);
        if let Some(tokens) = &mut self.tokens {
            tokens.set_fraction(self.budget_portion, fill);
        }
    }

    /// How full the bucket of the budget over all hosts is, from 0 to [`RetryBudget::FULL`], which it also
    /// is if that budget has no bucket.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, RetryBudget, Timestamp};
    /// let config = Config::default().budget(RetryBudget::CAPACITY);
    /// let engine = Engine::new(config, 7, Timestamp::START);
    /// assert_eq!(engine.budget_fill(), RetryBudget::FULL);
    /// ```
    #[must_use]
    pub fn budget_fill(&self) -> u64 {
        self.tokens
            .as_ref()
            .map_or(RetryBudget::FULL, RetryTokens::fill_level)
    }

    /// When no retry will count any more that needed this engine's part of the budget over all hosts, if
    /// no other is made: from then on another engine may have the part. In the past if none counts.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, RetryBudget, Timestamp};
    /// let config = Config::default().budget(RetryBudget::RATIO);
    /// let engine = Engine::new(config, 7, Timestamp::START);
    /// assert_eq!(engine.budget_rests_at(), Timestamp::START);
    /// ```
    #[must_use]
    pub fn budget_rests_at(&self) -> Timestamp {
        self.told(self.tokens.as_ref().map(RetryTokens::reserve_free_at))
    }

    /// A time of the engine as the driver's clock shows it.
    fn told(&self, at: Option<Timestamp>) -> Timestamp {
        at.map_or(Timestamp::START, |at| {
            shifted(at, self.offset.saturating_neg())
        })
    }
}
