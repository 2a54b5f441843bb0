//! Who may start: hosts take turns, within every limit.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::num::NonZeroUsize;
use core::time::Duration;

use url::Url;

use super::Engine;
use super::slab::{NO_ENDPOINT, Permit};
use super::world::Shared;
use crate::fetch::Fetch;
use crate::guards::balance::EndpointResult;
use crate::guards::breaker::CallResult;
use crate::guards::rate::RateLimiter;
use crate::model::attempt::Attempt;
use crate::model::event::DecisionEvent;
use crate::model::fault::InjectedFault;
use crate::model::outcome::FetchError;
use crate::model::time::{Timestamp, nanos};
use crate::model::wake::{NextWake, WakeReason};
use crate::random::{between, mix};

/// Why a host may not start an attempt now.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Obstacle {
    /// It rests until then.
    Until(Timestamp),
    /// Until something happens: an attempt lands, or a setting changes.
    Open,
}

/// What became of a fetch's turn.
enum Launch {
    /// It flies, but a fault made on purpose holds its request back.
    Held,
    /// It could not begin.
    Not,
    Sent(Attempt),
}

impl Engine {
    /// Gives the host a turn, if it has something to start and may.
    pub(super) fn offer(&mut self, host: u32, now: Timestamp) {
        let state = self.hosts.get(host);
        if state.in_ring || state.queued == 0 {
            return;
        }
        match self.obstacle(host, now) {
            Some(Obstacle::Until(at)) => self.wake_host(host, at),
            Some(Obstacle::Open) => {}
            None => {
                self.hosts.get_mut(host).in_ring = true;
                self.ring.push_back(host);
            }
        }
    }

    pub(super) fn wake_host(&mut self, host: u32, at: Timestamp) {
        let why = WakeReason::Host;
        self.host_timers.set(host, Some(NextWake { at, why }));
    }

    /// What keeps the host, or all endpoints of the target that it is, from starting an attempt.
    fn obstacle(&self, host: u32, now: Timestamp) -> Option<Obstacle> {
        let state = self.hosts.get(host);
        match &state.group {
            None => self.own_obstacle(host, false, now),
            Some(group) => {
                let mut earliest = Some(Obstacle::Open);
                for endpoint in &group.endpoints {
                    earliest = earliest.min(self.own_obstacle(*endpoint, true, now));
                }
                earliest
            }
        }
    }

    /// What keeps this very host from it. Where breakers fail fast there is nothing to wait for:
    /// only an endpoint (`strict`) is passed over then.
    fn own_obstacle(&self, host: u32, strict: bool, now: Timestamp) -> Option<Obstacle> {
        let state = self.hosts.get(host);
        let own = self.config.per_host.map_or(usize::MAX, NonZeroUsize::get);
        if state.flying >= state.limit(own) {
            return Some(Obstacle::Open);
        }
        let denied = state.guards.as_ref().and_then(|guards| {
            let circuit = guards.circuit.as_ref().filter(|_| strict);
            circuit.map_or_else(|| guards.deferred_until(now), |circuit| circuit.denial(now))
        });
        if denied.is_some_and(|denied| denied.until.is_none()) {
            return Some(Obstacle::Open);
        }
        let denied = denied.and_then(|denied| denied.until);
        let rate = state.rate.as_ref().map(|rate| rate.next_allowed(now));
        let rest = [state.paused, state.next, rate, denied]
            .into_iter()
            .flatten();
        rest.max().filter(|at| *at > now).map(Obstacle::Until)
    }

    /// Starts one attempt, if all limits allow it.
    pub(super) fn admit(&mut self, now: Timestamp) -> Option<Attempt> {
        while !self.ring.is_empty() && self.has_place() && self.rate_allows(now) {
            let host = self.ring.pop_front()?;
            self.hosts.get_mut(host).in_ring = false;
            let ready = self.obstacle(host, now).is_none();
            let front = self.hosts.front(host).filter(|_| ready);
            if let Some(index) = front
                && let Launch::Sent(attempt) = self.take_turn(host, index, now)
            {
                return Some(attempt);
            }
            // It rests, or was emptied, since it got its place in the ring; or there are others.
            self.offer(host, now);
            self.hosts.evict(host, now);
        }
        None
    }

