//! The task that moves a shared connection's bytes.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::client::conn::http2::Connection;
use hyper::rt::Executor;

use super::link::Pulse;
use super::upload::OutgoingBody;
use crate::hyper_io::HyperIo;
use crate::pool::Pool;
use crate::runtime::Runtime;

/// How many requests may be sent before the server has said how many it takes.
///
/// With more, those that the server did not expect would come back refused.
pub(super) const FIRST_STREAMS: usize = 1;

type Dispatch<S, R> = Connection<HyperIo<S, Arc<Pulse>>, OutgoingBody, Spawner<R>>;
type Spawned = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Moves one connection's bytes until it is closed by either side.
///
/// hyper splits this in two: one future takes requests, the other moves frames. They run as one task
/// here, so that what a frame said, such as a new limit or GOAWAY, is known as soon as it was read.
pub(super) struct Task<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Runtime,
{
    dispatch: Option<Dispatch<S, R>>,
    frames: Vec<Spawned>,
    limit: usize,
    pool: Weak<Pool>,
    pulse: Arc<Pulse>,
}

impl<S, R> Task<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Runtime,
{
    pub(super) fn new(
        connection: Dispatch<S, R>,
        spawner: &Spawner<R>,
        pool: &Arc<Pool>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            dispatch: Some(connection),
            frames: spawner.start(),
            limit: FIRST_STREAMS,
            pool: Arc::downgrade(pool),
            pulse,
        }
    }

    /// Whether the connection is over.
    fn poll_frames(&mut self, cx: &mut Context<'_>) -> bool {
        self.frames
            .retain_mut(|frames| frames.as_mut().poll(cx).is_pending());
        self.frames.is_empty()
    }

    /// Takes requests as long as there can be any.
    fn poll_dispatch(&mut self, cx: &mut Context<'_>) {
        let Some(dispatch) = &mut self.dispatch else {
            return;
        };
        if let Poll::Ready(result) = Pin::new(dispatch).poll(cx) {
            if let Err(error) = result {
                log::trace!(target: "fetch_http", "HTTP/2 connection ended: {error}");
                if let Some(ending) = super::error::ending(&error) {
                    let _ = self.pulse.ending.set(ending);
                }
            }
            self.close();
            self.retire();
        }
    }

    /// Passes on how many requests the server takes at once.
    fn note_limit(&mut self) {
        let Some(dispatch) = &self.dispatch else {
            return;
        };
        let limit = dispatch.current_max_send_streams();
        let pulse = &self.pulse;
        // One who takes no more than was assumed does not change the limit: an answer settles it.
        let settles =
            pulse.answered.load(Ordering::Acquire) && !pulse.settled.load(Ordering::Acquire);
        if limit != self.limit || settles {
            self.limit = limit;
            self.pulse.settled.store(true, Ordering::Release);
            if let Some(pool) = self.pool.upgrade() {
                pool.groups.set_limit(&self.pulse, limit);
            }
        }
    }

    fn close(&mut self) {
        self.pulse.close();
        self.dispatch = None;
    }

    fn retire(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.groups.retire(&self.pulse, false);
        }
    }
}

impl<S, R> Future for Task<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Runtime,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.pulse.waker.register(cx.waker());
        let killed = this.pulse.is_killed();
        this.poll_dispatch(cx);
        let reads = this.pulse.reads();
        let mut over = this.poll_frames(cx);
        if over || this.pulse.reads() != reads {
            this.poll_dispatch(cx);
        }
        if this.dispatch.is_none() && !over {
            // Without anybody to send for, the frames' half says goodbye by itself.
            over = this.poll_frames(cx);
        }
        this.note_limit();
        // A goodbye that cannot be written at once is not worth a socket.
        if over || killed {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl<S, R> Drop for Task<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Runtime,
{
    fn drop(&mut self) {
        self.close();
        self.pulse.end();
        self.retire();
    }
}

/// Runs what hyper spawns: the connection's own future goes to its task, others to the runtime.
pub(super) struct Spawner<R>(Arc<Inner<R>>);

struct Inner<R> {
    /// What was spawned while the connection was being made; `None` when it runs.
    early: Mutex<Option<Vec<Spawned>>>,
    runtime: R,
}

impl<R: Runtime> Spawner<R> {
    pub(super) fn new(runtime: R) -> Self {
        Self(Arc::new(Inner {
            early: Mutex::new(Some(Vec::with_capacity(1))),
            runtime,
        }))
    }

    /// Takes what was spawned so far; from now on the runtime gets it.
    fn start(&self) -> Vec<Spawned> {
        let mut early = self.0.early.lock().unwrap_or_else(PoisonError::into_inner);
        early.take().unwrap_or_default()
    }
}

impl<R> Clone for Spawner<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Runtime, F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner<R> {
    fn execute(&self, future: F) {
        let mut early = self.0.early.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *early {
            Some(early) => early.push(Box::pin(future)),
            None => {
                drop(early);
                self.0.runtime.spawn(future);
            }
        }
    }
}
