//! Many fetches at once: admission, per-host queues, limits, one timer heap. No IO.

mod config;
mod hosts;
mod slab;
mod stats;
#[cfg(test)]
mod tests;
mod timers;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;

use self::hosts::Hosts;
use self::slab::Slab;
use self::timers::Timers;
use crate::event::Event;
use crate::failure::Failure;
use crate::fetch::{Fetch, Step};
use crate::id::{AttemptId, FetchId};
use crate::outcome::Outcome;
use crate::random::mix;
use crate::rate::Gcra;
use crate::request::{Attempt, Handled, Input, Request};
use crate::time::Timestamp;
use crate::wake::{Reason, Wake};

pub use config::Config;
pub use stats::{HostStats, Stats};

/// Many fetches through a bounded window, as one state machine.
///
/// [`submit`](Self::submit) while there is room, tell what happened with [`handle`](Self::handle),
/// and [`poll`](Self::poll) until it says [`Output::Idle`]: only then does it tell how much room
/// there is and when to come back. A host whose turn it is starts one attempt, then the next host
/// has its turn, so a host with many fetches never delays the others.
///
/// ```
/// use fetch_proto::{Config, Engine, Head, Input, Output, Request, Timestamp};
///
/// let now = Timestamp::START;
/// let mut engine = Engine::new(Config::default(), 7, now);
/// engine.submit(Request::get("http://a.test/".parse()?), now)?;
/// loop {
///     match engine.poll(now) {
///         Output::Start(attempt) => {
///             engine.handle(attempt.id, Input::Head(Head::status(200)), now);
///             engine.handle(attempt.id, Input::End(Ok(())), now);
///         }
///         Output::Done(_, outcome) => assert!(outcome.is_success()),
///         Output::Idle(idle) if idle.live == 0 => break,
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    closed: bool,
    config: Config,
    /// Fetches to poll, in the order in which something happened to them.
    dirty: VecDeque<u32>,
    event: Option<Event>,
    flying: usize,
    held: bool,
    host_timers: Timers,
    hosts: Hosts,
    now: Timestamp,
    /// Fewer may fly than configured while the machine is short of descriptors.
    pressure: Option<usize>,
    rate: Option<Gcra>,
    /// Hosts that may start an attempt, in turn.
    ring: VecDeque<u32>,
    seed: u64,
    sequence: u64,
    slots: Slab,
    stats: Stats,
    timers: Timers,
}

/// What the driver should do now.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub enum Output {
    /// Drop that attempt, whatever it is doing. What it reports later is stale.
    Abort(AttemptId),
    /// Give that response's body to the consumer, and report it.
    Accept(AttemptId),
    /// Read that response's body and report it, but keep nothing.
    Discard(AttemptId),
    /// That fetch is over.
    Done(FetchId, Outcome),
    /// A decision and its reason; only with [`Config::events`]. The engine's own have no fetch.
    Event(Option<FetchId>, Event),
    /// Nothing more to do for now.
    Idle(Idle),
    /// Send that request.
    Start(Attempt),
}

/// The state of a drained engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Idle {
    /// Fetches that are not over.
    pub live: usize,
    /// Fetches that may be submitted.
    pub room: usize,
    /// When to poll again, if nothing is handled or submitted before.
    pub wake: Option<Wake>,
}

/// A request that was not taken, handed back.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The request.
    pub request: Box<Request>,
    /// Why.
    pub why: Refusal,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The engine was closed.
    Closed,
    /// There is no room: [`Config::window`] fetches are live.
    Full,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Refusal::Closed => "the engine is closed",
            Refusal::Full => "the window is full: submit no more than `Idle::room`",
        };
        write!(f, "{} was not submitted: {why}", self.request.url)
    }
}

