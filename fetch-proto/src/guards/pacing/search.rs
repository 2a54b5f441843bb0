//! The search for the largest rate that a host accepts.

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

const SECOND: u64 = 1_000_000_000;

/// The longest time between two starts: 10 s. A host that refuses everything is asked so often.
const MAX_INTERVAL: u64 = 10 * SECOND;
/// The shortest time between two starts: 20 µs, beyond any host's limit.
const MIN_INTERVAL: u64 = 20_000;
/// From this number of refusals in a row on, the host refuses everything.
const STARVED: u32 = 3;
/// The first interval if nothing is known: ten starts per second.
const FIRST_INTERVAL: u64 = SECOND / 10;
/// The largest growth of the rate in one step, in 32nds: the rate doubles.
const MAX_GROWTH: u64 = 32;
/// The first and the longest time for which the rate is held below one that was refused.
const HOLD: (u64, u64) = (SECOND / 2, 8 * SECOND);
/// The longest hold if each refusal costs a pause.
const HOLD_WITH_PAUSE: u64 = 30 * SECOND;
/// The rate is held if a rate higher by this share, in 16ths, was refused: without a pause, and with
/// one.
const CLOSE: (u64, u64) = (1, 2);

/// A search for the shortest interval between two starts that a host accepts.
///
/// Answers are judged in samples. A sample with few refusals makes the interval a good one, and
/// the rate grows: to the geometric mean of the good and the refused rate if one was refused, else by
/// steps that double. A sample with more refusals makes the interval a bad one. The rate is held below
/// a refused rate that is close, and then tries it again in small steps, because the limit may
/// have risen. A host that accepts one request per interval and counts from the latest accepted one
/// halves its throughput for a rate just above its limit, so the search stays just below.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct PaceSearch {
    /// When the host was first paced.
    since: Timestamp,
    /// Nanoseconds between two starts.
    interval: u64,
    /// The shortest interval that was accepted.
    good: Option<u64>,
    /// The longest interval that was refused since.
    bad: Option<u64>,
    /// How much the rate grows with the next good sample, in 32nds, if no interval was refused.
    growth: u64,
    /// How long the rate is held below a refused one, in nanoseconds.
    hold: u64,
    hold_until: Timestamp,
    latest_start: Timestamp,
    /// Refusals since the latest accepted request.
    refused_in_a_row: u32,
    /// Since when the host refuses everything, and the interval for the time after that.
    starved: Option<(Timestamp, u64)>,
    /// The pause that the latest refusal asked for, in nanoseconds.
    pause: u64,
    sample: Sample,
}

/// The answers to the requests that were sent at one interval.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct Sample {
    accepted: u64,
    since: Timestamp,
    starts: u64,
    throttled: u64,
}

impl Sample {
    fn new(since: Timestamp) -> Self {
        Self {
            accepted: 0,
            since,
            starts: 0,
            throttled: 0,
        }
    }
}

impl PaceSearch {
    /// A search that starts at the rate of `recent` accepted requests per second, or at ten.
    pub(super) fn new(recent: u64, pause: Duration, now: Timestamp) -> Self {
        let start = now + pause;
        Self {
            since: now,
            interval: recent_interval(recent).min(FIRST_INTERVAL),
            good: None,
            bad: None,
            growth: MAX_GROWTH,
            hold: HOLD.0 + 20 * nanos(pause).min(SECOND),
            hold_until: start,
            latest_start: start,
            refused_in_a_row: 0,
            starved: None,
            pause: nanos(pause),
            sample: Sample::new(start),
        }
    }

    pub(super) fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// When the search began.
    pub(super) const fn since(&self) -> Timestamp {
        self.since
    }

    /// When the next attempt may start.
    pub(super) fn next_start(&self) -> Timestamp {
        self.latest_start + self.interval()
    }

