//! A pause that can be set again.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::transport::timer::Timer;

/// Waits until a moment that can be moved, over any [`Timer`]: nothing is allocated to move it.
///
/// After it is ready it can be reset and awaited again, so one serves a whole loop.
///
/// ```
/// use std::time::Duration;
/// use fetch_driver::AsyncIoTimer;
/// use fetch_driver::sync::Sleep;
///
/// futures_lite::future::block_on(async {
///     let mut sleep = Sleep::new(Duration::from_millis(1), AsyncIoTimer::default());
///     for _ in 0..3 {
///         (&mut sleep).await;
///         sleep.reset(Duration::from_millis(1));
///     }
/// });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep<T> {
    deadline: Option<Instant>,
    timer: T,
}

impl<T: Timer> Sleep<T> {
    /// Ends `after` so much time from now on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_driver::{AsyncIoTimer, sync::Sleep};
    /// let sleep = Sleep::new(Duration::from_secs(1), AsyncIoTimer::default());
    /// assert!(sleep.deadline().is_some());
    /// ```
    pub fn new(after: Duration, timer: T) -> Self {
        let mut sleep = Self::never(timer);
        sleep.reset(after);
        sleep
    }

    /// Never ends, until it is reset.
    ///
    /// ```
    /// # use fetch_driver::{AsyncIoTimer, sync::Sleep};
    /// assert_eq!(Sleep::never(AsyncIoTimer::default()).deadline(), None);
    /// ```
    pub fn never(timer: T) -> Self {
        Self {
            deadline: None,
            timer,
        }
    }

    /// Moves the end to `after` so much time from now on. A time too long to count is never.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_driver::{AsyncIoTimer, sync::Sleep};
    /// let mut sleep = Sleep::never(AsyncIoTimer::default());
    /// sleep.reset(Duration::ZERO);
    /// futures_lite::future::block_on(sleep);
    /// ```
    pub fn reset(&mut self, after: Duration) {
        self.reset_at(Instant::now().checked_add(after));
    }

    /// Moves the end to `deadline`, or to never.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use fetch_driver::{AsyncIoTimer, sync::Sleep};
    /// let mut sleep = Sleep::new(Duration::from_secs(60), AsyncIoTimer::default());
    /// sleep.reset_at(Some(Instant::now()));
    /// futures_lite::future::block_on(sleep);
    /// ```
    pub fn reset_at(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.timer.set(deadline);
    }

    /// When it ends; `None` is never.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_driver::{AsyncIoTimer, sync::Sleep};
    /// let sleep = Sleep::new(Duration::MAX, AsyncIoTimer::default());
    /// assert_eq!(sleep.deadline(), None);
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

impl<T: Timer + Unpin> Future for Sleep<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            // Before the timer is asked: one that fired is silent from then on.
            if this.deadline.is_some_and(|at| Instant::now() >= at) {
                return Poll::Ready(());
            }
            ready!(this.timer.poll_fired(cx));
            // A timer may fire a little early; a sleep does not end early.
            this.timer.set(this.deadline);
        }
    }
}

/// Waits for `duration` by async-io's clock, under any executor.
///
/// ```
/// use std::time::Duration;
/// futures_lite::future::block_on(fetch_driver::sync::sleep(Duration::from_millis(1)));
/// ```
#[cfg(feature = "async-io")]
pub fn sleep(duration: Duration) -> Sleep<crate::AsyncIoTimer> {
    Sleep::new(duration, crate::AsyncIoTimer::default())
}
