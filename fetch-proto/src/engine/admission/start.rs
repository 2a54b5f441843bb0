//! Starting attempts: hosts take turns, within all limits.

use alloc::sync::Arc;
use core::num::NonZeroUsize;
use core::time::Duration;

use url::Url;

use super::context::with_context;
use crate::engine::Engine;
use crate::engine::config::EngineConfig;
use crate::engine::limits::host_guards::HostGuards;
use crate::engine::state::fetch_slab::{AttemptPermit, NO_ENDPOINT, NO_INDEX};
use crate::engine::state::turn_queue::TurnQueue;
use crate::fetch::Fetch;
use crate::guards::balance::EndpointResult;
use crate::guards::breaker::CallResult;
use crate::guards::pacing::HostPacer;
use crate::model::attempt::Attempt;
use crate::model::event::DecisionEvent;
use crate::model::fault::InjectedFault;
use crate::model::id::FetchId;
use crate::model::outcome::FetchError;
use crate::model::time::Timestamp;

/// Why a host may not start an attempt now.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Obstacle {
    /// Until this time.
    Until(Timestamp),
    /// Until an event: an attempt ends, or a setting changes.
    Indefinite,
}

/// The result of a fetch's turn.
pub(crate) enum TurnResult {
    /// The driver must send this attempt.
    Started(Attempt),
    /// An attempt started, but an injected fault holds its request back.
    HeldBack,
    /// The start needs a grant.
    Held,
    NotStarted,
}

/// A start that is held until the driver grants or denies it, because a shared rate limits it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct HeldStart {
    pub(crate) fetch: FetchId,
    /// The host in whose queue the fetch waited.
    pub(crate) host: u32,
    pub(crate) is_hedge: bool,
    pub(crate) rule: u32,
}

impl Engine {
    /// Queues the host for a turn, if it has queued fetches and no obstacle.
    pub(crate) fn offer_turn(&mut self, host: u32, now: Timestamp) {
        self.offer_turn_at(host, TurnQueue::push, now);
    }

    /// Like [`offer_turn`](Self::offer_turn), but the host has the next turn.
    pub(crate) fn offer_next_turn(&mut self, host: u32, now: Timestamp) {
        self.offer_turn_at(host, TurnQueue::push_front, now);
    }

    fn offer_turn_at(
        &mut self,
        host: u32,
        push: fn(&mut TurnQueue, u32, &mut bool),
        now: Timestamp,
    ) {
        let state = self.hosts.get(host);
        if state.in_turn_queue || state.queued == 0 {
            return;
        }
        match self.obstacle(host, now) {
            Some(Obstacle::Until(at)) => {
                self.timers.set_host(host, at);
                self.give_up_if_due(host, now);
            }
            Some(Obstacle::Indefinite) => {}
            None => {
                let is_queued = &mut self.hosts.get_mut(host).in_turn_queue;
                push(&mut self.host_turns, host, is_queued);
            }
        }
    }

    /// The obstacle to starting an attempt at the host; for a balanced target, the earliest to end
    /// among those of its endpoints.
    fn obstacle(&self, host: u32, now: Timestamp) -> Option<Obstacle> {
        let state = self.hosts.get(host);
        match &state.target {
            // Its fetches take their turn, and fail.
            Some(_) if self.host_down_error(host, now).is_some() => None,
            None => self.host_obstacle(host, false, now),
            Some(target) => {
                let mut earliest = Some(Obstacle::Indefinite);
                for endpoint in &target.endpoints {
                    earliest = earliest.min(self.host_obstacle(*endpoint, true, now));
                }
                earliest
            }
        }
    }

