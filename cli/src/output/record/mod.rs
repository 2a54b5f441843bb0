//! One line of JSON for each URL.

mod fields;
mod line;

use std::time::{Duration, SystemTime};

use fetch_driver::{Outcome, Request, Timestamp};
use fetch_proto::{AttemptReport, AttemptTimings};
use http::Version;
use ring::digest;
use serde::Serialize;

use crate::outcome::checksum::hex;
use crate::outcome::error_type::{ErrorType, error_type};
use crate::outcome::item::Item;
use crate::outcome::result::Ended;
pub(crate) use fields::{Attempts, Effective, HeaderJson, Id, Shown, StartedAt};

/// The version of the schema: the field `v`.
const SCHEMA: u8 = 1;

/// What records need beside the outcome.
#[derive(Clone)]
pub(crate) struct Recorder {
    /// The wall clock when the fetcher's own clock began.
    epoch: SystemTime,
    /// Whether records have the response's header fields.
    headers: bool,
    method: String,
    /// The digest so far of what all ids share: method and body.
    shared: digest::Context,
}

/// What there is to tell of one line of the list.
#[derive(Clone, Copy)]
pub(crate) enum Told<'a> {
    /// robots.txt does not allow it, or could not be had.
    Disallowed {
        message: &'a str,
        request: &'a Request,
    },
    Ended(&'a Ended<'a>),
    /// It is no URL.
    Invalid {
        message: &'a str,
        seq: u64,
        text: &'a str,
    },
    /// Its file is there already.
    Skipped {
        file: &'a str,
        seq: u64,
        url: &'a str,
    },
}

/// A record. A number that this version cannot know is null: `size_request` and `size_header`.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    pub(crate) v: u8,
    pub(crate) id: Id<'a>,
    pub(crate) seq: u64,
    pub(crate) url: &'a str,
    pub(crate) url_effective: Option<Effective<'a>>,
    pub(crate) host_key: Option<&'a str>,
    pub(crate) method: &'a str,
    pub(crate) outcome: &'static str,
    pub(crate) response_code: Option<u16>,
    pub(crate) http_version: Option<&'static str>,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) error_type: Option<ErrorType>,
    pub(crate) errormsg: Option<Shown<'a>>,
    pub(crate) exitcode: u8,
    pub(crate) started_at: Option<StartedAt>,
    pub(crate) time_queue: f64,
    pub(crate) time_namelookup: Option<f64>,
    pub(crate) time_connect: Option<f64>,
    pub(crate) time_appconnect: Option<f64>,
    pub(crate) time_pretransfer: Option<f64>,
    pub(crate) time_posttransfer: Option<f64>,
    pub(crate) time_starttransfer: Option<f64>,
    pub(crate) time_redirect: f64,
    pub(crate) time_total: Option<f64>,
    pub(crate) num_retries: u16,
    pub(crate) num_redirects: u16,
    pub(crate) num_connects: usize,
    pub(crate) remote_ip: Option<std::net::IpAddr>,
    pub(crate) remote_port: Option<u16>,
    pub(crate) size_request: Option<u64>,
    pub(crate) size_header: Option<u64>,
    pub(crate) size_download: u64,
    pub(crate) size_delivered: u64,
    pub(crate) sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<&'a str>,
    pub(crate) filename_effective: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header_json: Option<HeaderJson<'a>>,
    pub(crate) attempts: Attempts<'a>,
}

impl Recorder {
    /// `epoch` is the wall clock when the fetcher was built.
    pub(crate) fn new(epoch: SystemTime, method: &str, body: &[u8], headers: bool) -> Self {
        let mut shared = digest::Context::new(&digest::SHA256);
        begin_id(
            &mut shared,
            method,
            digest::digest(&digest::SHA256, body).as_ref(),
        );
        Self {
            epoch,
            headers,
            method: method.to_owned(),
            shared,
        }
    }

    /// The record of whatever there is to tell.
    pub(crate) fn make<'a>(&'a self, told: &Told<'a>) -> Record<'a> {
        match *told {
            Told::Ended(ended) => self.ended(ended),
            Told::Disallowed { message, request } => {
                let item = Item::of_request(request);
                Record {
                    errormsg: Some(Shown::Text(message)),
                    error_type: Some(ErrorType::Name("robots")),
                    method: item.map_or(&*self.method, |item| item.method.as_str()),
                    outcome: "robots",
                    ..self.empty(request.tag_ref(), request.text(), item)
                }
            }
            Told::Invalid { message, seq, text } => Record {
                error_type: Some(ErrorType::Name("invalid_url")),
                errormsg: Some(Shown::Text(message)),
                exitcode: 3,
                outcome: "invalid",
                ..self.empty(seq, text, None)
            },
            Told::Skipped { file, seq, url } => Record {
                filename_effective: Some(file),
                outcome: "skipped",
                ..self.empty(seq, url, None)
            },
        }
    }