    /// Counts a start at `now`. A start that is late by a little does not delay those that follow,
    /// because timers are not exact. More would be a burst, which a host without tolerance refuses.
    pub(super) fn record_start(&mut self, now: Timestamp) {
        let tolerance = (self.interval / 16).max(1_000_000_u64.saturating_sub(self.interval / 2));
        let earliest = nanos(now.since_start()).saturating_sub(tolerance);
        self.latest_start = self
            .next_start()
            .max(Timestamp::from_nanos(earliest))
            .min(now);
        self.sample.starts += 1;
    }

    /// Counts an accepted request that was sent at `sent`. Returns whether a whole sample was accepted
    /// and the pace did not limit it.
    pub(super) fn record_accept(&mut self, sent: Timestamp, now: Timestamp) -> bool {
        if sent < self.sample.since {
            return false;
        }
        self.refused_in_a_row = 0;
        if let Some((_, interval)) = self.starved.take() {
            self.interval = interval;
            self.sample = Sample::new(now);
            return false;
        }
        self.sample.accepted += 1;
        let elapsed = nanos(now.saturating_since(self.sample.since));
        if elapsed < self.sample_time()
            || self.sample.accepted + self.sample.throttled < self.sample_size(now)
        {
            return false;
        }
        let is_limiting = self.sample.starts * self.interval * 2 >= elapsed;
        if is_limiting {
            self.on_good_sample(now);
        }
        self.sample = Sample::new(now);
        !is_limiting
    }

    /// Counts a refused request that was sent at `sent`. `recent` is how many requests per second the
    /// host accepted recently. `pause` is the time for which the host wants no request.
    pub(super) fn record_throttle(
        &mut self,
        sent: Timestamp,
        recent: u64,
        pause: Duration,
        now: Timestamp,
    ) {
        if sent < self.sample.since {
            return;
        }
        self.sample.throttled += 1;
        self.refused_in_a_row += 1;
        if pause.is_zero() && self.refused_in_a_row >= STARVED {
            return self.on_starved(recent, now);
        }
        let tolerated = self.sample_size(now) * 3 / 16;
        // A refusal with a pause costs as much as many refusals without one.
        if pause.is_zero() && self.sample.throttled <= tolerated {
            return;
        }
        self.on_bad_sample(recent, pause, now);
        self.sample = Sample::new(now + pause);
    }

    /// How long a sample takes at least, in nanoseconds. A bucket fills up during a pause, and a window
    /// may have room left, so a short time proves little. Only the first search does not wait, because
    /// it knows no rate that the host accepts.
    fn sample_time(&self) -> u64 {
        if self.bad.is_none() && self.growth < MAX_GROWTH {
            (self.pause / 2).max(SECOND / 2)
        } else {
            self.pause / 2
        }
    }

    /// How many answers are judged together: few while the rate doubles, many while it is held.
    fn sample_size(&self, now: Timestamp) -> u64 {
        if self.bad.is_none() && self.growth == MAX_GROWTH {
            return match self.interval {
                FIRST_INTERVAL.. => 1,
                10_000_000.. => 2,
                // Timers are not exact, so a single refusal proves nothing.
                _ => 8,
            };
        }
        if now < self.hold_until {
            (SECOND / 2 / self.interval).clamp(16, 64)
        } else if self.bad.is_some_and(|bad| bad * 2 < self.interval) {
            4
        } else {
            16
        }
    }

    /// Whether the refused interval is so close to the good one that the search ends: sooner if each
    /// refusal costs a pause.
    fn is_close(&self, good: u64, refused: u64) -> bool {
        let share = if self.pause > 0 { CLOSE.1 } else { CLOSE.0 };
        good - good / 16 * share <= refused
    }

