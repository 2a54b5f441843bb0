//! Bodies in tar files of a bounded size, each with its record beside it, as webdataset reads them.
//!
//! The current file is `00003.tar.part`. If its run is killed, the next run that writes to the
//! directory truncates it after the last complete record and renames it to `00003.tar`. Its lock
//! shows whether another run still writes to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use fetch_state::ArchiveEnd;
use fs4::FileExt;
use tar::{Archive, Builder, Header};

use super::disk::DiskStatus;
use super::resume::{ArchiveResume, cut, cut_note, remove_stale};
use super::spool::FinishedBody;
use crate::outcome::saved_body::SavedBody;

/// The block size of the format, in bytes.
const BLOCK: u64 = 512;

/// The end of an archive: two empty blocks.
const END: [u8; 2 * BLOCK as usize] = [0; 2 * BLOCK as usize];

/// Writes the tar files `00000.tar`, `00001.tar` and so on.
pub(super) struct TarShards {
    current: Option<TarShard>,
    directory: PathBuf,
    disk: Arc<DiskStatus>,
    /// The most bodies in one file.
    max_count: u64,
    /// The size in bytes at which the next one starts.
    max_size: u64,
    next: u32,
    /// What `--state` knows about earlier runs.
    resume: Option<ArchiveResume>,
}

struct TarShard {
    builder: Builder<File>,
    count: u64,
    number: u32,
    path: PathBuf,
    size: u64,
    /// The durable part of `size`.
    synced: u64,
}

impl TarShards {
    /// # Errors
    ///
    /// If the files of killed runs cannot be recovered.
    pub(super) fn open(
        directory: &Path,
        (max_count, max_size): (u64, u64),
        disk: Arc<DiskStatus>,
        resume: Option<ArchiveResume>,
        notes: &mut Vec<String>,
    ) -> Result<Self, String> {
        if let Some(resume) = &resume {
            let removed = cut_shards(directory, resume, &disk)?;
            if removed > 0 {
                notes.push(cut_note("--tar", directory, removed));
            }
        }
        let recovered = recover_all(directory);
        recovered.map_err(|error| disk.record_error(directory, &error))?;
        Ok(Self {
            current: None,
            directory: directory.to_owned(),
            disk,
            max_count,
            max_size,
            next: 0,
            resume,
        })
    }

    /// The end of the last record.
    pub(super) fn end(&self) -> Option<ArchiveEnd> {
        self.current.as_ref().map(|shard| ArchiveEnd {
            file: shard.number,
            length: shard.size,
        })
    }

    /// Adds a body and its record, and sets the file in `saved`.
    ///
    /// # Errors
    ///
    /// If they cannot be written. Earlier records are unchanged then.
    pub(super) fn append(
        &mut self,
        seq: u64,
        ext: &str,
        body: &FinishedBody,
        saved: &mut SavedBody,
        record: impl FnOnce(&SavedBody) -> Vec<u8>,
    ) -> Result<(), String> {
        let (max_count, max_size) = (self.max_count, self.max_size);
        let full = |shard: &TarShard| shard.count >= max_count || shard.size >= max_size;
        if self.current.as_ref().is_some_and(full) {
            self.finish()?;
        }
        let shard = match self.current.take() {
            Some(shard) => shard,
            None => self.create_next()?,
        };
        let shard = self.current.insert(shard);
        let key = format!("{seq:09}");
        // A JSON body needs another extension than the record.
        let ext = if ext == "json" { "body.json" } else { ext };
        saved.file = Some(format!("{:05}.tar/{key}.{ext}", shard.number));
        let record = record(saved);
        let added = body
            .read(|reader| shard.add(&format!("{key}.{ext}"), body.size, reader))
            .and_then(|()| {
                shard.add(
                    &format!("{key}.json"),
                    record.len() as u64,
                    &mut &record[..],
                )
            });
        match added {
            Ok(()) => {
                shard.count += 1;
                shard.size += [body.size, record.len() as u64]
                    .map(|size| BLOCK + size.next_multiple_of(BLOCK))
                    .iter()
                    .sum::<u64>();
                Ok(())
            }
            Err(error) => {
                saved.file = None;
                let path = shard.truncate();
                Err(self.disk.record_error(&path, &error))
            }
        }
    }

