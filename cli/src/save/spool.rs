//! Bodies while they come: small ones in memory, larger ones in temporary files, digested on the way.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{ResponseHead, SaveBody, SaveError, Saved, Saving};
use smol::Task;
use tempfile::NamedTempFile;

use super::{Disk, TEMPORARY};
use crate::outcome::checksum::{Algorithm, Digests, Hasher};
use crate::outcome::item::Item;

/// So much is gathered in memory before it is written, and while the last such piece is written: a
/// body of up to this size makes no file before its end.
const PIECE: usize = 128 << 10;

/// Where bodies wait until it is known what becomes of them.
#[derive(Debug)]
pub(crate) struct Spool {
    /// Of each body.
    pub(super) algorithm: Option<Algorithm>,
    /// Whether bodies of all statuses are kept, not of 2xx alone.
    pub(super) all: bool,
    /// Where temporary files are made; without it bodies are digested and dropped.
    pub(super) directory: Option<PathBuf>,
    pub(super) disk: Arc<Disk>,
}

impl SaveBody for Spool {
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn Saving> {
        let item = head
            .attached
            .and_then(|attached| attached.downcast_ref::<Item>());
        let expected = item.and_then(|item| Some(item.checksum.as_ref()?.algorithm));
        Box::new(self.begin(expected, self.all || head.status.is_success()))
    }
}

impl Spool {
    fn begin(&self, expected: Option<Algorithm>, wanted: bool) -> Spooling {
        Spooling {
            job: None,
            pending: Vec::new(),
            pending_bytes: 0,
            work: Some(Work {
                directory: self.directory.clone().filter(|_| wanted),
                disk: self.disk.clone(),
                file: None,
                hasher: Hasher::new(expected.into_iter().chain(self.algorithm)),
                size: 0,
            }),
        }
    }

    /// A body that is in memory already.
    pub(super) fn spooled(&self, expected: Option<Algorithm>, bytes: Bytes) -> Spooled {
        let work = self.begin(expected, true).work;
        Spooled(Mutex::new(work.map(|work| (work, vec![bytes]))))
    }
}

/// A body on its way. Dropped, it takes its file with it.
struct Spooling {
    /// What writes the piece before, on a thread that may block.
    job: Option<Task<Result<Work, String>>>,
    pending: Vec<Bytes>,
    pending_bytes: usize,
    /// What was written so far; `None` while a job has it, or when that failed.
    work: Option<Work>,
}

struct Work {
    directory: Option<PathBuf>,
    disk: Arc<Disk>,
    file: Option<NamedTempFile>,
    hasher: Hasher,
    size: u64,
}

impl Work {
    /// Digests these chunks, and writes them to the file if bodies are kept.
    fn put(mut self, chunks: &[Bytes]) -> Result<Self, String> {
        self.hasher.update(chunks);
        self.size += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        let Some(directory) = &self.directory else {
            return Ok(self);
        };
        let mut file = match self.file.take() {
            Some(file) => file,
            None => temporary(directory).map_err(|error| self.disk.fails(directory, &error))?,
        };
        write(&mut file, chunks).map_err(|error| self.disk.fails(file.path(), &error))?;
        self.file = Some(file);
        Ok(self)
    }
}

impl Spooling {
    fn poll_job(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        if let Some(job) = &mut self.job {
            let done = ready!(Pin::new(job).poll(cx));
            self.job = None;
            self.work = Some(done?);
        }
        Poll::Ready(Ok(()))
    }
}

