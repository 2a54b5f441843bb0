//! Hosts: interned once, each with its queue, its limits and its rest.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use hashbrown::HashMap;
use url::{Position, Url};

use super::Config;
use super::guards::Guards;
use super::slab::{NONE, Slab};
use super::targets::Group;
use crate::guards::breaker::CircuitState;
use crate::guards::rate::RateLimiter;
use crate::model::time::Timestamp;
use crate::random::mix;

/// One origin: scheme, host and port.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Host {
    pub(super) key: Box<str>,
    /// Attempts in flight.
    pub(super) flying: usize,
    /// Its endpoints, if it is a target.
    pub(super) group: Option<Box<Group>>,
    pub(super) guards: Option<Box<Guards>>,
    /// Whether it is in the ring of hosts that may start an attempt.
    pub(super) in_ring: bool,
    /// Live fetches that belong to it.
    pub(super) live: usize,
    /// Its own pace: no attempt begins before then.
    pub(super) next: Option<Timestamp>,
    /// It rests until then.
    pub(super) paused: Option<Timestamp>,
    pub(super) queued: usize,
    /// How many attempts it bears at once while it comes back from a rest or a break.
    pub(super) ramp: Option<u32>,
    pub(super) rate: Option<RateLimiter>,
    /// The targets of which it is an endpoint.
    pub(super) serves: Vec<u32>,
    head: u32,
    tail: u32,
}

impl Host {
    /// Until when its state must outlive its fetches: a rest, a rate's debt, a breaker's memory.
    pub(super) fn remembers_until(&self) -> Timestamp {
        let guards = self.guards.as_ref().map(|guards| guards.idle_at());
        let debt = self.rate.as_ref().map(RateLimiter::idle_at);
        let all = [self.paused, self.next, guards, debt];
        all.into_iter().flatten().max().unwrap_or(Timestamp::START)
    }

    /// How many attempts it bears at once, `own` being the limit that was set.
    pub(super) fn limit(&self, own: usize) -> usize {
        let ramp = self.ramp.map(|ramp| ramp as usize);
        let limits = [self.learned_limit(), ramp];
        limits.into_iter().flatten().fold(own, usize::min)
    }

    /// What its limiter has found out.
    pub(super) fn learned_limit(&self) -> Option<usize> {
        let limiter = self.guards.as_ref()?.limiter.as_ref()?;
        Some(limiter.limit())
    }

    /// The host did not refuse a request: while it comes back it bears one more for each, and so twice
    /// as many from one round to the next, until that is `most`.
    pub(super) fn climb(&mut self, most: usize) {
        self.ramp = self
            .ramp
            .map(|ramp| ramp.saturating_add(1))
            .filter(|ramp| (*ramp as usize) < most);
    }

    /// Whether its breaker is open, or lets probes through.
    pub(super) fn is_broken(&self, now: Timestamp) -> bool {
        let circuit = self
            .guards
            .as_ref()
            .and_then(|guards| guards.circuit.as_ref());
        circuit.is_some_and(|circuit| circuit.state(now) != CircuitState::Closed)
    }
}

/// All hosts with live fetches, or with a state that must outlive them: a rest, or a rate's debt.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(from = "Known", into = "Known"))]
pub(super) struct Hosts {
    hosts: Vec<Option<Host>>,
    free: Vec<u32>,
    index: HashMap<Box<str>, u32>,
    scratch: String,
}

