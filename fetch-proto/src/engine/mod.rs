//! Many fetches at once: admission, per-host queues, limits, one timer heap. No IO.

mod admit;
mod checkpoint;
mod config;
mod gates;
mod guards;
mod hosts;
mod live;
#[cfg(test)]
mod policies_tests;
mod settle;
mod sharing;
mod slab;
mod stats;
mod targets;
#[cfg(test)]
mod tests;
mod timers;
mod world;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use core::fmt;
use core::time::Duration;

use self::gates::Gates;
use self::hosts::Hosts;
use self::settle::Landing;
use self::sharing::{Key, Leaders};
use self::slab::{NONE, Rare, Slab, Slot};
use self::timers::Timers;
use self::world::Shared;
use crate::budget::Purse;
use crate::event::Event;
use crate::failure::Failure;
use crate::fetch::{Fetch, Step};
use crate::id::{AttemptId, FetchId};
use crate::limiter::Limiter;
use crate::outcome::Outcome;
use crate::random::mix;
use crate::rate::Gcra;
use crate::request::{Attempt, Handled, Input, Request};
use crate::time::Timestamp;
use crate::wake::Wake;

pub use checkpoint::Checkpoint;
pub use config::{Config, Shed};
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
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Engine {
    closed: bool,
    config: Config,
    /// The least time between two attempts at a host, by its name.
    crawl_delays: BTreeMap<Box<str>, Duration>,
    /// Fetches to poll, in the order in which something happened to them.
    dirty: VecDeque<u32>,
    draws: u64,
    /// Decisions of the engine itself that were not yet told.
    events: VecDeque<Event>,
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
    /// Fewer may fly than configured while the machine is short of descriptors.
    pressure: Option<usize>,
    /// For extra attempts over all hosts.
    purse: Option<Purse>,
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
        let mut engine = Self {
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
            pressure: None,
            purse: config.budget.map(Purse::new),
            rate: config.rate.map(Gcra::new),
            ring: VecDeque::new(),
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
        let (rule, policy) = self.config.rules.choose(&request.method, &request.url);
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
        let asked = match &input {
            Input::Head(head) => asked(head),
            _ => None,
        };
        let (exhausted, landed) = match &input {
            Input::End(result) => (*result == Err(Failure::Exhausted), result.is_ok()),
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
            purse: self.purse.as_mut(),
            rare: &mut slot.rare,
        };
        // Marks and progress change no decision by themselves; the deadlines they move are looked
        // up when the timer fires.
        if slot.fetch.handle_in(id, input, now, &mut world) == Handled::Stale {
            self.stats.stale_inputs += 1;
            return Handled::Stale;
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

    /// Whether there is nothing to tell, nor anyone to ask: whose turn came to nothing has to be.
    fn is_quiet(&self) -> bool {
        self.dirty.is_empty() && self.events.is_empty() && self.outbox.is_empty()
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
        let host = self.hosts.find(host)?;
        let guards = host.guards.as_deref();
        let circuit = guards.and_then(|guards| guards.circuit.as_ref());
        let limiter = guards.and_then(|guards| guards.limiter.as_ref());
        let purse = guards.and_then(|guards| guards.purse.as_ref());
        Some(HostStats {
            circuit: circuit.map(|circuit| circuit.state(self.now)),
            flying: host.flying,
            limit: limiter.map(Limiter::limit),
            live: host.live,
            paused_until: host.paused.filter(|until| *until > self.now),
            queued: host.queued,
            retries_left: purse.map(|purse| purse.balance(self.now)),
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

    /// Polls the fetches to which something happened, until one has something to say.
    fn poll_dirty(&mut self, now: Timestamp) -> Option<Output> {
        while let Some(&index) = self.dirty.front() {
            let id = self.slots.id(index);
            let Some(step) = self.step(index, now) else {
                self.dirty.pop_front();
                continue;
            };
            match step {
                Step::Abort(id) => return Some(Output::Abort(id)),
                Step::Accept(id) => return Some(Output::Accept(id)),
                Step::Discard(id) => return Some(Output::Discard(id)),
                Step::Event(event) => return Some(Output::Event(Some(id), event)),
                Step::Start(attempt) => return Some(Output::Start(*attempt)),
                Step::Ready if self.is_flying(index) => {
                    if let Some(attempt) = self.race(index, now) {
                        return Some(Output::Start(attempt));
                    }
                }
                Step::Ready => self.line_up(index, now),
                Step::Done(outcome) => {
                    self.dirty.pop_front();
                    self.stats.count(&outcome);
                    if let Some(rare) = self.remove(index, now) {
                        self.pass_on(id, *rare, &outcome);
                    }
                    let done = Output::Done(id, outcome);
                    if self.outbox.is_empty() {
                        return Some(done);
                    }
                    self.outbox.push_back(done);
                    return self.outbox.pop_front();
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

    /// Asks a fetch what it wants, and settles the attempts that have landed since.
    fn step(&mut self, index: u32, now: Timestamp) -> Option<Step> {
        let slot = self.slots.get_mut(index)?;
        let mut world = Shared {
            guards: self.hosts.get_mut(slot.host).guards.as_deref_mut(),
            probes: slot.probes(),
            purse: self.purse.as_mut(),
            rare: &mut slot.rare,
        };
        let step = slot.fetch.poll_in(now, &mut world);
        while let Some(landing) = Landing::next(self.slots.get_mut(index)?, &step) {
            self.settle(&landing, now);
        }
        Some(step)
    }

    fn is_flying(&self, index: u32) -> bool {
        self.slots
            .get(index)
            .is_some_and(|slot| slot.fetch.is_flying())
    }

    /// The fetch wants a slot on the host of its present target.
    fn line_up(&mut self, index: u32, now: Timestamp) {
        let Some(slot) = self.slots.get(index) else {
            return;
        };
        let (old, first) = (slot.host, slot.fetch.is_first());
        let target = slot.fetch.target().clone();
        // Its queue limit may have turned it to its fallback while it was still in that queue.
        self.hosts.unlink(old, &mut self.slots, index);
        let host = self.intern(&target);
        if host != old {
            self.hosts.get_mut(host).live += 1;
            self.leave(old, now);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.host = host;
        }
        // A fetch that was admitted before is older than all that wait for the first time. But a host
        // that is down is probed with another each time, lest one spends all its attempts on it.
        let front = !first && !self.hosts.get(host).is_broken(now);
        self.hosts.enqueue(host, &mut self.slots, index, front);
        self.offer(host, now);
    }

    /// A fetch that was parked goes to its host's queue, unless it went elsewhere meanwhile.
    fn rejoin(&mut self, id: FetchId, now: Timestamp) {
        let Some(index) = self.slots.find(id) else {
            return;
        };
        let slot = self.slots.get(index);
        if slot.is_some_and(|slot| slot.fetch.is_waiting() && !slot.queued) {
            self.line_up(index, now);
        }
    }

    /// Removes a fetch; what is left is what few have.
    fn remove(&mut self, index: u32, now: Timestamp) -> Option<Box<Rare>> {
        let host = self.slots.get(index)?.host;
        self.hosts.unlink(host, &mut self.slots, index);
        self.timers.set(index, None);
        let rare = self.slots.remove(index);
        self.leave(host, now);
        rare
    }

    /// One fetch fewer belongs to the host.
    fn leave(&mut self, host: u32, now: Timestamp) {
        self.hosts.get_mut(host).live -= 1;
        self.forget(host, now);
    }

    /// Drops a host that nothing needs, as soon as nothing is to be remembered of it.
    fn forget(&mut self, host: u32, now: Timestamp) {
        let state = self.hosts.get(host);
        if state.live > 0 || state.flying > 0 {
            return;
        }
        // What must be remembered of it outlives its fetches: that ends by the host's timer.
        let until = state.remembers_until();
        if until > now {
            self.wake_host(host, until);
        } else {
            self.hosts.evict(host, now);
        }
    }

    fn pause(&mut self, host: u32, until: Timestamp, now: Timestamp) {
        let state = self.hosts.get_mut(host);
        if state.paused.is_some_and(|before| before >= until) {
            return;
        }
        state.paused = Some(until);
        state.ramp = self.config.slow_start.then_some(1);
        let (host_key, pause) = (state.key.clone(), until.saturating_since(now));
        self.tell(|| Event::HostPaused {
            host: host_key,
            pause,
        });
        self.wake_host(host, until);
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
            self.host_woke(host, now);
            return true;
        }
        let is_live = |id| self.slots.find(id).is_some();
        if self.gates.wake().is_some_and(|wake| wake.at <= now) {
            let due = self.gates.due(now, is_live);
            if let Some(id) = due {
                self.rejoin(id, now);
            }
            return true;
        }
        false
    }

    /// A host's rest is over.
    fn host_woke(&mut self, host: u32, now: Timestamp) {
        if !self.hosts.exists(host) {
            return;
        }
        self.offer(host, now);
        for target in self.hosts.get(host).serves.clone() {
            self.offer(target, now);
        }
        let state = self.hosts.get(host);
        let until = state.remembers_until();
        if state.live == 0 && until > now {
            self.wake_host(host, until); // it was called for another reason
        } else {
            self.hosts.evict(host, now);
        }
    }

    fn idle(&self, now: Timestamp) -> Idle {
        let timers = [self.timers.peek(), self.host_timers.peek()];
        let timers = timers.into_iter().flatten().map(|(wake, _)| wake);
        let wakes = timers.chain(self.gates.wake()).chain(self.rate_wake(now));
        Idle {
            live: self.slots.live(),
            room: if self.closed { 0 } else { self.room() },
            wake: wakes.min().map(|wake| Wake {
                at: shifted(wake.at, self.offset.saturating_neg()),
                why: wake.why,
            }),
        }
    }

    /// Out of descriptors: one fewer at once than fly now, and one fewer for each that fails so.
    fn press(&mut self) {
        let limit = self
            .pressure
            .map_or(self.flying, |limit| limit.min(self.flying));
        let limit = limit.saturating_sub(1).max(1);
        self.pressure = Some(limit);
        self.tell(|| Event::Pressure { concurrency: limit });
    }

    /// A complete response: one more may fly again.
    fn ease(&mut self) {
        self.pressure = self
            .pressure
            .map(|limit| limit + 1)
            .filter(|l| *l < self.config.concurrency.get());
    }
}

/// The rest that a response's head asks for its host: any by its `RateLimit` fields, one that
/// refuses by `Retry-After`.
fn asked(head: &crate::request::Head) -> Option<Duration> {
    let refusal = matches!(head.status, 429 | 503);
    head.retry_after.filter(|_| refusal).max(head.pause)
}

/// A time on another clock, which is `offset` nanoseconds ahead.
fn shifted(at: Timestamp, offset: i64) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos().saturating_add_signed(offset))
}

fn slot_clean(slots: &mut Slab, index: u32) {
    if let Some(slot) = slots.get_mut(index) {
        slot.dirty = false;
    }
}
