//! Live fetches in numbered slots. Slots are reused; a generation in each id makes old ids invalid.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::auth::logins::LoginUse;
use crate::fetch::Fetch;
use crate::fetch::request::ShareKey;
use crate::guards::breaker::BreakerCall;
use crate::guards::budget::RetryCost;
use crate::inline_vec::InlineVec;
use crate::model::id::{FetchId, first_generation, next_generation};
use crate::model::time::Timestamp;
use crate::model::token::TokenUse;
use crate::model::wake::NextWake;

/// No slot, no host, or no rule.
pub(crate) const NO_INDEX: u32 = u32::MAX;
/// No endpoint.
pub(crate) const NO_ENDPOINT: u16 = u16::MAX;

/// A live fetch and its links in the engine.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct FetchSlot {
    pub(crate) fetch: Fetch,
    /// What authenticates it at its present URL. Unknown again after each redirect and fallback.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) auth: ChosenProfile,
    pub(crate) cold: Option<Box<ColdState>>,
    /// The host that it belongs to now.
    pub(crate) host: u32,
    /// Whether it is in the engine's poll queue.
    pub(crate) in_poll_queue: bool,
    /// One for each attempt in flight.
    pub(crate) permits: InlineVec<AttemptPermit>,
    /// Whether it waits in its host's queue, between `prev` and `next`.
    pub(crate) is_queued: bool,
    pub(crate) prev: u32,
    pub(crate) next: u32,
    /// Larger priorities come first in the host's queue.
    pub(crate) priority: i8,
    /// The rule that chose its policy, where the index after the last rule is the default policy;
    /// [`NO_INDEX`] if the request has its own policy or the rule was removed.
    pub(crate) rule: u32,
    /// How many of its ended attempts the engine has settled.
    pub(crate) settled: u16,
}

/// The slots that an attempt in flight holds: at its host, its breaker and its endpoint.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct AttemptPermit {
    /// The admission by the breaker of `host`.
    pub(crate) call: Option<BreakerCall>,
    /// The endpoint of the balanced target; [`NO_ENDPOINT`] if there is no balanced target.
    pub(crate) endpoint: u16,
    /// The host that serves the attempt.
    pub(crate) host: u32,
    pub(crate) number: u16,
    /// The generation of the token that it is sent with; 0 if there is none.
    #[cfg_attr(feature = "serde", serde(default))]
    token_generation: u32,
    #[cfg_attr(feature = "serde", serde(default))]
    token_profile: u16,
    /// The login that it is sent with, if its token is one and the server has asked for it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) login: Option<LoginUse>,
}

impl AttemptPermit {
    /// A permit of the attempt with this number, at a host that no balanced target serves.
    pub(crate) fn new(number: u16, host: u32) -> Self {
        Self {
            call: None,
            endpoint: NO_ENDPOINT,
            host,
            number,
            token_generation: 0,
            token_profile: 0,
            login: None,
        }
    }

    pub(crate) fn with_token(mut self, token: Option<TokenUse>) -> Self {
        self.token_generation = token.map_or(0, |token| token.generation);
        self.token_profile = token.map_or(0, |token| token.profile);
        self
    }

    /// The token that the attempt is sent with.
    pub(crate) fn token(&self) -> Option<TokenUse> {
        let token = TokenUse {
            generation: self.token_generation,
            profile: self.token_profile,
        };
        (token.generation > 0).then_some(token)
    }
}

/// The profile that authenticates a fetch, so that it is chosen once for each URL: its number plus two.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct ChosenProfile(u16);

impl ChosenProfile {
    /// It is not chosen yet.
    pub(crate) const UNKNOWN: Self = Self(0);
    const NONE: Self = Self(1);

    pub(crate) fn new(number: Option<u16>) -> Self {
        number.map_or(Self::NONE, |number| Self(number.saturating_add(2)))
    }

    pub(crate) fn number(self) -> Option<u16> {
        self.0.checked_sub(2)
    }
}

/// State that few fetches need.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct ColdState {
    /// Fetches that wait for this one's response.
    pub(crate) followers: Vec<FetchId>,
    /// The key under which identical requests find this fetch.
    pub(crate) leader_key: Option<ShareKey>,
    pub(crate) retry_costs: RetryCosts,
    /// Endpoints of the balanced target that earlier attempts used.
    pub(crate) tried_endpoints: Vec<usize>,
}

/// The costs of the latest retry or hedge, which a success refunds.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct RetryCosts {
    pub(crate) all_hosts: Option<RetryCost>,
    pub(crate) host: Option<RetryCost>,
}

impl FetchSlot {
    /// The deadline of a fetch that need not be polled now: it has no step, and no ended attempt to
    /// settle. `None` if it must be polled.
    pub(crate) fn rest(&self, now: Timestamp) -> Option<Option<NextWake>> {
        if self.fetch.has_step() || usize::from(self.settled) < self.fetch.ended_attempts().len() {
            return None;
        }
        let wake = self.fetch.next_wake();
        wake.is_none_or(|wake| wake.at > now).then_some(wake)
    }

    pub(crate) fn new(fetch: Fetch, host: u32, rule: u32, priority: i8) -> Self {
        Self {
            fetch,
            auth: ChosenProfile::UNKNOWN,
            cold: None,
            host,
            in_poll_queue: false,
            permits: InlineVec::default(),
            is_queued: false,
            prev: NO_INDEX,
            next: NO_INDEX,
            priority,
            rule,
            settled: 0,
        }
    }

