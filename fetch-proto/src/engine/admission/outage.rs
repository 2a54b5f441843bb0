//! Hosts that are down: their fetches wait, until the host is back or given up.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::engine::Engine;
use crate::guards::outage::HostOutage;
use crate::model::event::DecisionEvent;
use crate::model::failure::FailureCause;
use crate::model::outcome::FetchError;
use crate::model::time::Timestamp;

/// How many random fetches are looked at to find one of a host.
const PROBE_DRAWS: usize = 16;

/// A host whose fetches wait for it.
///
/// ```
/// use fetch_proto::{Engine, EngineConfig, Timestamp};
/// let engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
/// assert!(engine.waiting_hosts(Timestamp::START).is_empty());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct WaitingHost {
    /// When its fetches end, unless it answers before; `None` if they wait without limit.
    pub gives_up_at: Option<Timestamp>,
    /// Scheme, host, and the port unless it is the scheme's default.
    pub host: Box<str>,
    /// When the next attempt may start; `None` while one is in flight or no fetch waits.
    pub next_attempt: Option<Timestamp>,
    /// Why they wait.
    pub reason: WaitReason,
    /// Since when: for a host that is down, its first failure.
    pub since: Timestamp,
    /// How many fetches wait, those in a delay before a retry included.
    pub waiting: usize,
}

/// How many hosts are down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct DownHosts {
    /// The fetches that wait for hosts.
    pub(crate) fetches: usize,
    pub(crate) given_up: usize,
    pub(crate) waited_for: usize,
}

/// Why the fetches of a host wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WaitReason {
    /// The host is down, and was given up: its fetches do not wait but fail, until a probe succeeds.
    GivenUp {
        /// The latest failure.
        cause: FailureCause,
    },
    /// The host is down.
    Outage {
        /// The latest failure.
        cause: FailureCause,
    },
    /// The server asked for a pause, by `Retry-After` or `RateLimit`.
    Pause,
    /// The host limits the rate of requests, and is paced: [`Pacing`](crate::Pacing).
    RateLimit {
        /// The time between the starts of two attempts.
        interval: Duration,
    },
}

