//! A reactor whose sockets are registered once, with edge-triggered events.
//!
//! `async-io` registers a socket again for each wait: one system call per request, and another for
//! each idle connection that is watched. Here the sockets of a transport share one `epoll`, which is
//! itself a source of `async-io`'s reactor. A task takes its events once per round of the executor as
//! long as there are any, and only then waits for more through `async-io`.

mod block_on;
mod source;
mod stream;

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::Waker;

use async_io::Async;
use event_listener::Event;
use futures_lite::future;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use slab::Slab;

use source::EventSource;
pub(crate) use stream::RegisteredSocket;

use fetch_transport_util::lock;

/// The most events taken by one system call.
const MAX_EVENTS: usize = 256;

const NO_TIMEOUT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// Whether to block until there is an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum EventWait {
    Block,
    Poll,
}

// Values of `ReactorState::waiter`: nothing waits for events, the task, or a thread in
// `Reactor::block_on`.
const NO_WAITER: u8 = 0;
const TASK: u8 = 1;
const THREAD: u8 = 2;

/// A task that waits for the events of a [`Reactor`].
pub type ReactorTask = Pin<Box<dyn Future<Output = ()> + Send>>;

type SpawnFn = dyn Fn(ReactorTask) + Send + Sync;

/// An event queue that sockets share: each is registered once instead of for each wait.
///
/// Clones are the same reactor. Its task ends when all clones and all sockets are dropped.
///
/// ```
/// let reactor = fetch_http::Reactor::new(|task| smol::spawn(task).detach());
/// ```
#[derive(Clone)]
pub struct Reactor(Arc<LazyReactor>);

/// Creates the state for the first socket, or the first [`Reactor::block_on`].
struct LazyReactor {
    spawn: Arc<SpawnFn>,
    state: OnceLock<Arc<ReactorState>>,
}

struct ReactorState {
    epoll: Arc<Async<OwnedFd>>,
    /// Notified when the task may no longer be needed.
    recheck: Arc<Event>,
    sources: Mutex<Slab<Arc<EventSource>>>,
    spawn: Arc<SpawnFn>,
    /// What waits for events.
    waiter: AtomicU8,
}

impl Reactor {
    /// A reactor without sockets. `spawn` runs the task that waits for their events, unless
    /// [`Reactor::block_on`] does.
    ///
    /// ```
    /// let reactor = fetch_http::Reactor::new(|task| smol::spawn(task).detach());
    /// ```
    pub fn new(spawn: impl Fn(ReactorTask) + Send + Sync + 'static) -> Self {
        Self(Arc::new(LazyReactor {
            spawn: Arc::new(spawn),
            state: OnceLock::new(),
        }))
    }

    fn register(&self, socket: impl AsFd) -> io::Result<(Arc<EventSource>, Registration)> {
        let state = self.state()?;
        let source = Arc::new(EventSource::new());
        let index = state.sources().insert(source.clone());
        let registration = Registration {
            index,
            state: state.clone(),
        };
        let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let data = EventData::new_u64(index as u64);
        epoll::add(&*state.epoll, socket, data, events)?;
        state.ensure_task();
        Ok((source, registration))
    }

    fn state(&self) -> io::Result<Arc<ReactorState>> {
        if let Some(state) = self.0.state.get() {
            return Ok(state.clone());
        }
        let state = Arc::new(ReactorState::new(self.0.spawn.clone())?);
        Ok(self.0.state.get_or_init(|| state).clone())
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").finish_non_exhaustive()
    }
}

/// Receives a socket's events until it is dropped. Closing the socket removes it from the `epoll`.
struct Registration {
    index: usize,
    state: Arc<ReactorState>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let source = self.state.sources().try_remove(self.index);
        drop(source);
    }
}

impl ReactorState {
    fn new(spawn: Arc<SpawnFn>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll: Arc::new(Async::new_nonblocking(epoll)?),
            recheck: Arc::default(),
            sources: Mutex::default(),
            spawn,
            waiter: AtomicU8::new(NO_WAITER),
        })
    }

    /// Changes the waiter from `from` to `to`. False if it was another one.
    fn change_waiter(&self, from: u8, to: u8) -> bool {
        let changed = self
            .waiter
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }

    /// Spawns the task if nothing waits for events.
    fn ensure_task(self: &Arc<Self>) {
        if self.change_waiter(NO_WAITER, TASK) {
            (self.spawn)(Box::pin(EventTask::new(self).run()));
        }
    }

    /// Takes events and wakes their tasks. False if there was none; true after an error. `wakers`
    /// is empty before and after: only its memory is reused.
    fn dispatch_events(&self, wait: EventWait, wakers: &mut Vec<Waker>) -> bool {
        let mut buffer = [const { MaybeUninit::uninit() }; MAX_EVENTS];
        let timeout = (wait == EventWait::Poll).then_some(&NO_TIMEOUT);
        let events = match epoll::wait(&*self.epoll, &mut buffer, timeout) {
            Ok((events, _)) => events,
            Err(error) => {
                // Only a signal can interrupt the call, and it is then repeated.
                log::trace!(target: "fetch_http", "epoll: {error}");
                return true;
            }
        };
        let sources = self.sources();
        for event in &*events {
            let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            // A closed socket may have left an event for the next one at its index: a spurious
            // wake-up is harmless. The wake-up event of a thread has no source.
            if let Some(source) = sources.get(index) {
                wakers.extend(source.add_event(event.flags).into_iter().flatten());
            }
        }
        drop(sources);
        // Never under the lock.
        wakers.drain(..).for_each(Waker::wake);
        !events.is_empty()
    }

    fn sources(&self) -> MutexGuard<'_, Slab<Arc<EventSource>>> {
        lock(&self.sources)
    }
}

impl Drop for ReactorState {
    fn drop(&mut self) {
        self.recheck.notify(1);
    }
}

/// The task that waits for events.
struct EventTask {
    epoll: Arc<Async<OwnedFd>>,
    recheck: Arc<Event>,
    state: Weak<ReactorState>,
    wakers: Vec<Waker>,
}

impl EventTask {
    fn new(state: &Arc<ReactorState>) -> Self {
        Self {
            epoll: state.epoll.clone(),
            recheck: state.recheck.clone(),
            state: Arc::downgrade(state),
            wakers: Vec::new(),
        }
    }

    /// Dispatches events until no socket is left, or a thread waits for them.
    async fn run(mut self) {
        loop {
            let recheck = self.recheck.listen();
            match self.dispatch() {
                None => return,
                // The woken tasks run first; meanwhile more events may arrive.
                Some(true) => future::yield_now().await,
                Some(false) => {
                    let readable = async {
                        let _ = self.epoll.readable().await;
                    };
                    future::or(recheck, readable).await;
                }
            }
        }
    }

    /// Dispatches events. False if there was none; `None` if the task is no longer needed.
    fn dispatch(&mut self) -> Option<bool> {
        let state = self.state.upgrade()?;
        let is_needed = state.waiter.load(Ordering::Acquire) == TASK;
        is_needed.then(|| state.dispatch_events(EventWait::Poll, &mut self.wakers))
    }
}

impl Drop for EventTask {
    fn drop(&mut self) {
        // If its executor was dropped, the next socket spawns another task.
        if let Some(state) = self.state.upgrade() {
            state.change_waiter(TASK, NO_WAITER);
        }
    }
}
