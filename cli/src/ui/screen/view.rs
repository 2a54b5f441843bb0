//! The contents of the screen at one moment.

use std::time::Duration;

use fetch_proto::{CircuitState, DurationHistogram, HistogramSummary, HostStats};

use crate::display::sanitize;
use crate::input::backlog::HostQueue;
use crate::outcome::tally::RunTally;
use crate::ui::counts::ProgressCounts;
use crate::ui::summary::suggested_fix;

/// The most kinds of errors, and of retries.
const MAX_KINDS: usize = 20;

/// The contents of the screen.
#[derive(Debug, Default)]
pub(crate) struct ScreenView {
    /// Received over the wire.
    pub(crate) bytes: u64,
    pub(crate) counts: ProgressCounts,
    /// Kinds of failures, with counts and suggested fixes.
    pub(crate) errors: Vec<(String, u64, &'static str)>,
    pub(crate) hosts: Vec<HostRow>,
    /// Counts of fetches by the upper bound of their duration; each bound is twice the previous
    /// one.
    pub(crate) latency: Vec<(Duration, u64)>,
    /// Causes of retries.
    pub(crate) retries: Vec<(String, u64)>,
    /// The length of a step in `throughput`.
    pub(crate) step: Duration,
    /// Whether the run waits for its last requests.
    pub(crate) stopping: bool,
    /// Ended fetches per second, for each step since the start.
    pub(crate) throughput: Vec<u64>,
    pub(crate) times: Option<HistogramSummary>,
}

/// One host.
#[derive(Debug, Default)]
pub(crate) struct HostRow {
    pub(crate) ended: u64,
    pub(crate) in_flight: usize,
    /// Whether no request may be sent at the moment.
    pub(crate) is_blocked: bool,
    pub(crate) mean: Duration,
    pub(crate) name: String,
    /// The state of its circuit breaker, and the rest of its pause.
    pub(crate) state: String,
    pub(crate) waiting: u64,
}

impl ScreenView {
    pub(crate) fn new(counts: ProgressCounts, tally: &RunTally) -> Self {
        let times = &tally.times;
        let (steps, step) = tally.timeline.steps();
        let per_second = 1.0 / step.as_secs_f64();
        let rate = |count: u64| (count as f64 * per_second).round() as u64;
        let mut throughput: Vec<_> = steps.iter().map(|b| rate(b.ok + b.failed)).collect();
        // Steps in which no fetch ended are zero. The current step is incomplete, and left out.
        let complete = (counts.elapsed.as_secs_f64() * per_second) as usize;
        throughput.resize(complete.min(crate::outcome::tally::STEPS), 0);
        let errors = tally.errors.groups().into_iter().take(MAX_KINDS);
        let retries = tally.retries.causes().into_iter().take(MAX_KINDS);
        Self {
            bytes: tally.wire_bytes,
            counts,
            errors: errors
                .map(|((outcome, error), group)| {
                    let fix = suggested_fix(outcome, error).unwrap_or_default();
                    (error.to_string(), group.count, fix)
                })
                .collect(),
            hosts: Vec::new(),
            latency: latency_bars(times),
            retries: retries
                .map(|(cause, count)| (cause.to_string(), count))
                .collect(),
            step,
            stopping: false,
            throughput,
            times: (times.count() > 0).then(|| times.summary()),
        }
    }
}

impl HostRow {
    /// `now` is the time since the start of the engine.
    pub(crate) fn new(
        origin: &str,
        queue: &HostQueue,
        stats: Option<&HostStats>,
        now: Duration,
    ) -> Self {
        let circuit = stats.and_then(|stats| stats.circuit);
        let pause = stats.and_then(|stats| stats.paused_until);
        let pause = pause.map(|until| until.since_start().saturating_sub(now));
        let pause = pause.filter(|pause| !pause.is_zero());
        let is_open = circuit == Some(CircuitState::Open);
        let circuit = match circuit {
            Some(CircuitState::Open) => "open",
            Some(CircuitState::HalfOpen) => "half-open",
            Some(CircuitState::Closed) => "closed",
            _ => "-",
        };
        let state = match pause {
            Some(pause) => format!("{circuit}, paused {} s", pause.as_secs() + 1),
            None => circuit.to_owned(),
        };
        let name = origin.strip_prefix("http://").unwrap_or(origin);
        Self {
            ended: queue.ended,
            in_flight: stats.map_or(0, |stats| stats.in_flight),
            is_blocked: is_open || pause.is_some(),
            mean: queue.mean(),
            name: sanitize(name.as_bytes()),
            state,
            waiting: queue.waiting,
        }
    }
}

/// Counts of fetches by their duration, rounded up to a power of two milliseconds, at least 1 ms.
fn latency_bars(times: &DurationHistogram) -> Vec<(Duration, u64)> {
    let mut bars: Vec<(Duration, u64)> = Vec::new();
    for (time, count) in times.buckets() {
        let ms = u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let top = ms.max(1).checked_next_power_of_two().unwrap_or(u64::MAX);
        let top = Duration::from_millis(top);
        // Empty bars are included, so that a gap is visible.
        while let Some((last, _)) = bars.last()
            && *last * 2 < top
        {
            bars.push((*last * 2, 0));
        }
        match bars.last_mut() {
            Some((last, sum)) if *last == top => *sum += count,
            _ => bars.push((top, count)),
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_by_powers_of_two_with_gaps() {
        let mut times = DurationHistogram::default();
        for micros in [10, 900, 3_000, 3_500, 30_000] {
            times.record(Duration::from_micros(micros));
        }
        let bars = latency_bars(&times);
        let bars: Vec<_> = bars.iter().map(|(t, n)| (t.as_millis(), *n)).collect();
        assert_eq!(bars, [(1, 2), (2, 0), (4, 2), (8, 0), (16, 0), (32, 1)]);
        assert!(latency_bars(&DurationHistogram::default()).is_empty());
    }

    #[test]
    fn a_stall_is_visible() {
        let mut tally = RunTally::default();
        tally.timeline.record_end(Duration::from_millis(50), true);
        let counts = ProgressCounts {
            elapsed: Duration::from_secs(1),
            ..ProgressCounts::default()
        };
        let view = ScreenView::new(counts, &tally);
        assert_eq!(view.throughput, [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_host_without_stats_has_no_state() {
        let row = HostRow::new("http://a.test", &HostQueue::default(), None, Duration::ZERO);
        assert_eq!((row.name.as_str(), row.state.as_str()), ("a.test", "-"));
    }
}
