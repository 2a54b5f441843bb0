//! Saving of bodies: files in a directory, archives, digests.

mod archives;
mod directory;
mod disk;
mod disposition;
mod extension;
mod name;
mod open;
mod partial;
mod resume;
mod spool;
mod tar;
mod temporary;
mod warc;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use fetch_driver::{BodyRetention, Outcome, Request, Response};
use fetch_proto::Method;
use http::HeaderMap;
use url::Url;

use crate::mutex::lock;
use crate::outcome::checksum::{DigestAlgorithm, hex};
use crate::outcome::class::OutcomeClass;
use crate::outcome::recorded_body::{BodyRecording, RecordedBody};
use crate::outcome::result::FetchResult;
use crate::outcome::row::RowAttachment;
use crate::outcome::saved_body::{SaveError, SavedBody};
use crate::output::record::{RecordBuilder, RecordInput};
use archives::Archives;
use directory::BodyDirectory;
use disk::DiskStatus;
use extension::extension;
pub(crate) use name::NameTemplate;
use name::{FileNaming, NameInputs};
pub(crate) use open::{ContinueAt, SaveOptions, SaveResume};
use partial::PartialStore;
use resume::DirectoryUse;
pub(crate) use resume::{ArchiveResume, remove_uncommitted};
use spool::{BodyBytes, BodySpool, FinishedBody, SpooledBody};
use warc::ArchivedExchange;

/// The path below the directory of a body that is named by its header fields, or by a template. `None` if the
/// template is not valid.
pub(crate) fn body_path(template: Option<&str>, headers: &HeaderMap, url: &Url) -> Option<String> {
    let naming = match template {
        None => FileNaming::Header,
        Some(template) => FileNaming::Template(NameTemplate::parse(template).ok()?),
    };
    let header = disposition::file_name(headers);
    Some(naming.path(&NameInputs {
        ext: "bin",
        hash: &[0; 32],
        header: header.as_deref(),
        id: "1",
        out: None,
        seq: 1,
        url,
    }))
}

/// The prefix of names of unfinished files.
const TEMPORARY_PREFIX: &str = ".fetch-all-";

/// All destinations of bodies.
#[derive(Debug)]
pub(crate) struct BodyStore {
    /// Whether bodies of all statuses are saved, and not of 2xx only.
    all_statuses: bool,
    /// The algorithm of the field `checksum`.
    algorithm: Option<DigestAlgorithm>,
    archives: Option<Mutex<Archives>>,
    /// Whether it only verifies the checksums of rows, because no option keeps or digests bodies.
    checks_only: bool,
    directory: Option<BodyDirectory>,
    disk: Arc<DiskStatus>,
    /// Whether responses that redirect are archived.
    keeps_redirects: bool,
    method: Method,
    /// Whether files get the date of `Last-Modified`.
    remote_time: bool,
    skip_existing: bool,
    /// With `--state` or `-C -`: downloads that can be continued.
    partial: Option<Arc<PartialStore>>,
    /// `--record-body`.
    recording: Option<BodyRecording>,
    spool: Arc<BodySpool>,
    /// Removes the temporary files of killed runs, and keeps others from removing those of this run.
    _temporary: Option<DirectoryUse>,
}

impl BodyStore {
    /// Whether the body of the outcome is saved, digested or verified.
    pub(crate) fn needs_body_of(&self, outcome: &Outcome) -> bool {
        self.needs_body(RowAttachment::of(outcome))
    }

    fn needs_body(&self, row: Option<&RowAttachment>) -> bool {
        !self.checks_only
            || self.recording.is_some()
            || row.is_some_and(|row| row.checksum.is_some())
    }

    /// The request, whose response body will be spooled here if it is needed. `digest` identifies it in other runs.
    pub(crate) fn attach_to(
        &self,
        request: Request,
        digest: impl FnOnce(&Request) -> [u8; 16],
        seq: u64,
        row: Option<&RowAttachment>,
    ) -> Request {
        if !self.needs_body(row) {
            return request;
        }
        let request = match self.keeps_redirects {
            true => request.keep_redirects(true),
            false => request,
        };
        if self.recording.is_some() && self.spool.directory.is_none() {
            return request.body_retention(BodyRetention::Collect);
        }
        let Some(partial) = &self.partial else {
            return request.save(self.spool.clone());
        };
        let digest = digest(&request);
        let file = match (&self.directory, partial.continues.is_some()) {
            (Some(directory), true) => {
                let inputs = name_inputs(request.url(), seq, row);
                Some(directory.expected_path(&inputs))
            }
            _ => None,
        };
        partial.attach(request, self.spool.clone(), digest, file)
    }

