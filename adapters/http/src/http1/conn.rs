//! A connection: its stream, and what came over it and is not used yet.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::{fmt, io};

use bytes::BytesMut;
use futures_io::AsyncRead;

use super::watch::Watch;
use crate::connections::Ticket;
use crate::io::{Duplex, SCRATCH};
use crate::origin::Origin;
use crate::pool::Pool;

thread_local! {
    // Safe code can only read into initialised memory. One buffer for each thread serves all its
    // connections; what is kept of a read is copied out, in pieces of just the right size.
    static SCRATCH_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One connection. Whoever has it is alone with it; dropping it closes it at once.
pub(crate) struct Conn {
    pub(crate) origin: Arc<Origin>,
    /// The address at the other end; a Unix socket has none.
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) watch: Arc<Watch>,
    /// What has come and is not used yet.
    pub(super) rest: BytesMut,
    pub(super) stream: Box<dyn Duplex>,
    /// Wakes the watch.
    waker: Waker,
    _ticket: Ticket,
}

impl Conn {
    pub(crate) fn new(
        stream: impl Duplex + 'static,
        origin: Arc<Origin>,
        remote: Option<SocketAddr>,
        pool: &Arc<Pool>,
        ticket: Ticket,
    ) -> Box<Self> {
        let watch = Arc::new(Watch::new(pool));
        // Boxed: it goes from hand to hand with every request.
        Box::new(Self {
            origin,
            remote,
            rest: BytesMut::new(),
            stream: Box::new(stream),
            waker: Waker::from(watch.clone()),
            watch,
            _ticket: ticket,
        })
    }

    /// Whether it may serve another request, as far as is known. From then on its watch is told of
    /// whatever comes: an idle connection has nothing to expect but its end.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        let stream = Pin::new(&mut self.stream);
        self.rest.is_empty() && stream.poll_read(&mut cx, &mut [0]).is_pending()
    }

    /// Reads what there is, at most [`SCRATCH`] bytes, and lets `take` have it together with what is
    /// not used yet. An empty piece is the end.
    pub(super) fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8], &mut BytesMut) -> T,
    ) -> Poll<io::Result<T>> {
        let mut scratch = SCRATCH_BUFFER.take();
        scratch.resize(SCRATCH, 0);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut scratch);
        let taken = polled.map_ok(|n| take(&scratch[..n], &mut self.rest));
        SCRATCH_BUFFER.set(scratch);
        taken
    }

    /// Adds what comes to what is not used yet; tells whether it was the end.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let is_end = ready!(self.poll_read(cx, |bytes, rest| {
            rest.extend_from_slice(bytes);
            bytes.is_empty()
        }))?;
        Poll::Ready(Ok(is_end))
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
