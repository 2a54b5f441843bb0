//! Sums over a rolling time window.

use core::ops::AddAssign;
use core::time::Duration;

use crate::model::time::{Timestamp, nanos};

const SLOTS: usize = 10;
/// A window shorter than this has a single slot, as in Polly
/// (`CircuitBreaker/Health/HealthMetrics.cs`).
const SMALLEST_DIVIDED: Duration = Duration::from_millis(200);

/// Exact sum of what was added within the last `window`.
///
/// A slot is a tenth of the window and expires as a whole, so the sum covers between nine tenths of
/// the window and all of it. The first slot starts with the first entry after an idle window. If the
/// clock runs backwards, entries go to the newest slot and nothing expires.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct Slots<T> {
    /// Newest first.
    slots: [T; SLOTS],
    /// Start of the newest slot.
    start: Timestamp,
    /// Number of slots in use: 1 or [`SLOTS`].
    used: usize,
    /// Length of a slot in nanoseconds, not 0.
    width: u64,
}

impl<T: AddAssign + Copy + Default + PartialEq> Slots<T> {
    pub(crate) fn new(window: Duration) -> Self {
        let (used, width) = divide(window);
        Self {
            slots: [T::default(); SLOTS],
            start: Timestamp::START,
            used,
            width,
        }
    }

    /// The slot of `now`, for adding to it.
    pub(crate) fn current(&mut self, now: Timestamp) -> &mut T {
        let steps = self.steps(now);
        if steps >= self.used || self.is_blank() {
            self.clear();
            self.start = now;
        } else if steps > 0 {
            self.slots.rotate_right(steps);
            self.slots[..steps].fill(T::default());
            self.start = self.start + Duration::from_nanos(steps as u64 * self.width);
        }
        &mut self.slots[0]
    }

    /// The sum over the window that ends at `now`.
    pub(crate) fn sum(&self, now: Timestamp) -> T {
        let live = self.used.saturating_sub(self.steps(now));
        total(&self.slots[..live])
    }

    /// Changes the length of the window and keeps its entries, which then expire at the new pace.
    pub(crate) fn resize(&mut self, window: Duration) {
        let (used, width) = divide(window);
        if used < self.used {
            let all = total(&self.slots);
            self.clear();
            self.slots[0] = all;
        }
        (self.used, self.width) = (used, width);
    }

    pub(crate) fn clear(&mut self) {
        self.slots = [T::default(); SLOTS];
    }

    /// When the last entry expires.
    pub(crate) fn idle_at(&self) -> Timestamp {
        let newest = self.slots.iter().position(|slot| *slot != T::default());
        newest.map_or(Timestamp::START, |newest| {
            let slots = (self.used - newest) as u64;
            self.start + Duration::from_nanos(self.width.saturating_mul(slots))
        })
    }

    fn is_blank(&self) -> bool {
        self.slots.iter().all(|slot| *slot == T::default())
    }

    /// Number of slots that have passed from the newest to `now`.
    fn steps(&self, now: Timestamp) -> usize {
        let steps = nanos(now.saturating_since(self.start)) / self.width;
        usize::try_from(steps).unwrap_or(usize::MAX)
    }
}

fn divide(window: Duration) -> (usize, u64) {
    let used = if window < SMALLEST_DIVIDED { 1 } else { SLOTS };
    (used, (nanos(window) / used as u64).max(1))
}

fn total<T: AddAssign + Copy + Default>(slots: &[T]) -> T {
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

    fn ten_seconds() -> Slots<u32> {
        Slots::new(10 * SECOND)
    }

    // The figures of the next two tests are Polly's:
    // test/Polly.Core.Tests/CircuitBreaker/Health/RollingHealthMetricsTests.cs.

    #[test]
    fn old_slots_expire_one_by_one() {
        let mut slots = ten_seconds();
        (0..10).for_each(|second| *slots.current(at(second)) += 1);
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
            *slots.current(at(2 * i)) += failures.get(i as usize).unwrap_or(&0);
            assert_eq!(slots.sum(at(2 * i + 2)), expected, "after {i}");
        }
    }

    #[test]
    fn short_window_has_one_slot_that_starts_with_its_first_entry() {
        let mut slots = Slots::<u32>::new(Duration::from_millis(199));
        let start = Timestamp::from_nanos(7);
        *slots.current(start) += 1;
        *slots.current(start + Duration::from_millis(198)) += 1;
        assert_eq!(slots.sum(start + Duration::from_millis(198)), 2);
        assert_eq!(slots.sum(start + Duration::from_millis(199)), 0);
    }

    #[test]
    fn clock_running_backwards_loses_nothing() {
        let mut slots = ten_seconds();
        *slots.current(at(100)) += 1;
        *slots.current(at(3)) += 1;
        assert_eq!((slots.sum(at(0)), slots.sum(at(109))), (2, 2));
        assert_eq!(slots.idle_at(), at(110));
    }

    #[test]
    fn is_idle_as_soon_as_it_is_empty() {
        let mut slots = ten_seconds();
        assert_eq!(slots.idle_at(), Timestamp::START);
        *slots.current(at(5)) += 1;
        *slots.current(at(8)) += 0;
        assert_eq!(slots.idle_at(), at(15));
        assert_eq!(slots.sum(at(14)), 1);
        assert_eq!(slots.sum(at(15)), 0);
    }

    #[test]
    fn resizing_keeps_the_sum() {
        let mut slots = ten_seconds();
        (0..10).for_each(|second| *slots.current(at(second)) += 1);
        for window in [SECOND * 100, SECOND / 10, SECOND * 10] {
            slots.resize(window);
            assert_eq!(slots.sum(at(9)), 10, "{window:?}");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        for window in [Duration::ZERO, Duration::MAX] {
            let mut slots = Slots::<u32>::new(window);
            for now in [Timestamp::MAX, Timestamp::START, Timestamp::MAX] {
                *slots.current(now) += 1_u32;
            }
            assert_eq!(slots.sum(Timestamp::MAX), 3);
            assert_eq!(slots.idle_at(), Timestamp::MAX);
        }
    }
}
