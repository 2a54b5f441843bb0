//! Why a fetch has no response, with advice.

mod classes;

use std::fmt;
use std::sync::Arc;

use fetch_proto::{AttemptEnd, AttemptReport, FailureKind, GiveUpReason, TimeLimit};
use http::StatusCode;

use super::response::Response;
use crate::fields::redact::redact_text;
use crate::transport::failure_reason::FailureReason;

/// Why there is no response: what failed, on which URL, in which step, after how many attempts.
///
/// ```
/// use fetch_driver::{IntoRequest, ErrorKind};
///
/// let error = "not a url".into_request().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidUrl);
/// assert!(error.to_string().contains("not a url"));
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<ErrorDetails>);

#[derive(Clone, Debug)]
struct ErrorDetails {
    attempts: usize,
    detail: Option<String>,
    gave_up: Option<GiveUpReason>,
    head: Option<Response>,
    kind: ErrorKind,
    reason: Option<FailureReason>,
    source: Option<ErrorSource>,
    step: Option<&'static str>,
    url: String,
}

/// The native error behind a failure.
pub(crate) type ErrorSource = Arc<dyn std::error::Error + Send + Sync>;

/// The details of the last attempt of a failed fetch.
#[derive(Debug, Default)]
pub(crate) struct FailedAttempt {
    /// The text of the underlying error.
    pub(crate) detail: Option<String>,
    /// The response without its body, if its head had arrived.
    pub(crate) head: Option<Response>,
    pub(crate) reason: Option<FailureReason>,
    pub(crate) source: Option<ErrorSource>,
}

/// The detail of [`ErrorKind::Stopped`] after the driver has ended.
pub(crate) const SHUT_DOWN: &str = "the fetcher was shut down";

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The fetch was submitted and ended without a response.
    Fetch(fetch_proto::FetchError),
    /// The body or the query of the request cannot be written, or the body of the response is not what
    /// was asked for.
    InvalidBody,
    /// A header field of the request is not valid.
    InvalidHeader,
    /// The method of the request is not valid.
    InvalidMethod,
    /// The text is not an http or https URL, or its path cannot be sent unchanged.
    InvalidUrl,
    /// The response has a status that the caller takes for an error: see
    /// [`Response::error_for_status`](crate::Response::error_for_status).
    Status(StatusCode),
    /// The request was not fetched, because the fetcher was shut down, could not be built, or cannot
    /// send it.
    Stopped,
}

impl ErrorKind {
    /// A short, stable name, fit for a metric label or a record: `timeout`, `dns`, `connect`, `tls` …
    ///
    /// ```
    /// assert_eq!(fetch_driver::ErrorKind::InvalidUrl.as_str(), "invalid_url");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.as_str(),
            Self::InvalidBody => "invalid_body",
            Self::InvalidHeader => "invalid_header",
            Self::InvalidMethod => "invalid_method",
            Self::InvalidUrl => "invalid_url",
            Self::Status(_) => "status",
            Self::Stopped => "stopped",
        }
    }
}

impl Error {
    /// The error of a request that never reached the engine.
    pub(crate) fn rejected(kind: ErrorKind, url: &str, detail: impl fmt::Display) -> Self {
        Self(Box::new(ErrorDetails {
            attempts: 0,
            detail: Some(detail.to_string()),
            gave_up: None,
            head: None,
            kind,
            reason: None,
            source: None,
            step: None,
            url: url.to_owned(),
        }))
    }

    /// The error of a fetch that failed. `sees_connection` is the transport's
    /// [`SEES_CONNECTION`](crate::Transport::SEES_CONNECTION).
    pub(crate) fn failed(
        error: fetch_proto::FetchError,
        url: String,
        (attempts, sees_connection): (&[AttemptReport], bool),
        gave_up: Option<GiveUpReason>,
        last: FailedAttempt,
    ) -> Self {
        Self(Box::new(ErrorDetails {
            attempts: attempts.len(),
            detail: last.detail,
            gave_up,
            head: last.head,
            kind: ErrorKind::Fetch(error),
            reason: last.reason,
            source: last.source,
            step: attempts
                .last()
                .filter(|last| {
                    let is_refused = matches!(
                        last.end,
                        AttemptEnd::Failed(FailureKind::Disallowed | FailureKind::Hook)
                    );
                    let is_redirect = matches!(error, fetch_proto::FetchError::Redirect(_));
                    !is_refused && !is_redirect && last.verdict.is_none()
                })
                .map(|last| step(last, sees_connection)),
            url,
        }))
    }

