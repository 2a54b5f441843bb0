//! Bodies while they are received: in memory, and in temporary files if they are large.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{BodySink, BodyWriter, ResponseHead, SaveError, SaveReceipt};
use smol::Task;
use tempfile::NamedTempFile;

use super::disk::{DiskStatus, FilePermit};
use super::partial::{EarlierFile, PartialBody};
use super::temporary::create_temporary;
use crate::mutex::lock;
use crate::outcome::checksum::{BodyDigests, BodyHasher, DigestAlgorithm};
use crate::outcome::row::RowAttachment;

/// The size of the buffer, in bytes. A smaller body stays in memory until it is complete. While one
/// buffer is written, the next one is filled.
const BUFFER_SIZE: usize = 128 << 10;

/// Receives bodies until their destinations are known.
#[derive(Debug)]
pub(crate) struct BodySpool {
    /// The algorithm of an additional digest of each body.
    pub(super) algorithm: Option<DigestAlgorithm>,
    /// Whether bodies of all statuses are saved, or of 2xx only.
    pub(super) all: bool,
    /// The directory of temporary files; without it bodies are digested and dropped.
    pub(super) directory: Option<PathBuf>,
    pub(super) disk: Arc<DiskStatus>,
}

impl BodySink for BodySpool {
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn BodyWriter> {
        let row = head
            .attached
            .and_then(|attached| attached.downcast_ref::<RowAttachment>());
        let expected = row.and_then(|row| Some(row.checksum.as_ref()?.algorithm));
        Box::new(self.start(expected, self.all || head.status.is_success()))
    }
}

impl BodySpool {
    /// Starts to receive a body that a later run can continue, or that continues an earlier one.
    pub(super) fn start_partial(
        &self,
        head: &ResponseHead<'_>,
        partial: PartialBody,
    ) -> SpoolWriter {
        let row = head
            .attached
            .and_then(|attached| attached.downcast_ref::<RowAttachment>());
        let expected = row.and_then(|row| Some(row.checksum.as_ref()?.algorithm));
        let wanted = self.all || head.status.is_success() || partial.has_earlier();
        let mut writer = self.start(expected, wanted);
        if let Some(state) = &mut writer.state {
            state.partial = Some(partial);
        }
        writer
    }
}

impl BodySpool {
    fn start(&self, expected: Option<DigestAlgorithm>, wanted: bool) -> SpoolWriter {
        SpoolWriter {
            job: None,
            pending: Vec::new(),
            pending_bytes: 0,
            state: Some(SpoolState {
                directory: self.directory.clone().filter(|_| wanted),
                disk: self.disk.clone(),
                file: None,
                hasher: BodyHasher::new(expected.into_iter().chain(self.algorithm)),
                partial: None,
                permit: None,
                size: 0,
            }),
        }
    }

    /// A body that is already in memory.
    pub(super) fn spooled(&self, expected: Option<DigestAlgorithm>, bytes: Bytes) -> SpooledBody {
        let state = self.start(expected, true).state;
        SpooledBody(Mutex::new(state.map(|state| (state, vec![bytes]))))
    }
}

/// A body that is being received. Dropping it removes its file.
pub(super) struct SpoolWriter {
    /// Writes the previous buffer, on a thread that may block.
    job: Option<Task<Result<SpoolState, String>>>,
    pending: Vec<Bytes>,
    pending_bytes: usize,
    /// `None` while a job has it, or after an error.
    state: Option<SpoolState>,
}

struct SpoolState {
    directory: Option<PathBuf>,
    disk: Arc<DiskStatus>,
    file: Option<NamedTempFile>,
    hasher: BodyHasher,
    /// With `--state` or `-C -`: what a later run needs to continue.
    partial: Option<PartialBody>,
    /// From the moment on when the body may have a file.
    permit: Option<FilePermit>,
    size: u64,
}

