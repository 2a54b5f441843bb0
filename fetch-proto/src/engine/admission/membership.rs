//! Which host a fetch belongs to, and how long a host is kept.

use alloc::boxed::Box;

use super::Engine;
use super::slab::Rare;
use crate::model::event::DecisionEvent;
use crate::model::id::FetchId;
use crate::model::time::Timestamp;

impl Engine {
    /// The fetch wants a slot on the host of its present target.
    pub(super) fn line_up(&mut self, index: u32, now: Timestamp) {
        let Some(slot) = self.slots.get(index) else {
            return;
        };
        let (old, first) = (slot.host, slot.fetch.is_first());
        let target = slot.fetch.target().clone();
        // Its queue limit may have turned it to its fallback while it was still in that queue.
        self.hosts.unlink(old, &mut self.slots, index);
        if self.sends_away(index) {
            return;
        }
        let host = self.intern(&target);
        if host != old {
            self.hosts.get_mut(host).live += 1;
            self.leave(old, now);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.host = host;
        }
        // A fetch that was admitted before is older than all that wait for the first time. But a host
        // that is down is probed with another each time, lest one spends all its attempts on it.
        let front = !first && !self.hosts.get(host).is_broken(now);
        self.hosts.enqueue(host, &mut self.slots, index, front);
        self.offer(host, now);
    }

    /// A fetch that was parked goes to its host's queue, unless it went elsewhere meanwhile.
    pub(super) fn rejoin(&mut self, id: FetchId, now: Timestamp) {
        let Some(index) = self.slots.find(id) else {
            return;
        };
        let slot = self.slots.get(index);
        if slot.is_some_and(|slot| slot.fetch.is_waiting() && !slot.queued) {
            self.line_up(index, now);
        }
    }

    /// Removes a fetch; what is left is what few have.
    pub(super) fn remove(&mut self, index: u32, now: Timestamp) -> Option<Box<Rare>> {
        let host = self.slots.get(index)?.host;
        self.hosts.unlink(host, &mut self.slots, index);
        self.timers.set(index, None);
        let rare = self.slots.remove(index);
        self.leave(host, now);
        rare
    }

    /// One fetch fewer belongs to the host.
    pub(super) fn leave(&mut self, host: u32, now: Timestamp) {
        self.hosts.get_mut(host).live -= 1;
        self.forget(host, now);
    }

    /// Drops a host that nothing needs, as soon as nothing is to be remembered of it.
    pub(super) fn forget(&mut self, host: u32, now: Timestamp) {
        let state = self.hosts.get(host);
        if state.live > 0 || state.flying > 0 {
            return;
        }
        // What must be remembered of it outlives its fetches: that ends by the host's timer.
        let until = state.remembers_until();
        if until > now {
            self.wake_host(host, until);
        } else {
            self.hosts.evict(host, now);
        }
    }

    pub(super) fn pause(&mut self, host: u32, until: Timestamp, now: Timestamp) {
        let state = self.hosts.get_mut(host);
        if state.paused.is_some_and(|before| before >= until) {
            return;
        }
        state.paused = Some(until);
        state.ramp = self.config.slow_start.then_some(1);
        let (host_key, pause) = (state.key.clone(), until.saturating_since(now));
        self.tell(|| DecisionEvent::HostPaused {
            host: host_key,
            pause,
        });
        self.wake_host(host, until);
    }
}
