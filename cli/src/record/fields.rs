//! How single fields are written.

use std::fmt;
use std::time::SystemTime;

use fetch_driver::{Outcome, Redacted, Timestamp};
use fetch_proto::AttemptReport;
use ring::digest;
use serde::ser::{self, Serialize, SerializeSeq, Serializer};
use url::Url;

use super::seconds;
use crate::verdict::{Verdict, attempt_error};

/// `error_type` as OpenTelemetry has it: the status for HTTP errors, else the kind.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum ErrorType {
    Name(&'static str),
    Status(u16),
}

/// What went wrong, in a word; `None` for what is ok.
pub(crate) fn error_type(outcome: &Outcome, verdict: Verdict) -> Option<ErrorType> {
    match &outcome.result {
        Ok(response) if verdict.outcome == "http_error" => {
            Some(ErrorType::Status(response.status.as_u16()))
        }
        Ok(_) => None,
        Err(error) => Some(ErrorType::Name(error.kind().as_str())),
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.pad(name),
            Self::Status(status) => f.pad(&status.to_string()),
        }
    }
}

impl Serialize for ErrorType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The digest of method, body and URL: the field `id`.
pub(crate) struct Id(pub(super) digest::Digest);

impl Id {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (pair, byte) in text[7..].chunks_exact_mut(2).zip(self.0.as_ref()) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        serializer.serialize_str(std::str::from_utf8(&text).map_err(ser::Error::custom)?)
    }
}

/// Anything that displays as text.
pub(super) struct Shown<'a>(pub(super) &'a dyn fmt::Display);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// A URL, without the user and password that a redirect may have brought.
pub(super) struct Effective<'a>(pub(super) &'a Url);

impl Serialize for Effective<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.username().is_empty() && self.0.password().is_none() {
            return serializer.serialize_str(self.0.as_str());
        }
        serializer.collect_str(&Redacted(self.0))
    }
}

pub(super) struct StartedAt(pub(super) SystemTime);

impl Serialize for StartedAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::try_from(self.0) {
            Ok(at) => serializer.collect_str(&format_args!("{at:.3}")),
            // A clock outside the years that a date can have.
            Err(_) => serializer.serialize_none(),
        }
    }
}

/// Every request that was sent, in order; times count from the first one's start.
pub(super) struct Attempts<'a>(pub(super) Option<Timestamp>, pub(super) &'a [AttemptReport]);

#[derive(serde::Serialize)]
struct AttemptRecord {
    response_code: Option<u16>,
    error_type: Option<&'static str>,
    retry_after: Option<f64>,
    time_start: f64,
    time_total: f64,
}

impl Serialize for Attempts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.1.len()))?;
        for attempt in self.1 {
            let start = attempt.timings.started;
            sequence.serialize_element(&AttemptRecord {
                response_code: attempt.status,
                error_type: attempt_error(attempt.end),
                retry_after: attempt.retry_after.map(seconds),
                time_start: self.0.map_or(0.0, |t0| seconds(start.saturating_since(t0))),
                time_total: seconds(attempt.timings.total()),
            })?;
        }
        sequence.end()
    }
}
