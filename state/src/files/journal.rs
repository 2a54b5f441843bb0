//! The journal: the requests that were completed since the last segment, in checksummed blocks.
//!
//! A block is a head of 40 bytes, its entries, the ends of archives, and a checksum over all of them
//! that also depends on the journal's number and the block's position, so that stale bytes are never
//! valid. Numbers are little-endian.
//!
//! A block is written after the one before it is durable. So a stop or a power failure leaves at
//! most one incomplete block, at the end: this *torn tail* is removed. An invalid block with valid
//! ones behind it is damage, and the journal is refused. The length in an invalid block is not
//! trusted: valid blocks behind it are searched byte by byte.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::disk::{damaged_error, with_name};
use crate::files::archive::{self, ArchiveMark};
use crate::files::entry::{self, RetryRound, StateEntry};

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

    /// The first block of these bytes, and its length.
    fn decode(bytes: &[u8], seed: u64) -> Result<(Self, usize), BlockDefect> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        if u32_at(0).ok_or(BlockDefect::Incomplete)? != MAGIC {
            return Err(BlockDefect::Start);
        }
        let decode = || {
            let entries_end = (u32_at(8)? as usize)
                .checked_mul(entry::SIZE)?
                .checked_add(HEAD)?;
            let marks = match u32_at(4)? {
                COMMIT => (u32_at(12)? as usize).checked_mul(archive::MARK_SIZE)?,
                _ => 0,
            };
            let end = entries_end.checked_add(marks)?;
            let (body, checksum) = (bytes.get(..end)?, u64_at(end)?);
            let numbers = [u64_at(16)?, u64_at(24)?, u64_at(32)?];
            Some((
                entries_end,
                body,
                checksum,
                u32_at(4)?,
                u32_at(12)?,
                numbers,
            ))
        };
        let (entries_end, body, checksum, kind, extra, [from, to, hash]) =
            decode().ok_or(BlockDefect::Incomplete)?;
        let end = body.len();
        if xxh3_64_with_seed(body, seed) != checksum {
            return Err(BlockDefect::Checksum);
        }
        let block = match kind {
            BEGIN => Self::Start(RunStart {
                output: extra,
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
            _ => return Err(BlockDefect::UnknownKind(end + CHECKSUM)),
        };
        Ok((block, end + CHECKSUM))
    }
}

/// Why bytes are not a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BlockDefect {
    /// They do not start like a block.
    Start,
    /// They are fewer than the length in their head says.
    Incomplete,
    Checksum,
    /// A valid block of this length, of a kind that this version does not know.
    UnknownKind(usize),
}

impl fmt::Display for BlockDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "no block starts there",
            Self::Incomplete => "the block is longer than the file",
            Self::Checksum => "the checksum of the block is wrong",
            Self::UnknownKind(_) => "the block was written by another version of the program",
        })
    }
}

/// Bytes of a journal that are not a valid block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct InvalidRange {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) defect: BlockDefect,
    /// The number of valid blocks before it.
    pub(crate) blocks_before: usize,
}

impl InvalidRange {
    /// The most requests that the blocks in the range had.
    pub(crate) fn max_requests(&self) -> u64 {
        self.length.saturating_sub((HEAD + CHECKSUM) as u64) / entry::SIZE as u64
    }
}

/// Everything in the file of a journal.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct JournalScan {
    /// The valid blocks.
    pub(crate) blocks: Vec<JournalBlock>,
    /// Invalid bytes with valid blocks behind them.
    pub(crate) damage: Vec<InvalidRange>,
    /// Invalid bytes at the end.
    pub(crate) torn_tail: Option<InvalidRange>,
    /// The end of the last valid block.
    pub(crate) valid_length: u64,
}

impl JournalScan {
    fn new(bytes: &[u8], number: u64) -> Self {
        let decode =
            |at: usize| JournalBlock::decode(&bytes[at..], checksum_seed(number, at as u64));
        let mut scan = Self::default();
        let mut at = 0;
        while at < bytes.len() {
            let defect = match decode(at) {
                Ok((block, size)) => {
                    scan.blocks.push(block);
                    at += size;
                    scan.valid_length = at as u64;
                    continue;
                }
                Err(defect) => defect,
            };
            let next = match defect {
                BlockDefect::UnknownKind(size) => Some(at + size),
                _ => find_magic(bytes, at + 1).find(
                    |at| !matches!(decode(*at), Err(defect) if !defect.is_of_other_version()),
                ),
            };
            let range = InvalidRange {
                offset: at as u64,
                length: (next.unwrap_or(bytes.len()) - at) as u64,
                defect,
                blocks_before: scan.blocks.len(),
            };
            match next {
                Some(next) => {
                    scan.damage.push(range);
                    at = next;
                }
                None => {
                    scan.torn_tail = Some(range);
                    break;
                }
            }
        }
        scan
    }

    /// Reads a journal.
    pub(crate) fn read(directory: &Path, number: u64) -> io::Result<Self> {
        let path = Journal::path(directory, number);
        let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged_error(&path, "is missing"),
            _ => with_name(&path)(error),
        })?;
        Ok(Self::new(&bytes, number))
    }

    /// The first damage, as the message of an error.
    pub(crate) fn damage_message(&self) -> Option<String> {
        let first = self.damage.first()?;
        let InvalidRange {
            offset,
            length,
            defect,
            blocks_before,
        } = first;
        let (blocks, behind) = (self.blocks.len() - blocks_before, offset + length);
        let more = match self.damage.len() - 1 {
            0 => String::new(),
            more => format!(" ({more} more after it)"),
        };
        Some(format!(
            "is damaged at byte {offset}: {defect}, and from byte {behind} on there {} {blocks} \
             valid{more}",
            if blocks == 1 { "is" } else { "are" }
        ))
    }
}

impl BlockDefect {
    fn is_of_other_version(self) -> bool {
        matches!(self, Self::UnknownKind(_))
    }
}

/// The positions from `start` on where a block may begin.
fn find_magic(bytes: &[u8], start: usize) -> impl Iterator<Item = usize> + '_ {
    let magic = MAGIC.to_le_bytes();
    let found = bytes.get(start..).unwrap_or_default().windows(magic.len());
    let found = found.enumerate().filter(move |(_, bytes)| *bytes == magic);
    found.map(move |(at, _)| start + at)
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
    pub(crate) fn name(number: u64) -> String {
        format!("journal-{number}")
    }

    pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
        directory.join(Self::name(number))
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

    /// Creates a durable journal of these blocks.
    pub(crate) fn create_with(
        directory: &Path,
        number: u64,
        blocks: &[JournalBlock],
    ) -> io::Result<()> {
        let mut journal = Self::create(directory, number, None)?;
        for block in blocks {
            journal.append(block)?;
        }
        journal.sync()
    }

    /// Reads the journal, and removes its torn tail.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is damaged before its end.
    pub(crate) fn open(directory: &Path, number: u64) -> io::Result<(Self, JournalScan)> {
        let path = Self::path(directory, number);
        let scan = JournalScan::read(directory, number)?;
        if let Some(message) = scan.damage_message() {
            return Err(damaged_error(&path, &message));
        }
        let open = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            if scan.torn_tail.is_some() {
                file.set_len(scan.valid_length)?;
                file.sync_data()?;
            }
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(with_name(&path))?;
        let journal = Self {
            buffer: Vec::new(),
            file,
            length: scan.valid_length,
            number,
            path,
        };
        Ok((journal, scan))
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
mod tests;
