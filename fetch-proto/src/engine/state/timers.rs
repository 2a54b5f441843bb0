//! The one timer heap: at most one entry for each key, its exact deadline, O(1) to look at.

use alloc::vec::Vec;

use crate::model::wake::NextWake;

/// Deadlines of small integer keys in an indexed 4-ary heap.
///
/// Indexed, so that moving a deadline moves its entry: nothing stale is left to be swept out, and
/// the top is always a true deadline. 4-ary, since most changes are appends at the bottom.
/// Ties are broken by key, so the order never depends on the history of the heap.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Timers {
    heap: Vec<(NextWake, u32)>,
    /// The place of each key in `heap`, or `ABSENT`.
    places: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;
const ARITY: usize = 4;

impl Timers {
    /// The earliest deadline.
    pub(super) fn peek(&self) -> Option<(NextWake, u32)> {
        self.heap.first().copied()
    }

    /// Sets, moves or removes the deadline of `key`.
    pub(super) fn set(&mut self, key: u32, wake: Option<NextWake>) {
        let index = key as usize;
        if index >= self.places.len() {
            if wake.is_none() {
                return;
            }
            self.places.resize(index + 1, ABSENT);
        }
        match (self.places[index], wake) {
            (ABSENT, None) => {}
            (ABSENT, Some(wake)) => {
                self.heap.push((wake, key));
                self.up(self.heap.len() - 1);
            }
            (place, Some(wake)) => {
                let place = place as usize;
                if self.heap[place].0 != wake {
                    self.heap[place].0 = wake;
                    self.settle(place);
                }
            }
            (place, None) => self.remove(place as usize),
        }
    }

    fn remove(&mut self, place: usize) {
        let (_, key) = self.heap.swap_remove(place);
        self.places[key as usize] = ABSENT;
        if place < self.heap.len() {
            self.settle(place);
        }
    }

    /// Moves the entry at `place` to where it belongs.
    fn settle(&mut self, place: usize) {
        let place = self.up(place);
        self.down(place);
    }

    fn up(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.heap[parent] <= self.heap[place] {
                break;
            }
            self.heap.swap(parent, place);
            self.note(place);
            place = parent;
        }
        self.note(place);
        place
    }

    fn down(&mut self, mut place: usize) {
        loop {
            let first = place * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            let Some(least) = children.min_by_key(|child| self.heap[*child]) else {
                break;
            };
            if self.heap[place] <= self.heap[least] {
                break;
            }
            self.heap.swap(place, least);
            self.note(place);
            place = least;
        }
        self.note(place);
    }

    fn note(&mut self, place: usize) {
        self.places[self.heap[place].1 as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use core::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::time::Timestamp;
    use crate::model::wake::WakeReason;

    fn wake(nanos: u64) -> NextWake {
        NextWake {
            at: Timestamp::from_start(Duration::from_nanos(nanos)),
            why: WakeReason::Backoff,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_map(changes in prop::collection::vec((0u32..40, prop::option::of(0u64..100)), 1..400)) {
            let mut timers = Timers::default();
            let mut model = BTreeMap::new();
            for (key, at) in changes {
                timers.set(key, at.map(wake));
                match at {
                    Some(at) => model.insert(key, wake(at)),
                    None => model.remove(&key),
                };
                let least = model.iter().map(|(key, wake)| (*wake, *key)).min();
                prop_assert_eq!(timers.peek(), least);
            }
        }
    }
}
