//! What there is to show at one moment.

use std::time::Duration;

use fetch_proto::{CircuitState, Histogram, HistogramSummary, HostStats};

use crate::display::shown;
use crate::input::backlog::HostQueue;
use crate::outcome::tally::Tally;
use crate::ui::counts::Counts;
use crate::ui::summary::advice;

/// So many kinds of errors and retries are shown at the most.
const KINDS: usize = 20;

/// What there is to show.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    /// Received over the wire.
    pub(crate) bytes: u64,
    pub(crate) counts: Counts,
    /// Kinds of failures, how many of each, and what to do.
    pub(crate) errors: Vec<(String, u64, &'static str)>,
    pub(crate) hosts: Vec<HostRow>,
    /// How many fetches took at most so long, and longer than half of it.
    pub(crate) latency: Vec<(Duration, u64)>,
    /// Why requests were sent again.
    pub(crate) retries: Vec<(String, u64)>,
    /// How long each part of `throughput` is.
    pub(crate) step: Duration,
    /// Whether no more requests begin.
    pub(crate) stopping: bool,
    /// How many fetches ended each second, since the run began.
    pub(crate) throughput: Vec<u64>,
    pub(crate) times: Option<HistogramSummary>,
}

/// How it stands with one host.
#[derive(Debug, Default)]
pub(crate) struct HostRow {
    pub(crate) ended: u64,
    pub(crate) flying: usize,
    pub(crate) mean: Duration,
    pub(crate) name: String,
    /// Its breaker, and whether it rests.
    pub(crate) state: String,
    pub(crate) waiting: u64,
}

impl Picture {
    pub(crate) fn new(counts: Counts, tally: &Tally) -> Self {
        let times = &tally.times;
        let (steps, step) = tally.timeline.steps();
        let per_second = 1.0 / step.as_secs_f64();
        let rate = |count: u64| (count as f64 * per_second).round() as u64;
        let mut throughput: Vec<_> = steps.iter().map(|b| rate(b.ok + b.failed)).collect();
        // Where nothing ended of late, that is to be seen; what has just begun is not whole.
        let whole = (counts.elapsed.as_secs_f64() * per_second) as usize;
        throughput.resize(whole.min(crate::outcome::tally::STEPS), 0);
        let errors = tally.errors.kinds().into_iter().take(KINDS);
        let retries = tally.retries.causes().into_iter().take(KINDS);
        Self {
            bytes: tally.wire_bytes,
            counts,
            errors: errors
                .map(|((outcome, kind), seen)| {
                    let advice = advice(outcome, kind).unwrap_or_default();
                    (kind.to_string(), seen.count, advice)
                })
                .collect(),
            hosts: Vec::new(),
            latency: doublings(times),
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
    /// `now` is the engine's time.
    pub(crate) fn new(
        origin: &str,
        queue: &HostQueue,
        stats: Option<&HostStats>,
        now: Duration,
    ) -> Self {
        let circuit = stats.and_then(|stats| stats.circuit);
        let rest = stats.and_then(|stats| stats.paused_until);
        let circuit = match circuit {
            Some(CircuitState::Open) => "open",
            Some(CircuitState::HalfOpen) => "half-open",
            Some(CircuitState::Closed) => "closed",
            _ => "-",
        };
        let state = match rest.map(|until| until.since_start().saturating_sub(now)) {
            Some(rest) if !rest.is_zero() => {
                format!("{circuit}, rests {} s", rest.as_secs() + 1)
            }
            _ => circuit.to_owned(),
        };
        let name = origin.strip_prefix("http://").unwrap_or(origin);
        Self {
            ended: queue.ended,
            flying: stats.map_or(0, |stats| stats.flying),
            mean: queue.mean(),
            name: shown(name.as_bytes()),
            state,
            waiting: queue.waiting,
        }
    }
}

/// The counts by powers of two of a millisecond; what is below one is together.
fn doublings(times: &Histogram) -> Vec<(Duration, u64)> {
    let mut bars: Vec<(Duration, u64)> = Vec::new();
    for (time, count) in times.buckets() {
        let ms = u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let top = ms.max(1).checked_next_power_of_two().unwrap_or(u64::MAX);
        let top = Duration::from_millis(top);
        // None is left out: a gap is to be seen.
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
    fn times_are_counted_by_doublings_and_gaps_stay() {
        let mut times = Histogram::default();
        for micros in [10, 900, 3_000, 3_500, 30_000] {
            times.record(Duration::from_micros(micros));
        }
        let bars = doublings(&times);
        let bars: Vec<_> = bars.iter().map(|(t, n)| (t.as_millis(), *n)).collect();
        assert_eq!(bars, [(1, 2), (2, 0), (4, 2), (8, 0), (16, 0), (32, 1)]);
        assert!(doublings(&Histogram::default()).is_empty());
    }

    #[test]
    fn a_stall_is_seen_though_nothing_ends() {
        let mut tally = Tally::default();
        tally.timeline.end(Duration::from_millis(50), true, 1);
        let counts = Counts {
            elapsed: Duration::from_secs(1),
            ..Counts::default()
        };
        let picture = Picture::new(counts, &tally);
        assert_eq!(picture.throughput, [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_host_that_rests_says_how_long() {
        let row = HostRow::new("http://a.test", &HostQueue::default(), None, Duration::ZERO);
        assert_eq!((row.name.as_str(), row.state.as_str()), ("a.test", "-"));
    }
}
