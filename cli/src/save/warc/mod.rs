//! WARC 1.1 (ISO 28500:2017): an archive of requests and responses.
//!
//! Each response of an outcome adds two records: itself, and its request. The responses that redirect
//! come before the last one, as in GNU Wget. The request's head has the fields that all requests
//! share, without secrets; fields added by the connection are unknown. The response's head has the fields as received, always written as HTTP/1.1; the actual
//! protocol is in `WARC-Protocol`. The body is the message body without the chunked coding, so
//! `Transfer-Encoding` is stored as `X-Archive-Orig-Transfer-Encoding`, as pywb does. It is not
//! decoded: with `--warc` no compression is requested, as in GNU Wget. Truncated bodies are not
//! saved; only the body of a redirect may be `WARC-Truncated`.

mod exchange;
mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fetch_state::ArchiveEnd;
use flate2::Compression;
use flate2::write::GzEncoder;
use fs4::FileExt;
use http::HeaderMap;

use fetch_proto::is_secret_field;

use super::disk::DiskStatus;
use super::resume::{ArchiveResume, cut, cut_note, remove_stale};
pub(super) use exchange::ArchivedExchange;
use record::WarcRecord;

/// The most files with the same name, numbered.
const MAX_FILES: u32 = 99_999;

/// Appends records to the archive.
#[derive(Debug)]
pub(super) struct WarcWriter {
    disk: Arc<DiskStatus>,
    file: Option<WarcFile>,
    /// The fields of all requests, without secrets.
    headers: HeaderMap,
    /// The size in bytes at which the next file starts.
    limit: Option<u64>,
    /// The next number to use.
    number: u32,
    path: PathBuf,
    /// What `--state` knows about earlier runs.
    resume: Option<ArchiveResume>,
}

#[derive(Debug)]
struct WarcFile {
    file: File,
    number: u32,
    path: PathBuf,
    /// `size` before the last records were added.
    previous: u64,
    /// The end of the last complete record.
    size: u64,
    /// The durable part of `size`.
    synced: u64,
}

