//! Points in time, which the driver passes in.

use core::fmt;
use core::num::NonZeroU64;
use core::ops::{Add, AddAssign};
use core::time::Duration;

/// A point in time, as nanoseconds since the start of the driver.
///
/// This crate does not read a clock: every method that needs the time takes a `Timestamp`. It can
/// be constructed in a test, printed, serialised and replayed. `Option<Timestamp>` has the size of
/// `Timestamp`. The range is 584 years; arithmetic saturates.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::Timestamp;
///
/// let t = Timestamp::START + Duration::from_millis(1500);
/// assert_eq!(t.to_string(), "1.5s");
/// assert_eq!(t.since_start(), Duration::from_millis(1500));
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(from = "u64", into = "u64"))]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// The start of the driver.
    pub const START: Self = Self(NonZeroU64::MIN);

    /// The latest point in time; later ones saturate.
    pub const MAX: Self = Self(NonZeroU64::MAX);

    /// The point in time `elapsed` after the start. Saturates at [`Timestamp::MAX`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_start(Duration::ZERO), Timestamp::START);
    /// ```
    #[must_use]
    pub fn from_start(elapsed: Duration) -> Self {
        Self::START + elapsed
    }

    /// The point in time `nanos` nanoseconds after the start.
    ///
    /// ```
    /// use fetch_proto::Timestamp;
    /// assert_eq!(Timestamp::from_nanos(7).as_nanos(), 7);
    /// ```
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the start.
    ///
    /// ```
    /// use fetch_proto::Timestamp;
    /// assert_eq!(Timestamp::START.as_nanos(), 0);
    /// ```
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// The time since the start.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::Timestamp;
    /// assert_eq!(Timestamp::START.since_start(), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.as_nanos())
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::Timestamp;
    ///
    /// let t = Timestamp::START + Duration::from_secs(2);
    /// assert_eq!(t.saturating_since(Timestamp::START), Duration::from_secs(2));
    /// assert_eq!(Timestamp::START.saturating_since(t), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

/// A change of clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockChange {
    /// A moment on the old clock.
    pub(crate) from: Timestamp,
    /// The same moment on the new clock.
    pub(crate) to: Timestamp,
}

impl ClockChange {
    /// A time of the old clock on the new one, which starts at [`Timestamp::START`].
    pub(crate) fn apply(self, at: &mut Timestamp) {
        let ago = nanos(self.from.saturating_since(*at));
        let ahead = at.saturating_since(self.from);
        *at = Timestamp::from_nanos(self.to.as_nanos().saturating_sub(ago)) + ahead;
    }

    /// By how much `at`, a time of the old clock, is before the start of the new one.
    pub(crate) fn before_start(self, at: Timestamp) -> Duration {
        let ago = self.from.saturating_since(at);
        ago.saturating_sub(self.to.since_start())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::START {
            return f.write_str("0s"); // `Duration` displays zero as "0ns"
        }
        fmt::Debug::fmt(&self.since_start(), f)
    }
}

impl From<u64> for Timestamp {
    fn from(nanos: u64) -> Self {
        Self::from_nanos(nanos)
    }
}

impl From<Timestamp> for u64 {
    fn from(t: Timestamp) -> Self {
        t.as_nanos()
    }
}

/// A duration in eight bytes instead of sixteen: nanoseconds, at most 584 years.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct CompactDuration(u64);

impl From<Duration> for CompactDuration {
    fn from(d: Duration) -> Self {
        Self(nanos(d))
    }
}

impl From<CompactDuration> for Duration {
    fn from(span: CompactDuration) -> Self {
        Self::from_nanos(span.0)
    }
}

impl AddAssign<Duration> for CompactDuration {
    fn add_assign(&mut self, d: Duration) {
        self.0 = self.0.saturating_add(nanos(d));
    }
}

/// A duration in nanoseconds; `u64::MAX` if it is longer than 584 years.
pub(crate) fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_timestamp_has_no_overhead() {
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
    }

    #[test]
    fn a_time_keeps_its_distance_on_another_clock() {
        let at = |seconds| Timestamp::from_start(Duration::from_secs(seconds));
        let change = ClockChange {
            from: at(100),
            to: at(10),
        };
        for (mut time, expected, before) in
            [(95, 5, 0), (103, 13, 0), (70, 0, 20)].map(|(a, b, c)| (at(a), b, c))
        {
            assert_eq!(change.before_start(time), Duration::from_secs(before));
            change.apply(&mut time);
            assert_eq!(time, at(expected));
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::from_start(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_nanos(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
    }
}
