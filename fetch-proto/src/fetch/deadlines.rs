//! What happens by itself, as time goes on.

use super::flight::{Flight, Held, earlier};
use super::outbox::Word;
use super::{Fetch, State, World};
use crate::model::failure::TimeLimit;
use crate::model::id::AttemptId;
use crate::model::outcome::{AttemptEnd, FetchError};
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};

impl Fetch {
    /// The earliest time at which something happens by itself.
    pub(super) fn wake(&self) -> Option<NextWake> {
        let at = |at, why| Some(NextWake { at, why });
        let own = match &self.state {
            State::Waiting { .. } => self
                .policy
                .timeouts
                .queue
                .and_then(|limit| at(self.since + limit, WakeReason::Limit(TimeLimit::Queue))),
            State::Flying => self
                .flights
                .iter()
                .filter_map(|flight| flight.wake(&self.policy, self.delivery))
                .min()
                .into_iter()
                .chain(self.racing.wake())
                .min(),
            State::Sleeping { until } => at(*until, WakeReason::Backoff),
            State::Over { .. } => return None,
        };
        let total = self
            .deadline()
            .and_then(|t| at(t, WakeReason::Limit(TimeLimit::Total)));
        earlier(own, total)
    }

    /// When the total limit ends.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        Some(self.started? + self.policy.timeouts.total?)
    }

    /// Does all that is due at `now`. Tells what will be next.
    pub(super) fn expire(&mut self, now: Timestamp, world: &mut dyn World) -> Option<NextWake> {
        loop {
            let wake = self.wake();
            let Some(wake) = wake.filter(|wake| wake.at <= now) else {
                return wake;
            };
            match wake.why {
                WakeReason::Backoff => {
                    self.backoff += now.saturating_since(self.since);
                    self.queue(now);
                }
                WakeReason::Hedge => self.want_hedge(world, now),
                WakeReason::Limit(limit @ (TimeLimit::Queue | TimeLimit::Total)) => {
                    self.abort_all(AttemptEnd::TimedOut(limit), now);
                    self.finish_or_fall_back(FetchError::TimedOut(limit), now);
                }
                WakeReason::Fault | WakeReason::Limit(_) => self.expire_flight(wake, now, world),
                WakeReason::Host | WakeReason::Rate | WakeReason::Rule => {
                    unreachable!("a fetch knows none of them")
                }
            }
        }
    }

    /// Does what is due for one of the flights.
    pub(super) fn expire_flight(&mut self, wake: NextWake, now: Timestamp, world: &mut dyn World) {
        let due = |flight: &&Flight| flight.wake(&self.policy, self.delivery) == Some(wake);
        let Some(id) = self.flights.iter().find(due).map(|flight| flight.id) else {
            return;
        };
        match wake.why {
            WakeReason::Limit(limit) => self.on_timeout(id, limit, now, world),
            _ => self.release(id, now, world),
        }
    }

    /// Lets go what chaos held back.
    pub(super) fn release(&mut self, id: AttemptId, now: Timestamp, world: &mut dyn World) {
        let flight = self.flight_mut(id);
        let held = flight.and_then(|flight| flight.special.as_mut()?.held.take());
        match held {
            Some(Held::Failing(failure)) => self.on_end(id, Err(failure), now, world),
            Some(Held::Until(_, attempt)) => self.outbox.push(Word::Start(attempt)),
            Some(Held::ForEver) | None => {}
        }
    }

    pub(super) fn sleep(&mut self, until: Timestamp, now: Timestamp) {
        if until > now {
            self.since = now;
            self.state = State::Sleeping { until };
        } else {
            self.queue(now);
        }
    }

    pub(super) fn queue(&mut self, now: Timestamp) {
        self.since = now;
        self.state = State::Waiting { told: false };
    }
}
