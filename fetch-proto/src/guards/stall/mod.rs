//! Whether a body still flows.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// The window is looked at in as many parts.
const BINS: u64 = 10;

/// Protection from a body that stalls: one that gives fewer than `min_bytes_per_second` over a
/// sliding `window`, for a whole `grace` without a break.
///
/// After the stalled-stream protection of smithy-rs, with its constants. Unlike a limit on the time
/// between two pieces, it also sees a server that sends one byte now and then. [`Meter`] applies
/// it.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::StallGuard;
///
/// let guard = StallGuard { min_bytes_per_second: 10_000, ..StallGuard::default() };
/// assert_eq!(guard.grace, Duration::from_secs(20));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct StallGuard {
    /// How long it may be too slow. Default 20 s.
    pub grace: Duration,
    /// What is too slow if less comes. Default 1; 0 switches the guard off. A window counts at most
    /// 4 GiB, and so does not ask for more.
    pub min_bytes_per_second: u64,
    /// The time over which the speed is taken, in ten parts of at least 1 µs. Default 1 s.
    pub window: Duration,
}

impl StallGuard {
    /// The length of one part of the window, in nanoseconds.
    fn bin(&self) -> u64 {
        (nanos(self.window) / BINS).max(1000)
    }

    /// How many bytes a window must have, rounded up.
    fn needed(&self) -> u64 {
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

/// Measures one body, to be judged by a [`StallGuard`], which must stay the same.
///
/// Its clock stands still while the consumer does not read: a slow consumer is not a slow server.
/// It is told of that by [`paused`](Self::paused) and [`resumed`](Self::resumed); the time in which
/// no body is wanted yet is a pause too. At the end of the body it is dropped: what ended cannot
/// stall.
///
/// Before asking for the verdict, tell of all bytes that have come: after the process itself was
/// stopped for a while, they clear the server. Every call takes constant time; it is 72 bytes.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Meter, StallGuard, Timestamp};
///
/// let guard = StallGuard::default();
/// let mut meter = Meter::new(Timestamp::START);
/// meter.bytes(&guard, 1000, Timestamp::START + Duration::from_secs(3));
/// let deadline = meter.deadline(&guard).unwrap();
/// assert_eq!(deadline.to_string(), "24s", "the bytes leave the window after 1 s, then 20 s");
/// assert!(meter.is_stalled(&guard, deadline));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Meter {
    /// Bytes in each part of the window; that of the time `t` is `t / bin % 10`.
    bins: [u32; BINS as usize],
    /// Until when, on this clock, it is fast enough if nothing more comes.
    fine_until: u64,
    /// The number of the newest bin.
    newest: u64,
    /// What is subtracted from the time for this clock: its start, and all pauses since.
    origin: u64,
    paused_at: Option<Timestamp>,
}

impl Meter {
    /// Begins at `now`, reading.
    ///
    /// ```
    /// use fetch_proto::{Meter, StallGuard, Timestamp};
    /// let meter = Meter::new(Timestamp::START);
    /// assert_eq!(meter.deadline(&StallGuard::default()).unwrap().to_string(), "21s");
    /// ```
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            bins: [0; BINS as usize],
            fine_until: 0,
            newest: 0,
            origin: now.as_nanos(),
            paused_at: None,
        }
    }

    /// `n` bytes have come at `now`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Meter, StallGuard, Timestamp};
    ///
    /// let (guard, mut meter) = (StallGuard::default(), Meter::new(Timestamp::START));
    /// let late = Timestamp::START + Duration::from_secs(60);
    /// meter.bytes(&guard, 1, late);
    /// assert!(!meter.is_stalled(&guard, late));
    /// ```
    pub fn bytes(&mut self, guard: &StallGuard, n: u64, now: Timestamp) {
        let newest = (self.active(now) / guard.bin()).max(self.newest);
        for number in (self.newest + 1..=newest).take(BINS as usize) {
            // After more than a window this empties each once, whichever their numbers.
            self.bins[(number % BINS) as usize] = 0;
        }
        self.newest = newest;
        let bin = &mut self.bins[(newest % BINS) as usize];
        *bin = bin.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        if let Some(until) = self.enough_until(guard) {
            self.fine_until = self.fine_until.max(until);
        }
    }

    /// The consumer does not read from `now` on. Nothing changes if it did not before.
    ///
    /// ```
    /// use fetch_proto::{Meter, StallGuard, Timestamp};
    /// let mut meter = Meter::new(Timestamp::START);
    /// meter.paused(Timestamp::START);
    /// assert_eq!(meter.deadline(&StallGuard::default()), None);
    /// ```
    pub const fn paused(&mut self, now: Timestamp) {
        if self.paused_at.is_none() {
            self.paused_at = Some(now);
        }
    }

    /// The consumer reads again from `now` on. Nothing changes if it already did.
    ///
    /// After a pause of at least a window the server has at least a window to set in again, however
    /// little of the grace was left.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Meter, StallGuard, Timestamp};
    ///
    /// let (guard, mut meter) = (StallGuard::default(), Meter::new(Timestamp::START));
    /// meter.paused(Timestamp::START);
    /// meter.resumed(&guard, Timestamp::START + Duration::from_secs(3600));
    /// assert_eq!(meter.deadline(&guard).unwrap().to_string(), "3621s");
    /// ```
    pub fn resumed(&mut self, guard: &StallGuard, now: Timestamp) {
        let Some(paused_at) = self.paused_at.take() else {
            return;
        };
        let pause = now.saturating_since(paused_at);
        self.origin = self.origin.saturating_add(nanos(pause));
        if pause >= guard.window {
            let least = self.active(now).saturating_add(nanos(guard.window));
            let least = least.saturating_sub(nanos(guard.grace));
            self.fine_until = self.fine_until.max(least);
        }
    }

    /// When the body is judged stalled if nothing more comes; `None` while the consumer does not
    /// read, and if the guard is off.
    ///
    /// ```
    /// use fetch_proto::{Meter, StallGuard, Timestamp};
    /// let off = StallGuard { min_bytes_per_second: 0, ..StallGuard::default() };
    /// assert_eq!(Meter::new(Timestamp::START).deadline(&off), None);
    /// ```
    #[must_use]
    pub fn deadline(&self, guard: &StallGuard) -> Option<Timestamp> {
        if self.paused_at.is_some() || guard.min_bytes_per_second == 0 {
            return None;
        }
        // The first window cannot be judged before it is over.
        let fine_until = self.fine_until.max(nanos(guard.window));
        let origin = Timestamp::from_nanos(self.origin);
        Some(origin + Duration::from_nanos(fine_until) + guard.grace)
    }

    /// Whether the body has stalled at `now`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Meter, StallGuard, Timestamp};
    ///
    /// let meter = Meter::new(Timestamp::START);
    /// let later = |s| Timestamp::START + Duration::from_secs(s);
    /// assert!(!meter.is_stalled(&StallGuard::default(), later(20)));
    /// assert!(meter.is_stalled(&StallGuard::default(), later(21)));
    /// ```
    #[must_use]
    pub fn is_stalled(&self, guard: &StallGuard, now: Timestamp) -> bool {
        self.deadline(guard).is_some_and(|deadline| now >= deadline)
    }

    /// The time on this clock, which stands still in a pause.
    fn active(&self, now: Timestamp) -> u64 {
        let now = self.paused_at.unwrap_or(now);
        now.as_nanos().saturating_sub(self.origin)
    }

    /// When so many bins have left the window that the others are too few; `None` if they already
    /// are.
    fn enough_until(&self, guard: &StallGuard) -> Option<u64> {
        let needed = guard.needed();
        let mut sum: u64 = self.bins.iter().map(|bin| u64::from(*bin)).sum();
        if sum < needed {
            return None;
        }
        // From the oldest on: each leaves when the one begins that takes its place.
        for age in (0..BINS).rev() {
            let Some(number) = self.newest.checked_sub(age) else {
                continue;
            };
            sum -= u64::from(self.bins[(number % BINS) as usize]);
            if sum < needed {
                return Some((number + BINS).saturating_mul(guard.bin()));
            }
        }
        None
    }
}
