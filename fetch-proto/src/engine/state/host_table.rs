//! Hosts: each is stored once, with its queue, its limits and its pauses.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashMap;
use url::Url;

use super::fetch_slab::{FetchSlab, NO_INDEX};
use super::random::host_seed;
use super::target_endpoints::TargetEndpoints;
use crate::engine::config::EngineConfig;
use crate::engine::limits::host_guards::HostGuards;
use crate::guards::breaker::CircuitState;
use crate::guards::rate::RateLimiter;
use crate::model::time::Timestamp;
use crate::model::url_parts::url_origin;

/// The state of one origin: scheme, host and port.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct HostState {
    pub(crate) key: Box<str>,
    /// The balanced targets of which it is an endpoint.
    pub(crate) endpoint_of: Vec<u32>,
    pub(crate) guards: Option<Box<HostGuards>>,
    /// Attempts in flight.
    pub(crate) in_flight: usize,
    /// Whether the time limits of its fetches are held, because it is waited for.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) is_held: bool,
    /// Whether it is in the queue of hosts that may start an attempt.
    pub(crate) in_turn_queue: bool,
    /// Live fetches that belong to it, plus one if it is a balanced target, plus one for each
    /// target that it serves.
    pub(crate) live: usize,
    /// No attempt starts before this time, because of the distance to the previous one or the
    /// throttle.
    pub(crate) next_start: Option<Timestamp>,
    /// No attempt starts before this time, because the server asked for a pause.
    pub(crate) paused_until: Option<Timestamp>,
    /// When the current pause began.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) paused_since: Option<Timestamp>,
    /// Fetches in its queue.
    pub(crate) queued: usize,
    /// Limits the attempts in flight during a slow start, after a pause or an open breaker.
    pub(crate) ramp_limit: Option<u32>,
    pub(crate) rate: Option<RateLimiter>,
    /// Its endpoints, if it is a balanced target.
    pub(crate) target: Option<Box<TargetEndpoints>>,
    head: u32,
    tail: u32,
}

impl HostState {
    /// The end of all state that must outlive the fetches: pauses, rate debt, counts of the guards.
    pub(crate) fn retain_until(&self) -> Timestamp {
        let guards = self.guards.as_ref().map(|guards| guards.idle_at());
        let rate = self.rate.as_ref().map(RateLimiter::idle_at);
        let all = [self.paused_until, self.next_start, guards, rate];
        all.into_iter().flatten().max().unwrap_or(Timestamp::START)
    }

    /// How many attempts may be in flight, where the configuration allows `configured`.
    pub(crate) fn concurrency_limit(&self, configured: usize) -> usize {
        let ramp = self.ramp_limit.map(|limit| limit as usize);
        let limits = [self.adaptive_limit(), ramp];
        limits.into_iter().flatten().fold(configured, usize::min)
    }

    /// The limit that was learned from its responses.
    pub(crate) fn adaptive_limit(&self) -> Option<usize> {
        let limiter = self.guards.as_ref()?.limiter.as_ref()?;
        Some(limiter.limit())
    }

    /// Raises the slow-start limit by one, after a request that was not refused: it doubles with each
    /// round trip. At `max` the slow start is over.
    pub(crate) fn raise_ramp_limit(&mut self, max: usize) {
        self.ramp_limit = self
            .ramp_limit
            .map(|limit| limit.saturating_add(1))
            .filter(|limit| (*limit as usize) < max);
    }

    /// Whether its breaker is open or half-open.
    pub(crate) fn has_tripped_breaker(&self, now: Timestamp) -> bool {
        let guards = self.guards.as_ref();
        let circuit = guards.and_then(|guards| guards.circuit.as_ref());
        circuit.is_some_and(|circuit| circuit.state(now) != CircuitState::Closed)
    }
}

/// All hosts that have live fetches, or state that must outlive them.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(from = "SerializedHosts", into = "SerializedHosts")
)]
pub(crate) struct HostTable {
    hosts: Vec<Option<HostState>>,
    free: Vec<u32>,
    index: HashMap<Box<str>, u32>,
    scratch: String,
    /// Hosts that are down, in ascending order.
    down: BTreeSet<u32>,
}

impl HostTable {
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn get(&self, host: u32) -> &HostState {
        self.hosts[host as usize]
            .as_ref()
            .expect("a host with fetches is not removed")
    }

    pub(crate) fn get_mut(&mut self, host: u32) -> &mut HostState {
        self.hosts[host as usize]
            .as_mut()
            .expect("a host with fetches is not removed")
    }

