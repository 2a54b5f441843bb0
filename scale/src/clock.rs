//! The clock by which leases are counted.

use std::time::Duration;

use fetch_proto::Timestamp;

/// A monotonic clock. On Linux it goes on while the machine is suspended or its virtual machine is paused, so
/// that a lease ends during that time, too.
///
/// ```
/// let clock = fetch_scale::LeaseClock::start();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeaseClock {
    start: Duration,
}

impl LeaseClock {
    /// A clock that starts now.
    ///
    /// ```
    /// let clock = fetch_scale::LeaseClock::start();
    /// assert!(clock.now().since_start().as_secs() < 3600);
    /// ```
    #[must_use]
    pub fn start() -> Self {
        Self { start: read() }
    }

    /// The time.
    ///
    /// ```
    /// let clock = fetch_scale::LeaseClock::start();
    /// assert!(clock.now() >= fetch_proto::Timestamp::START);
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_start(read().saturating_sub(self.start))
    }
}

fn read() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
