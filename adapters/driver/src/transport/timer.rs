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