    pub(crate) fn cold_mut(&mut self) -> &mut ColdState {
        self.cold.get_or_insert_default()
    }
}

/// The slots. The slot that was freed last is used first, because its memory is warm.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct FetchSlab {
    /// The number of the engine, which is part of each id.
    #[cfg_attr(feature = "serde", serde(default))]
    engine: u16,
    entries: Vec<SlabEntry>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct SlabEntry {
    generation: u32,
    slot: Option<FetchSlot>,
}

impl FetchSlab {
    pub(crate) fn engine(&self) -> u16 {
        self.engine
    }

    /// Sets the number of the engine, for the ids of all further fetches.
    pub(crate) fn set_engine(&mut self, number: u16) {
        self.engine = number;
        for entry in self.entries.iter_mut().filter(|one| one.slot.is_none()) {
            entry.generation = next_generation(entry.generation, number);
        }
    }

    /// The number of live fetches.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The id that the next [`insert`](Self::insert) will use.
    pub(crate) fn next_id(&self) -> FetchId {
        match self.free.last() {
            Some(&slot) => FetchId {
                slot,
                generation: self.entries[slot as usize].generation,
            },
            None => FetchId {
                slot: self.entries.len() as u32,
                generation: first_generation(self.engine),
            },
        }
    }

    pub(crate) fn insert(&mut self, slot: FetchSlot) -> u32 {
        self.len += 1;
        if let Some(index) = self.free.pop() {
            self.entries[index as usize].slot = Some(slot);
            return index;
        }
        self.entries.push(SlabEntry {
            generation: first_generation(self.engine),
            slot: Some(slot),
        });
        (self.entries.len() - 1) as u32
    }

    /// Drops the fetch and frees its slot. Only the cold state is returned, because moving a whole
    /// fetch is expensive.
    pub(crate) fn remove(&mut self, index: u32) -> Option<Box<ColdState>> {
        let entry = &mut self.entries[index as usize];
        let cold = entry.slot.as_mut()?.cold.take();
        entry.slot = None;
        self.free_slot(index);
        cold
    }

    /// Frees the slot and returns its content.
    pub(crate) fn take(&mut self, index: u32) -> Option<FetchSlot> {
        let slot = self.entries[index as usize].slot.take()?;
        self.free_slot(index);
        Some(slot)
    }

    fn free_slot(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.generation = next_generation(entry.generation, self.engine);
        self.free.push(index);
        self.len -= 1;
    }

    /// The index of a fetch that is still live.
    pub(crate) fn find(&self, id: FetchId) -> Option<u32> {
        let entry = self.entries.get(id.slot())?;
        (entry.generation == id.generation && entry.slot.is_some()).then_some(id.slot)
    }

    pub(crate) fn id(&self, index: u32) -> FetchId {
        FetchId {
            slot: index,
            generation: self.entries[index as usize].generation,
        }
    }

    pub(crate) fn get(&self, index: u32) -> Option<&FetchSlot> {
        self.entries.get(index as usize)?.slot.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut FetchSlot> {
        self.entries.get_mut(index as usize)?.slot.as_mut()
    }

    /// A slot chosen by a random word, live or not; `None` if there are none.
    pub(crate) fn draw(&self, word: u64) -> Option<u32> {
        let slots = u64::try_from(self.entries.len()).ok()?;
        word.checked_rem(slots).map(|index| index as u32)
    }

    /// The indices of all live fetches, in ascending order.
    pub(crate) fn indices(&self) -> Vec<u32> {
        let live = |(i, entry): (usize, &SlabEntry)| entry.slot.is_some().then_some(i as u32);
        self.entries.iter().enumerate().filter_map(live).collect()
    }

    /// Whether the fetch waits for the response to an identical request. False if it has been
    /// cancelled or has fallen back since.
    pub(crate) fn is_following(&self, id: FetchId) -> bool {
        let slot = self.find(id).and_then(|index| self.get(index));
        slot.is_some_and(|slot| slot.fetch.is_following())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::time::Timestamp;
    use crate::{FetchRequest, Policy};

    /// Adds a fetch of `url` that belongs to `host`.
    pub(crate) fn insert(slab: &mut FetchSlab, url: &str, host: u32, priority: i8) -> u32 {
        let request = FetchRequest::get(url.parse().unwrap());
        let id = slab.next_id();
        let fetch = Fetch::new(request, Policy::default().into(), 0, Timestamp::START).with_id(id);
        slab.insert(FetchSlot::new(fetch, host, NO_INDEX, priority))
    }

    #[test]
    fn the_id_of_a_removed_fetch_is_invalid_when_its_slot_is_reused() {
        let mut slab = FetchSlab::default();
        let first = slab.next_id();
        let index = insert(&mut slab, "http://a.test/", 0, 0);
        assert_eq!((slab.find(first), slab.id(index)), (Some(index), first));
        slab.remove(index);
        assert_eq!((slab.find(first), slab.len()), (None, 0));
        let second = slab.next_id();
        assert_eq!(insert(&mut slab, "http://a.test/", 0, 0), index);
        assert_ne!(first, second);
        assert_eq!((slab.find(first), slab.find(second)), (None, Some(index)));
        assert_eq!(slab.indices(), [index]);
    }
}