impl WarcWriter {
    /// # Errors
    ///
    /// If the first file cannot be created, or that of an earlier run cannot be continued.
    pub(super) fn open(
        path: &Path,
        limit: Option<u64>,
        headers: &HeaderMap,
        disk: Arc<DiskStatus>,
        resume: Option<ArchiveResume>,
        notes: &mut Vec<String>,
    ) -> Result<Self, String> {
        let mut headers = headers.clone();
        let secret: Vec<_> = headers
            .iter()
            .filter(|(name, value)| value.is_sensitive() || is_secret_field(name.as_str()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in secret {
            headers.remove(name);
        }
        let mut warc = Self {
            disk,
            file: None,
            headers,
            limit,
            number: 0,
            path: path.to_owned(),
            resume,
        };
        warc.continue_last(notes)?;
        warc.current_file()?;
        Ok(warc)
    }

    /// Brings the archive to what the records say: removes files that have only bodies without a record,
    /// and continues the last one behind its last body with a record.
    fn continue_last(&mut self, notes: &mut Vec<String>) -> Result<(), String> {
        let Some(resume) = self.resume.clone() else {
            return Ok(());
        };
        let named = |error: io::Error| self.disk.record_error(&self.path, &error);
        let files = resume
            .files(&self.path, |number| numbered(&self.path, number))
            .map_err(named)?;
        let mut removed = 0;
        for (path, logged) in &files.stale {
            removed += remove_stale(path, logged).map_err(named)?;
        }
        resume.forget(&files.stale).map_err(named)?;
        if let Some((path, end)) = files.last {
            self.number = end.file + 1;
            match cut(&path, end.length)? {
                Some((file, bytes)) => {
                    removed += bytes;
                    self.file = Some(WarcFile {
                        file,
                        number: end.file,
                        path,
                        previous: end.length,
                        size: end.length,
                        synced: end.length,
                    });
                }
                None => notes.push(format!(
                    "--warc {}: is missing; the archive continues in another file",
                    path.display()
                )),
            }
        }
        if removed > 0 {
            notes.push(cut_note("--warc", &self.path, removed));
        }
        Ok(())
    }

    /// The end of the last complete record; `None` for a pipe or a device.
    pub(super) fn end(&self) -> Option<ArchiveEnd> {
        self.file.as_ref().map(|file| ArchiveEnd {
            file: file.number,
            length: file.size,
        })
    }

    /// Removes the records that were added last.
    pub(super) fn remove_last(&mut self) {
        if let Some(file) = &mut self.file {
            file.size = file.previous;
            file.truncate();
        }
    }

    /// Adds responses, each with its request.
    ///
    /// # Errors
    ///
    /// If they cannot be written. The archive ends with the previous record then.
    pub(super) fn append(&mut self, exchanges: &[ArchivedExchange<'_>]) -> Result<(), String> {
        let commons: Vec<_> = exchanges.iter().map(ArchivedExchange::common).collect();
        let pairs = exchanges.iter().zip(&commons);
        let records: Vec<_> = pairs
            .flat_map(|(exchange, common)| exchange.records(common, &self.headers))
            .collect();
        self.write_all(&records)
    }

    /// Makes the current file durable.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        match self.file.as_mut().map(|file| (file.sync(), file)) {
            Some((Err(error), file)) => Err(self.disk.record_error(&file.path, &error)),
            _ => Ok(()),
        }
    }

    /// Writes all of the records, or none.
    fn write_all(&mut self, records: &[WarcRecord<'_>]) -> Result<(), String> {
        let is_compressed = self
            .path
            .extension()
            .is_some_and(|extension| extension == "gz");
        let file = self.current_file()?;
        match file.write(records, is_compressed) {
            Ok(()) => Ok(()),
            Err(error) => {
                file.truncate();
                let path = file.path.clone();
                Err(self.disk.record_error(&path, &error))
            }
        }
    }

    /// The file to write to. Starts the next one if it is full.
    fn current_file(&mut self) -> Result<&mut WarcFile, String> {
        let full = |file: &WarcFile| self.limit.is_some_and(|limit| file.size >= limit);
        if self.file.as_ref().is_none_or(full) {
            self.sync()?;
            let file = self.create_next()?;
            self.file = Some(file);
            let name = self
                .file
                .as_ref()
                .map(|file| file.path.clone())
                .unwrap_or_default();
            let info = record::info_record(&name);
            self.write_all(&[info])?;
        }
        Ok(self.file.as_mut().expect("the file was just created"))
    }

    /// Creates the file with the first free name. An archive is never overwritten.
    fn create_next(&mut self) -> Result<WarcFile, String> {
        while self.number <= MAX_FILES {
            let path = numbered(&self.path, self.number);
            self.number += 1;
            // A pipe or a device exists already, and is written to.
            let is_special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
            let opened = match is_special {
                true => OpenOptions::new().write(true).open(&path).map(Some),
                false => create_locked(&path),
            };
            let logged = opened.and_then(|file| {
                if let (Some(file), Some(resume)) = (&file, &self.resume) {
                    resume.log(&path, file)?;
                }
                Ok(file)
            });
            match logged {
                Ok(Some(file)) => {
                    return Ok(WarcFile {
                        file,
                        number: self.number - 1,
                        path,
                        previous: 0,
                        size: 0,
                        synced: 0,
                    });
                }
                Ok(None) => {}
                Err(error) => return Err(self.disk.record_error(&path, &error)),
            }
        }
        Err(format!(
            "{}: {MAX_FILES} files with this name exist: choose another name",
            self.path.display()
        ))
    }
}

impl WarcFile {
    fn write(&mut self, records: &[WarcRecord<'_>], is_compressed: bool) -> io::Result<()> {
        let mut out = CountingWriter {
            count: 0,
            out: BufWriter::with_capacity(64 << 10, &self.file),
        };
        for record in records {
            if is_compressed {
                // Each record is a separate member, so that readers can start at any of them.
                let mut member = GzEncoder::new(&mut out, Compression::default());
                record.write(&mut member)?;
                member.finish()?;
            } else {
                record.write(&mut out)?;
            }
        }
        out.flush()?;
        self.previous = self.size;
        self.size += out.count;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        // A pipe or a device cannot be synced.
        if self.size > self.synced && self.file.metadata()?.is_file() {
            self.file.sync_data()?;
        }
        self.synced = self.size;
        Ok(())
    }

    /// Removes a record that was written only in part.
    fn truncate(&mut self) {
        let _ = self.file.set_len(self.size);
        let _ = self.file.seek(SeekFrom::Start(self.size));
    }
}

/// Creates a file, or takes one without content that a killed run has left. `None` if the name is in
/// use. The lock belongs to this run until it ends.
fn create_locked(path: &Path) -> io::Result<Option<File>> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    let file = match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match path.metadata()?.len() {
                0 => OpenOptions::new().write(true).open(path)?,
                _ => return Ok(None),
            }
        }
        created => created?,
    };
    // Where there are no locks, only a new file is taken.
    let is_free = FileExt::try_lock(&file).is_ok() && file.metadata()?.len() == 0;
    Ok(is_free.then_some(file))
}

struct CountingWriter<W> {
    count: u64,
    out: W,
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `crawl.warc.gz`, then `crawl-00001.warc.gz` and so on.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, rest) = match name.find(".warc") {
        Some(at) if at > 0 => name.split_at(at),
        _ => (&*name, ""),
    };
    path.with_file_name(format!("{stem}-{number:05}{rest}"))
}

/// Passes all bytes of `from` to `write`.
fn copy(mut from: impl Read, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => write(&buffer[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
