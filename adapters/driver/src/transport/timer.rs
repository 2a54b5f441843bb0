//! The driver's timer.

use std::task::{Context, Poll};
use std::time::Instant;

/// A timer that can be reset.
///
/// It only wakes the driver: the core compares deadlines with the clock, so a timer that fires a
/// little early or late changes no decision.
pub trait Timer: Send + 'static {
    /// Sets the time at which the timer fires; `None` is never.
    fn set(&mut self, at: Option<Instant>);

    /// Ready once the timer has fired, which wakes the task.
    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Wakes the task again once other tasks, and the events that the runtime waits for, had their turn.
    /// The driver calls it before it is pending with work left.
    ///
    /// By default it wakes the task at once, which suits a runtime that looks for events after each
    /// round of tasks, or on another thread.
    fn yield_now(&mut self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }
}

/// Waits until others had their turn.
pub(crate) async fn yield_now(timer: &mut impl Timer) {
    let mut has_yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        timer.yield_now(cx);
        Poll::Pending
    })
    .await;
}

#[cfg(feature = "async-io")]
mod on_async_io {
    use std::pin::Pin;

    use super::{Context, Instant, Poll, Timer};

    /// A timer on async-io's reactor, which works under any executor.
    ///
    /// ```
    /// use std::time::Instant;
    /// use fetch_driver::{AsyncIoTimer, Timer};
    ///
    /// let mut timer = AsyncIoTimer::default();
    /// timer.set(Some(Instant::now()));
    /// futures_lite::future::block_on(std::future::poll_fn(|cx| timer.poll_fired(cx)));
    /// ```
    #[derive(Debug)]
    pub struct AsyncIoTimer(async_io::Timer);

    impl Default for AsyncIoTimer {
        fn default() -> Self {
            Self(async_io::Timer::never())
        }
    }

    impl Timer for AsyncIoTimer {
        fn set(&mut self, at: Option<Instant>) {
            match at {
                Some(at) => self.0.set_at(at),
                None => self.0 = async_io::Timer::never(),
            }
        }

        fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            Pin::new(&mut self.0).poll(cx).map(|_| ())
        }
    }
}

#[cfg(feature = "async-io")]
pub use on_async_io::AsyncIoTimer;
