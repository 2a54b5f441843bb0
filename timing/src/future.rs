//! Times futures.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use log::Level;
use pin_project_lite::pin_project;

use crate::{DEFAULT_LEVEL, Reporter, Scope, TimingReport, ToLog};

/// Adds timing methods to all futures.
///
/// The clock starts at the first poll. A future that is never polled reports nothing. A future that is dropped
/// before its end reports *cancelled*, one whose own poll panics *panicked*.
///
/// ```
/// use fetch_timing::TimedExt;
///
/// let length = async { "body".len() }.timed("read the body");
/// assert_eq!(futures_lite::future::block_on(length), 4);
/// ```
pub trait TimedExt: Future + Sized {
    /// Logs the time of this future at [`DEFAULT_LEVEL`].
    ///
    /// ```
    /// use fetch_timing::TimedExt;
    /// # futures_lite::future::block_on(async {
    /// std::future::ready(()).timed("nothing").await;
    /// # });
    /// ```
    fn timed(self, name: impl Into<Cow<'static, str>>) -> Timed<Self> {
        self.timed_at(DEFAULT_LEVEL, name)
    }

    /// Logs the time of this future at the given level.
    ///
    /// ```
    /// use fetch_timing::{Level, TimedExt};
    /// # futures_lite::future::block_on(async {
    /// std::future::ready(()).timed_at(Level::Trace, "nothing").await;
    /// # });
    /// ```
    fn timed_at(self, level: Level, name: impl Into<Cow<'static, str>>) -> Timed<Self> {
        Timed::new(self, name.into(), ToLog(level))
    }

    /// Passes the report of this future to `on_report`, before the output is returned.
    ///
    /// ```
    /// use fetch_timing::TimedExt;
    /// # futures_lite::future::block_on(async {
    /// let mut elapsed = None;
    /// std::future::ready(()).timed_with("nothing", |report| elapsed = Some(report.elapsed)).await;
    /// assert!(elapsed.is_some());
    /// # });
    /// ```
    fn timed_with<R: FnOnce(TimingReport)>(
        self,
        name: impl Into<Cow<'static, str>>,
        on_report: R,
    ) -> Timed<Self, R> {
        Timed::new(self, name.into(), on_report)
    }
}

impl<F: Future> TimedExt for F {}

pin_project! {
    /// A timed future, created by [`TimedExt`].
    ///
    /// ```
    /// use fetch_timing::{Timed, TimedExt};
    /// let future: Timed<std::future::Ready<u8>> = std::future::ready(1).timed("one");
    /// assert_eq!(futures_lite::future::block_on(future), 1);
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Timed<F, R: Reporter = ToLog> {
        #[pin]
        future: F,
        state: TimedState<R>,
    }

    impl<F, R: Reporter> PinnedDrop for Timed<F, R> {
        fn drop(this: Pin<&mut Self>) {
            // Explicit, because an unwinding outside the future cancels it: the panic is not its own.
            if let Some(scope) = this.project().state.leave() {
                scope.cancel();
            }
        }
    }
}

impl<F, R: Reporter> Timed<F, R> {
    fn new(future: F, name: Cow<'static, str>, reporter: R) -> Self {
        Self {
            future,
            state: TimedState::Idle { name, reporter },
        }
    }
}

enum TimedState<R: Reporter> {
    Idle {
        name: Cow<'static, str>,
        reporter: R,
    },
    Running(Scope<R>),
    Ended,
}

impl<R: Reporter> TimedState<R> {
    /// Takes the scope, and starts it at the first poll.
    fn enter(&mut self) -> Option<Scope<R>> {
        match std::mem::replace(self, Self::Ended) {
            Self::Idle { name, reporter } => Some(Scope::to(reporter, name)),
            Self::Running(scope) => Some(scope),
            Self::Ended => None,
        }
    }

    /// Takes the scope if it is running.
    fn leave(&mut self) -> Option<Scope<R>> {
        match std::mem::replace(self, Self::Ended) {
            Self::Running(scope) => Some(scope),
            Self::Idle { .. } | Self::Ended => None,
        }
    }
}

impl<F: Future, R: Reporter> Future for Timed<F, R> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Held outside `state` during the poll, so that a panic in the poll drops it while unwinding.
        let scope = this.state.enter();
        let Poll::Ready(output) = this.future.poll(cx) else {
            *this.state = scope.map_or(TimedState::Ended, TimedState::Running);
            return Poll::Pending;
        };
        if let Some(scope) = scope {
            scope.finish();
        }
        Poll::Ready(output)
    }
}

impl<F, R: Reporter> fmt::Debug for Timed<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, name) = match &self.state {
            TimedState::Idle { name, .. } => ("idle", Some(name.as_ref())),
            TimedState::Running(scope) => return f.debug_tuple("Timed").field(scope).finish(),
            TimedState::Ended => ("ended", None),
        };
        f.debug_struct("Timed")
            .field("name", &name)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
