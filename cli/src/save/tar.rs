//! Bodies in tar files of a bounded size, each with its record beside it: what webdataset reads.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tar::{Builder, Header};
use tempfile::NamedTempFile;

use super::spool::{Body, temporary};
use super::{Disk, Kept};

/// A tar file is a whole number of blocks of this size, in bytes.
const BLOCK: u64 = 512;

/// Tar files that are filled one after the other: `00000.tar`, `00001.tar` and so on. One that is
/// not complete has no such name.
pub(super) struct Shards {
    current: Option<Shard>,
    directory: PathBuf,
    disk: Arc<Disk>,
    /// The most bodies in one.
    max_count: u64,
    /// So many bytes end one.
    max_size: u64,
    next: u32,
}

struct Shard {
    builder: Builder<NamedTempFile>,
    count: u64,
    number: u32,
    size: u64,
}

impl Shards {
    pub(super) fn new(directory: &Path, max_count: u64, max_size: u64, disk: Arc<Disk>) -> Self {
        Self {
            current: None,
            directory: directory.to_owned(),
            disk,
            max_count,
            max_size,
            next: 0,
        }
    }

    /// Adds a body and its record, and notes where it is.
    ///
    /// # Errors
    ///
    /// If it cannot be written; what was added before is still there then.
    pub(super) fn append(
        &mut self,
        seq: u64,
        ext: &str,
        body: &Body,
        kept: &mut Kept,
        record: impl FnOnce(&Kept) -> Vec<u8>,
    ) -> Result<(), String> {
        let (max_count, max_size) = (self.max_count, self.max_size);
        let full = |shard: &Shard| shard.count >= max_count || shard.size >= max_size;
        if self.current.as_ref().is_some_and(full) {
            self.finish()?;
        }
        let shard = match self.current.take() {
            Some(shard) => shard,
            None => self.begin()?,
        };
        let shard = self.current.insert(shard);
        let key = format!("{seq:09}");
        // A body that is itself JSON must not be taken for the record.
        let ext = if ext == "json" { "body.json" } else { ext };
        kept.file = Some(format!("{:05}.tar/{key}.{ext}", shard.number));
        let record = record(kept);
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
                kept.file = None;
                let path = shard.cut();
                Err(self.disk.fails(&path, &error))
            }
        }
    }

    fn begin(&mut self) -> Result<Shard, String> {
        while self.path(self.next).exists() {
            self.next += 1;
        }
        let file = temporary(&self.directory);
        let file = file.map_err(|error| self.disk.fails(&self.directory, &error))?;
        self.next += 1;
        Ok(Shard {
            builder: Builder::new(file),
            count: 0,
            number: self.next - 1,
            size: 0,
        })
    }

    /// Ends the tar file that is being filled, and gives it its name.
    ///
    /// # Errors
    ///
    /// If that cannot be.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        let Some(shard) = self.current.take() else {
            return Ok(());
        };
        let path = self.path(shard.number);
        let end = || -> io::Result<()> {
            let file = shard.builder.into_inner()?;
            file.as_file().sync_data()?;
            file.persist_noclobber(&path).map_err(|error| error.error)?;
            Ok(())
        };
        end().map_err(|error| self.disk.fails(&path, &error))
    }

    fn path(&self, number: u32) -> PathBuf {
        self.directory.join(format!("{number:05}.tar"))
    }
}

impl Shard {
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

    /// Takes away what could be added only in part.
    fn cut(&mut self) -> PathBuf {
        let file = self.builder.get_mut();
        let _ = file.as_file().set_len(self.size);
        let _ = file.as_file_mut().seek(SeekFrom::Start(self.size));
        file.path().to_owned()
    }
}

impl std::fmt::Debug for Shards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shards")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}