    /// The obstacle of this host alone. An open breaker that fails fast is an obstacle only for an
    /// endpoint, which another can replace; other hosts' fetches take their turn, and fail.
    fn host_obstacle(&self, host: u32, is_endpoint: bool, now: Timestamp) -> Option<Obstacle> {
        let state = self.hosts.get(host);
        let configured = self.config.per_host.map_or(usize::MAX, NonZeroUsize::get);
        if state.in_flight >= state.concurrency_limit(configured) {
            return Some(Obstacle::Indefinite);
        }
        let denied = state.guards.as_ref().and_then(|guards| {
            let circuit = guards.circuit.as_ref().filter(|_| is_endpoint);
            circuit.map_or_else(|| guards.deferred_until(now), |circuit| circuit.denial(now))
        });
        if denied.is_some_and(|denied| denied.until.is_none()) {
            return Some(Obstacle::Indefinite);
        }
        let denied = denied.and_then(|denied| denied.until);
        let rate = state.rate.as_ref().map(|rate| rate.next_allowed(now));
        let pacer = state.guards.as_ref().and_then(|g| g.pacer.as_ref());
        let pace = pacer.and_then(HostPacer::next_start);
        let times = [state.paused_until, state.next_start, rate, pace, denied];
        let latest = times.into_iter().flatten().max();
        latest.filter(|at| *at > now).map(Obstacle::Until)
    }

    /// Starts the next attempt that all limits allow.
    pub(crate) fn start_next(&mut self, now: Timestamp) -> Option<Attempt> {
        while !self.host_turns.is_empty()
            && self.concurrency.has_capacity()
            && self.rates.allows(now)
        {
            let host = self.host_turns.pop()?;
            self.hosts.get_mut(host).in_turn_queue = false;
            let is_ready = self.obstacle(host, now).is_none();
            let front = self.hosts.queue_front(host).filter(|_| is_ready);
            let probe = front.and_then(|_| self.draw_probe(host));
            if let Some(index) = probe.or(front) {
                match self.take_turn(host, index, now) {
                    TurnResult::Started(attempt) => return Some(attempt),
                    TurnResult::Held => return None,
                    TurnResult::HeldBack | TurnResult::NotStarted => {}
                }
            }
            // The host may have more fetches, an obstacle, or no fetches left.
            self.offer_turn(host, now);
            self.hosts.remove_if_unused(host, now);
        }
        None
    }

    /// Gives this fetch of the host's queue its turn.
    fn take_turn(&mut self, host: u32, index: u32, now: Timestamp) -> TurnResult {
        if self.throttles(host, index, now) {
            return TurnResult::NotStarted;
        }
        self.hosts.dequeue(host, &mut self.fetches, index);
        let result = self.start_or_reject(host, index, now);
        self.update_fetch(index, now);
        if matches!(result, TurnResult::Started(_) | TurnResult::HeldBack) {
            self.offer_turn(host, now);
        }
        result
    }

    fn start_or_reject(&mut self, host: u32, index: u32, now: Timestamp) -> TurnResult {
        if let Some(error) = self.host_down_error(host, now)
            && let Some(slot) = self.fetches.get_mut(index)
        {
            slot.fetch.reject(error, now);
            return TurnResult::NotStarted;
        }
        let Some(slot) = self.fetches.get_mut(index) else {
            return TurnResult::NotStarted;
        };
        let guards = self.hosts.guards_mut(host);
        if let Some(error) = guards.and_then(|g| rejection(g, &self.config, &slot.fetch, now)) {
            slot.fetch.reject(error, now);
            return TurnResult::NotStarted;
        }
        let rule = slot.rule;
        if !self.rates.rules.allows(rule, now) {
            let id = self.fetches.id(index);
            self.rates.rules.defer(rule, id, now);
            return TurnResult::NotStarted;
        }
        if self.waits_for_token(index, now) {
            return TurnResult::NotStarted;
        }
        if self.hold_start(host, index, false) {
            return TurnResult::Held;
        }
        self.start_attempt(host, index, now)
    }

    /// Whether the throttle holds this request back because the host rejects too many. If so,
    /// nothing starts at the host for a while.
    fn throttles(&mut self, host: u32, index: u32, now: Timestamp) -> bool {
        if self.config.throttle.is_none() {
            return false;
        }
        let draw = self.random.draw();
        let guards = self.hosts.get(host).guards.as_ref();
        let throttler = guards.and_then(|guards| guards.throttler.as_ref());
        if throttler.is_none_or(|throttler| throttler.can_send(draw, now)) {
            return false;
        }
        let slot = self.fetches.get(index);
        let rest = slot.map_or(Duration::ZERO, |slot| {
            slot.fetch.policy().backoff.ceiling(0)
        });
        let state = self.hosts.get_mut(host);
        state.next_start = state.next_start.max(Some(now + rest));
        let key = state.key.clone();
        self.outputs
            .push_event(|| DecisionEvent::HostThrottled { host: key, rest });
        true
    }

