//! Saving of bodies: files in a directory, archives, digests.

mod directory;
mod extension;
mod name;
mod open;
mod spool;
mod tar;
mod warc;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fetch_driver::{Outcome, Request, Response};
use fetch_proto::Method;
use url::Url;

use crate::mutex::lock;
use crate::outcome::checksum::{DigestAlgorithm, hex};
use crate::outcome::class::OutcomeClass;
use crate::outcome::result::FetchResult;
use crate::outcome::row::RowAttachment;
use crate::outcome::saved_body::{SaveError, SavedBody};
use crate::output::record::{RecordBuilder, RecordInput};
use directory::BodyDirectory;
use extension::extension;
use name::NameInputs;
pub(crate) use name::NameTemplate;
pub(crate) use open::SaveOptions;
use spool::{BodyBytes, BodySpool, FinishedBody, SpooledBody};

/// The prefix of names of unfinished files.
const TEMPORARY_PREFIX: &str = ".fetch-all-";

/// All destinations of bodies.
#[derive(Debug)]
pub(crate) struct BodyStore {
    /// The algorithm of the field `checksum`.
    algorithm: Option<DigestAlgorithm>,
    directory: Option<BodyDirectory>,
    disk: Arc<DiskStatus>,
    method: Method,
    skip_existing: bool,
    spool: Arc<BodySpool>,
    tar: Option<Mutex<tar::TarShards>>,
    warc: Option<Mutex<warc::WarcWriter>>,
}

impl BodyStore {
    /// The request, whose response body will be spooled here.
    pub(crate) fn attach_to(&self, request: Request) -> Request {
        request.save(self.spool.clone())
    }

    /// Saves the body of an outcome. Blocks. `fail` is the option `--fail`.
    pub(crate) fn save(&self, outcome: &Outcome, builder: &RecordBuilder, fail: bool) -> SavedBody {
        let Ok(response) = &outcome.result else {
            return SavedBody::default();
        };
        let mut saved = SavedBody::default();
        if let Err(error) = self.try_save(outcome, response, builder, fail, &mut saved) {
            saved.error = Some(error);
        }
        saved
    }

    fn try_save(
        &self,
        outcome: &Outcome,
        response: &Response,
        builder: &RecordBuilder,
        fail: bool,
        saved: &mut SavedBody,
    ) -> Result<(), SaveError> {
        let row = RowAttachment::of(outcome);
        let Some(body) = self.body(response, row).map_err(SaveError::Write)? else {
            return Ok(());
        };
        let checksum = self
            .algorithm
            .and_then(|algorithm| body.digests.get(algorithm));
        saved.checksum = checksum.map(|checksum| checksum.to_string());
        saved.sha256 = Some(hex(&body.digests.sha256));
        let method = row.map_or(&self.method, |row| &row.method);
        if let Some(warc) = &self.warc {
            let warc = &mut *lock(warc);
            let date = builder.date(outcome);
            warc.append(outcome, response, method, date, &body)
                .map_err(SaveError::Write)?;
        }
        verify(&body, row)?;
        let wanted = response.status.is_success() && *method != Method::Head;
        if !wanted || matches!(body.bytes, BodyBytes::Dropped) {
            return Ok(());
        }
        let ext = extension(content_type(response));
        if let Some(tar) = &self.tar {
            let record = |saved: &SavedBody| {
                let class = OutcomeClass::new(outcome, fail);
                let mut json = Vec::new();
                let result = FetchResult::new(outcome, class, Some(saved));
                builder.write_line(&mut json, &RecordInput::Fetched(&result));
                json
            };
            let tar = &mut *lock(tar);
            tar.append(outcome.tag, ext, &body, saved, record)
                .map_err(SaveError::Write)?;
        }
        if let Some(directory) = &self.directory {
            let hash = body.digests.sha256;
            let id = builder.file_id(outcome);
            let file = directory.save(
                body,
                &NameInputs {
                    ext,
                    hash: &hash,
                    id: &id,
                    out: row.and_then(|row| row.out.as_deref()),
                    seq: outcome.tag,
                    // The requested URL: names must not depend on redirects.
                    url: outcome
                        .attempts
                        .first()
                        .map_or(&response.url, |first| &first.url),
                },
            );
            saved.file = Some(file.map_err(SaveError::Write)?);
        }
        Ok(())
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

    /// The file of a URL, if it exists and `--skip-existing` is set.
    pub(crate) fn existing_file(
        &self,
        url: &Url,
        seq: u64,
        row: Option<&RowAttachment>,
    ) -> Option<String> {
        let directory = self.directory.as_ref().filter(|_| self.skip_existing)?;
        let id = row.and_then(|row| row.id.as_deref()).unwrap_or_default();
        directory.existing_file(&NameInputs {
            ext: "",
            hash: &[],
            id,
            out: row.and_then(|row| row.out.as_deref()),
            seq,
            url,
        })
    }

    /// The error that makes further saving impossible, if there was one.
    pub(crate) fn full_reason(&self) -> Option<String> {
        lock(&self.disk.0).clone()
    }

    /// Makes the archives durable. Files are durable when they get their names.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub(crate) fn sync(&self) -> Result<(), String> {
        self.warc
            .as_ref()
            .map_or(Ok(()), |warc| lock(warc).sync())?;
        self.tar.as_ref().map_or(Ok(()), |tar| lock(tar).sync())
    }

    /// Completes the tar files. A WARC file is complete after each record.
    ///
    /// # Errors
    ///
    /// If one cannot be completed.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match &self.tar {
            Some(tar) => lock(tar).finish(),
            None => Ok(()),
        }
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

fn content_type(response: &Response) -> &str {
    let field = response.headers.get(http::header::CONTENT_TYPE);
    field
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// A disk error that would also fail every later write.
#[derive(Debug, Default)]
struct DiskStatus(Mutex<Option<String>>);

impl DiskStatus {
    /// The message of an error. An error that concerns the whole disk is remembered.
    fn record_error(&self, path: &Path, error: &io::Error) -> String {
        use io::ErrorKind as E;
        let text = format!("{}: cannot be written: {error}", path.display());
        if matches!(
            error.kind(),
            E::QuotaExceeded | E::ReadOnlyFilesystem | E::StorageFull
        ) {
            lock(&self.0).get_or_insert_with(|| text.clone());
        }
        text
    }
}
