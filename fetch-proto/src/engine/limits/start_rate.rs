//! A rate of starts, applied by this engine or outside it.

use crate::guards::rate::{Rate, RateLimiter};
use crate::model::time::Timestamp;

/// A rate of starts over several hosts.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) enum StartRate {
    /// This engine applies it.
    Own(RateLimiter),
    /// Several engines share it: each start needs a grant.
    Shared {
        /// No grant is available before this time.
        not_before: Timestamp,
        rate: Rate,
    },
}

impl StartRate {
    pub(crate) fn new(rate: Rate, is_shared: bool) -> Self {
        match is_shared {
            false => Self::Own(RateLimiter::new(rate)),
            true => Self::Shared {
                not_before: Timestamp::START,
                rate,
            },
        }
    }

    pub(crate) fn rate(&self) -> Rate {
        match self {
            Self::Own(limiter) => limiter.rate(),
            Self::Shared { rate, .. } => *rate,
        }
    }

    /// Changes the rate. An own rate keeps its debt; a shared rate is asked for a grant again.
    pub(crate) fn set_rate(&mut self, new: Rate) {
        match self {
            Self::Own(limiter) => limiter.set_rate(new),
            Self::Shared { .. } => *self = Self::new(new, true),
        }
    }

    /// The earliest time from `now` on at which an attempt may start, or a grant may be asked for.
    pub(crate) fn next_allowed(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Own(limiter) => limiter.next_allowed(now),
            Self::Shared { not_before, .. } => now.max(*not_before),
        }
    }

    /// Counts an attempt that starts. If the rate is shared, the grant has already counted it.
    pub(crate) fn consume(&mut self, now: Timestamp) {
        if let Self::Own(limiter) = self {
            let taken = limiter.try_acquire(now);
            debug_assert!(taken.is_ok(), "checked before: it is within its rate");
        }
    }

    /// Records that no grant is available before `until`.
    pub(crate) fn deny_until(&mut self, until: Timestamp) {
        if let Self::Shared { not_before, .. } = self {
            *not_before = until;
        }
    }
}
