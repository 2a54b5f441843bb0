//! One shared connection: the half that requests use, and what its task tells it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use atomic_waker::AtomicWaker;
use event_listener::Event;
use http::uri::Authority;
use hyper::client::conn::http2::SendRequest;

use super::upload::OutgoingBody;
use crate::connections::Ticket;
use crate::hyper_io::Watch;
use crate::origin::Origin;

/// The requests' half of a shared connection. When it is dropped, the connection is closed.
pub(crate) struct Link {
    pub(crate) authority: Authority,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) sender: SendRequest<OutgoingBody>,
    pub(super) ticket: Ticket,
}

impl Link {
    /// Whether it can take no more requests.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.pulse.has_ended()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.pulse.killed.store(true, Ordering::Release);
        self.pulse.waker.wake();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("origin", &self.pulse.origin)
            .finish_non_exhaustive()
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// Whether this side found fault with what came.
    pub(super) ours: bool,
    pub(super) reason: h2::Reason,
}

/// What both halves of a shared connection know.
pub(crate) struct Pulse {
    /// Told when a place on this connection, or another to the same origin, may be free.
    pub(super) freed: Arc<Event>,
    /// Larger than that of every connection made before.
    pub(super) number: u64,
    pub(crate) origin: Arc<Origin>,
    /// What ended the connection, unless it was a mere end.
    pub(super) ending: OnceLock<Ending>,
    /// Whether the server has said how many requests it takes at once.
    pub(super) answered: AtomicBool,
    pub(super) settled: AtomicBool,
    /// Why TLS ended, if it did so in anger: HTTP/2 keeps no more than the text of such an error.
    pub(super) tls: OnceLock<String>,
    pub(super) waker: AtomicWaker,
    /// Whether the task takes no more requests. A request that is put into hyper's channel while the
    /// other end goes away could stay there for ever.
    closed: Mutex<bool>,
    ended: AtomicBool,
    ending_known: Event,
    killed: AtomicBool,
    reads: AtomicU64,
}

impl Pulse {
    pub(super) fn new(origin: Arc<Origin>, number: u64, freed: Arc<Event>) -> Self {
        Self {
            closed: Mutex::new(false),
            ended: AtomicBool::new(false),
            ending: OnceLock::new(),
            ending_known: Event::new(),
            freed,
            killed: AtomicBool::new(false),
            number,
            origin,
            reads: AtomicU64::new(0),
            answered: AtomicBool::new(false),
            settled: AtomicBool::new(false),
            tls: OnceLock::new(),
            waker: AtomicWaker::new(),
        }
    }

    /// From now on [`Pulse::send`] sends nothing.
    pub(super) fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Does `send` while the task certainly takes requests, if it still does.
    pub(super) fn send<T>(&self, send: impl FnOnce() -> T) -> Option<T> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        (!*closed).then(send)
    }

    /// A number that changes with everything that comes from the server.
    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.ending_known.notify(usize::MAX);
    }

    /// Waits until all is known about a connection that is certainly over.
    pub(super) async fn ended(&self) {
        while !self.has_ended() {
            let ending_known = self.ending_known.listen();
            if !self.has_ended() {
                ending_known.await;
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether nobody uses the connection any more.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }
}

impl Watch for Arc<Pulse> {
    fn has_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    fn has_failed(&self, error: &std::io::Error) {
        if crate::error::is_tls_io(error) {
            let _ = self.tls.set(error.to_string());
        }
    }
}
