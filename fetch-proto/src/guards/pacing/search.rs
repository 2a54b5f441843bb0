//! The search for the largest rate that a host accepts.

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

const SECOND: u64 = 1_000_000_000;

/// The longest time between two starts: 10 s. A host that refuses everything is asked so often.
const MAX_INTERVAL: u64 = 10 * SECOND;
/// The shortest time between two starts: 20 µs, beyond any host's limit.
const MIN_INTERVAL: u64 = 20_000;
/// The first interval if nothing is known: ten starts per second.
const FIRST_INTERVAL: u64 = SECOND / 10;
/// The largest growth of the rate in one step, in 32nds: the rate doubles.
const MAX_GROWTH: u64 = 32;
/// The first and the longest time for which the rate is held below one that was refused.
const HOLD: (u64, u64) = (2 * SECOND, 30 * SECOND);
/// The rate is held if a rate higher by this share, in 16ths, was refused: without a pause, and with
/// one.
const CLOSE: (u64, u64) = (1, 3);

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
            interval: recent_interval(recent).min(FIRST_INTERVAL),
            good: None,
            bad: None,
            growth: MAX_GROWTH,
            hold: HOLD.0,
            hold_until: start,
            latest_start: start,
            pause: nanos(pause),
            sample: Sample::new(start),
        }
    }

    pub(super) fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
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
        self.latest_start = self.next_start().max(Timestamp::from_nanos(earliest)).min(now);
        self.sample.starts += 1;
    }

    /// Counts an accepted request that was sent at `sent`. Returns whether a whole sample was accepted
    /// and the pace did not limit it.
    pub(super) fn record_accept(&mut self, sent: Timestamp, now: Timestamp) -> bool {
        if sent < self.sample.since {
            return false;
        }
        self.sample.accepted += 1;
        let elapsed = nanos(now.saturating_since(self.sample.since));
        // A bucket fills up during a pause, so a short time after it proves little.
        let is_short = elapsed < self.pause / 2;
        if is_short || self.sample.accepted + self.sample.throttled < self.sample_size(now) {
            return false;
        }
        let is_limiting = self.sample.starts * self.interval * 4 >= elapsed * 3;
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
        let tolerated = self.sample_size(now) / 8;
        // A refusal with a pause costs as much as many refusals without one.
        if pause.is_zero() && self.sample.throttled <= tolerated {
            return;
        }
        self.on_bad_sample(recent, pause, now);
        self.sample = Sample::new(now + pause);
    }

    /// How many answers are judged together: few while the rate doubles, many while it is held.
    fn sample_size(&self, now: Timestamp) -> u64 {
        if self.bad.is_none() && self.growth == MAX_GROWTH {
            return if self.interval >= FIRST_INTERVAL { 1 } else { 2 };
        }
        if now < self.hold_until {
            (SECOND / 2 / self.interval).clamp(16, 64)
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
        let is_clean = self.sample.throttled * 32 <= self.sample.accepted;
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
                self.growth = (self.growth * 2).clamp(1, MAX_GROWTH);
                let factor = if self.interval > SECOND { 4 } else { 2 };
                if self.growth == MAX_GROWTH {
                    self.interval / factor
                } else {
                    self.interval * 32 / (32 + self.growth)
                }
            }
        };
        self.interval = next.max(MIN_INTERVAL);
    }

    fn on_bad_sample(&mut self, recent: u64, pause: Duration, now: Timestamp) {
        let Sample {
            accepted,
            throttled,
            ..
        } = self.sample;
        let refused = self.interval;
        let was_good = self.good.is_some_and(|good| good <= refused);
        self.bad = Some(refused);
        self.good = self.good.filter(|good| *good > refused);
        self.hold_until = now;
        self.pause = nanos(pause);
        // Each failed attempt to exceed the limit costs the pause, too.
        let least = (HOLD.0 + 20 * self.pause).min(HOLD.1);
        if let Some(good) = self.good {
            let failed_probe = self.growth == 1;
            self.growth = 2;
            if self.is_close(good, refused) {
                self.hold = if failed_probe { self.hold * 2 } else { least };
                self.hold = self.hold.clamp(least, HOLD.1);
                self.growth = 0;
                self.interval = if self.pause > 0 { good.max(refused / 8 * 9) } else { good };
                self.hold_until = now + Duration::from_nanos(self.hold);
            } else {
                self.interval = mean(good, refused);
            }
            return;
        }
        self.growth = 1;
        self.hold = least;
        let all = accepted + throttled;
        // What the sample had accepted, at least a part of one request.
        let goodput = u128::from(refused) * u128::from(2 * all + 1) / u128::from(2 * accepted + 1);
        let slower = u64::try_from(goodput).unwrap_or(MAX_INTERVAL);
        let most = if was_good && self.pause > 0 { refused / 7 * 8 } else { refused.saturating_mul(8) };
        let slower = slower.clamp(refused / 7 * 8, most);
        let recent = recent_interval(recent);
        if recent > refused && accepted == 0 {
            // The host refuses everything: once it accepts again, the rate doubles as at the start.
            self.bad = None;
            self.growth = MAX_GROWTH;
        }
        self.interval = slower.min(recent.max(refused)).min(MAX_INTERVAL);
    }
}

/// The time between the requests if there are so many per second.
fn recent_interval(per_second: u64) -> u64 {
    SECOND / per_second.max(1)
}


fn mean(a: u64, b: u64) -> u64 {
    u64::try_from((u128::from(a) * u128::from(b)).isqrt()).unwrap_or(MAX_INTERVAL)
}
