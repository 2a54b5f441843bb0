//! A thread that waits for the reactor's events itself.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};

use super::{EventWait, NO_WAITER, Reactor, ReactorState, TASK, THREAD};

/// The index of the wake-up event among the sources.
const WAKE_UP: u64 = u64::MAX;

const RUNNING: u8 = 0;
const PARKED: u8 = 1;
const WOKEN: u8 = 2;

/// Wakes the thread, with a system call only if it waits for events.
struct ThreadWaker {
    event: OwnedFd,
    state: AtomicU8,
}

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == PARKED {
            // The counter is never read: each write triggers an event. It can only fail by overflow.
            let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }
}

impl ThreadWaker {
    fn new(state: &ReactorState) -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = EventFlags::IN | EventFlags::ET;
        let data = EventData::new_u64(WAKE_UP);
        epoll::add(&*state.epoll, event.as_fd(), data, flags)?;
        Ok(Self {
            event,
            state: AtomicU8::new(RUNNING),
        })
    }
}

/// Held while a thread waits for events. Afterwards the task does so, if any socket is left.
struct ThreadWaitGuard<'a>(&'a Arc<ReactorState>);

impl Drop for ThreadWaitGuard<'_> {
    fn drop(&mut self) {
        self.0.change_waiter(THREAD, NO_WAITER);
        let has_sockets = !self.0.sources().is_empty();
        if has_sockets {
            self.0.ensure_task();
        }
    }
}

impl Reactor {
    /// Runs `future` to completion on this thread, which waits for the reactor's events itself: one
    /// system call takes up to 256 events, and `async-io`'s reactor is not involved.
    ///
    /// It is meant for a future that drives everything that uses the sockets, such as an executor's
    /// `run`. While another thread blocks on the same reactor, this one waits like
    /// `async_io::block_on`.
    ///
    /// ```
    /// use fetch_http::{AsyncIoSocket, Reactor};
    /// use futures_lite::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let site = fetch_testbed::Site::start()?;
    /// let reactor = Reactor::new(|task| smol::spawn(task).detach());
    /// let answer = reactor.block_on(async {
    ///     let mut socket = AsyncIoSocket::connect_with(site.address(), &reactor).await?;
    ///     socket.write_all(b"GET /bytes/2 HTTP/1.0\r\nHost: a.test\r\n\r\n").await?;
    ///     let mut answer = Vec::new();
    ///     socket.read_to_end(&mut answer).await?;
    ///     Ok::<_, std::io::Error>(answer)
    /// })?;
    /// assert!(answer.starts_with(b"HTTP/1."));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let Some((state, thread_waker)) = self.start_thread_wait() else {
            // Another thread waits, or there is no file descriptor left: the task dispatches events.
            return async_io::block_on(future);
        };
        let _guard = ThreadWaitGuard(&state);
        let thread_waker = Arc::new(thread_waker);
        let waker = Waker::from(thread_waker.clone());
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        let mut wakers = Vec::new();
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return value;
            }
            let parked = thread_waker.state.compare_exchange(
                RUNNING,
                PARKED,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            let wait = if parked.is_ok() {
                EventWait::Block
            } else {
                EventWait::Poll
            };
            state.dispatch_events(wait, &mut wakers);
            // Acquires what was written before the wake-up, for the next poll.
            thread_waker.state.swap(RUNNING, Ordering::AcqRel);
        }
    }

    /// Makes this thread wait for events, unless another thread does so already.
    fn start_thread_wait(&self) -> Option<(Arc<ReactorState>, ThreadWaker)> {
        let state = self.state().ok()?;
        let waker = ThreadWaker::new(&state).ok()?;
        if !state.change_waiter(NO_WAITER, THREAD) && !state.change_waiter(TASK, THREAD) {
            return None;
        }
        state.recheck.notify(usize::MAX);
        Some((state, waker))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use futures_lite::future;

    use super::*;

    #[test]
    fn another_thread_can_wake_the_waiting_thread() {
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
    fn a_future_that_wakes_itself_is_polled_again() {
        Reactor::new(|_| {}).block_on(async {
            for _ in 0..1_000 {
                future::yield_now().await;
            }
        });
    }

    #[test]
    fn async_io_timers_wake_the_thread() {
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