impl Saving for Spooling {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        if self.pending_bytes < PIECE {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_job(cx))?;
        if let Some(work) = self.work.take() {
            let chunks = std::mem::take(&mut self.pending);
            self.pending_bytes = 0;
            self.job = Some(smol::unblock(move || work.put(&chunks)));
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, chunk: Bytes) {
        self.pending_bytes += chunk.len();
        self.pending.push(chunk);
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<Saved, SaveError>> {
        ready!(self.poll_job(cx))?;
        let work = self.work.take().ok_or("saved twice")?;
        let rest = std::mem::take(&mut self.pending);
        Poll::Ready(Ok(Arc::new(Spooled(Mutex::new(Some((work, rest)))))))
    }
}

/// A body that has come to its end, its last piece not written yet.
pub(crate) struct Spooled(Mutex<Option<(Work, Vec<Bytes>)>>);

/// A body that has come to its end.
pub(crate) struct Body {
    pub(super) bytes: Kind,
    pub(super) digests: Digests,
    pub(super) size: u64,
}

/// Where its bytes are.
pub(super) enum Kind {
    /// They were dropped.
    Dropped,
    File(NamedTempFile),
    Memory(Vec<Bytes>),
}

impl Spooled {
    /// The body, the first time. It blocks.
    ///
    /// # Errors
    ///
    /// If its end cannot be written.
    pub(super) fn take(&self) -> Result<Option<Body>, String> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((mut work, rest)) = taken else {
            return Ok(None);
        };
        if work.file.is_some() {
            work = work.put(&rest)?;
            return Ok(Some(body(work, |file| {
                file.map_or(Kind::Dropped, Kind::File)
            })));
        }
        let wanted = work.directory.take().is_some();
        let work = work.put(&rest)?;
        Ok(Some(body(work, |_| match wanted {
            true => Kind::Memory(rest),
            false => Kind::Dropped,
        })))
    }
}

impl Body {
    /// Reads the bytes from the beginning, as often as wanted.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.bytes {
            Kind::Dropped => read(&mut io::empty()),
            Kind::File(file) => {
                let mut file = file.as_file();
                file.seek(SeekFrom::Start(0))?;
                read(&mut file)
            }
            Kind::Memory(chunks) => read(&mut Chunks(chunks, 0)),
        }
    }
}

/// Chunks as one reader: those that are left, and how much of the first was read.
struct Chunks<'a>(&'a [Bytes], usize);

impl Read for Chunks<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some((first, rest)) = self.0.split_first() {
            let left = &first[self.1..];
            if left.is_empty() {
                *self = Chunks(rest, 0);
                continue;
            }
            let n = left.len().min(out.len());
            out[..n].copy_from_slice(&left[..n]);
            self.1 += n;
            return Ok(n);
        }
        Ok(0)
    }
}

fn body(work: Work, kind: impl FnOnce(Option<NamedTempFile>) -> Kind) -> Body {
    Body {
        bytes: kind(work.file),
        digests: work.hasher.finish(),
        size: work.size,
    }
}

/// A temporary file in this directory, open for all who may open what is made there.
pub(super) fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY).suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask takes from it what the user does not want.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}

pub(super) fn write(file: &mut NamedTempFile, chunks: &[Bytes]) -> io::Result<()> {
    let file = file.as_file_mut();
    // One call for a piece, but for what is in one chunk anyhow.
    match chunks {
        [] => Ok(()),
        [chunk] => file.write_all(chunk),
        chunks => file.write_all(&chunks.concat()),
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_fn};

    use super::*;

    fn spool(directory: &Path, pieces: usize) -> Saved {
        let spool = Spool {
            algorithm: None,
            all: false,
            directory: Some(directory.to_owned()),
            disk: Arc::default(),
        };
        let mut saving = spool.begin(None, true);
        for _ in 0..pieces {
            block_on(poll_fn(|cx| saving.poll_ready(cx))).unwrap();
            saving.write(vec![7; 10_000].into());
        }
        block_on(poll_fn(|cx| saving.poll_finish(cx))).unwrap()
    }

    #[test]
    fn a_large_body_is_in_a_file_that_goes_with_it_and_a_small_one_in_none() {
        let directory = tempfile::tempdir().unwrap();
        let files = || std::fs::read_dir(directory.path()).unwrap().count();
        for (pieces, expected) in [(1, 0), (40, 1)] {
            let saved = spool(directory.path(), pieces);
            assert_eq!(files(), expected);
            let spooled = saved.downcast_ref::<Spooled>().unwrap();
            let body = spooled.take().unwrap().unwrap();
            assert_eq!(body.size, pieces as u64 * 10_000);
            let digest = ring::digest::digest(&ring::digest::SHA256, &vec![7; pieces * 10_000]);
            assert_eq!(body.digests.sha256, digest.as_ref());
            drop(body);
            assert_eq!(files(), 0);
        }
    }
}
