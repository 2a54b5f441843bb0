//! The estimate of the time left.

use std::collections::VecDeque;
use std::time::Duration;

use crate::input::backlog::{HostBacklog, HostLimits};

/// The window of the current rate.
const WINDOW: Duration = Duration::from_secs(10);

/// The minimum time between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// Estimates the time left from the current rate and the limits.
#[derive(Debug)]
pub(crate) struct EtaEstimator {
    pub(crate) limits: HostLimits,
    /// Times and numbers of ended fetches, within the window.
    samples: VecDeque<(Duration, u64)>,
}

impl EtaEstimator {
    pub(crate) fn new(limits: HostLimits) -> Self {
        Self {
            limits,
            samples: [(Duration::ZERO, 0)].into(),
        }
    }

    /// Adds the number of fetches that have ended since the start of the run.
    pub(crate) fn record(&mut self, now: Duration, ended: u64) {
        let last = self.samples.back().map_or(Duration::ZERO, |(at, _)| *at);
        if now < last + SAMPLE_INTERVAL {
            return;
        }
        self.samples.push_back((now, ended));
        while self.samples.len() > 2 && self.samples[1].0 + WINDOW <= now {
            self.samples.pop_front();
        }
    }

    /// Fetches per second, within the window.
    pub(crate) fn rate(&self) -> f64 {
        match (self.samples.front(), self.samples.back()) {
            (Some((from, before)), Some((to, after))) if to > from => {
                (after - before) as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }

    /// The time that `left` fetches need, which is the longest of
    /// - all at the current rate: `left / rate`,
    /// - all at the rate limit over all hosts,
    /// - the slowest host by its own limits: see [`HostQueue::min_time`].
    ///
    /// So if the last thousand URLs are at one slow host, the estimate does not use the rate of the
    /// fast ones. `None` while the current rate is zero.
    ///
    /// [`HostQueue::min_time`]: crate::input::backlog::HostQueue::min_time
    pub(crate) fn time_left(&self, left: u64, backlog: Option<&HostBacklog>) -> Option<Duration> {
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let rate = self.rate();
        if rate <= 0.0 {
            return None;
        }
        let all = Duration::try_from_secs_f64(left as f64 / rate).unwrap_or(Duration::MAX);
        let limited = self.limits.rate.map(|rate| rate.time_for(left));
        let host = backlog.map(|backlog| backlog.min_time(&self.limits));
        Some(
            all.max(limited.unwrap_or_default())
                .max(host.unwrap_or_default()),
        )
    }
}

#[cfg(test)]
mod tests {
    use fetch_driver::Request;
    use fetch_proto::Rate;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rate(count: u32) -> Option<Rate> {
        Rate::new(count.try_into().unwrap(), seconds(1))
    }

    #[test]
    fn the_current_rate_counts() {
        let mut eta = EtaEstimator::new(HostLimits::default());
        assert_eq!(eta.time_left(1, None), None, "no rate yet");
        for second in 1..=100 {
            eta.record(seconds(second), 1000 * second.min(50) + 10 * second);
        }
        assert_eq!(eta.rate(), 10.0);
        assert_eq!(eta.time_left(200, None), Some(seconds(20)));
        assert_eq!(eta.time_left(0, None), Some(Duration::ZERO));
        assert!(eta.samples.len() < 13, "old samples are dropped");
    }

    #[test]
    fn a_host_with_its_own_limit_delays_the_end() {
        let mut eta = EtaEstimator::new(HostLimits::default());
        eta.record(seconds(1), 1000);
        let backlog = HostBacklog::default();
        let slow = |n| Request::get(format!("http://slow.test/{n}")).unwrap();
        backlog.add(&(0..101).map(slow).collect::<Vec<_>>());
        let left = |eta: &EtaEstimator| eta.time_left(1000, Some(&backlog)).unwrap();
        assert_eq!(left(&eta), seconds(1), "no limit, no bound");
        eta.limits.rate = rate(100);
        assert_eq!(left(&eta).as_secs(), 9, "1000 at 100 a second");
        eta.limits.host_rate = rate(1);
        assert_eq!(left(&eta), seconds(100), "101 there, one a second");
    }
}
