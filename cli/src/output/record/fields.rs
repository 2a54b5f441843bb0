//! Types of single fields.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use fetch_driver::cache::CacheStatus;
use fetch_driver::{RedactedUrl, Timestamp};
use fetch_proto::{AttemptReport, redact_secrets};
use http::{HeaderMap, HeaderName};
use ring::digest;
use serde::ser::{Serialize, SerializeMap, Serializer};
use url::Url;

use super::object::json_object;
use super::started_at::StartedAt;
use super::value::{ColumnType, FieldValue, TableCell, serde_values, write_with_serde};
use crate::outcome::checksum::hex;
use crate::outcome::class::attempt_error_type;

/// The identity of a URL with its method and body.
pub(crate) enum RecordId<'a> {
    Digest([u8; 32]),
    /// From a column of the list.
    Given(&'a str),
}

impl RecordId<'_> {
    /// The key in a resume state.
    pub(crate) fn state_key(&self) -> [u8; 16] {
        *self.key().first_chunk().expect("a digest is 32 bytes")
    }

    /// The digest by which requests are compared: 32 bytes.
    pub(crate) fn key(&self) -> [u8; 32] {
        match self {
            Self::Digest(digest) => *digest,
            Self::Given(id) => {
                let digest = digest::digest(&digest::SHA256, id.as_bytes());
                digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
            }
        }
    }

    /// Its text, without an allocation.
    pub(super) fn with_text<R>(&self, f: impl FnOnce(&str) -> R) -> R {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digest = match self {
            Self::Digest(digest) => digest,
            Self::Given(id) => return f(id),
        };
        let mut text = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (pair, byte) in text[7..].chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        f(std::str::from_utf8(&text).expect("hexadecimal is UTF-8"))
    }
}

impl fmt::Display for RecordId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "sha256:{}", hex(digest)),
            Self::Given(id) => f.write_str(id),
        }
    }
}

impl Serialize for RecordId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

/// The text of an error, without secrets.
#[derive(Clone, Copy)]
pub(crate) enum ErrorMessage<'a> {
    Error(&'a fetch_driver::Error),
    Text(&'a str),
}

impl fmt::Display for ErrorMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => f.write_str(&redact_secrets(&error.to_string())),
            Self::Text(text) => f.write_str(&redact_secrets(text)),
        }
    }
}

impl Serialize for ErrorMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Header fields like curl's `header_json`: names in lower case, each with all its values.
pub(crate) struct HeaderJson<'a>(pub(crate) Cow<'a, HeaderMap>);

impl Serialize for HeaderJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.keys().map(|name| {
            let values = self.0.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            (name.as_str(), values.collect::<Vec<_>>())
        }))
    }
}

/// Names of header fields, in lower case.
#[derive(Clone, Copy)]
pub(crate) struct FieldNames<'a>(pub(crate) &'a [HeaderName]);

impl fmt::Display for FieldNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            f.write_str(name.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for FieldNames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(HeaderName::as_str))
    }
}

/// The last URL, without the user and password that a redirect may have added.
pub(crate) struct EffectiveUrl<'a>(pub(crate) &'a Url);

impl EffectiveUrl<'_> {
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self.0.username().is_empty() && self.0.password().is_none() {
            true => self.0.as_str().into(),
            false => RedactedUrl(self.0).to_string().into(),
        }
    }
}

impl Serialize for EffectiveUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// All attempts in order. Times count from the first one's start.
pub(crate) struct AttemptList<'a>(pub(crate) Option<Timestamp>, pub(crate) &'a [AttemptReport]);

json_object! {
    /// One attempt, with the start of the first one.
    pub(super) struct AttemptRecord<> of source: (Option<Timestamp>, &AttemptReport) {
        response_code: Option<u16> = source.1.status;
        error_type: Option<&'static str> = attempt_error_type(source.1.end);
        retry_after: Option<f64> = source.1.retry_after.map(seconds);
        time_start: f64 = source.0.map_or(0.0, |first| {
            seconds(source.1.timings.started.saturating_since(first))
        });
        time_total: f64 = seconds(source.1.timings.total());
    }
}

impl AttemptList<'_> {
    pub(super) fn records(&self) -> impl Iterator<Item = AttemptRecord> {
        let attempts = self.1.iter();
        attempts.map(|attempt| AttemptRecord::new((self.0, attempt)))
    }
}

impl Serialize for AttemptList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.records())
    }
}

impl FieldValue for EffectiveUrl<'_> {
    const COLUMN: Option<ColumnType> = Some(ColumnType::Text);

    fn cell(&self) -> TableCell<'_> {
        TableCell::Text(self.text())
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        (&*self.text()).write_json(out);
    }
}

/// What the cache did, as a member of `Cache-Status` (RFC 9211).
pub(crate) struct CacheText(pub(crate) CacheStatus);

impl Serialize for CacheText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl FieldValue for CacheText {
    const COLUMN: Option<ColumnType> = Some(ColumnType::Text);

    fn cell(&self) -> TableCell<'_> {
        TableCell::text_of(&self.0)
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        (&*self.0.to_string()).write_json(out);
    }
}

impl FieldValue for RecordId<'_> {
    const COLUMN: Option<ColumnType> = Some(ColumnType::Text);

    fn cell(&self) -> TableCell<'_> {
        TableCell::text_of(self)
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        self.with_text(|text| text.write_json(out));
    }
}

impl FieldValue for StartedAt {
    const COLUMN: Option<ColumnType> = Some(ColumnType::Timestamp);

    fn cell(&self) -> TableCell<'_> {
        TableCell::Timestamp(*self)
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        self.with_text(|text| text.write_json(out));
    }
}

impl FieldValue for AttemptList<'_> {
    const COLUMN: Option<ColumnType> = None;

    fn cell(&self) -> TableCell<'_> {
        TableCell::Null
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (i, attempt) in self.records().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            attempt.write_json(out);
        }
        out.push(b']');
    }
}

serde_values!(
    ErrorMessage<'_>: Some(ColumnType::Text), |message| TableCell::text_of(message);
    FieldNames<'_>: Some(ColumnType::Text), |names| TableCell::text_of(names);
    HeaderJson<'_>: None, |_| TableCell::Null;
);

/// Seconds, truncated to microseconds: finer digits mean nothing over a network.
pub(super) fn seconds(duration: Duration) -> f64 {
    let whole = duration.as_secs().saturating_mul(1_000_000);
    whole.saturating_add(duration.subsec_micros().into()) as f64 / 1e6
}
