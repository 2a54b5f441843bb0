//! The variables of `-w`: curl's, and the other fields of records.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write;

use http::{HeaderMap, header};
use serde::Serialize;

use crate::output::record::{Column, ColumnType, HeaderJson, Record, TableCell};

/// A known variable.
#[derive(Clone, Copy, Debug)]
pub(super) enum WriteOutVariable {
    Computed(&'static ComputedVariable),
    Field(&'static Column),
}

/// A variable that is not a field, or is written differently from the field.
#[derive(Debug)]
pub(super) struct ComputedVariable(&'static str, WriteVariable);

type WriteVariable = fn(&mut Vec<u8>, &Record<'_>, Option<&HeaderMap>);

/// Fields that are not variables. curl has the sizes of requests and headers, which are unknown
/// here.
const EXCLUDED: [&str; 4] = ["size_header", "size_request", "started_at", "v"];

/// As in curl, statuses have three digits, an unknown number is 0, and an unknown text is empty.
const COMPUTED: &[ComputedVariable] = &[
    ComputedVariable("header_json", |out, _, headers| {
        let none = HeaderMap::new();
        write_json(out, &HeaderJson(Cow::Borrowed(headers.unwrap_or(&none))));
    }),
    ComputedVariable("http_code", |out, r, _| write_status(out, r)),
    ComputedVariable("http_version", |out, r, _| {
        write_value(out, r.http_version.or(Some("0")));
    }),
    ComputedVariable("json", |out, r, _| r.write_json(out)),
    ComputedVariable("num_headers", |out, _, headers| {
        write_value(out, Some(headers.map_or(0, HeaderMap::len)));
    }),
    ComputedVariable("redirect_url", |out, r, headers| {
        write_value(out, redirect_url(r, headers));
    }),
    ComputedVariable("remote_port", |out, r, _| {
        write_value(out, r.remote_port.or(Some(0)));
    }),
    ComputedVariable("response_code", |out, r, _| write_status(out, r)),
    ComputedVariable("scheme", |out, r, _| {
        write_value(out, r.url.split_once("://").map(|(scheme, _)| scheme));
    }),
    ComputedVariable("speed_download", |out, r, _| {
        write_value(out, Some(download_speed(r)));
    }),
    ComputedVariable("urlnum", |out, r, _| {
        write_value(out, Some(r.seq.saturating_sub(1)));
    }),
];

impl WriteOutVariable {
    pub(super) fn named(name: &str) -> Option<Self> {
        all().find(|variable| variable.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Computed(variable) => variable.0,
            Self::Field(column) => column.name,
        }
    }

    pub(super) fn write(self, out: &mut Vec<u8>, record: &Record<'_>, headers: Option<&HeaderMap>) {
        let column = match self {
            Self::Computed(variable) => return variable.1(out, record, headers),
            Self::Field(column) => column,
        };
        // Times have microseconds, as in curl.
        match (column.kind, (column.cell)(record)) {
            (Some(ColumnType::Double), TableCell::Null) => write_value(out, Some("0.000000")),
            (_, TableCell::Double(value)) => write_value(out, Some(format_args!("{value:.6}"))),
            (_, value) => write_value(out, Some(value)),
        }
    }
}

impl PartialEq for WriteOutVariable {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// The names of all variables, in order.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = all().map(WriteOutVariable::name).collect();
    names.sort_unstable();
    names
}

fn all() -> impl Iterator<Item = WriteOutVariable> {
    let is_computed = |name| COMPUTED.iter().any(|variable| variable.0 == name);
    let fields = Record::columns()
        .filter(move |column| !EXCLUDED.contains(&column.name) && !is_computed(column.name));
    let computed = COMPUTED.iter().map(WriteOutVariable::Computed);
    computed.chain(fields.map(WriteOutVariable::Field))
}

fn write_value(out: &mut Vec<u8>, value: Option<impl Display>) {
    if let Some(value) = value {
        write!(out, "{value}").expect("a vector takes every write");
    }
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("it is writable as JSON");
}

fn write_status(out: &mut Vec<u8>, record: &Record<'_>) {
    let status = record.response_code.unwrap_or(0);
    write_value(out, Some(format_args!("{status:03}")));
}

/// The URL of a redirect that was not followed.
fn redirect_url(record: &Record<'_>, headers: Option<&HeaderMap>) -> Option<String> {
    let location = fetch_proto::location_text(headers?.get(header::LOCATION)?.as_bytes());
    if location.is_empty() {
        return None;
    }
    let base = record.url_effective.as_ref()?.0;
    base.join(&location).ok().map(Into::into)
}

/// The average, in bytes per second.
fn download_speed(record: &Record<'_>) -> u64 {
    let seconds = record.time_total.filter(|seconds| *seconds > 0.0);
    seconds.map_or(0, |seconds| (record.size_download as f64 / seconds) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        let names = names();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    }

    #[test]
    fn variables_are_those_of_curl_and_of_records() {
        let expected = "body body_error checksum content_type error_type errormsg exitcode filename_effective \
            header_json host_key http_code http_version id json method num_connects num_headers \
            num_redirects num_retries outcome redirect_url remote_ip remote_port response_code resumed_from \
            row scheme seq sha256 size_delivered size_download speed_download time_appconnect \
            time_connect time_namelookup time_posttransfer time_pretransfer time_queue \
            time_redirect time_starttransfer time_total url url_effective urlnum withheld_fields";
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(names(), expected);
    }
}
