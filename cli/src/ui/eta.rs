//! When it will be over.

use std::collections::VecDeque;
use std::time::Duration;

use crate::input::backlog::{HostBacklog, HostLimits};

/// The rate of late is that of the last so long.
const WINDOW: Duration = Duration::from_secs(10);

/// The least time between two looks.
const STEP: Duration = Duration::from_millis(100);

/// What is needed to say so.
#[derive(Debug)]
pub(crate) struct Eta {
    pub(crate) limits: HostLimits,
    /// How many had ended when, no older than the window.
    seen: VecDeque<(Duration, u64)>,
}

impl Eta {
    pub(crate) fn new(limits: HostLimits) -> Self {
        Self {
            limits,
            seen: [(Duration::ZERO, 0)].into(),
        }
    }

    /// Notes how many fetches have ended since the run began.
    pub(crate) fn note(&mut self, now: Duration, ended: u64) {
        let last = self.seen.back().map_or(Duration::ZERO, |(at, _)| *at);
        if now < last + STEP {
            return;
        }
        self.seen.push_back((now, ended));
        while self.seen.len() > 2 && self.seen[1].0 + WINDOW <= now {
            self.seen.pop_front();
        }
    }

    /// How many fetches ended each second of late.
    pub(crate) fn rate(&self) -> f64 {
        match (self.seen.front(), self.seen.back()) {
            (Some((from, before)), Some((to, after))) if to > from => {
                (after - before) as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }

    /// How long `left` fetches still need, the longest of
    /// - all at the rate of late: `left / rate`,
    /// - all as fast as the limit on all hosts together allows,
    /// - the host that takes the longest by its own limits: see [`HostQueue::time`].
    ///
    /// So a list whose last thousand URLs are all at one slow host is not said to be over soon, only
    /// because the other hosts were quick. `None` while nothing has ended of late.
    ///
    /// [`HostQueue::time`]: crate::input::backlog::Queue::time
    pub(crate) fn left(&self, left: u64, backlog: Option<&HostBacklog>) -> Option<Duration> {
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let rate = self.rate();
        if rate <= 0.0 {
            return None;
        }
        let all = Duration::try_from_secs_f64(left as f64 / rate).unwrap_or(Duration::MAX);
        let limited = self.limits.rate.map(|rate| rate.time_for(left));
        let host = backlog.map(|backlog| backlog.time(&self.limits));
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
    fn what_ends_of_late_counts_and_not_what_ended_long_ago() {
        let mut eta = Eta::new(HostLimits::default());
        assert_eq!(eta.left(1, None), None, "nobody knows");
        for second in 1..=100 {
            eta.note(seconds(second), 1000 * second.min(50) + 10 * second);
        }
        assert_eq!(eta.rate(), 10.0);
        assert_eq!(eta.left(200, None), Some(seconds(20)));
        assert_eq!(eta.left(0, None), Some(Duration::ZERO));
        assert!(eta.seen.len() < 13, "what is old is forgotten");
    }

    #[test]
    fn a_host_with_a_limit_of_its_own_holds_up_the_end() {
        let mut eta = Eta::new(HostLimits::default());
        eta.note(seconds(1), 1000);
        let backlog = HostBacklog::default();
        let slow = |n| Request::get(format!("http://slow.test/{n}")).unwrap();
        backlog.read(&(0..101).map(slow).collect::<Vec<_>>());
        let left = |eta: &Eta| eta.left(1000, Some(&backlog)).unwrap();
        assert_eq!(left(&eta), seconds(1), "no limit, no bound");
        eta.limits.rate = rate(100);
        assert_eq!(left(&eta).as_secs(), 9, "1000 at 100 a second");
        eta.limits.host_rate = rate(1);
        assert_eq!(left(&eta), seconds(100), "101 there, one a second");
    }
}
