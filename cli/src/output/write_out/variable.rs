//! The variables of `-w`: curl's, and the fields that records have beside these.

use std::fmt::Display;
use std::io::Write;

use http::{HeaderMap, header};
use serde::Serialize;

use crate::output::record::{HeaderJson, Record};

/// A variable that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variable(&'static str, Put);

type Put = fn(&mut Vec<u8>, &Record<'_>, Option<&HeaderMap>);

impl PartialEq for Variable {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Variable {
    pub(super) fn named(name: &str) -> Option<Self> {
        KNOWN.iter().find(|known| known.0 == name).copied()
    }

    pub(super) fn write(self, out: &mut Vec<u8>, record: &Record<'_>, head: Option<&HeaderMap>) {
        (self.1)(out, record, head);
    }
}

/// The names of all.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.0)
}

/// In order. A status has three digits, and a time microseconds, as in curl; what is not known is 0
/// where curl has a number, else nothing.
const KNOWN: &[Variable] = &[
    Variable("checksum", |out, r, _| put(out, r.checksum)),
    Variable("content_type", |out, r, _| put(out, r.content_type)),
    Variable("error_type", |out, r, _| put(out, r.error_type)),
    Variable("errormsg", |out, r, _| put(out, r.errormsg.as_ref())),
    Variable("exitcode", |out, r, _| put(out, Some(r.exitcode))),
    Variable("filename_effective", |out, r, _| {
        put(out, r.filename_effective);
    }),
    Variable("header_json", |out, _, head| {
        let none = HeaderMap::new();
        json(out, &HeaderJson(head.map_or(&none, |head| head)));
    }),
    Variable("host_key", |out, r, _| put(out, r.host_key)),
    Variable("http_code", |out, r, _| status(out, r)),
    Variable("http_version", |out, r, _| {
        put(out, r.http_version.or(Some("0")));
    }),
    Variable("id", |out, r, _| put(out, Some(&r.id))),
    Variable("json", |out, r, _| json(out, r)),
    Variable("method", |out, r, _| put(out, Some(r.method))),
    Variable("num_connects", |out, r, _| put(out, Some(r.num_connects))),
    Variable("num_headers", |out, _, head| {
        put(out, Some(head.map_or(0, HeaderMap::len)));
    }),
    Variable("num_redirects", |out, r, _| put(out, Some(r.num_redirects))),
    Variable("num_retries", |out, r, _| put(out, Some(r.num_retries))),
    Variable("outcome", |out, r, _| put(out, Some(r.outcome))),
    Variable("redirect_url", |out, r, head| put(out, redirect(r, head))),
    Variable("remote_ip", |out, r, _| put(out, r.remote_ip)),
    Variable("remote_port", |out, r, _| {
        put(out, r.remote_port.or(Some(0)));
    }),
    Variable("response_code", |out, r, _| status(out, r)),
    Variable("scheme", |out, r, _| {
        put(out, r.url.split_once("://").map(|(scheme, _)| scheme));
    }),
    Variable("seq", |out, r, _| put(out, Some(r.seq))),
    Variable("sha256", |out, r, _| put(out, r.sha256)),
    Variable("size_delivered", |out, r, _| {
        put(out, Some(r.size_delivered));
    }),
    Variable("size_download", |out, r, _| put(out, Some(r.size_download))),
    Variable("speed_download", |out, r, _| put(out, Some(speed(r)))),
    Variable("time_appconnect", |out, r, _| time(out, r.time_appconnect)),
    Variable("time_connect", |out, r, _| time(out, r.time_connect)),
    Variable("time_namelookup", |out, r, _| time(out, r.time_namelookup)),
    Variable("time_posttransfer", |out, r, _| {
        time(out, r.time_posttransfer);
    }),
    Variable("time_pretransfer", |out, r, _| {
        time(out, r.time_pretransfer);
    }),
    Variable("time_queue", |out, r, _| time(out, Some(r.time_queue))),
    Variable("time_redirect", |out, r, _| {
        time(out, Some(r.time_redirect));
    }),
    Variable("time_starttransfer", |out, r, _| {
        time(out, r.time_starttransfer);
    }),
    Variable("time_total", |out, r, _| time(out, r.time_total)),
    Variable("url", |out, r, _| put(out, Some(r.url))),
    Variable("url_effective", |out, r, _| {
        put(out, r.url_effective.as_ref().map(|url| url.text()));
    }),
    Variable("urlnum", |out, r, _| {
        put(out, Some(r.seq.saturating_sub(1)));
    }),
];

fn put(out: &mut Vec<u8>, value: Option<impl Display>) {
    if let Some(value) = value {
        write!(out, "{value}").expect("memory takes everything");
    }
}

fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("it is writable as JSON");
}

fn status(out: &mut Vec<u8>, record: &Record<'_>) {
    put(
        out,
        Some(format_args!("{:03}", record.response_code.unwrap_or(0))),
    );
}

fn time(out: &mut Vec<u8>, seconds: Option<f64>) {
    put(out, Some(format_args!("{:.6}", seconds.unwrap_or(0.0))));
}

/// Where it would have led, had redirects been followed.
fn redirect(record: &Record<'_>, head: Option<&HeaderMap>) -> Option<String> {
    let location = head?.get(header::LOCATION)?.to_str().ok()?;
    let base = record.url_effective.as_ref()?.0;
    base.join(location).ok().map(Into::into)
}

/// Bytes per second, on average.
fn speed(record: &Record<'_>) -> u64 {
    let seconds = record.time_total.filter(|seconds| *seconds > 0.0);
    seconds.map_or(0, |seconds| (record.size_download as f64 / seconds) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_there_once_and_in_order() {
        let names: Vec<_> = names().collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    }
}
