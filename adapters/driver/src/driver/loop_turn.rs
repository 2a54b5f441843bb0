//! When the driver's loop lets other tasks run.

use std::time::Duration;

use fetch_proto::Timestamp;

use crate::transport::clock::Clock;

/// The most polls of exchanges in one turn.
const MAX_POLLS: usize = 256;

/// The longest turn, roughly: an exchange cannot be interrupted.
const MAX_TIME: Duration = Duration::from_millis(1);

/// Polls per clock read.
const POLLS_PER_CLOCK_READ: usize = 4;

/// The part of the driver's work between two waits or yields. Without a limit, exchanges that always
/// have more to read would keep the executor from everything else, and even from new events.
#[derive(Debug, Default)]
pub(super) struct LoopTurn {
    /// Whether the loop has yielded since exchanges were polled.
    pub(super) has_yielded: bool,
    polls: usize,
    /// The first clock read of the turn.
    since: Option<Timestamp>,
    /// How many times in a row exchanges were polled, and nothing else.
    pub(super) streak: u32,
}

impl LoopTurn {
    /// The loop has waited.
    pub(super) fn restart(&mut self) {
        (self.polls, self.since) = (0, None);
    }

    /// Counts a poll. Returns true if the loop must yield now, and begins the next turn.
    pub(super) fn is_over_after_poll(&mut self, clock: Clock) -> bool {
        self.polls += 1;
        let is_over = self.polls.is_multiple_of(POLLS_PER_CLOCK_READ) && self.is_over(clock.now());
        if is_over {
            self.restart();
        }
        is_over
    }

    fn is_over(&mut self, now: Timestamp) -> bool {
        let since = *self.since.get_or_insert(now);
        self.polls >= MAX_POLLS || now.saturating_since(since) >= MAX_TIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::START;

    #[test]
    fn a_turn_is_over_after_its_time_or_its_polls() {
        let mut turn = LoopTurn::default();
        assert!(!turn.is_over(START + Duration::from_secs(9)));
        assert!(!turn.is_over(START + Duration::from_secs(9)));
        assert!(turn.is_over(START + Duration::from_secs(9) + MAX_TIME));
        turn.restart();
        assert!(!turn.is_over(START + Duration::from_secs(20)));
        turn.polls = MAX_POLLS;
        assert!(turn.is_over(START + Duration::from_secs(20)));
    }

    #[test]
    fn the_loop_yields_however_fast_its_polls_are() {
        let (clock, mut turn) = (Clock::start(), LoopTurn::default());
        let polls = (1..).find(|_| turn.is_over_after_poll(clock)).unwrap();
        assert!(polls <= MAX_POLLS, "{polls}");
    }
}
