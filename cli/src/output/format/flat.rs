//! A record as a row of a table: every field but the attempts and the header fields.

use crate::output::record::Record;

/// How to get a column's value from a record.
pub(super) enum Column {
    Double(fn(&Record<'_>) -> Option<f64>),
    Int(fn(&Record<'_>) -> Option<i32>),
    Long(fn(&Record<'_>) -> Option<i64>),
    Text(fn(&Record<'_>) -> Option<String>),
}

use Column::{Double, Int, Long, Text};

/// The columns, by name, in order.
pub(super) const COLUMNS: &[(&str, Column)] = &[
    ("v", Int(|r| Some(r.v.into()))),
    ("id", Text(|r| Some(r.id.to_string()))),
    ("seq", Long(|r| Some(large(r.seq)))),
    ("url", Text(|r| Some(r.url.to_owned()))),
    (
        "url_effective",
        Text(|r| r.url_effective.as_ref().map(|url| url.text().into_owned())),
    ),
    ("host_key", Text(|r| owned(r.host_key))),
    ("method", Text(|r| Some(r.method.to_owned()))),
    ("outcome", Text(|r| Some(r.outcome.to_owned()))),
    ("response_code", Int(|r| r.response_code.map(Into::into))),
    ("http_version", Text(|r| owned(r.http_version))),
    ("content_type", Text(|r| owned(r.content_type))),
    (
        "error_type",
        Text(|r| r.error_type.map(|kind| kind.to_string())),
    ),
    (
        "errormsg",
        Text(|r| r.errormsg.as_ref().map(ToString::to_string)),
    ),
    ("exitcode", Int(|r| Some(r.exitcode.into()))),
    (
        "started_at",
        Text(|r| r.started_at.as_ref().map(ToString::to_string)),
    ),
    ("time_queue", Double(|r| Some(r.time_queue))),
    ("time_namelookup", Double(|r| r.time_namelookup)),
    ("time_connect", Double(|r| r.time_connect)),
    ("time_appconnect", Double(|r| r.time_appconnect)),
    ("time_pretransfer", Double(|r| r.time_pretransfer)),
    ("time_posttransfer", Double(|r| r.time_posttransfer)),
    ("time_starttransfer", Double(|r| r.time_starttransfer)),
    ("time_redirect", Double(|r| Some(r.time_redirect))),
    ("time_total", Double(|r| r.time_total)),
    ("num_retries", Int(|r| Some(r.num_retries.into()))),
    ("num_redirects", Int(|r| Some(r.num_redirects.into()))),
    ("num_connects", Long(|r| Some(large(r.num_connects as u64)))),
    ("remote_ip", Text(|r| r.remote_ip.map(|ip| ip.to_string()))),
    ("remote_port", Int(|r| r.remote_port.map(Into::into))),
    ("size_request", Long(|r| r.size_request.map(large))),
    ("size_header", Long(|r| r.size_header.map(large))),
    ("size_download", Long(|r| Some(large(r.size_download)))),
    ("size_delivered", Long(|r| Some(large(r.size_delivered)))),
    ("sha256", Text(|r| owned(r.sha256))),
    ("checksum", Text(|r| owned(r.checksum))),
    ("filename_effective", Text(|r| owned(r.filename_effective))),
];

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// Tables have no unsigned numbers.
fn large(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