    /// Forgets what was received of the body of a failed fetch, unless the next run continues it.
    pub(crate) fn forget_partial(&self, outcome: &Outcome, builder: &RecordBuilder) {
        if let Some(partial) = &self.partial
            && partial.continues.is_none()
        {
            let id = builder.id(&outcome.url, RowAttachment::of(outcome));
            partial.forget(id.state_key());
        }
    }

    /// Saves the body of an outcome, and delivers both. Blocks. `fail` is the option `--fail`.
    ///
    /// Bodies are delivered in the order in which they stand in the archives, so that records have the
    /// same order, and an archive can be cut behind the body of the last record.
    pub(crate) fn save(
        &self,
        outcome: Outcome,
        builder: &RecordBuilder,
        fail: bool,
        deliver: impl FnOnce(Outcome, SavedBody),
    ) {
        let mut saved = SavedBody::default();
        // Held until the delivery.
        let mut archives = None;
        let result = match &outcome.result {
            Ok(response) => {
                self.try_save(&outcome, response, builder, fail, &mut saved, &mut archives)
            }
            Err(_) => self.archive_redirects(&outcome, builder, &mut saved, &mut archives),
        };
        saved.error = result.err();
        deliver(outcome, saved);
    }

    fn try_save<'a>(
        &'a self,
        outcome: &Outcome,
        response: &Response,
        builder: &RecordBuilder,
        fail: bool,
        saved: &mut SavedBody,
        archives: &mut Option<MutexGuard<'a, Archives>>,
    ) -> Result<(), SaveError> {
        let row = RowAttachment::of(outcome);
        let Some(mut body) = self.body(response, row).map_err(SaveError::Write)? else {
            return Ok(());
        };
        let checksum = self
            .algorithm
            .and_then(|algorithm| body.digests.get(algorithm));
        saved.checksum = checksum.map(|checksum| checksum.to_string());
        saved.sha256 = Some(hex(&body.digests.sha256));
        let content_type = content_type(response);
        if let Some(recording) = self.recording {
            let recorded = match &response.saved {
                Some(_) => record(recording, &body, content_type),
                None => Ok(recording.encode(body.size, &response.body, content_type)),
            };
            saved.recorded = Some(recorded.map_err(SaveError::Write)?);
        }
        let method = row.map_or(&self.method, |row| &row.method);
        let is_success = response.status.is_success() || self.all_statuses;
        let wanted = (is_success || outcome.resumed_from.is_some())
            && *method != Method::Head
            && !matches!(body.bytes, BodyBytes::Dropped);
        let ext = extension(content_type);
        // An HTTP error is a failure without that.
        let mut result = match response.status.as_u16() < 400 {
            true => verify(&body, row),
            false => Ok(()),
        };
        if result.is_ok()
            && wanted
            && let Some(directory) = &self.directory
        {
            let file = self.save_file(directory, outcome, response, builder, ext, &mut body);
            match file {
                Ok(file) => saved.file = Some(file),
                Err(error) => result = Err(SaveError::Write(error)),
            }
        }
        let Some(all) = &self.archives else {
            return result;
        };
        let Archives { tar, warc } = &mut **archives.insert(lock(all));
        if let Some(warc) = warc {
            let last = ArchivedExchange {
                body: &body,
                connection: outcome.connection.clone(),
                date: builder.date(outcome.attempts.last()),
                has_lost_body: outcome.method != *method,
                is_complete: true,
                method: &outcome.method,
                response,
                withheld: &outcome.withheld,
            };
            self.append(warc, outcome, builder, Some(last))
                .map_err(SaveError::Write)?;
            saved.archived.warc = warc.end();
        }
        if result.is_ok()
            && wanted
            && let Some(tar) = tar
        {
            let record = |saved: &SavedBody| {
                let class = OutcomeClass::new(outcome, fail);
                let mut json = Vec::new();
                let result = FetchResult::new(outcome, class, Some(saved));
                builder.write_line(&mut json, &RecordInput::Fetched(&result));
                json
            };
            let added = tar.append(outcome.tag, ext, &body, saved, record);
            if added.is_err()
                && let Some(warc) = warc
            {
                // The response is in both archives, or in none.
                warc.remove_last();
                saved.archived.warc = None;
            }
            added.map_err(SaveError::Write)?;
            saved.archived.tar = tar.end();
        }
        result
    }

    /// Saves a body under its name in the directory, and returns the path relative to it.
    fn save_file(
        &self,
        directory: &BodyDirectory,
        outcome: &Outcome,
        response: &Response,
        builder: &RecordBuilder,
        ext: &str,
        body: &mut FinishedBody,
    ) -> Result<String, String> {
        let row = RowAttachment::of(outcome);
        let hash = body.digests.sha256;
        let id = builder.file_id(outcome);
        let proposed = disposition::file_name(&response.headers);
        let inputs = NameInputs {
            ext,
            hash: &hash,
            header: proposed.as_deref(),
            id: &id,
            out: row.and_then(|row| row.out.as_deref()),
            seq: outcome.tag,
            // The requested URL: names must not depend on redirects.
            url: outcome
                .attempts
                .first()
                .map_or(&response.url, |first| &first.url),
        };
        let name = directory.save(body, &inputs)?;
        if self.remote_time
            && let BodyBytes::Saved(file) = &body.bytes
            && let Some(date) = last_modified(response)
        {
            // As in curl, an error is none of the download.
            let _ = file.set_modified(date);
        }
        Ok(name)
    }

    /// The body of a response, from the spool or from memory.
    fn body(
        &self,
        response: &Response,
        row: Option<&RowAttachment>,
    ) -> Result<Option<FinishedBody>, String> {
        match &response.saved {
            Some(saved) => match saved.downcast_ref::<SpooledBody>() {
                Some(spooled) => spooled.take(),
                None => Ok(None),
            },
            // The response of a fallback is in memory.
            None => {
                let expected = row.and_then(|row| Some(row.checksum.as_ref()?.algorithm));
                self.spool.spooled(expected, response.body.clone()).take()
            }
        }
    }

    /// Whether each successful body becomes a separate file, or a member of a tar shard.
    pub(crate) fn has_files(&self) -> bool {
        let has_tar = |all: &Mutex<Archives>| lock(all).tar.is_some();
        self.directory.is_some() || self.archives.as_ref().is_some_and(has_tar)
    }

    /// The file of a URL, if it exists and `--skip-existing` is set.
    pub(crate) fn existing_file(
        &self,
        url: &Url,
        seq: u64,
        row: Option<&RowAttachment>,
    ) -> Option<String> {
        let directory = self.directory.as_ref().filter(|_| self.skip_existing)?;
        directory.existing_file(&name_inputs(url, seq, row))
    }

    /// The error that makes further saving impossible, if there was one.
    pub(crate) fn full_reason(&self) -> Option<String> {
        self.disk.full_reason()
    }

    /// Makes the archives durable. Files are durable when they get their names.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub(crate) fn sync(&self) -> Result<(), String> {
        let archives = self.archives.as_ref();
        archives.map_or(Ok(()), |archives| lock(archives).sync())
    }

    /// Waits for bodies that broke off, so that a later run can continue them. All fetches must have
    /// ended.
    pub(crate) fn finish_partial(&self) {
        if let Some(partial) = &self.partial {
            partial.finish();
        }
    }

    /// Completes the tar files, and makes the WARC file durable, which is complete after each record.
    ///
    /// # Errors
    ///
    /// If one cannot be completed.
    pub(crate) fn finish(&self) -> Result<(), String> {
        let archives = self.archives.as_ref();
        archives.map_or(Ok(()), |archives| lock(archives).finish())
    }
}

