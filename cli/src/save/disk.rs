//! The disk that bodies are saved to.

mod file_budget;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::mutex::lock;
use file_budget::FileBudget;
pub(super) use file_budget::FilePermit;

/// What all files of bodies have in common.
#[derive(Debug)]
pub(super) struct DiskStatus {
    /// A disk error that would also fail every later write.
    error: Mutex<Option<String>>,
    pub(super) files: Arc<FileBudget>,
}

impl DiskStatus {
    /// `max_files`: how many files bodies may have open.
    pub(super) fn new(max_files: usize) -> Arc<Self> {
        Arc::new(Self {
            error: Mutex::default(),
            files: FileBudget::new(max_files),
        })
    }

    /// The error that makes further saving impossible, if there was one.
    pub(super) fn full_reason(&self) -> Option<String> {
        lock(&self.error).clone()
    }

    /// The message of an error. An error that concerns the whole disk is remembered.
    pub(super) fn record_error(&self, path: &Path, error: &io::Error) -> String {
        use io::ErrorKind as E;
        let text = format!("{}: cannot be written: {error}", path.display());
        if matches!(
            error.kind(),
            E::QuotaExceeded | E::ReadOnlyFilesystem | E::StorageFull
        ) {
            lock(&self.error).get_or_insert_with(|| text.clone());
        }
        text
    }
}
