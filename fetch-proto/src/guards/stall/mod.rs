//! Detection of response bodies that stall.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// Number of bins of the window.
const BINS: u64 = 10;

/// Protection from stalled bodies: a body stalls if it delivers fewer than `min_bytes_per_second`
/// over a sliding `window`, continuously for `grace`.
///
/// After the stalled-stream protection of smithy-rs, with its constants. Unlike a limit on the time
/// between two reads, it also detects a server that sends one byte now and then.
/// [`ThroughputMeter`] measures a body.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::StallGuard;
///
/// let guard = StallGuard::default().min_bytes_per_second(10_000);
/// assert_eq!(guard.grace, Duration::from_secs(20));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct StallGuard {
    /// How long the throughput may be too low. Default 20 s.
    pub grace: Duration,
    /// Minimum throughput. Default 1; 0 disables the guard. At most 4 GiB per window are required.
    pub min_bytes_per_second: u64,
    /// Time over which the throughput is measured, in ten bins of at least 1 µs. Default 1 s.
    pub window: Duration,
}

impl StallGuard {
    /// Disabled.
    pub const OFF: Self = Self {
        grace: Duration::from_secs(20),
        min_bytes_per_second: 0,
        window: Duration::from_secs(1),
    };

    /// The default for bodies that are [saved](crate::BodyDelivery::Saved): 1 KiB/s over 30 s.
    pub const SAVED: Self = Self {
        grace: Duration::ZERO,
        min_bytes_per_second: 1024,
        window: Duration::from_secs(30),
    };

    /// Sets [`grace`](field@Self::grace).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let guard = fetch_proto::StallGuard::default().grace(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets [`min_bytes_per_second`](field@Self::min_bytes_per_second).
    ///
    /// ```
    /// let guard = fetch_proto::StallGuard::default().min_bytes_per_second(1000);
    /// ```
    #[must_use]
    pub const fn min_bytes_per_second(mut self, min_bytes_per_second: u64) -> Self {
        self.min_bytes_per_second = min_bytes_per_second;
        self
    }

    /// Sets [`window`](field@Self::window).
    ///
    /// ```
    /// # use core::time::Duration;
    /// let guard = fetch_proto::StallGuard::default().window(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Length of a bin in nanoseconds.
    fn bin_nanos(&self) -> u64 {
        (nanos(self.window) / BINS).max(1000)
    }

    /// Bytes required per window, rounded up.
    fn required_bytes(&self) -> u64 {
        let product = self.min_bytes_per_second.saturating_mul(nanos(self.window));
        product.div_ceil(1_000_000_000).clamp(1, u32::MAX.into())
    }
}

impl Default for StallGuard {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(20),
            min_bytes_per_second: 1,
            window: Duration::from_secs(1),
        }
    }
}

/// Measures the throughput of one body. All calls must pass the same [`StallGuard`].
///
/// Its clock stops while the consumer does not read ([`pause`](Self::pause) to
/// [`resume`](Self::resume)), because a slow consumer is not a slow server. Also pause it until the
/// response head arrives.
///
/// Record all received bytes before asking whether the body stalled: after a suspension of the
/// process itself, they show that the server kept sending. Every call takes constant time; the size
/// is 72 bytes.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{ThroughputMeter, StallGuard, Timestamp};
///
/// let guard = StallGuard::default();
/// let mut meter = ThroughputMeter::new(Timestamp::START);
/// meter.record_bytes(&guard, 1000, Timestamp::START + Duration::from_secs(3));
/// let deadline = meter.deadline(&guard).unwrap();
/// assert_eq!(deadline.to_string(), "24s", "the bytes leave the window after 1 s, then 20 s");
/// assert!(meter.is_stalled(&guard, deadline));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ThroughputMeter {
    /// Bytes per bin; the index of time `t` is `t / bin % 10`.
    bins: [u32; BINS as usize],
    /// Time on this clock, in nanoseconds, until which the throughput suffices if no more bytes
    /// arrive.
    sufficient_until: u64,
    /// Number of the newest bin, counted from the start of this clock.
    newest: u64,
    /// Offset of this clock in nanoseconds: its start plus all pauses.
    origin: u64,
    paused_at: Option<Timestamp>,
}

