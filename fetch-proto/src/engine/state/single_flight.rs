//! Fetches of the same thing at the same time: one asks, all get its answer.

use alloc::vec::Vec;

use hashbrown::HashMap;

use super::slab::{Key, Rare};
use super::{Engine, Output};
use crate::model::failure::TimeLimit;
use crate::model::id::FetchId;
use crate::model::outcome::{FetchError, FetchOutcome};
use crate::model::time::Timestamp;

/// Who asks for what at present.
pub(super) type Leaders = HashMap<Key, FetchId>;

impl Engine {
    /// Lets the fetch in that slot wait for the one that asks for the same; if there is none, others
    /// will wait for it.
    pub(super) fn share(&mut self, key: Key, index: u32, now: Timestamp) {
        let id = self.slots.id(index);
        let leader = self.leaders.get(&key).copied();
        let place = leader.and_then(|leader| self.slots.find(leader));
        let Some((leader, place)) = leader.zip(place) else {
            self.leaders.insert(key.clone(), id);
            if let Some(slot) = self.slots.get_mut(index) {
                slot.rare().leads = Some(key);
            }
            return;
        };
        if let Some(slot) = self.slots.get_mut(place) {
            slot.rare().followers.push(id);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.fetch.follow(leader, now);
        }
        self.stats.shared += 1;
    }

    /// The leader is over: those that wait for it get its result, or one of them asks instead.
    /// Their outcomes come before its own, so that the driver still has the response to copy.
    pub(super) fn pass_on(&mut self, leader: FetchId, rare: Rare, outcome: &FetchOutcome) {
        let Some(key) = rare.leads else {
            return;
        };
        self.stop_leading(&key, leader);
        let followers = rare.followers.into_iter();
        let live: Vec<_> = followers.filter(|id| self.follows(*id)).collect();
        if lets_others_ask(outcome) {
            self.succeed(key, &live);
        } else {
            live.iter().for_each(|one| self.give(*one, leader, outcome));
        }
    }

    /// Others find it no longer, unless it is another that they find.
    pub(super) fn stop_leading(&mut self, key: &Key, leader: FetchId) {
        if self.leaders.get(key) == Some(&leader) {
            self.leaders.remove(key);
        }
    }

    /// Whether a fetch still waits for another's response: it may have been cancelled meanwhile, or
    /// have turned to its fallback.
    pub(super) fn follows(&self, id: FetchId) -> bool {
        let slot = self.slots.find(id).and_then(|index| self.slots.get(index));
        slot.is_some_and(|slot| slot.fetch.is_following())
    }

    fn succeed(&mut self, key: Key, live: &[FetchId]) {
        let Some((heir, rest)) = live.split_first() else {
            return;
        };
        let Some(index) = self.slots.find(*heir) else {
            return;
        };
        self.leaders.insert(key.clone(), *heir);
        if let Some(slot) = self.slots.get_mut(index) {
            let rare = slot.rare();
            rare.followers = rest.to_vec();
            rare.leads = Some(key);
            slot.fetch.lead(self.now);
        }
        self.touch(index);
    }

    fn give(&mut self, follower: FetchId, leader: FetchId, outcome: &FetchOutcome) {
        let Some(index) = self.slots.find(follower) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let shared = slot.fetch.adopt(leader, outcome, self.now);
        self.remove(index, self.now);
        self.stats.count(&shared);
        self.outbox.push_back(Output::Done(follower, shared));
    }

    /// Finds the leaders anew.
    pub(super) fn find_leaders(&mut self) {
        self.leaders.clear();
        for index in self.slots.indices() {
            let rare = self.slots.get(index).and_then(|slot| slot.rare.as_ref());
            if let Some(key) = rare.and_then(|rare| rare.leads.clone()) {
                self.leaders.insert(key, self.slots.id(index));
            }
        }
    }
}

/// Whether the end says nothing about the URL: only that this caller would not wait for it.
fn lets_others_ask(outcome: &FetchOutcome) -> bool {
    matches!(
        outcome.result,
        Err(FetchError::Cancelled
            | FetchError::CircuitOpen
            | FetchError::Shed
            | FetchError::TimedOut(TimeLimit::Queue | TimeLimit::Total))
    )
}