    /// Starts a hedge for a fetch in flight, now or not at all.
    pub(crate) fn start_hedge(&mut self, index: u32, now: Timestamp) -> Option<Attempt> {
        let host = self.fetches.get(index)?.host;
        let has_capacity = self.concurrency.has_capacity() && self.rates.allows(now);
        if has_capacity && self.obstacle(host, now).is_none() {
            let rule = self.fetches.get(index)?.rule;
            if self.rates.rules.allows(rule, now) {
                if self.hold_start(host, index, true) {
                    return None;
                }
                if let TurnResult::Started(attempt) = self.start_attempt(host, index, now) {
                    return Some(attempt);
                }
            }
        }
        self.skip_hedge(index);
        None
    }

    pub(crate) fn skip_hedge(&mut self, index: u32) {
        if let Some(slot) = self.fetches.get_mut(index) {
            slot.fetch.skip_hedge();
        }
    }

    /// Holds the start of a fetch until it is granted or denied, if a shared rate limits it.
    /// Returns whether it is held.
    fn hold_start(&mut self, host: u32, index: u32, is_hedge: bool) -> bool {
        let rule = self.fetches.get(index).map_or(NO_INDEX, |slot| slot.rule);
        let is_held = self.rates.needs_grant(rule);
        if is_held {
            self.held_start = Some(HeldStart {
                fetch: self.fetches.id(index),
                host,
                is_hedge,
                rule,
            });
        }
        is_held
    }

    /// Starts an attempt. All limits have been checked.
    pub(crate) fn start_attempt(&mut self, host: u32, index: u32, now: Timestamp) -> TurnResult {
        let Ok(token) = self.token_for(index, now) else {
            return TurnResult::NotStarted;
        };
        let (serving, endpoint, url) = match self.pick_endpoint(host, index, now) {
            Some(picked) => picked,
            None if self.hosts.get(host).target.is_some() => return TurnResult::NotStarted,
            None => (host, NO_ENDPOINT, None),
        };
        let target = url
            .clone()
            .or_else(|| Some(self.fetches.get(index)?.fetch.target().clone()));
        let id = self.fetches.id(index);
        let login = target.and_then(|target| self.login_for(token, (serving, &target), id));
        let guards = self.hosts.guards_mut(serving);
        let call = guards.and_then(|guards| guards.circuit.as_mut()?.admit(now).ok());
        let Some(slot) = self.fetches.get_mut(index) else {
            return TurnResult::NotStarted;
        };
        let before = slot.fetch.latest_attempt();
        let outages = self.config.effective_outage_wait();
        let (fetch, mut context) =
            with_context(slot, &mut self.hosts, &mut self.retry_budget, outages);
        let (login_use, answer) = login.unzip();
        (context.token, context.login) = (token, answer);
        let attempt = fetch.start_with(now, url, &mut context);
        let mut permit = AttemptPermit::new(fetch.latest_attempt(), serving).with_token(token);
        (permit.call, permit.endpoint, permit.login) = (call, endpoint, login_use);
        if permit.number == before {
            self.undo_start(host, permit, now);
            self.end_login_probe(permit, id, now);
            return TurnResult::NotStarted;
        }
        if endpoint != NO_ENDPOINT {
            slot.cold_mut().tried_endpoints.push(endpoint.into());
        }
        slot.permits.push(permit);
        let fault = slot.fetch.injected_fault();
        self.rates.rules.consume(slot.rule, now);
        self.count_start(host, permit, now);
        if let Some(InjectedFault::ClockJump(duration)) = fault {
            self.clock.jump(duration);
        }
        attempt.map_or(TurnResult::HeldBack, TurnResult::Started)
    }

