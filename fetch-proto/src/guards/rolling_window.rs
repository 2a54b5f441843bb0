//! Sums over a rolling time window.

use core::ops::AddAssign;
use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

const SLOTS: usize = 10;
/// A window shorter than this has a single slot, as in Polly
/// (`CircuitBreaker/Health/HealthMetrics.cs`).
const SMALLEST_DIVIDED: Duration = Duration::from_millis(200);

/// Sum of the entries within the last `window`.
///
/// A slot is a tenth of the window and expires as a whole, so the sum covers between nine tenths of
/// the window and all of it. The first slot starts with the first entry after an idle window. If the
/// clock runs backwards, entries go to the newest slot and nothing expires.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct RollingWindow<T> {
    /// Newest first.
    slots: [T; SLOTS],
    /// Start of the newest slot.
    start: Timestamp,
    /// Number of slots in use: 1 or [`SLOTS`].
    slot_count: usize,
    /// Length of a slot in nanoseconds, not 0.
    slot_nanos: u64,
}

impl<T: AddAssign + Copy + Default + PartialEq> RollingWindow<T> {
    pub(crate) fn new(window: Duration) -> Self {
        let (slot_count, slot_nanos) = split_window(window);
        Self {
            slots: [T::default(); SLOTS],
            start: Timestamp::START,
            slot_count,
            slot_nanos,
        }
    }

    /// The slot of `now`, to add an entry.
    pub(crate) fn slot_mut(&mut self, now: Timestamp) -> &mut T {
        let elapsed = self.elapsed_slots(now);
        if elapsed >= self.slot_count || self.is_empty() {
            self.clear();
            self.start = now;
        } else if elapsed > 0 {
            self.slots.rotate_right(elapsed);
            self.slots[..elapsed].fill(T::default());
            self.start = self.start + Duration::from_nanos(elapsed as u64 * self.slot_nanos);
        }
        &mut self.slots[0]
    }

    /// The sum over the window that ends at `now`.
    pub(crate) fn sum(&self, now: Timestamp) -> T {
        let live = self.slot_count.saturating_sub(self.elapsed_slots(now));
        sum_of(&self.slots[..live])
    }

    /// Changes the length of the window and keeps its entries, which then expire at the new pace.
    pub(crate) fn resize(&mut self, window: Duration) {
        let (slot_count, slot_nanos) = split_window(window);
        if slot_count < self.slot_count {
            let all = sum_of(&self.slots);
            self.clear();
            self.slots[0] = all;
        }
        (self.slot_count, self.slot_nanos) = (slot_count, slot_nanos);
    }

    pub(crate) fn clear(&mut self) {
        self.slots = [T::default(); SLOTS];
    }

    /// When the last entry expires.
    pub(crate) fn idle_at(&self) -> Timestamp {
        let newest = self.slots.iter().position(|slot| *slot != T::default());
        newest.map_or(Timestamp::START, |newest| {
            let slots = (self.slot_count - newest) as u64;
            self.start + Duration::from_nanos(self.slot_nanos.saturating_mul(slots))
        })
    }

    fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| *slot == T::default())
    }

    /// Number of slots that have passed from the newest to `now`.
    fn elapsed_slots(&self, now: Timestamp) -> usize {
        let elapsed = nanos(now.saturating_since(self.start)) / self.slot_nanos;
        usize::try_from(elapsed).unwrap_or(usize::MAX)
    }
}

fn split_window(window: Duration) -> (usize, u64) {
    let slot_count = if window < SMALLEST_DIVIDED { 1 } else { SLOTS };
    (slot_count, (nanos(window) / slot_count as u64).max(1))
}

fn sum_of<T: AddAssign + Copy + Default>(slots: &[T]) -> T {
    slots.iter().fold(T::default(), |mut sum, slot| {
        sum += *slot;
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Timestamp {
        Timestamp::START + SECOND * seconds
    }

    fn ten_seconds() -> RollingWindow<u32> {
        RollingWindow::new(10 * SECOND)
    }

    // The figures of the next two tests are Polly's:
    // test/Polly.Core.Tests/CircuitBreaker/Health/RollingHealthMetricsTests.cs.

    #[test]
    fn old_slots_expire_one_by_one() {
        let mut slots = ten_seconds();
        (0..10).for_each(|second| *slots.slot_mut(at(second)) += 1);
        assert_eq!(
            [10, 11, 18, 19].map(|second| slots.sum(at(second))),
            [9, 8, 1, 0]
        );
    }

    #[test]
    fn entries_expire_after_the_window() {
        let mut slots = ten_seconds();
        let failures = [1, 1, 0, 0, 0];
        let sums = [1, 2, 2, 2, 1, 0];
        for (i, expected) in (0..).zip(sums) {
            *slots.slot_mut(at(2 * i)) += failures.get(i as usize).unwrap_or(&0);
            assert_eq!(slots.sum(at(2 * i + 2)), expected, "after {i}");
        }
    }

    #[test]
    fn short_window_has_one_slot_that_starts_with_its_first_entry() {
        let mut slots = RollingWindow::<u32>::new(Duration::from_millis(199));
        let start = Timestamp::from_nanos(7);
        *slots.slot_mut(start) += 1;
        *slots.slot_mut(start + Duration::from_millis(198)) += 1;
        assert_eq!(slots.sum(start + Duration::from_millis(198)), 2);
        assert_eq!(slots.sum(start + Duration::from_millis(199)), 0);
    }

    #[test]
    fn clock_running_backwards_loses_nothing() {
        let mut slots = ten_seconds();
        *slots.slot_mut(at(100)) += 1;
        *slots.slot_mut(at(3)) += 1;
        assert_eq!((slots.sum(at(0)), slots.sum(at(109))), (2, 2));
        assert_eq!(slots.idle_at(), at(110));
    }

    #[test]
    fn is_idle_as_soon_as_it_is_empty() {
        let mut slots = ten_seconds();
        assert_eq!(slots.idle_at(), Timestamp::START);
        *slots.slot_mut(at(5)) += 1;
        *slots.slot_mut(at(8)) += 0;
        assert_eq!(slots.idle_at(), at(15));
        assert_eq!(slots.sum(at(14)), 1);
        assert_eq!(slots.sum(at(15)), 0);
    }

    #[test]
    fn resizing_keeps_the_sum() {
        let mut slots = ten_seconds();
        (0..10).for_each(|second| *slots.slot_mut(at(second)) += 1);
        for window in [SECOND * 100, SECOND / 10, SECOND * 10] {
            slots.resize(window);
            assert_eq!(slots.sum(at(9)), 10, "{window:?}");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        for window in [Duration::ZERO, Duration::MAX] {
            let mut slots = RollingWindow::<u32>::new(window);
            for now in [Timestamp::MAX, Timestamp::START, Timestamp::MAX] {
                *slots.slot_mut(now) += 1_u32;
            }
            assert_eq!(slots.sum(Timestamp::MAX), 3);
            assert_eq!(slots.idle_at(), Timestamp::MAX);
        }
    }
}
