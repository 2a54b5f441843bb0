//! The journal: the requests that were completed since the last segment, in checksummed blocks.
//!
//! A block is a head of 40 bytes, its entries, the ends of archives, and a checksum over all of them that
//! also depends on the journal's number and the block's position, so that stale bytes are never valid. Reading ends at
//! the first incomplete block, such as a power failure leaves. Numbers are little-endian.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::archive::{self, ArchiveMark};
use crate::disk::{damaged_error, with_name};
use crate::entry::{self, RetryRound, StateEntry};

const MAGIC: u32 = u32::from_le_bytes(*b"FaJ1");
const HEAD: usize = 40;
const CHECKSUM: usize = 8;
const BEGIN: u32 = 1;
const COMMIT: u32 = 2;
const FINISHED: u32 = 3;

/// No output file: records go to a stream, or nowhere.
pub(crate) const NO_OUTPUT: u32 = u32::MAX;

/// A block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JournalBlock {
    Start(RunStart),
    Commit(JournalCommit),
    /// The run reached the end of its lists.
    Finished,
}

/// The start of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RunStart {
    /// The index of the output in the manifest, or [`NO_OUTPUT`].
    pub(crate) output: u32,
    pub(crate) retry_failed: bool,
    pub(crate) round: RetryRound,
}

/// Records became durable, and their requests completed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct JournalCommit {
    pub(crate) entries: Vec<StateEntry>,
    /// The range of their records in the output, in bytes.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The hash of these bytes.
    pub(crate) hash: u64,
    /// The ends of the archives that have grown: up to there, each body has its record.
    pub(crate) archives: Vec<ArchiveMark>,
}

impl JournalBlock {
    fn encode(&self, seed: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let empty = JournalCommit::default();
        let (kind, extra, commit) = match self {
            Self::Start(begin) => {
                let from = u64::from(begin.round.number());
                let to = u64::from(begin.retry_failed);
                let numbers = JournalCommit { from, to, ..empty };
                (BEGIN, begin.output, &{ numbers })
            }
            Self::Commit(commit) => (COMMIT, commit.archives.len() as u32, commit),
            Self::Finished => (FINISHED, 0, &empty),
        };
        for number in [MAGIC, kind, commit.entries.len() as u32, extra] {
            out.extend(number.to_le_bytes());
        }
        for number in [commit.from, commit.to, commit.hash] {
            out.extend(number.to_le_bytes());
        }
        commit
            .entries
            .iter()
            .for_each(|entry| out.extend(entry.to_bytes()));
        commit
            .archives
            .iter()
            .for_each(|mark| out.extend(mark.to_bytes()));
        let checksum = xxh3_64_with_seed(&out[start..], seed);
        out.extend(checksum.to_le_bytes());
    }

    /// The first block of these bytes, and its length; `None` if it is incomplete or invalid.
    fn decode(bytes: &[u8], seed: u64) -> Option<(Self, usize)> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        if u32_at(0)? != MAGIC {
            return None;
        }
        let entries_end = (u32_at(8)? as usize)
            .checked_mul(entry::SIZE)?
            .checked_add(HEAD)?;
        let marks = match u32_at(4)? {
            COMMIT => (u32_at(12)? as usize).checked_mul(archive::MARK_SIZE)?,
            _ => 0,
        };
        let end = entries_end.checked_add(marks)?;
        let body = bytes.get(..end)?;
        if xxh3_64_with_seed(body, seed) != u64_at(end)? {
            return None;
        }
        let (from, to, hash) = (u64_at(16)?, u64_at(24)?, u64_at(32)?);
        let block = match u32_at(4)? {
            BEGIN => Self::Start(RunStart {
                output: u32_at(12)?,
                retry_failed: to != 0,
                round: RetryRound::new(from as u16),
            }),
            COMMIT => {
                let (entries, _) = body[HEAD..entries_end].as_chunks();
                let entries = entries
                    .iter()
                    .map(|bytes| StateEntry::from_bytes(*bytes))
                    .collect();
                let (marks, _) = body[entries_end..].as_chunks();
                let archives = marks
                    .iter()
                    .map(|bytes| ArchiveMark::from_bytes(*bytes))
                    .collect();
                Self::Commit(JournalCommit {
                    entries,
                    from,
                    to,
                    hash,
                    archives,
                })
            }
            FINISHED => Self::Finished,
            _ => return None,
        };
        Some((block, end + CHECKSUM))
    }
}

