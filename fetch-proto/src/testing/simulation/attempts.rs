//! A table of the attempts in flight, with reused entries.

use alloc::vec::Vec;
use core::time::Duration;

use super::host_summary::RequestResult;
use crate::model::id::AttemptId;

/// No entry.
const NONE: u32 = u32::MAX;

/// An attempt that was sent and has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct SimulatedAttempt {
    /// The bytes of a successful response's body, and the bytes per second.
    pub(super) body: (u64, Option<u64>),
    pub(super) host: u32,
    pub(super) id: AttemptId,
    /// A unique number, by which events for an earlier attempt in the same entry are recognised.
    pub(super) serial: u64,
    pub(super) stage: AttemptStage,
    /// The status if the result is that it is over a limit.
    pub(super) throttle_status: u16,
}

/// The next event of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) enum AttemptStage {
    Body { chunk: u64, left: u64 },
    Head(RequestResult, Option<Duration>),
}

/// The attempts in flight. Those of one fetch (hedges) form a linked list.
#[derive(Debug, Default)]
pub(super) struct AttemptTable {
    /// By engine slot: the first attempt of the fetch.
    first: Vec<u32>,
    free: Vec<u32>,
    len: usize,
    /// The attempts, each with the next of the same fetch.
    entries: Vec<(Option<SimulatedAttempt>, u32)>,
}

impl AttemptTable {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, attempt: SimulatedAttempt) -> u32 {
        let slot = attempt.id.fetch.slot();
        if self.first.len() <= slot {
            self.first.resize(slot + 1, NONE);
        }
        let index = self.free.pop().unwrap_or(self.entries.len() as u32);
        let entry = (Some(attempt), self.first[slot]);
        match self.entries.get_mut(index as usize) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
        self.first[slot] = index;
        self.len += 1;
        index
    }

    /// The attempt at this index, if it has this serial number.
    pub(super) fn get(&self, index: u32, serial: u64) -> Option<SimulatedAttempt> {
        let attempt = self.entries.get(index as usize)?.0?;
        (attempt.serial == serial).then_some(attempt)
    }

    pub(super) fn set_stage(&mut self, index: u32, stage: AttemptStage) {
        if let Some((Some(attempt), _)) = self.entries.get_mut(index as usize) {
            attempt.stage = stage;
        }
    }

    /// The index of an attempt.
    pub(super) fn find(&self, id: AttemptId) -> Option<u32> {
        let mut index = *self.first.get(id.fetch.slot())?;
        while let Some((attempt, next)) = self.entries.get(index as usize) {
            if attempt.is_some_and(|attempt| attempt.id == id) {
                return Some(index);
            }
            index = *next;
        }
        None
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<SimulatedAttempt> {
        let (attempt, next) = self.entries.get_mut(index as usize)?;
        let (attempt, next) = (attempt.take()?, *next);
        let link = &mut self.first[attempt.id.fetch.slot()];
        if *link == index {
            *link = next;
        } else {
            let mut before = *link;
            while self.entries[before as usize].1 != index {
                before = self.entries[before as usize].1;
            }
            self.entries[before as usize].1 = next;
        }
        self.free.push(index);
        self.len -= 1;
        Some(attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::FetchId;

    fn attempt(number: u16, serial: u64) -> SimulatedAttempt {
        let fetch = FetchId::STANDALONE;
        SimulatedAttempt {
            body: (0, None),
            host: 0,
            id: AttemptId { fetch, number },
            serial,
            stage: AttemptStage::Head(RequestResult::Ok, None),
            throttle_status: 429,
        }
    }

    #[test]
    fn several_attempts_of_one_fetch_are_distinguished() {
        let mut attempts = AttemptTable::default();
        let indices = [1, 2, 3].map(|n| attempts.insert(attempt(n, n.into())));
        let id = |number| attempt(number, 0).id;
        assert_eq!(attempts.remove(indices[1]).map(|f| f.serial), Some(2));
        assert_eq!(attempts.find(id(2)), None);
        assert_eq!(attempts.find(id(1)), Some(indices[0]));
        assert_eq!(attempts.find(id(3)), Some(indices[2]));
        assert_eq!(attempts.len(), 2);
    }

    #[test]
    fn events_for_an_ended_attempt_do_not_reach_the_next_one() {
        let mut attempts = AttemptTable::default();
        let index = attempts.insert(attempt(1, 1));
        attempts.remove(index);
        assert_eq!(attempts.insert(attempt(2, 2)), index);
        assert!(attempts.get(index, 1).is_none() && attempts.get(index, 2).is_some());
    }
}
