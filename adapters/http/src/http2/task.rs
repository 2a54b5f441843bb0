//! The task that moves the bytes of a shared connection.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::client::conn::http2::Connection;
use hyper::rt::Executor;

use super::h2_pool::H2Pool;
use super::handle::{ConnectionObserver, H2Shared, HandleOwner as _};
use super::origin_state::INITIAL_STREAM_LIMIT;
use super::upload::H2RequestBody;
use crate::io::hyper::HyperIo;
use crate::io::runtime::HttpRuntime;
use fetch_transport_util::lock;

type HyperConnection<S, R> =
    Connection<HyperIo<S, ConnectionObserver>, H2RequestBody, TaskSpawner<R>>;
type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Moves the bytes of one connection until either side closes it.
///
/// hyper splits this in two: one future takes requests, the other moves frames. Here both run as one
/// task, so that a new limit or a GOAWAY takes effect as soon as its frame was read.
pub(super) struct ConnectionTask<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: HttpRuntime,
{
    /// Takes requests. `None` once no more requests can come.
    dispatch: Option<HyperConnection<S, R>>,
    /// Moves frames.
    frames: Vec<BoxedTask>,
    pool: Weak<H2Pool>,
    shared: Arc<H2Shared>,
    stream_limit: usize,
}

impl<S, R> ConnectionTask<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: HttpRuntime,
{
    pub(super) fn new(
        connection: HyperConnection<S, R>,
        spawner: &TaskSpawner<R>,
        pool: &Arc<H2Pool>,
        shared: Arc<H2Shared>,
    ) -> Self {
        Self {
            dispatch: Some(connection),
            frames: spawner.take_queued(),
            pool: Arc::downgrade(pool),
            shared,
            stream_limit: INITIAL_STREAM_LIMIT,
        }
    }

    /// Moves frames. True if the connection is closed.
    fn poll_frames(&mut self, cx: &mut Context<'_>) -> bool {
        self.frames
            .retain_mut(|frames| frames.as_mut().poll(cx).is_pending());
        self.frames.is_empty()
    }

    /// Takes requests.
    fn poll_dispatch(&mut self, cx: &mut Context<'_>) {
        let Some(dispatch) = &mut self.dispatch else {
            return;
        };
        if let Poll::Ready(result) = Pin::new(dispatch).poll(cx) {
            if let Err(error) = result {
                log::trace!(target: "fetch_http", "HTTP/2 connection ended: {error}");
                if let Some(reason) = super::error::close_reason(&error) {
                    let _ = self.shared.close_reason.set(reason);
                }
            }
            self.close_send();
            self.retire();
        }
    }

    /// Passes the server's limit on streams to the pool.
    fn update_stream_limit(&mut self) {
        let Some(dispatch) = &self.dispatch else {
            return;
        };
        let limit = dispatch.current_max_send_streams();
        let shared = &self.shared;
        // The server's limit may equal the initial one: its first answer then confirms it.
        let is_confirmed =
            shared.answered.load(Ordering::Acquire) && !shared.settled.load(Ordering::Acquire);
        if limit != self.stream_limit || is_confirmed {
            self.stream_limit = limit;
            self.shared.settled.store(true, Ordering::Release);
            if let Some(pool) = self.pool.upgrade() {
                pool.set_stream_limit(&self.shared, limit);
            }
        }
    }

    fn close_send(&mut self) {
        self.shared.close_send();
        self.dispatch = None;
    }

    fn retire(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.retire(&self.shared, false);
        }
    }
}

impl<S, R> Future for ConnectionTask<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: HttpRuntime,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.shared.waker.register(cx.waker());
        let is_abandoned = this.shared.is_abandoned();
        this.poll_dispatch(cx);
        let reads = this.shared.reads();
        let mut is_closed = this.poll_frames(cx);
        if is_closed || this.shared.reads() != reads {
            this.poll_dispatch(cx);
        }
        if this.dispatch.is_none() && !is_closed {
            // Without a dispatcher, the other half sends GOAWAY by itself.
            is_closed = this.poll_frames(cx);
        }
        this.update_stream_limit();
        // The socket is not kept open for a GOAWAY that cannot be written at once.
        if is_closed || is_abandoned {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl<S, R> Drop for ConnectionTask<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: HttpRuntime,
{
    fn drop(&mut self) {
        self.close_send();
        self.shared.mark_ended();
        self.retire();
    }
}

/// Runs the futures that hyper spawns: those of the connection itself in its task, later ones on the
/// runtime.
pub(super) struct TaskSpawner<R>(Arc<SpawnerState<R>>);

struct SpawnerState<R> {
    /// Futures spawned during the handshake. `None` once the connection's task has taken them.
    queued: Mutex<Option<Vec<BoxedTask>>>,
    runtime: R,
}

impl<R: HttpRuntime> TaskSpawner<R> {
    pub(super) fn new(runtime: R) -> Self {
        Self(Arc::new(SpawnerState {
            queued: Mutex::new(Some(Vec::with_capacity(1))),
            runtime,
        }))
    }

    /// Takes the futures spawned so far. From now on the runtime gets them.
    fn take_queued(&self) -> Vec<BoxedTask> {
        lock(&self.0.queued).take().unwrap_or_default()
    }
}

impl<R> Clone for TaskSpawner<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: HttpRuntime, F: Future<Output = ()> + Send + 'static> Executor<F> for TaskSpawner<R> {
    fn execute(&self, future: F) {
        let mut queued = lock(&self.0.queued);
        match &mut *queued {
            Some(queued) => queued.push(Box::pin(future)),
            None => {
                drop(queued);
                self.0.runtime.spawn(future);
            }
        }
    }
}
