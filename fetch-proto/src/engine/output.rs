//! The engine's outputs to its driver.

use alloc::boxed::Box;
use core::fmt;

use crate::fetch::request::FetchRequest;
use crate::model::attempt::Attempt;
use crate::model::event::DecisionEvent;
use crate::model::id::{AttemptId, FetchId};
use crate::model::outcome::FetchOutcome;
use crate::model::token::TokenUse;
use crate::model::wake::NextWake;

/// The next action of the driver.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[must_use]
pub enum EngineOutput {
    /// Drop this attempt, whatever its progress. Later inputs about it are stale.
    Abort(AttemptId),
    /// Deliver the body of this response to the consumer, and report its progress.
    Accept(AttemptId),
    /// Acquire the token of this profile and generation, which attempts will name in
    /// [`Attempt::token`], and report it by
    /// [`token_acquired`](crate::Engine::token_acquired) or
    /// [`token_failed`](crate::Engine::token_failed). The tokens of earlier generations may be
    /// forgotten when it is there. An earlier acquisition for the profile that has not ended is to be
    /// dropped: it took too long.
    AcquireToken(TokenUse),
    /// Read the body of this response and report its progress, but do not deliver it.
    Discard(AttemptId),
    /// This fetch has ended.
    Done(FetchId, FetchOutcome),
    /// A decision and its reason, if [`EngineConfig::events`](crate::EngineConfig::events) is set.
    /// Decisions of the engine itself have no fetch.
    Event(Option<FetchId>, DecisionEvent),
    /// Nothing to do for now.
    Idle(IdleState),
    /// The host of this fetch belongs to another engine: [`export`](crate::Engine::export_fetch) it,
    /// and let that engine [`import`](crate::Engine::import_fetch) it. Only after
    /// [`set_shard`](crate::Engine::set_shard).
    #[cfg_attr(feature = "serde", serde(rename = "Leave"))]
    Transfer {
        /// The fetch.
        id: FetchId,
        /// The [`Shard::index`](crate::Shard::index) of the other engine.
        to: u32,
    },
    /// Send this request.
    Start(Attempt),
}

/// The state of an engine that has nothing to do for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct IdleState {
    /// Fetches that have not ended.
    pub live: usize,
    /// Fetches that may be submitted.
    pub room: usize,
    /// When to poll again if nothing is handled or submitted before.
    pub wake: Option<NextWake>,
}

/// A request that was not accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RejectedRequest {
    /// The request.
    pub request: Box<FetchRequest>,
    /// The reason.
    pub why: RejectReason,
}

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The engine was closed.
    Closed,
    /// There is no room: as many fetches are live as
    /// [`EngineConfig::window`](crate::EngineConfig::window) allows.
    Full,
    /// The URL has no host, whose queue and limits would apply.
    NoHost,
}

impl fmt::Display for RejectedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            RejectReason::Closed => "the engine is closed",
            RejectReason::Full => "the window is full: submit no more than `IdleState::room`",
            RejectReason::NoHost => "its URL has no host: submit one such as http://a.test/",
        };
        write!(f, "{} was not submitted: {why}", self.request.url)
    }
}

impl core::error::Error for RejectedRequest {}
