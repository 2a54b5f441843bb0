//! Call counts of a closed circuit, and the criteria that open it.

use core::time::Duration;

use super::{Breaker, CallCounts};
use crate::guards::rolling_window::RollingWindow;
use crate::model::event::TripReason;
use crate::model::time::Timestamp;

/// Calls in the rolling window, and consecutive failures.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct CallWindow {
    consecutive_failures: u32,
    window: RollingWindow<CallCounts>,
}

impl CallWindow {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            consecutive_failures: 0,
            window: RollingWindow::new(window),
        }
    }

    pub(super) fn counts(&self, now: Timestamp) -> CallCounts {
        self.window.sum(now)
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool, now: Timestamp) {
        if !failed || self.counts(now).calls == 0 {
            self.consecutive_failures = 0;
        }
        self.consecutive_failures = self.consecutive_failures.saturating_add(failed.into());
        *self.window.slot_mut(now) += CallCounts {
            calls: 1,
            failures: failed.into(),
            slow: slow.into(),
        };
    }

    /// Why the last counted call opens the circuit, if it does.
    pub(super) fn trip_reason(
        &self,
        config: &Breaker,
        failed: bool,
        slow: bool,
        now: Timestamp,
    ) -> Option<TripReason> {
        if failed
            && config
                .consecutive
                .is_some_and(|k| self.consecutive_failures >= k)
        {
            return Some(TripReason::Consecutive);
        }
        let counts = self.counts(now);
        let reaches = |part: u32, ratio: Option<u16>| {
            let enough = counts.calls >= config.minimum_calls;
            let least = |ratio: u16| u64::from(ratio.min(1000)) * u64::from(counts.calls);
            enough && ratio.is_some_and(|ratio| u64::from(part) * 1000 >= least(ratio))
        };
        if failed && reaches(counts.failures, config.failure_ratio) {
            return Some(TripReason::FailureRatio);
        }
        (slow && reaches(counts.slow, config.slow_ratio)).then_some(TripReason::SlowRatio)
    }

    pub(super) fn clear(&mut self) {
        self.window.clear();
        self.consecutive_failures = 0;
    }

    pub(super) fn resize(&mut self, window: Duration) {
        self.window.resize(window);
    }

    pub(super) fn idle_at(&self) -> Timestamp {
        self.window.idle_at()
    }
}
