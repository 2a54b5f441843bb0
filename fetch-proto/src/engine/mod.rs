//! Many fetches at once: admission, per-host queues, limits, one timer heap. No IO.

mod admit;
mod checkpoint;
mod config;
mod gates;
mod guards;
mod hosts;
mod live;
mod lots;
mod pace;
mod parts;
#[cfg(test)]
mod policies_tests;
mod portions;
mod said;
mod settle;
mod sharing;
mod slab;
mod stats;
mod targets;
#[cfg(test)]
mod tests;
mod timers;
mod turns;
mod world;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use self::gates::Gates;
use self::hosts::Hosts;
use self::sharing::Leaders;
use self::slab::{Key, NONE, Slab, Slot};
use self::timers::Timers;
use self::world::Shared;
use crate::fetch::Fetch;
use crate::fetch::request::FetchRequest;
use crate::guards::budget::RetryTokens;
use crate::guards::limit_fraction::LimitFraction;
use crate::guards::limiter::ConcurrencyLimiter;
use crate::guards::rate::RateLimiter;
use crate::model::attempt::{Input, InputEffect};
use crate::model::event::DecisionEvent;
use crate::model::failure::FailureKind;
use crate::model::id::{AttemptId, FetchId};
use crate::model::time::Timestamp;
use crate::random::mix;
use crate::rules::MatcherCache;

pub use checkpoint::Checkpoint;
pub use config::{Config, Shed};
pub use parts::{Moved, Part};
pub use said::{Idle, Output, Refusal, Rejected};
pub use stats::{HostStats, Stats};

/// Many fetches through a bounded window, as one state machine.
///
/// [`submit`](Self::submit) while there is room, tell what happened with [`handle`](Self::handle),
/// and [`poll`](Self::poll) until it says [`Output::Idle`]: only then does it tell how much room
/// there is and when to come back. A host whose turn it is starts one attempt, then the next host
/// has its turn, so a host with many fetches never delays the others.
///
/// ```
/// use fetch_proto::{Config, Engine, HeadSummary, Input, Output, FetchRequest, Timestamp};
///
/// let now = Timestamp::START;
/// let mut engine = Engine::new(Config::default(), 7, now);
/// engine.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
/// loop {
///     match engine.poll(now) {
///         Output::Start(attempt) => {
///             engine.handle(attempt.id, Input::Head(HeadSummary::status(200)), now);
///             engine.handle(attempt.id, Input::End(Ok(())), now);
///         }
///         Output::Done(_, outcome) => assert!(outcome.is_success()),
///         Output::Idle(idle) if idle.live == 0 => break,
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Engine {
    /// How much of the budget over all hosts is its own, if it is one of several engines.
    budget_portion: LimitFraction,
    /// The part of a limit that several engines have together.
    ceiling: usize,
    closed: bool,
    config: Config,
    /// The least time between two attempts at a host, by its name.
    crawl_delays: BTreeMap<Box<str>, Duration>,
    /// Fetches to poll, in the order in which something happened to them.
    dirty: VecDeque<u32>,
    draws: u64,
    /// Decisions of the engine itself that were not yet told.
    events: VecDeque<DecisionEvent>,
    flying: usize,
    gates: Gates,
    held: bool,
    host_timers: Timers,
    hosts: Hosts,
    #[cfg_attr(feature = "serde", serde(skip))]
    leaders: Leaders,
    now: Timestamp,
    /// What the driver's clock lacks of the engine's time, in nanoseconds: after a restored
    /// checkpoint, or jumps that were made on purpose.
    offset: i64,
    /// Outcomes that were not yet told.
    outbox: VecDeque<Output>,
    /// Which hosts are its own, if it is one of several engines.
    part: Option<Part>,
    /// Fewer may fly than configured while the machine is short of descriptors.
    pressure: Option<usize>,
    /// For extra attempts over all hosts.
    tokens: Option<RetryTokens>,
    rate: Option<RateLimiter>,
    /// How much of the rates is its own, if it is one of several engines.
    rate_portion: LimitFraction,
    /// Hosts that may start an attempt, in turn.
    ring: VecDeque<u32>,
    /// For matching the rules.
    #[cfg_attr(feature = "serde", serde(skip))]
    scratch: MatcherCache,
    seed: u64,
    sequence: u64,
    slots: Slab,
    stats: Stats,
    timers: Timers,
}

