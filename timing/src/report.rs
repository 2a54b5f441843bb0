//! The report of a measurement, and its receivers.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use log::Level;

/// The log target of every report, for filters such as `fetch_all::timing=debug`.
pub const TARGET: &str = "fetch_all::timing";

/// The default log level of a report.
pub const DEFAULT_LEVEL: Level = Level::Info;

/// How timed work ended.
///
/// ```
/// assert_eq!(fetch_timing::TimedOutcome::Cancelled.to_string(), "cancelled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimedOutcome {
    /// The work ran to its end. An early return also counts as the end.
    Finished,
    /// The work ran to its end and returned an `Err`, as far as the measurement sees what it returned: see
    /// [`timed_result`](crate::timed_result).
    Failed,
    /// The work was dropped before its end.
    Cancelled,
    /// The work panicked.
    Panicked,
}

impl TimedOutcome {
    /// The outcome of work that returned `result`.
    ///
    /// ```
    /// use fetch_timing::TimedOutcome;
    /// assert_eq!(TimedOutcome::of::<(), _>(&Err("no")), TimedOutcome::Failed);
    /// ```
    #[must_use]
    pub const fn of<T, E>(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Finished,
            Err(_) => Self::Failed,
        }
    }

    /// Returns the outcome as in the log.
    ///
    /// ```
    /// assert_eq!(fetch_timing::TimedOutcome::Finished.as_str(), "finished");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
        }
    }
}

impl fmt::Display for TimedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One measurement.
///
/// `Display` writes the log message, with seconds truncated to whole microseconds.
///
/// ```
/// use fetch_timing::{TimedOutcome, TimingReport};
/// use std::time::Duration;
///
/// let report = TimingReport {
///     name: "load".into(),
///     elapsed: Duration::from_nanos(12_345_678_901),
///     outcome: TimedOutcome::Finished,
/// };
/// assert_eq!(report.to_string(), "timed load: 12.345678 s (finished)");
/// assert_eq!(report.elapsed_us(), 12_345_678);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimingReport {
    /// The name given by the caller.
    pub name: Cow<'static, str>,
    /// Time from start to end by the monotonic clock, including waits.
    pub elapsed: Duration,
    /// How the work ended.
    pub outcome: TimedOutcome,
}

impl TimingReport {
    /// Returns the elapsed time in whole microseconds, at most `u64::MAX`.
    ///
    /// ```
    /// fetch_timing::timed_with("work", |report| assert!(report.elapsed_us() < u64::MAX), || ());
    /// ```
    #[must_use]
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for TimingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            elapsed,
            outcome,
        } = self;
        let (secs, micros) = (elapsed.as_secs(), elapsed.subsec_micros());
        write!(f, "timed {name}: {secs}.{micros:06} s ({outcome})")
    }
}

/// Receives the report of one measurement: the log ([`ToLog`]) or any closure `FnOnce(TimingReport)`.
///
/// A reporter may be called while a panic unwinds. It must not panic then, because a double panic aborts.
pub trait Reporter {
    /// Returns whether to measure. Called once, before the work starts; `false` skips the measurement.
    ///
    /// ```
    /// use fetch_timing::{TimingReport, Reporter};
    /// assert!((|_: TimingReport| ()).enabled());
    /// ```
    fn enabled(&self) -> bool {
        true
    }

    /// Receives the report.
    ///
    /// ```
    /// use fetch_timing::{Level, TimedOutcome, TimingReport, Reporter, ToLog};
    /// use std::time::Duration;
    ///
    /// let elapsed = Duration::from_millis(3);
    /// ToLog(Level::Info).report(TimingReport { name: "work".into(), elapsed, outcome: TimedOutcome::Finished });
    /// ```
    fn report(self, report: TimingReport);
}

impl<F: FnOnce(TimingReport)> Reporter for F {
    fn report(self, report: TimingReport) {
        self(report);
    }
}

/// Reports to the [`log`] facade at this level, with the key-value pairs `name`, `elapsed_us` and `outcome`.
///
/// ```
/// use fetch_timing::{Level, Scope, ToLog};
/// let _scope = Scope::to(ToLog(Level::Trace), "quiet work");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToLog(pub Level);

impl Reporter for ToLog {
    fn enabled(&self) -> bool {
        log::log_enabled!(target: TARGET, self.0)
    }

    fn report(self, report: TimingReport) {
        log::log!(
            target: TARGET,
            self.0,
            name = &*report.name,
            elapsed_us = report.elapsed_us(),
            outcome = report.outcome.as_str();
            "{report}"
        );
    }
}