    /// The turn of the first fetch in the host's queue.
    fn take_turn(&mut self, host: u32, index: u32, now: Timestamp) -> Launch {
        if self.spares(host, index, now) {
            return Launch::Not;
        }
        self.hosts.unlink(host, &mut self.slots, index);
        self.touch(index);
        let Some(slot) = self.slots.get_mut(index) else {
            return Launch::Not;
        };
        if let Some(error) = refusal(&mut self.hosts, &self.config, host, &slot.fetch, now) {
            slot.fetch.refuse(error, now);
            return Launch::Not;
        }
        let rule = slot.rule;
        if !self.gates.allows(rule, now) {
            let id = self.slots.id(index);
            self.gates.park(rule, id, now);
            return Launch::Not;
        }
        let launch = self.launch(host, index, now);
        if !matches!(launch, Launch::Not) {
            self.offer(host, now);
        }
        launch
    }

    /// Whether the host is spared this request, since it refuses so many: it rests for a while.
    fn spares(&mut self, host: u32, index: u32, now: Timestamp) -> bool {
        if self.config.throttle.is_none() {
            return false;
        }
        let draw = self.draw();
        let guards = self.hosts.get(host).guards.as_ref();
        let throttler = guards.and_then(|guards| guards.throttler.as_ref());
        if throttler.is_none_or(|throttler| throttler.can_send(draw, now)) {
            return false;
        }
        let slot = self.slots.get(index);
        let rest = slot.map_or(Duration::ZERO, |slot| {
            slot.fetch.policy().backoff.ceiling(0)
        });
        let state = self.hosts.get_mut(host);
        state.next = state.next.max(Some(now + rest));
        let key = state.key.clone();
        self.tell(|| DecisionEvent::HostThrottled { host: key, rest });
        true
    }

    /// A fetch in flight wants another attempt to race the first: at once, or not at all.
    pub(super) fn race(&mut self, index: u32, now: Timestamp) -> Option<Attempt> {
        let host = self.slots.get(index)?.host;
        let free = self.has_place() && self.rate_allows(now);
        if free && self.obstacle(host, now).is_none() {
            let rule = self.slots.get(index)?.rule;
            if self.gates.allows(rule, now)
                && let Launch::Sent(attempt) = self.launch(host, index, now)
            {
                return Some(attempt);
            }
        }
        let slot = self.slots.get_mut(index)?;
        slot.fetch.skip_hedge();
        None
    }

    /// Puts an attempt into the air; every limit has been asked.
    fn launch(&mut self, host: u32, index: u32, now: Timestamp) -> Launch {
        let (to, endpoint, url) = match self.pick(host, index, now) {
            Some(picked) => picked,
            None if self.hosts.get(host).group.is_some() => return Launch::Not,
            None => (host, NO_ENDPOINT, None),
        };
        let guards = self.hosts.get_mut(to).guards.as_mut();
        let call = guards.and_then(|guards| guards.circuit.as_mut()?.admit(now).ok());
        let Some(slot) = self.slots.get_mut(index) else {
            return Launch::Not;
        };
        let mut world = Shared {
            guards: self.hosts.get_mut(host).guards.as_deref_mut(),
            probes: slot.probes(),
            tokens: self.tokens.as_mut(),
            rare: &mut slot.rare,
        };
        let before = slot.fetch.latest();
        let attempt = slot.fetch.start_in(now, url, &mut world);
        let permit = Permit {
            call,
            endpoint,
            host: to,
            number: slot.fetch.latest(),
        };
        if permit.number == before {
            self.give_back(host, permit, now);
            return Launch::Not;
        }
        if endpoint != NO_ENDPOINT {
            slot.rare().tried.push(endpoint.into());
        }
        slot.permits.push(permit);
        let first = permit.number == 1;
        let jump = slot.fetch.fault();
        self.gates.pass(slot.rule, now);
        self.occupy(host, permit, first, now);
        if let Some(InjectedFault::ClockJump(by)) = jump {
            self.offset = self.offset.saturating_add_unsigned(nanos(by));
        }
        attempt.map_or(Launch::Held, Launch::Sent)
    }

    /// The endpoint for the next attempt at a target: its host, its number, and the URL there.
    fn pick(
        &mut self,
        host: u32,
        index: u32,
        now: Timestamp,
    ) -> Option<(u32, u16, Option<Arc<Url>>)> {
        self.hosts.get(host).group.as_ref()?;
        let draw = self.draw();
        let slot = self.slots.get(index)?;
        // Taken out meanwhile, for the endpoints' own state lies beside it.
        let mut group = self.hosts.get_mut(host).group.take()?;
        let tried = slot.rare.as_ref().map_or(&[][..], |rare| &rare.tried);
        let usable = |i: usize| self.own_obstacle(group.endpoints[i], true, now).is_none();
        let picked = group.balancer.pick(tried, usable, draw, now);
        // An ejected one is better than none, if the others may not be used at all.
        let picked = picked.or_else(|| (0..group.endpoints.len()).find(|i| usable(*i)));
        let picked = picked.map(|i| {
            group.balancer.record_start(i, now);
            let url = group.url(i, slot.fetch.target());
            (group.endpoints[i], i as u16, Some(url))
        });
        self.hosts.get_mut(host).group = Some(group);
        picked
    }

