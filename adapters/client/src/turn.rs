//! The work that one source of outside bytes may cause before others get their turn.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The most bytes of one turn.
const MAX_BYTES: usize = 256 * 1024;

/// The longest turn. It is shorter than the bytes take only if each of them costs much: tiny frames,
/// or coded data that decodes to nothing.
const MAX_TIME: Duration = Duration::from_micros(250);

/// How much one connection or body may do in a row, so that a peer that always has something to read
/// cannot keep a thread from its other tasks, its timers and its commands.
///
/// A turn ends after 256 KiB or 250 µs, whichever is first. The task then wakes itself and continues
/// after the others. A peer that is slower than this machine never gets there: whoever owns the
/// budget [resets](TurnBudget::reset) it when there is nothing left to read.
///
/// ```
/// use std::task::{Context, Waker};
/// use fetch_transport_util::TurnBudget;
///
/// let (mut turn, cx) = (TurnBudget::default(), Context::from_waker(Waker::noop()));
/// assert!(turn.poll(&cx).is_ready());
/// turn.spend(256 * 1024);
/// assert!(turn.poll(&cx).is_pending());
/// assert!(turn.poll(&cx).is_ready());
/// ```
#[derive(Debug)]
pub struct TurnBudget {
    clock: fn() -> Instant,
    spent: usize,
    /// When the time began to run. It does so after the first work, so that a single small read costs
    /// no look at the clock.
    started: Option<Instant>,
}

impl TurnBudget {
    pub(crate) fn with_clock(clock: fn() -> Instant) -> Self {
        Self {
            clock,
            spent: 0,
            started: None,
        }
    }

    /// Ready if the turn may go on. Otherwise wakes the task, and its next turn begins.
    ///
    /// ```
    /// # use std::task::{Context, Waker};
    /// let mut turn = fetch_transport_util::TurnBudget::default();
    /// assert!(turn.poll(&Context::from_waker(Waker::noop())).is_ready());
    /// ```
    pub fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_used_up() {
            return Poll::Ready(());
        }
        self.reset();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    pub(crate) fn is_used_up(&mut self) -> bool {
        if self.spent == 0 || self.spent >= MAX_BYTES {
            return self.spent > 0;
        }
        let now = (self.clock)();
        let started = *self.started.get_or_insert(now);
        now.saturating_duration_since(started) >= MAX_TIME
    }

    /// Counts bytes that were read or produced.
    ///
    /// ```
    /// fetch_transport_util::TurnBudget::default().spend(1024);
    /// ```
    pub fn spend(&mut self, bytes: usize) {
        self.spent = self.spent.saturating_add(bytes);
    }

    /// Ends the turn, because there is nothing left to do.
    ///
    /// ```
    /// # let mut turn = fetch_transport_util::TurnBudget::default();
    /// turn.reset();
    /// ```
    pub fn reset(&mut self) {
        (self.spent, self.started) = (0, None);
    }
}

impl Default for TurnBudget {
    fn default() -> Self {
        Self::with_clock(Instant::now)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    thread_local! {
        static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    fn now() -> Instant {
        NOW.get().unwrap_or_else(|| {
            let now = Instant::now();
            NOW.set(Some(now));
            now
        })
    }

    #[derive(Default)]
    struct WakeCount(AtomicUsize);

    impl Wake for WakeCount {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_turn_ends_after_its_bytes_and_wakes_the_task_once() {
        let wakes = Arc::<WakeCount>::default();
        let waker = Waker::from(wakes.clone());
        let cx = Context::from_waker(&waker);
        let mut turn = TurnBudget::with_clock(now);
        for _ in 0..MAX_BYTES / 1024 {
            assert!(turn.poll(&cx).is_ready());
            turn.spend(1024);
        }
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
        assert!(turn.poll(&cx).is_pending());
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        assert!(turn.poll(&cx).is_ready());
    }

    #[test]
    fn a_turn_ends_after_its_time_however_little_was_read() {
        let cx = Context::from_waker(Waker::noop());
        let mut turn = TurnBudget::with_clock(now);
        turn.spend(1);
        assert!(turn.poll(&cx).is_ready());
        NOW.set(Some(now() + MAX_TIME));
        assert!(turn.poll(&cx).is_pending());
        // The time of the next turn begins with its work.
        NOW.set(Some(now() + MAX_TIME));
        assert!(turn.poll(&cx).is_ready());
        turn.spend(1);
        assert!(turn.poll(&cx).is_ready());
    }

    #[test]
    fn a_source_that_runs_dry_begins_a_new_turn() {
        let cx = Context::from_waker(Waker::noop());
        let mut turn = TurnBudget::default();
        turn.spend(MAX_BYTES);
        turn.reset();
        assert!(turn.poll(&cx).is_ready());
    }
}
