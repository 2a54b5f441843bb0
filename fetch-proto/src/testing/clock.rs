//! A virtual clock.

use core::time::Duration;

use crate::model::time::Timestamp;

/// A clock that moves only by explicit calls.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::testing::FakeClock;
///
/// let mut clock = FakeClock::default();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now().to_string(), "3600s");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FakeClock(Timestamp);

impl FakeClock {
    /// The current time.
    ///
    /// ```
    /// # use fetch_proto::testing::FakeClock;
    /// assert_eq!(FakeClock::default().now(), fetch_proto::Timestamp::START);
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0
    }

    /// Advances the clock by `step`.
    ///
    /// ```
    /// # use fetch_proto::testing::FakeClock;
    /// let mut clock = FakeClock::default();
    /// clock.advance(core::time::Duration::from_millis(5));
    /// ```
    pub fn advance(&mut self, step: Duration) {
        self.0 = self.0 + step;
    }

    /// Advances the clock to `time`. A time in the past has no effect.
    ///
    /// ```
    /// # use fetch_proto::testing::FakeClock;
    /// let mut clock = FakeClock::default();
    /// clock.advance_to(fetch_proto::Timestamp::from_nanos(9));
    /// assert_eq!(clock.now().as_nanos(), 9);
    /// ```
    pub fn advance_to(&mut self, time: Timestamp) {
        self.0 = self.0.max(time);
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self(Timestamp::START)
    }
}
