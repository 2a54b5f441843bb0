//! Reads what is valid of a damaged segment.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{BLOCK, ENTRIES, FOOTER, Segment, is_valid_block};
use crate::disk::with_name;
use crate::files::entry::{self, StateEntry};

/// Bytes of a segment that are not valid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SegmentDamage {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// The number of entries in these bytes. `None` if it is unknown: the end is missing.
    pub(crate) entries: Option<u64>,
    /// The first 64 bits of the digests between which the entries were.
    pub(crate) keys: (u64, u64),
}

/// Reads the entries of all valid blocks of a segment, which may be damaged.
pub(crate) struct SegmentSalvage {
    blocks: usize,
    /// All entries of the segment, if the end of the file is valid.
    count: Option<u64>,
    damage: Vec<SegmentDamage>,
    /// The damage found last, until a valid block behind it is found.
    pending: Option<SegmentDamage>,
    file: BufReader<File>,
    /// Why the end of the file, with the index, is invalid.
    invalid_end: Option<String>,
    last_key: u64,
    length: u64,
    next: usize,
    number: u64,
    path: PathBuf,
    valid: u64,
    error: Option<io::Error>,
}

/// The findings of [`SegmentSalvage`].
#[derive(Debug)]
pub(crate) struct SegmentReport {
    pub(crate) damage: Vec<SegmentDamage>,
    /// Why the end of the file, with the index, is invalid.
    pub(crate) invalid_end: Option<String>,
    /// The length of the file in bytes.
    pub(crate) length: u64,
    /// The number of valid entries.
    pub(crate) valid: u64,
}

impl SegmentReport {
    pub(crate) fn is_damaged(&self) -> bool {
        self.invalid_end.is_some() || !self.damage.is_empty()
    }
}

impl SegmentSalvage {
    /// # Errors
    ///
    /// If the file cannot be read, for example because it is missing.
    pub(crate) fn open(directory: &Path, number: u64) -> io::Result<Self> {
        let path = Segment::path(directory, number);
        let file = File::open(&path).map_err(with_name(&path))?;
        let length = file.metadata().map_err(with_name(&path))?.len();
        let (count, blocks, invalid_end) = match Segment::open(directory, number) {
            Ok(segment) => (Some(segment.count), segment.heads.len(), None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let data = length.saturating_sub(FOOTER as u64);
                // If the length is right, the number of blocks follows from it.
                let blocks = match data % (BLOCK as u64 + 8) {
                    0 => data / (BLOCK as u64 + 8),
                    _ => length.div_ceil(BLOCK as u64),
                };
                (None, blocks as usize, Some(error.to_string()))
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            blocks,
            count,
            damage: Vec::new(),
            pending: None,
            file: BufReader::with_capacity(64 << 10, file),
            invalid_end,
            last_key: 0,
            length,
            next: 0,
            number,
            path,
            valid: 0,
            error: None,
        })
    }

    /// The report, after all entries were read.
    ///
    /// # Errors
    ///
    /// If the file could not be read to its end.
    pub(crate) fn finish(mut self) -> io::Result<SegmentReport> {
        if let Some(error) = self.error.take() {
            return Err(with_name(&self.path)(error));
        }
        if let Some(mut damage) = self.pending.take() {
            damage.keys.1 = u64::MAX;
            if self.count.is_none() {
                // The end of the file: an index without its blocks, or blocks without their end.
                damage.entries = None;
                damage.length = self.length - damage.offset;
            }
            self.damage.push(damage);
        }
        Ok(SegmentReport {
            damage: self.damage,
            invalid_end: self.invalid_end,
            length: self.length,
            valid: self.valid,
        })
    }

    /// The number of entries of a block: all are full but the last.
    fn entries_in(&self, index: usize) -> u64 {
        let full = ENTRIES as u64;
        self.count.map_or(full, |count| {
            count.saturating_sub(index as u64 * full).min(full)
        })
    }

    /// The valid entries of the next block; `None` at the end.
    fn read_block(&mut self) -> io::Result<Option<Vec<StateEntry>>> {
        let index = self.next;
        if index >= self.blocks {
            return Ok(None);
        }
        self.next += 1;
        let mut block = [0; BLOCK];
        let offset = (index * BLOCK) as u64;
        let rest = self.length.saturating_sub(offset).min(BLOCK as u64) as usize;
        self.file.read_exact(&mut block[..rest])?;
        if rest < BLOCK || !is_valid_block(&block, self.number, index) {
            let (entries, last_key) = (self.entries_in(index), self.last_key);
            let damage = self.pending.get_or_insert(SegmentDamage {
                offset,
                length: 0,
                entries: Some(0),
                keys: (last_key, u64::MAX),
            });
            damage.length += rest as u64;
            damage.entries = damage.entries.map(|before| before + entries);
            return Ok(Some(Vec::new()));
        }
        let all = block.as_chunks().0.iter().take(ENTRIES);
        // Without the count, the padding of the last block ends its entries.
        let entries: Vec<_> = match self.count {
            Some(_) => all.take(self.entries_in(index) as usize).collect(),
            None => all
                .take_while(|bytes| **bytes != [0; entry::SIZE])
                .collect(),
        };
        let entries: Vec<_> = entries
            .into_iter()
            .map(|b| StateEntry::from_bytes(*b))
            .collect();
        if let (Some(mut damage), Some(first)) = (self.pending.take(), entries.first()) {
            damage.keys.1 = first.prefix();
            self.damage.push(damage);
        }
        self.last_key = entries.last().map_or(self.last_key, |last| last.prefix());
        self.valid += entries.len() as u64;
        Ok(Some(entries))
    }
}

impl Iterator for SegmentSalvage {
    type Item = Vec<StateEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_block().unwrap_or_else(|error| {
            self.error = Some(error);
            None
        })
    }
}