    pub(crate) fn guards_mut(&mut self, host: u32) -> Option<&mut HostGuards> {
        self.get_mut(host).guards.as_deref_mut()
    }

    pub(crate) fn contains(&self, host: u32) -> bool {
        self.hosts[host as usize].is_some()
    }

    /// The host with this key: scheme, host, and the port unless it is the scheme's default.
    pub(crate) fn find(&self, key: &str) -> Option<&HostState> {
        self.index.get(key).map(|host| self.get(*host))
    }

    /// All hosts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &HostState> {
        self.hosts.iter().flatten()
    }

    /// The number of the host of `url`, if it is in the table.
    pub(crate) fn find_url(&self, url: &Url) -> Option<u32> {
        let mut scratch = String::new();
        self.index.get(origin(url, &mut scratch)).copied()
    }

    /// The number of the host of `url`, which is added if it is new.
    pub(crate) fn intern(&mut self, url: &Url, config: &EngineConfig, seed: u64) -> u32 {
        let Self {
            hosts,
            free,
            index,
            scratch,
            ..
        } = self;
        let key = origin(url, scratch);
        if let Some(host) = index.get(key) {
            return *host;
        }
        let host = HostState {
            guards: HostGuards::new(config, || host_seed(seed, key)),
            key: key.into(),
            endpoint_of: Vec::new(),
            in_flight: 0,
            in_turn_queue: false,
            is_held: false,
            live: 0,
            next_start: None,
            paused_since: None,
            paused_until: None,
            queued: 0,
            ramp_limit: None,
            rate: config.host_rate.map(RateLimiter::new),
            target: None,
            head: NO_INDEX,
            tail: NO_INDEX,
        };
        let key = host.key.clone();
        let number = match free.pop() {
            Some(number) => {
                hosts[number as usize] = Some(host);
                number
            }
            None => {
                hosts.push(Some(host));
                (hosts.len() - 1) as u32
            }
        };
        index.insert(key, number);
        number
    }

    /// The hosts that are down.
    pub(crate) fn down(&self) -> impl Iterator<Item = u32> {
        self.down.iter().copied()
    }

    pub(crate) fn set_down(&mut self, host: u32, is_down: bool) {
        if is_down {
            self.down.insert(host);
        } else {
            self.down.remove(&host);
        }
    }

    /// All numbers that hosts have or had, in ascending order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.hosts.len() as u32
    }

    /// Removes the host if nothing needs it.
    pub(crate) fn remove_if_unused(&mut self, host: u32, now: Timestamp) {
        let Some(state) = &self.hosts[host as usize] else {
            return;
        };
        let is_used = state.live > 0 || state.in_flight > 0 || state.in_turn_queue;
        if is_used || state.retain_until() > now {
            return;
        }
        self.index.remove(&state.key);
        self.down.remove(&host);
        self.hosts[host as usize] = None;
        self.free.push(host);
    }

    /// Puts a fetch at the end of its host's queue, or with `front` at its beginning: after all with a
    /// larger priority, before all with a smaller one. The cost grows with the number of queued
    /// fetches of other priorities that it passes.
    pub(crate) fn enqueue(&mut self, host: u32, fetches: &mut FetchSlab, index: u32, front: bool) {
        let priority = fetches.get(index).map_or(0, |slot| slot.priority);
        let state = self.get_mut(host);
        state.queued += 1;
        let (mut prev, mut next) = if front {
            (NO_INDEX, state.head)
        } else {
            (state.tail, NO_INDEX)
        };
        while let Some(after) = fetches
            .get(next)
            .filter(|after| front && after.priority > priority)
        {
            (prev, next) = (next, after.next);
        }
        while let Some(before) = fetches
            .get(prev)
            .filter(|before| !front && before.priority < priority)
        {
            (prev, next) = (before.prev, prev);
        }
        match fetches.get_mut(prev) {
            Some(before) => before.next = index,
            None => state.head = index,
        }
        match fetches.get_mut(next) {
            Some(after) => after.prev = index,
            None => state.tail = index,
        }
        if let Some(slot) = fetches.get_mut(index) {
            (slot.prev, slot.next, slot.is_queued) = (prev, next, true);
        }
    }

    /// Removes a fetch from any position of its host's queue.
    pub(crate) fn dequeue(&mut self, host: u32, fetches: &mut FetchSlab, index: u32) {
        let Some(slot) = fetches.get_mut(index).filter(|slot| slot.is_queued) else {
            return;
        };
        let (prev, next) = (slot.prev, slot.next);
        (slot.prev, slot.next, slot.is_queued) = (NO_INDEX, NO_INDEX, false);
        let state = self.get_mut(host);
        state.queued -= 1;
        match fetches.get_mut(prev) {
            Some(before) => before.next = next,
            None => state.head = next,
        }
        match fetches.get_mut(next) {
            Some(after) => after.prev = prev,
            None => state.tail = prev,
        }
    }

    /// The first fetch in the host's queue.
    pub(crate) fn queue_front(&self, host: u32) -> Option<u32> {
        let head = self.get(host).head;
        (head != NO_INDEX).then_some(head)
    }
}

