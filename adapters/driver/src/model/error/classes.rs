//! Classes of errors, and the errors that responses become.

use fetch_proto::{FailureKind, FetchError, TimeLimit};
use http::StatusCode;

use super::{Error, ErrorDetails, ErrorKind, ErrorSource};
use crate::model::response::Response;

impl Error {
    /// The error of a response that the caller does not accept.
    pub(crate) fn of_response(
        kind: ErrorKind,
        response: Response,
        detail: Option<String>,
        source: Option<ErrorSource>,
    ) -> Self {
        Self(Box::new(ErrorDetails {
            attempts: response.attempts,
            detail,
            gave_up: None,
            kind,
            reason: None,
            source,
            step: None,
            url: crate::fields::redact::RedactedUrl(&response.url).to_string(),
            head: Some(response),
        }))
    }

    /// The same error with the native error behind it.
    #[cfg(feature = "multipart")]
    pub(crate) fn with_source(mut self, source: ErrorSource) -> Self {
        self.0.source = Some(source);
        self
    }

    /// Whether a time limit ended it.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert!(!"?".into_request().unwrap_err().is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind(), ErrorKind::Fetch(FetchError::TimedOut(_)))
    }

    /// Whether no connection was established: the name was not resolved, or connecting, a proxy or the TLS
    /// handshake failed or took too long. The request was not sent.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert!(!"?".into_request().unwrap_err().is_connect());
    /// ```
    #[must_use]
    pub fn is_connect(&self) -> bool {
        use FailureKind as F;
        match self.kind() {
            ErrorKind::Fetch(FetchError::Failed(failure)) => matches!(
                failure,
                F::Connect
                    | F::Exhausted
                    | F::PrivateAddress
                    | F::ProxyRefused
                    | F::Resolve
                    | F::Tls
                    | F::UnknownHost
            ),
            ErrorKind::Fetch(FetchError::TimedOut(limit)) => limit == TimeLimit::Connect,
            _ => false,
        }
    }

    /// Whether it is the status of a response: see
    /// [`Response::error_for_status`](crate::Response::error_for_status).
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert!(!"?".into_request().unwrap_err().is_status());
    /// ```
    #[must_use]
    pub fn is_status(&self) -> bool {
        matches!(self.kind(), ErrorKind::Status(_))
    }

    /// The status of the response, if its head had arrived.
    ///
    /// ```
    /// # use fetch_driver::IntoRequest;
    /// assert_eq!("?".into_request().unwrap_err().status(), None);
    /// ```
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.partial_response().map(|response| response.status)
    }
}