    /// The endpoint for the next attempt at a balanced target: its host, its number, and the URL.
    fn pick_endpoint(
        &mut self,
        host: u32,
        index: u32,
        now: Timestamp,
    ) -> Option<(u32, u16, Option<Arc<Url>>)> {
        self.hosts.get(host).target.as_ref()?;
        let draw = self.random.draw();
        let slot = self.fetches.get(index)?;
        // Taken out during the pick, which reads the endpoints from the same table.
        let mut target = self.hosts.get_mut(host).target.take()?;
        let cold = slot.cold.as_ref();
        let tried = cold.map_or(&[][..], |cold| &cold.tried_endpoints);
        let is_usable = |i: usize| {
            let obstacle = self.host_obstacle(target.endpoints[i], true, now);
            obstacle.is_none()
        };
        let picked = target.balancer.pick(tried, is_usable, draw, now);
        // If no other endpoint is usable, use an ejected one.
        let picked = picked.or_else(|| (0..target.endpoints.len()).find(|i| is_usable(*i)));
        let picked = picked.map(|i| {
            target.balancer.record_start(i, now);
            let url = target.endpoint_url(i, slot.fetch.target());
            (target.endpoints[i], i as u16, Some(url))
        });
        self.hosts.get_mut(host).target = Some(target);
        picked
    }

    /// Counts an attempt that starts against every limit, rate and budget.
    fn count_start(&mut self, host: u32, permit: AttemptPermit, now: Timestamp) {
        self.concurrency.acquire();
        self.stats.attempts += 1;
        let state = self.hosts.get_mut(permit.host);
        let distance = self
            .spacing
            .next_distance(&state.key, || self.random.draw());
        state.in_flight += 1;
        state.next_start = distance.map(|wait| now + wait).max(state.next_start);
        self.rates.take(now);
        if let Some(rate) = &mut state.rate {
            let taken = rate.try_acquire(now);
            debug_assert!(taken.is_ok(), "checked before: it is within its rate");
        }
        if let Some(pacer) = state.guards.as_mut().and_then(|g| g.pacer.as_mut()) {
            pacer.record_start(now);
        }
        // The throttle of a balanced target counts the requests to all its endpoints.
        let target = (host != permit.host).then_some(host);
        for counted in target.into_iter().chain([permit.host]) {
            let guards = self.hosts.guards_mut(counted);
            if let Some(throttler) = guards.and_then(|guards| guards.throttler.as_mut()) {
                throttler.record_request(now);
            }
        }
        if permit.number == 1 {
            let guards = self.hosts.guards_mut(host);
            let host_tokens = guards.and_then(|guards| guards.retry_tokens.as_mut());
            let all = host_tokens
                .into_iter()
                .chain(self.retry_budget.tokens_mut());
            for tokens in all {
                tokens.record_request(now);
            }
        }
    }

    /// Releases what was reserved for an attempt that did not start.
    fn undo_start(&mut self, host: u32, permit: AttemptPermit, now: Timestamp) {
        if let Some(target) = &mut self.hosts.get_mut(host).target {
            let endpoint = usize::from(permit.endpoint);
            target
                .balancer
                .record_end(endpoint, EndpointResult::Neutral, Duration::ZERO, now);
        }
        let guards = self.hosts.guards_mut(permit.host);
        if let Some((guards, call)) = guards.zip(permit.call)
            && let Some(circuit) = &mut guards.circuit
        {
            circuit.record(call, CallResult::Neutral, Duration::ZERO, now);
        }
    }
}

/// The error that ends a fetch, or starts its fallback, instead of its turn.
fn rejection(
    guards: &mut HostGuards,
    config: &EngineConfig,
    fetch: &Fetch,
    now: Timestamp,
) -> Option<FetchError> {
    if guards.fails_fast(now) {
        return Some(FetchError::CircuitOpen);
    }
    let shedding = config.shed.as_ref()?;
    guards
        .should_shed(shedding, fetch.queue_wait(now), now)
        .then_some(FetchError::Shed)
}