#[cfg(feature = "serde")]
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(rename = "Hosts")]
struct SerializedHosts(Vec<Option<HostState>>);

#[cfg(feature = "serde")]
impl From<HostTable> for SerializedHosts {
    fn from(table: HostTable) -> Self {
        Self(table.hosts)
    }
}

#[cfg(feature = "serde")]
impl From<SerializedHosts> for HostTable {
    fn from(SerializedHosts(hosts): SerializedHosts) -> Self {
        let numbered = || hosts.iter().zip(0u32..);
        let keys =
            numbered().filter_map(|(host, number)| Some((host.as_ref()?.key.clone(), number)));
        Self {
            free: numbered()
                .filter(|(host, _)| host.is_none())
                .map(|(_, number)| number)
                .collect(),
            index: keys.collect(),
            down: numbered()
                .filter(|(host, _)| {
                    let guards = host.as_ref().and_then(|host| host.guards.as_ref());
                    guards.is_some_and(|guards| guards.outage.is_some())
                })
                .map(|(_, number)| number)
                .collect(),
            scratch: String::new(),
            hosts,
        }
    }
}

/// Scheme, host and port; the port only if it is not the scheme's default.
pub(crate) fn origin<'a>(url: &'a Url, scratch: &'a mut String) -> &'a str {
    match url_origin(url) {
        Cow::Borrowed(origin) => origin,
        Cow::Owned(origin) => {
            *scratch = origin;
            scratch
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fetch_slab::tests::insert;
    use super::*;

    #[test]
    fn credentials_and_default_ports_make_no_other_host() {
        let mut scratch = String::new();
        let table = [
            ("https://a.test/x?y#z", "https://a.test"),
            ("https://a.test:443/", "https://a.test"),
            ("https://u:p@A.test:8443/", "https://a.test:8443"),
            ("http://[::1]:80/", "http://[::1]"),
        ];
        for (url, key) in table {
            assert_eq!(origin(&Url::parse(url).unwrap(), &mut scratch), key);
        }
    }

    fn table() -> (HostTable, u32) {
        let mut table = HostTable::default();
        let url = "http://a.test/".parse().unwrap();
        let host = table.intern(&url, &EngineConfig::default(), 7);
        (table, host)
    }

    #[test]
    fn a_host_is_stored_once_and_removed_when_unused() {
        let (mut table, host) = table();
        let again = "http://me@a.test/other".parse().unwrap();
        assert_eq!(table.intern(&again, &EngineConfig::default(), 7), host);
        table.get_mut(host).live = 1;
        table.remove_if_unused(host, Timestamp::START);
        assert!(table.contains(host));
        table.get_mut(host).live = 0;
        table.remove_if_unused(host, Timestamp::START);
        assert_eq!((table.len(), table.contains(host)), (0, false));
    }

    #[test]
    fn the_number_of_a_removed_host_is_used_again() {
        let mut table = HostTable::default();
        for n in 0..100 {
            let url = alloc::format!("http://{n}.test/").parse().unwrap();
            let host = table.intern(&url, &EngineConfig::default(), 7);
            table.remove_if_unused(host, Timestamp::START);
        }
        assert_eq!((table.numbers().count(), table.len()), (1, 0));
    }

    #[test]
    fn a_queue_is_ordered_by_priority_then_by_arrival() {
        let (mut table, host) = table();
        let mut fetches = FetchSlab::default();
        for (priority, front) in [(0, false), (5, false), (0, false), (0, true)] {
            let index = insert(&mut fetches, "http://a.test/", host, priority);
            table.enqueue(host, &mut fetches, index, front);
        }
        table.dequeue(host, &mut fetches, 0);
        let mut order = Vec::new();
        while let Some(index) = table.queue_front(host) {
            table.dequeue(host, &mut fetches, index);
            order.push(index);
        }
        assert_eq!((order, table.get(host).queued), (alloc::vec![1, 3, 2], 0));
    }
}