/// A journal that is open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    buffer: Vec<u8>,
    file: File,
    length: u64,
    number: u64,
    path: PathBuf,
}

impl Journal {
    pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
        directory.join(format!("journal-{number}"))
    }

    /// Creates a durable journal that starts with this block.
    pub(crate) fn create(
        directory: &Path,
        number: u64,
        begin: Option<RunStart>,
    ) -> io::Result<Self> {
        let path = Self::path(directory, number);
        let file = File::create(&path).map_err(with_name(&path))?;
        let mut journal = Self {
            buffer: Vec::new(),
            file,
            length: 0,
            number,
            path,
        };
        if let Some(begin) = begin {
            journal.append(&JournalBlock::Start(begin))?;
        }
        journal.sync()?;
        Ok(journal)
    }

    /// Reads the complete blocks, and truncates the journal after them.
    pub(crate) fn open(directory: &Path, number: u64) -> io::Result<(Self, Vec<JournalBlock>)> {
        let path = Self::path(directory, number);
        let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged_error(&path, "is missing"),
            _ => with_name(&path)(error),
        })?;
        let (mut blocks, mut length) = (Vec::new(), 0);
        while let Some((block, size)) =
            JournalBlock::decode(&bytes[length..], checksum_seed(number, length as u64))
        {
            blocks.push(block);
            length += size;
        }
        let open = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            if length < bytes.len() {
                file.set_len(length as u64)?;
                file.sync_data()?;
            }
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(with_name(&path))?;
        let journal = Self {
            buffer: Vec::new(),
            file,
            length: length as u64,
            number,
            path,
        };
        Ok((journal, blocks))
    }

    /// Writes a block. After an error the journal must not be used: it may end with a partial
    /// block.
    pub(crate) fn append(&mut self, block: &JournalBlock) -> io::Result<()> {
        self.buffer.clear();
        block.encode(checksum_seed(self.number, self.length), &mut self.buffer);
        self.file
            .write_all(&self.buffer)
            .map_err(with_name(&self.path))?;
        self.length += self.buffer.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data().map_err(with_name(&self.path))
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

fn checksum_seed(number: u64, offset: u64) -> u64 {
    number.rotate_left(48) ^ offset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(n: u8) -> ArchiveMark {
        let (file, length) = (u32::from(n) + 3, u64::MAX - u64::from(n));
        ArchiveMark {
            archive: n.into(),
            end: crate::ArchiveEnd { file, length },
        }
    }

    fn commit(n: u8) -> JournalBlock {
        let entries = (0..n).map(|n| StateEntry::from_bytes([n; 16])).collect();
        JournalBlock::Commit(JournalCommit {
            entries,
            from: 1,
            to: 2,
            hash: 3,
            archives: (0..n / 2).map(mark).collect(),
        })
    }

    fn blocks() -> Vec<JournalBlock> {
        let (retry_failed, round) = (true, RetryRound::new(7));
        let begin = JournalBlock::Start(RunStart {
            output: 3,
            retry_failed,
            round,
        });
        vec![
            begin,
            commit(3),
            commit(0),
            JournalBlock::Finished,
            commit(1),
        ]
    }

    #[test]
    fn blocks_are_read_back_and_more_can_be_appended() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), 5, None).unwrap();
        blocks()
            .iter()
            .for_each(|block| journal.append(block).unwrap());
        let (mut journal, read) = Journal::open(dir.path(), 5).unwrap();
        assert_eq!(read, blocks());
        journal.append(&commit(2)).unwrap();
        assert_eq!(Journal::open(dir.path(), 5).unwrap().1[5..], [commit(2)]);
    }

    #[test]
    fn stale_bytes_are_no_block() {
        let dir = tempfile::tempdir().unwrap();
        Journal::create(dir.path(), 5, None)
            .unwrap()
            .append(&commit(3))
            .unwrap();
        let bytes = std::fs::read(Journal::path(dir.path(), 5)).unwrap();
        std::fs::write(Journal::path(dir.path(), 6), &bytes).unwrap();
        assert_eq!(Journal::open(dir.path(), 6).unwrap().1, []);
        std::fs::write(Journal::path(dir.path(), 5), bytes.repeat(2)).unwrap();
        assert_eq!(Journal::open(dir.path(), 5).unwrap().1, [commit(3)]);
    }
}
