//! A second attempt that races a slow first one.

use super::{Fetch, World, push};
use crate::model::event::DecisionEvent;
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};

/// Where a fetch stands with its hedges: for one try, its first attempt included.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Racing {
    /// How many were begun.
    begun: u8,
    /// When the next is due.
    due: Option<Timestamp>,
    wish: Wish,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum Wish {
    #[default]
    None,
    Untold,
    Told,
}

impl Racing {
    /// Whether a slot is wanted, and was asked for.
    pub(super) fn is_wanted(self) -> bool {
        self.wish == Wish::Told
    }

    /// Whether a wish was still to be told; now it is.
    pub(super) fn tell(&mut self) -> bool {
        let untold = self.wish == Wish::Untold;
        if untold {
            self.wish = Wish::Told;
        }
        untold
    }

    pub(super) fn wake(self) -> Option<NextWake> {
        self.due.map(|at| NextWake {
            at,
            why: WakeReason::Hedge,
        })
    }
}

impl Fetch {
    /// An attempt begins: when might the next one race it?
    pub(super) fn schedule_hedge(&mut self, now: Timestamp, world: &mut dyn World) {
        let Some(hedge) = &self.policy.hedge else {
            return;
        };
        if !self.flights.is_empty() {
            self.racing.begun = self.racing.begun.saturating_add(1);
        }
        self.racing.wish = Wish::None;
        let more = self.racing.begun < hedge.max && self.is_repeatable();
        self.racing.due = more
            .then(|| world.hedge_delay(hedge, now))
            .flatten()
            .map(|delay| now + delay);
    }

    /// Whether an attempt in flight may still bring the response.
    pub(super) fn has_contender(&self) -> bool {
        self.flights.iter().any(super::Flight::is_contending)
    }

    /// Whether one besides `id` may.
    pub(super) fn has_rival(&self, id: crate::AttemptId) -> bool {
        let mut others = self.flights.iter().filter(|flight| flight.id != id);
        others.any(super::Flight::is_contending)
    }

    /// It is time for a hedge: a slot is wanted, if the purse allows it.
    pub(super) fn want_hedge(&mut self, world: &mut dyn World, now: Timestamp) {
        self.racing.due = None;
        let awaited = self.flights.iter().all(super::Flight::is_awaited);
        if awaited && world.open(now).is_none() {
            self.racing.wish = Wish::Untold;
        }
    }

    /// There is no slot for a hedge: it is left out, not queued.
    pub(crate) fn skip_hedge(&mut self) {
        self.racing.wish = Wish::None;
    }

    /// One of several attempts came to nothing. Whether the next may follow at once.
    pub(super) fn lost_a_race(&mut self, go_on: bool, now: Timestamp) {
        let Some(hedge) = &self.policy.hedge else {
            return;
        };
        let more = self.racing.begun < hedge.max;
        self.racing.due = match self.racing.due {
            _ if !go_on || !more => None,
            _ if hedge.on_failure => Some(now),
            due => due,
        };
    }

    /// The first good head has come: the other attempts are not needed any more.
    pub(super) fn abandon_others(&mut self, winner: crate::AttemptId, now: Timestamp) {
        self.racing.due = None;
        self.racing.wish = Wish::None;
        let other = |fetch: &Self| {
            let mut ids = fetch.flights.iter().map(|flight| flight.id);
            ids.find(|id| *id != winner)
        };
        while let Some(loser) = other(self) {
            let refused = self
                .flight(loser)
                .is_some_and(|loser| !loser.is_contending());
            let end = if refused {
                crate::AttemptEnd::Responded
            } else {
                crate::AttemptEnd::Abandoned
            };
            self.abort(loser, end, now);
            push(&mut self.events, || DecisionEvent::Abandoned {
                attempt: loser.number,
                winner: winner.number,
            });
        }
    }
}
