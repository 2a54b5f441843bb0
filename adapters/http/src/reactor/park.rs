//! A thread that waits for the reactor's events itself.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};

use super::{NOBODY, Reactor, Shared, TASK, THREAD, Wait};

/// The wake-up's own number among the sources.
pub(super) const WAKE_UP: u64 = u64::MAX;

const RUNNING: u8 = 0;
const PARKED: u8 = 1;
const WOKEN: u8 = 2;

/// Wakes the thread, with a system call only if it waits.
struct Unparker {
    event: OwnedFd,
    state: AtomicU8,
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == PARKED {
            // Nobody reads it: each write is an event of its own. It cannot fail but by overflow.
            let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }
}

impl Unparker {
    fn new(shared: &Shared) -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = EventFlags::IN | EventFlags::ET;
        let data = EventData::new_u64(WAKE_UP);
        epoll::add(&*shared.epoll, event.as_fd(), data, flags)?;
        Ok(Self {
            event,
            state: AtomicU8::new(RUNNING),
        })
    }
}

/// While a thread waits. Afterwards a task does, if there still are sockets.
struct Waits<'a>(&'a Arc<Shared>);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.pass(THREAD, NOBODY);
        let has_sockets = !self.0.sources().is_empty();
        if has_sockets {
            self.0.ensure_task();
        }
    }
}

impl Reactor {
    /// Runs `future` to its end on this thread, which waits for the reactor's events itself: between
    /// requests there is one system call for all that has come, and none to a reactor of others.
    ///
    /// It is for a future that runs all that uses the sockets, such as an executor's `run`. If another
    /// thread does so with the same reactor at the same time, this one waits as
    /// `async_io::block_on` does.
    ///
    /// ```
    /// use fetch_http::{Reactor, Socket};
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let site = fetch_testbed::Site::start()?;
    /// let reactor = Reactor::new(|task| smol::spawn(task).detach());
    /// let answer = reactor.block_on(async {
    ///     let mut socket = Socket::connect_with(site.address(), &reactor).await?;
    ///     socket.write_all(b"GET /bytes/2 HTTP/1.0\r\nHost: a.test\r\n\r\n").await?;
    ///     let mut answer = Vec::new();
    ///     socket.read_to_end(&mut answer).await?;
    ///     Ok::<_, std::io::Error>(answer)
    /// })?;
    /// assert!(answer.starts_with(b"HTTP/1."));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let Some((shared, unparker)) = self.park() else {
            // Without a descriptor for it, there are others who wait.
            return async_io::block_on(future);
        };
        let _waits = Waits(&shared);
        let unparker = Arc::new(unparker);
        let waker = Waker::from(unparker.clone());
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        let mut wakers = Vec::new();
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return value;
            }
            let parks = unparker.state.compare_exchange(
                RUNNING,
                PARKED,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            let wait = if parks.is_ok() {
                Wait::ForOne
            } else {
                Wait::No
            };
            shared.turn(wait, &mut wakers);
            // What was changed before a wake-up is seen by the next poll.
            unparker.state.swap(RUNNING, Ordering::AcqRel);
        }
    }

    /// What a thread needs to wait here, unless another does so already.
    fn park(&self) -> Option<(Arc<Shared>, Unparker)> {
        let shared = self.shared().ok()?;
        let unparker = Unparker::new(&shared).ok()?;
        if !shared.pass(NOBODY, THREAD) && !shared.pass(TASK, THREAD) {
            return None;
        }
        shared.look.notify(usize::MAX);
        Some((shared, unparker))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use futures_lite::future;

    use super::*;

    #[test]
    fn another_thread_wakes_one_that_waits() {
        let (sender, receiver) = async_channel::bounded(1);
        let sending = thread::spawn(move || {
            for n in 0..1_000 {
                sender.send_blocking(n).unwrap();
            }
        });
        let reactor = Reactor::new(|_| {});
        let sum = reactor.block_on(async {
            let mut sum = 0;
            while let Ok(n) = receiver.recv().await {
                sum += n;
            }
            sum
        });
        sending.join().unwrap();
        assert_eq!(sum, 499_500);
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_on() {
        Reactor::new(|_| {}).block_on(async {
            for _ in 0..1_000 {
                future::yield_now().await;
            }
        });
    }

    #[test]
    fn timers_of_async_io_wake_it() {
        Reactor::new(|_| {}).block_on(async {
            async_io::Timer::after(Duration::from_millis(5)).await;
        });
    }

    #[test]
    fn two_threads_may_block_on_one_reactor() {
        let reactor = Reactor::new(|_| {});
        let (sender, receiver) = async_channel::bounded::<()>(1);
        let other = reactor.clone();
        let waiting = thread::spawn(move || other.block_on(receiver.recv()));
        reactor.block_on(async_io::Timer::after(Duration::from_millis(5)));
        sender.send_blocking(()).unwrap();
        assert!(waiting.join().unwrap().is_ok());
    }
}
