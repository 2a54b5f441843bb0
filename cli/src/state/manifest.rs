//! The manifest: what a state is made of, in a small file that is replaced as a whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::{at, sync_directory};
use crate::exit::CliError;

/// The version of all formats in the directory.
const VERSION: u64 = 1;

const NAME: &str = "state.json";
const NEW: &str = "state.json.new";

/// What a state is made of.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Manifest {
    fetch_all_state: u64,
    /// What all requests have, to refuse the same directory for others by mistake.
    pub(crate) request: BTreeMap<String, String>,
    /// The files that records were written to.
    pub(crate) outputs: Vec<Output>,
    /// The numbers of the segments, older ones first.
    pub(crate) segments: Vec<u64>,
    /// The number of the journal.
    pub(crate) journal: u64,
    /// The next number that no file has.
    pub(crate) next: u64,
}

/// A file that records were written to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Output {
    /// From the directory of the state, so that both can be moved together.
    pub(crate) path: PathBuf,
    pub(crate) format: String,
    /// How much of it was durable before the journal was begun.
    pub(crate) durable: u64,
}

/// Only what every version can read.
#[derive(Deserialize)]
struct Version {
    fetch_all_state: u64,
}

impl Manifest {
    pub(crate) fn new(request: BTreeMap<String, String>) -> Self {
        Self {
            fetch_all_state: VERSION,
            request,
            outputs: Vec::new(),
            segments: Vec::new(),
            journal: 1,
            next: 2,
        }
    }

    /// Reads that of a directory; `None` if it has no state yet.
    ///
    /// # Errors
    ///
    /// If the directory is something else, or what is there cannot be used.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, CliError> {
        let shown = directory.display();
        let text = match fs::read(directory.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return check_empty(directory).map(|()| None);
            }
            Err(error) => {
                let message = format!("--state {shown}: {NAME} cannot be read: {error}");
                return Err(CliError::file(message));
            }
        };
        let no_state = |error: serde_json::Error| {
            CliError::file(format!(
                "--state {shown}: {NAME} is damaged, or not of fetch-all: {error}: put it back from \
                 a copy, or name another directory and fetch all anew"
            ))
        };
        let version: Version = serde_json::from_slice(&text).map_err(no_state)?;
        if version.fetch_all_state != VERSION {
            return Err(CliError::file(format!(
                "--state {shown}: was made by another version of fetch-all (format {}, this one \
                 knows {VERSION}): use that version, or name another directory",
                version.fetch_all_state
            )));
        }
        serde_json::from_slice(&text).map(Some).map_err(no_state)
    }

    /// Puts this one in the place of that which is there: after an error, or a power cut, it is
    /// either the old one or the new one.
    pub(crate) fn write(&self, directory: &Path) -> io::Result<()> {
        let (path, new) = (directory.join(NAME), directory.join(NEW));
        let write = || {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            sync_directory(directory)
        };
        write().map_err(at(&path))
    }

    /// Removes what a stop has left and the manifest does not name.
    pub(crate) fn clean(&self, directory: &Path) {
        let Ok(files) = fs::read_dir(directory) else {
            return;
        };
        for file in files.flatten() {
            let name = file.file_name();
            let Some((kind, number)) = name.to_str().and_then(numbered) else {
                continue;
            };
            let live = match kind {
                "journal" => number == self.journal,
                _ => self.segments.contains(&number),
            };
            if !live {
                // If it stays it only takes room.
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

/// A directory without manifest must have nothing but what a first run may have left, cut short.
fn check_empty(directory: &Path) -> Result<(), CliError> {
    let shown = directory.display();
    let refuse = |what: String| CliError::file(format!("--state {shown}: {what}"));
    let files =
        fs::read_dir(directory).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    for file in files.flatten() {
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name == super::lock::NAME || name == NEW || numbered(&name) == Some(("journal", 1)) {
            continue;
        }
        return Err(refuse(format!(
            "has files, such as {}, but no state: name a new directory, or an empty one",
            crate::display::shown(name.as_bytes())
        )));
    }
    Ok(())
}
