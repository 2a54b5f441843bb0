//! One shared connection: the half that requests use, and the state it shares with its task.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use atomic_waker::AtomicWaker;
use event_listener::Event;
use fetch_driver::ConnectionInfo;
use http::uri::Authority;
use hyper::client::conn::http2::SendRequest;

use super::frame_meter::{FrameFlood, FrameMeter};
use super::upload::H2RequestBody;
use crate::connect::addresses::AddressTrial;
use crate::io::hyper::StreamObserver;
use crate::origin::Origin;
use crate::pool::limit::ConnectionPermit;
use fetch_transport_util::lock;

/// The requests' half of a shared connection. Dropping it closes the connection.
pub(crate) struct H2Handle {
    pub(super) authority: Authority,
    pub(super) owner: Weak<dyn HandleOwner>,
    pub(super) permit: ConnectionPermit,
    pub(crate) info: ConnectionInfo,
    /// Until the server answers: whether its address works.
    pub(super) trial: Mutex<Option<Box<AddressTrial>>>,
    pub(super) sender: SendRequest<H2RequestBody>,
    pub(super) shared: Arc<H2Shared>,
}

/// The pool of a shared connection, as requests see it.
pub(super) trait HandleOwner: Send + Sync {
    /// Frees the stream of one request.
    fn release(&self, handle: &Arc<H2Handle>);

    /// Stops using this connection for requests and, if `older`, also older ones to its origin.
    fn retire(&self, shared: &Arc<H2Shared>, older: bool);

    /// Remembers that the server ended this connection after so many requests.
    fn learn_request_limit(&self, shared: &H2Shared, requests: usize);

    /// Remembers that the origin requires HTTP/1.1.
    fn require_http1(&self, shared: &Arc<H2Shared>);
}

impl H2Handle {
    /// Whether the connection accepts no more requests.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.shared.has_ended()
    }
}

impl Drop for H2Handle {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Ordering::Release);
        self.shared.waker.wake();
    }
}

impl fmt::Debug for H2Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2Handle")
            .field("origin", &self.shared.origin)
            .finish_non_exhaustive()
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct CloseReason {
    /// Whether this side detected a protocol error.
    pub(super) is_local: bool,
    pub(super) reason: h2::Reason,
}

/// The state that both halves of a shared connection see.
pub(crate) struct H2Shared {
    /// Notified when a stream may be free on a connection to this origin.
    pub(super) freed: Arc<Event>,
    /// How many requests to this origin the server has answered, on any connection.
    pub(super) answers: Arc<AtomicU64>,
    /// Requests that were given a stream of this connection.
    pub(super) taken: AtomicUsize,
    /// Requests of those that the server did not process.
    pub(super) unprocessed: AtomicUsize,
    /// Whether the server announced the end of the connection, and refused requests because of it.
    pub(super) refused_by_goaway: AtomicBool,
    /// Increases with every connection opened.
    pub(super) number: u64,
    pub(super) origin: Arc<Origin>,
    /// Set if the connection did not end cleanly.
    pub(super) close_reason: OnceLock<CloseReason>,
    /// Set if the server sent too many frames without data, which ends the connection.
    pub(super) flood: OnceLock<FrameFlood>,
    /// Whether the server has answered any request.
    pub(super) answered: AtomicBool,
    /// Whether the server's limit on streams is known.
    pub(super) settled: AtomicBool,
    /// Why TLS failed, if it did. hyper only passes on the text of such an error.
    pub(super) tls_error: OnceLock<String>,
    pub(super) waker: AtomicWaker,
    /// Whether the task takes no more requests. A request that is put into hyper's channel while the
    /// other end is dropped could stay there forever.
    send_closed: Mutex<bool>,
    ended: AtomicBool,
    end_event: Event,
    abandoned: AtomicBool,
    reads: AtomicU64,
    requests: AtomicU64,
}

impl H2Shared {
    pub(super) fn new(
        origin: Arc<Origin>,
        number: u64,
        (freed, answers): (Arc<Event>, Arc<AtomicU64>),
    ) -> Self {
        Self {
            freed,
            answers,
            taken: AtomicUsize::new(0),
            unprocessed: AtomicUsize::new(0),
            refused_by_goaway: AtomicBool::new(false),
            number,
            origin,
            close_reason: OnceLock::new(),
            flood: OnceLock::new(),
            answered: AtomicBool::new(false),
            settled: AtomicBool::new(false),
            tls_error: OnceLock::new(),
            waker: AtomicWaker::new(),
            send_closed: Mutex::new(false),
            ended: AtomicBool::new(false),
            end_event: Event::new(),
            abandoned: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        }
    }

    /// From now on [`send`](Self::send) sends nothing.
    pub(super) fn close_send(&self) {
        *lock(&self.send_closed) = true;
    }

    /// Calls `send` if the task still takes requests. It does not stop doing so during the call.
    pub(super) fn send<T>(&self, send: impl FnOnce() -> T) -> Option<T> {
        let closed = lock(&self.send_closed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        (!*closed).then(send)
    }

    /// The number of reads from the server so far.
    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Records that the task has ended.
    pub(super) fn mark_ended(&self) {
        self.ended.store(true, Ordering::Release);
        self.end_event.notify(usize::MAX);
    }

    /// Waits for the task of a connection that is certainly closed, so that the reason is known.
    pub(super) async fn wait_ended(&self) {
        while !self.has_ended() {
            let ended = self.end_event.listen();
            if !self.has_ended() {
                ended.await;
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether the handle was dropped.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }
}

/// Follows the bytes of a connection.
pub(super) struct ConnectionObserver {
    frames: FrameMeter,
    shared: Arc<H2Shared>,
}

impl ConnectionObserver {
    pub(super) fn new(shared: Arc<H2Shared>) -> Self {
        Self {
            frames: FrameMeter::new(),
            shared,
        }
    }
}

impl StreamObserver for ConnectionObserver {
    fn on_read(&mut self, bytes: &[u8]) -> io::Result<()> {
        let shared = &self.shared;
        if !bytes.is_empty() {
            shared.reads.fetch_add(1, Ordering::Relaxed);
        }
        let requests = shared.requests.load(Ordering::Relaxed);
        self.frames.read(bytes, requests).map_err(|flood| {
            let _ = shared.flood.set(flood);
            io::Error::other("too many frames without data")
        })
    }

    fn on_read_error(&mut self, error: &io::Error) {
        if crate::error::is_tls_error(error) {
            let _ = self.shared.tls_error.set(error.to_string());
        }
    }

    fn on_write(&mut self, bytes: usize) {
        self.frames.add_written(bytes);
    }
}