    /// The attempt takes its place, and a token of each rate.
    fn occupy(&mut self, host: u32, permit: Permit, first: bool, now: Timestamp) {
        self.flying += 1;
        self.stats.attempts += 1;
        let wait = self.spacing(permit.host);
        let state = self.hosts.get_mut(permit.host);
        state.flying += 1;
        state.next = wait.map(|wait| now + wait).max(state.next);
        for rate in [&mut self.rate, &mut state.rate].into_iter().flatten() {
            let taken = rate.try_acquire(now);
            debug_assert!(taken.is_ok(), "no obstacle: it is within its rate");
        }
        // A target's own throttle counts what goes to any of its endpoints.
        let other = (host != permit.host).then_some(host);
        for counted in other.into_iter().chain([permit.host]) {
            let guards = self.hosts.get_mut(counted).guards.as_mut();
            if let Some(throttler) = guards.and_then(|guards| guards.throttler.as_mut()) {
                throttler.record_request(now);
            }
        }
        if first {
            let host = self.hosts.get_mut(host).guards.as_mut();
            let own = host.and_then(|guards| guards.tokens.as_mut());
            for tokens in own.into_iter().chain(&mut self.tokens) {
                tokens.record_request(now);
            }
        }
    }

    /// The fetch did not begin: what was taken for it is free again.
    fn give_back(&mut self, host: u32, permit: Permit, now: Timestamp) {
        if let Some(group) = &mut self.hosts.get_mut(host).group {
            let endpoint = usize::from(permit.endpoint);
            group
                .balancer
                .record_end(endpoint, EndpointResult::Neutral, Duration::ZERO, now);
        }
        let guards = self.hosts.get_mut(permit.host).guards.as_mut();
        if let Some((guards, call)) = guards.zip(permit.call)
            && let Some(circuit) = &mut guards.circuit
        {
            circuit.record(call, CallResult::Neutral, Duration::ZERO, now);
        }
    }

    /// The wait after an attempt at this host, by chance and by what it asks of crawlers.
    fn spacing(&mut self, host: u32) -> Option<Duration> {
        let drawn = self.config.spacing.map(|(min, max)| {
            let nanos = between(self.draw(), nanos(min), nanos(max));
            Duration::from_nanos(nanos)
        });
        if self.crawl_delays.is_empty() {
            return drawn;
        }
        let asked = self.crawl_delays.get(&self.hosts.get(host).key);
        asked.copied().max(drawn)
    }

    /// A random word of the engine's own.
    fn draw(&mut self) -> u64 {
        self.draws += 1;
        mix(!self.seed, self.draws)
    }

    fn rate_allows(&self, now: Timestamp) -> bool {
        self.rate
            .as_ref()
            .is_none_or(|rate| self.has_rate() && rate.next_allowed(now) <= now)
    }

    /// When the rate over all hosts allows the next attempt, if that is all that it waits for.
    pub(super) fn rate_wake(&self, now: Timestamp) -> Option<NextWake> {
        let waits = !self.ring.is_empty() && self.has_place() && self.has_rate();
        let rate: &RateLimiter = self.rate.as_ref().filter(|_| waits)?;
        Some(NextWake {
            at: rate.next_allowed(now),
            why: WakeReason::Rate,
        })
    }

    pub(super) fn tell(&mut self, event: impl FnOnce() -> DecisionEvent) {
        if self.config.events {
            self.events.push_back(event());
        }
    }
}

/// Why a fetch whose turn it is does not begin, though there is a place.
fn refusal(
    hosts: &mut super::hosts::Hosts,
    config: &super::Config,
    host: u32,
    fetch: &Fetch,
    now: Timestamp,
) -> Option<FetchError> {
    let guards: &mut Box<_> = hosts.get_mut(host).guards.as_mut()?;
    if guards.fails_fast(now) {
        return Some(FetchError::CircuitOpen);
    }
    let shed = config.shed.as_ref()?;
    guards
        .sheds(shed, fetch.waited(now), now)
        .then_some(FetchError::Shed)
}
