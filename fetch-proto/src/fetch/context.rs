//! What a fetch cannot know by itself, asked at the moment of a decision.

use core::time::Duration;

use crate::guards::budget::RetryKind;
use crate::guards::hedge::Hedge;
use crate::model::time::Timestamp;

/// The state that a fetch shares with others: of its host, and of the whole.
pub(crate) trait World {
    /// How long after an attempt's start another may race it.
    fn hedge_delay(&mut self, hedge: &Hedge, now: Timestamp) -> Option<Duration>;

    /// The end of the breaker's pause, if it is open, and whether waiting for it is wanted.
    fn open(&mut self, now: Timestamp) -> Option<Open>;

    /// Whether the attempt in flight is a probe, by which a breaker finds out if its host is well.
    fn is_probe(&self) -> bool;

    /// Takes one more attempt from the purses. Whether they allow it.
    fn pay(&mut self, kind: RetryKind, now: Timestamp) -> bool;
}

/// A breaker that lets nothing through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Open {
    pub(crate) fail_fast: bool,
    /// `None`: for ever.
    pub(crate) until: Option<Timestamp>,
}

/// No others: a fetch by itself.
pub(crate) struct Alone;

impl World for Alone {
    fn hedge_delay(&mut self, hedge: &Hedge, now: Timestamp) -> Option<Duration> {
        hedge.delay_for(None, now)
    }

    fn open(&mut self, _: Timestamp) -> Option<Open> {
        None
    }

    fn is_probe(&self) -> bool {
        false
    }

    fn pay(&mut self, _: RetryKind, _: Timestamp) -> bool {
        true
    }
}