impl core::error::Error for Rejected {}

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
        Self {
            closed: false,
            dirty: VecDeque::new(),
            event: None,
            flying: 0,
            held: false,
            host_timers: Timers::default(),
            hosts: Hosts::default(),
            now,
            pressure: None,
            rate: config.rate.map(Gcra::new),
            ring: VecDeque::new(),
            seed,
            sequence: 0,
            slots: Slab::default(),
            stats: Stats::default(),
            timers: Timers::default(),
            config,
        }
    }

    /// Adds a fetch.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Refusal, Request, Timestamp};
    /// let mut engine = Engine::new(Config::default().window(1), 7, Timestamp::START);
    /// let request = Request::get("http://a.test/".parse()?);
    /// assert!(engine.submit(request.clone(), Timestamp::START).is_ok());
    /// assert_eq!(engine.submit(request, Timestamp::START).unwrap_err().why, Refusal::Full);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Rejected`] gives the request back if there is no room or the engine was closed.
    pub fn submit(&mut self, request: Request, now: Timestamp) -> Result<FetchId, Rejected> {
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
        let policy = match &request.policy {
            Some(policy) => policy.clone(),
            None => self
                .config
                .rules
                .policy(&request.method, &request.url)
                .clone(),
        };
        let host = self.intern(&request.url);
        self.hosts.get_mut(host).live += 1;
        let id = self.slots.next_id();
        let seed = mix(self.seed, self.sequence);
        self.sequence += 1;
        self.stats.submitted += 1;
        let mut fetch = Fetch::new(request, policy, seed, now).with_id(id);
        if self.config.events {
            fetch = fetch.with_events();
        }
        let slot = self.slots.insert(fetch, host);
        self.touch(slot);
        Ok(id)
    }

    /// Tells what happened to an attempt. Poll afterwards.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Failure, Handled, Input, Output, Request, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(Config::default(), 7, now);
    /// # engine.submit(Request::get("http://a.test/".parse()?), now).unwrap();
    /// let Output::Start(attempt) = engine.poll(now) else { unreachable!() };
    /// let handled = engine.handle(attempt.id, Input::End(Err(Failure::Connect)), now);
    /// assert_eq!(handled, Handled::Applied);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn handle(&mut self, id: AttemptId, input: Input, now: Timestamp) -> Handled {
        let now = self.advance(now);
        let found = self.slots.find(id.fetch);
        let Some((index, slot)) = found.and_then(|i| Some((i, self.slots.get_mut(i)?))) else {
            self.stats.stale_inputs += 1;
            return Handled::Stale;
        };
        // Marks and progress change no decision by themselves; the deadlines they move are looked
        // up when the timer fires.
        let asked = match &input {
            Input::Head(head) if matches!(head.status, 429 | 503) => head.retry_after,
            _ => None,
        };
        let (exhausted, landed) = match &input {
            Input::End(result) => (*result == Err(Failure::Exhausted), result.is_ok()),
            _ => (false, false),
        };
        if slot.fetch.handle(id, input, now) == Handled::Stale {
            self.stats.stale_inputs += 1;
            return Handled::Stale;
        }
        let pause = asked.map(|asked| slot.fetch.policy().retry_after.pause(asked));
        let host = slot.host;
        self.touch(index);
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            self.pause(host, now + pause, now);
        }
        if exhausted {
            self.press();
        } else if landed {
            self.ease();
        }
        Handled::Applied
    }

    /// Ends one fetch: `Abort` if it is in flight, then `Done` with
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Handled, Request, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = Engine::new(Config::default(), 7, now);
    /// let id = engine.submit(Request::get("http://a.test/".parse()?), now).unwrap();
    /// assert_eq!(engine.cancel(id, now), Handled::Applied);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn cancel(&mut self, id: FetchId, now: Timestamp) -> Handled {
        let now = self.advance(now);
        let Some(index) = self.slots.find(id) else {
            return Handled::Stale;
        };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.fetch.cancel(now);
        }
        self.touch(index);
        Handled::Applied
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
            if let Some(event) = self.event.take() {
                return Output::Event(None, event);
            }
            if let Some(output) = self.poll_dirty(now) {
                return output;
            }
            if self.wake_due(now) {
                continue;
            }
            return match self.admit(now) {
                Some(attempt) => Output::Start(attempt),
                None => Output::Idle(self.idle(now)),
            };
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
    /// # use fetch_proto::{Config, Engine, Request, Timestamp};
    /// # let mut engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// engine.submit(Request::get("http://a.test/x".parse()?), Timestamp::START).unwrap();
    /// assert_eq!(engine.host_stats("http://a.test").unwrap().live, 1);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn host_stats(&self, host: &str) -> Option<HostStats> {
        self.hosts.find(host).map(|host| HostStats {
            flying: host.flying,
            live: host.live,
            paused_until: host.paused.filter(|until| *until > self.now),
            queued: host.queued,
        })
    }

    fn room(&self) -> usize {
        self.config.window_size().saturating_sub(self.slots.live())
    }

    /// Time never runs back: the largest `now` seen so far counts.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
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
        let rate = self.config.host_rate;
        self.hosts.intern(url, || rate.map(Gcra::new))
    }

    /// Polls the fetches to which something happened, until one has something to say.
    fn poll_dirty(&mut self, now: Timestamp) -> Option<Output> {
        while let Some(&index) = self.dirty.front() {
            let id = self.slots.id(index);
            let Some(slot) = self.slots.get_mut(index) else {
                self.dirty.pop_front();
                continue;
            };
            let step = slot.fetch.poll(now);
            if slot.flying && !slot.fetch.is_flying() {
                slot.flying = false;
                let host = slot.host;
                self.land(host, now);
            }
            match step {
                Step::Abort(id) => return Some(Output::Abort(id)),
                Step::Accept(id) => return Some(Output::Accept(id)),
                Step::Discard(id) => return Some(Output::Discard(id)),
                Step::Event(event) => return Some(Output::Event(Some(id), event)),
                Step::Ready => self.enqueue(index, now),
                Step::Done(outcome) => {
                    self.dirty.pop_front();
                    self.remove(index, now);
                    self.stats.count(&outcome);
                    return Some(Output::Done(id, outcome));
                }
                Step::Wait(wake) => {
                    slot_clean(&mut self.slots, index);
                    self.dirty.pop_front();
                    self.timers.set(index, wake);
                }
            }
        }
        None
    }

    /// A permit is free again.
    fn land(&mut self, host: u32, now: Timestamp) {
        self.flying -= 1;
        self.hosts.get_mut(host).flying -= 1;
        self.offer(host, now);
    }

    /// The fetch wants a slot on the host of its present target.
    fn enqueue(&mut self, index: u32, now: Timestamp) {
        let Some(slot) = self.slots.get(index) else {
            return;
        };
        let (old, first) = (slot.host, slot.fetch.is_first());
        let target = slot.fetch.target().clone();
        let host = self.intern(&target);
        if host != old {
            self.hosts.get_mut(host).live += 1;
            self.leave(old, now);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.host = host;
        }
        // A fetch that was admitted before is older than all that wait for the first time.
        self.hosts.enqueue(host, &mut self.slots, index, !first);
        self.offer(host, now);
    }

    fn remove(&mut self, index: u32, now: Timestamp) {
        let Some(host) = self.slots.get(index).map(|slot| slot.host) else {
            return;
        };
        self.hosts.unlink(host, &mut self.slots, index);
        self.timers.set(index, None);
        self.slots.remove(index);
        self.leave(host, now);
    }

    /// One fetch fewer belongs to the host.
    fn leave(&mut self, host: u32, now: Timestamp) {
        let state = self.hosts.get_mut(host);
        state.live -= 1;
        if state.live > 0 {
            return;
        }
        // Its rest and its rate's debt outlive its fetches: they end by the host's timer.
        let rest = state.paused.filter(|until| *until > now);
        let debt = state
            .rate
            .as_ref()
            .map(Gcra::idle_at)
            .filter(|at| *at > now);
        match rest.max(debt) {
            Some(at) => self.host_timers.set(
                host,
                Some(Wake {
                    at,
                    why: Reason::Host,
                }),
            ),
            None => self.hosts.evict(host, now),
        }
    }

    /// Gives the host a turn, if it has something to start and may.
    fn offer(&mut self, host: u32, now: Timestamp) {
        let limit = self
            .config
            .per_host
            .map_or(usize::MAX, core::num::NonZeroUsize::get);
        let state = self.hosts.get_mut(host);
        if state.in_ring || state.queued == 0 || state.flying >= limit {
            return;
        }
        let rest = state.paused.filter(|until| *until > now);
        let rate = state
            .rate
            .as_ref()
            .map(|rate| rate.next_allowed(now))
            .filter(|at| *at > now);
        match rest.max(rate) {
            Some(at) => self.host_timers.set(
                host,
                Some(Wake {
                    at,
                    why: Reason::Host,
                }),
            ),
            None => {
                state.in_ring = true;
                self.ring.push_back(host);
            }
        }
    }

    fn pause(&mut self, host: u32, until: Timestamp, now: Timestamp) {
        let state = self.hosts.get_mut(host);
        if state.paused.is_some_and(|before| before >= until) {
            return;
        }
        state.paused = Some(until);
        if self.config.events && self.event.is_none() {
            let pause = until.saturating_since(now);
            self.event = Some(Event::HostPaused {
                host: state.key.clone(),
                pause,
            });
        }
        self.host_timers.set(
            host,
            Some(Wake {
                at: until,
                why: Reason::Host,
            }),
        );
    }

    /// Moves what is due into the list to poll. Whether there was anything.
    fn wake_due(&mut self, now: Timestamp) -> bool {
        if let Some((_, index)) = self.timers.peek().filter(|(wake, _)| wake.at <= now) {
            self.timers.set(index, None);
            self.touch(index);
            return true;
        }
        if let Some((_, host)) = self.host_timers.peek().filter(|(wake, _)| wake.at <= now) {
            self.host_timers.set(host, None);
            if self.hosts.exists(host) {
                self.offer(host, now);
                self.hosts.evict(host, now);
            }
            return true;
        }
        false
    }

    /// Starts one attempt, if all limits allow it.
    fn admit(&mut self, now: Timestamp) -> Option<Attempt> {
        while self.may_admit() && self.rate_allows(now) {
            let host = self.ring.pop_front()?;
            self.hosts.get_mut(host).in_ring = false;
            let rest = self.hosts.get(host).paused.is_some_and(|until| until > now);
            let Some(index) = self.hosts.front(host).filter(|_| !rest) else {
                // Paused, or emptied, since it got its place in the ring.
                self.offer(host, now);
                self.hosts.evict(host, now);
                continue;
            };
            self.hosts.unlink(host, &mut self.slots, index);
            self.touch(index);
            let Some(slot) = self.slots.get_mut(index) else {
                continue;
            };
            let Some(attempt) = slot.fetch.start(now) else {
                self.offer(host, now);
                continue;
            };
            slot.flying = true;
            self.flying += 1;
            self.stats.attempts += 1;
            let state = self.hosts.get_mut(host);
            state.flying += 1;
            for rate in [&mut self.rate, &mut state.rate].into_iter().flatten() {
                let taken = rate.try_take(now);
                debug_assert!(taken.is_ok(), "a host in the ring is within its rate");
            }
            self.offer(host, now);
            return Some(attempt);
        }
        None
    }

    fn may_admit(&self) -> bool {
        let limit = self
            .pressure
            .unwrap_or(usize::MAX)
            .min(self.config.concurrency.get());
        !self.held && self.flying < limit && !self.ring.is_empty()
    }

    fn rate_allows(&self, now: Timestamp) -> bool {
        self.rate
            .as_ref()
            .is_none_or(|rate| rate.next_allowed(now) <= now)
    }

    fn idle(&self, now: Timestamp) -> Idle {
        let rate = self.rate.as_ref().filter(|_| self.may_admit());
        let rate = rate.map(|rate| Wake {
            at: rate.next_allowed(now),
            why: Reason::Rate,
        });
        let timers = [self.timers.peek(), self.host_timers.peek()]
            .into_iter()
            .flatten();
        Idle {
            live: self.slots.live(),
            room: if self.closed { 0 } else { self.room() },
            wake: timers.map(|(wake, _)| wake).chain(rate).min(),
        }
    }

    /// Out of descriptors: one fewer at once than fly now, and one fewer for each that fails so.
    fn press(&mut self) {
        let limit = self
            .pressure
            .map_or(self.flying, |limit| limit.min(self.flying));
        let limit = limit.saturating_sub(1).max(1);
        self.pressure = Some(limit);
        if self.config.events && self.event.is_none() {
            self.event = Some(Event::Pressure { concurrency: limit });
        }
    }

    /// A complete response: one more may fly again.
    fn ease(&mut self) {
        self.pressure = self
            .pressure
            .map(|limit| limit + 1)
            .filter(|l| *l < self.config.concurrency.get());
    }
}

fn slot_clean(slots: &mut Slab, index: u32) {
    if let Some(slot) = slots.get_mut(index) {
        slot.dirty = false;
    }
}
