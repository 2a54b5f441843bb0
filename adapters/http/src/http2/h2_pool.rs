//! All origins whose connections may be shared.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use event_listener::Event;
use fetch_driver::TransportError;
use hashbrown::HashMap;

use super::connecting::PendingConnect;
use super::handle::{H2Handle, H2Shared, HandleOwner};
use super::idle_list::IdleList;
use super::lease::StreamLease;
use super::origin_state::{OpenAdvice, OriginProtocol, OriginState};
use crate::origin::{Origin, OriginRef};
use crate::pool::limit::ConnectionPermit;
use fetch_transport_util::lock;

/// How many origins are remembered, at least, before those without a connection are forgotten.
const MIN_ORIGINS: usize = 16 * 1024;
/// The most concurrent requests on one connection, whatever the server allows.
const MAX_STREAMS: usize = 100;

/// The shared connections, by origin.
pub(crate) struct H2Pool {
    idle_timeout: Duration,
    next_number: AtomicU64,
    state: Mutex<H2PoolState>,
}

struct H2PoolState {
    /// The number of origins at which unused ones are forgotten.
    forget_at: usize,
    idle: IdleList,
    origins: HashMap<Arc<Origin>, OriginState>,
}

/// The answer to a request that needs a stream.
pub(crate) enum StreamGrant {
    /// The origin speaks HTTP/1.1: an exclusive connection may be opened with the permit.
    Http1(Option<ConnectionPermit>),
    Leased(StreamLease),
    /// A connection may be opened if there is a permit for it.
    MayOpen(StreamWait),
    Open(ConnectionPermit, ConnectGuard),
    Wait(StreamWait),
}

/// The events for which a request without a stream waits.
pub(crate) struct StreamWait {
    pub(crate) freed: Arc<Event>,
    /// Whether a permit to open a connection would help, too.
    pub(crate) for_permit: bool,
    pub(crate) pending: Option<Arc<PendingConnect>>,
}

impl StreamWait {
    /// Waits only for a permit.
    pub(crate) fn for_permit() -> Self {
        Self {
            freed: Arc::default(),
            for_permit: true,
            pending: None,
        }
    }
}

/// Held by the request that opens a connection. When it is dropped, another one may do so.
pub(crate) struct ConnectGuard {
    origin: Arc<Origin>,
    pending: Arc<PendingConnect>,
    pool: Arc<H2Pool>,
}

impl ConnectGuard {
    /// Fails this request and all that wait for it. `None` if other connections to the origin are
    /// open: the requests then wait for a stream on those.
    pub(crate) fn fail(self, error: TransportError) -> Option<TransportError> {
        if self.pool.note_refused_connection(&self.origin) {
            return None;
        }
        Some(self.pending.fail(error))
    }
}

impl Drop for ConnectGuard {
    fn drop(&mut self) {
        self.pool.finish_opening(&self.origin, &self.pending);
    }
}

