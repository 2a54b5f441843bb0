//! One connection: the half that requests use, the task that moves its bytes, what both know.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use fetch_driver::{Marks, Phase};
use futures_io::{AsyncRead, AsyncWrite};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};

use crate::idle::Slot;
use crate::io::{HyperIo, Watch};
use crate::origin::Origin;
use crate::outgoing::OutgoingBody;
use crate::pool::{Pool, Ticket};

/// The requests' half of a connection. Dropping it closes the connection at once.
pub(crate) struct Conn {
    pub(crate) origin: Arc<Origin>,
    /// The address at the other end; a Unix socket has none.
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) sender: SendRequest<OutgoingBody>,
    pub(crate) shared: Arc<Shared>,
    _ticket: Ticket,
}

impl Conn {
    /// Wraps a connected stream; the task must be spawned for anything to happen.
    pub(crate) async fn start<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        builder: &Builder,
        stream: S,
        origin: Arc<Origin>,
        remote: Option<SocketAddr>,
        pool: &Arc<Pool>,
        ticket: Ticket,
    ) -> hyper::Result<(Self, Task<S>)> {
        let shared = Arc::new(Shared::default());
        let io = HyperIo::new(stream, shared.clone());
        let (sender, connection) = builder.handshake(io).await?;
        let task = Task {
            connection,
            pool: Arc::downgrade(pool),
            shared: shared.clone(),
        };
        Ok((
            Self {
                origin,
                remote,
                sender,
                shared,
                _ticket: ticket,
            },
            task,
        ))
    }

    /// Gives the connection back to the pool if it can serve another request, else closes it.
    pub(crate) fn release(self, pool: &Pool) {
        // An unfinished upload must not keep the next request waiting.
        if self.shared.flushed.load(Ordering::Acquire) && !self.sender.is_closed() {
            pool.put(self);
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.shared.kill();
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// What the two halves of a connection tell each other.
#[derive(Default)]
pub(crate) struct Shared {
    /// Where the pool keeps the connection while it is idle; guarded by the pool's lock.
    pub(crate) slot: Slot,
    /// Whether the task takes no more requests. A request that is put into hyper's channel while the
    /// other end goes away could stay there for ever.
    closed: Mutex<bool>,
    ended: AtomicBool,
    flushed: AtomicBool,
    killed: AtomicBool,
    marks: Mutex<Option<Marks>>,
    read: AtomicBool,
    /// Why TLS ended, if it did so in anger: hyper does not keep it when no request is under way.
    tls: OnceLock<String>,
    uploaded: AtomicBool,
    waker: AtomicWaker,
    written: AtomicBool,
}

impl Shared {
    /// Forgets the last request and gets ready for one whose phases go to `marks`.
    pub(crate) fn begin(&self, marks: Marks, uploaded: bool) {
        self.flushed.store(false, Ordering::Relaxed);
        self.read.store(false, Ordering::Relaxed);
        self.written.store(false, Ordering::Relaxed);
        self.uploaded.store(uploaded, Ordering::Release);
        *lock(&self.marks) = Some(marks);
    }

    /// Whether the task is gone, and the connection with it.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether any byte of the response came.
    pub(crate) fn got_any(&self) -> bool {
        self.read.load(Ordering::Acquire)
    }

    /// Why TLS ended, if it did so in anger.
    pub(crate) fn tls_error(&self) -> Option<&str> {
        self.tls.get().map(String::as_str)
    }

    /// Whether any byte of the request was written.
    pub(crate) fn sent_any(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }

    /// All of the request's body was handed over for writing.
    pub(crate) fn has_uploaded(&self) {
        self.uploaded.store(true, Ordering::Release);
    }

    /// From now on [`Shared::send`] sends nothing.
    fn close(&self) {
        *lock(&self.closed) = true;
    }

    /// Does `send` while the task certainly takes requests, if it still does.
    pub(crate) fn send<T>(&self, send: impl FnOnce() -> T) -> Option<T> {
        let closed = lock(&self.closed);
        (!*closed).then(send)
    }

    /// Makes the task close the connection.
    fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Watch for Arc<Shared> {
    fn has_read(&self) {
        self.read.store(true, Ordering::Release);
    }

    fn has_failed(&self, error: &std::io::Error) {
        if crate::error::is_tls_io(error) {
            let _ = self.tls.set(error.to_string());
        }
    }

    fn has_written(&self) {
        self.written.store(true, Ordering::Release);
    }

    fn has_flushed(&self) {
        if self.uploaded.load(Ordering::Acquire) {
            self.flushed.store(true, Ordering::Release);
            if let Some(marks) = lock(&self.marks).take() {
                marks.mark(Phase::Sent);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves one connection's bytes until it is closed by either side.
pub(crate) struct Task<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    connection: Connection<HyperIo<S, Arc<Shared>>, OutgoingBody>,
    pool: Weak<Pool>,
    shared: Arc<Shared>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Future for Task<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // hyper alone would not notice a dropped response before the server's next byte, and then
        // still try to send what is left of the request.
        self.shared.waker.register(cx.waker());
        if self.shared.killed.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if let Poll::Ready(result) = Pin::new(&mut self.connection).poll(cx) {
            if let Err(error) = result {
                log::trace!(target: "fetch_http", "connection ended: {error}");
            }
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Task<S> {
    fn drop(&mut self) {
        self.shared.close();
        self.shared.ended.store(true, Ordering::Release);
        if let Some(pool) = self.pool.upgrade() {
            pool.forget(&self.shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_once_the_task_is_gone() {
        let shared = Shared::default();
        assert_eq!(shared.send(|| 1), Some(1));
        shared.close();
        assert_eq!(shared.send(|| 2), None);
    }
}
