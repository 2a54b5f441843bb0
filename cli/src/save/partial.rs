//! Downloads that a later run continues.
//!
//! While a large body is received, a small file beside its temporary file says which request it belongs to,
//! how many of its bytes are durable, and the validator of the response. With `--state` and `-C -`, the
//! next run asks for the rest.

mod sink;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use fetch_driver::ResponseHead;
use http::header;
use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempPath};

use super::temporary::create_temporary;
use super::{ContinueAt, TEMPORARY_PREFIX};
use crate::mutex::lock;
use crate::outcome::checksum::{BodyHasher, hex};

/// The time between two syncs of a body that is received.
const SYNC_INTERVAL: Duration = Duration::from_millis(250);

/// The most time that the end of a run waits for bodies that broke off to be written.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The content of the small file.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct PartialInfo {
    /// The name of the temporary file.
    part: String,
    /// The number of its bytes that are durable.
    length: u64,
    validator: String,
}

/// The unfinished bodies of earlier runs, and how those of this run are described.
#[derive(Debug)]
pub(super) struct PartialStore {
    directory: PathBuf,
    /// Failed requests whose bodies may still be written.
    failed: Mutex<Vec<[u8; 16]>>,
    found: Mutex<HashMap<String, PartialInfo>>,
    /// Whether the bodies of failed fetches are continued, too, and files that exist.
    pub(super) continues: Option<ContinueAt>,
    /// Counts the bodies that are being received.
    live: Arc<()>,
    /// Hashes of the names of files that requests of this run have, with `-C -`.
    names: Mutex<HashSet<u128>>,
    sync: bool,
}

/// The bytes of a body that an earlier run received.
#[derive(Clone, Debug)]
pub(super) struct EarlierBytes {
    path: PathBuf,
    length: u64,
    /// Whether it is a file with its name, which stays until it is replaced.
    is_named: bool,
    modified: Option<SystemTime>,
}

impl PartialStore {
    /// `is_completed`: whether a request, by its digest, is completed. With `is_alone`, no other run uses
    /// the directory, and what cannot be continued is removed.
    pub(super) fn open(
        directory: &Path,
        continues: Option<ContinueAt>,
        sync: bool,
        is_alone: bool,
        is_completed: impl Fn([u8; 16]) -> bool,
    ) -> Self {
        let mut found = HashMap::new();
        if is_alone {
            for name in temporary_files(directory) {
                let key = name
                    .strip_prefix(TEMPORARY_PREFIX)
                    .and_then(|name| name.strip_suffix(".json"));
                let Some(key) = key else {
                    continue;
                };
                let info = read_info(directory, &name);
                if let (Some(info), Some(digest)) = (info, parse_key(key))
                    && !is_completed(digest)
                {
                    found.insert(key.to_owned(), info);
                }
            }
            let parts: HashSet<_> = found.values().map(|info| info.part.clone()).collect();
            for name in temporary_files(directory) {
                let key = name[TEMPORARY_PREFIX.len()..].strip_suffix(".json");
                if !parts.contains(&name) && key.is_none_or(|key| !found.contains_key(key)) {
                    // An error only leaves the file behind.
                    let _ = fs::remove_file(directory.join(name));
                }
            }
        }
        Self {
            directory: directory.to_owned(),
            failed: Mutex::default(),
            found: Mutex::new(found),
            live: Arc::default(),
            continues,
            names: Mutex::default(),
            sync,
        }
    }

    /// Forgets what was received of a body.
    pub(super) fn forget(&self, digest: [u8; 16]) {
        if Arc::strong_count(&self.live) > 1 {
            lock(&self.failed).push(digest);
        }
        self.remove(digest);
    }

    /// Waits for bodies that broke off and are being written, after all fetches have ended.
    pub(super) fn finish(&self) {
        let begun = Instant::now();
        while Arc::strong_count(&self.live) > 1 && begun.elapsed() < MAX_WAIT {
            std::thread::sleep(Duration::from_millis(1));
        }
        let failed = std::mem::take(&mut *lock(&self.failed));
        failed.into_iter().for_each(|digest| self.remove(digest));
    }

    fn remove(&self, digest: [u8; 16]) {
        let name = info_name(&hex(&digest));
        let info = read_info(&self.directory, &name);
        let _ = fs::remove_file(self.directory.join(name));
        if let Some(info) = info {
            let _ = fs::remove_file(self.directory.join(info.part));
        }
    }

    fn write_info(&self, key: &str, info: &PartialInfo) -> io::Result<()> {
        let path = self.directory.join(info_name(key));
        let new = self
            .directory
            .join(format!("{TEMPORARY_PREFIX}{key}.json.part"));
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(info)?)?;
        if self.sync {
            file.sync_data()?;
        }
        fs::rename(new, path)
    }
}

impl EarlierBytes {
    /// Whether the response was modified after a file was saved about which nothing else is known.
    fn has_changed(&self, head: &ResponseHead<'_>) -> bool {
        let modified = head.headers.get(header::LAST_MODIFIED);
        let modified = modified.and_then(|value| value.to_str().ok());
        let modified = modified.and_then(|date| httpdate::parse_http_date(date).ok());
        self.is_named
            && modified
                .zip(self.modified)
                .is_some_and(|(now, then)| now > then)
    }
}