impl H2Pool {
    pub(crate) fn new(idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            idle_timeout,
            next_number: AtomicU64::new(0),
            state: Mutex::new(H2PoolState {
                forget_at: MIN_ORIGINS,
                idle: IdleList::default(),
                origins: HashMap::new(),
            }),
        })
    }

    /// A stream on a connection to `origin`, or what to do to get one.
    ///
    /// # Errors
    ///
    /// If the origin's host is no valid header value.
    pub(crate) fn request_stream(
        self: &Arc<Self>,
        origin: OriginRef<'_>,
        permit: Option<ConnectionPermit>,
    ) -> Result<StreamGrant, TransportError> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        if !state.origins.contains_key(&origin) {
            state.insert(Arc::new(origin.to_server_origin()?));
        }
        let Some((key, origin)) = state.origins.get_key_value_mut(&origin) else {
            unreachable!("it was inserted above");
        };
        if let Some(handle) = origin.take_stream(&mut state.idle) {
            return Ok(StreamGrant::Leased(StreamLease::new(handle)));
        }
        let wait = |for_permit| StreamWait {
            freed: origin.freed.clone(),
            for_permit,
            pending: origin.opening.clone(),
        };
        Ok(match (origin.open_advice(), permit) {
            (OpenAdvice::OpenExclusive, permit) => StreamGrant::Http1(permit),
            (OpenAdvice::Wait, _) => StreamGrant::Wait(wait(false)),
            (OpenAdvice::OpenShared, None) => StreamGrant::MayOpen(wait(true)),
            (OpenAdvice::OpenShared, Some(permit)) => {
                let pending = Arc::new(PendingConnect::default());
                origin.opening = Some(pending.clone());
                let guard = ConnectGuard {
                    origin: key.clone(),
                    pending,
                    pool: self.clone(),
                };
                StreamGrant::Open(permit, guard)
            }
        })
    }

    /// The number of a new connection to `origin`, the event that its free streams notify, and the
    /// origin's counter of answers.
    pub(super) fn prepare_connection(
        &self,
        origin: &Arc<Origin>,
    ) -> (u64, (Arc<Event>, Arc<AtomicU64>)) {
        let mut state = lock(&self.state);
        let state = state.origin(origin);
        let shared = (state.freed.clone(), state.answers.clone());
        (self.next_number.fetch_add(1, Ordering::Relaxed), shared)
    }

    /// Shares a new connection. The lease is its first stream.
    pub(super) fn add(&self, handle: Arc<H2Handle>) -> StreamLease {
        let mut state = lock(&self.state);
        state.origin(&handle.shared.origin).add(handle.clone());
        drop(state);
        StreamLease::new(handle)
    }

    /// Remembers that `origin` chose HTTP/1.1.
    pub(crate) fn remember_http1(&self, origin: &Arc<Origin>) {
        let mut state = lock(&self.state);
        let protocol = &mut state.origin(origin).protocol;
        if *protocol != Some(OriginProtocol::Http1Required) {
            *protocol = Some(OriginProtocol::Http1);
        }
    }

    /// Whether `origin` answered that it requires HTTP/1.1.
    pub(crate) fn is_http1_required(&self, origin: OriginRef<'_>) -> bool {
        let state = lock(&self.state);
        let origin = state.origins.get(&origin);
        origin.is_some_and(|origin| origin.protocol == Some(OriginProtocol::Http1Required))
    }

    /// Remembers that the server refused a connection. True if others to the origin are open.
    fn note_refused_connection(&self, origin: &Arc<Origin>) -> bool {
        let mut state = lock(&self.state);
        let origin = state.origin(origin);
        origin.at_server_limit = origin.connections.iter().any(|c| !c.handle.is_closed());
        origin.at_server_limit
    }

    /// Ends the opening of a connection, whatever its result.
    fn finish_opening(&self, origin: &Arc<Origin>, pending: &Arc<PendingConnect>) {
        let mut state = lock(&self.state);
        let origin = state.origin(origin);
        if origin
            .opening
            .as_ref()
            .is_some_and(|opening| Arc::ptr_eq(opening, pending))
        {
            origin.opening = None;
        }
        let freed = origin.freed.clone();
        drop(state);
        freed.notify(usize::MAX);
    }

    /// Applies the server's limit on concurrent streams.
    pub(super) fn set_stream_limit(&self, shared: &Arc<H2Shared>, limit: usize) {
        let mut state = lock(&self.state);
        let Some(connection) = state.origin(&shared.origin).connection_mut(shared) else {
            return;
        };
        let limit = limit.min(MAX_STREAMS);
        let more = limit.saturating_sub(connection.limit);
        connection.limit = limit;
        connection.settled = true;
        drop(state);
        // One more: now that the limit is known, a waiting request may open another connection.
        shared.freed.notify_additional(more.saturating_add(1));
    }

    /// Removes connections that have been idle for `timeout`. Dropping the handles closes them.
    pub(crate) fn expire(&self, timeout: Duration) -> Vec<Arc<H2Handle>> {
        let mut closed = Vec::new();
        let mut state = lock(&self.state);
        while state
            .idle
            .oldest_since()
            .is_some_and(|since| since.elapsed() >= timeout)
        {
            closed.extend(state.take_oldest());
        }
        closed
    }

    /// Removes the connection that has been idle for the longest time.
    pub(crate) fn take_oldest(&self) -> Option<Arc<H2Handle>> {
        lock(&self.state).take_oldest()
    }

    /// Since when the oldest connection has been idle.
    pub(crate) fn oldest_since(&self) -> Option<Instant> {
        lock(&self.state).idle.oldest_since()
    }

    /// This pool as its connections refer to it.
    pub(super) fn as_owner(self: &Arc<Self>) -> Weak<dyn HandleOwner> {
        Arc::<Self>::downgrade(self)
    }
}

