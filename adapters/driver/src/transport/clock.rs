//! The driver's clock.

use std::time::Instant;

use fetch_proto::Timestamp;

/// A monotonic clock that counts from its start. All timestamps of the driver are read from it;
/// only dates in header fields are compared with the system's wall clock.
///
/// ```
/// let clock = fetch_driver::Clock::start();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    ///
    /// ```
    /// let clock = fetch_driver::Clock::start();
    /// ```
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The time since the start, as the core expects it.
    ///
    /// ```
    /// # let clock = fetch_driver::Clock::start();
    /// assert!(clock.now() >= fetch_proto::Timestamp::START);
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_start(self.start.elapsed())
    }

    /// `t` as an instant of the system's monotonic clock; `None` if it is out of range.
    ///
    /// ```
    /// # let clock = fetch_driver::Clock::start();
    /// assert!(clock.instant(clock.now()).is_some());
    /// ```
    #[must_use]
    pub fn instant(&self, t: Timestamp) -> Option<Instant> {
        self.start.checked_add(t.since_start())
    }
}
