//! Times scopes and closures.

use std::borrow::Cow;
use std::fmt;
use std::thread;
use std::time::Instant;

use log::Level;

use crate::{DEFAULT_LEVEL, Reporter, TimedOutcome, TimingReport, ToLog};

/// Starts a scope that logs at [`DEFAULT_LEVEL`] when it is dropped, like [`Scope::new`].
///
/// ```
/// {
///     let _scope = fetch_timing::scope("parse the list");
///     // … the code to time …
/// } // logs "timed parse the list: 0.000012 s (finished)"
/// ```
pub fn scope(name: impl Into<Cow<'static, str>>) -> Scope {
    Scope::new(name)
}

/// Runs a closure and logs its time at [`DEFAULT_LEVEL`].
///
/// ```
/// let sum: u32 = fetch_timing::timed("sum", || (1..=4).sum());
/// assert_eq!(sum, 10);
/// ```
pub fn timed<T>(name: impl Into<Cow<'static, str>>, work: impl FnOnce() -> T) -> T {
    timed_at(DEFAULT_LEVEL, name, work)
}

/// Runs a closure and logs its time at the given level.
///
/// ```
/// use fetch_timing::{Level, timed_at};
/// assert_eq!(timed_at(Level::Trace, "answer", || 42), 42);
/// ```
pub fn timed_at<T>(
    level: Level,
    name: impl Into<Cow<'static, str>>,
    work: impl FnOnce() -> T,
) -> T {
    let _scope = Scope::at(level, name);
    work()
}

/// Like [`timed`], and reports *failed* if the closure returns an `Err`.
///
/// ```
/// let number: Result<u32, _> = fetch_timing::timed_result("parse", || "x".parse::<u32>());
/// // logs "timed parse: 0.000003 s (failed)"
/// assert!(number.is_err());
/// ```
pub fn timed_result<T, E>(
    name: impl Into<Cow<'static, str>>,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    timed_result_at(DEFAULT_LEVEL, name, work)
}

/// Like [`timed_result`], at the given level.
///
/// ```
/// use fetch_timing::{Level, timed_result_at};
/// assert_eq!(timed_result_at(Level::Trace, "answer", || Ok::<_, ()>(42)), Ok(42));
/// ```
pub fn timed_result_at<T, E>(
    level: Level,
    name: impl Into<Cow<'static, str>>,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let scope = Scope::at(level, name);
    let result = work();
    scope.finish_with(&result);
    result
}

/// Runs a closure and passes its report to `on_report`, before the result is returned.
///
/// ```
/// use fetch_timing::{TimedOutcome, timed_with};
///
/// let mut outcome = None;
/// timed_with("answer", |report| outcome = Some(report.outcome), || 42);
/// assert_eq!(outcome, Some(TimedOutcome::Finished));
/// ```
pub fn timed_with<T>(
    name: impl Into<Cow<'static, str>>,
    on_report: impl FnOnce(TimingReport),
    work: impl FnOnce() -> T,
) -> T {
    let _scope = Scope::with(name, on_report);
    work()
}

/// Measures the time from its creation to its drop, and reports it once.
///
/// A drop counts as *finished*, also after an `Err`, of which a scope knows only by
/// [`finish_with`](Self::finish_with) and [`fail`](Self::fail); or as *panicked* when a panic that began inside the scope is unwinding.
/// A scope cannot detect that the future around it was cancelled. In async code use
/// [`TimedExt::timed`](crate::TimedExt::timed) or `#[timed]`, which can, or [`must_finish`](Self::must_finish).
///
/// Bind it to a name such as `_scope`: `let _ = …` drops it immediately.
///
/// ```
/// use fetch_timing::{TimedOutcome, Scope};
///
/// let mut seen = None;
/// drop(Scope::with("work", |report| seen = Some(report)));
/// let report = seen.unwrap();
/// assert_eq!((report.name.as_ref(), report.outcome), ("work", TimedOutcome::Finished));
/// ```
#[must_use = "a scope that is not bound to a name ends immediately"]
pub struct Scope<R: Reporter = ToLog> {
    running: Option<RunningScope<R>>,
    at_drop: TimedOutcome,
}

/// State of a running scope.
struct RunningScope<R> {
    name: Cow<'static, str>,
    reporter: R,
    // A scope in a destructor can start while a panic from outside unwinds.
    began_unwinding: bool,
    start: Instant,
}

