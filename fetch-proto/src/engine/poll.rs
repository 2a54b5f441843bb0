//! Polling: fetches whose state has changed, timers that are due, and what to do when nothing is.

use super::admission::context::with_context;
use super::admission::settle::EndedAttempt;
use super::state::timers::DueTimer;
use super::{Engine, EngineOutput, IdleState};
use crate::fetch::FetchStep;
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};

impl Engine {
    /// Whether no output is queued and no fetch needs polling.
    pub(super) fn is_drained(&self) -> bool {
        self.poll_queue.is_empty() && self.outputs.is_empty()
    }

    /// Adds the fetch to the poll queue, unless it is in it.
    pub(super) fn mark_for_poll(&mut self, index: u32) {
        if let Some(slot) = self.fetches.get_mut(index) {
            self.poll_queue.push(index, &mut slot.in_poll_queue);
        }
    }

    /// Polls the fetch later, if that has an effect; otherwise only sets its timer.
    pub(super) fn update_fetch(&mut self, index: u32, now: Timestamp) {
        let Some(slot) = self
            .fetches
            .get_mut(index)
            .filter(|slot| !slot.in_poll_queue)
        else {
            return;
        };
        match slot.rest(now) {
            Some(wake) => self.timers.set_fetch(index, wake),
            None => self.poll_queue.push(index, &mut slot.in_poll_queue),
        }
    }

    /// Removes the fetch, which is first in the poll queue, if another poll would have no effect.
    fn end_poll(&mut self, index: u32, now: Timestamp) {
        if let Some(slot) = self.fetches.get_mut(index)
            && let Some(wake) = slot.rest(now)
        {
            slot.in_poll_queue = false;
            self.poll_queue.pop();
            self.timers.set_fetch(index, wake);
        }
    }

    /// Polls fetches until one has an output or needs a grant to start. That fetch stays first in
    /// the queue until it has no more outputs.
    pub(super) fn poll_fetches(&mut self, now: Timestamp) -> Option<EngineOutput> {
        while self.held_start.is_none()
            && let Some(index) = self.poll_queue.front()
        {
            let id = self.fetches.id(index);
            let Some(step) = self.poll_fetch(index, now) else {
                self.poll_queue.pop();
                continue;
            };
            let output = match step {
                FetchStep::Abort(id) => Some(EngineOutput::Abort(id)),
                FetchStep::Accept(id) => Some(EngineOutput::Accept(id)),
                FetchStep::Discard(id) => Some(EngineOutput::Discard(id)),
                FetchStep::Event(event) => Some(EngineOutput::Event(Some(id), event)),
                FetchStep::Start(attempt) => Some(EngineOutput::Start(*attempt)),
                FetchStep::Ready if self.is_in_flight(index) => {
                    self.start_hedge(index, now).map(EngineOutput::Start)
                }
                FetchStep::Ready => {
                    self.enqueue_fetch(index, now);
                    None
                }
                FetchStep::Done(mut outcome) => {
                    self.poll_queue.pop();
                    outcome.auth_profile = self.profile_of(index);
                    self.stats.count_outcome(&outcome);
                    if let Some(cold) = self.remove_fetch(index, now) {
                        self.settle_followers(id, *cold, &outcome);
                    }
                    let done = EngineOutput::Done(id, outcome);
                    return Some(self.outputs.push_and_pop(done));
                }
                FetchStep::Wait(_) => None,
            };
            self.end_poll(index, now);
            if output.is_some() {
                return output;
            }
        }
        None
    }

    /// Polls one fetch, and settles its attempts that have ended since.
    fn poll_fetch(&mut self, index: u32, now: Timestamp) -> Option<FetchStep> {
        let slot = self.fetches.get_mut(index)?;
        let outages = self.config.effective_outage_wait();
        let (fetch, mut context) =
            with_context(slot, &mut self.hosts, &mut self.retry_budget, outages);
        let step = fetch.poll_with(now, &mut context);
        while let Some(attempt) = EndedAttempt::next(self.fetches.get_mut(index)?, &step) {
            self.settle(&attempt, now);
            self.end_login_probe(attempt.permit(), self.fetches.id(index), now);
        }
        Some(step)
    }

    fn is_in_flight(&self, index: u32) -> bool {
        let slot = self.fetches.get(index);
        slot.is_some_and(|slot| slot.fetch.is_in_flight())
    }

    /// Handles one timer that is due. Returns whether there was any.
    pub(super) fn handle_due_timer(&mut self, now: Timestamp) -> bool {
        match self.timers.pop_due(now) {
            Some(DueTimer::Fetch(index)) => {
                self.mark_for_poll(index);
                return true;
            }
            Some(DueTimer::Host(host)) => {
                self.on_host_timer(host, now);
                return true;
            }
            None => {}
        }
        if self.start_due_acquisitions(now) {
            return true;
        }
        let rules = &mut self.rates.rules;
        if rules.wake().is_none_or(|wake| wake.at > now) {
            return false;
        }
        let is_live = |id| self.fetches.find(id).is_some();
        if let Some(id) = rules.pop_due(now, is_live) {
            self.requeue_deferred(id, now);
        }
        true
    }

    /// Handles a host's timer: its pause is over, or its state may be dropped.
    fn on_host_timer(&mut self, host: u32, now: Timestamp) {
        if !self.hosts.contains(host) {
            return;
        }
        self.give_up_if_due(host, now);
        if self.hosts.get(host).is_held {
            self.update_hold(host, now);
        }
        self.offer_turns(host, now);
        let state = self.hosts.get(host);
        if state.is_held
            && let Some(until) = state.paused_until.filter(|until| *until > now)
        {
            self.timers.advance_host(host, until);
        }
        let until = state.retain_until();
        if state.live == 0 && until > now {
            self.timers.set_host(host, until); // it fired for another reason
        } else {
            self.hosts.remove_if_unused(host, now);
        }
    }

    pub(super) fn idle_state(&self, now: Timestamp) -> IdleState {
        let waits_for_rate = !self.host_turns.is_empty() && self.concurrency.has_capacity();
        let rate = waits_for_rate.then(|| self.rates.wake(now)).flatten();
        let token = self.tokens.wake().map(|at| NextWake {
            at,
            why: WakeReason::Token,
        });
        let wakes = [self.timers.earliest(), self.rates.rules.wake(), rate, token];
        let wake = wakes.into_iter().flatten().min();
        IdleState {
            live: self.fetches.len(),
            room: if self.closed { 0 } else { self.room() },
            wake: wake.map(|wake| NextWake {
                at: self.clock.to_driver(wake.at),
                why: wake.why,
            }),
        }
    }
}
