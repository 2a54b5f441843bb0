//! The entity tag of one URL in a file: `--etag-save`.

use std::path::Path;

use fetch_driver::{Outcome, Response};
use http::StatusCode;
use http::header::ETAG;

use super::replace::{AtomicFile, FileAccess};
use crate::exit::CliError;

/// The entity tag of the last response, for a file.
pub(crate) struct EtagFile {
    file: AtomicFile,
    /// `None` if the file stays as it is.
    line: Option<Vec<u8>>,
}

impl EtagFile {
    /// # Errors
    ///
    /// If the file cannot be created.
    pub(crate) fn new(path: &Path) -> Result<Self, CliError> {
        Ok(Self {
            file: AtomicFile::new("--etag-save", path.to_owned())?,
            line: None,
        })
    }

    /// Takes the tag of an outcome. A failure and an HTTP error change nothing.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        if let Some(response) = outcome.response() {
            self.add_response(response);
        }
    }

    fn add_response(&mut self, response: &Response) {
        let tag = response.headers.get(ETAG);
        let is_unchanged = response.status == StatusCode::NOT_MODIFIED;
        // A 304 may lack the tag, which is then the one that was sent.
        if response.status.is_success() || is_unchanged && tag.is_some() {
            let line = tag.map(|tag| [tag.as_bytes(), b"\n"].concat());
            self.line = Some(line.unwrap_or_default());
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn write(&self) -> Result<(), CliError> {
        match &self.line {
            Some(line) => self.file.write(line, FileAccess::Everyone),
            None => Ok(()),
        }
    }
}
