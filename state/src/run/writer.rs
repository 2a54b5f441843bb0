//! The commits of the writing thread: records become durable, and then their requests completed.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::Xxh3;

use crate::completed::CompletedRequest;
use crate::disk::sync_directory;
use crate::files::archive::{ArchiveEnd, ArchiveMark};
use crate::files::journal::{Journal, JournalBlock, JournalCommit, RunStart};
use crate::files::lock::StateLock;
use crate::files::manifest::StateManifest;
use crate::files::segment::Segment;
use crate::run::body_log::BodyLog;
use crate::run::ledger::StateLedger;
use crate::run::merge::{self, SegmentMerge};

/// The time between two commits, from the end of one to the start of the next. A power failure
/// loses the work of about this time; a shorter interval costs more disk writes.
const COMMIT_INTERVAL: Duration = Duration::from_millis(25);

/// The number of entries at which a journal becomes a segment: the capacity of a hash table of 2^19
/// slots.
pub(crate) const MAX_JOURNAL_ENTRIES: usize = (7 << 19) / 8;

/// The size in bytes at which a journal becomes a segment.
const MAX_JOURNAL_LENGTH: u64 = 32 << 20;

/// Maintains ledger, journal and segments as records are written. Used by the thread that writes
/// them.
pub struct StateWriter {
    /// The ends of all archives, with those that are not committed yet.
    pub(crate) archive_ends: Vec<Option<ArchiveEnd>>,
    pub(crate) begin: RunStart,
    pub(crate) bodies: Arc<BodyLog>,
    pub(crate) directory: PathBuf,
    /// The durable length of each output.
    pub(crate) durable: Vec<u64>,
    /// The output, if it is a file.
    pub(crate) file: Option<File>,
    pub(crate) from: u64,
    /// The digest of the bytes since the last commit.
    pub(crate) hash: Xxh3,
    pub(crate) journal: Journal,
    pub(crate) last: Instant,
    pub(crate) ledger: Arc<StateLedger>,
    pub(crate) manifest: StateManifest,
    pub(crate) merging: Option<SegmentMerge>,
    pub(crate) pending: Vec<CompletedRequest>,
    /// The indexes of archives that have grown since the last commit.
    pub(crate) pending_archives: Vec<u32>,
    /// The archives of this run, as indexes in the manifest.
    pub(crate) run_archives: Vec<u32>,
    pub(crate) seal_at: usize,
    pub(crate) to: u64,
    /// Declared last, so that it is dropped last: then another process may write.
    pub(crate) _lock: StateLock,
}

