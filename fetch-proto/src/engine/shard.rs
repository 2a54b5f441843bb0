//! Several engines, each with hosts of its own: whose a host is, and how a fetch goes over.

use alloc::boxed::Box;
use alloc::vec::Vec;

use url::Url;

use super::hosts::{origin, seed_of};
use super::slab::Key;
use super::slab::{NONE, Rare, Slot};
use super::{Engine, Output};
use crate::fetch::Fetch;
use crate::model::id::FetchId;
use crate::model::time::Timestamp;

/// Which hosts are an engine's own, if there are several engines: each host has one, so that limits per
/// host hold without anything in common.
///
/// Hosts that [targets](crate::Config::target) are served from, or that are targets, are all the first
/// engine's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Part {
    /// Which of the engines this is, from 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Part {
    /// Which of so many engines the host of `url` belongs to, if it has nothing to do with a target.
    ///
    /// ```
    /// use fetch_proto::Part;
    /// let one = Part::owner(&"https://a.test/x".parse()?, 4);
    /// assert_eq!(one, Part::owner(&"https://me:secret@a.test:443/y?z".parse()?, 4));
    /// assert!(one < 4);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn owner(url: &Url, of: u32) -> u32 {
        let mut scratch = alloc::string::String::new();
        let hash = seed_of(0, origin(url, &mut scratch));
        (hash % u64::from(of.max(1))) as u32
    }
}

/// A fetch on its way from one engine to another, with all that it has been through; and with it those
/// that wait for its response.
#[derive(Clone, Debug)]
pub struct Moved {
    leads: Option<Key>,
    /// The first is the one whose host is another engine's.
    members: Vec<Member>,
}

#[derive(Clone, Debug)]
struct Member {
    fetch: Fetch,
    id: FetchId,
    priority: i8,
    rare: Option<Box<Rare>>,
    rule: u32,
}

impl Moved {
    /// The ids that they had, in the order of those that [`Engine::adopt`] gives them.
    ///
    /// ```
    /// # use fetch_proto::{FetchId, Moved};
    /// fn first(moved: &Moved) -> Option<FetchId> {
    ///     moved.ids().next()
    /// }
    /// ```
    pub fn ids(&self) -> impl Iterator<Item = FetchId> {
        self.members.iter().map(|member| member.id)
    }
}

