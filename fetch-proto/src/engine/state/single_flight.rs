//! Single flight: of identical requests at the same time, one is sent and all get its response.

use hashbrown::HashMap;

use super::fetch_slab::FetchSlab;
use crate::fetch::request::ShareKey;
use crate::model::failure::TimeLimit;
use crate::model::id::FetchId;
use crate::model::outcome::{FetchError, FetchOutcome};
use crate::model::time::Timestamp;

/// The fetch that sends each shared request: its leader. Others with the same key follow it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SingleFlight {
    leaders: HashMap<ShareKey, FetchId>,
}

impl SingleFlight {
    /// Makes the fetch at `index` follow the leader of `key`, or the leader if there is none. Returns
    /// whether it follows.
    pub(crate) fn join(
        &mut self,
        key: ShareKey,
        index: u32,
        fetches: &mut FetchSlab,
        now: Timestamp,
    ) -> bool {
        let id = fetches.id(index);
        let leader = self.leaders.get(&key).copied();
        let position = leader.and_then(|leader| fetches.find(leader));
        let Some((leader, position)) = leader.zip(position) else {
            self.leaders.insert(key.clone(), id);
            if let Some(slot) = fetches.get_mut(index) {
                slot.cold_mut().leader_key = Some(key);
            }
            return false;
        };
        if let Some(slot) = fetches.get_mut(position) {
            slot.cold_mut().followers.push(id);
        }
        if let Some(slot) = fetches.get_mut(index) {
            slot.fetch.follow(leader, now);
        }
        true
    }

    /// Removes `leader`, unless another fetch has become the leader of `key`.
    pub(crate) fn remove(&mut self, key: &ShareKey, leader: FetchId) {
        if self.leaders.get(key) == Some(&leader) {
            self.leaders.remove(key);
        }
    }

    /// Makes the first of `followers` the leader of the others. Returns its index.
    pub(crate) fn promote(
        &mut self,
        key: ShareKey,
        followers: &[FetchId],
        fetches: &mut FetchSlab,
        now: Timestamp,
    ) -> Option<u32> {
        let (leader, others) = followers.split_first()?;
        let index = fetches.find(*leader)?;
        self.leaders.insert(key.clone(), *leader);
        if let Some(slot) = fetches.get_mut(index) {
            let cold = slot.cold_mut();
            cold.followers = others.to_vec();
            cold.leader_key = Some(key);
            slot.fetch.stop_following(now);
        }
        Some(index)
    }

    /// Collects the leaders from the fetches: the map is not part of a checkpoint.
    pub(crate) fn rebuild(&mut self, fetches: &FetchSlab) {
        self.leaders.clear();
        for index in fetches.indices() {
            let cold = fetches.get(index).and_then(|slot| slot.cold.as_ref());
            if let Some(key) = cold.and_then(|cold| cold.leader_key.clone()) {
                self.leaders.insert(key, fetches.id(index));
            }
        }
    }
}

/// Whether an outcome is due to the leader's own limits or cancellation, so that a follower should
/// send the request instead.
pub(crate) fn is_private_outcome(outcome: &FetchOutcome) -> bool {
    matches!(
        outcome.result,
        Err(FetchError::Cancelled
            | FetchError::CircuitOpen
            | FetchError::Shed
            | FetchError::TimedOut(TimeLimit::Queue | TimeLimit::Total))
    )
}

#[cfg(test)]
mod tests {
    use super::super::fetch_slab::tests::insert;
    use super::*;
    use crate::FetchRequest;

    fn key() -> ShareKey {
        let mut request = FetchRequest::get("http://a.test/".parse().unwrap());
        request.share = Some(0);
        ShareKey::of(&request).unwrap()
    }

    #[test]
    fn the_first_leads_and_the_next_inherits() {
        let (mut flight, mut fetches) = (SingleFlight::default(), FetchSlab::default());
        let now = Timestamp::START;
        let ids = [false, true, true].map(|follows| {
            let index = insert(&mut fetches, "http://a.test/", 0, 0);
            assert_eq!(flight.join(key(), index, &mut fetches, now), follows);
            fetches.id(index)
        });
        assert!(!fetches.is_following(ids[0]) && fetches.is_following(ids[2]));
        let cold = fetches.remove(0).unwrap();
        flight.remove(&key(), ids[0]);
        assert_eq!(cold.followers, ids[1..]);
        assert_eq!(
            flight.promote(key(), &cold.followers, &mut fetches, now),
            Some(1)
        );
        assert!(!fetches.is_following(ids[1]) && fetches.is_following(ids[2]));
        let leaders = flight.leaders.clone();
        flight.rebuild(&fetches);
        assert_eq!(flight.leaders, leaders);
    }
}
