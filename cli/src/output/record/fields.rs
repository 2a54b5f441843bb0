//! Types of single fields.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::time::{Duration, SystemTime};

use fetch_driver::{RedactedUrl, Timestamp};
use fetch_proto::AttemptReport;
use http::{HeaderMap, HeaderName};
use ring::digest;
use serde::ser::{Serialize, SerializeMap, Serializer};
use url::Url;

use super::object::json_object;
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

/// The text of an error.
#[derive(Clone, Copy)]
pub(crate) enum ErrorMessage<'a> {
    Error(&'a fetch_driver::Error),
    Text(&'a str),
}

impl fmt::Display for ErrorMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Text(text) => f.write_str(text),
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

/// A wall-clock time, written as RFC 3339 in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct StartedAt(pub(crate) SystemTime);

impl fmt::Display for StartedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::try_from(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => Ok(()),
        }
    }
}

/// A second and its text, `2026-11-26T18:33:52`.
type FormattedSecond = (i64, [u8; 19]);

thread_local! {
    /// The latest one of this thread: thousands of consecutive records share a second.
    static LAST_SECOND: Cell<Option<FormattedSecond>> = const { Cell::new(None) };
}

impl StartedAt {
    /// Microseconds since 1970.
    pub(in crate::output) fn micros(self) -> i64 {
        jiff::Timestamp::try_from(self.0).map_or(0, |at| at.as_microsecond())
    }

    /// Its text; `None` if the year is out of range.
    pub(super) fn with_text<R>(&self, f: impl FnOnce(Option<&str>) -> R) -> R {
        let Ok(at) = jiff::Timestamp::try_from(self.0) else {
            return f(None);
        };
        let (second, nanos) = (at.as_second(), at.subsec_nanosecond());
        let cached = LAST_SECOND.get().filter(|(cached, _)| *cached == second);
        let Some((_, prefix)) = cached.filter(|_| nanos >= 0) else {
            let text = format!("{at:.3}");
            if let Some(prefix) = text.as_bytes().first_chunk().filter(|_| text.len() == 24) {
                LAST_SECOND.set(Some((second, *prefix)));
            }
            return f(Some(&text));
        };
        let mut text = *b"2026-11-26T18:33:52.000Z";
        text[..19].copy_from_slice(&prefix);
        let mut millis = nanos / 1_000_000;
        for digit in text[20..23].iter_mut().rev() {
            *digit = b'0' + (millis % 10) as u8;
            millis /= 10;
        }
        f(std::str::from_utf8(&text).ok())
    }
}

impl Serialize for StartedAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| text.serialize(serializer))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cached_second_does_not_change_the_date() {
        let base = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_718_032);
        for millis in [840, 0, 7, 999, 1_000, 59_999, 60_001, 840] {
            let at = base + Duration::from_micros(millis * 1_000 + 999);
            for _ in 0..2 {
                let text = StartedAt(at).with_text(|text| text.map(str::to_owned));
                assert_eq!(text, Some(StartedAt(at).to_string()));
            }
        }
        let ancient = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        let text = StartedAt(ancient).with_text(|text| text.map(str::to_owned));
        assert_eq!(text.as_deref(), Some("1969-12-31T23:59:59.999Z"));
    }
}
