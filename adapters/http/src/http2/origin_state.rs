//! One origin: its protocol and its shared connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use event_listener::Event;

use super::connecting::PendingConnect;
use super::handle::{H2Handle, H2Shared};
use super::idle_list::IdleList;

/// The limit on streams of a connection before the server has sent its limit.
///
/// With a higher one, the server might refuse streams.
pub(super) const INITIAL_STREAM_LIMIT: usize = 1;

/// The protocol of the last connection to an origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OriginProtocol {
    Http1,
    /// The server answered HTTP_1_1_REQUIRED over HTTP/2, so HTTP/2 is not offered any more.
    Http1Required,
    Http2,
}

/// How long a connection that has served as many requests as the last one could may be idle before
/// the limit counts as disproved: the server would have announced the end.
const LIMIT_DOUBT: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct OriginState {
    pub(super) connections: Vec<SharedConnection>,
    /// Whether the server refused another connection beside the open ones.
    pub(super) at_server_limit: bool,
    pub(super) freed: Arc<Event>,
    pub(super) opening: Option<Arc<PendingConnect>>,
    pub(super) protocol: Option<OriginProtocol>,
    /// The most requests per connection, learned when the server ended one after so many and refused
    /// the rest. Such a server would refuse them on the next connection, too.
    pub(super) request_limit: Option<usize>,
    /// How many requests to this origin were answered.
    pub(super) answers: Arc<AtomicU64>,
}

/// A shared connection and how many requests it carries.
pub(super) struct SharedConnection {
    pub(super) handle: Arc<H2Handle>,
    /// Its key in the list of idle connections.
    pub(super) idle_key: Option<u64>,
    pub(super) in_flight: usize,
    /// Since when it has been idle although it may take no more requests.
    pub(super) full_since: Option<Instant>,
    pub(super) limit: usize,
    /// Whether `limit` is the server's.
    pub(super) settled: bool,
}

impl SharedConnection {
    /// Whether it has served as many requests as the server allows on one connection.
    pub(super) fn is_full(&self, request_limit: Option<usize>) -> bool {
        request_limit.is_some_and(|limit| self.handle.shared.taken.load(Ordering::Acquire) >= limit)
    }
}

/// What a request without a free stream should do.
pub(super) enum OpenAdvice {
    OpenExclusive,
    OpenShared,
    Wait,
}

impl OriginState {
    /// Adds a connection that carries one request.
    pub(super) fn add(&mut self, handle: Arc<H2Handle>) {
        if self.protocol != Some(OriginProtocol::Http1Required) {
            self.protocol = Some(OriginProtocol::Http2);
        }
        handle.shared.taken.fetch_add(1, Ordering::AcqRel);
        self.connections.push(SharedConnection {
            handle,
            idle_key: None,
            in_flight: 1,
            full_since: None,
            limit: INITIAL_STREAM_LIMIT,
            settled: false,
        });
    }

    /// Takes a free stream: on the oldest connection that has one, so that newer ones become idle.
    pub(super) fn take_stream(&mut self, idle: &mut IdleList) -> Option<Arc<H2Handle>> {
        if self.is_request_limit_disproved() {
            self.request_limit = None;
        }
        let limit = self.request_limit;
        let connection = self.connections.iter_mut().find(|connection| {
            connection.in_flight < connection.limit
                && !connection.is_full(limit)
                && !connection.handle.is_closed()
        })?;
        connection.in_flight += 1;
        connection.full_since = None;
        connection
            .handle
            .shared
            .taken
            .fetch_add(1, Ordering::AcqRel);
        if let Some(key) = connection.idle_key.take() {
            idle.remove(key);
        }
        Some(connection.handle.clone())
    }

    /// Whether a connection outlived the learned limit on requests.
    fn is_request_limit_disproved(&self) -> bool {
        let is_disproof = |c: &SharedConnection| {
            let since = c.full_since;
            since.is_some_and(|since| since.elapsed() >= LIMIT_DOUBT) && !c.handle.is_closed()
        };
        self.request_limit.is_some() && self.connections.iter().any(is_disproof)
    }

    pub(super) fn open_advice(&self) -> OpenAdvice {
        let limit = self.request_limit;
        let connections = self.connections.iter();
        let mut open = connections.filter(|c| !c.handle.is_closed() && !c.is_full(limit));
        if self.speaks_http1() {
            OpenAdvice::OpenExclusive
        } else if self.opening.is_some() || open.any(|c| self.at_server_limit || !c.settled) {
            OpenAdvice::Wait
        } else {
            OpenAdvice::OpenShared
        }
    }

    fn speaks_http1(&self) -> bool {
        matches!(
            self.protocol,
            Some(OriginProtocol::Http1 | OriginProtocol::Http1Required)
        )
    }

    pub(super) fn connection_mut(
        &mut self,
        shared: &Arc<H2Shared>,
    ) -> Option<&mut SharedConnection> {
        let index = self.position(shared)?;
        self.connections.get_mut(index)
    }

    pub(super) fn position(&self, shared: &Arc<H2Shared>) -> Option<usize> {
        self.connections
            .iter()
            .position(|connection| Arc::ptr_eq(&connection.handle.shared, shared))
    }

    /// Whether only the remembered protocol would be lost with this state.
    pub(super) fn is_unused(&self) -> bool {
        self.connections.is_empty() && self.opening.is_none()
    }
}
