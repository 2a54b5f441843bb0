//! What the core asks of the driver, and what the driver reports back.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use url::Url;

use crate::model::failure::FailureKind;
use crate::model::id::AttemptId;
use crate::model::method::Method;
use crate::model::time::Timestamp;
use crate::model::timings::AttemptPhase;

/// A request that the driver should send now.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[must_use = "send it, then report exactly one `Input::End`"]
pub struct Attempt {
    /// Names the attempt in every [`Input`] about it.
    pub id: AttemptId,
    /// A pooled connection must not be used: the last one was found closed.
    pub fresh_connection: bool,
    /// The largest decoded body, in bytes.
    pub max_body: u64,
    /// The method, which a redirect may have changed.
    pub method: Method,
    /// Whether the request's body goes along: a redirect may have dropped it.
    pub send_body: bool,
    /// Whether `Authorization`, `Cookie` and what else the caller calls secret go along: not after a
    /// redirect to another origin.
    pub send_credentials: bool,
    /// The target.
    pub url: Arc<Url>,
}

/// What the driver saw of an attempt: plain data, so that a run can be recorded and replayed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Input {
    /// So many bytes of the decoded body came. The bytes themselves never enter the core.
    Body {
        /// How many.
        bytes: u64,
    },
    /// The attempt is over: the body is complete, or something failed. Exactly one for each
    /// [`Attempt`], unless it was aborted.
    End(Result<(), FailureKind>),
    /// The response's head is here. It is answered by `Accept`, `Discard` or `Abort`.
    Head(HeadSummary),
    /// A phase was done, at a time not later than the call's. For timings, and for the connect and
    /// first-byte limits.
    Mark(AttemptPhase, Timestamp),
    /// The consumer stopped reading, so the idle-read clock stands still.
    Paused,
    /// The consumer reads again.
    Resumed,
}

/// What the core must know of a response's head.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct HeadSummary {
    /// The `Location` field's value.
    pub location: Option<Box<str>>,
    /// How long the host wants to be left alone, by what its `RateLimit` fields say: the time to the
    /// reset if nothing remains. It counts with every status, and as `Retry-After` where that is
    /// missing.
    pub pause: Option<Duration>,
    /// How long the `Retry-After` field asks to wait. The driver, who knows the wall clock, turns a
    /// date into a duration; one in the past is zero.
    pub retry_after: Option<Duration>,
    /// The status code.
    pub status: u16,
}

impl HeadSummary {
    /// A head with this status and neither field.
    ///
    /// ```
    /// assert_eq!(fetch_proto::HeadSummary::status(200).location, None);
    /// ```
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self {
            location: None,
            pause: None,
            retry_after: None,
            status,
        }
    }
}

/// Whether an input was of use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum InputEffect {
    /// It changed something.
    Applied,
    /// It came too late: the attempt was aborted, or the fetch is over. Normal, counted, never an
    /// error.
    Stale,
}
