//! The manifest: the parts of a state, in a small file that is replaced atomically.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::archive::ArchiveEnd;
use crate::disk::{sync_directory, with_name};
use crate::error::StateError;
use crate::{FORMAT_VERSION, MANIFEST_NAME, OLDEST_VERSION};

const NEW: &str = "state.json.new";

/// The parts of a state.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct StateManifest {
    fetch_all_state: u64,
    /// The properties that all requests share, to detect another kind of run in the same directory.
    pub(crate) request: BTreeMap<String, String>,
    /// The output files.
    pub(crate) outputs: Vec<ManifestOutput>,
    /// The archives of bodies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) archives: Vec<ManifestArchive>,
    /// The numbers of the segments, older ones first.
    pub(crate) segments: Vec<u64>,
    /// The number of the journal.
    pub(crate) journal: u64,
    /// The next unused number.
    pub(crate) next: u64,
}

/// An output file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct ManifestOutput {
    /// Relative to the state's directory, so that both can be moved together.
    pub(crate) path: PathBuf,
    pub(crate) format: String,
    /// Its durable length at the start of the journal.
    pub(crate) durable: u64,
}

/// An archive of bodies.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct ManifestArchive {
    /// Relative to the state's directory.
    pub(crate) path: PathBuf,
    /// Its end at the start of the journal; `None` if no body in it had a record.
    pub(crate) end: Option<ArchiveEnd>,
}

/// The part that every version can read.
#[derive(Deserialize)]
struct ManifestVersion {
    fetch_all_state: u64,
}

impl StateManifest {
    pub(crate) fn new(request: BTreeMap<String, String>) -> Self {
        Self {
            fetch_all_state: FORMAT_VERSION,
            request,
            outputs: Vec::new(),
            archives: Vec::new(),
            segments: Vec::new(),
            journal: 1,
            next: 2,
        }
    }

    /// Reads the manifest of a directory; `None` if it has no state yet.
    ///
    /// # Errors
    ///
    /// If the directory has other files, or the state cannot be used.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, StateError> {
        let text = match fs::read(directory.join(MANIFEST_NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return check_empty(directory).map(|()| None);
            }
            Err(error) => return Err(StateError::ReadManifest(error)),
        };
        let no_state = |error: serde_json::Error| StateError::InvalidManifest(error.to_string());
        let version: ManifestVersion = serde_json::from_slice(&text).map_err(no_state)?;
        if !(OLDEST_VERSION..=FORMAT_VERSION).contains(&version.fetch_all_state) {
            return Err(StateError::OtherVersion(version.fetch_all_state));
        }
        serde_json::from_slice(&text).map(Some).map_err(no_state)
    }

    /// Whether an older version of this program wrote it. Older versions cannot read what this one
    /// appends, so the manifest must be written before anything else is.
    pub(crate) fn is_older(&self) -> bool {
        self.fetch_all_state < FORMAT_VERSION
    }

    /// Replaces the manifest atomically: after an error or a power failure it is the old or the
    /// new.
    pub(crate) fn write(&mut self, directory: &Path) -> io::Result<()> {
        self.fetch_all_state = FORMAT_VERSION;
        let (path, new) = (directory.join(MANIFEST_NAME), directory.join(NEW));
        let write = || {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            sync_directory(directory)
        };
        write().map_err(with_name(&path))
    }

    /// Removes journals and segments of interrupted runs: those that the manifest does not name.
    pub(crate) fn remove_stale_files(&self, directory: &Path) {
        let Ok(files) = fs::read_dir(directory) else {
            return;
        };
        for file in files.flatten() {
            let name = file.file_name();
            let Some((kind, number)) = name.to_str().and_then(numbered) else {
                continue;
            };
            let is_current = match kind {
                "journal" => number == self.journal,
                _ => self.segments.contains(&number),
            };
            if !is_current {
                // An error only leaves the file behind.
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

/// The kind and the number of a file that a manifest may name.
fn numbered(name: &str) -> Option<(&str, u64)> {
    let (kind, number) = name.split_once('-')?;
    let number = number.parse().ok()?;
    matches!(kind, "journal" | "segment").then_some((kind, number))
}

/// Checks that a directory without a manifest has only files of an interrupted first run.
fn check_empty(directory: &Path) -> Result<(), StateError> {
    let files = fs::read_dir(directory).map_err(StateError::ReadDirectory)?;
    for file in files.flatten() {
        let name = file.file_name();
        let is_ours = |name: &str| {
            name == crate::lock::NAME || name == NEW || numbered(name) == Some(("journal", 1))
        };
        if !name.to_str().is_some_and(is_ours) {
            return Err(StateError::OtherFiles(name));
        }
    }
    Ok(())
}