impl Engine {
    /// The hosts whose fetches wait because the host is down, asked for a pause or limits the rate of
    /// requests, and those that were given up, in the order of their names.
    ///
    /// ```
    /// use fetch_proto::{Engine, EngineConfig, EngineOutput, FailureKind, FetchRequest, Input};
    /// use fetch_proto::{Breaker, OutageWait, Timestamp, WaitReason};
    ///
    /// let now = Timestamp::START;
    /// let config = EngineConfig::default()
    ///     .breaker(Breaker::FOR_OUTAGES.consecutive(1))
    ///     .wait_for_outages(OutageWait::default());
    /// let mut engine = Engine::new(config, 7, now);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// let EngineOutput::Start(attempt) = engine.poll(now) else { unreachable!() };
    /// engine.handle(attempt.id, Input::End(Err(FailureKind::Connect)), now);
    /// while !matches!(engine.poll(now), EngineOutput::Idle(_)) {}
    /// let hosts = engine.waiting_hosts(now);
    /// assert_eq!((&*hosts[0].host, hosts[0].waiting), ("http://a.test", 1));
    /// assert!(matches!(hosts[0].reason, WaitReason::Outage { .. }));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn waiting_hosts(&self, now: Timestamp) -> Vec<WaitingHost> {
        let now = self.clock.to_engine(now);
        let numbers = self.hosts.numbers();
        let mut hosts: Vec<_> = numbers
            .filter(|host| self.hosts.contains(*host))
            .filter_map(|host| self.waiting_host(host, now))
            .collect();
        hosts.sort_unstable_by(|a, b| a.host.cmp(&b.host));
        hosts
    }

    fn waiting_host(&self, host: u32, now: Timestamp) -> Option<WaitingHost> {
        let state = self.hosts.get(host);
        let outage = state.guards.as_ref().and_then(|guards| guards.outage);
        let pause = state.paused_until.filter(|until| *until > now);
        let guards = state.guards.as_ref();
        let pacer = guards.and_then(|guards| guards.pacer.as_ref());
        let waiting = state.live.saturating_sub(state.in_flight);
        let (reason, since, gives_up_at) = match outage {
            Some(outage) if outage.is_given_up => {
                let cause = outage.cause;
                (WaitReason::GivenUp { cause }, outage.since, None)
            }
            Some(outage) => {
                let cause = outage.cause;
                let until = Some(outage.gives_up_at);
                (WaitReason::Outage { cause }, outage.since, until)
            }
            None if waiting == 0 => return None,
            None if pause.is_some() => (WaitReason::Pause, state.paused_since?, None),
            None => {
                let interval = pacer?.interval()?;
                (WaitReason::RateLimit { interval }, pacer?.since()?, None)
            }
        };
        let denial = guards.and_then(|guards| guards.circuit.as_ref()?.denial(now)?.until);
        let has_probe = outage.is_some() && state.in_flight > 0;
        let paced = pacer.and_then(|pacer| pacer.next_start());
        let next_attempt = pause.max(denial).max(paced);
        let next_attempt = next_attempt.filter(|_| !has_probe && waiting > 0);
        Some(WaitingHost {
            gives_up_at: gives_up_at.map(|at| self.clock.to_driver(at)),
            host: state.key.clone(),
            next_attempt: next_attempt.map(|at| self.clock.to_driver(at)),
            reason,
            since: self.clock.to_driver(since),
            waiting,
        })
    }

    /// Counts the hosts that are down, and the fetches that wait for them.
    pub(crate) fn down_hosts(&self) -> DownHosts {
        let mut counts = DownHosts::default();
        for host in self.hosts.down() {
            let state = self.hosts.get(host);
            let guards = state.guards.as_ref();
            if guards.is_some_and(|guards| guards.is_waited_for()) {
                counts.waited_for += 1;
                counts.fetches += state.live.saturating_sub(state.in_flight);
            } else {
                counts.given_up += 1;
            }
        }
        counts
    }

    /// A fetch for the next probe of a host that is down: drawn from all that wait, because a URL
    /// that fails by itself must not decide about its host.
    pub(crate) fn draw_probe(&mut self, host: u32) -> Option<u32> {
        let guards = self.hosts.get(host).guards.as_ref()?;
        guards.outage?;
        (0..PROBE_DRAWS).find_map(|_| {
            let index = self.fetches.draw(self.random.draw())?;
            let slot = self.fetches.get(index)?;
            (slot.host == host && slot.is_queued).then_some(index)
        })
    }

    /// The breaker of a host has opened: its fetches wait. So do those of balanced targets that all
    /// of whose endpoints are down.
    pub(crate) fn begin_outage(&mut self, host: u32, now: Timestamp) {
        self.begin_host_outage(host, now);
        for target in self.hosts.get(host).endpoint_of.clone() {
            if self.is_target_down(target) {
                self.begin_host_outage(target, now);
            }
        }
    }

    fn is_target_down(&self, target: u32) -> bool {
        let endpoints = self.hosts.get(target).target.as_ref();
        endpoints.is_some_and(|target| {
            let mut endpoints = target.endpoints.iter();
            endpoints.all(|host| {
                let guards = self.hosts.get(*host).guards.as_ref();
                guards.is_some_and(|guards| guards.outage.is_some())
            })
        })
    }

    fn begin_host_outage(&mut self, host: u32, now: Timestamp) {
        let Some(wait) = self.config.effective_outage_wait() else {
            return;
        };
        let Some(guards) = self.hosts.guards_mut(host) else {
            return;
        };
        let Some(series) = guards.health.series().filter(|_| guards.outage.is_none()) else {
            return;
        };
        let limit = wait.limit(guards.health.answered_at().is_some());
        // At least one probe before it is given up.
        let break_ends = guards
            .circuit
            .as_ref()
            .and_then(|one| one.denial(now)?.until);
        let gives_up_at = (series.since + limit).max(break_ends.unwrap_or(now));
        guards.outage = Some(HostOutage {
            cause: series.cause,
            gives_up_at,
            is_given_up: false,
            since: series.since,
        });
        self.hosts.set_down(host, true);
        for index in self.fetches.indices() {
            if let Some(slot) = self.fetches.get_mut(index).filter(|one| one.host == host) {
                slot.fetch.forgive_attempts(series.since, now);
            }
        }
        self.update_hold(host, now);
        let state = self.hosts.get(host);
        let event = DecisionEvent::HostDown {
            cause: series.cause,
            gives_up_at: self.clock.to_driver(gives_up_at),
            host: state.key.clone(),
            waiting: state.live.saturating_sub(state.in_flight),
        };
        self.outputs.push_important_event(event);
        self.timers.advance_host(host, gives_up_at);
    }

    /// The breaker of a host has closed.
    pub(crate) fn end_outage(&mut self, host: u32, now: Timestamp) {
        self.end_host_outage(host, now);
        for target in self.hosts.get(host).endpoint_of.clone() {
            self.end_host_outage(target, now);
        }
    }

    fn end_host_outage(&mut self, host: u32, now: Timestamp) {
        let guards = self.hosts.guards_mut(host);
        let Some(outage) = guards.and_then(|guards| guards.outage.take()) else {
            return;
        };
        self.hosts.set_down(host, false);
        self.update_hold(host, now);
        let event = DecisionEvent::HostRecovered {
            down_for: now.saturating_since(outage.since),
            host: self.hosts.get(host).key.clone(),
        };
        self.outputs.push_important_event(event);
    }

    /// Gives up a host that has been down for too long: the fetches that wait for it end.
    pub(crate) fn give_up_if_due(&mut self, host: u32, now: Timestamp) {
        let guards = self.hosts.guards_mut(host);
        let Some(outage) = guards.and_then(|guards| guards.outage.as_mut()) else {
            return;
        };
        if outage.is_given_up {
            return;
        }
        if outage.gives_up_at > now {
            let at = outage.gives_up_at;
            return self.timers.advance_host(host, at);
        }
        outage.is_given_up = true;
        let (outage, mut ended) = (*outage, 0);
        self.update_hold(host, now);
        for index in self.fetches.indices() {
            let slot = self.fetches.get_mut(index);
            let slot = slot.filter(|slot| slot.host == host && !slot.fetch.is_in_flight());
            if let Some(slot) = slot
                && slot.fetch.end_wait(outage.error(now), now)
            {
                ended += 1;
                self.mark_for_poll(index);
            }
        }
        let event = DecisionEvent::HostGivenUp {
            cause: outage.cause,
            down_for: now.saturating_since(outage.since),
            ended,
            host: self.hosts.get(host).key.clone(),
        };
        self.outputs.push_important_event(event);
    }

    /// The error of fetches that reach a host that was given up, while no probe may start there.
    pub(crate) fn host_down_error(&self, host: u32, now: Timestamp) -> Option<FetchError> {
        let state = self.hosts.get(host);
        let outage = state.guards.as_ref()?.outage?;
        let denies = |host: u32| {
            let guards = self.hosts.get(host).guards.as_ref();
            guards.is_some_and(|guards| {
                let circuit = guards.circuit.as_ref();
                circuit.is_some_and(|circuit| circuit.denial(now).is_some())
            })
        };
        let is_denied = match &state.target {
            None => denies(host),
            Some(target) => target.endpoints.iter().all(|endpoint| denies(*endpoint)),
        };
        (outage.is_given_up && is_denied).then(|| outage.error(now))
    }

    /// Holds or releases the time limits of the host's fetches: they are held while the host is down
    /// or paused at its request, if hosts are waited for.
    pub(crate) fn update_hold(&mut self, host: u32, now: Timestamp) {
        let waits = self.config.effective_outage_wait().is_some();
        let state = self.hosts.get_mut(host);
        let guards = state.guards.as_ref();
        let is_down = guards.is_some_and(|guards| guards.is_waited_for());
        let is_paused = state.paused_until.is_some_and(|until| until > now);
        let is_held = is_down || (waits && is_paused);
        if core::mem::replace(&mut state.is_held, is_held) == is_held {
            if is_down {
                self.hold_fetches(host, now);
            }
            return;
        }
        if is_held {
            return self.hold_fetches(host, now);
        }
        for index in self.fetches.indices() {
            if let Some(slot) = self.fetches.get_mut(index).filter(|one| one.host == host) {
                slot.fetch.release_limits(now);
                self.mark_for_poll(index);
            }
        }
    }

    fn hold_fetches(&mut self, host: u32, now: Timestamp) {
        for index in self.fetches.indices() {
            if self.fetches.get(index).is_some_and(|one| one.host == host) {
                self.hold_fetch(index, now);
                self.mark_for_poll(index);
            }
        }
    }

    /// Holds the limits of a fetch whose host is waited for. If the host is down and the fetch has a
    /// fallback, it falls back instead.
    pub(crate) fn hold_fetch(&mut self, index: u32, now: Timestamp) {
        let Some(slot) = self.fetches.get_mut(index) else {
            return;
        };
        let guards = self.hosts.get(slot.host).guards.as_ref();
        let is_down = guards.is_some_and(|guards| guards.is_waited_for());
        if is_down && slot.fetch.is_waiting_for_slot() && slot.fetch.can_fall_back(now) {
            slot.fetch.reject(FetchError::CircuitOpen, now);
        } else {
            slot.fetch.hold_limits(now);
        }
    }
}
