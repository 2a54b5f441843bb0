//! One origin: what it speaks, and its shared connections.

use std::sync::Arc;

use event_listener::Event;

use super::flight::Flight;
use super::groups::Resting;
use super::link::{Link, Pulse};
use super::task::FIRST_STREAMS;

/// What an origin chose in the last TLS handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

#[derive(Default)]
pub(super) struct Group {
    /// Whether the server refused another connection beside those that live.
    pub(super) cramped: bool,
    pub(super) freed: Arc<Event>,
    pub(super) known: Option<Protocol>,
    pub(super) links: Vec<Entry>,
    pub(super) opening: Option<Arc<Flight>>,
}

/// A shared connection and how full it is.
pub(super) struct Entry {
    pub(super) in_flight: usize,
    pub(super) limit: usize,
    pub(super) link: Arc<Link>,
    /// Its place among the idle ones.
    pub(super) resting: Option<u64>,
    pub(super) settled: bool,
}

/// What a request to an origin without a free place should do.
pub(super) enum Advice {
    Alone,
    Open,
    Wait,
}

impl Group {
    /// Adds a connection with one request on it.
    pub(super) fn adopt(&mut self, link: Arc<Link>) {
        self.known = Some(Protocol::Http2);
        self.links.push(Entry {
            in_flight: 1,
            limit: FIRST_STREAMS,
            link,
            resting: None,
            settled: false,
        });
    }

    /// Takes a free place: on the oldest connection that has one, so that the others can go.
    pub(super) fn take(&mut self, idle: &mut Resting) -> Option<Arc<Link>> {
        let entry = self
            .links
            .iter_mut()
            .find(|entry| entry.in_flight < entry.limit && !entry.link.is_closed())?;
        entry.in_flight += 1;
        if let Some(at) = entry.resting.take() {
            idle.remove(at);
        }
        Some(entry.link.clone())
    }

    pub(super) fn advice(&self) -> Advice {
        let mut live = self.links.iter().filter(|entry| !entry.link.is_closed());
        if self.known == Some(Protocol::Http1) {
            Advice::Alone
        } else if self.opening.is_some() || live.any(|entry| self.cramped || !entry.settled) {
            Advice::Wait
        } else {
            Advice::Open
        }
    }

    pub(super) fn entry(&mut self, pulse: &Arc<Pulse>) -> Option<&mut Entry> {
        let at = self.position(pulse)?;
        self.links.get_mut(at)
    }

    pub(super) fn position(&self, pulse: &Arc<Pulse>) -> Option<usize> {
        self.links
            .iter()
            .position(|entry| Arc::ptr_eq(&entry.link.pulse, pulse))
    }

    /// Whether nothing would be lost but the memory of its protocol.
    pub(super) fn is_unused(&self) -> bool {
        self.links.is_empty() && self.opening.is_none()
    }
}
