//! The fetches in a driver's engine, by slot.

use fetch_proto::{AttemptId, FetchId};

use crate::driver::fetches::active::ActiveFetch;

/// The fetches in the engine. The slot of each is that of its id.
#[derive(Default)]
pub(crate) struct FetchTable(Vec<Option<ActiveFetch>>);

impl FetchTable {
    pub(crate) fn insert(&mut self, fetch: ActiveFetch) {
        let slot = fetch.id().slot();
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, || None);
        }
        self.0[slot] = Some(fetch);
    }

    pub(crate) fn remove(&mut self, id: FetchId) -> Option<ActiveFetch> {
        self.0.get_mut(id.slot())?.take()
    }

    pub(crate) fn get(&self, id: FetchId) -> Option<&ActiveFetch> {
        self.0.get(id.slot())?.as_ref()
    }

    /// The fetch in this slot.
    pub(crate) fn at_mut(&mut self, slot: usize) -> Option<&mut ActiveFetch> {
        self.0.get_mut(slot)?.as_mut()
    }

    /// The fetch of this attempt, if the attempt is in flight.
    pub(crate) fn with_attempt(&mut self, id: AttemptId) -> Option<&mut ActiveFetch> {
        let fetch = self.at_mut(id.fetch.slot())?;
        fetch.attempt_mut(id).is_some().then_some(fetch)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ActiveFetch> {
        self.0.iter().flatten()
    }

    /// Copies the response of `leader` to `follower`, whose identical request was not sent. The engine
    /// ends the leader later.
    pub(crate) fn copy_response(&mut self, leader: FetchId, follower: FetchId) {
        let slots = [leader.slot(), follower.slot()];
        if let Ok([Some(leader), Some(follower)]) = self.0.get_disjoint_mut(slots) {
            follower.copy_response(leader);
        }
    }
}
