use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::body::Broken;
use crate::connection::Connection;

/// The longest wait that can be asked for: a day.
const MAX_WAIT: f64 = 86_400.0;

/// Why there is no proper response.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The request asks for something that cannot be done; the text says what would do.
    Bad(String),
    /// The connection is broken on purpose.
    Broken,
}

impl From<Broken> for Stop {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

/// One request, read whole.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    pub(crate) connection: Arc<Connection>,
}

impl Call {
    /// Splits the path into its first segment and what follows the next slash.
    pub(crate) fn route(&self) -> (&str, &str) {
        let path = self.head.uri.path().trim_start_matches('/');
        path.split_once('/').unwrap_or((path, ""))
    }

    /// Returns the rest of the path after the endpoint's name, not decoded.
    pub(crate) fn rest(&self) -> &str {
        self.route().1
    }

    /// Reads the rest of the path as a value; `what` names it in the complaint.
    pub(crate) fn argument<T: FromStr>(&self, what: &str) -> Result<T, Stop> {
        self.rest()
            .parse()
            .map_err(|_| Stop::Bad(format!("the path must end in {what}")))
    }

    /// Returns a query parameter, decoded.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let query = self.head.uri.query()?.as_bytes();
        form_urlencoded::parse(query)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Reads a query parameter as a value.
    pub(crate) fn parameter<T: FromStr>(&self, name: &str, default: T) -> Result<T, Stop> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Stop::Bad(format!("`{name}` is not a number in range"))),
        }
    }

    /// Reads a query parameter as seconds.
    pub(crate) fn wait(&self, name: &str, default: f64) -> Result<Duration, Stop> {
        seconds(self.parameter(name, default)?)
    }

    /// Reads a query parameter as a status.
    pub(crate) fn status(&self, default: u16) -> Result<u16, Stop> {
        final_status(self.parameter("status", default)?)
    }

    /// Decodes one segment of the path.
    pub(crate) fn decoded(segment: &str) -> Cow<'_, str> {
        percent_decode_str(segment).decode_utf8_lossy()
    }
}

/// Checks a number of seconds.
pub(crate) fn seconds(number: f64) -> Result<Duration, Stop> {
    if (0.0..=MAX_WAIT).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err(Stop::Bad(format!("a wait is 0 to {MAX_WAIT} seconds")))
    }
}

/// Checks that a status can end a response: an interim one cannot.
pub(crate) fn final_status(status: u16) -> Result<u16, Stop> {
    if (200..1_000).contains(&status) {
        Ok(status)
    } else {
        Err(Stop::Bad("a status is 200 to 999".into()))
    }
}
