//! Data that all records of a run share.

use std::time::SystemTime;

use fetch_driver::Outcome;
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
        RecordId::Digest(context.finish())
    }

    /// The id of a request: the one in its row, otherwise a digest of method, body and URL.
    pub(crate) fn id<'a>(&self, url: &str, row: Option<&'a RowAttachment>) -> RecordId<'a> {
        let mut context = match row {
            Some(RowAttachment { id: Some(id), .. }) => return RecordId::Given(id),
            Some(row) => id_prefix(row.method.as_str(), &row.body_digest),
            None => self.id_prefix.clone(),
        };
        context.update(url.as_bytes());
        RecordId::Digest(context.finish())
    }

    /// The id as a part of a file name.
    pub(crate) fn file_id(&self, outcome: &Outcome) -> String {
        match self.id(&outcome.url, RowAttachment::of(outcome)) {
            RecordId::Digest(digest) => hex(digest.as_ref()),
            RecordId::Given(id) => id.to_owned(),
        }
    }
}

fn id_prefix(method: &str, body_digest: &[u8]) -> digest::Context {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(method.as_bytes());
    context.update(b"\n");
    context.update(body_digest);
    context
}
