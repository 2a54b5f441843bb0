//! What a caller asks for, and what the core asks of the driver.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use url::Url;

use crate::failure::Failure;
use crate::id::AttemptId;
use crate::method::Method;
use crate::policy::Policy;
use crate::time::Timestamp;
use crate::timings::Phase;

/// One fetch as a caller asks for it: what the core must know, and nothing that it need not.
/// Header fields and bodies stay with the driver.
///
/// ```
/// use fetch_proto::{Method, Request};
///
/// let request = Request { method: Method::Head, ..Request::get("http://a.test/".parse()?) };
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Request {
    /// The body of the request.
    pub body: RequestBody,
    /// How the response's body reaches the caller, which decides until when a retry is possible.
    pub delivery: Delivery,
    /// Whether the caller vouches that sending it twice does no harm, by an `Idempotency-Key` or
    /// otherwise.
    pub idempotent: bool,
    /// The method.
    pub method: Method,
    /// The policy for this fetch alone; `None` lets the [`Rules`](crate::Rules) choose.
    pub policy: Option<Arc<Policy>>,
    /// Which fetches of a host go first: those with the larger number, and of those with the same the
    /// older. Default 0. Hosts take turns whatever their fetches have.
    pub priority: i8,
    /// Whether a response to the same request, if one is on its way, serves this one too: GET and HEAD
    /// without a body, buffered. Requests are the same that have method, URL and this number in
    /// common; the number stands for whatever else makes a difference, such as header fields.
    pub share: Option<u64>,
    /// The caller's own key; it comes back in the [`Outcome`](crate::Outcome).
    pub tag: u64,
    /// The target.
    pub url: Arc<Url>,
}

impl Request {
    /// A GET of `url`, buffered, by the rules' policy.
    ///
    /// ```
    /// let request = fetch_proto::Request::get("http://a.test/".parse()?);
    /// assert_eq!(request.url.as_str(), "http://a.test/");
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self {
            body: RequestBody::None,
            delivery: Delivery::Buffered,
            idempotent: false,
            method: Method::Get,
            policy: None,
            priority: 0,
            share: None,
            tag: 0,
            url: Arc::new(url),
        }
    }
}

/// Whether a request has a body, and whether it can be sent again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RequestBody {
    /// There is none.
    #[default]
    None,
    /// It can be sent again at a retry.
    Replayable,
    /// It is a stream that can be sent once only: no retry after it was begun.
    Once,
}

/// How a response's body reaches the caller.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Delivery {
    /// As a whole, when it is complete: a failure in the middle of it can be retried.
    #[default]
    Buffered,
    /// Piece by piece: from the head on there is no retry, for the caller has seen a part.
    Streamed,
}

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
    End(Result<(), Failure>),
    /// The response's head is here. It is answered by `Accept`, `Discard` or `Abort`.
    Head(Head),
    /// A phase was done, at a time not later than the call's. For timings, and for the connect and
    /// first-byte limits.
    Mark(Phase, Timestamp),
    /// The consumer stopped reading, so the idle-read clock stands still.
    Paused,
    /// The consumer reads again.
    Resumed,
}

/// What the core must know of a response's head.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Head {
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

impl Head {
    /// A head with this status and neither field.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Head::status(200).location, None);
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
pub enum Handled {
    /// It changed something.
    Applied,
    /// It came too late: the attempt was aborted, or the fetch is over. Normal, counted, never an
    /// error.
    Stale,
}
