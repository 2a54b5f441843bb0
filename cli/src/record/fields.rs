//! How single fields are written.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use fetch_driver::{Redacted, Timestamp};
use fetch_proto::AttemptReport;
use http::HeaderMap;
use ring::digest;
use serde::ser::{self, Serialize, SerializeSeq, Serializer};
use url::Url;

use super::seconds;
use crate::checksum::hex;
use crate::ended::Ended;
use crate::save::Trouble;
use crate::verdict::attempt_error;

/// `error_type` as OpenTelemetry has it: the status for HTTP errors, else the kind.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum ErrorType {
    Name(&'static str),
    Status(u16),
}

/// What went wrong, in a word; `None` for what is ok.
pub(crate) fn error_type(ended: &Ended<'_>) -> Option<ErrorType> {
    match &ended.outcome.result {
        Ok(response) if ended.verdict.outcome == "http_error" => {
            Some(ErrorType::Status(response.status.as_u16()))
        }
        Ok(_) => Some(ErrorType::Name(match ended.kept?.error.as_ref()? {
            Trouble::Checksum(_) => "checksum_mismatch",
            Trouble::Save(_) => "save",
        })),
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

/// What identifies a URL with its method and body.
pub(crate) enum Id<'a> {
    Digest(digest::Digest),
    /// By who made the list.
    Given(&'a str),
}

impl Id<'_> {
    /// What a state knows it by: 32 bytes.
    pub(crate) fn key(&self) -> digest::Digest {
        match self {
            Self::Digest(digest) => *digest,
            Self::Given(id) => digest::digest(&digest::SHA256, id.as_bytes()),
        }
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "sha256:{}", hex(digest.as_ref())),
            Self::Given(id) => f.write_str(id),
        }
    }
}

impl Serialize for Id<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digest = match self {
            Self::Digest(digest) => digest.as_ref(),
            Self::Given(id) => return serializer.serialize_str(id),
        };
        let mut text = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (pair, byte) in text[7..].chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        serializer.serialize_str(std::str::from_utf8(&text).map_err(ser::Error::custom)?)
    }
}

/// What went wrong, as a text.
pub(crate) enum Shown<'a> {
    Error(&'a fetch_driver::Error),
    Text(&'a str),
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Header fields as curl's `header_json`: names in lower case, each with all its values.
pub(crate) struct HeaderJson<'a>(pub(crate) &'a HeaderMap);

impl Serialize for HeaderJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.keys().map(|name| {
            let values = self.0.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            (name.as_str(), values.collect::<Vec<_>>())
        }))
    }
}

/// A URL, without the user and password that a redirect may have brought.
pub(crate) struct Effective<'a>(pub(crate) &'a Url);

impl Effective<'_> {
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self.0.username().is_empty() && self.0.password().is_none() {
            true => self.0.as_str().into(),
            false => Redacted(self.0).to_string().into(),
        }
    }
}

impl Serialize for Effective<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

pub(crate) struct StartedAt(pub(crate) SystemTime);

impl fmt::Display for StartedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::try_from(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => Ok(()),
        }
    }
}

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
pub(crate) struct Attempts<'a>(pub(crate) Option<Timestamp>, pub(crate) &'a [AttemptReport]);

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
