//! The manifest: the parts of a state, in a small file that is replaced atomically.
//!
//! It has a checksum, and a copy in a second file from which a damaged manifest is restored. The copy
//! is written after the manifest, and files that only the old manifest names are removed after the
//! copy, so both describe a complete state at any time.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use xxhash_rust::xxh3::xxh3_64;

use crate::disk::{sync_directory, with_name};
use crate::error::StateError;
use crate::files::archive::ArchiveEnd;
use crate::{FORMAT_VERSION, MANIFEST_COPY_NAME, MANIFEST_NAME, OLDEST_VERSION};

const NEW: &str = "state.json.new";

/// The first version whose manifests have a checksum.
const CHECKSUM_VERSION: u64 = 2;

/// The place of the checksum while it is computed.
const NO_CHECKSUM: &str = "0000000000000000";

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
    /// The hash of the file with zeros in this place. Empty in version 1.
    #[serde(default)]
    checksum: String,
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
            checksum: String::new(),
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
                if directory.join(MANIFEST_COPY_NAME).exists() {
                    return Err(StateError::InvalidManifest("it is missing".to_owned()));
                }
                return check_empty(directory).map(|()| None);
            }
            Err(error) => return Err(StateError::ReadManifest(error)),
        };
        Self::decode(&text).map(Some)
    }

    /// Reads the copy of the manifest; `None` if there is no valid one.
    pub(crate) fn read_copy(directory: &Path) -> Option<Self> {
        let text = fs::read(directory.join(MANIFEST_COPY_NAME)).ok()?;
        Self::decode(&text).ok()
    }

    fn decode(text: &[u8]) -> Result<Self, StateError> {
        let no_state = |error: serde_json::Error| StateError::InvalidManifest(error.to_string());
        let version: ManifestVersion = serde_json::from_slice(text).map_err(no_state)?;
        let manifest: Result<Self, _> = serde_json::from_slice(text).map_err(no_state);
        let is_valid = |manifest: &Self| match manifest.checksum.as_str() {
            "" => manifest.fetch_all_state < CHECKSUM_VERSION,
            expected => checksum(text).as_deref() == Some(expected),
        };
        match manifest {
            Ok(manifest) if !is_valid(&manifest) => Err(StateError::InvalidManifest(
                "its checksum is wrong".to_owned(),
            )),
            _ if !(OLDEST_VERSION..=FORMAT_VERSION).contains(&version.fetch_all_state) => {
                Err(StateError::OtherVersion(version.fetch_all_state))
            }
            manifest => manifest,
        }
    }

    /// The content of the file.
    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut manifest = self.clone();
        manifest.checksum = NO_CHECKSUM.to_owned();
        let mut text = serde_json::to_string_pretty(&manifest)?;
        text.push('\n');
        if let (Some(at), Some(checksum)) = (checksum_at(&text), checksum(text.as_bytes())) {
            text.replace_range(at..at + checksum.len(), &checksum);
        }
        Ok(text.into_bytes())
    }

    /// Whether an older version of this program wrote it. Older versions cannot read what this one
    /// appends, so the manifest must be written before anything else is.
    pub(crate) fn is_older(&self) -> bool {
        self.fetch_all_state < FORMAT_VERSION
    }

    /// Replaces the manifest atomically, and then its copy: after an error or a power failure the
    /// manifest is the old or the new.
    pub(crate) fn write(&mut self, directory: &Path) -> io::Result<()> {
        self.fetch_all_state = FORMAT_VERSION;
        let (path, new) = (directory.join(MANIFEST_NAME), directory.join(NEW));
        let write = || {
            let text = self.encode()?;
            write_durable(&new, &text)?;
            fs::rename(&new, &path)?;
            sync_directory(directory)?;
            write_durable(&directory.join(MANIFEST_COPY_NAME), &text)?;
            sync_directory(directory)
        };
        write().map_err(with_name(&path))
    }

    /// Writes the manifest again if an older version wrote it, or its copy differs.
    pub(crate) fn complete_copy(&mut self, directory: &Path) -> io::Result<()> {
        let read = |name: &str| fs::read(directory.join(name)).ok();
        match read(MANIFEST_NAME) == read(MANIFEST_COPY_NAME) && !self.is_older() {
            true => Ok(()),
            false => self.write(directory),
        }
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

/// The place of the checksum's value.
fn checksum_at(text: &str) -> Option<usize> {
    const KEY: &str = "\"checksum\": \"";
    text.rfind(KEY).map(|at| at + KEY.len())
}

/// The checksum of the content of a manifest.
fn checksum(text: &[u8]) -> Option<String> {
    let mut text = str::from_utf8(text).ok()?.to_owned();
    let at = checksum_at(&text)?;
    let place = at..at + NO_CHECKSUM.len();
    text.get(place.clone())?;
    text.replace_range(place, NO_CHECKSUM);
    Some(format!("{:016x}", xxh3_64(text.as_bytes())))
}

fn write_durable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
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
            name == crate::files::lock::NAME
                || name == NEW
                || numbered(name) == Some(("journal", 1))
        };
        if !name.to_str().is_some_and(is_ours) {
            return Err(StateError::OtherFiles(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> StateManifest {
        let request = BTreeMap::from([("method".to_owned(), "GET".to_owned())]);
        let mut manifest = StateManifest::new(request);
        manifest.outputs.push(ManifestOutput {
            path: "../out".into(),
            format: "jsonl".to_owned(),
            durable: 123_456,
        });
        manifest.segments = vec![3, 5];
        manifest
    }

    fn same(a: &StateManifest, b: &StateManifest) -> bool {
        let strip = |manifest: &StateManifest| StateManifest {
            checksum: String::new(),
            ..manifest.clone()
        };
        strip(a) == strip(b)
    }

    #[test]
    fn a_manifest_with_any_byte_flipped_is_refused_or_means_the_same() {
        let good = manifest().encode().unwrap();
        assert!(same(&StateManifest::decode(&good).unwrap(), &manifest()));
        for at in 0..good.len() {
            for bits in (0..8).map(|bit| 1 << bit).chain([0xff]) {
                let mut bad = good.clone();
                bad[at] ^= bits;
                if let Ok(read) = StateManifest::decode(&bad) {
                    assert!(same(&read, &manifest()), "byte {at}: {read:?}");
                }
            }
        }
        for end in 0..good.len() - 1 {
            assert!(StateManifest::decode(&good[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_manifest_without_a_checksum_is_read_and_gets_one() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let text = r#"{"fetch_all_state": 1, "request": {}, "outputs": [], "segments": [],
            "journal": 4, "next": 5}"#;
        fs::write(directory.join(MANIFEST_NAME), text).unwrap();
        let mut read = StateManifest::read(directory).unwrap().unwrap();
        assert_eq!((read.journal, read.next), (4, 5));
        read.complete_copy(directory).unwrap();
        let text = fs::read_to_string(directory.join(MANIFEST_NAME)).unwrap();
        assert!(
            !text.contains(NO_CHECKSUM) && text.contains("checksum"),
            "{text}"
        );
        let copy = StateManifest::read_copy(directory).unwrap();
        assert!(same(&copy, &read) && !copy.checksum.is_empty());
    }
}
