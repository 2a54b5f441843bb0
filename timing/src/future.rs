//! Times futures.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use log::Level;
use pin_project_lite::pin_project;

use crate::{DEFAULT_LEVEL, Reporter, Scope, TimedOutcome, TimingReport, ToLog};

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

    /// Like [`timed`](Self::timed), and reports *failed* if the output is an `Err`.
    ///
    /// ```
    /// use fetch_timing::TimedExt;
    /// # futures_lite::future::block_on(async {
    /// let number = async { "x".parse::<u32>() }.timed_result("parse").await;
    /// // logs "timed parse: 0.000003 s (failed)"
    /// assert!(number.is_err());
    /// # });
    /// ```
    fn timed_result<T, E>(self, name: impl Into<Cow<'static, str>>) -> Timed<Self>
    where
        Self: Future<Output = Result<T, E>>,
    {
        self.timed_result_at(DEFAULT_LEVEL, name)
    }

    /// Like [`timed_result`](Self::timed_result), at the given level.
    ///
    /// ```
    /// use fetch_timing::{Level, TimedExt};
    /// # futures_lite::future::block_on(async {
    /// let ready = std::future::ready(Ok::<u8, ()>(1));
    /// assert_eq!(ready.timed_result_at(Level::Trace, "one").await, Ok(1));
    /// # });
    /// ```
    fn timed_result_at<T, E>(self, level: Level, name: impl Into<Cow<'static, str>>) -> Timed<Self>
    where
        Self: Future<Output = Result<T, E>>,
    {
        let mut timed = Timed::new(self, name.into(), ToLog(level));
        timed.outcome_of = TimedOutcome::of;
        timed
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
    pub struct Timed<F, R: Reporter = ToLog>
    where
        F: Future,
    {
        #[pin]
        future: F,
        outcome_of: fn(&F::Output) -> TimedOutcome,
        state: TimedState<R>,
    }

    impl<F, R: Reporter> PinnedDrop for Timed<F, R>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            // Explicit, because an unwinding outside the future cancels it: the panic is not its own.
            if let Some(scope) = this.project().state.leave() {
                scope.cancel();
            }
        }
    }
}

impl<F: Future, R: Reporter> Timed<F, R> {
    fn new(future: F, name: Cow<'static, str>, reporter: R) -> Self {
        Self {
            future,
            outcome_of: |_| TimedOutcome::Finished,
            state: TimedState::Idle { name, reporter },
        }
    }

    pub(crate) fn with_outcome(mut self, outcome_of: fn(&F::Output) -> TimedOutcome) -> Self {
        self.outcome_of = outcome_of;
        self
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
            scope.end_as((this.outcome_of)(&output));
        }
        Poll::Ready(output)
    }
}

impl<F: Future, R: Reporter> fmt::Debug for Timed<F, R> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_err_is_reported_as_failed() {
        for (output, expected) in [
            (Ok(()), TimedOutcome::Finished),
            (Err(()), TimedOutcome::Failed),
        ] {
            let mut seen = None;
            let on_report = |report: TimingReport| seen = Some(report.outcome);
            let mut timed = Timed::new(std::future::ready(output), "work".into(), on_report);
            timed.outcome_of = TimedOutcome::of;
            assert_eq!(futures_lite::future::block_on(timed), output);
            assert_eq!(seen, Some(expected));
        }
    }
}