impl HandleOwner for H2Pool {
    fn release(&self, handle: &Arc<H2Handle>) {
        let mut state = lock(&self.state);
        let H2PoolState { origins, idle, .. } = &mut *state;
        let mut closed = None;
        let mut is_idle = false;
        if let Some(origin) = origins.get_mut(&handle.shared.origin)
            && let Some(index) = origin.position(&handle.shared)
        {
            let limit = origin.request_limit;
            let connection = &mut origin.connections[index];
            connection.in_flight -= 1;
            is_idle = connection.in_flight == 0;
            if is_idle && (self.idle_timeout.is_zero() || handle.is_closed()) {
                closed = Some(origin.connections.remove(index));
            } else if is_idle {
                if connection.is_full(limit) {
                    connection.full_since = Some(Instant::now());
                }
                connection.idle_key = Some(idle.insert(handle.clone()));
            }
        }
        drop(state);
        drop(closed);
        handle.shared.freed.notify_additional(1);
        if is_idle {
            // It may be closed to make room.
            handle.permit.notify_idle();
        }
    }

    fn retire(&self, shared: &Arc<H2Shared>, older: bool) {
        let is_retired = |other: &H2Shared| match older {
            true => other.number <= shared.number,
            false => other.number == shared.number,
        };
        let mut state = lock(&self.state);
        let H2PoolState { origins, idle, .. } = &mut *state;
        let Some(origin) = origins.get_mut(&shared.origin) else {
            return;
        };
        let retired = origin
            .connections
            .extract_if(.., |c| is_retired(&c.handle.shared));
        let mut retired: Vec<_> = retired.collect();
        if retired.is_empty() {
            return;
        }
        origin.at_server_limit = false;
        for key in retired.iter_mut().filter_map(|c| c.idle_key.take()) {
            idle.remove(key);
        }
        drop(state);
        drop(retired);
        shared.freed.notify(usize::MAX);
    }

    fn learn_request_limit(&self, shared: &H2Shared, requests: usize) {
        if requests == 0 {
            // The server took none: it is shutting down.
            return;
        }
        let mut state = lock(&self.state);
        state.origin(&shared.origin).request_limit = Some(requests);
    }

    fn require_http1(&self, shared: &Arc<H2Shared>) {
        lock(&self.state).origin(&shared.origin).protocol = Some(OriginProtocol::Http1Required);
        self.retire(shared, true);
    }
}

impl H2PoolState {
    /// The state of `origin`.
    fn origin(&mut self, origin: &Arc<Origin>) -> &mut OriginState {
        if !self.origins.contains_key(origin) {
            self.insert(origin.clone());
        }
        self.origins.entry(origin.clone()).or_default()
    }

    fn insert(&mut self, origin: Arc<Origin>) {
        if self.origins.len() >= self.forget_at {
            self.origins.retain(|_, state| !state.is_unused());
            self.forget_at = MIN_ORIGINS.max(2 * self.origins.len());
        }
        self.origins.insert(origin, OriginState::default());
    }

    fn take_oldest(&mut self) -> Option<Arc<H2Handle>> {
        let handle = self.idle.pop_oldest()?;
        if let Some(origin) = self.origins.get_mut(&handle.shared.origin) {
            origin
                .connections
                .retain(|connection| !Arc::ptr_eq(&connection.handle, &handle));
        }
        Some(handle)
    }
}
