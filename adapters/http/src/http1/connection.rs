//! An HTTP/1.1 connection: its stream and the bytes read but not used yet.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use std::{fmt, io};

use bytes::BytesMut;
use fetch_driver::ConnectionInfo;
use futures_io::AsyncRead;

use crate::connect::addresses::AddressTrial;
use crate::io::byte_stream::{ByteStream, SCRATCH};
use crate::origin::Origin;
use crate::pool::limit::ConnectionPermit;
use crate::pool::sweep::{IdleWatcher, SweepQueue};

thread_local! {
    // Safe code can only read into initialised memory. One buffer per thread serves all connections;
    // the used part of a read is copied out, in pieces of the exact size.
    static SCRATCH_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One connection, used exclusively by its holder. Dropping it closes it at once.
pub(crate) struct H1Connection {
    pub(crate) origin: Arc<Origin>,
    /// How long connecting took, over TCP.
    pub(crate) connect_time: Option<Duration>,
    /// Until the server answers: whether its address works.
    pub(crate) trial: Option<Box<AddressTrial>>,
    /// The addresses of both ends.
    pub(crate) info: ConnectionInfo,
    pub(crate) watcher: Arc<IdleWatcher>,
    /// When the server will close the connection if it stays idle, as far as it said so.
    closes_at: Option<Instant>,
    pub(super) stream: Box<dyn ByteStream>,
    /// Bytes that were read and not used yet.
    pub(super) unread: BytesMut,
    /// Wakes the watcher.
    waker: Waker,
    _permit: ConnectionPermit,
}

impl H1Connection {
    pub(crate) fn new(
        stream: impl ByteStream + 'static,
        origin: Arc<Origin>,
        info: ConnectionInfo,
        sweep_queue: &Arc<SweepQueue>,
        permit: ConnectionPermit,
    ) -> Box<Self> {
        let watcher = Arc::new(IdleWatcher::new(sweep_queue));
        // Boxed, because it moves with every request.
        Box::new(Self {
            closes_at: None,
            connect_time: None,
            trial: None,
            origin,
            info,
            stream: Box::new(stream),
            unread: BytesMut::new(),
            waker: Waker::from(watcher.clone()),
            watcher,
            _permit: permit,
        })
    }

    /// Whether another request may be sent, as far as is known. From then on the watcher is woken
    /// when anything arrives: a server sends nothing unrequested, so it is usually the end.
    pub(crate) fn is_reusable(&mut self) -> bool {
        if self.is_expired() {
            return false;
        }
        let mut cx = Context::from_waker(&self.waker);
        self.stream.start_turn();
        let stream = Pin::new(&mut self.stream);
        self.unread.is_empty() && stream.poll_read(&mut cx, &mut [0]).is_pending()
    }

    /// Sets how long the connection may be idle from now on, by the server's `Keep-Alive`.
    pub(crate) fn set_idle_limit(&mut self, limit: Option<Duration>) {
        self.closes_at = limit.and_then(|limit| Instant::now().checked_add(limit));
    }

    /// Whether the server may be closing it, because it was idle for as long as the server allows.
    pub(crate) fn is_expired(&self) -> bool {
        self.closes_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Reads at most [`SCRATCH`] bytes and passes them to `take`, together with the unread ones. An
    /// empty slice is the end.
    pub(super) fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8], &mut BytesMut) -> T,
    ) -> Poll<io::Result<T>> {
        let mut scratch = SCRATCH_BUFFER.take();
        scratch.resize(SCRATCH, 0);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut scratch);
        let taken = polled.map_ok(|n| take(&scratch[..n], &mut self.unread));
        SCRATCH_BUFFER.set(scratch);
        taken
    }

    /// Appends a read to the unread bytes. True at the end of the stream.
    pub(super) fn poll_read_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let is_end = ready!(self.poll_read(cx, |bytes, unread| {
            unread.extend_from_slice(bytes);
            bytes.is_empty()
        }))?;
        Poll::Ready(Ok(is_end))
    }
}

impl fmt::Debug for H1Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H1Connection")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