impl Engine {
    /// An engine with nothing to do. All randomness comes from `seed`.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Timestamp};
    /// let engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// assert_eq!(engine.stats().live, 0);
    /// ```
    #[must_use]
    pub fn new(config: Config, seed: u64, now: Timestamp) -> Self {
        let mut engine = Self {
            budget_portion: LimitFraction::default(),
            ceiling: usize::MAX,
            closed: false,
            crawl_delays: BTreeMap::new(),
            dirty: VecDeque::new(),
            draws: 0,
            events: VecDeque::new(),
            flying: 0,
            gates: Gates::new(&config.rules),
            held: false,
            host_timers: Timers::default(),
            hosts: Hosts::default(),
            leaders: Leaders::default(),
            now,
            offset: 0,
            outbox: VecDeque::new(),
            part: None,
            pressure: None,
            tokens: config.budget.map(RetryTokens::new),
            rate: config.rate.map(RateLimiter::new),
            rate_portion: LimitFraction::default(),
            ring: VecDeque::new(),
            scratch: MatcherCache::default(),
            seed,
            sequence: 0,
            slots: Slab::default(),
            stats: Stats::default(),
            timers: Timers::default(),
            config,
        };
        engine.adopt_targets();
        engine
    }

    /// Adds a fetch.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Refusal, FetchRequest, Timestamp};
    /// let mut engine = Engine::new(Config::default().window(1), 7, Timestamp::START);
    /// let request = FetchRequest::get("http://a.test/".parse()?);
    /// assert!(engine.submit(request.clone(), Timestamp::START).is_ok());
    /// assert_eq!(engine.submit(request, Timestamp::START).unwrap_err().why, Refusal::Full);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Rejected`] gives the request back if there is no room or the engine was closed.
    pub fn submit(&mut self, request: FetchRequest, now: Timestamp) -> Result<FetchId, Rejected> {
        let now = self.advance(now);
        if self.closed || self.room() == 0 {
            let why = if self.closed {
                Refusal::Closed
            } else {
                Refusal::Full
            };
            return Err(Rejected {
                request: Box::new(request),
                why,
            });
        }
        let (rule, policy) =
            self.config
                .rules
                .select(&mut self.scratch, &request.method, &request.url);
        let (rule, policy) = match &request.policy {
            Some(own) => (NONE, own.clone()),
            None => (rule as u32, policy.clone()),
        };
        let host = self.intern(&request.url);
        self.hosts.get_mut(host).live += 1;
        let id = self.slots.next_id();
        let seed = mix(self.seed, self.sequence);
        self.sequence += 1;
        self.stats.submitted += 1;
        let (key, priority) = (Key::of(&request), request.priority);
        let mut fetch = Fetch::new(request, policy, seed, now).with_id(id);
        if self.config.events {
            fetch = fetch.with_events();
        }
        let index = self.slots.insert(Slot::new(fetch, host, rule, priority));
        if let Some(key) = key {
            self.share(key, index, now);
        }
        self.touch(index);
        Ok(id)
    }

