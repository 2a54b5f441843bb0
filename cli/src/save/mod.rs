//! What becomes of bodies: files in a directory, archives, digests.

mod directory;
mod extension;
mod name;
mod open;
mod spool;
mod tar;
mod warc;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use fetch_driver::{Outcome, Request, Response};
use fetch_proto::Method;
use url::Url;

use crate::outcome::checksum::{Algorithm, hex};
use crate::outcome::item::Item;
use crate::outcome::result::Ended;
use crate::outcome::saved_body::{Kept, Trouble};
use crate::outcome::verdict::Verdict;
use crate::output::record::{Recorder, Told};
use directory::Directory;
use extension::extension;
use name::Facts;
pub(crate) use name::Template;
use spool::{Body, Kind, Spool, Spooled};

/// How the names of unfinished files begin.
const TEMPORARY: &str = ".fetch-all-";

/// All places where bodies go.
#[derive(Debug)]
pub(crate) struct Store {
    /// Told in each record.
    algorithm: Option<Algorithm>,
    directory: Option<Directory>,
    disk: Arc<Disk>,
    method: Method,
    skip_existing: bool,
    spool: Arc<Spool>,
    tar: Option<Mutex<tar::Shards>>,
    warc: Option<Mutex<warc::Warc>>,
}

impl Store {
    /// The request, with its body saved here.
    pub(crate) fn save(&self, request: Request) -> Request {
        request.save(self.spool.clone())
    }

    /// Puts the body of an outcome where it belongs. It blocks.
    pub(crate) fn keep(&self, outcome: &Outcome, recorder: &Recorder, fail: bool) -> Kept {
        let Ok(response) = &outcome.result else {
            return Kept::default();
        };
        let mut kept = Kept::default();
        if let Err(trouble) = self.try_keep(outcome, response, recorder, fail, &mut kept) {
            kept.error = Some(trouble);
        }
        kept
    }

    fn try_keep(
        &self,
        outcome: &Outcome,
        response: &Response,
        recorder: &Recorder,
        fail: bool,
        kept: &mut Kept,
    ) -> Result<(), Trouble> {
        let item = Item::of(outcome);
        let Some(body) = self.body(response, item).map_err(Trouble::Save)? else {
            return Ok(());
        };
        let checksum = self
            .algorithm
            .and_then(|algorithm| body.digests.get(algorithm));
        kept.checksum = checksum.map(|checksum| checksum.to_string());
        kept.sha256 = Some(hex(&body.digests.sha256));
        let method = item.map_or(&self.method, |item| &item.method);
        if let Some(warc) = &self.warc {
            let warc = &mut *lock(warc);
            let date = recorder.date(outcome);
            warc.append(outcome, response, method, date, &body)
                .map_err(Trouble::Save)?;
        }
        verify(&body, item)?;
        let wanted = response.status.is_success() && *method != Method::Head;
        if !wanted || matches!(body.bytes, Kind::Dropped) {
            return Ok(());
        }
        let ext = extension(content_type(response));
        if let Some(tar) = &self.tar {
            let record = |kept: &Kept| {
                let verdict = Verdict::new(outcome, fail);
                let mut json = Vec::new();
                let ended = Ended::new(outcome, verdict, Some(kept));
                recorder.write(&mut json, &Told::Ended(&ended));
                json
            };
            let tar = &mut *lock(tar);
            tar.append(outcome.tag, ext, &body, kept, record)
                .map_err(Trouble::Save)?;
        }
        if let Some(directory) = &self.directory {
            let hash = body.digests.sha256;
            let id = recorder.plain_id(outcome);
            let file = directory.keep(
                body,
                &Facts {
                    ext,
                    hash: &hash,
                    id: &id,
                    out: item.and_then(|item| item.out.as_deref()),
                    seq: outcome.tag,
                    // What was asked for, not where a redirect led: else names change by themselves.
                    url: outcome
                        .attempts
                        .first()
                        .map_or(&response.url, |first| &first.url),
                },
            );
            kept.file = Some(file.map_err(Trouble::Save)?);
        }
        Ok(())
    }

    /// The body of a response, wherever it is.
    fn body(&self, response: &Response, item: Option<&Item>) -> Result<Option<Body>, String> {
        match &response.saved {
            Some(saved) => match saved.downcast_ref::<Spooled>() {
                Some(spooled) => spooled.take(),
                None => Ok(None),
            },
            // What a fetch fell back on was in memory.
            None => {
                let expected = item.and_then(|item| Some(item.checksum.as_ref()?.algorithm));
                self.spool.spooled(expected, response.body.clone()).take()
            }
        }
    }

    /// The file that a URL's body would have, if it is there already and need not be fetched again.
    pub(crate) fn existing(&self, url: &Url, seq: u64, item: Option<&Item>) -> Option<String> {
        let directory = self.directory.as_ref().filter(|_| self.skip_existing)?;
        let id = item.and_then(|item| item.id.as_deref()).unwrap_or_default();
        directory.existing(&Facts {
            ext: "",
            hash: &[],
            id,
            out: item.and_then(|item| item.out.as_deref()),
            seq,
            url,
        })
    }

    /// Why nothing more can be kept, if that is so.
    pub(crate) fn is_full(&self) -> Option<String> {
        self.disk
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes durable what the archives have. Files are so when they get their names.
    ///
    /// # Errors
    ///
    /// If the disk says no.
    pub(crate) fn sync(&self) -> Result<(), String> {
        self.warc
            .as_ref()
            .map_or(Ok(()), |warc| lock(warc).sync())?;
        self.tar.as_ref().map_or(Ok(()), |tar| lock(tar).sync())
    }

    /// Ends the archives, so that they are complete.
    ///
    /// # Errors
    ///
    /// If one cannot be.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match &self.tar {
            Some(tar) => lock(tar).finish(),
            None => Ok(()),
        }
    }
}

fn verify(body: &Body, item: Option<&Item>) -> Result<(), Trouble> {
    let Some(expected) = item.and_then(|item| item.checksum.as_ref()) else {
        return Ok(());
    };
    match body.digests.get(expected.algorithm) {
        Some(found) if found == *expected => Ok(()),
        Some(found) => Err(Trouble::Checksum(format!(
            "the list says {expected}, the body is {found}: not kept"
        ))),
        None => Err(Trouble::Checksum(format!("{expected} was not checked"))),
    }
}

fn content_type(response: &Response) -> &str {
    let field = response.headers.get(http::header::CONTENT_TYPE);
    field
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the disk takes more; what is wrong with it, if not.
#[derive(Debug, Default)]
struct Disk(Mutex<Option<String>>);

impl Disk {
    /// Tells an error with its file, and remembers one that others will run into as well.
    fn fails(&self, path: &Path, error: &io::Error) -> String {
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