/// The values of placeholders before the fetch.
fn name_inputs<'a>(url: &'a Url, seq: u64, row: Option<&'a RowAttachment>) -> NameInputs<'a> {
    NameInputs {
        ext: "",
        hash: &[],
        header: None,
        id: row.and_then(|row| row.id.as_deref()).unwrap_or_default(),
        out: row.and_then(|row| row.out.as_deref()),
        seq,
        url,
    }
}

fn verify(body: &FinishedBody, row: Option<&RowAttachment>) -> Result<(), SaveError> {
    let Some(expected) = row.and_then(|row| row.checksum.as_ref()) else {
        return Ok(());
    };
    match body.digests.get(expected.algorithm) {
        Some(found) if found == *expected => Ok(()),
        Some(found) => Err(SaveError::Checksum(format!(
            "checksum mismatch: the list has {expected}, the body {found}: not saved"
        ))),
        None => Err(SaveError::Checksum(format!("{expected} was not checked"))),
    }
}

/// A body that was saved, for its record.
fn record(
    recording: BodyRecording,
    body: &FinishedBody,
    content_type: &str,
) -> Result<RecordedBody, String> {
    let mut bytes = Vec::new();
    if body.size <= recording.max {
        let read = body.read(|reader| reader.read_to_end(&mut bytes));
        read.map_err(|error| format!("the body cannot be read for its record: {error}"))?;
    }
    Ok(recording.encode(body.size, &bytes, content_type))
}

fn last_modified(response: &Response) -> Option<SystemTime> {
    let field = response.headers.get(http::header::LAST_MODIFIED)?;
    httpdate::parse_http_date(field.to_str().ok()?).ok()
}

fn content_type(response: &Response) -> &str {
    let field = response.headers.get(http::header::CONTENT_TYPE);
    field
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
