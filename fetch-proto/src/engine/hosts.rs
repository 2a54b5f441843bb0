//! Hosts: interned once, each with its queue, its limits and its rest.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use hashbrown::HashMap;
use url::{Position, Url};

use super::slab::{NONE, Slab};
use crate::rate::Gcra;
use crate::time::Timestamp;

/// One origin: scheme, host and port.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) key: Box<str>,
    /// Attempts in flight.
    pub(super) flying: usize,
    /// Whether it is in the ring of hosts that may start an attempt.
    pub(super) in_ring: bool,
    /// Live fetches that belong to it.
    pub(super) live: usize,
    /// It rests until then.
    pub(super) paused: Option<Timestamp>,
    pub(super) queued: usize,
    pub(super) rate: Option<Gcra>,
    head: u32,
    tail: u32,
}

/// All hosts with live fetches, or with a state that must outlive them: a rest, or a rate's debt.
#[derive(Debug, Default)]
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

    /// The host of `url`, made if it is new.
    pub(super) fn intern(&mut self, url: &Url, rate: impl FnOnce() -> Option<Gcra>) -> u32 {
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
            key: key.into(),
            flying: 0,
            in_ring: false,
            live: 0,
            paused: None,
            queued: 0,
            rate: rate(),
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

    /// Forgets the host if nothing needs it any more.
    pub(super) fn evict(&mut self, host: u32, now: Timestamp) {
        let Some(state) = &self.hosts[host as usize] else {
            return;
        };
        let resting = state.paused.is_some_and(|until| until > now);
        let in_debt = state.rate.as_ref().is_some_and(|rate| !rate.is_idle(now));
        if state.live > 0 || state.in_ring || resting || in_debt {
            return;
        }
        self.index.remove(&state.key);
        self.hosts[host as usize] = None;
        self.free.push(host);
    }

    /// Puts a fetch at the end of its host's queue, or at its front if it was admitted before.
    pub(super) fn enqueue(&mut self, host: u32, slots: &mut Slab, slot: u32, front: bool) {
        let state = self.get_mut(host);
        state.queued += 1;
        let (prev, next) = if front {
            (NONE, state.head)
        } else {
            (state.tail, NONE)
        };
        match slots.get_mut(if front { next } else { prev }) {
            Some(neighbour) if front => neighbour.prev = slot,
            Some(neighbour) => neighbour.next = slot,
            None if front => state.tail = slot,
            None => state.head = slot,
        }
        *(if front {
            &mut state.head
        } else {
            &mut state.tail
        }) = slot;
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

/// Scheme, host and port, the port only where it is not the scheme's own.
fn origin<'a>(url: &'a Url, scratch: &'a mut String) -> &'a str {
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
