//! What the engine says to its driver.

use alloc::boxed::Box;
use core::fmt;

use crate::fetch::request::FetchRequest;
use crate::model::attempt::Attempt;
use crate::model::event::DecisionEvent;
use crate::model::id::{AttemptId, FetchId};
use crate::model::outcome::FetchOutcome;
use crate::model::wake::NextWake;

/// What the driver should do now.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub enum Output {
    /// Drop that attempt, whatever it is doing. What it reports later is stale.
    Abort(AttemptId),
    /// Give that response's body to the consumer, and report it.
    Accept(AttemptId),
    /// Read that response's body and report it, but keep nothing.
    Discard(AttemptId),
    /// That fetch is over.
    Done(FetchId, FetchOutcome),
    /// A decision and its reason; only with [`Config::events`](crate::Config::events). The engine's own have no fetch.
    Event(Option<FetchId>, DecisionEvent),
    /// Nothing more to do for now.
    Idle(Idle),
    /// That fetch's host is another engine's: [`take`](crate::Engine::take) it, and let that one
    /// [`adopt`](crate::Engine::adopt) it. Only after [`set_part`](crate::Engine::set_part).
    Leave {
        /// The fetch.
        id: FetchId,
        /// The other engine's [`Part::index`](crate::Part::index).
        to: u32,
    },
    /// Send that request.
    Start(Attempt),
}

/// The state of a drained engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Idle {
    /// Fetches that are not over.
    pub live: usize,
    /// Fetches that may be submitted.
    pub room: usize,
    /// When to poll again, if nothing is handled or submitted before.
    pub wake: Option<NextWake>,
}

/// A request that was not taken, handed back.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The request.
    pub request: Box<FetchRequest>,
    /// Why.
    pub why: Refusal,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The engine was closed.
    Closed,
    /// There is no room: [`Config::window`](crate::Config::window) fetches are live.
    Full,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Refusal::Closed => "the engine is closed",
            Refusal::Full => "the window is full: submit no more than `Idle::room`",
        };
        write!(f, "{} was not submitted: {why}", self.request.url)
    }
}

impl core::error::Error for Rejected {}
