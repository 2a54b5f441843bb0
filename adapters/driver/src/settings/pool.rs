//! Limits of the connection pool.

use std::time::Duration;

/// The least default bound on connections: see
/// [`PoolSettings::max_connections`](field@PoolSettings::max_connections).
pub const DEFAULT_MAX_CONNECTIONS: usize = 1_024;

/// How long an idle connection stays open by default.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// How many connections there may be, and how long idle ones stay open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolSettings {
    /// How long an idle connection stays open. Default 90 s.
    pub idle_timeout: Duration,
    /// The most connections of all threads together, idle ones included.
    ///
    /// Default: twice the concurrency, but no less than [`DEFAULT_MAX_CONNECTIONS`], unless the process
    /// may not have twice as many files open. Why twice: while every attempt that is allowed uses a
    /// connection, as many others may stay idle, so that hosts without an attempt at the moment find
    /// theirs again. Why no less than 1,024: a list of many hosts needs an idle connection for
    /// each of them, whatever the concurrency; with 200, each request of a list of 1,000 hosts opens a new
    /// connection. An idle connection costs one file descriptor and a few KiB.
    ///
    /// At the bound, the connection that has been idle for the longest time is closed to make room.
    /// While none is idle, requests wait for one. There is no separate bound per host: concurrency per
    /// host is what limits them.
    pub max_connections: Option<usize>,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            max_connections: None,
        }
    }
}

impl PoolSettings {
    /// The bound on connections at this concurrency.
    pub(super) fn connection_limit(&self, concurrency: usize) -> usize {
        let default = || concurrency.saturating_mul(2).max(DEFAULT_MAX_CONNECTIONS);
        self.max_connections.unwrap_or_else(default).max(1)
    }

    /// The name of a setting that differs from its default.
    pub(super) fn first_changed(&self) -> Option<&'static str> {
        let default = Self::default();
        if self.idle_timeout != default.idle_timeout {
            return Some("idle_timeout");
        }
        self.max_connections.is_some().then_some("max_connections")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_on_connections_follows_the_concurrency_unless_it_is_set() {
        for (set, concurrency, expected) in [
            (None, 100, 1_024),
            (None, 512, 1_024),
            (None, 513, 1_026),
            (None, usize::MAX, usize::MAX),
            (Some(0), 100, 1),
            (Some(50), 100, 50),
        ] {
            let pool = PoolSettings {
                max_connections: set,
                ..Default::default()
            };
            assert_eq!(pool.connection_limit(concurrency), expected);
            assert_eq!(pool.first_changed(), set.map(|_| "max_connections"));
        }
    }
}