/// The part of a body that is being received, for a later run.
pub(super) struct PartialBody {
    /// What comes before the first byte that is received.
    earlier: Option<EarlierBytes>,
    pub(super) error: Option<String>,
    /// Whether the small file exists.
    is_described: bool,
    key: String,
    last: Instant,
    _live: Arc<()>,
    /// An earlier part that is not continued.
    outdated: Option<PathBuf>,
    /// Whether the file of this name is replaced.
    pub(super) replaces: bool,
    store: Arc<PartialStore>,
    validator: Option<String>,
}

/// A file that continues, or that was complete already.
pub(super) enum EarlierFile {
    Complete(File),
    Part(NamedTempFile),
}

impl PartialBody {
    /// Whether the body continues one that is not opened yet.
    pub(super) fn has_earlier(&self) -> bool {
        self.earlier.is_some()
    }

    /// Opens what comes before the first byte, and digests it; returns its length, too. With
    /// `is_complete`, nothing follows.
    pub(super) fn open_earlier(
        &mut self,
        directory: &Path,
        hasher: &mut BodyHasher,
        is_complete: bool,
    ) -> io::Result<Option<(EarlierFile, u64)>> {
        if let Some(path) = self.outdated.take() {
            let _ = fs::remove_file(path);
            let _ = fs::remove_file(self.store.directory.join(info_name(&self.key)));
        }
        let Some(earlier) = self.earlier.take() else {
            return Ok(None);
        };
        let length = earlier.length;
        if !earlier.is_named {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(&earlier.path)?;
            let path = TempPath::try_from_path(&earlier.path)?;
            file.set_len(length)?;
            digest(&mut file, length, hasher, |_| Ok(()))?;
            self.is_described = true;
            let part = NamedTempFile::from_parts(file, path);
            return Ok(Some((EarlierFile::Part(part), length)));
        }
        let mut file = File::open(&earlier.path)?;
        if is_complete {
            digest(&mut file, length, hasher, |_| Ok(()))?;
            return Ok(Some((EarlierFile::Complete(file), length)));
        }
        let mut part = create_temporary(directory)?;
        digest(&mut file, length, hasher, |bytes| {
            part.as_file_mut().write_all(bytes)
        })?;
        Ok(Some((EarlierFile::Part(part), length)))
    }

    /// Describes the part from time to time, after it is durable.
    pub(super) fn update(&mut self, file: &NamedTempFile, length: u64) {
        if self.last.elapsed() >= SYNC_INTERVAL {
            self.describe(file, length);
            self.last = Instant::now();
        }
    }

    /// An error only means that a later run starts over.
    fn describe(&mut self, file: &NamedTempFile, length: u64) {
        let name = file.path().file_name().and_then(|name| name.to_str());
        let (Some(validator), Some(part)) = (self.validator.clone(), name) else {
            return;
        };
        if self.store.sync && file.as_file().sync_data().is_err() {
            return;
        }
        let info = PartialInfo {
            part: part.to_owned(),
            length,
            validator,
        };
        self.is_described |= self.store.write_info(&self.key, &info).is_ok();
    }

    /// Keeps the part of a body that broke off.
    pub(super) fn keep(mut self, file: NamedTempFile, length: u64) {
        self.describe(&file, length);
        if self.is_described {
            let _ = file.keep();
        }
    }

    /// Removes the description of a body that is complete.
    pub(super) fn complete(&self) {
        if self.is_described {
            let _ = fs::remove_file(self.store.directory.join(info_name(&self.key)));
        }
    }
}

/// Passes the first bytes of a file to a hasher and to `write`.
fn digest(
    file: &mut File,
    length: u64,
    hasher: &mut BodyHasher,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut left = length;
    while left > 0 {
        let mut buffer = vec![0; left.min(256 << 10) as usize];
        file.read_exact(&mut buffer)?;
        left -= buffer.len() as u64;
        write(&buffer)?;
        hasher.update(&[Bytes::from(buffer)]);
    }
    Ok(())
}

fn info_name(key: &str) -> String {
    format!("{TEMPORARY_PREFIX}{key}.json")
}

/// The digest of which these are the hexadecimal digits.
fn parse_key(key: &str) -> Option<[u8; 16]> {
    let is_hex = key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u128::from_str_radix(key, 16).ok();
    number.filter(|_| is_hex).map(u128::to_be_bytes)
}

/// The description of a part that exists and has its durable length.
fn read_info(directory: &Path, name: &str) -> Option<PartialInfo> {
    let bytes = fs::read(directory.join(name)).ok()?;
    let info: PartialInfo = serde_json::from_slice(&bytes).ok()?;
    let is_plain = info.part.starts_with(TEMPORARY_PREFIX) && !info.part.contains(['/', '\\']);
    let meta = fs::symlink_metadata(directory.join(&info.part)).ok()?;
    (is_plain && meta.is_file() && info.length > 0 && meta.len() >= info.length).then_some(info)
}

/// The names of all temporary files in a directory.
pub(super) fn temporary_files(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let is_temporary = |name: &String| {
        let end = name.strip_prefix(TEMPORARY_PREFIX);
        end.is_some_and(|end| end.ends_with(".part") || end.ends_with(".json"))
    };
    names.filter(is_temporary).collect()
}
