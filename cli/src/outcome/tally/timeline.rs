//! What happened when, in a fixed number of steps that get longer as the run does.

use std::time::Duration;

/// The most steps. Two of them become one when the run is longer than all together.
pub(crate) const STEPS: usize = 240;

/// How long a step is at first.
const FIRST: Duration = Duration::from_millis(100);

/// What happened in one step.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) bytes: u64,
    /// Fetches that ended in any other way.
    pub(crate) failed: u64,
    /// Fetches that ended well.
    pub(crate) ok: u64,
    /// Attempts that began after others of the same fetch: retries and redirects.
    pub(crate) again: u64,
    /// Attempts that began, those included.
    pub(crate) requests: u64,
}

impl Bucket {
    fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.failed += other.failed;
        self.ok += other.ok;
        self.again += other.again;
        self.requests += other.requests;
    }
}

/// All steps since the run began.
#[derive(Debug)]
pub(crate) struct Timeline {
    buckets: Vec<Bucket>,
    latest: Duration,
    step: Duration,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            buckets: Vec::new(),
            latest: Duration::ZERO,
            step: FIRST,
        }
    }
}

impl Timeline {
    /// Counts the end of a fetch.
    pub(crate) fn end(&mut self, at: Duration, is_ok: bool, bytes: u64) {
        let bucket = self.at(at);
        bucket.ok += u64::from(is_ok);
        bucket.failed += u64::from(!is_ok);
        bucket.bytes += bytes;
    }

    /// Counts a request; `again` says that it is not its fetch's first.
    pub(crate) fn request(&mut self, at: Duration, again: bool) {
        let bucket = self.at(at);
        bucket.requests += 1;
        bucket.again += u64::from(again);
    }

    /// The steps so far, and how long each is.
    pub(crate) fn steps(&self) -> (&[Bucket], Duration) {
        (&self.buckets, self.step)
    }

    /// The latest time of which something is known.
    pub(crate) fn latest(&self) -> Duration {
        self.latest
    }

    /// The step of that time, after making room for it.
    fn at(&mut self, at: Duration) -> &mut Bucket {
        self.latest = self.latest.max(at);
        let mut place = self.place(at);
        while place >= STEPS {
            self.merge();
            place = self.place(at);
        }
        if self.buckets.len() <= place {
            self.buckets.resize(place + 1, Bucket::default());
        }
        &mut self.buckets[place]
    }

    fn place(&self, at: Duration) -> usize {
        usize::try_from(at.as_nanos() / self.step.as_nanos()).unwrap_or(usize::MAX)
    }

    /// Makes one step of two.
    fn merge(&mut self) {
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
    fn a_run_of_any_length_has_no_more_than_so_many_steps_and_loses_nothing() {
        let mut timeline = Timeline::default();
        for second in 0..100_000 {
            let at = Duration::from_secs(second);
            timeline.request(at, second % 10 == 0);
            timeline.end(at, second % 4 > 0, 3);
        }
        let (steps, step) = timeline.steps();
        assert!(steps.len() <= STEPS && steps.len() > STEPS / 2);
        assert_eq!(step, FIRST * 8192);
        let mut sum = Bucket::default();
        steps.iter().for_each(|bucket| sum.add(bucket));
        let expected = Bucket {
            again: 10_000,
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
    fn what_began_long_ago_is_counted_where_it_began() {
        let mut timeline = Timeline::default();
        timeline.end(Duration::from_secs(5), true, 0);
        timeline.request(Duration::from_millis(250), false);
        assert_eq!(timeline.steps().0[2].requests, 1);
        assert_eq!(timeline.latest(), Duration::from_secs(5));
    }

    #[test]
    fn a_time_beyond_all_bounds_ends() {
        let mut timeline = Timeline::default();
        timeline.end(Duration::from_secs(u64::MAX >> 8), true, 0);
        assert!(timeline.steps().0.len() <= STEPS);
    }
}