impl Scope {
    /// Starts a scope that logs at [`DEFAULT_LEVEL`].
    ///
    /// ```
    /// let _scope = fetch_timing::Scope::new("connect");
    /// ```
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self::at(DEFAULT_LEVEL, name)
    }

    /// Starts a scope that logs at the given level.
    ///
    /// ```
    /// use fetch_timing::{Level, Scope};
    /// let _scope = Scope::at(Level::Debug, format!("host {}", 7));
    /// ```
    pub fn at(level: Level, name: impl Into<Cow<'static, str>>) -> Self {
        Self::to(ToLog(level), name)
    }
}

impl<F: FnOnce(TimingReport)> Scope<F> {
    /// Starts a scope that passes its report to a closure, for example to update a metric.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    ///
    /// static BUSY_US: AtomicU64 = AtomicU64::new(0);
    /// let scope = fetch_timing::Scope::with("work", |report| {
    ///     BUSY_US.fetch_add(report.elapsed_us(), Relaxed);
    /// });
    /// # drop(scope);
    /// ```
    pub fn with(name: impl Into<Cow<'static, str>>, on_report: F) -> Self {
        Self::to(on_report, name)
    }
}

impl<R: Reporter> Scope<R> {
    /// Starts a scope that passes its report to `reporter`, if it is enabled.
    ///
    /// ```
    /// use fetch_timing::{Level, Scope, ToLog};
    /// let _scope = Scope::to(ToLog(Level::Trace), "quiet work");
    /// ```
    pub fn to(reporter: R, name: impl Into<Cow<'static, str>>) -> Self {
        let running = reporter.enabled().then(|| RunningScope {
            name: name.into(),
            reporter,
            began_unwinding: thread::panicking(),
            start: Instant::now(),
        });
        Self {
            running,
            at_drop: TimedOutcome::Finished,
        }
    }

    /// Makes a drop without [`finish`](Self::finish) count as cancelled, for a scope held across `.await`.
    ///
    /// ```
    /// use fetch_timing::{TimedOutcome, Scope};
    ///
    /// let mut outcome = None;
    /// drop(Scope::with("upload", |report| outcome = Some(report.outcome)).must_finish());
    /// assert_eq!(outcome, Some(TimedOutcome::Cancelled));
    /// ```
    pub fn must_finish(mut self) -> Self {
        self.at_drop = TimedOutcome::Cancelled;
        self
    }

    /// Ends the scope now, as finished.
    ///
    /// ```
    /// let scope = fetch_timing::Scope::new("upload").must_finish();
    /// // … the code to time …
    /// scope.finish();
    /// ```
    pub fn finish(mut self) {
        self.end(TimedOutcome::Finished);
    }

    /// Ends the scope now, as finished, or as failed if `result` is an `Err`.
    ///
    /// ```
    /// use fetch_timing::{Scope, TimedOutcome};
    ///
    /// let mut outcome = None;
    /// let scope = Scope::with("parse", |report| outcome = Some(report.outcome));
    /// scope.finish_with(&"x".parse::<u32>());
    /// assert_eq!(outcome, Some(TimedOutcome::Failed));
    /// ```
    pub fn finish_with<T, E>(mut self, result: &Result<T, E>) {
        self.end(TimedOutcome::of(result));
    }

    /// Ends the scope now, as failed.
    ///
    /// ```
    /// fetch_timing::Scope::new("upload").fail();
    /// ```
    pub fn fail(mut self) {
        self.end(TimedOutcome::Failed);
    }

    /// Ends the scope now, as cancelled.
    ///
    /// ```
    /// fetch_timing::Scope::new("upload").cancel();
    /// ```
    pub fn cancel(mut self) {
        self.end(TimedOutcome::Cancelled);
    }

    pub(crate) fn end_as(mut self, outcome: TimedOutcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: TimedOutcome) {
        let Some(RunningScope {
            name,
            reporter,
            start,
            ..
        }) = self.running.take()
        else {
            return;
        };
        reporter.report(TimingReport {
            name,
            elapsed: start.elapsed(),
            outcome,
        });
    }
}

impl<R: Reporter> Drop for Scope<R> {
    fn drop(&mut self) {
        let Some(running) = &self.running else { return };
        let panicked = thread::panicking() && !running.began_unwinding;
        self.end(if panicked {
            TimedOutcome::Panicked
        } else {
            self.at_drop
        });
    }
}

impl<R: Reporter> fmt::Debug for Scope<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.as_ref();
        f.debug_struct("Scope")
            .field("name", &running.map(|running| &running.name))
            .field("elapsed", &running.map(|running| running.start.elapsed()))
            .finish_non_exhaustive()
    }
}
