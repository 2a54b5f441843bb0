//! The engine's time: it never runs backwards, and it may be offset from the driver's clock.

use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

/// The latest time that the engine has seen.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct EngineClock {
    now: Timestamp,
    /// Nanoseconds by which engine time is ahead of the driver's clock: not zero after a restored
    /// checkpoint or an injected clock jump.
    offset: i64,
    regressions: u64,
}

impl EngineClock {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            offset: 0,
            regressions: 0,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Calls whose time was before that of an earlier call.
    pub(crate) fn regressions(&self) -> u64 {
        self.regressions
    }

    /// Moves to the driver's time `now`, or stays where it is if that is in the past. Returns the
    /// engine's time.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Timestamp {
        let now = self.to_engine(now);
        self.regressions += u64::from(now < self.now);
        self.now = self.now.max(now);
        self.now
    }

    /// Shifts engine time forward by `duration`, from the next call on.
    pub(crate) fn jump(&mut self, duration: Duration) {
        self.offset = self.offset.saturating_add_unsigned(nanos(duration));
    }

    /// Continues on another driver's clock, which shows `driver_now`.
    pub(crate) fn rebase(&mut self, driver_now: Timestamp) {
        let (engine, driver) = (self.now.as_nanos(), driver_now.as_nanos());
        self.offset = engine.wrapping_sub(driver).cast_signed();
    }

    /// A time of the driver's clock as engine time.
    pub(crate) fn to_engine(self, at: Timestamp) -> Timestamp {
        shifted(at, self.offset)
    }

    /// An engine time as the driver's clock shows it.
    pub(crate) fn to_driver(self, at: Timestamp) -> Timestamp {
        shifted(at, self.offset.saturating_neg())
    }
}

fn shifted(at: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos().saturating_add_signed(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut clock = EngineClock::new(at(5));
        assert_eq!(clock.advance(at(3)), at(5));
        assert_eq!(clock.advance(at(7)), at(7));
        assert_eq!((clock.now(), clock.regressions()), (at(7), 1));
    }

    #[test]
    fn a_jump_and_a_rebase_shift_engine_time_only() {
        let mut clock = EngineClock::new(at(1));
        clock.jump(Duration::from_secs(10));
        assert_eq!(clock.advance(at(2)), at(12));
        assert_eq!(clock.to_driver(at(12)), at(2));
        clock.rebase(at(100));
        assert_eq!(clock.advance(at(101)), at(13));
        assert_eq!(clock.to_driver(at(13)), at(101));
    }
}
