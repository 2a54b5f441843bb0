//! Sockets that are registered once, with edge-triggered events, however often they are waited for.
//!
//! `async-io` registers a socket anew for each wait: a system call for every request, and another
//! for an idle connection that is watched. Here the sockets of a transport have an `epoll` of their
//! own, which itself is a source of `async-io`'s reactor: a task asks it for events as long as there
//! are any, once in each round of the executor, and only then lets `async-io` wait for more.

mod park;
mod source;
mod stream;

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::Waker;

use async_io::Async;
use futures_lite::future;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use slab::Slab;

use source::Source;
pub(crate) use stream::Registered;

/// So many events are taken at once.
const EVENTS: usize = 256;

/// Never waits.
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// Whether to wait for an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wait {
    ForOne,
    No,
}

/// Nobody waits for events.
const NOBODY: u8 = 0;
/// The task does.
const TASK: u8 = 1;
/// A thread does, in [`Reactor::block_on`].
const THREAD: u8 = 2;

/// A task that waits for the events of a [`Reactor`].
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

type Spawn = dyn Fn(Task) + Send + Sync;

/// Shared by sockets: each is registered once, and not anew for each wait.
///
/// Clones are the same reactor. Its task ends when all of them and all sockets are gone.
///
/// ```
/// let reactor = fetch_http::Reactor::new(|task| smol::spawn(task).detach());
/// ```
#[derive(Clone)]
pub struct Reactor(Arc<Lazy>);

/// What is made with the first socket.
struct Lazy {
    shared: OnceLock<Arc<Shared>>,
    spawn: Arc<Spawn>,
}

struct Shared {
    epoll: Arc<Async<OwnedFd>>,
    /// Told when the task may not be needed any more.
    look: Arc<event_listener::Event>,
    sources: Mutex<Slab<Arc<Source>>>,
    spawn: Arc<Spawn>,
    /// Who waits for events.
    waits: AtomicU8,
}

impl Reactor {
    /// A reactor without sockets. `spawn` runs the task that waits for their events, unless
    /// [`Reactor::block_on`] does.
    ///
    /// ```
    /// let reactor = fetch_http::Reactor::new(|task| smol::spawn(task).detach());
    /// ```
    pub fn new(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Lazy {
            shared: OnceLock::new(),
            spawn: Arc::new(spawn),
        }))
    }

    fn register(&self, socket: impl AsFd) -> io::Result<(Arc<Source>, Place)> {
        let shared = self.shared()?;
        let source = Arc::new(Source::new());
        let at = shared.sources().insert(source.clone());
        let place = Place {
            at,
            shared: shared.clone(),
        };
        let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let data = EventData::new_u64(at as u64);
        epoll::add(&*shared.epoll, socket, data, events)?;
        shared.ensure_task();
        Ok((source, place))
    }

    fn shared(&self) -> io::Result<Arc<Shared>> {
        if let Some(shared) = self.0.shared.get() {
            return Ok(shared.clone());
        }
        let made = Arc::new(Shared::new(self.0.spawn.clone())?);
        Ok(self.0.shared.get_or_init(|| made).clone())
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").finish_non_exhaustive()
    }
}

/// A socket's place; without it there are no more events. Closing the socket ends its registration.
struct Place {
    at: usize,
    shared: Arc<Shared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let source = self.shared.sources().try_remove(self.at);
        drop(source);
    }
}

impl Shared {
    fn new(spawn: Arc<Spawn>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll: Arc::new(Async::new_nonblocking(epoll)?),
            look: Arc::default(),
            sources: Mutex::default(),
            spawn,
            waits: AtomicU8::new(NOBODY),
        })
    }

    /// Has `to` wait if `from` did until now; tells whether it was so.
    fn pass(&self, from: u8, to: u8) -> bool {
        let passed = self
            .waits
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        passed.is_ok()
    }

    /// Has a task wait if nobody does.
    fn ensure_task(self: &Arc<Self>) {
        if self.pass(NOBODY, TASK) {
            (self.spawn)(Box::pin(Driver::new(self).run()));
        }
    }

    /// Takes events, and wakes those for whom they are; tells whether there was any. `wakers` is
    /// empty before and after: its memory is used.
    fn turn(&self, wait: Wait, wakers: &mut Vec<Waker>) -> bool {
        let mut room = [const { MaybeUninit::uninit() }; EVENTS];
        let timeout = (wait == Wait::No).then_some(&AT_ONCE);
        let events = match epoll::wait(&*self.epoll, &mut room, timeout) {
            Ok((events, _)) => events,
            Err(error) => {
                // Only a signal can interrupt it, and then it is asked again.
                log::trace!(target: "fetch_http", "epoll: {error}");
                return true;
            }
        };
        let sources = self.sources();
        for event in &*events {
            let at = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            // A socket that was closed just now may have left an event behind, even for the next
            // in its place: to be woken for nothing does no harm. A wake-up has no source.
            if let Some(source) = sources.get(at) {
                wakers.extend(source.tell(event.flags).into_iter().flatten());
            }
        }
        drop(sources);
        // Never under the lock.
        wakers.drain(..).for_each(Waker::wake);
        !events.is_empty()
    }

    fn sources(&self) -> std::sync::MutexGuard<'_, Slab<Arc<Source>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.look.notify(1);
    }
}

/// The task that waits for events.
struct Driver {
    epoll: Arc<Async<OwnedFd>>,
    look: Arc<event_listener::Event>,
    shared: Weak<Shared>,
    wakers: Vec<Waker>,
}

impl Driver {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            epoll: shared.epoll.clone(),
            look: shared.look.clone(),
            shared: Arc::downgrade(shared),
            wakers: Vec::new(),
        }
    }

    /// Takes events until nobody is there for whom there could be any, or a thread waits for them.
    async fn run(mut self) {
        loop {
            let look = self.look.listen();
            match self.turn() {
                None => return,
                // Others work on what they were woken for; meanwhile more may come.
                Some(true) => future::yield_now().await,
                Some(false) => {
                    let readable = async {
                        let _ = self.epoll.readable().await;
                    };
                    future::or(look, readable).await;
                }
            }
        }
    }

    /// Wakes those for whom there is something; tells whether there was anything. `None` is the end.
    fn turn(&mut self) -> Option<bool> {
        let shared = self.shared.upgrade()?;
        let is_needed = shared.waits.load(Ordering::Acquire) == TASK;
        is_needed.then(|| shared.turn(Wait::No, &mut self.wakers))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Its executor may have been dropped: the next socket gets another task.
        if let Some(shared) = self.shared.upgrade() {
            shared.pass(TASK, NOBODY);
        }
    }
}
