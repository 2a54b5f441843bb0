//! Assigns fetches to hosts, and removes hosts that are no longer needed.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::engine::Engine;
use crate::engine::output::EngineOutput;
use crate::engine::state::fetch_slab::{ChosenProfile, ColdState};
use crate::engine::state::single_flight::is_private_outcome;
use crate::model::event::DecisionEvent;
use crate::model::id::FetchId;
use crate::model::outcome::FetchOutcome;
use crate::model::time::Timestamp;

/// A pause that is extended by less is not reported again.
const NEW_PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// Puts a fetch that wants to start an attempt into the queue of its target's host.
    pub(crate) fn enqueue_fetch(&mut self, index: u32, now: Timestamp) {
        let Some(slot) = self.fetches.get(index) else {
            return;
        };
        let (old, is_unstarted) = (slot.host, slot.fetch.is_unstarted());
        let target = slot.fetch.target().clone();
        // A fetch that falls back because of its queue limit is still in the old host's queue.
        self.hosts.dequeue(old, &mut self.fetches, index);
        if let Some(slot) = self.fetches.get_mut(index).filter(|slot| {
            // It leaves a host that is waited for, by its fallback.
            self.hosts.get(old).is_held && self.hosts.find_url(slot.fetch.target()) != Some(old)
        }) {
            slot.fetch.release_limits(now);
        }
        if self.request_transfer(index) {
            return;
        }
        let host = self.intern_host(&target);
        if host != old {
            self.hosts.get_mut(host).live += 1;
            self.leave_host(old, now);
        }
        if let Some(slot) = self.fetches.get_mut(index) {
            slot.host = host;
            slot.auth = ChosenProfile::UNKNOWN; // the URL may be another one
        }
        if self.waits_for_token(index, now) {
            return;
        }
        // A fetch that had a turn goes before those that wait for their first turn. But if the
        // breaker has tripped, each probe is a different fetch, so that none uses up its attempts.
        let front = !is_unstarted && !self.hosts.get(host).has_tripped_breaker(now);
        self.hosts.enqueue(host, &mut self.fetches, index, front);
        if self.hosts.get(host).is_held {
            self.hold_fetch(index, now);
        }
        self.offer_turn(host, now);
    }

    /// Puts a fetch that its rule's rate deferred into its host's queue, unless it ended or queued
    /// elsewhere meanwhile.
    pub(crate) fn requeue_deferred(&mut self, id: FetchId, now: Timestamp) {
        let Some(index) = self.fetches.find(id) else {
            return;
        };
        let slot = self.fetches.get(index);
        if slot.is_some_and(|slot| slot.fetch.is_waiting_for_slot() && !slot.is_queued) {
            self.enqueue_fetch(index, now);
        }
    }

    /// Removes a fetch that has ended. Returns its cold state.
    pub(crate) fn remove_fetch(&mut self, index: u32, now: Timestamp) -> Option<Box<ColdState>> {
        let host = self.fetches.get(index)?.host;
        self.hosts.dequeue(host, &mut self.fetches, index);
        self.timers.set_fetch(index, None);
        let cold = self.fetches.remove(index);
        self.leave_host(host, now);
        cold
    }

    /// Ends the followers of an ended leader with its outcome. They are reported before the leader,
    /// while the driver still has the response to copy. If the outcome is private, the first
    /// follower sends the request instead.
    pub(crate) fn settle_followers(
        &mut self,
        leader: FetchId,
        cold: ColdState,
        outcome: &FetchOutcome,
    ) {
        let Some(key) = cold.leader_key else {
            return;
        };
        self.single_flight.remove(&key, leader);
        let followers = cold.followers.into_iter();
        let followers: Vec<_> = followers
            .filter(|id| self.fetches.is_following(*id))
            .collect();
        let now = self.clock.now();
        if is_private_outcome(outcome) {
            let promoted = self
                .single_flight
                .promote(key, &followers, &mut self.fetches, now);
            if let Some(index) = promoted {
                self.mark_for_poll(index);
            }
            return;
        }
        for follower in followers {
            let Some(index) = self.fetches.find(follower) else {
                continue;
            };
            let Some(slot) = self.fetches.get_mut(index) else {
                continue;
            };
            let shared = slot.fetch.finish_with_shared(leader, outcome, now);
            self.remove_fetch(index, now);
            self.stats.count_outcome(&shared);
            self.outputs.push(EngineOutput::Done(follower, shared));
        }
    }

    /// Decrements the number of live fetches of the host.
    pub(crate) fn leave_host(&mut self, host: u32, now: Timestamp) {
        self.hosts.get_mut(host).live -= 1;
        self.release_host(host, now);
    }

    /// Removes a host that no fetch needs, once its state may be dropped.
    pub(crate) fn release_host(&mut self, host: u32, now: Timestamp) {
        let state = self.hosts.get(host);
        if state.live > 0 || state.in_flight > 0 {
            return;
        }
        let until = state.retain_until();
        if until > now {
            self.timers.set_host(host, until);
        } else {
            self.hosts.remove_if_unused(host, now);
        }
    }

    /// Starts nothing at the host before `until`, because its server asked for a pause.
    pub(crate) fn pause_host(&mut self, host: u32, until: Timestamp, now: Timestamp) {
        let state = self.hosts.get_mut(host);
        let before = state.paused_until.filter(|before| *before > now);
        if before.is_some_and(|before| before >= until) {
            return;
        }
        if before.is_none() {
            state.paused_since = Some(now);
        }
        state.paused_until = Some(until);
        state.ramp_limit = self.config.slow_start.then_some(1);
        // Requests in flight get the same answer, some moments later.
        let is_news = before.is_none_or(|before| until.saturating_since(before) >= NEW_PAUSE);
        if is_news {
            let (host, pause) = (state.key.clone(), until.saturating_since(now));
            let event = DecisionEvent::HostPaused { host, pause };
            if pause >= DecisionEvent::LONG_PAUSE {
                self.outputs.push_important_event(event);
            } else {
                self.outputs.push_event(|| event);
            }
        }
        self.timers.set_host(host, until);
        self.update_hold(host, now);
        self.give_up_if_due(host, now);
    }
}
