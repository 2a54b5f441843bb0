//! Data that all records of a run share.

use std::time::SystemTime;

use fetch_driver::{Outcome, Request};
use fetch_proto::AttemptReport;
use ring::digest;

use super::fields::RecordId;
use crate::outcome::checksum::hex;
use crate::outcome::row::RowAttachment;

/// Builds records, with the data that all of them share.
#[derive(Clone)]
pub(crate) struct RecordBuilder {
    /// Whether records have the response's body.
    pub(super) bodies: bool,
    /// The wall clock when the fetcher's clock started.
    pub(super) epoch: SystemTime,
    /// Whether records have the response's header fields.
    pub(super) headers: bool,
    pub(super) method: String,
    /// The field `Referer` of all requests.
    pub(in crate::output) referer: Option<String>,
    /// The hash state after method and body, from which the ids of plain lines are computed.
    id_prefix: digest::Context,
}

impl RecordBuilder {
    /// `epoch` is the wall clock when the fetcher was built.
    pub(crate) fn new(epoch: SystemTime, method: &str, body: &[u8], headers: bool) -> Self {
        let body = digest::digest(&digest::SHA256, body);
        Self {
            bodies: false,
            epoch,
            headers,
            method: method.to_owned(),
            referer: None,
            id_prefix: id_prefix(method, body.as_ref()),
        }
    }

    /// Sets the field `Referer` of all requests. Default: none.
    pub(crate) fn with_referer(self, referer: Option<String>) -> Self {
        Self { referer, ..self }
    }

    /// Sets whether records have the response's body.
    pub(crate) fn with_bodies(mut self, bodies: bool) -> Self {
        self.bodies = bodies;
        self
    }

    /// The start of the first attempt, as an RFC 3339 date.
    pub(crate) fn date(&self, attempt: Option<&AttemptReport>) -> String {
        let since = attempt.map(|attempt| attempt.timings.started.since_start());
        let at = jiff::Timestamp::try_from(self.epoch + since.unwrap_or_default());
        at.map_or_else(|_| String::new(), |at| format!("{at:.3}"))
    }

    /// The id of a plain line of a list.
    pub(crate) fn id_of_line(&self, line: &[u8]) -> RecordId<'static> {
        let mut context = self.id_prefix.clone();
        context.update(line);
        RecordId::Digest(finish(context))
    }

    /// The id of a request: the one in its row, otherwise the digest of its identity. `url` is its text.
    pub(crate) fn id<'a>(&self, url: &str, row: Option<&'a RowAttachment>) -> RecordId<'a> {
        match row {
            Some(RowAttachment { id: Some(id), .. }) => RecordId::Given(id),
            Some(row) => RecordId::Digest(row.identity),
            None => self.id_of_line(url.as_bytes()),
        }
    }

    /// The identity of a request with the common method and body.
    pub(crate) fn identity(&self, request: &Request) -> [u8; 32] {
        identity(self.id_prefix.clone(), request)
    }

    /// The identity of a request with its own method or body.
    pub(crate) fn row_identity(request: &Request, body: &[u8]) -> [u8; 32] {
        let body = digest::digest(&digest::SHA256, body);
        identity(id_prefix(request.method().as_str(), body.as_ref()), request)
    }

    /// The id as a part of a file name.
    pub(crate) fn file_id(&self, outcome: &Outcome) -> String {
        match self.id(&outcome.url, RowAttachment::of(outcome)) {
            RecordId::Digest(digest) => hex(&digest),
            RecordId::Given(id) => id.to_owned(),
        }
    }
}

/// Equal for equal requests: the digest of method, body, URL as it is sent, and the header fields that not
/// all requests have.
fn identity(mut context: digest::Context, request: &Request) -> [u8; 32] {
    context.update(request.sent_url().as_bytes());
    let headers = request.headers_ref();
    let mut names: Vec<_> = headers.keys().collect();
    names.sort_unstable_by_key(|name| name.as_str());
    for name in names {
        for value in headers.get_all(name) {
            for part in [b"\n", name.as_str().as_bytes(), b": ", value.as_bytes()] {
                context.update(part);
            }
        }
    }
    finish(context)
}

fn finish(context: digest::Context) -> [u8; 32] {
    let digest = context.finish();
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn id_prefix(method: &str, body_digest: &[u8]) -> digest::Context {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(method.as_bytes());
    context.update(b"\n");
    context.update(body_digest);
    context
}
