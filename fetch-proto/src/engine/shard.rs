//! Several engines that divide the hosts among them, and the transfer of fetches between them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use url::Url;

use super::state::fetch_slab::{ColdState, FetchSlot, NO_INDEX};
use super::state::host_table::origin;
use super::state::random::host_seed;
use super::{Engine, EngineConfig, EngineOutput};
use crate::fetch::Fetch;
use crate::fetch::request::ShareKey;
use crate::model::id::{FetchId, MAX_ENGINE};
use crate::model::time::Timestamp;
use crate::random::mix;

/// One of several engines that divide the hosts among them. Each host belongs to one engine, so
/// limits per host need no shared state.
///
/// The hosts of balanced [targets](crate::EngineConfig::target) and of their endpoints all belong to
/// the first engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Shard {
    /// The number of this engine, from 0.
    pub index: u32,
    /// The number of engines.
    #[cfg_attr(feature = "serde", serde(rename = "of"))]
    pub count: u32,
}

impl Shard {
    /// The index of the engine, of `count`, that owns the host of `url`, if it is not part of a
    /// balanced target.
    ///
    /// ```
    /// use fetch_proto::Shard;
    /// let one = Shard::owner_of(&"https://a.test/x".parse()?, 4);
    /// assert_eq!(one, Shard::owner_of(&"https://me:secret@a.test:443/y?z".parse()?, 4));
    /// assert!(one < 4);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn owner_of(url: &Url, count: u32) -> u32 {
        let mut scratch = alloc::string::String::new();
        let hash = host_seed(0, origin(url, &mut scratch));
        (hash % u64::from(count.max(1))) as u32
    }
}

/// The number of an engine with this seed.
pub(super) fn number_of_seed(seed: u64) -> u16 {
    (mix(seed, 1) % (u64::from(MAX_ENGINE) + 1)) as u16
}

/// A fetch that moves from one engine to another with its whole state, and with it the fetches that
/// wait for its response.
///
/// With the feature `serde` it can go to another process, whose clock is another one: its limits and
/// waits then continue with the time that was left when it was exported. User name and password of a
/// redirect's `Location` are secret, so they are not serialised.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct FetchTransfer {
    /// When it was exported, by the clock of the exporting engine.
    exported: Timestamp,
    /// Whether it comes from another process, whose clock is another one.
    #[cfg_attr(feature = "serde", serde(skip, default = "is_deserialized"))]
    is_foreign: bool,
    leader_key: Option<ShareKey>,
    /// The first is the leader; the others follow it.
    fetches: Vec<TransferredFetch>,
}