impl ThroughputMeter {
    /// Starts at `now`, not paused.
    ///
    /// ```
    /// use fetch_proto::{ThroughputMeter, StallGuard, Timestamp};
    /// let meter = ThroughputMeter::new(Timestamp::START);
    /// assert_eq!(meter.deadline(&StallGuard::default()).unwrap().to_string(), "21s");
    /// ```
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            bins: [0; BINS as usize],
            sufficient_until: 0,
            newest: 0,
            origin: now.as_nanos(),
            paused_at: None,
        }
    }

    /// Records that `n` bytes arrived at `now`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{ThroughputMeter, StallGuard, Timestamp};
    ///
    /// let (guard, mut meter) = (StallGuard::default(), ThroughputMeter::new(Timestamp::START));
    /// let late = Timestamp::START + Duration::from_secs(60);
    /// meter.record_bytes(&guard, 1, late);
    /// assert!(!meter.is_stalled(&guard, late));
    /// ```
    pub fn record_bytes(&mut self, guard: &StallGuard, n: u64, now: Timestamp) {
        let newest = (self.active_nanos(now) / guard.bin_nanos()).max(self.newest);
        for number in (self.newest + 1..=newest).take(BINS as usize) {
            // After more than a window, this clears every bin once.
            self.bins[(number % BINS) as usize] = 0;
        }
        self.newest = newest;
        let bin = &mut self.bins[(newest % BINS) as usize];
        *bin = bin.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        if let Some(until) = self.bytes_suffice_until(guard) {
            self.sufficient_until = self.sufficient_until.max(until);
        }
    }

    /// Stops the clock: the consumer does not read from `now` on. No effect while paused.
    ///
    /// ```
    /// use fetch_proto::{ThroughputMeter, StallGuard, Timestamp};
    /// let mut meter = ThroughputMeter::new(Timestamp::START);
    /// meter.pause(Timestamp::START);
    /// assert_eq!(meter.deadline(&StallGuard::default()), None);
    /// ```
    pub const fn pause(&mut self, now: Timestamp) {
        if self.paused_at.is_none() {
            self.paused_at = Some(now);
        }
    }

    /// Restarts the clock: the consumer reads again from `now` on. No effect while not paused.
    ///
    /// After a pause of at least one window the server has at least one window to resume sending,
    /// even if less of the grace was left.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{ThroughputMeter, StallGuard, Timestamp};
    ///
    /// let (guard, mut meter) = (StallGuard::default(), ThroughputMeter::new(Timestamp::START));
    /// meter.pause(Timestamp::START);
    /// meter.resume(&guard, Timestamp::START + Duration::from_secs(3600));
    /// assert_eq!(meter.deadline(&guard).unwrap().to_string(), "3621s");
    /// ```
    pub fn resume(&mut self, guard: &StallGuard, now: Timestamp) {
        let Some(paused_at) = self.paused_at.take() else {
            return;
        };
        let pause = now.saturating_since(paused_at);
        self.origin = self.origin.saturating_add(nanos(pause));
        if pause >= guard.window {
            let least = self.active_nanos(now).saturating_add(nanos(guard.window));
            let least = least.saturating_sub(nanos(guard.grace));
            self.sufficient_until = self.sufficient_until.max(least);
        }
    }

    /// When the body counts as stalled if no more bytes arrive; `None` while paused, and if the guard
    /// is disabled.
    ///
    /// ```
    /// use fetch_proto::{ThroughputMeter, StallGuard, Timestamp};
    /// let off = StallGuard::default().min_bytes_per_second(0);
    /// assert_eq!(ThroughputMeter::new(Timestamp::START).deadline(&off), None);
    /// ```
    #[must_use]
    pub fn deadline(&self, guard: &StallGuard) -> Option<Timestamp> {
        if self.paused_at.is_some() || guard.min_bytes_per_second == 0 {
            return None;
        }
        // The first window is not evaluated before its end.
        let sufficient_until = self.sufficient_until.max(nanos(guard.window));
        let origin = Timestamp::from_nanos(self.origin);
        Some(origin + Duration::from_nanos(sufficient_until) + guard.grace)
    }

    /// Whether the body has stalled at `now`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{ThroughputMeter, StallGuard, Timestamp};
    ///
    /// let meter = ThroughputMeter::new(Timestamp::START);
    /// let later = |s| Timestamp::START + Duration::from_secs(s);
    /// assert!(!meter.is_stalled(&StallGuard::default(), later(20)));
    /// assert!(meter.is_stalled(&StallGuard::default(), later(21)));
    /// ```
    #[must_use]
    pub fn is_stalled(&self, guard: &StallGuard, now: Timestamp) -> bool {
        self.deadline(guard).is_some_and(|deadline| now >= deadline)
    }

    /// Nanoseconds on this clock, which stops during a pause.
    fn active_nanos(&self, now: Timestamp) -> u64 {
        let now = self.paused_at.unwrap_or(now);
        now.as_nanos().saturating_sub(self.origin)
    }

    /// When the remaining bins no longer suffice, because others expire, in nanoseconds on this
    /// clock; `None` if the bytes do not suffice now.
    fn bytes_suffice_until(&self, guard: &StallGuard) -> Option<u64> {
        let needed = guard.required_bytes();
        let mut sum: u64 = self.bins.iter().map(|bin| u64::from(*bin)).sum();
        if sum < needed {
            return None;
        }
        // From the oldest on. A bin expires when a new bin reuses its place.
        for age in (0..BINS).rev() {
            let Some(number) = self.newest.checked_sub(age) else {
                continue;
            };
            sum -= u64::from(self.bins[(number % BINS) as usize]);
            if sum < needed {
                return Some((number + BINS).saturating_mul(guard.bin_nanos()));
            }
        }
        None
    }
}
