//! What the writing thread does to make records durable, and then what they tell of done.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::Xxh3;

use super::disk::sync_directory;
use super::done::Done;
use super::journal::{Begin, Block, Commit, Journal};
use super::ledger::Ledger;
use super::lock::Lock;
use super::manifest::Manifest;
use super::merge::{self, Merging};
use super::segment::Segment;

/// The time between two commits, from the end of one to the beginning of the next: what a power cut
/// can make a run do again. Shorter costs more calls to the disk.
const INTERVAL: Duration = Duration::from_millis(25);

/// A journal with so many entries becomes a segment: what a hash table of 2^19 places holds.
pub(super) const SEAL: usize = (7 << 19) / 8;

/// A journal of this size becomes a segment, however few entries it has.
const SEAL_LENGTH: u64 = 32 << 20;

/// Tells the ledger, the journal and the file of records what has become of each other.
pub(crate) struct Keeper {
    pub(super) begin: Begin,
    pub(super) directory: PathBuf,
    /// How much of each output is durable.
    pub(super) durable: Vec<u64>,
    /// The file of the records, where it is one that can be made durable.
    pub(super) file: Option<File>,
    pub(super) from: u64,
    /// The digest of what was written since the last commit.
    pub(super) hash: Xxh3,
    pub(super) journal: Journal,
    pub(super) last: Instant,
    pub(super) ledger: Arc<Ledger>,
    pub(super) manifest: Manifest,
    pub(super) merging: Option<Merging>,
    pub(super) pending: Vec<Done>,
    pub(super) seal_at: usize,
    pub(super) to: u64,
    /// The last of all to be dropped: after it another process may write.
    pub(super) _lock: Lock,
}

impl Keeper {
    /// Begins the run. What the journal has is written anew if a part of it does not count.
    pub(super) fn start(&mut self, anew: bool) -> io::Result<()> {
        if anew {
            self.seal()?;
        } else {
            self.journal.append(&Block::Begin(self.begin))?;
            self.journal.sync()?;
        }
        self.merge()
    }

    /// These bytes were written after those before, and with them the records of these are whole.
    /// Whatever else belongs to a record, such as its body in a file, must be durable already.
    pub(crate) fn wrote(&mut self, bytes: &[u8], done: &[Done]) {
        if self.file.is_some() {
            self.hash.update(bytes);
            self.to += bytes.len() as u64;
        }
        self.pending.extend_from_slice(done);
    }

    /// When [`Keeper::commit`] is to be called, if there is something to commit.
    pub(crate) fn due(&self) -> Option<Instant> {
        let anything = !self.pending.is_empty() || self.to > self.from;
        anything.then(|| self.last + INTERVAL)
    }

    /// Makes durable what was written: first the records, then that they are there. Only then are
    /// they done, so whatever happens in between, nothing is done that has no record.
    ///
    /// # Errors
    ///
    /// If a file cannot be written; nothing may be written after that.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.due().is_none() {
            return Ok(());
        }
        if let Some(file) = &self.file {
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("the file of records: {error}"))
            };
            file.sync_data().map_err(named)?;
        }
        let entries = self.ledger.resolve(&self.pending, self.begin.round);
        self.pending.clear();
        let hash = std::mem::take(&mut self.hash).digest();
        let commit = Block::Commit(Commit {
            entries,
            from: self.from,
            to: self.to,
            hash,
        });
        self.journal.append(&commit)?;
        self.journal.sync()?;
        self.from = self.to;
        if let Some(durable) = self.durable.get_mut(self.begin.output as usize) {
            *durable = self.to;
        }
        let Block::Commit(Commit { entries, .. }) = commit else {
            return Ok(());
        };
        let count = self.ledger.settle(&entries);
        if count >= self.seal_at || self.journal.length() >= SEAL_LENGTH {
            self.seal()?;
        }
        self.take_merged()?;
        self.last = Instant::now();
        Ok(())
    }

    /// Ends the run. `Finished` is written if it fetched all of its lists.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.commit()?;
        if self.ledger.is_complete() {
            self.journal.append(&Block::Finished)?;
            self.journal.sync()?;
        }
        Ok(())
    }

    /// Makes a segment of what the journal has, and begins a new one. Until the manifest is
    /// replaced, the old files count.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        let entries = self.ledger.sorted();
        let number = self.number();
        let segment = Segment::write(&self.directory, number, entries.into_iter().map(Ok))?;
        let new = self.number();
        let journal = Journal::create(&self.directory, new, Some(self.begin))?;
        sync_directory(&self.directory)?;
        let old = std::mem::replace(&mut self.manifest.journal, new);
        for (output, durable) in self.manifest.outputs.iter_mut().zip(&self.durable) {
            output.durable = *durable;
        }
        let mut segments = self.ledger.segments().to_vec();
        segments.push(Arc::new(segment));
        self.replace(segments, true)?;
        self.journal = journal;
        // If it stays, the next run removes it.
        let _ = fs::remove_file(Journal::path(&self.directory, old));
        self.merge()
    }

    /// Begins to merge segments, if that is worth it.
    pub(super) fn merge(&mut self) -> io::Result<()> {
        if self.merging.is_some() {
            return Ok(());
        }
        let segments = self.ledger.segments();
        let counts: Vec<_> = segments.iter().map(|segment| segment.count()).collect();
        if let Some(from) = merge::worth(&counts) {
            let (directory, number) = (self.directory.clone(), self.number());
            self.merging = Some(Merging::start(
                directory,
                number,
                segments[from..].to_vec(),
            )?);
        }
        Ok(())
    }

    /// Puts what was merged in the place of its parts, if it is ready.
    fn take_merged(&mut self) -> io::Result<()> {
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
        self.replace(segments, false)?;
        for part in parts {
            let _ = fs::remove_file(Segment::path(&self.directory, part.number()));
        }
        self.merge()
    }

    fn replace(&mut self, segments: Vec<Arc<Segment>>, sealed: bool) -> io::Result<()> {
        self.manifest.segments = segments.iter().map(|segment| segment.number()).collect();
        self.manifest.write(&self.directory)?;
        self.ledger.replace_segments(segments, sealed);
        Ok(())
    }

    /// A number that no file has, now or before.
    fn number(&mut self) -> u64 {
        let number = self.manifest.next;
        self.manifest.next += 1;
        number
    }
}