    fn ended<'a>(&'a self, ended: &'a Ended<'a>) -> Record<'a> {
        let (outcome, kept) = (ended.outcome, ended.kept);
        let (last, response) = (outcome.attempts.last(), outcome.response());
        let t0 = outcome.timings.started;
        let times = last.map(|last| Times {
            t0,
            last: &last.timings,
        });
        let at = |pick: fn(&AttemptTimings) -> Option<Timestamp>| times.as_ref()?.at(pick);
        let remote = outcome.connection.and_then(|connection| connection.remote);
        let item = Item::of(outcome);
        let error = outcome.error().map(Shown::Error);
        Record {
            url_effective: last.map(|last| Effective(&last.url)),
            host_key: ended.host(),
            method: item.map_or(&*self.method, |item| item.method.as_str()),
            outcome: ended.verdict.outcome,
            response_code: last.and_then(|last| last.status),
            http_version: response.and_then(|response| version(response.version)),
            content_type: response
                .and_then(|r| r.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()),
            error_type: error_type(ended),
            errormsg: error.or_else(|| ended.trouble().map(Shown::Text)),
            exitcode: ended.verdict.curl,
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
            size_download: outcome.wire_bytes,
            size_delivered: last.map_or(0, |last| last.bytes),
            sha256: kept.and_then(|kept| kept.sha256.as_deref()),
            checksum: kept.and_then(|kept| kept.checksum.as_deref()),
            filename_effective: kept.and_then(|kept| kept.file.as_deref()),
            header_json: response
                .filter(|_| self.headers)
                .map(|r| HeaderJson(&r.headers)),
            attempts: Attempts(t0, &outcome.attempts),
            ..self.empty(outcome.tag, &outcome.url, item)
        }
    }

    /// The record of what was not fetched.
    fn empty<'a>(&'a self, seq: u64, url: &'a str, item: Option<&'a Item>) -> Record<'a> {
        Record {
            v: SCHEMA,
            id: self.id(url, item),
            seq,
            url,
            url_effective: None,
            host_key: None,
            method: &self.method,
            outcome: "skipped",
            response_code: None,
            http_version: None,
            content_type: None,
            error_type: None,
            errormsg: None,
            exitcode: 0,
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
            sha256: None,
            checksum: None,
            filename_effective: None,
            header_json: None,
            attempts: Attempts(None, &[]),
        }
    }

    /// The record as one line of JSON.
    pub(crate) fn write(&self, out: &mut Vec<u8>, told: &Told<'_>) {
        line::write(out, &self.make(told));
    }

    /// When the first attempt began, as a date.
    pub(crate) fn date(&self, outcome: &Outcome) -> String {
        let since = outcome.timings.started.map(Timestamp::since_start);
        let at = jiff::Timestamp::try_from(self.epoch + since.unwrap_or_default());
        at.map_or_else(|_| String::new(), |at| format!("{at:.3}"))
    }

    /// What identifies a plain line of a list.
    pub(crate) fn id_of_line(&self, line: &[u8]) -> Id<'static> {
        let mut context = self.shared.clone();
        context.update(line);
        Id::Digest(context.finish())
    }

    /// What identifies the URL, its method and body: what the row says, or a digest.
    pub(crate) fn id<'a>(&self, url: &str, item: Option<&'a Item>) -> Id<'a> {
        let mut context = match item {
            Some(Item { id: Some(id), .. }) => return Id::Given(id),
            Some(item) => {
                let mut context = digest::Context::new(&digest::SHA256);
                begin_id(&mut context, item.method.as_str(), &item.body_digest);
                context
            }
            None => self.shared.clone(),
        };
        context.update(url.as_bytes());
        Id::Digest(context.finish())
    }

    /// The same for the name of a file.
    pub(crate) fn plain_id(&self, outcome: &Outcome) -> String {
        match self.id(&outcome.url, Item::of(outcome)) {
            Id::Digest(digest) => hex(digest.as_ref()),
            Id::Given(id) => id.to_owned(),
        }
    }
}

fn begin_id(context: &mut digest::Context, method: &str, body_digest: &[u8]) {
    context.update(method.as_bytes());
    context.update(b"\n");
    context.update(body_digest);
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
    let whole = duration.as_secs().saturating_mul(1_000_000);
    whole.saturating_add(duration.subsec_micros().into()) as f64 / 1e6
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
