//! Deadlines of fetches and hosts.

use alloc::vec::Vec;

use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};

/// The next deadline of each fetch and of each host.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct EngineTimers {
    fetches: TimerHeap,
    hosts: TimerHeap,
}

/// The owner of a timer that has fired.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DueTimer {
    Fetch(u32),
    Host(u32),
}

impl EngineTimers {
    /// Sets, moves or removes the deadline of the fetch in slot `index`.
    pub(crate) fn set_fetch(&mut self, index: u32, wake: Option<NextWake>) {
        self.fetches.set(index, wake);
    }

    pub(crate) fn set_host(&mut self, host: u32, at: Timestamp) {
        let why = WakeReason::Host;
        self.hosts.set(host, Some(NextWake { at, why }));
    }

    /// Sets the deadline of a host, unless it has an earlier one.
    pub(crate) fn advance_host(&mut self, host: u32, at: Timestamp) {
        if self.hosts.get(host).is_none_or(|wake| wake.at > at) {
            self.set_host(host, at);
        }
    }

    pub(crate) fn earliest(&self) -> Option<NextWake> {
        let heaps = [self.fetches.peek(), self.hosts.peek()];
        heaps.into_iter().flatten().map(|(wake, _)| wake).min()
    }

    /// Removes one timer that is due at `now`; those of fetches come first.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<DueTimer> {
        if let Some(index) = self.fetches.pop_due(now) {
            return Some(DueTimer::Fetch(index));
        }
        self.hosts.pop_due(now).map(DueTimer::Host)
    }
}

/// Deadlines of small integer keys in an indexed 4-ary heap.
///
/// The index lets a changed deadline move its entry, so no stale entry is left and the top is always
/// a current deadline. The heap is 4-ary because most changes append at the bottom. Ties are broken
/// by key, so the order does not depend on the history of the heap.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct TimerHeap {
    heap: Vec<(NextWake, u32)>,
    /// The position of each key in `heap`, or `ABSENT`.
    positions: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;
const ARITY: usize = 4;

impl TimerHeap {
    /// The earliest deadline and its key.
    pub(crate) fn peek(&self) -> Option<(NextWake, u32)> {
        self.heap.first().copied()
    }

    /// The deadline of `key`.
    fn get(&self, key: u32) -> Option<NextWake> {
        let position = self.positions.get(key as usize)?;
        self.heap.get(*position as usize).map(|(wake, _)| *wake)
    }

    /// Sets, moves or removes the deadline of `key`.
    pub(crate) fn set(&mut self, key: u32, wake: Option<NextWake>) {
        let index = key as usize;
        if index >= self.positions.len() {
            if wake.is_none() {
                return;
            }
            self.positions.resize(index + 1, ABSENT);
        }
        match (self.positions[index], wake) {
            (ABSENT, None) => {}
            (ABSENT, Some(wake)) => {
                self.heap.push((wake, key));
                self.sift_up(self.heap.len() - 1);
            }
            (position, Some(wake)) => {
                let position = position as usize;
                if self.heap[position].0 != wake {
                    self.heap[position].0 = wake;
                    self.restore_order(position);
                }
            }
            (position, None) => self.remove(position as usize),
        }
    }

    /// Removes the earliest deadline if it is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<u32> {
        let (_, key) = self.peek().filter(|(wake, _)| wake.at <= now)?;
        self.set(key, None);
        Some(key)
    }

    fn remove(&mut self, position: usize) {
        let (_, key) = self.heap.swap_remove(position);
        self.positions[key as usize] = ABSENT;
        if position < self.heap.len() {
            self.restore_order(position);
        }
    }

    /// Moves the entry at `position` up or down to its place in the heap.
    fn restore_order(&mut self, position: usize) {
        let position = self.sift_up(position);
        self.sift_down(position);
    }

    fn sift_up(&mut self, mut position: usize) -> usize {
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.heap[parent] <= self.heap[position] {
                break;
            }
            self.heap.swap(parent, position);
            self.store_position(position);
            position = parent;
        }
        self.store_position(position);
        position
    }

    fn sift_down(&mut self, mut position: usize) {
        loop {
            let first = position * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            let Some(least) = children.min_by_key(|child| self.heap[*child]) else {
                break;
            };
            if self.heap[position] <= self.heap[least] {
                break;
            }
            self.heap.swap(position, least);
            self.store_position(position);
            position = least;
        }
        self.store_position(position);
    }

    fn store_position(&mut self, position: usize) {
        self.positions[self.heap[position].1 as usize] = position as u32;
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use core::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn wake(nanos: u64) -> NextWake {
        NextWake {
            at: Timestamp::from_start(Duration::from_nanos(nanos)),
            why: WakeReason::Backoff,
        }
    }

    #[test]
    fn due_fetches_come_before_due_hosts() {
        let at = |seconds| Timestamp::from_start(Duration::from_secs(seconds));
        let mut timers = EngineTimers::default();
        timers.set_host(3, at(1));
        timers.set_fetch(5, Some(wake(2)));
        assert_eq!(timers.earliest(), Some(wake(2)));
        assert_eq!(timers.pop_due(at(1)), Some(DueTimer::Fetch(5)));
        assert_eq!(timers.pop_due(at(0)), None);
        assert_eq!(timers.pop_due(at(1)), Some(DueTimer::Host(3)));
        assert_eq!(timers.earliest(), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_map(changes in prop::collection::vec((0u32..40, prop::option::of(0u64..100)), 1..400)) {
            let mut timers = TimerHeap::default();
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