/// A body that broke off stays for a later run.
impl Drop for SpoolState {
    fn drop(&mut self) {
        if let (Some(file), Some(partial)) = (self.file.take(), self.partial.take()) {
            partial.keep(file, self.size);
        }
    }
}

impl SpoolState {
    /// Digests these chunks, and writes them to the file unless bodies are dropped.
    fn write(mut self, chunks: &[Bytes]) -> Result<Self, String> {
        if self.directory.is_some() && self.permit.is_none() {
            self.permit = Some(self.disk.files.acquire(false));
        }
        self.open_earlier(false)?;
        self.hasher.update(chunks);
        self.size += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        let Some(directory) = &self.directory else {
            return Ok(self);
        };
        let mut file = match self.file.take() {
            Some(file) => file,
            None => create_temporary(directory)
                .map_err(|error| self.disk.record_error(directory, &error))?,
        };
        write_chunks(&mut file, chunks)
            .map_err(|error| self.disk.record_error(file.path(), &error))?;
        if let Some(partial) = &mut self.partial {
            partial.update(&file, self.size);
        }
        self.file = Some(file);
        Ok(self)
    }

    /// Opens the body that this one continues; returns its file if that has its name already.
    fn open_earlier(&mut self, is_complete: bool) -> Result<Option<File>, String> {
        let (Some(partial), Some(directory)) = (&mut self.partial, &self.directory) else {
            return Ok(None);
        };
        if let Some(error) = partial.error.take() {
            return Err(error);
        }
        if partial.has_earlier() && self.permit.is_none() {
            self.permit = Some(self.disk.files.acquire(true));
        }
        let opened = partial.open_earlier(directory, &mut self.hasher, is_complete);
        let opened = opened.map_err(|error| self.disk.record_error(directory, &error))?;
        let Some((file, length)) = opened else {
            return Ok(None);
        };
        self.size = length;
        Ok(match file {
            EarlierFile::Complete(file) => Some(file),
            EarlierFile::Part(file) => {
                self.file = Some(file);
                None
            }
        })
    }
}

impl SpoolWriter {
    fn poll_job(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        if let Some(job) = &mut self.job {
            let done = ready!(Pin::new(job).poll(cx));
            self.job = None;
            self.state = Some(done?);
        }
        Poll::Ready(Ok(()))
    }
}

impl BodyWriter for SpoolWriter {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        if self.pending_bytes < BUFFER_SIZE {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_job(cx))?;
        if let Some(state) = self.state.take() {
            let chunks = std::mem::take(&mut self.pending);
            self.pending_bytes = 0;
            self.job = Some(smol::unblock(move || state.write(&chunks)));
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, chunk: Bytes) {
        self.pending_bytes += chunk.len();
        self.pending.push(chunk);
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<SaveReceipt, SaveError>> {
        ready!(self.poll_job(cx))?;
        let state = self.state.take().ok_or("saved twice")?;
        let rest = std::mem::take(&mut self.pending);
        Poll::Ready(Ok(Arc::new(SpooledBody(Mutex::new(Some((state, rest)))))))
    }
}

/// A body that is complete, except that its last buffer is not written yet.
pub(crate) struct SpooledBody(Mutex<Option<(SpoolState, Vec<Bytes>)>>);

/// A complete body.
pub(crate) struct FinishedBody {
    pub(super) bytes: BodyBytes,
    pub(super) digests: BodyDigests,
    /// The right to have a file open. Dropped last.
    pub(super) permit: Option<FilePermit>,
    /// Whether it replaces the file of its name.
    pub(super) replaces: bool,
    pub(super) size: u64,
}

/// The bytes of a body.
pub(super) enum BodyBytes {
    Dropped,
    File(NamedTempFile),
    Memory(Vec<Bytes>),
    /// The file of the body's name, which has all of it already.
    Named(File),
    /// A file that has got its name.
    Saved(File),
}

impl SpooledBody {
    /// The body; `None` after the first call. Blocks.
    ///
    /// # Errors
    ///
    /// If the last buffer cannot be written.
    pub(super) fn take(&self) -> Result<Option<FinishedBody>, String> {
        let taken = lock(&self.0).take();
        let Some((mut state, rest)) = taken else {
            return Ok(None);
        };
        let complete = state.open_earlier(rest.iter().all(Bytes::is_empty))?;
        if let Some(file) = complete {
            return Ok(Some(finish(state, |_| BodyBytes::Named(file))));
        }
        if state.file.is_some() {
            state = state.write(&rest)?;
            return Ok(Some(finish(state, |file| {
                file.map_or(BodyBytes::Dropped, BodyBytes::File)
            })));
        }
        let wanted = state.directory.take().is_some();
        let state = state.write(&rest)?;
        Ok(Some(finish(state, |_| match wanted {
            true => BodyBytes::Memory(rest),
            false => BodyBytes::Dropped,
        })))
    }
}

impl FinishedBody {
    /// Reads the bytes from the beginning.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.bytes {
            BodyBytes::Dropped => read(&mut io::empty()),
            BodyBytes::File(file) => {
                let mut file = file.as_file();
                file.seek(SeekFrom::Start(0))?;
                read(&mut file)
            }
            BodyBytes::Named(file) | BodyBytes::Saved(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(0))?;
                read(&mut file)
            }
            BodyBytes::Memory(chunks) => read(&mut ChunkReader(chunks, 0)),
        }
    }
}