    /// The kind of error.
    ///
    /// ```
    /// # use fetch_driver::{ErrorKind, IntoRequest};
    /// assert_eq!("ftp://a.test/".into_request().unwrap_err().kind(), ErrorKind::InvalidUrl);
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// How many attempts were started, redirects included.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert_eq!("?".into_request().unwrap_err().attempts(), 0);
    /// ```
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.0.attempts
    }

    /// The text of the underlying error, if there is one.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert!("?".into_request().unwrap_err().detail().is_some());
    /// ```
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The response of the last attempt as far as it arrived: its status and header fields. `body` is
    /// empty, and `bytes` is how much of the decoded body had arrived; of an error that is made of a complete
    /// [response](Response::error_for_status) it is whole. `None` if there was no head.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert!("?".into_request().unwrap_err().partial_response().is_none());
    /// ```
    #[must_use]
    pub fn partial_response(&self) -> Option<&Response> {
        self.0.head.as_ref()
    }

    /// The exact cause of the failure, if the transport knows more than [`kind`](Self::kind) says.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert_eq!("?".into_request().unwrap_err().reason(), None);
    /// ```
    #[must_use]
    pub fn reason(&self) -> Option<FailureReason> {
        self.0.reason
    }

    /// The step in which the last attempt ended: `resolving or connecting`, `connecting`,
    /// `sending the request`, `waiting for the response` or `reading the body`.
    ///
    /// Clients that do not report their connections have one step before the response:
    /// `connecting or waiting for the response`. `None` without an attempt, if a redirect cannot be
    /// followed, if a [`RedirectCheck`](crate::RedirectCheck) refused its target, and if a hook decided.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert_eq!("?".into_request().unwrap_err().step(), None);
    /// ```
    #[must_use]
    pub fn step(&self) -> Option<&'static str> {
        self.0.step
    }

    /// The URL as it was requested. In a valid URL, user name and password are redacted; the text
    /// of an invalid one is unchanged: see [`redacted`](Self::redacted).
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert_eq!("?".into_request().unwrap_err().url(), "?");
    /// ```
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The error with the secrets in its URL's query replaced, fit for a log.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// let error = "ftp://a.test/?token=abc".into_request().unwrap_err();
    /// assert!(!error.redacted().contains("abc"));
    /// ```
    #[must_use]
    pub fn redacted(&self) -> String {
        let mut clean = self.clone();
        clean.0.url = redact_text(&self.0.url);
        clean.to_string()
    }

    /// What the user can do about it.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert!("?".into_request().unwrap_err().advice().unwrap().contains("http://"));
    /// ```
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        use fetch_proto::FailureKind as F;
        Some(match self.0.kind {
            ErrorKind::Fetch(fetch_proto::FetchError::BodyTooLarge { .. }) => {
                "raise the limit on the body's size to accept it"
            }
            ErrorKind::Fetch(fetch_proto::FetchError::Cancelled) | ErrorKind::Stopped => {
                return None;
            }
            ErrorKind::Fetch(fetch_proto::FetchError::Failed(failure)) => match failure {
                F::Connect => match self.0.reason {
                    Some(FailureReason::ProxyTunnel | FailureReason::ProxySocks) => {
                        "check the proxy, and that it can reach the server"
                    }
                    Some(FailureReason::TlsHandshake) => {
                        "check that the server speaks TLS on this port"
                    }
                    _ => "check that the server listens there and that the network can reach it",
                },
                F::Exhausted => {
                    "raise the limit on open files (ulimit -n) or lower the concurrency"
                }
                F::Rejected => "look at the hook that classifies responses, and at the response",
                F::Resolve | F::UnknownHost if self.0.reason == Some(FailureReason::ProxyName) => {
                    "check the host name of the proxy"
                }
                F::Resolve | F::UnknownHost => "check the host name and the DNS settings",
                F::Save => "free some space, or save to another place",
                F::PrivateAddress => {
                    "private addresses are forbidden by a setting: give this one with `resolve` to allow it"
                }
                F::ProxyRefused => "check the proxy's credentials and its rules",
                F::Unanswered => {
                    "check on the server whether it did; such requests are repeated if `unanswered` \
                     is among the failures to retry"
                }
                F::Tls => match self.0.reason {
                    Some(FailureReason::Certificate) => {
                        "check the server's certificate and name, or trust its CA"
                    }
                    Some(FailureReason::PinnedKey) => {
                        "check whether the server's key was replaced, and by whom"
                    }
                    Some(FailureReason::TlsSession) => {
                        "check whether the server asks for a client certificate"
                    }
                    _ => "check which protocol versions and cipher suites the server offers",
                },
                F::Unsupported => "use an http or https URL",
                _ => return None,
            },
            ErrorKind::Fetch(fetch_proto::FetchError::HostDown { .. }) => {
                "check that the host is up, and fetch its URLs again later"
            }
            ErrorKind::Fetch(fetch_proto::FetchError::NoToken(_)) => {
                "check the credentials and the token server; the log has the cause"
            }
            ErrorKind::Fetch(fetch_proto::FetchError::Redirect(_)) => {
                "fetch the final URL directly"
            }
            ErrorKind::Fetch(fetch_proto::FetchError::TimedOut(limit)) => match limit {
                TimeLimit::Queue => "raise the concurrency or the queue timeout",
                _ => "raise the timeout for this URL, or try again later",
            },
            ErrorKind::InvalidHeader => "correct the header field",
            ErrorKind::InvalidUrl => "use an absolute URL such as http://example.com/",
            _ => return None,
        })
    }
}