    /// Creates the file with the first free number.
    fn create_next(&mut self) -> Result<TarShard, String> {
        loop {
            let (number, path) = (self.next, part_path(&self.path(self.next)));
            self.next += 1;
            if self.path(number).exists() {
                continue;
            }
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            let locked = file.and_then(|file| {
                FileExt::lock(&file)?;
                if let Some(resume) = &self.resume {
                    resume.log(&self.path(number), &file)?;
                }
                Ok(file)
            });
            match locked {
                Ok(file) => {
                    return Ok(TarShard {
                        builder: Builder::new(file),
                        count: 0,
                        number,
                        path,
                        size: 0,
                        synced: 0,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.disk.record_error(&path, &error)),
            }
        }
    }

    /// Makes the current file durable.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        let Some(shard) = self
            .current
            .as_mut()
            .filter(|shard| shard.size > shard.synced)
        else {
            return Ok(());
        };
        let synced = shard.builder.get_ref().sync_data();
        synced.map_err(|error| self.disk.record_error(&shard.path, &error))?;
        shard.synced = shard.size;
        Ok(())
    }

    /// Completes the current file and renames it.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        let Some(shard) = self.current.take() else {
            return Ok(());
        };
        let path = self.path(shard.number);
        let end = || -> io::Result<()> {
            shard.builder.into_inner()?.sync_data()?;
            fs::rename(&shard.path, &path)?;
            // Directories cannot be opened on Windows.
            File::open(&self.directory).map_or(Ok(()), |directory| directory.sync_all())
        };
        end().map_err(|error| self.disk.record_error(&path, &error))
    }

    fn path(&self, number: u32) -> PathBuf {
        self.directory.join(format!("{number:05}.tar"))
    }
}

impl TarShard {
    fn add(&mut self, name: &str, size: u64, reader: &mut dyn Read) -> io::Result<()> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let mut header = Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(now.as_secs());
        self.builder.append_data(&mut header, name, reader)
    }

    /// Removes an entry that was written only in part. Returns the path of the file.
    fn truncate(&mut self) -> PathBuf {
        let file = self.builder.get_mut();
        let _ = file.set_len(self.size);
        let _ = file.seek(SeekFrom::Start(self.size));
        self.path.clone()
    }
}

/// Brings the shards to what the records of `--state` say: removes those that have only bodies without a
/// record, and completes the last one behind its last body with a record. Returns the number of bytes
/// that were removed.
fn cut_shards(directory: &Path, resume: &ArchiveResume, disk: &DiskStatus) -> Result<u64, String> {
    let shard = |number: u32| directory.join(format!("{number:05}.tar"));
    let named = |error: io::Error| disk.record_error(directory, &error);
    let files = resume.files(&shard(0), shard).map_err(named)?;
    let mut removed = 0;
    for (path, logged) in &files.stale {
        for path in [path.clone(), part_path(path)] {
            removed += remove_stale(&path, logged).map_err(named)?;
        }
    }
    resume.forget(&files.stale).map_err(named)?;
    let Some((path, end)) = files.last else {
        return Ok(removed);
    };
    let part = part_path(&path);
    let length = |path: &Path| path.metadata().map(|meta| meta.len()).ok();
    if length(&path) == Some(end.length + END.len() as u64) {
        return Ok(removed);
    }
    let current = if part.exists() { &part } else { &path };
    // A shard that was moved away is complete.
    if let Some((mut file, bytes)) = cut(current, end.length)? {
        let complete = file.write_all(&END).and_then(|()| file.sync_data());
        complete.map_err(named)?;
        if *current == part {
            fs::rename(&part, &path).map_err(named)?;
        }
        // The end of a complete shard is not a body.
        removed += bytes.saturating_sub(if *current == part {
            0
        } else {
            END.len() as u64
        });
    }
    Ok(removed)
}

