//! The events of the main loop: outcomes, after their bodies are saved, and ticks.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use fetch_driver::{FetchAll, Outcome};
use futures_lite::Stream;

use super::body_saver::BodySaver;
use crate::outcome::saved_body::SavedBody;
use crate::robots::AdmittedRequests;

/// The interval of progress updates, flushes and checks for signals.
const TICK: Duration = Duration::from_millis(100);

/// The most consecutive outcomes before the timer is polled.
const MAX_STREAK: u32 = 256;

#[allow(
    clippy::large_enum_variant,
    reason = "it is a short-lived value on the stack"
)]
pub(crate) enum RunEvent {
    End,
    Outcome(Outcome, Option<SavedBody>),
    Tick,
}

/// A source of events. Many outcomes cannot starve the ticks.
pub(crate) struct RunEvents<'a> {
    /// Whether `fetches` has ended.
    ended: bool,
    pub(crate) fetches: &'a mut FetchAll<AdmittedRequests>,
    streak: u32,
    tick: smol::Timer,
}

impl<'a> RunEvents<'a> {
    pub(crate) fn new(fetches: &'a mut FetchAll<AdmittedRequests>) -> Self {
        Self {
            ended: false,
            fetches,
            streak: 0,
            tick: smol::Timer::interval(TICK),
        }
    }

    pub(crate) fn poll(
        &mut self,
        mut saver: Option<&mut BodySaver>,
        cx: &mut Context<'_>,
    ) -> Poll<RunEvent> {
        if self.streak < MAX_STREAK
            && let Poll::Ready(event) = self.poll_outcome(saver.as_deref_mut(), cx)
        {
            self.streak += 1;
            return Poll::Ready(event);
        }
        self.streak = 0;
        if Pin::new(&mut self.tick).poll_next(cx).is_ready() {
            return Poll::Ready(RunEvent::Tick);
        }
        self.poll_outcome(saver, cx)
    }

    /// The next outcome whose body is saved, or the end.
    fn poll_outcome(
        &mut self,
        mut saver: Option<&mut BodySaver>,
        cx: &mut Context<'_>,
    ) -> Poll<RunEvent> {
        loop {
            if let Some(saver) = &mut saver {
                if let Poll::Ready((outcome, saved)) = saver.poll_saved(cx) {
                    return Poll::Ready(RunEvent::Outcome(outcome, Some(saved)));
                }
                if !saver.has_capacity() || (self.ended && !saver.is_idle()) {
                    return Poll::Pending;
                }
            }
            if self.ended {
                return Poll::Ready(RunEvent::End);
            }
            let Some(outcome) = ready!(Pin::new(&mut *self.fetches).poll_next(cx)) else {
                self.ended = true;
                continue;
            };
            let started = match &mut saver {
                Some(saver) => saver.start(outcome),
                None => Err(outcome),
            };
            if let Err(outcome) = started {
                return Poll::Ready(RunEvent::Outcome(outcome, None));
            }
        }
    }
}