#[cfg(feature = "serde")]
fn is_deserialized() -> bool {
    true
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct TransferredFetch {
    cold: Option<Box<ColdState>>,
    fetch: Fetch,
    id: FetchId,
    priority: i8,
    rule: u32,
}

impl FetchTransfer {
    /// The ids in the exporting engine, in the order of those that [`Engine::import_fetch`] returns.
    ///
    /// ```
    /// # use fetch_proto::{FetchId, FetchTransfer};
    /// fn first(transfer: &FetchTransfer) -> Option<FetchId> {
    ///     transfer.ids().next()
    /// }
    /// ```
    pub fn ids(&self) -> impl Iterator<Item = FetchId> {
        self.fetches.iter().map(|fetch| fetch.id)
    }
}

impl Engine {
    /// The number that is part of the ids of its fetches, below 1,024. An id with another number matches
    /// nothing. It depends on the seed, so two engines with different seeds nearly always have different
    /// numbers; [`set_shard`](Self::set_shard) and [`set_number`](Self::set_number) make sure of it.
    ///
    /// ```
    /// use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.set_number(5);
    /// assert_eq!(engine.number(), 5);
    /// ```
    #[must_use]
    pub fn number(&self) -> u16 {
        self.fetches.engine()
    }

    /// Sets the number that is part of the ids of all further fetches, modulo 1,024.
    ///
    /// ```
    /// use fetch_proto::{Engine, EngineConfig, FetchRequest, InputEffect, Timestamp};
    ///
    /// let now = Timestamp::START;
    /// let [mut one, mut other] = [0, 1].map(|number| {
    ///     let mut engine = Engine::new(EngineConfig::default(), 7, now);
    ///     engine.set_number(number);
    ///     engine
    /// });
    /// let id = one.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
    /// other.submit(FetchRequest::get("http://b.test/".parse()?), now)?;
    /// assert_eq!(other.cancel(id, now), InputEffect::Stale);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_number(&mut self, number: u16) {
        self.fetches.set_engine(number & MAX_ENGINE);
    }

    /// Makes this one of several engines. A fetch whose host belongs to another engine, from the start
    /// or since a redirect or its fallback, is then reported by [`EngineOutput::Transfer`]. All
    /// engines must have the same configuration, and in one process the same clock. The engine's
    /// [number](Self::number) becomes that of the shard.
    ///
    /// ```
    /// use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, Shard, Timestamp};
    ///
    /// let now = Timestamp::START;
    /// let mut engines = [0, 1].map(|index| {
    ///     let mut engine = Engine::new(EngineConfig::default(), 7, now);
    ///     engine.set_shard(Shard { index, count: 2 });
    ///     engine
    /// });
    /// engines[0].submit(FetchRequest::get("http://c.test/".parse()?), now)?;
    /// let attempt = loop {
    ///     match engines[0].poll(now) {
    ///         EngineOutput::Transfer { id, to } => {
    ///             let transfer = engines[0].export_fetch(id, now).unwrap();
    ///             let _ids = engines[to as usize].import_fetch(transfer, now).unwrap();
    ///         }
    ///         EngineOutput::Start(attempt) => break attempt,
    ///         _ => engines.swap(0, 1),
    ///     }
    /// };
    /// assert_eq!(attempt.url.as_str(), "http://c.test/");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_shard(&mut self, shard: Shard) {
        self.shard = Some(shard);
        self.set_number((shard.index % (u32::from(MAX_ENGINE) + 1)) as u16);
    }

    /// Removes the fetch that [`EngineOutput::Transfer`] reported, for the engine that owns its
    /// host. Its id becomes invalid in this engine. Returns `None` if the fetch has ended or no
    /// longer waits for a transfer.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, FetchId, Timestamp};
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert!(engine.export_fetch(FetchId::STANDALONE, Timestamp::START).is_none());
    /// ```
    pub fn export_fetch(&mut self, id: FetchId, now: Timestamp) -> Option<FetchTransfer> {
        let now = self.clock.advance(now);
        let index = self.fetches.find(id)?;
        let slot = self.fetches.get(index)?;
        if !slot.fetch.is_waiting_for_slot() || slot.is_queued {
            return None;
        }
        let leader = self.remove_for_transfer(index, now)?;
        let mut transfer = FetchTransfer {
            exported: now,
            is_foreign: false,
            leader_key: None,
            fetches: alloc::vec![leader],
        };
        if let Some(cold) = &mut transfer.fetches[0].cold {
            transfer.leader_key = cold.leader_key.take();
            let followers = core::mem::take(&mut cold.followers).into_iter();
            let followers = followers.filter(|id| self.fetches.is_following(*id));
            let indices: Vec<_> = followers.filter_map(|id| self.fetches.find(id)).collect();
            let removed = indices
                .into_iter()
                .filter_map(|index| self.remove_for_transfer(index, now));
            transfer.fetches.extend(removed);
        }
        if let Some(key) = &transfer.leader_key {
            self.single_flight.remove(key, id);
        }
        Some(transfer)
    }

    /// Adds a fetch of another engine and continues with it, even if there is no room. Returns the
    /// ids of all transferred fetches, in the order of [`FetchTransfer::ids`]. See
    /// [`set_shard`](Self::set_shard).
    ///
    /// # Errors
    ///
    /// Returns the transfer if the engine was closed.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, FetchId, FetchTransfer, Timestamp};
    /// fn import(engine: &mut Engine, transfer: FetchTransfer, now: Timestamp) -> Vec<FetchId> {
    ///     engine.import_fetch(transfer, now).unwrap_or_default()
    /// }
    /// ```
    pub fn import_fetch(
        &mut self,
        transfer: FetchTransfer,
        now: Timestamp,
    ) -> Result<Vec<FetchId>, FetchTransfer> {
        let now = self.clock.advance(now);
        if self.closed {
            return Err(transfer);
        }
        let mut ids = Vec::new();
        for mut fetch in transfer.fetches {
            if transfer.is_foreign {
                fetch.fetch.rebase(transfer.exported, now);
            }
            ids.push(self.insert_transferred(fetch));
        }
        let Some((leader, followers)) = ids.split_first() else {
            return Ok(ids);
        };
        let index = leader.slot;
        if let Some(key) = transfer.leader_key
            && let Some(slot) = self.fetches.get_mut(index)
        {
            let cold = slot.cold_mut();
            cold.followers = followers.to_vec();
            cold.leader_key = Some(key);
        }
        self.enqueue_fetch(index, now);
        Ok(ids)
    }

    fn insert_transferred(&mut self, transferred: TransferredFetch) -> FetchId {
        let id = self.fetches.next_id();
        let fetch = transferred.fetch.with_id(id);
        let host = self.intern_host(fetch.target());
        self.hosts.get_mut(host).live += 1;
        // The rules may have been changed during the transfer.
        let rules = self.config.rules.iter().len();
        let rule = Some(transferred.rule).filter(|rule| *rule as usize <= rules);
        let rule = rule.unwrap_or(NO_INDEX);
        let mut slot = FetchSlot::new(fetch, host, rule, transferred.priority);
        slot.settled = slot.fetch.ended_attempts().len() as u16;
        slot.cold = transferred.cold;
        let index = self.fetches.insert(slot);
        // Polling it sets its timer: its time limits continue.
        self.mark_for_poll(index);
        id
    }

    fn remove_for_transfer(&mut self, index: u32, now: Timestamp) -> Option<TransferredFetch> {
        let id = self.fetches.id(index);
        let host = self.fetches.get(index)?.host;
        self.hosts.dequeue(host, &mut self.fetches, index);
        self.timers.set_fetch(index, None);
        let slot = self.fetches.take(index)?;
        self.leave_host(host, now);
        Some(TransferredFetch {
            cold: slot.cold,
            fetch: slot.fetch,
            id,
            priority: slot.priority,
            rule: slot.rule,
        })
    }

    /// Requests the transfer of the fetch if its host belongs to another engine. Returns whether it
    /// does.
    pub(super) fn request_transfer(&mut self, index: u32) -> bool {
        let Some((shard, slot)) = self.shard.zip(self.fetches.get(index)) else {
            return false;
        };
        let url = slot.fetch.target();
        let to = match self.config.is_balanced(url) {
            true => 0,
            false => Shard::owner_of(url, shard.count),
        };
        if to != shard.index {
            let id = self.fetches.id(index);
            self.outputs.push(EngineOutput::Transfer { id, to });
        }
        to != shard.index
    }
}

impl EngineConfig {
    /// Whether the host of `url` is a balanced target, or an endpoint of one.
    fn is_balanced(&self, url: &Url) -> bool {
        if self.targets.is_empty() {
            return false;
        }
        let origin = url.origin();
        self.targets.iter().any(|(known, target)| {
            let mut endpoints = target.endpoints.iter();
            known.origin() == origin || endpoints.any(|endpoint| endpoint.url.origin() == origin)
        })
    }
}