fn part_path(path: &Path) -> PathBuf {
    path.with_extension("tar.part")
}

/// Recovers the files of killed runs.
fn recover_all(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_suffix(".tar.part"));
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            recover(&path)?;
        }
    }
    Ok(())
}

fn recover(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    if FileExt::try_lock(&file).is_err() {
        return Ok(()); // another run writes to it
    }
    let length = complete_length(&file)?;
    if length == 0 {
        return fs::remove_file(path);
    }
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length))?;
    file.write_all(&END)?;
    file.sync_data()?;
    fs::rename(path, path.with_extension(""))
}

/// The end of the last record that is complete together with its body.
fn complete_length(mut file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let mut archive = Archive::new(file);
    let mut complete = 0;
    for entry in archive.entries_with_seek()? {
        let Ok(entry) = entry else { break };
        let end = entry.raw_file_position() + entry.size().next_multiple_of(BLOCK);
        if end > length {
            break;
        }
        // A record comes after its body. JSON bodies have another extension.
        let path = entry.path_bytes();
        if path.ends_with(b".json") && !path.ends_with(b".body.json") {
            complete = end;
        }
    }
    Ok(complete)
}

impl std::fmt::Debug for TarShards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shards")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::spool::BodySpool;
    use super::*;

    fn shards(directory: &Path) -> TarShards {
        let limits = (100, 1 << 30);
        TarShards::open(directory, limits, DiskStatus::new(9), None, &mut Vec::new()).unwrap()
    }

    fn add(shards: &mut TarShards, seq: u64) {
        let spool = BodySpool {
            algorithm: None,
            all: true,
            directory: Some(shards.directory.clone()),
            disk: DiskStatus::new(9),
        };
        let text = format!("body {seq}").repeat(100);
        let body = spool.spooled(None, text.into()).take().unwrap().unwrap();
        let record = |_: &SavedBody| b"{}\n".to_vec();
        shards
            .append(seq, "txt", &body, &mut SavedBody::default(), record)
            .unwrap();
    }

    fn names(path: &Path) -> Vec<String> {
        let mut archive = Archive::new(File::open(path).unwrap());
        let entries = archive.entries().unwrap();
        let name = |entry: io::Result<tar::Entry<'_, File>>| {
            entry.unwrap().path().unwrap().display().to_string()
        };
        entries.map(name).collect()
    }

    #[test]
    fn complete_records_survive_a_kill_at_any_byte() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, part) = (
            dir.path().join("00000.tar"),
            dir.path().join("00000.tar.part"),
        );
        let mut killed = shards(dir.path());
        (1..=3).for_each(|seq| add(&mut killed, seq));
        let bytes = fs::read(&part).unwrap();
        // The lock of a killed run is released.
        drop(killed.current.take());
        for cut in (0..=bytes.len()).step_by(97).chain([bytes.len()]) {
            fs::write(&part, &bytes[..cut]).unwrap();
            drop(shards(dir.path()));
            let pairs = cut / (bytes.len() / 3);
            let found = if whole.exists() {
                names(&whole)
            } else {
                vec![]
            };
            assert_eq!(found.len(), 2 * pairs, "cut at {cut} of {}", bytes.len());
            assert!(!part.exists(), "cut at {cut}");
            let _ = fs::remove_file(&whole);
        }
    }

    #[test]
    fn the_current_file_of_another_run_is_not_recovered() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = shards(dir.path());
        add(&mut first, 1);
        let mut second = shards(dir.path());
        add(&mut second, 2);
        first.finish().unwrap();
        second.finish().unwrap();
        assert_eq!(
            names(&dir.path().join("00000.tar")),
            ["000000001.txt", "000000001.json"]
        );
        assert_eq!(
            names(&dir.path().join("00001.tar")),
            ["000000002.txt", "000000002.json"]
        );
    }
}