/// The step in which an attempt ended.
fn step(report: &AttemptReport, sees_connection: bool) -> &'static str {
    let t = &report.timings;
    if t.head.is_some() {
        "reading the body"
    } else if !sees_connection {
        "connecting or waiting for the response"
    } else if t.tls_done.is_some() || t.sent.is_some() {
        "waiting for the response"
    } else if t.connected.is_some() {
        "sending the request"
    } else if t.resolved.is_some() {
        "connecting"
    } else {
        "resolving or connecting"
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorDetails {
            attempts,
            detail,
            gave_up,
            kind,
            step,
            url,
            ..
        } = &*self.0;
        write!(f, "{url}: ")?;
        match kind {
            ErrorKind::Fetch(error) => write!(f, "{error}")?,
            ErrorKind::InvalidBody => f.write_str("invalid body")?,
            ErrorKind::InvalidHeader => f.write_str("invalid header field")?,
            ErrorKind::InvalidMethod => f.write_str("invalid method")?,
            ErrorKind::InvalidUrl => f.write_str("invalid URL")?,
            ErrorKind::Status(status) => write!(f, "{status}")?,
            ErrorKind::Stopped => f.write_str("not fetched")?,
        }
        if let Some(step) = step {
            write!(f, " while {step}")?;
        }
        if step.is_some() || matches!(kind, ErrorKind::Fetch(fetch_proto::FetchError::Redirect(_)))
        {
            let plural = if *attempts == 1 { "" } else { "s" };
            write!(f, ", after {attempts} attempt{plural}")?;
        }
        if let Some(reason) = gave_up {
            write!(f, " ({reason})")?;
        }
        if let Some(detail) = detail {
            write!(f, ": {detail}")?;
        }
        if let Some(advice) = self.advice() {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    /// The native error: of the system, of TLS, of HTTP/2, of JSON. `None` if there is none, as with a time
    /// limit.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
