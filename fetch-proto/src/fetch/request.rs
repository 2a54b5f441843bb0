//! What a caller asks for.

use alloc::sync::Arc;

use url::Url;

use crate::model::method::Method;
use crate::policy::Policy;

/// One fetch as a caller asks for it: what the core must know, and nothing that it need not.
/// Header fields and bodies stay with the driver.
///
/// ```
/// use fetch_proto::{Method, FetchRequest};
///
/// let request = FetchRequest { method: Method::Head, ..FetchRequest::get("http://a.test/".parse()?) };
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct FetchRequest {
    /// The body of the request.
    pub body: RequestBodyKind,
    /// How the response's body reaches the caller, which decides until when a retry is possible.
    pub delivery: BodyDelivery,
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
    /// The caller's own key; it comes back in the [`FetchOutcome`](crate::FetchOutcome).
    pub tag: u64,
    /// The target.
    pub url: Arc<Url>,
}

impl FetchRequest {
    /// A GET of `url`, buffered, by the rules' policy.
    ///
    /// ```
    /// let request = fetch_proto::FetchRequest::get("http://a.test/".parse()?);
    /// assert_eq!(request.url.as_str(), "http://a.test/");
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self {
            body: RequestBodyKind::None,
            delivery: BodyDelivery::Buffered,
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
pub enum RequestBodyKind {
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
pub enum BodyDelivery {
    /// As a whole, when it is complete: a failure in the middle of it can be retried.
    #[default]
    Buffered,
    /// Piece by piece: from the head on there is no retry, for the caller has seen a part.
    Streamed,
}