impl Hosts {
    /// The number of hosts that are known now.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn get(&self, host: u32) -> &Host {
        self.hosts[host as usize]
            .as_ref()
            .expect("a fetch keeps its host")
    }

    pub(super) fn get_mut(&mut self, host: u32) -> &mut Host {
        self.hosts[host as usize]
            .as_mut()
            .expect("a fetch keeps its host")
    }

    pub(super) fn exists(&self, host: u32) -> bool {
        self.hosts[host as usize].is_some()
    }

    /// The host that `key` names.
    pub(super) fn find(&self, key: &str) -> Option<&Host> {
        self.index.get(key).map(|host| self.get(*host))
    }

    /// The number of the host of `url`, if it is known.
    pub(super) fn at(&self, url: &Url) -> Option<u32> {
        let mut scratch = String::new();
        self.index.get(origin(url, &mut scratch)).copied()
    }

    /// The host of `url`, made if it is new.
    pub(super) fn intern(&mut self, url: &Url, config: &Config, seed: u64) -> u32 {
        let Self {
            hosts,
            free,
            index,
            scratch,
        } = self;
        let key = origin(url, scratch);
        if let Some(host) = index.get(key) {
            return *host;
        }
        let host = Host {
            guards: Guards::new(config, || seed_of(seed, key)),
            key: key.into(),
            flying: 0,
            group: None,
            in_ring: false,
            live: 0,
            next: None,
            paused: None,
            queued: 0,
            ramp: None,
            rate: config.host_rate.map(RateLimiter::new),
            serves: Vec::new(),
            head: NONE,
            tail: NONE,
        };
        let key = host.key.clone();
        let place = match free.pop() {
            Some(place) => {
                hosts[place as usize] = Some(host);
                place
            }
            None => {
                hosts.push(Some(host));
                (hosts.len() - 1) as u32
            }
        };
        index.insert(key, place);
        place
    }

    /// The numbers of all hosts, in order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.hosts.len() as u32
    }

    /// Forgets the host if nothing needs it any more.
    pub(super) fn evict(&mut self, host: u32, now: Timestamp) {
        let Some(state) = &self.hosts[host as usize] else {
            return;
        };
        if state.live > 0 || state.flying > 0 || state.in_ring || state.remembers_until() > now {
            return;
        }
        self.index.remove(&state.key);
        self.hosts[host as usize] = None;
        self.free.push(host);
    }

    /// Puts a fetch at the end of its host's queue, or at its front if it was admitted before: behind
    /// all with a larger priority, before all with a smaller one. That takes a walk past those where
    /// priorities differ, and none where they are all the same.
    pub(super) fn enqueue(&mut self, host: u32, slots: &mut Slab, slot: u32, front: bool) {
        let own = slots.get(slot).map_or(0, |entry| entry.priority);
        let state = self.get_mut(host);
        state.queued += 1;
        let (mut prev, mut next) = if front {
            (NONE, state.head)
        } else {
            (state.tail, NONE)
        };
        while let Some(after) = slots
            .get(next)
            .filter(|after| front && after.priority > own)
        {
            (prev, next) = (next, after.next);
        }
        while let Some(before) = slots
            .get(prev)
            .filter(|before| !front && before.priority < own)
        {
            (prev, next) = (before.prev, prev);
        }
        match slots.get_mut(prev) {
            Some(before) => before.next = slot,
            None => state.head = slot,
        }
        match slots.get_mut(next) {
            Some(after) => after.prev = slot,
            None => state.tail = slot,
        }
        if let Some(entry) = slots.get_mut(slot) {
            (entry.prev, entry.next, entry.queued) = (prev, next, true);
        }
    }

    /// Takes a fetch out of its host's queue, wherever it stands.
    pub(super) fn unlink(&mut self, host: u32, slots: &mut Slab, slot: u32) {
        let Some(entry) = slots.get_mut(slot).filter(|entry| entry.queued) else {
            return;
        };
        let (prev, next) = (entry.prev, entry.next);
        (entry.prev, entry.next, entry.queued) = (NONE, NONE, false);
        let state = self.get_mut(host);
        state.queued -= 1;
        match slots.get_mut(prev) {
            Some(before) => before.next = next,
            None => state.head = next,
        }
        match slots.get_mut(next) {
            Some(after) => after.prev = prev,
            None => state.tail = prev,
        }
    }

    /// The first fetch in the host's queue.
    pub(super) fn front(&self, host: u32) -> Option<u32> {
        let head = self.get(host).head;
        (head != NONE).then_some(head)
    }
}

/// Chance of the host's own, the same whenever it is met again.
pub(super) fn seed_of(seed: u64, key: &str) -> u64 {
    key.bytes().fold(seed, |seed, byte| mix(seed, byte.into()))
}

#[cfg(feature = "serde")]
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(rename = "Hosts")]
struct Known(Vec<Option<Host>>);

#[cfg(feature = "serde")]
impl From<Hosts> for Known {
    fn from(hosts: Hosts) -> Self {
        Self(hosts.hosts)
    }
}

#[cfg(feature = "serde")]
impl From<Known> for Hosts {
    fn from(Known(hosts): Known) -> Self {
        let numbered = || hosts.iter().zip(0u32..);
        let known =
            numbered().filter_map(|(host, number)| Some((host.as_ref()?.key.clone(), number)));
        Self {
            free: numbered()
                .filter(|(host, _)| host.is_none())
                .map(|(_, number)| number)
                .collect(),
            index: known.collect(),
            scratch: String::new(),
            hosts,
        }
    }
}

/// Scheme, host and port, the port only where it is not the scheme's own.
pub(super) fn origin<'a>(url: &'a Url, scratch: &'a mut String) -> &'a str {
    if url.username().is_empty() && url.password().is_none() {
        return &url[..Position::AfterPort];
    }
    scratch.clear();
    let host = &url[Position::BeforeHost..Position::AfterPort];
    // Writing to a String cannot fail.
    let _ = write!(scratch, "{}://{host}", url.scheme());
    scratch
}

#[cfg(test)]
mod tests {
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
}