impl fmt::Debug for StateWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateWriter")
            .field("directory", &self.directory)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl StateWriter {
    /// Starts the run. `rewrite`: the journal has dropped commits, and is replaced.
    pub(crate) fn start(&mut self, rewrite: bool) -> io::Result<()> {
        if rewrite {
            self.seal_journal()?;
        } else {
            self.journal.append(&JournalBlock::Start(self.begin))?;
            self.journal.sync()?;
        }
        self.start_merge()
    }

    /// Adds bytes that were appended to the output, and the requests whose records they complete.
    /// Everything else that belongs to a record, such as its body's file, must be durable already.
    pub fn add_written(&mut self, bytes: &[u8], done: &[CompletedRequest]) {
        if self.file.is_some() {
            self.hash.update(bytes);
            self.to += bytes.len() as u64;
        }
        self.pending.extend_from_slice(done);
    }

    /// Sets the end of the last body, in an archive of this run, whose record was added by
    /// [`Self::add_written`]. `archive` is its index in
    /// [`StateOptions::archives`](crate::StateOptions::archives); others are ignored. The bodies up to
    /// there must be durable before the next commit.
    pub fn set_archive_end(&mut self, archive: usize, end: ArchiveEnd) {
        let Some(index) = self.run_archives.get(archive).copied() else {
            return;
        };
        self.archive_ends[index as usize] = Some(end);
        if !self.pending_archives.contains(&index) {
            self.pending_archives.push(index);
        }
    }

    /// When [`StateWriter::commit`] is due: 25 ms after the last commit. `None` if there is nothing
    /// to commit.
    pub fn due(&self) -> Option<Instant> {
        let has_changes = !self.pending.is_empty() || self.to > self.from;
        has_changes.then(|| self.last + COMMIT_INTERVAL)
    }

    /// Makes the records durable, then the journal's block about them. Only then are their requests
    /// completed, so every completed request has a record.
    ///
    /// # Errors
    ///
    /// If a file cannot be written. The state must not be used after that.
    pub fn commit(&mut self) -> io::Result<()> {
        if self.due().is_none() {
            return Ok(());
        }
        if let Some(file) = &self.file {
            let named =
                |error: io::Error| io::Error::new(error.kind(), format!("the output: {error}"));
            file.sync_data().map_err(named)?;
        }
        let entries = self.ledger.resolve(&self.pending, self.begin.round);
        let completed = std::mem::take(&mut self.pending);
        let archives = self.pending_archives.drain(..).filter_map(|archive| {
            let end = self.archive_ends[archive as usize]?;
            Some(ArchiveMark { archive, end })
        });
        let archives = archives.collect();
        let hash = std::mem::take(&mut self.hash).digest();
        let commit = JournalBlock::Commit(JournalCommit {
            entries,
            from: self.from,
            to: self.to,
            hash,
            archives,
        });
        self.journal.append(&commit)?;
        self.journal.sync()?;
        self.from = self.to;
        if let Some(durable) = self.durable.get_mut(self.begin.output as usize) {
            *durable = self.to;
        }
        let JournalBlock::Commit(JournalCommit { entries, .. }) = commit else {
            return Ok(());
        };
        let count = self.ledger.settle(&entries);
        self.bodies
            .settle(completed.iter().map(|request| request.tag))?;
        if count >= self.seal_at || self.journal.length() >= MAX_JOURNAL_LENGTH {
            self.seal_journal()?;
        }
        self.finish_merge()?;
        self.last = Instant::now();
        Ok(())
    }

    /// Ends the run. If it reached the end of its lists, that is recorded in the journal.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.commit()?;
        if self.ledger.is_complete() {
            self.journal.append(&JournalBlock::Finished)?;
            self.journal.sync()?;
        }
        self.bodies.finish()
    }

    /// Makes a segment of the journal's entries, and starts a new journal. The old files are valid
    /// until the manifest is replaced.
    pub(crate) fn seal_journal(&mut self) -> io::Result<()> {
        let entries = self.ledger.sorted();
        let number = self.next_number();
        let segment = Segment::write(&self.directory, number, entries.into_iter().map(Ok))?;
        let new = self.next_number();
        let journal = Journal::create(&self.directory, new, Some(self.begin))?;
        sync_directory(&self.directory)?;
        let old = std::mem::replace(&mut self.manifest.journal, new);
        for (output, durable) in self.manifest.outputs.iter_mut().zip(&self.durable) {
            output.durable = *durable;
        }
        for (archive, end) in self.manifest.archives.iter_mut().zip(&self.archive_ends) {
            archive.end = *end;
        }
        let mut segments = self.ledger.segments().to_vec();
        segments.push(Arc::new(segment));
        self.replace_segments(segments, true)?;
        self.journal = journal;
        // After an error, the next run removes it.
        let _ = fs::remove_file(Journal::path(&self.directory, old));
        self.start_merge()
    }

    /// Starts a merge, if one is due and none is running.
    pub(crate) fn start_merge(&mut self) -> io::Result<()> {
        if self.merging.is_some() {
            return Ok(());
        }
        let segments = self.ledger.segments();
        let counts: Vec<_> = segments.iter().map(|segment| segment.count()).collect();
        if let Some(from) = merge::merge_start(&counts) {
            let (directory, number) = (self.directory.clone(), self.next_number());
            self.merging = Some(SegmentMerge::start(
                directory,
                number,
                segments[from..].to_vec(),
            )?);
        }
        Ok(())
    }

    /// If the merge has finished, replaces the merged segments by the result.
    fn finish_merge(&mut self) -> io::Result<()> {
        let Some(merging) = self.merging.take_if(|merging| merging.is_finished()) else {
            return Ok(());
        };
        let (merged, parts) = merging.finish()?;
        sync_directory(&self.directory)?;
        let is_part = |segment: &Arc<Segment>| parts.iter().any(|part| Arc::ptr_eq(part, segment));
        let mut segments = self.ledger.segments().to_vec();
        let at = segments.iter().position(is_part).unwrap_or(0);
        segments.retain(|segment| !is_part(segment));
        segments.insert(at, Arc::new(merged));
        self.replace_segments(segments, false)?;
        for part in parts {
            let _ = fs::remove_file(Segment::path(&self.directory, part.number()));
        }
        self.start_merge()
    }

    fn replace_segments(&mut self, segments: Vec<Arc<Segment>>, sealed: bool) -> io::Result<()> {
        self.manifest.segments = segments.iter().map(|segment| segment.number()).collect();
        self.manifest.write(&self.directory)?;
        self.ledger.replace_segments(segments, sealed);
        Ok(())
    }

    /// An unused number.
    fn next_number(&mut self) -> u64 {
        let number = self.manifest.next;
        self.manifest.next += 1;
        number
    }
}
