//! The log of bodies: files that are created before their requests are completed.
//!
//! Each file is logged before it gets its name, so that the next run can remove those of requests that
//! were never completed. A line is a checksum, a space, and a JSON object. Lines of completed requests
//! are dropped when the log is rewritten, and the log is removed when it has none.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::completed::CompletionKind;
use crate::disk::{damaged_error, sync_directory, with_name};
use crate::run::ledger::StateLedger;

pub(crate) const NAME: &str = "bodies.log";
const NEW: &str = "bodies.log.new";

/// The length in bytes at which the log is rewritten without the lines of completed requests.
const REWRITE_LENGTH: u64 = 1 << 20;

/// A body's file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LoggedFile {
    /// Its path relative to the state's directory.
    #[serde(rename = "file")]
    pub path: PathBuf,
    /// The request's digest, as hexadecimal digits.
    request: String,
    /// Its size in bytes.
    pub size: u64,
    /// A digest of its bytes.
    pub digest: String,
}

/// A file of an archive.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LoggedArchive {
    /// Its path relative to the state's directory.
    #[serde(rename = "archive")]
    pub path: PathBuf,
    /// Its number on the file system, where there is one. A file with another number is not the same.
    pub inode: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LogLine {
    Archive(LoggedArchive),
    File(LoggedFile),
}

/// The files of bodies that may lack a record. Threads that save bodies share it.
#[derive(Debug)]
pub struct BodyLog {
    directory: PathBuf,
    inner: Mutex<LogInner>,
    ledger: Arc<StateLedger>,
    /// The number of lines that are durable.
    synced: Mutex<u64>,
}

#[derive(Debug, Default)]
struct LogInner {
    /// The number of lines that were written.
    appended: u64,
    archives: Vec<LoggedArchive>,
    file: Option<File>,
    /// Files without a completed request, by path.
    files: HashMap<PathBuf, Vec<LoggedFile>>,
    length: u64,
    /// The length after the last rewrite.
    rewritten: u64,
    /// The files of this run's requests, by tag.
    tags: HashMap<u64, Vec<PathBuf>>,
}