impl Engine {
    /// Makes this one of several engines. A fetch whose host is another's, at first or since a redirect
    /// or its fallback leads there, then goes over: [`Output::Leave`] tells. All engines must have the
    /// same configuration and clock.
    ///
    /// ```
    /// use fetch_proto::{Config, Engine, Output, Part, FetchRequest, Timestamp};
    ///
    /// let now = Timestamp::START;
    /// let mut engines = [0, 1].map(|index| {
    ///     let mut engine = Engine::new(Config::default(), 7, now);
    ///     engine.set_part(Part { index, of: 2 });
    ///     engine
    /// });
    /// engines[0].submit(FetchRequest::get("http://c.test/".parse()?), now)?;
    /// let attempt = loop {
    ///     match engines[0].poll(now) {
    ///         Output::Leave { id, to } => {
    ///             let moved = engines[0].take(id, now).unwrap();
    ///             let _ids = engines[to as usize].adopt(moved, now).unwrap();
    ///         }
    ///         Output::Start(attempt) => break attempt,
    ///         _ => engines.swap(0, 1),
    ///     }
    /// };
    /// assert_eq!(attempt.url.as_str(), "http://c.test/");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_part(&mut self, part: Part) {
        self.part = Some(part);
    }

    /// Takes out the fetch that [`Output::Leave`] told of, for the engine that it goes to: its id here
    /// is over. `None` if it ended, or found another way, meanwhile.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, FetchId, Timestamp};
    /// let mut engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// assert!(engine.take(FetchId::STANDALONE, Timestamp::START).is_none());
    /// ```
    pub fn take(&mut self, id: FetchId, now: Timestamp) -> Option<Moved> {
        let now = self.advance(now);
        let index = self.slots.find(id)?;
        let slot = self.slots.get(index)?;
        if !slot.fetch.is_waiting() || slot.queued {
            return None;
        }
        let leader = self.part_with(index, now)?;
        let mut moved = Moved {
            leads: None,
            members: alloc::vec![leader],
        };
        if let Some(rare) = &mut moved.members[0].rare {
            moved.leads = rare.leads.take();
            let followers = core::mem::take(&mut rare.followers);
            let followers = followers.into_iter().filter(|id| self.follows(*id));
            let places: Vec<_> = followers.filter_map(|id| self.slots.find(id)).collect();
            let members = places.into_iter().filter_map(|i| self.part_with(i, now));
            moved.members.extend(members);
        }
        if let Some(key) = &moved.leads {
            self.stop_leading(key, id);
        }
        Some(moved)
    }

    /// Goes on with a fetch of another engine, whether or not there is room. Gives the ids of all that
    /// came, in the order of [`Moved::ids`]. See [`set_part`](Self::set_part).
    ///
    /// # Errors
    ///
    /// Gives it back if the engine was closed.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, FetchId, Moved, Timestamp};
    /// fn go_on(engine: &mut Engine, moved: Moved, now: Timestamp) -> Vec<FetchId> {
    ///     engine.adopt(moved, now).unwrap_or_default()
    /// }
    /// ```
    pub fn adopt(&mut self, moved: Moved, now: Timestamp) -> Result<Vec<FetchId>, Moved> {
        let now = self.advance(now);
        if self.closed {
            return Err(moved);
        }
        let mut ids = Vec::new();
        for member in moved.members {
            ids.push(self.take_in(member));
        }
        let Some((leader, followers)) = ids.split_first() else {
            return Ok(ids);
        };
        let index = leader.slot;
        if let Some(key) = moved.leads
            && let Some(slot) = self.slots.get_mut(index)
        {
            let rare = slot.rare();
            rare.followers = followers.to_vec();
            rare.leads = Some(key);
        }
        self.line_up(index, now);
        Ok(ids)
    }

    fn take_in(&mut self, member: Member) -> FetchId {
        let id = self.slots.next_id();
        let fetch = member.fetch.with_id(id);
        let host = self.intern(fetch.target());
        self.hosts.get_mut(host).live += 1;
        // The configuration may have been changed while it was on its way.
        let rules = self.config.rules.iter().len();
        let rule = Some(member.rule).filter(|rule| *rule as usize <= rules);
        let mut slot = Slot::new(fetch, host, rule.unwrap_or(NONE), member.priority);
        slot.settled = slot.fetch.landed().len() as u16;
        slot.rare = member.rare;
        let index = self.slots.insert(slot);
        // Its limits run on.
        self.touch(index);
        id
    }

    fn part_with(&mut self, index: u32, now: Timestamp) -> Option<Member> {
        let id = self.slots.id(index);
        let host = self.slots.get(index)?.host;
        self.hosts.unlink(host, &mut self.slots, index);
        self.timers.set(index, None);
        let slot = self.slots.take(index)?;
        self.leave(host, now);
        Some(Member {
            fetch: slot.fetch,
            id,
            priority: slot.priority,
            rare: slot.rare,
            rule: slot.rule,
        })
    }

    /// Whether the fetch has to go to another engine; tells so.
    pub(super) fn sends_away(&mut self, index: u32) -> bool {
        let Some((part, slot)) = self.part.zip(self.slots.get(index)) else {
            return false;
        };
        let url = slot.fetch.target();
        let to = match self.config.is_balanced(url) {
            true => 0,
            false => Part::owner(url, part.of),
        };
        if to != part.index {
            let id = self.slots.id(index);
            self.outbox.push_back(Output::Leave { id, to });
        }
        to != part.index
    }
}

impl super::Config {
    /// Whether this is a target, or serves one.
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
