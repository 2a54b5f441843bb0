//! Whose turn it is: fetches to which something happened, and what is due.

use super::settle::Landing;
use super::slab::Slab;
use super::world::Shared;
use super::{Engine, Idle, Output, shifted};
use crate::fetch::Step;
use crate::model::time::Timestamp;
use crate::model::wake::NextWake;

impl Engine {
    /// Whether there is nothing to tell, nor anyone to ask: whose turn came to nothing has to be.
    pub(super) fn is_quiet(&self) -> bool {
        self.dirty.is_empty() && self.events.is_empty() && self.outbox.is_empty()
    }

    /// Polls the fetches to which something happened, until one has something to say.
    pub(super) fn poll_dirty(&mut self, now: Timestamp) -> Option<Output> {
        while let Some(&index) = self.dirty.front() {
            let id = self.slots.id(index);
            let Some(step) = self.step(index, now) else {
                self.dirty.pop_front();
                continue;
            };
            match step {
                Step::Abort(id) => return Some(Output::Abort(id)),
                Step::Accept(id) => return Some(Output::Accept(id)),
                Step::Discard(id) => return Some(Output::Discard(id)),
                Step::Event(event) => return Some(Output::Event(Some(id), event)),
                Step::Start(attempt) => return Some(Output::Start(*attempt)),
                Step::Ready if self.is_flying(index) => {
                    if let Some(attempt) = self.race(index, now) {
                        return Some(Output::Start(attempt));
                    }
                }
                Step::Ready => self.line_up(index, now),
                Step::Done(outcome) => {
                    self.dirty.pop_front();
                    self.stats.count(&outcome);
                    if let Some(rare) = self.remove(index, now) {
                        self.pass_on(id, *rare, &outcome);
                    }
                    let done = Output::Done(id, outcome);
                    if self.outbox.is_empty() {
                        return Some(done);
                    }
                    self.outbox.push_back(done);
                    return self.outbox.pop_front();
                }
                Step::Wait(wake) => {
                    slot_clean(&mut self.slots, index);
                    self.dirty.pop_front();
                    self.timers.set(index, wake);
                }
            }
        }
        None
    }

    /// Asks a fetch what it wants, and settles the attempts that have landed since.
    pub(super) fn step(&mut self, index: u32, now: Timestamp) -> Option<Step> {
        let slot = self.slots.get_mut(index)?;
        let mut world = Shared {
            guards: self.hosts.get_mut(slot.host).guards.as_deref_mut(),
            probes: slot.probes(),
            tokens: self.tokens.as_mut(),
            rare: &mut slot.rare,
        };
        let step = slot.fetch.poll_in(now, &mut world);
        while let Some(landing) = Landing::next(self.slots.get_mut(index)?, &step) {
            self.settle(&landing, now);
        }
        Some(step)
    }

    pub(super) fn is_flying(&self, index: u32) -> bool {
        self.slots
            .get(index)
            .is_some_and(|slot| slot.fetch.is_flying())
    }

    /// Moves what is due into the list to poll. Whether there was anything.
    pub(super) fn wake_due(&mut self, now: Timestamp) -> bool {
        if let Some((_, index)) = self.timers.peek().filter(|(wake, _)| wake.at <= now) {
            self.timers.set(index, None);
            self.touch(index);
            return true;
        }
        if let Some((_, host)) = self.host_timers.peek().filter(|(wake, _)| wake.at <= now) {
            self.host_timers.set(host, None);
            self.host_woke(host, now);
            return true;
        }
        let is_live = |id| self.slots.find(id).is_some();
        if self.gates.wake().is_some_and(|wake| wake.at <= now) {
            let due = self.gates.due(now, is_live);
            if let Some(id) = due {
                self.rejoin(id, now);
            }
            return true;
        }
        false
    }

    /// A host's rest is over.
    pub(super) fn host_woke(&mut self, host: u32, now: Timestamp) {
        if !self.hosts.exists(host) {
            return;
        }
        self.offer(host, now);
        for target in self.hosts.get(host).serves.clone() {
            self.offer(target, now);
        }
        let state = self.hosts.get(host);
        let until = state.remembers_until();
        if state.live == 0 && until > now {
            self.wake_host(host, until); // it was called for another reason
        } else {
            self.hosts.evict(host, now);
        }
    }

    pub(super) fn idle(&self, now: Timestamp) -> Idle {
        let timers = [self.timers.peek(), self.host_timers.peek()];
        let timers = timers.into_iter().flatten().map(|(wake, _)| wake);
        let wakes = timers.chain(self.gates.wake()).chain(self.rate_wake(now));
        Idle {
            live: self.slots.live(),
            room: if self.closed { 0 } else { self.room() },
            wake: wakes.min().map(|wake| NextWake {
                at: shifted(wake.at, self.offset.saturating_neg()),
                why: wake.why,
            }),
        }
    }
}

fn slot_clean(slots: &mut Slab, index: u32) {
    if let Some(slot) = slots.get_mut(index) {
        slot.dirty = false;
    }
}
