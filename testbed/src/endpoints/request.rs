//! A request to an endpoint, and its arguments.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::body::ConnectionBroken;
use crate::connection::SiteConnection;

/// Maximum of a requested wait: one day.
const MAX_SECONDS: f64 = 86_400.0;

/// Reasons not to return a regular response.
#[derive(Debug)]
pub(crate) enum EndpointError {
    /// An argument is invalid. The text states the valid values.
    BadRequest(String),
    /// The endpoint broke the connection.
    ConnectionBroken,
}

impl From<ConnectionBroken> for EndpointError {
    fn from(_: ConnectionBroken) -> Self {
        Self::ConnectionBroken
    }
}

/// A request with its complete body.
#[derive(Debug)]
pub(crate) struct EndpointRequest {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    pub(crate) connection: Arc<SiteConnection>,
}

impl EndpointRequest {
    /// Splits the path into its first segment and the rest after the next slash.
    pub(crate) fn split_path(&self) -> (&str, &str) {
        let path = self.head.uri.path().trim_start_matches('/');
        path.split_once('/').unwrap_or((path, ""))
    }

    /// Returns the path after the endpoint's name, not decoded.
    pub(crate) fn path_rest(&self) -> &str {
        self.split_path().1
    }

    /// Parses the rest of the path. `what` names the value in the error.
    pub(crate) fn path_argument<T: FromStr>(&self, what: &str) -> Result<T, EndpointError> {
        self.path_rest()
            .parse()
            .map_err(|_| EndpointError::BadRequest(format!("the path must end in {what}")))
    }

    /// Returns a decoded query parameter.
    pub(crate) fn query_text(&self, name: &str) -> Option<Cow<'_, str>> {
        let query = self.head.uri.query()?.as_bytes();
        form_urlencoded::parse(query)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Parses a query parameter.
    pub(crate) fn query_value<T: FromStr>(
        &self,
        name: &str,
        default: T,
    ) -> Result<T, EndpointError> {
        match self.query_text(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| {
                EndpointError::BadRequest(format!("`{name}` is not a number in range"))
            }),
        }
    }

    /// Parses a query parameter as seconds.
    pub(crate) fn query_seconds(
        &self,
        name: &str,
        default: f64,
    ) -> Result<Duration, EndpointError> {
        parse_seconds(self.query_value(name, default)?)
    }

    /// Parses the query parameter `status`.
    pub(crate) fn query_status(&self, default: u16) -> Result<u16, EndpointError> {
        check_status(self.query_value("status", default)?)
    }

    /// Decodes one segment of the path.
    pub(crate) fn decode_segment(segment: &str) -> Cow<'_, str> {
        percent_decode_str(segment).decode_utf8_lossy()
    }
}

/// Converts a number of seconds to a duration.
pub(crate) fn parse_seconds(number: f64) -> Result<Duration, EndpointError> {
    if (0.0..=MAX_SECONDS).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err(EndpointError::BadRequest(format!(
            "a wait is 0 to {MAX_SECONDS} seconds"
        )))
    }
}

/// Checks that a status is final, that is, not 1xx.
pub(crate) fn check_status(status: u16) -> Result<u16, EndpointError> {
    if (200..1_000).contains(&status) {
        Ok(status)
    } else {
        Err(EndpointError::BadRequest("a status is 200 to 999".into()))
    }
}
