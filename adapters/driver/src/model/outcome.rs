//! How a fetch ended, with its response.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fetch_proto::{AttemptReport, FetchTimings, GiveUpReason, Method, ShortDuration, plural};
use http::{HeaderName, StatusCode};

use super::attachment::Attachment;
use super::error::Error;
use super::response::Response;
use crate::transport::connection::ConnectionInfo;
use crate::transport::message_sizes::MessageSizes;

/// How one fetch ended: exactly one for each request, whether it succeeded or not. Displays as one
/// line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What the caller attached to the request.
    pub attached: Option<Attachment>,
    /// Every attempt, in order, redirects and retries included.
    pub attempts: Vec<AttemptReport>,
    /// The name of the [`AuthProfile`](fetch_proto::AuthProfile) for the last URL, if there is one.
    pub auth: Option<Arc<str>>,
    /// How often the request was sent again because a server refused its token. These are no
    /// [`retries`](Self::retries).
    pub auth_retries: u16,
    /// The connection that served the last attempt.
    pub connection: Option<ConnectionInfo>,
    /// Where the response comes from, if it replaces a failure.
    pub fallback: Option<FallbackSource>,
    /// Why a failure that is worth a retry was not retried again.
    pub gave_up: Option<GiveUpReason>,
    /// The method of the last request. A redirect may have changed it.
    pub method: Method,
    /// The responses that redirected, in order. Empty unless the request
    /// [keeps them](crate::Request::keep_redirects).
    pub redirect_responses: Vec<RedirectResponse>,
    /// How many redirects were followed.
    pub redirects: u16,
    /// A complete response of any status, or why there is none.
    pub result: Result<Response, Error>,
    /// The position in the body, in bytes, at which the last response continued it; `None` if the body
    /// was received in one piece. See [`Request::save`](crate::Request::save).
    pub resumed_from: Option<u64>,
    /// How many times the request was retried.
    pub retries: u16,
    /// Whether the response was received for an identical request, so none was sent for this one.
    pub shared: bool,
    /// The sizes of requests and response heads.
    pub sizes: MessageSizes,
    /// The request's tag. Default, also for 0: its position in the batch, from 0.
    pub tag: u64,
    /// How long each part of the fetch took.
    pub timings: FetchTimings,
    /// The URL as it was requested, redacted like [`Error::url`].
    pub url: String,
    /// The size of the last response's body as it was received, before decoding.
    pub wire_bytes: u64,
    /// The caller's fields that were not sent after a redirect to another origin, because they may
    /// carry a secret: see [`Request::header`](crate::Request::header).
    pub withheld: Vec<HeaderName>,
}

/// A response that redirected: see [`Request::keep_redirects`](crate::Request::keep_redirects).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedirectResponse {
    /// The [number](AttemptReport::number) of its attempt.
    pub attempt: u16,
    /// The connection that served it.
    pub connection: Option<ConnectionInfo>,
    /// Whether its body was received to the end: no more than
    /// [`Policy::drain`](field@crate::Policy::drain) bytes of it are read.
    pub is_complete: bool,
    /// The method of its request.
    pub method: Method,
    /// The response.
    pub response: Response,
}

/// Where a fallback's response comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FallbackSource {
    /// An earlier response to the same request.
    Stale,
    /// The other URL of the policy's [`Fallback`](fetch_proto::Fallback).
    Url,
    /// The caller's value.
    Value,
}

impl Outcome {
    /// The response, or what arrived of it before the fetch failed: see
    /// [`Error::partial_response`].
    ///
    /// ```
    /// # fn show(outcome: &fetch_driver::Outcome) {
    /// let server = outcome.any_response().and_then(|response| response.headers.get("server"));
    /// # }
    /// ```
    #[must_use]
    pub fn any_response(&self) -> Option<&Response> {
        match &self.result {
            Ok(response) => Some(response),
            Err(error) => error.partial_response(),
        }
    }

    /// Whether there is a response with a 2xx status.
    ///
    /// ```
    /// # fn show(outcome: &fetch_driver::Outcome) {
    /// if !outcome.is_success() {
    ///     eprintln!("{outcome}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.result
            .as_ref()
            .is_ok_and(|response| response.status.is_success())
    }

    /// The status, if there is a response.
    ///
    /// ```
    /// # fn show(outcome: &fetch_driver::Outcome) {
    /// println!("{:?}", outcome.status());
    /// # }
    /// ```
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.result.as_ref().ok().map(|response| response.status)
    }

    /// The response, if there is one.
    ///
    /// ```
    /// # fn show(outcome: &fetch_driver::Outcome) {
    /// let length = outcome.response().map_or(0, |response| response.body.len());
    /// # }
    /// ```
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.result.as_ref().ok()
    }

    /// The response with a status below 400, or the error: for `?` in functions that need no more than
    /// the body.
    ///
    /// ```
    /// # use fetch_driver::{Error, Outcome};
    /// fn length(outcome: Outcome) -> Result<usize, Error> {
    ///     Ok(outcome.into_success()?.body.len())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the fetch, or that of [`Response::error_for_status`].
    pub fn into_success(self) -> Result<Response, Error> {
        self.result?.error_for_status()
    }

    /// The error, if there is no response.
    ///
    /// ```
    /// # fn show(outcome: &fetch_driver::Outcome) {
    /// if let Some(error) = outcome.error() {
    ///     eprintln!("{error}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.result.as_ref().err()
    }

    /// The time from the first attempt's start to the end, waits for retries included; zero if no
    /// attempt was started.
    ///
    /// ```
    /// # fn show(outcome: &fetch_driver::Outcome) {
    /// println!("{:?}", outcome.duration());
    /// # }
    /// ```
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.timings.active()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(response) => {
                let Response { bytes, status, .. } = response;
                write!(
                    f,
                    "{}: {}, {}, {}",
                    self.url,
                    status,
                    plural(*bytes, "byte", "bytes"),
                    ShortDuration(self.duration())
                )?;
            }
            Err(error) => write!(f, "{error}")?,
        }
        match self.retries {
            0 => Ok(()),
            1 => f.write_str(", 1 retry"),
            n => write!(f, ", {n} retries"),
        }
    }
}
