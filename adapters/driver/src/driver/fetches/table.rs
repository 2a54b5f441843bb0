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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fetch_proto::EngineConfig;

    use super::*;
    use crate::driver::permits::AttemptPermits;
    use crate::driver::test_support::{submit, test_engine};

    #[test]
    fn a_follower_gets_the_leaders_response_and_not_its_permit() {
        let (mut engine, mut fetches) =
            (test_engine(EngineConfig::default()), FetchTable::default());
        let _consumers = ["http://a.test/1", "http://a.test/2"]
            .map(|url| submit(url, &mut engine, &mut fetches));
        let ids: Vec<_> = fetches.iter().map(ActiveFetch::id).collect();
        let leader = fetches.at_mut(ids[0].slot()).unwrap();
        leader.result().chunks.push(Bytes::from_static(b"x"));
        leader.result().permit = AttemptPermits::new(1, 0).take();
        fetches.copy_response(ids[0], ids[1]);
        let mut follower = fetches.remove(ids[1]).unwrap();
        assert_eq!(follower.result().chunks.concat(), b"x");
        assert!(follower.take_permit().is_none());
        assert!(fetches.get(ids[1]).is_none());
        assert!(
            fetches
                .at_mut(ids[0].slot())
                .unwrap()
                .take_permit()
                .is_some()
        );
    }
}
