//! All origins that may share connections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_listener::Event;
use fetch_driver::TransportError;
use hashbrown::HashMap;

use super::flight::{Flight, Flying};
use super::group::{Advice, Group, Protocol};
use super::lease::Lease;
use super::link::{Link, Pulse};
use crate::connections::Ticket;
use crate::origin::{Origin, OriginRef};
use crate::pool::Pool;

/// How many origins are remembered, at least, before those without a connection are forgotten.
const ORIGINS: usize = 16 * 1024;
/// The most requests at once on one connection, whatever the server allows.
const STREAMS: usize = 100;

/// The shared connections, by origin.
pub(crate) struct Groups {
    idle_timeout: Duration,
    next: AtomicU64,
    state: Mutex<State>,
}

struct State {
    forget_at: usize,
    groups: HashMap<Arc<Origin>, Group>,
    idle: Resting,
}

/// The connections without a request, in the order in which they became idle.
#[derive(Default)]
pub(super) struct Resting {
    links: BTreeMap<u64, (Arc<Link>, Instant)>,
    next: u64,
}

impl Resting {
    fn insert(&mut self, link: Arc<Link>) -> u64 {
        self.next += 1;
        self.links.insert(self.next, (link, Instant::now()));
        self.next
    }

    pub(super) fn remove(&mut self, at: u64) {
        self.links.remove(&at);
    }
}

/// What a request gets.
pub(super) enum Answer {
    /// The origin speaks HTTP/1.1: a connection of its own.
    Alone(Option<Ticket>),
    /// The right to open a connection, if the pool has a ticket for it.
    MayOpen(Waiting),
    Open(Ticket, Flying),
    Shared(Lease),
    Wait(Waiting),
}

/// What a request without a place waits for.
pub(super) struct Waiting {
    pub(super) flight: Option<Arc<Flight>>,
    pub(super) freed: Arc<Event>,
    /// Whether a ticket of the pool would help too.
    pub(super) ticket: bool,
}

impl Groups {
    pub(crate) fn new(idle_timeout: Duration) -> Self {
        Self {
            idle_timeout,
            next: AtomicU64::new(0),
            state: Mutex::new(State {
                forget_at: ORIGINS,
                groups: HashMap::new(),
                idle: Resting::default(),
            }),
        }
    }

    /// A place on a connection to `origin`, or what to do to get one.
    pub(super) fn ask(
        &self,
        origin: OriginRef<'_>,
        ticket: Option<Ticket>,
        pool: &Arc<Pool>,
    ) -> Result<Answer, TransportError> {
        let mut state = self.lock();
        let state = &mut *state;
        if !state.groups.contains_key(&origin) {
            state.insert(Arc::new(origin.to_server()?));
        }
        let Some((key, group)) = state.groups.get_key_value_mut(&origin) else {
            unreachable!("it was inserted above");
        };
        if let Some(link) = group.take(&mut state.idle) {
            return Ok(Answer::Shared(Lease::new(link)));
        }
        let waiting = |ticket| Waiting {
            flight: group.opening.clone(),
            freed: group.freed.clone(),
            ticket,
        };
        Ok(match (group.advice(), ticket) {
            (Advice::Alone, ticket) => Answer::Alone(ticket),
            (Advice::Wait, _) => Answer::Wait(waiting(false)),
            (Advice::Open, None) => Answer::MayOpen(waiting(true)),
            (Advice::Open, Some(ticket)) => {
                let flight = Arc::new(Flight::default());
                group.opening = Some(flight.clone());
                let (origin, pool) = (key.clone(), pool.clone());
                let flying = Flying {
                    flight,
                    origin,
                    pool,
                };
                Answer::Open(ticket, flying)
            }
        })
    }

    /// What a new connection to `origin` must know.
    pub(super) fn prepare(&self, origin: &Arc<Origin>) -> (u64, Arc<Event>) {
        let freed = self.lock().group(origin).freed.clone();
        (self.next.fetch_add(1, Ordering::Relaxed), freed)
    }

    /// Shares a new connection; the lease is its first place.
    pub(super) fn adopt(&self, link: Arc<Link>) -> Lease {
        let mut state = self.lock();
        state.group(&link.pulse.origin).adopt(link.clone());
        drop(state);
        Lease::new(link)
    }

    /// Remembers that `origin` chose HTTP/1.1.
    pub(crate) fn speaks_http1(&self, origin: &Arc<Origin>) {
        self.lock().group(origin).known = Some(Protocol::Http1);
    }

    /// Whether connections to `origin` live although another one could not be opened.
    pub(super) fn is_cramped(&self, origin: &Arc<Origin>) -> bool {
        let mut state = self.lock();
        let group = state.group(origin);
        group.cramped = group.links.iter().any(|entry| !entry.link.is_closed());
        group.cramped
    }