    fn on_good_sample(&mut self, now: Timestamp) {
        let is_clean = self.sample.throttled * 8 <= self.sample.accepted;
        self.good = Some(self.interval);
        if now < self.hold_until || !is_clean {
            return;
        }
        let next = match self.bad {
            Some(bad) if !self.is_close(self.interval, bad) => mean(self.interval, bad),
            Some(_) if self.growth > 0 => {
                self.growth = 0;
                self.hold_until = now + Duration::from_nanos(self.hold);
                return;
            }
            // The hold is over.
            Some(_) => {
                self.bad = None;
                self.growth = 1;
                self.interval * 32 / 33
            }
            None => {
                let is_first_search = self.growth == MAX_GROWTH;
                if is_first_search {
                    self.interval / if self.interval > SECOND { 4 } else { 2 }
                } else {
                    self.growth = (self.growth * 2).clamp(1, MAX_GROWTH - 1);
                    self.interval * 32 / (32 + self.growth)
                }
            }
        };
        self.interval = next.max(MIN_INTERVAL);
    }

    fn on_bad_sample(&mut self, recent: u64, pause: Duration, now: Timestamp) {
        let refused = self.interval;
        let was_good = self.good.is_some_and(|good| good <= refused);
        self.bad = Some(refused);
        self.good = self.good.filter(|good| *good > refused);
        self.hold_until = now;
        self.pause = nanos(pause);
        // Each failed attempt to exceed the limit costs the pause, too.
        let least = (HOLD.0 + 20 * self.pause).min(HOLD_WITH_PAUSE);
        let least = least.max((32 * refused).min(HOLD.1));
        if let Some(good) = self.good {
            let failed_probe = self.growth == 1;
            self.growth = 2;
            if self.is_close(good, refused) {
                self.hold = if failed_probe { self.hold * 2 } else { least };
                self.hold = self.hold.clamp(least, HOLD.1.max(least));
                self.growth = 0;
                self.interval = if self.pause > 0 {
                    good.max(refused / 8 * 9)
                } else {
                    good
                };
                self.hold_until = now + Duration::from_nanos(self.hold);
            } else {
                self.interval = mean(good, refused);
            }
            return;
        }
        self.growth = 1;
        self.hold = least;
        self.interval = self.slower(recent, was_good);
        self.bad = Some(refused.min(self.interval));
    }

    /// The host refuses everything, because a window is used up or the limit has fallen far. It is asked
    /// less and less often, but soon enough to lose little time. Once it accepts again, the search
    /// continues at the rate that it accepted before.
    fn on_starved(&mut self, recent: u64, now: Timestamp) {
        let (since, interval) = match self.starved {
            Some(starved) => starved,
            None => {
                self.bad = Some(self.interval);
                self.good = None;
                self.growth = 1;
                self.hold_until = now;
                let starved = (now, self.slower(recent, false));
                self.bad = self.bad.min(Some(starved.1));
                self.starved = Some(starved);
                starved
            }
        };
        let waited = nanos(now.saturating_since(since));
        self.interval = (waited / 8).clamp(interval, MAX_INTERVAL);
        self.sample = Sample::new(self.sample.since);
    }

    /// The interval after `self.interval` was refused and no good one is known: about as many
    /// requests as the host accepted, and no fewer than it accepted `recent`ly.
    fn slower(&self, recent: u64, was_good: bool) -> u64 {
        let Sample {
            accepted,
            throttled,
            ..
        } = self.sample;
        let refused = self.interval;
        let all = accepted + throttled;
        // What the sample had accepted, at least a part of one request.
        let goodput = u128::from(refused) * u128::from(2 * all + 1) / u128::from(2 * accepted + 1);
        let slower = u64::try_from(goodput).unwrap_or(MAX_INTERVAL);
        let most = if was_good && self.pause > 0 {
            refused / 7 * 8
        } else {
            refused.saturating_mul(8)
        };
        let slower = slower.clamp(refused / 7 * 8, most);
        let recent = recent_interval(recent);
        slower.min(recent).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }
}

/// The time between the requests if there are so many per second.
fn recent_interval(per_second: u64) -> u64 {
    SECOND / per_second.max(1)
}

fn mean(a: u64, b: u64) -> u64 {
    u64::try_from((u128::from(a) * u128::from(b)).isqrt()).unwrap_or(MAX_INTERVAL)
}
