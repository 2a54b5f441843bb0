//! One line of JSON for each URL.

mod fields;

use std::time::{Duration, SystemTime};

use fetch_driver::{Outcome, Timestamp};
use fetch_proto::{AttemptReport, AttemptTimings};
use http::Version;
use ring::digest;
use serde::Serialize;

use crate::verdict::Verdict;
use fields::{Attempts, Effective, Shown, StartedAt};
pub(crate) use fields::{ErrorType, Id, error_type};

/// The version of the schema: the field `v`.
const SCHEMA: u8 = 1;

/// What records need beside the outcome.
#[derive(Clone)]
pub(crate) struct Recorder {
    /// The wall clock when the fetcher's own clock began.
    epoch: SystemTime,
    method: String,
    /// The digest so far of what all ids share: method and body.
    shared: digest::Context,
}

/// A record. A number that this version cannot know is null: `size_request` and `size_header`.
/// Bodies are not kept, so there is neither a digest nor a file of them.
#[derive(Serialize)]
struct Record<'a> {
    v: u8,
    id: Id,
    seq: u64,
    url: &'a str,
    url_effective: Option<Effective<'a>>,
    host_key: Option<&'a str>,
    method: &'a str,
    outcome: &'static str,
    response_code: Option<u16>,
    http_version: Option<&'static str>,
    content_type: Option<&'a str>,
    error_type: Option<ErrorType>,
    errormsg: Option<Shown<'a>>,
    exitcode: u8,
    started_at: Option<StartedAt>,
    time_queue: f64,
    time_namelookup: Option<f64>,
    time_connect: Option<f64>,
    time_appconnect: Option<f64>,
    time_pretransfer: Option<f64>,
    time_posttransfer: Option<f64>,
    time_starttransfer: Option<f64>,
    time_redirect: f64,
    time_total: Option<f64>,
    num_retries: u16,
    num_redirects: u16,
    num_connects: usize,
    remote_ip: Option<std::net::IpAddr>,
    remote_port: Option<u16>,
    size_request: Option<u64>,
    size_header: Option<u64>,
    size_download: u64,
    size_delivered: u64,
    attempts: Attempts<'a>,
}

impl Recorder {
    /// `epoch` is the wall clock when the fetcher was built.
    pub(crate) fn new(epoch: SystemTime, method: &str, body: &[u8]) -> Self {
        let mut shared = digest::Context::new(&digest::SHA256);
        shared.update(method.as_bytes());
        shared.update(b"\n");
        shared.update(digest::digest(&digest::SHA256, body).as_ref());
        Self {
            epoch,
            method: method.to_owned(),
            shared,
        }
    }

    /// Writes the record of an outcome.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        outcome: &Outcome,
        verdict: Verdict,
        host: Option<&str>,
    ) {
        let (last, response) = (outcome.attempts.last(), outcome.response());
        let t0 = outcome.timings.started;
        let times = last.map(|last| Times {
            t0,
            last: &last.timings,
        });
        let at = |pick: fn(&AttemptTimings) -> Option<Timestamp>| times.as_ref()?.at(pick);
        let remote = outcome.connection.and_then(|connection| connection.remote);
        let record = Record {
            v: SCHEMA,
            id: self.id(outcome.url.as_bytes()),
            seq: outcome.tag,
            url: &outcome.url,
            url_effective: last.map(|last| Effective(&last.url)),
            host_key: host,
            method: &self.method,
            outcome: verdict.outcome,
            response_code: last.and_then(|last| last.status),
            http_version: response.and_then(|response| version(response.version)),
            content_type: response
                .and_then(|r| r.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()),
            error_type: error_type(outcome, verdict),
            errormsg: outcome.error().map(|error| Shown(error)),
            exitcode: verdict.curl,
            started_at: t0.map(|t0| StartedAt(self.epoch + t0.since_start())),
            time_queue: seconds(outcome.timings.queued),
            time_namelookup: at(|t| t.resolved),
            time_connect: at(|t| t.connected),
            time_appconnect: at(|t| t.tls_done),
            time_pretransfer: at(|t| t.tls_done.or(t.connected)),
            time_posttransfer: at(|t| t.sent),
            time_starttransfer: at(|t| t.head),
            time_redirect: seconds(outcome.timings.redirecting),
            time_total: t0.map(|_| seconds(outcome.duration())),
            num_retries: outcome.retries,
            num_redirects: outcome.redirects,
            num_connects: outcome.attempts.iter().filter(|a| connected(a)).count(),
            remote_ip: remote.map(|remote| remote.ip()),
            remote_port: remote.map(|remote| remote.port()),
            size_request: None,
            size_header: None,
            size_download: outcome.wire_bytes,
            size_delivered: last.map_or(0, |last| last.bytes),
            attempts: Attempts(t0, &outcome.attempts),
        };
        put(out, &record);
    }

    /// Writes the record of a line that is no URL.
    pub(crate) fn write_invalid(&self, out: &mut Vec<u8>, seq: u64, text: &str, message: &str) {
        put(
            out,
            &Record {
                v: SCHEMA,
                id: self.id(text.as_bytes()),
                seq,
                url: text,
                url_effective: None,
                host_key: None,
                method: &self.method,
                outcome: "invalid",
                response_code: None,
                http_version: None,
                content_type: None,
                error_type: Some(ErrorType::Name("invalid_url")),
                errormsg: Some(Shown(&message)),
                exitcode: 3,
                started_at: None,
                time_queue: 0.0,
                time_namelookup: None,
                time_connect: None,
                time_appconnect: None,
                time_pretransfer: None,
                time_posttransfer: None,
                time_starttransfer: None,
                time_redirect: 0.0,
                time_total: None,
                num_retries: 0,
                num_redirects: 0,
                num_connects: 0,
                remote_ip: None,
                remote_port: None,
                size_request: None,
                size_header: None,
                size_download: 0,
                size_delivered: 0,
                attempts: Attempts(None, &[]),
            },
        );
    }

    /// The digest of a request with this URL.
    pub(crate) fn id(&self, url: &[u8]) -> Id {
        let mut context = self.shared.clone();
        context.update(url);
        Id(context.finish())
    }
}

fn put(out: &mut Vec<u8>, record: &Record<'_>) {
    serde_json::to_writer(&mut *out, record).expect("a record is writable as JSON");
    out.push(b'\n');
}

/// An attempt that made a connection resolved the name first; one on a pooled connection did not.
fn connected(attempt: &AttemptReport) -> bool {
    attempt.timings.resolved.is_some() && attempt.timings.connected.is_some()
}

fn version(version: Version) -> Option<&'static str> {
    Some(match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    })
}

/// Microseconds are as fine as a clock is over a network, and shorter to write.
fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

struct Times<'a> {
    t0: Option<Timestamp>,
    last: &'a AttemptTimings,
}

impl Times<'_> {
    fn at(&self, pick: impl Fn(&AttemptTimings) -> Option<Timestamp>) -> Option<f64> {
        Some(seconds(pick(self.last)?.saturating_since(self.t0?)))
    }
}