    /// Tells what happened to an attempt. Poll afterwards.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, FailureKind, InputEffect, Input, Output, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(Config::default(), 7, now);
    /// # engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// let Output::Start(attempt) = engine.poll(now) else { unreachable!() };
    /// let handled = engine.handle(attempt.id, Input::End(Err(FailureKind::Connect)), now);
    /// assert_eq!(handled, InputEffect::Applied);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn handle(&mut self, id: AttemptId, input: Input, now: Timestamp) -> InputEffect {
        let now = self.advance(now);
        let found = self.slots.find(id.fetch);
        let Some((index, slot)) = found.and_then(|i| Some((i, self.slots.get_mut(i)?))) else {
            self.stats.stale_inputs += 1;
            return InputEffect::Stale;
        };
        let asked = match &input {
            Input::Head(head) => asked(head),
            _ => None,
        };
        let (exhausted, landed) = match &input {
            Input::End(result) => (*result == Err(FailureKind::Exhausted), result.is_ok()),
            _ => (false, false),
        };
        let input = match input {
            Input::Mark(phase, at) => Input::Mark(phase, shifted(at, self.offset)),
            input => input,
        };
        let queued_at = slot.host;
        let flies_to = slot
            .permits
            .iter()
            .find(|permit| permit.number == id.number);
        let flies_to = flies_to.map_or(queued_at, |permit| permit.host);
        let mut world = Shared {
            guards: self.hosts.get_mut(queued_at).guards.as_deref_mut(),
            probes: slot.probes(),
            tokens: self.tokens.as_mut(),
            rare: &mut slot.rare,
        };
        // Marks and progress change no decision by themselves; the deadlines they move are looked
        // up when the timer fires.
        if slot.fetch.handle_in(id, input, now, &mut world) == InputEffect::Stale {
            self.stats.stale_inputs += 1;
            return InputEffect::Stale;
        }
        let pause = asked.map(|asked| slot.fetch.policy().retry_after.pause(asked));
        self.touch(index);
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            self.pause(flies_to, now + pause, now);
        }
        if exhausted {
            self.press();
        } else if landed {
            self.ease();
        }
        InputEffect::Applied
    }

    /// Ends one fetch: `Abort` if it is in flight, then `Done` with
    /// [`FetchError::Cancelled`](crate::FetchError::Cancelled).
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, InputEffect, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(Config::default(), 7, now);
    /// let id = engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// assert_eq!(engine.cancel(id, now), InputEffect::Applied);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn cancel(&mut self, id: FetchId, now: Timestamp) -> InputEffect {
        let now = self.advance(now);
        let Some(index) = self.slots.find(id) else {
            return InputEffect::Stale;
        };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.fetch.cancel(now);
        }
        self.touch(index);
        InputEffect::Applied
    }

    /// Cancels every fetch and takes no more.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Timestamp};
    /// let mut engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// engine.close(Timestamp::START);
    /// ```
    pub fn close(&mut self, now: Timestamp) {
        self.closed = true;
        for index in self.slots.indices() {
            self.cancel(self.slots.id(index), now);
        }
    }

    /// What to do now. Call it again until it says [`Output::Idle`]. O(1) when nothing is due.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Output, Timestamp};
    /// let mut engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// let Output::Idle(idle) = engine.poll(Timestamp::START) else { unreachable!() };
    /// assert_eq!((idle.live, idle.wake), (0, None));
    /// ```
    pub fn poll(&mut self, now: Timestamp) -> Output {
        let now = self.advance(now);
        loop {
            if let Some(event) = self.events.pop_front() {
                return Output::Event(None, event);
            }
            if let Some(output) = self.outbox.pop_front() {
                return output;
            }
            if let Some(output) = self.poll_dirty(now) {
                return output;
            }
            if self.wake_due(now) {
                continue;
            }
            if let Some(attempt) = self.admit(now) {
                return Output::Start(attempt);
            }
            if self.is_quiet() {
                return Output::Idle(self.idle(now));
            }
            // Some whose turn it was ended instead of starting.
        }
    }

    /// Counts, since the start and now.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Timestamp};
    /// let engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// assert_eq!(engine.stats().submitted, 0);
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            flying: self.flying,
            hosts: self.hosts.len(),
            live: self.slots.live(),
            ..self.stats
        }
    }

    /// How it stands with one host, named by scheme, host and, unless it is the scheme's own, port.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, FetchRequest, Timestamp};
    /// # let mut engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// engine.submit(FetchRequest::get("http://a.test/x".parse()?), Timestamp::START).unwrap();
    /// assert_eq!(engine.host_stats("http://a.test").unwrap().live, 1);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn host_stats(&self, host: &str) -> Option<HostStats> {
        let host = self.hosts.find(host)?;
        let guards = host.guards.as_deref();
        let circuit = guards.and_then(|guards| guards.circuit.as_ref());
        let limiter = guards.and_then(|guards| guards.limiter.as_ref());
        let tokens = guards.and_then(|guards| guards.tokens.as_ref());
        Some(HostStats {
            circuit: circuit.map(|circuit| circuit.state(self.now)),
            flying: host.flying,
            limit: limiter.map(ConcurrencyLimiter::limit),
            live: host.live,
            paused_until: host.paused.filter(|until| *until > self.now),
            queued: host.queued,
            retries_left: tokens.map(|tokens| tokens.available_retries(self.now)),
        })
    }

    fn room(&self) -> usize {
        self.config.window_size().saturating_sub(self.slots.live())
    }

    /// The engine's own time. It never runs back: the largest seen so far counts.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let now = shifted(now, self.offset);
        self.stats.time_regressions += u64::from(now < self.now);
        self.now = self.now.max(now);
        self.now
    }

    fn touch(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index).filter(|slot| !slot.dirty) {
            slot.dirty = true;
            self.dirty.push_back(index);
        }
    }

    fn intern(&mut self, url: &url::Url) -> u32 {
        self.hosts.intern(url, &self.config, self.seed)
    }
}

/// The rest that a response's head asks for its host: any by its `RateLimit` fields, one that
/// refuses by `Retry-After`.
fn asked(head: &crate::model::attempt::HeadSummary) -> Option<Duration> {
    let refusal = matches!(head.status, 429 | 503);
    head.retry_after.filter(|_| refusal).max(head.pause)
}

/// A time on another clock, which is `offset` nanoseconds ahead.
fn shifted(at: Timestamp, offset: i64) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos().saturating_add_signed(offset))
}
