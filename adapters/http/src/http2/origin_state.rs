//! One origin: its protocol and its shared connections.

use std::sync::Arc;

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
    Http2,
}

#[derive(Default)]
pub(super) struct OriginState {
    pub(super) connections: Vec<SharedConnection>,
    /// Whether the server refused another connection beside the open ones.
    pub(super) at_server_limit: bool,
    pub(super) freed: Arc<Event>,
    pub(super) opening: Option<Arc<PendingConnect>>,
    pub(super) protocol: Option<OriginProtocol>,
}

/// A shared connection and how many requests it carries.
pub(super) struct SharedConnection {
    pub(super) handle: Arc<H2Handle>,
    /// Its key in the list of idle connections.
    pub(super) idle_key: Option<u64>,
    pub(super) in_flight: usize,
    pub(super) limit: usize,
    /// Whether `limit` is the server's.
    pub(super) settled: bool,
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
        self.protocol = Some(OriginProtocol::Http2);
        self.connections.push(SharedConnection {
            handle,
            idle_key: None,
            in_flight: 1,
            limit: INITIAL_STREAM_LIMIT,
            settled: false,
        });
    }

    /// Takes a free stream: on the oldest connection that has one, so that newer ones become idle.
    pub(super) fn take_stream(&mut self, idle: &mut IdleList) -> Option<Arc<H2Handle>> {
        let connection = self.connections.iter_mut().find(|connection| {
            connection.in_flight < connection.limit && !connection.handle.is_closed()
        })?;
        connection.in_flight += 1;
        if let Some(key) = connection.idle_key.take() {
            idle.remove(key);
        }
        Some(connection.handle.clone())
    }

    pub(super) fn open_advice(&self) -> OpenAdvice {
        let mut open = self.connections.iter().filter(|c| !c.handle.is_closed());
        if self.protocol == Some(OriginProtocol::Http1) {
            OpenAdvice::OpenExclusive
        } else if self.opening.is_some() || open.any(|c| self.at_server_limit || !c.settled) {
            OpenAdvice::Wait
        } else {
            OpenAdvice::OpenShared
        }
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