impl BodyLog {
    pub(crate) fn open(directory: &Path, ledger: Arc<StateLedger>) -> io::Result<Self> {
        let path = directory.join(NAME);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(with_name(&path))?,
        };
        let (lines, invalid) = read_lines(&bytes);
        if let Some((offset, _)) = invalid.first() {
            let what = format!("is damaged at byte {offset}: the line is invalid");
            return Err(damaged_error(&path, &what));
        }
        let mut inner = LogInner::default();
        for line in lines {
            match line {
                LogLine::Archive(archive) => inner.archives.push(archive),
                LogLine::File(file) => {
                    inner.files.entry(file.path.clone()).or_default().push(file);
                }
            }
        }
        let log = Self {
            directory: directory.to_owned(),
            inner: Mutex::new(inner),
            ledger,
            synced: Mutex::new(0),
        };
        if !bytes.is_empty() {
            log.rewrite(&mut log.lock())?;
        }
        Ok(log)
    }

    /// The directory that paths are relative to.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The files of earlier runs whose requests are not completed: they have no record, and will be
    /// fetched again.
    ///
    /// # Errors
    ///
    /// If the state cannot be read.
    pub fn uncommitted_files(&self) -> io::Result<Vec<LoggedFile>> {
        let mut inner = self.lock();
        let mut uncommitted = Vec::new();
        for (path, files) in std::mem::take(&mut inner.files) {
            // Requests with equal bodies may share a file.
            let mut is_completed = false;
            for file in &files {
                let digest = u128::from_str_radix(&file.request, 16).unwrap_or_default();
                let result = self.ledger.find_result(digest.to_be_bytes())?;
                is_completed |= result == Some(CompletionKind::Ok);
            }
            if !is_completed {
                uncommitted.extend_from_slice(&files);
                inner.files.insert(path, files);
            }
        }
        Ok(uncommitted)
    }

    /// Forgets the files of earlier runs, after they are removed.
    ///
    /// # Errors
    ///
    /// If the log cannot be written.
    pub fn forget_files(&self) -> io::Result<()> {
        let inner = &mut *self.lock();
        inner.files.clear();
        self.rewrite(inner)
    }

    /// Logs a file before it is created, for the request that was claimed under this tag. With
    /// `durable` the line survives a power failure, too.
    ///
    /// # Errors
    ///
    /// If the log cannot be written.
    pub fn add_file(
        &self,
        tag: u64,
        path: &Path,
        size: u64,
        digest: String,
        durable: bool,
    ) -> io::Result<()> {
        // A request that was not claimed is not completed by the state either.
        let Some(request) = self.ledger.claimed_digest(tag) else {
            return Ok(());
        };
        let file = LoggedFile {
            path: path.to_owned(),
            request: format!("{request:032x}"),
            size,
            digest,
        };
        let appended = {
            let inner = &mut *self.lock();
            self.append(inner, &file)?;
            inner.tags.entry(tag).or_default().push(file.path.clone());
            inner.files.entry(file.path.clone()).or_default().push(file);
            inner.appended
        };
        if durable {
            self.sync(appended)?;
        }
        Ok(())
    }

    /// The files of archives that this state has logged, in the order of their creation.
    pub fn archives(&self) -> Vec<LoggedArchive> {
        self.lock().archives.clone()
    }

    /// Logs the file of an archive, after it is created and before anything is written to it.
    ///
    /// # Errors
    ///
    /// If the log cannot be written.
    pub fn add_archive(&self, archive: LoggedArchive) -> io::Result<()> {
        let appended = {
            let inner = &mut *self.lock();
            self.append(inner, &archive)?;
            inner.archives.push(archive);
            inner.appended
        };
        self.sync(appended)
    }

    /// Forgets the files of archives that are removed or complete.
    ///
    /// # Errors
    ///
    /// If the log cannot be written.
    pub fn retain_archives(&self, keep: impl FnMut(&LoggedArchive) -> bool) -> io::Result<()> {
        let inner = &mut *self.lock();
        let before = inner.archives.len();
        inner.archives.retain(keep);
        match inner.archives.len() == before {
            true => Ok(()),
            false => self.rewrite(inner),
        }
    }

    /// Drops the files of requests that are completed.
    pub(crate) fn settle(&self, tags: impl Iterator<Item = u64>) -> io::Result<()> {
        let inner = &mut *self.lock();
        if inner.tags.is_empty() {
            return Ok(());
        }
        for path in tags
            .filter_map(|tag| inner.tags.remove(&tag))
            .flatten()
            .collect::<Vec<_>>()
        {
            inner.files.remove(&path);
        }
        if inner.length > REWRITE_LENGTH.max(4 * inner.rewritten) {
            self.rewrite(inner)?;
        }
        Ok(())
    }

    /// Shortens the log at the end of a run.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let inner = &mut *self.lock();
        match inner.length > 0 {
            true => self.rewrite(inner),
            false => Ok(()),
        }
    }

    fn append(&self, inner: &mut LogInner, line: &impl Serialize) -> io::Result<()> {
        let path = self.directory.join(NAME);
        let mut write = || -> io::Result<()> {
            if inner.file.is_none() {
                inner.file = Some(OpenOptions::new().append(true).create(true).open(&path)?);
                sync_directory(&self.directory)?;
            }
            let mut bytes = Vec::new();
            push_line(&mut bytes, line)?;
            inner.length += bytes.len() as u64;
            inner.appended += 1;
            inner
                .file
                .as_mut()
                .map_or(Ok(()), |file| file.write_all(&bytes))
        };
        write().map_err(with_name(&path))
    }

    /// Makes the first `lines` lines durable. One sync serves all threads that wait.
    fn sync(&self, lines: u64) -> io::Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if *synced >= lines {
            return Ok(());
        }
        let (file, appended) = {
            let inner = self.lock();
            let file = inner.file.as_ref().map(File::try_clone).transpose()?;
            (file, inner.appended)
        };
        let path = self.directory.join(NAME);
        file.map_or(Ok(()), |file| file.sync_data())
            .map_err(with_name(&path))?;
        *synced = appended;
        Ok(())
    }

    /// Replaces the log by one that has only what is needed, or removes it.
    fn rewrite(&self, inner: &mut LogInner) -> io::Result<()> {
        let (path, new) = (self.directory.join(NAME), self.directory.join(NEW));
        let mut bytes = Vec::new();
        for archive in &inner.archives {
            push_line(&mut bytes, archive)?;
        }
        for file in inner.files.values().flatten() {
            push_line(&mut bytes, file)?;
        }
        inner.file = None;
        let replace = || {
            if bytes.is_empty() {
                return fs::remove_file(&path).or_else(|error| match error.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                });
            }
            let mut file = File::create(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            sync_directory(&self.directory)
        };
        replace().map_err(with_name(&path))?;
        inner.length = bytes.len() as u64;
        inner.rewritten = inner.length;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, LogInner> {
        // The data is consistent at every statement that may panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push_line(out: &mut Vec<u8>, line: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(line)?;
    write!(out, "{:016x} ", xxh3_64(&json))?;
    out.extend(json);
    out.push(b'\n');
    Ok(())
}

/// The valid lines, and the offset and length of each damaged one. An incomplete line at the end, such
/// as a stop leaves, is neither.
fn read_lines(bytes: &[u8]) -> (Vec<LogLine>, Vec<(usize, usize)>) {
    let (mut lines, mut invalid, mut at) = (Vec::new(), Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match parse(line) {
            Some(line) => lines.push(line),
            None if line.ends_with(b"\n") => invalid.push((at, line.len())),
            None => {}
        }
        at += line.len();
    }
    (lines, invalid)
}

/// The offset and length of each damaged line in the log of a directory.
pub(crate) fn damaged_lines(directory: &Path) -> io::Result<Vec<(usize, usize)>> {
    let path = directory.join(NAME);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read
            .map(|bytes| read_lines(&bytes).1)
            .map_err(with_name(&path)),
    }
}

/// Removes the damaged lines from the log of a directory.
pub(crate) fn remove_lines(directory: &Path, damaged: &[(usize, usize)]) -> io::Result<()> {
    let (path, new) = (directory.join(NAME), directory.join(NEW));
    let replace = || {
        let mut bytes = fs::read(&path)?;
        for (offset, length) in damaged.iter().rev() {
            bytes.drain(*offset..offset + length);
        }
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_directory(directory)
    };
    replace().map_err(with_name(&path))
}

/// A line with its line end; `None` if it is incomplete or damaged.
fn parse(line: &[u8]) -> Option<LogLine> {
    let (checksum, json) = line.strip_suffix(b"\n")?.split_at_checked(16)?;
    let json = json.strip_prefix(b" ")?;
    let checksum = u64::from_str_radix(str::from_utf8(checksum).ok()?, 16).ok()?;
    (xxh3_64(json) == checksum).then_some(())?;
    serde_json::from_slice(json).ok()
}