/// Reads chunks: the remaining ones, and the position in the first of them.
struct ChunkReader<'a>(&'a [Bytes], usize);

impl Read for ChunkReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some((first, rest)) = self.0.split_first() {
            let left = &first[self.1..];
            if left.is_empty() {
                *self = ChunkReader(rest, 0);
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

fn finish(
    mut state: SpoolState,
    bytes: impl FnOnce(Option<NamedTempFile>) -> BodyBytes,
) -> FinishedBody {
    let partial = state.partial.take();
    if let Some(partial) = &partial {
        partial.complete();
    }
    FinishedBody {
        permit: state.permit.take(),
        bytes: bytes(state.file.take()),
        digests: std::mem::replace(&mut state.hasher, BodyHasher::new([])).finish(),
        replaces: partial.is_some_and(|partial| partial.replaces),
        size: state.size,
    }
}

pub(super) fn write_chunks(file: &mut NamedTempFile, chunks: &[Bytes]) -> io::Result<()> {
    let file = file.as_file_mut();
    // One system call for all chunks.
    match chunks {
        [] => Ok(()),
        [chunk] => file.write_all(chunk),
        chunks => file.write_all(&chunks.concat()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use futures_lite::future::{block_on, poll_fn};

    use super::*;

    fn spool(directory: &Path, pieces: usize) -> SaveReceipt {
        let spool = BodySpool {
            algorithm: None,
            all: false,
            directory: Some(directory.to_owned()),
            disk: DiskStatus::new(9),
        };
        let mut saving = spool.start(None, true);
        for _ in 0..pieces {
            block_on(poll_fn(|cx| saving.poll_ready(cx))).unwrap();
            saving.write(vec![7; 10_000].into());
        }
        block_on(poll_fn(|cx| saving.poll_finish(cx))).unwrap()
    }

    #[test]
    fn only_a_large_body_has_a_file_which_is_removed_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let files = || std::fs::read_dir(directory.path()).unwrap().count();
        for (pieces, expected) in [(1, 0), (40, 1)] {
            let saved = spool(directory.path(), pieces);
            assert_eq!(files(), expected);
            let spooled = saved.downcast_ref::<SpooledBody>().unwrap();
            let body = spooled.take().unwrap().unwrap();
            assert_eq!(body.size, pieces as u64 * 10_000);
            let digest = ring::digest::digest(&ring::digest::SHA256, &vec![7; pieces * 10_000]);
            assert_eq!(body.digests.sha256, digest.as_ref());
            drop(body);
            assert_eq!(files(), 0);
        }
    }
}
