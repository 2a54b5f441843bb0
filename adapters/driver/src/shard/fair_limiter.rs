//! A rate limiter in which drivers wait in line.

use std::collections::VecDeque;
use std::time::Duration;

use fetch_proto::{Rate, RateLimiter, Timestamp};

/// How long a driver that does not ask at its time keeps its place.
const PATIENCE: Duration = Duration::from_millis(10);

/// A rate limiter that several drivers share. A driver that was denied goes before those that ask
/// later; otherwise a busy driver, which asks all the time, would always be before one that sleeps.
#[derive(Debug)]
pub(crate) struct FairRateLimiter {
    limiter: RateLimiter,
    /// Drivers that were denied, in the order of their first denial.
    waiting: VecDeque<WaitingDriver>,
}

#[derive(Debug)]
struct WaitingDriver {
    asks_at: Timestamp,
    driver: usize,
}

impl FairRateLimiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            limiter: RateLimiter::new(rate),
            waiting: VecDeque::new(),
        }
    }

    /// Changes the rate. Starts counted at the old rate still count.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.limiter.set_rate(rate);
    }

    /// The earliest time from `now` on at which the rate allows a start, regardless of the line.
    pub(crate) fn next_allowed(&self, now: Timestamp) -> Timestamp {
        self.limiter.next_allowed(now)
    }

    /// Returns `None` if the driver may start an attempt now. Otherwise puts it in line and returns
    /// when it must ask again.
    pub(crate) fn deny(&mut self, driver: usize, now: Timestamp) -> Option<Timestamp> {
        self.waiting
            .retain(|one| one.driver == driver || one.asks_at + PATIENCE > now);
        let mut places = self.waiting.iter();
        let place = places.position(|one| one.driver == driver);
        let ahead = self.waiting.iter().take(place.unwrap_or(usize::MAX));
        let (mut limiter, mut at) = (self.limiter, self.limiter.next_allowed(now));
        let next = Some(at).filter(|at| *at > now);
        let mut asks_at = Timestamp::MAX;
        for one in ahead {
            // If that driver does not ask at its time, this one may take its place.
            asks_at = asks_at.min(one.asks_at.max(next.unwrap_or(Timestamp::START)) + PATIENCE);
            let _ = limiter.try_acquire(at);
            at = limiter.next_allowed(at);
        }
        if at <= now {
            return None;
        }
        asks_at = asks_at.min(at);
        match place {
            Some(place) => self.waiting[place].asks_at = asks_at,
            None => self.waiting.push_back(WaitingDriver { asks_at, driver }),
        }
        Some(asks_at)
    }

    /// Counts a start that was not denied.
    pub(crate) fn count_start(&mut self, driver: usize, now: Timestamp) {
        self.waiting.retain(|one| one.driver != driver);
        let counted = self.limiter.try_acquire(now);
        debug_assert!(counted.is_ok(), "checked before: it is within its rate");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_start(Duration::from_millis(millis))
    }

    /// A limiter of ten per second, and the first start at 0 ms by driver 0.
    fn started() -> FairRateLimiter {
        let mut limiter = FairRateLimiter::new("10/s".parse::<Rate>().unwrap().strict());
        assert_eq!(limiter.deny(0, at(0)), None);
        limiter.count_start(0, at(0));
        limiter
    }

    #[test]
    fn a_driver_that_waits_goes_before_one_that_asks_all_the_time() {
        let mut limiter = started();
        assert_eq!(limiter.deny(1, at(0)), Some(at(100)));
        // It asks again in case driver 1 does not.
        assert_eq!(limiter.deny(0, at(100)), Some(at(110)));
        assert_eq!(limiter.deny(1, at(101)), None);
        limiter.count_start(1, at(101));
        assert_eq!(limiter.deny(1, at(101)), Some(at(211)));
        assert_eq!(limiter.deny(0, at(201)), None);
    }

    #[test]
    fn a_driver_that_does_not_ask_again_loses_its_place() {
        let mut limiter = started();
        assert_eq!(limiter.deny(1, at(0)), Some(at(100)));
        assert_eq!(limiter.deny(0, at(0)), Some(at(110)));
        assert_eq!(limiter.deny(0, at(110)), None);
    }

    #[test]
    fn all_in_line_start_at_once_if_the_rate_allows_it() {
        let mut limiter = started();
        for driver in [1, 2] {
            assert!(limiter.deny(driver, at(0)).is_some());
        }
        limiter.set_rate(
            "1000/s"
                .parse::<Rate>()
                .unwrap()
                .burst(3.try_into().unwrap()),
        );
        for driver in [2, 1] {
            assert_eq!(limiter.deny(driver, at(105)), None);
            limiter.count_start(driver, at(105));
        }
    }
}
