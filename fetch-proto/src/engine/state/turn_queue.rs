//! Round-robin turns.

use alloc::collections::VecDeque;

/// Keys in the order in which they get their turn.
///
/// A key is in the queue at most once. Its owner stores whether it is, in a flag that
/// [`push`](Self::push) sets and the owner clears when the turn is over.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct TurnQueue {
    keys: VecDeque<u32>,
}

impl TurnQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds `key` at the end, unless `is_queued` says that it is in the queue.
    pub(crate) fn push(&mut self, key: u32, is_queued: &mut bool) {
        if !core::mem::replace(is_queued, true) {
            self.keys.push_back(key);
        }
    }

    /// Adds `key` at the front, unless `is_queued` says that it is in the queue.
    pub(crate) fn push_front(&mut self, key: u32, is_queued: &mut bool) {
        if !core::mem::replace(is_queued, true) {
            self.keys.push_front(key);
        }
    }

    pub(crate) fn front(&self) -> Option<u32> {
        self.keys.front().copied()
    }

    pub(crate) fn pop(&mut self) -> Option<u32> {
        self.keys.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_once_and_may_come_back_after_its_turn() {
        let mut queue = TurnQueue::default();
        let mut flags = [false; 2];
        queue.push(0, &mut flags[0]);
        queue.push(1, &mut flags[1]);
        queue.push(0, &mut flags[0]);
        assert_eq!(queue.pop(), Some(0));
        flags[0] = false;
        queue.push(0, &mut flags[0]);
        assert_eq!((queue.pop(), queue.front()), (Some(1), Some(0)));
        flags[1] = false;
        queue.push_front(1, &mut flags[1]);
        assert_eq!(
            (queue.pop(), queue.pop(), queue.pop()),
            (Some(1), Some(0), None)
        );
    }
}
