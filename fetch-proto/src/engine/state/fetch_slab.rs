//! Fetches in numbered slots that are used again, checked by generation.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use url::Url;

use crate::fetch::Fetch;
use crate::fetch::request::{BodyDelivery, FetchRequest, RequestBodyKind};
use crate::guards::breaker::BreakerCall;
use crate::guards::budget::RetryCost;
use crate::inline_vec::InlineVec;
use crate::model::id::FetchId;
use crate::model::method::Method;

/// No slot, or no host.
pub(super) const NONE: u32 = u32::MAX;
/// No endpoint.
pub(super) const NO_ENDPOINT: u16 = u16::MAX;

/// A live fetch and its place in the engine.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Slot {
    pub(super) fetch: Fetch,
    /// Whether it is in the list of fetches to poll.
    pub(super) dirty: bool,
    /// The host it belongs to now.
    pub(super) host: u32,
    /// What its attempts in flight hold.
    pub(super) permits: InlineVec<Permit>,
    /// Whether it waits in that host's queue, between these two.
    pub(super) queued: bool,
    pub(super) prev: u32,
    pub(super) next: u32,
    /// Those with a larger one are before it in the queue.
    pub(super) priority: i8,
    pub(super) rare: Option<Box<Rare>>,
    /// The rule that chose its policy, the last being none; [`NONE`] if it has a policy of its own.
    pub(super) rule: u32,
    /// How many landings were told to the host's guards.
    pub(super) settled: u16,
}

/// What an attempt in flight holds: a place of the engine and of its host.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Permit {
    /// Its leave of the host's breaker.
    pub(super) call: Option<BreakerCall>,
    /// Which of the target's endpoints it goes to; [`NO_ENDPOINT`] if the host is not a target.
    pub(super) endpoint: u16,
    /// The host that it flies to.
    pub(super) host: u32,
    pub(super) number: u16,
}

/// What few fetches have.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Rare {
    /// Those that wait for this one's response.
    pub(super) followers: Vec<FetchId>,
    /// What others that ask for the same find it by.
    pub(super) leads: Option<Key>,
    pub(super) paid: Paid,
    /// The endpoints that it has been to.
    pub(super) tried: Vec<usize>,
}

impl Slot {
    pub(super) fn new(fetch: Fetch, host: u32, rule: u32, priority: i8) -> Self {
        Self {
            fetch,
            dirty: false,
            host,
            permits: InlineVec::default(),
            queued: false,
            prev: NONE,
            next: NONE,
            priority,
            rare: None,
            rule,
            settled: 0,
        }
    }

    /// Whether one of its attempts in flight is a breaker's probe.
    pub(super) fn probes(&self) -> bool {
        let calls = self.permits.iter().filter_map(|permit| permit.call);
        calls.into_iter().any(BreakerCall::is_probe)
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// The slots. The most recently freed is used first: its memory is warm.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Slab {
    entries: Vec<Entry>,
    free: Vec<u32>,
    live: usize,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct Entry {
    generation: u32,
    slot: Option<Slot>,
}

impl Slab {
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The id that the next [`Slab::insert`] will use.
    pub(super) fn next_id(&self) -> FetchId {
        match self.free.last() {
            Some(&slot) => FetchId {
                slot,
                generation: self.entries[slot as usize].generation,
            },
            // Generations start at 1, so that no id of an engine is `FetchId::STANDALONE`.
            None => FetchId {
                slot: self.entries.len() as u32,
                generation: 1,
            },
        }
    }

    pub(super) fn insert(&mut self, slot: Slot) -> u32 {
        self.live += 1;
        if let Some(index) = self.free.pop() {
            self.entries[index as usize].slot = Some(slot);
            return index;
        }
        self.entries.push(Entry {
            generation: 1,
            slot: Some(slot),
        });
        (self.entries.len() - 1) as u32
    }

    /// Frees the slot. A fetch is large, so it is dropped where it is; only what few have comes back.
    pub(super) fn remove(&mut self, index: u32) -> Option<Box<Rare>> {
        let entry = &mut self.entries[index as usize];
        let rare = entry.slot.as_mut()?.rare.take();
        entry.slot = None;
        self.vacate(index);
        rare
    }

    /// Frees the slot, and gives what was in it.
    pub(super) fn take(&mut self, index: u32) -> Option<Slot> {
        let slot = self.entries[index as usize].slot.take()?;
        self.vacate(index);
        Some(slot)
    }

    fn vacate(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1).max(1);
        self.free.push(index);
        self.live -= 1;
    }

    /// The index of a fetch that is still live.
    pub(super) fn find(&self, id: FetchId) -> Option<u32> {
        let entry = self.entries.get(id.slot())?;
        (entry.generation == id.generation && entry.slot.is_some()).then_some(id.slot)
    }

    pub(super) fn id(&self, index: u32) -> FetchId {
        FetchId {
            slot: index,
            generation: self.entries[index as usize].generation,
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&Slot> {
        self.entries.get(index as usize)?.slot.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.entries.get_mut(index as usize)?.slot.as_mut()
    }

    /// The live slots, in order.
    pub(super) fn indices(&self) -> Vec<u32> {
        let live = |(i, entry): (usize, &Entry)| entry.slot.is_some().then_some(i as u32);
        self.entries.iter().enumerate().filter_map(live).collect()
    }
}

/// What makes two requests the same.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Key {
    method: Method,
    same: u64,
    url: Arc<Url>,
}

impl Key {
    /// The key of a request that may share its answer.
    pub(super) fn of(request: &FetchRequest) -> Option<Self> {
        let plain =
            request.body == RequestBodyKind::None && request.delivery == BodyDelivery::Buffered;
        let safe = matches!(request.method, Method::Get | Method::Head);
        Some(Self {
            same: request.share.filter(|_| plain && safe)?,
            method: request.method.clone(),
            url: request.url.clone(),
        })
    }
}

/// What an extra attempt cost; a success brings it back.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Paid {
    pub(super) common: Option<RetryCost>,
    pub(super) host: Option<RetryCost>,
}
