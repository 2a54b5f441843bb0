//! Sockets that are registered once, with edge-triggered events, however often they are waited for.
//!
//! `async-io` registers a socket anew for each wait: a system call for every request, and another
//! for an idle connection that is watched. Here the sockets of a transport have an `epoll` of their
//! own, which itself is a source of `async-io`'s reactor: a task asks it for events as long as there
//! are any, once in each round of the executor, and only then lets `async-io` wait for more.

mod park;
mod source;
mod stream;

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::Waker;

use async_io::Async;
use event_listener::Event as Ended;
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

/// Shared by sockets: each is registered once, and not anew for each wait.
///
/// Clones are the same reactor. Its task ends when all of them and all sockets are gone.
///
/// ```
/// let reactor = fetch_http::Reactor::default();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Reactor(Arc<OnceLock<Arc<Shared>>>);

#[derive(Debug)]
struct Shared {
    /// Told when the last socket and the last handle are gone.
    ended: Arc<Ended>,
    epoll: Arc<Async<OwnedFd>>,
    runs: AtomicBool,
    sources: Mutex<Slab<Arc<Source>>>,
}

impl Reactor {
    /// Registers a socket; its events are awaited by a task that `spawn` runs.
    fn register(
        &self,
        socket: impl AsFd,
        spawn: impl FnOnce(Driver),
    ) -> io::Result<(Arc<Source>, Place)> {
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
        if !shared.runs.swap(true, Ordering::AcqRel) {
            spawn(Driver::new(&shared));
        }
        Ok((source, place))
    }

    fn shared(&self) -> io::Result<Arc<Shared>> {
        if let Some(shared) = self.0.get() {
            return Ok(shared.clone());
        }
        let made = Arc::new(Shared::new()?);
        Ok(self.0.get_or_init(|| made).clone())
    }
}

/// A socket's place; without it there are no more events. Closing the socket ends its registration.
#[derive(Debug)]
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
    fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self {
            ended: Arc::default(),
            epoll: Arc::new(Async::new_nonblocking(epoll)?),
            runs: AtomicBool::new(false),
            sources: Mutex::default(),
        })
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
        self.ended.notify(1);
    }
}

/// The task that takes the events.
pub(crate) struct Driver {
    ended: Arc<Ended>,
    epoll: Arc<Async<OwnedFd>>,
    shared: Weak<Shared>,
    wakers: Vec<Waker>,
}

impl Driver {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            ended: shared.ended.clone(),
            epoll: shared.epoll.clone(),
            shared: Arc::downgrade(shared),
            wakers: Vec::new(),
        }
    }

    /// Takes events until nobody is there for whom there could be any.
    pub(crate) async fn run(mut self) {
        loop {
            let ended = self.ended.listen();
            match self.turn() {
                None => return,
                // Others work on what they were woken for; meanwhile more may come.
                Some(true) => future::yield_now().await,
                Some(false) => {
                    let readable = async {
                        let _ = self.epoll.readable().await;
                    };
                    future::or(ended, readable).await;
                }
            }
        }
    }

    /// Wakes those for whom there is something; tells whether there was anything. `None` is the end.
    fn turn(&mut self) -> Option<bool> {
        let shared = self.shared.upgrade()?;
        Some(shared.turn(Wait::No, &mut self.wakers))
    }
}
