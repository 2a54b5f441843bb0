//! Outcomes with their bodies kept, and the clock between them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use fetch_driver::{ErrorKind, FetchAll, FetchError, Outcome};
use futures_lite::Stream;

use super::body_saver::Keeper;
use crate::outcome::saved_body::Kept;
use crate::robots::AdmittedRequests;

/// How often the bar, the signals and the buffers are looked at.
const TICK: Duration = Duration::from_millis(100);

/// So many outcomes are taken one after the other before the clock is looked at.
const STREAK: u32 = 256;

/// What happened.
#[allow(
    clippy::large_enum_variant,
    reason = "it lives on the stack, for a moment"
)]
pub(super) enum Event {
    End,
    Outcome(Outcome, Option<Kept>),
    Tick,
}

/// The outcomes, and the clock, which has its turn even when there are many.
pub(super) struct Events<'a> {
    /// Whether there are no more outcomes.
    ended: bool,
    pub(super) outcomes: &'a mut FetchAll<AdmittedRequests>,
    streak: u32,
    tick: smol::Timer,
}

impl<'a> Events<'a> {
    pub(super) fn new(outcomes: &'a mut FetchAll<AdmittedRequests>) -> Self {
        Self {
            ended: false,
            outcomes,
            streak: 0,
            tick: smol::Timer::interval(TICK),
        }
    }

    pub(super) fn poll(
        &mut self,
        mut keeper: Option<&mut Keeper>,
        cx: &mut Context<'_>,
    ) -> Poll<Event> {
        if self.streak < STREAK
            && let Poll::Ready(event) = self.poll_outcome(keeper.as_deref_mut(), cx)
        {
            self.streak += 1;
            return Poll::Ready(event);
        }
        self.streak = 0;
        if Pin::new(&mut self.tick).poll_next(cx).is_ready() {
            return Poll::Ready(Event::Tick);
        }
        self.poll_outcome(keeper, cx)
    }

    /// The next outcome, after its body is where it belongs; or the end.
    fn poll_outcome(
        &mut self,
        mut keeper: Option<&mut Keeper>,
        cx: &mut Context<'_>,
    ) -> Poll<Event> {
        loop {
            if let Some(keeper) = &mut keeper {
                if let Poll::Ready((outcome, kept)) = keeper.poll(cx) {
                    return Poll::Ready(Event::Outcome(outcome, Some(kept)));
                }
                if !keeper.has_room() || (self.ended && !keeper.is_idle()) {
                    return Poll::Pending;
                }
            }
            if self.ended {
                return Poll::Ready(Event::End);
            }
            let Some(outcome) = ready!(Pin::new(&mut *self.outcomes).poll_next(cx)) else {
                self.ended = true;
                continue;
            };
            let back = match &mut keeper {
                Some(keeper) => keeper.take(outcome),
                None => Err(outcome),
            };
            if let Err(outcome) = back {
                return Poll::Ready(Event::Outcome(outcome, None));
            }
        }
    }
}

pub(super) fn is_cancelled(outcome: &Outcome) -> bool {
    let cancelled = ErrorKind::Fetch(FetchError::Cancelled);
    outcome
        .error()
        .is_some_and(|error| error.kind() == cancelled)
}
