//! Counts over time, in a bounded number of steps whose length doubles as the run gets longer.

use std::time::Duration;

/// The most steps. If a run is longer, pairs of steps are merged.
pub(crate) const STEPS: usize = 240;

/// The length of a step at first.
const FIRST: Duration = Duration::from_millis(100);

/// The counts of one step.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct TimelineBucket {
    pub(crate) bytes: u64,
    /// Fetches that failed.
    pub(crate) failed: u64,
    /// Fetches that succeeded.
    pub(crate) ok: u64,
    /// Attempts after the first of their fetch: retries and redirects.
    pub(crate) repeated: u64,
    /// All attempts that started.
    pub(crate) requests: u64,
}

impl TimelineBucket {
    fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.failed += other.failed;
        self.ok += other.ok;
        self.repeated += other.repeated;
        self.requests += other.requests;
    }
}

/// All steps since the start of the run.
#[derive(Debug)]
pub(crate) struct RunTimeline {
    buckets: Vec<TimelineBucket>,
    latest: Duration,
    step: Duration,
}

impl Default for RunTimeline {
    fn default() -> Self {
        Self {
            buckets: Vec::new(),
            latest: Duration::ZERO,
            step: FIRST,
        }
    }
}

impl RunTimeline {
    /// Counts the end of a fetch.
    pub(crate) fn record_end(&mut self, at: Duration, is_ok: bool) {
        let bucket = self.bucket(at);
        bucket.ok += u64::from(is_ok);
        bucket.failed += u64::from(!is_ok);
    }

    /// Counts received bytes.
    pub(crate) fn record_bytes(&mut self, at: Duration, bytes: u64) {
        self.bucket(at).bytes += bytes;
    }

    /// Counts a request; `repeated` if it is not the first of its fetch.
    pub(crate) fn record_request(&mut self, at: Duration, repeated: bool) {
        let bucket = self.bucket(at);
        bucket.requests += 1;
        bucket.repeated += u64::from(repeated);
    }

    /// The steps so far, and the length of each.
    pub(crate) fn steps(&self) -> (&[TimelineBucket], Duration) {
        (&self.buckets, self.step)
    }

    /// The latest time of any event.
    pub(crate) fn latest(&self) -> Duration {
        self.latest
    }

    /// The step of this time. Pairs of steps are merged while it is beyond the last possible step.
    fn bucket(&mut self, at: Duration) -> &mut TimelineBucket {
        self.latest = self.latest.max(at);
        let mut index = self.index(at);
        while index >= STEPS {
            self.merge_pairs();
            index = self.index(at);
        }
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, TimelineBucket::default());
        }
        &mut self.buckets[index]
    }

    fn index(&self, at: Duration) -> usize {
        usize::try_from(at.as_nanos() / self.step.as_nanos()).unwrap_or(usize::MAX)
    }

    /// Merges each pair of steps into one.
    fn merge_pairs(&mut self) {
        let merged = self.buckets.chunks(2).map(|pair| {
            let mut sum = pair[0];
            pair[1..].iter().for_each(|bucket| sum.add(bucket));
            sum
        });
        self.buckets = merged.collect();
        self.step *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_any_length_fits_in_the_steps_without_loss() {
        let mut timeline = RunTimeline::default();
        for second in 0..100_000 {
            let at = Duration::from_secs(second);
            timeline.record_request(at, second % 10 == 0);
            timeline.record_end(at, second % 4 > 0);
            timeline.record_bytes(at, 3);
        }
        let (steps, step) = timeline.steps();
        assert!(steps.len() <= STEPS && steps.len() > STEPS / 2);
        assert_eq!(step, FIRST * 8192);
        let mut sum = TimelineBucket::default();
        steps.iter().for_each(|bucket| sum.add(bucket));
        let expected = TimelineBucket {
            repeated: 10_000,
            bytes: 300_000,
            failed: 25_000,
            ok: 75_000,
            requests: 100_000,
        };
        assert_eq!(sum, expected);
        // The load was even, and so are all steps but the last.
        let requests = steps[..steps.len() - 1].iter().map(|b| b.requests);
        assert!(requests.clone().max().unwrap() - requests.min().unwrap() <= 1);
    }

    #[test]
    fn an_old_event_is_counted_in_its_own_step() {
        let mut timeline = RunTimeline::default();
        timeline.record_end(Duration::from_secs(5), true);
        timeline.record_request(Duration::from_millis(250), false);
        assert_eq!(timeline.steps().0[2].requests, 1);
        assert_eq!(timeline.latest(), Duration::from_secs(5));
    }

    #[test]
    fn a_very_late_event_is_counted() {
        let mut timeline = RunTimeline::default();
        timeline.record_end(Duration::from_secs(u64::MAX >> 8), true);
        assert!(timeline.steps().0.len() <= STEPS);
    }
}