    /// Ends a connection's opening, whatever came of it.
    pub(super) fn landed(&self, origin: &Arc<Origin>, flight: &Arc<Flight>) {
        let mut state = self.lock();
        let group = state.group(origin);
        if group
            .opening
            .as_ref()
            .is_some_and(|f| Arc::ptr_eq(f, flight))
        {
            group.opening = None;
        }
        let freed = group.freed.clone();
        drop(state);
        freed.notify(usize::MAX);
    }

    /// Takes note of how many requests at once the server takes.
    pub(super) fn set_limit(&self, pulse: &Arc<Pulse>, limit: usize) {
        let mut state = self.lock();
        let Some(entry) = state.group(&pulse.origin).entry(pulse) else {
            return;
        };
        let limit = limit.min(STREAMS);
        let more = limit.saturating_sub(entry.limit);
        entry.limit = limit;
        entry.settled = true;
        drop(state);
        // One more: with the limits known, one of those who wait may open another connection.
        pulse.freed.notify_additional(more.saturating_add(1));
    }

    /// Gives a place back.
    pub(super) fn release(&self, link: &Arc<Link>) {
        let mut state = self.lock();
        let State { groups, idle, .. } = &mut *state;
        let mut closed = None;
        let mut rests = false;
        if let Some(group) = groups.get_mut(&link.pulse.origin)
            && let Some(at) = group.position(&link.pulse)
        {
            let entry = &mut group.links[at];
            entry.in_flight -= 1;
            rests = entry.in_flight == 0;
            if rests && (self.idle_timeout.is_zero() || link.is_closed()) {
                closed = Some(group.links.remove(at));
            } else if rests {
                entry.resting = Some(idle.insert(link.clone()));
            }
        }
        drop(state);
        drop(closed);
        link.pulse.freed.notify_additional(1);
        if rests {
            // It may be closed to make room.
            if let Some(pool) = link.ticket.pool() {
                pool.rested();
            }
        }
    }

    /// Gives no more requests to this connection, nor, if `older`, to older ones to its origin.
    pub(super) fn retire(&self, pulse: &Arc<Pulse>, older: bool) {
        let gone = |link: &Link| match older {
            true => link.pulse.number <= pulse.number,
            false => link.pulse.number == pulse.number,
        };
        let mut state = self.lock();
        let State { groups, idle, .. } = &mut *state;
        let Some(group) = groups.get_mut(&pulse.origin) else {
            return;
        };
        let mut closed: Vec<_> = group.links.extract_if(.., |e| gone(&e.link)).collect();
        if closed.is_empty() {
            return;
        }
        group.cramped = false;
        for at in closed.iter_mut().filter_map(|entry| entry.resting.take()) {
            idle.remove(at);
        }
        drop(state);
        drop(closed);
        pulse.freed.notify(usize::MAX);
    }

    /// Takes away what has been idle for `timeout`. Dropping it closes it.
    pub(crate) fn expire(&self, timeout: Duration) -> Vec<Arc<Link>> {
        let mut closed = Vec::new();
        let mut state = self.lock();
        while state
            .oldest_since()
            .is_some_and(|since| since.elapsed() >= timeout)
        {
            closed.extend(state.take_oldest());
        }
        closed
    }

    /// The connection that has been idle for the longest time; it is not shared any more.
    pub(crate) fn take_oldest(&self) -> Option<Arc<Link>> {
        self.lock().take_oldest()
    }

    /// Since when the oldest one has been idle.
    pub(crate) fn oldest_since(&self) -> Option<Instant> {
        self.lock().oldest_since()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn group(&mut self, origin: &Arc<Origin>) -> &mut Group {
        if !self.groups.contains_key(origin) {
            self.insert(origin.clone());
        }
        self.groups.entry(origin.clone()).or_default()
    }

    fn insert(&mut self, origin: Arc<Origin>) {
        if self.groups.len() >= self.forget_at {
            self.groups.retain(|_, group| !group.is_unused());
            self.forget_at = ORIGINS.max(2 * self.groups.len());
        }
        self.groups.insert(origin, Group::default());
    }

    fn oldest_since(&self) -> Option<Instant> {
        let (_, since) = self.idle.links.first_key_value()?.1;
        Some(*since)
    }

    fn take_oldest(&mut self) -> Option<Arc<Link>> {
        let (_, (link, _)) = self.idle.links.pop_first()?;
        if let Some(group) = self.groups.get_mut(&link.pulse.origin) {
            group.links.retain(|entry| !Arc::ptr_eq(&entry.link, &link));
        }
        Some(link)
    }
}
