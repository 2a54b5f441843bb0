//! Sheds load from the queues of overloaded hosts.

use core::time::Duration;

/// Sheds fetches from the queue of an overloaded host. It starts when every fetch that left the
/// queue during a whole `interval` had waited at least `target`, and stops when one has waited
/// less.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{EngineConfig, LoadShedding};
///
/// let shedding = LoadShedding::default().target(Duration::from_secs(30));
/// let config = EngineConfig::default().shed(shedding);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct LoadShedding {
    /// The longest acceptable wait. Default 10 s.
    pub target: Duration,
    /// How long waits must exceed the target before fetches are shed. Default 30 s.
    pub interval: Duration,
}

impl LoadShedding {
    /// Sets the longest acceptable wait.
    ///
    /// ```
    /// use core::time::Duration;
    /// let shedding = fetch_proto::LoadShedding::default().target(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub const fn target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// Sets how long waits must exceed the target before fetches are shed.
    ///
    /// ```
    /// use core::time::Duration;
    /// let shedding = fetch_proto::LoadShedding::default().interval(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

impl Default for LoadShedding {
    fn default() -> Self {
        Self {
            target: Duration::from_secs(10),
            interval: Duration::from_secs(30),
        }
    }
}
