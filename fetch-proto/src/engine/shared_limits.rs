//! Limits that several engines share: rates over several hosts, and the budget over all hosts.
//!
//! The state of these limits is outside, where all engines have access to it. An engine asks for a
//! grant before each start that such a rate limits, and the driver lends it the tokens of the budget.

use super::{Engine, EngineOutput};
use crate::engine::admission::{HeldStart, TurnResult};
use crate::guards::budget::RetryTokens;
use crate::model::time::Timestamp;

/// A rate that several engines share.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum SharedRate {
    /// The [rate](crate::EngineConfig::rate) over all hosts.
    AllHosts,
    /// The [rate](crate::Policy::rate) of the rule that the start belongs to.
    Rule,
}

/// A start that needs a grant: see [`Engine::start_request`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct StartRequest {
    /// The number of the rule whose rate limits the start. Rules are numbered in their order, and the
    /// default policy follows the last one. A larger number means no rule.
    pub rule: u32,
}

impl Engine {
    /// Shares the rate over all hosts, the rates of rules and the budget over all hosts with other
    /// engines: from now on, each start that such a rate limits needs a grant, and the tokens of
    /// the budget must be [lent](Self::lend_retry_tokens). Call it before the first fetch.
    ///
    /// If none of these limits is configured, no grants are requested.
    ///
    /// ```
    /// use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, RateLimiter, Timestamp};
    ///
    /// let (now, rate) = (Timestamp::START, "1/s".parse()?);
    /// let mut shared = RateLimiter::new(rate);
    /// let mut engine = Engine::new(EngineConfig::default().rate(rate), 7, now);
    /// engine.share_limits();
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
    /// assert!(matches!(engine.poll(now), EngineOutput::Idle(_)));
    /// assert!(engine.start_request().is_some());
    /// shared.try_acquire(now).unwrap();
    /// assert!(engine.grant_start(now));
    /// assert!(matches!(engine.poll(now), EngineOutput::Start(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn share_limits(&mut self) {
        self.rates.share();
        self.retry_budget.share();
    }

    /// The start that needs a grant, if there is one: only after
    /// [`share_limits`](Self::share_limits), and when [`poll`](Self::poll) has returned
    /// [`EngineOutput::Idle`]. Until [`grant_start`](Self::grant_start) or
    /// [`deny_start`](Self::deny_start) answers it, polling starts nothing and handles no timer.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert_eq!(engine.start_request(), None);
    /// ```
    #[must_use]
    pub fn start_request(&self) -> Option<StartRequest> {
        let rule = self.held_start?.rule;
        Some(StartRequest { rule })
    }

    /// Grants the start that [`start_request`](Self::start_request) asks for: all rates that limit it
    /// allow it now. Returns false if nothing starts after all; then the grant was not used.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert!(!engine.grant_start(Timestamp::START), "nothing was asked for");
    /// ```
    pub fn grant_start(&mut self, now: Timestamp) -> bool {
        let now = self.clock.advance(now);
        let Some(held) = self.held_start.take() else {
            return false;
        };
        let Some(index) = self.fetches.find(held.fetch) else {
            return false;
        };
        let result = self.start_attempt(held.host, index, now);
        self.update_fetch(index, now);
        let starts = !matches!(result, TurnResult::NotStarted);
        if let TurnResult::Started(attempt) = result {
            self.outputs.push(EngineOutput::Start(attempt));
        }
        if !starts {
            self.put_back(held, index, now);
        }
        self.offer_turn(held.host, now);
        starts
    }

    /// Denies the start that [`start_request`](Self::start_request) asks for, because `rate` does not
    /// allow it before `until`. The engine asks again then.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, SharedRate, Timestamp};
    ///
    /// let (now, later) = (Timestamp::START, Timestamp::START + Duration::from_secs(1));
    /// let mut engine = Engine::new(EngineConfig::default().rate("1/s".parse()?), 7, now);
    /// engine.share_limits();
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
    /// let _ = engine.poll(now);
    /// engine.deny_start(SharedRate::AllHosts, later, now);
    /// let EngineOutput::Idle(idle) = engine.poll(now) else { unreachable!() };
    /// assert_eq!(idle.wake.map(|wake| wake.at), Some(later));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deny_start(&mut self, rate: SharedRate, until: Timestamp, now: Timestamp) {
        let now = self.clock.advance(now);
        let until = self.clock.to_engine(until);
        let Some(held) = self.held_start.take() else {
            return;
        };
        match rate {
            SharedRate::AllHosts => self.rates.deny_until(until),
            SharedRate::Rule => self.rates.rules.deny_until(held.rule, until),
        }
        let Some(index) = self.fetches.find(held.fetch) else {
            return;
        };
        if rate == SharedRate::Rule && !held.is_hedge {
            self.rates.rules.defer_first(held.rule, held.fetch, until);
            self.offer_turn(held.host, now);
        } else {
            self.put_back(held, index, now);
            self.offer_next_turn(held.host, now);
        }
    }

    /// Lends the engine the tokens of the budget over all hosts, for its next call: without them it
    /// makes retries and hedges without limit. Only [`handle`](Self::handle), [`poll`](Self::poll) and
    /// [`grant_start`](Self::grant_start) need them, because only these decide about retries. Does
    /// nothing before [`share_limits`](Self::share_limits).
    ///
    /// ```
    /// use fetch_proto::{Engine, EngineConfig, RetryBudget, RetryTokens, Timestamp};
    ///
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.share_limits();
    /// let tokens = RetryTokens::new(RetryBudget::CAPACITY);
    /// engine.lend_retry_tokens(tokens.clone());
    /// let _ = engine.poll(Timestamp::START);
    /// assert_eq!(engine.take_retry_tokens(), Some(tokens));
    /// ```
    pub fn lend_retry_tokens(&mut self, tokens: RetryTokens) {
        self.retry_budget.lend(tokens);
    }

    /// Takes back the tokens that were [lent](Self::lend_retry_tokens).
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert_eq!(engine.take_retry_tokens(), None);
    /// ```
    pub fn take_retry_tokens(&mut self) -> Option<RetryTokens> {
        self.retry_budget.take_lent()
    }

    /// Withdraws a held start that will not be answered, for example because the rules change.
    pub(super) fn withdraw_start_request(&mut self, now: Timestamp) {
        if let Some(held) = self.held_start.take()
            && let Some(index) = self.fetches.find(held.fetch)
        {
            self.put_back(held, index, now);
            self.offer_next_turn(held.host, now);
        }
    }

    /// Undoes a held start. A hedge is dropped, because hedges do not queue. Any other fetch
    /// returns to the front of its host's queue, unless it has ended.
    fn put_back(&mut self, held: HeldStart, index: u32, now: Timestamp) {
        let slot = self.fetches.get(index);
        if held.is_hedge {
            self.skip_hedge(index);
            self.update_fetch(index, now);
        } else if slot.is_some_and(|slot| slot.fetch.is_waiting_for_slot() && !slot.is_queued) {
            self.hosts
                .enqueue(held.host, &mut self.fetches, index, true);
        }
    }
}
