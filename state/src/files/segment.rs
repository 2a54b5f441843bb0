//! A segment: the sorted entries of a journal or of several segments, in an immutable file.
//!
//! Blocks of 4 KiB with 255 entries and a checksum; then the index, which has the first 64 bits of
//! each block's first entry and is the only part in memory (8 bytes for 255 entries: 320 KiB for
//! ten million); then the number of entries, a checksum over that and the index, and a magic
//! number. As digests are distributed evenly, a look-up is one read of 4 KiB. Numbers are
//! little-endian, entries big-endian.

mod salvage;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::disk::{damaged_error, read_at, with_name};
use crate::files::entry::{self, StateEntry};

pub(crate) use self::salvage::{SegmentDamage, SegmentReport, SegmentSalvage};

const BLOCK: usize = 4096;
const ENTRIES: usize = (BLOCK - TRAILER) / entry::SIZE;
const TRAILER: usize = 16;
const CHECKSUM_AT: usize = BLOCK - 8;
const FOOTER: usize = 24;
const MAGIC: u64 = u64::from_le_bytes(*b"FaSegm1\n");

/// An open segment.
#[derive(Debug)]
pub(crate) struct Segment {
    count: u64,
    file: File,
    heads: Vec<u64>,
    number: u64,
    path: PathBuf,
}

impl Segment {
    pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
        directory.join(format!("segment-{number}"))
    }

    /// Writes a durable segment of sorted, unique entries.
    pub(crate) fn write(
        directory: &Path,
        number: u64,
        entries: impl IntoIterator<Item = io::Result<StateEntry>>,
    ) -> io::Result<Self> {
        let path = Self::path(directory, number);
        let file = File::create(&path).map_err(with_name(&path))?;
        let mut writer = SegmentWriter {
            block: Vec::with_capacity(BLOCK),
            count: 0,
            file: BufWriter::with_capacity(64 << 10, file),
            heads: Vec::new(),
            number,
        };
        for entry in entries {
            writer.push(entry?).map_err(with_name(&path))?;
        }
        writer.finish().map_err(with_name(&path))?;
        Self::open(directory, number)
    }

    pub(crate) fn open(directory: &Path, number: u64) -> io::Result<Self> {
        let path = Self::path(directory, number);
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged_error(&path, "is missing"),
            _ => with_name(&path)(error),
        })?;
        let length = file.metadata().map_err(with_name(&path))?.len();
        let invalid_end = || {
            let end = length.saturating_sub(FOOTER as u64);
            damaged_error(
                &path,
                &format!("is damaged at byte {end}: its end is invalid"),
            )
        };
        let read = |length: usize, offset| {
            let mut bytes = vec![0; length];
            read_at(&file, &mut bytes, offset)
                .map_err(with_name(&path))
                .map(|()| bytes)
        };
        let start = length.checked_sub(FOOTER as u64).ok_or_else(invalid_end)?;
        let footer = read(FOOTER, start)?;
        let number_at = |at: usize| {
            footer[at..]
                .first_chunk()
                .map_or(0, |b| u64::from_le_bytes(*b))
        };
        let (count, checksum) = (number_at(0), number_at(8));
        let blocks = count.div_ceil(ENTRIES as u64);
        let fits = blocks
            .checked_mul((BLOCK + 8) as u64)
            .and_then(|size| size.checked_add(FOOTER as u64));
        if number_at(16) != MAGIC || fits != Some(length) {
            return Err(invalid_end());
        }
        let index_at = blocks * BLOCK as u64;
        let index = read(blocks as usize * 8, index_at)?;
        let heads: Vec<_> = index
            .as_chunks()
            .0
            .iter()
            .map(|head| u64::from_le_bytes(*head))
            .collect();
        if checksum != index_checksum(number, count, &heads) {
            let what = "the checksum of the index is wrong";
            let what = format!("is damaged at byte {index_at} or later: {what}");
            return Err(damaged_error(&path, &what));
        }
        Ok(Self {
            count,
            file,
            heads,
            number,
            path,
        })
    }

    /// The number of entries.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The entry that is equal to this one.
    pub(crate) fn find(&self, entry: StateEntry) -> io::Result<Option<StateEntry>> {
        let head = entry.prefix();
        let end = self.heads.partition_point(|first| *first <= head);
        // One block; more if a block starts with the same 64 bits.
        let begin = self
            .heads
            .partition_point(|first| *first < head)
            .saturating_sub(1);
        let mut block = [0; BLOCK];
        for index in begin..end {
            read_at(&self.file, &mut block, (index * BLOCK) as u64)
                .map_err(with_name(&self.path))?;
            let entries = self.entries(&block, index)?;
            let found = entries.binary_search_by_key(&entry.digest(), |bytes| {
                StateEntry::from_bytes(*bytes).digest()
            });
            if let Ok(at) = found {
                return Ok(Some(StateEntry::from_bytes(entries[at])));
            }
        }
        Ok(None)
    }

    /// All entries, in order.
    pub(crate) fn iter(&self) -> io::Result<impl Iterator<Item = io::Result<StateEntry>>> {
        let mut file = File::open(&self.path).map_err(with_name(&self.path))?;
        let mut block = [0; BLOCK];
        let blocks = (0..self.heads.len()).map(move |index| {
            file.read_exact(&mut block).map_err(with_name(&self.path))?;
            Ok(self.entries(&block, index)?.to_vec())
        });
        Ok(blocks.flat_map(|block: io::Result<Vec<_>>| {
            let (entries, error) = match block {
                Ok(entries) => (entries, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            entries
                .into_iter()
                .map(|bytes| Ok(StateEntry::from_bytes(bytes)))
                .chain(error)
        }))
    }

    /// The entries of a block, after its checksum is verified.
    fn entries<'a>(
        &self,
        block: &'a [u8; BLOCK],
        index: usize,
    ) -> io::Result<&'a [[u8; entry::SIZE]]> {
        if !is_valid_block(block, self.number, index) {
            let offset = index * BLOCK;
            let what = format!("is damaged at byte {offset}: the checksum of the block is wrong");
            return Err(damaged_error(&self.path, &what));
        }
        let before = (index * ENTRIES) as u64;
        let count = (self.count - before).min(ENTRIES as u64) as usize;
        Ok(&block.as_chunks().0[..count])
    }
}

fn is_valid_block(block: &[u8; BLOCK], number: u64, index: usize) -> bool {
    let checksum = block[CHECKSUM_AT..]
        .first_chunk()
        .map_or(0, |b| u64::from_le_bytes(*b));
    checksum == xxh3_64_with_seed(&block[..CHECKSUM_AT], block_seed(number, index))
}

/// Writes a segment.
struct SegmentWriter {
    block: Vec<u8>,
    count: u64,
    file: BufWriter<File>,
    heads: Vec<u64>,
    number: u64,
}

impl SegmentWriter {
    fn push(&mut self, entry: StateEntry) -> io::Result<()> {
        if self.block.is_empty() {
            self.heads.push(entry.prefix());
        }
        self.block.extend(entry.to_bytes());
        self.count += 1;
        if self.block.len() == ENTRIES * entry::SIZE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.block.resize(CHECKSUM_AT, 0);
        let seed = block_seed(self.number, self.heads.len() - 1);
        self.block
            .extend(xxh3_64_with_seed(&self.block, seed).to_le_bytes());
        self.file.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.flush()?;
        }
        for head in &self.heads {
            self.file.write_all(&head.to_le_bytes())?;
        }
        let checksum = index_checksum(self.number, self.count, &self.heads);
        for number in [self.count, checksum, MAGIC] {
            self.file.write_all(&number.to_le_bytes())?;
        }
        self.file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_data()
    }
}

fn index_checksum(number: u64, count: u64, heads: &[u64]) -> u64 {
    let mut hash = Xxh3::with_seed(number);
    hash.update(&count.to_le_bytes());
    heads
        .iter()
        .for_each(|head| hash.update(&head.to_le_bytes()));
    hash.digest()
}

fn block_seed(number: u64, index: usize) -> u64 {
    number.rotate_left(40) ^ index as u64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::completed::CompletionKind;
    use crate::files::entry::RetryRound;

    /// Entries distributed like digests.
    pub(crate) fn spread(n: u64, kind: CompletionKind) -> StateEntry {
        let high = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = u128::from(high) << 64 | u128::from(high.rotate_left(32));
        StateEntry::from_bytes(bits.to_be_bytes()).with_result(kind, RetryRound::default())
    }

    pub(crate) fn sorted(entries: impl Iterator<Item = StateEntry>) -> Vec<StateEntry> {
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by_key(|entry| entry.digest());
        entries
    }

    fn segment(directory: &Path, count: u64) -> Segment {
        let entries = sorted((0..count).map(|n| spread(2 * n, CompletionKind::Ok)));
        Segment::write(directory, 1, entries.into_iter().map(Ok)).unwrap()
    }

    #[test]
    fn exactly_the_entries_are_found() {
        let dir = tempfile::tempdir().unwrap();
        for count in [0, 1, 254, 255, 256, 1000] {
            let segment = segment(dir.path(), count);
            for n in 0..count + 1 {
                let found = segment.find(spread(2 * n, CompletionKind::Failed)).unwrap();
                assert_eq!(
                    found.map(StateEntry::kind),
                    (n < count).then_some(CompletionKind::Ok),
                    "{count}"
                );
                assert_eq!(
                    segment.find(spread(2 * n + 1, CompletionKind::Ok)).unwrap(),
                    None
                );
            }
            let all: Vec<_> = segment.iter().unwrap().map(Result::unwrap).collect();
            assert_eq!(
                all,
                sorted((0..count).map(|n| spread(2 * n, CompletionKind::Ok)))
            );
        }
    }

    #[test]
    fn entries_with_equal_prefixes_are_found_in_every_block() {
        let dir = tempfile::tempdir().unwrap();
        let entry = |n: u128| StateEntry::from_bytes((7 << 64 | n << 16).to_be_bytes());
        let entries = (0..600).map(|n| Ok(entry(n)));
        let segment = Segment::write(dir.path(), 1, entries).unwrap();
        assert!((0..600).all(|n| segment.find(entry(n)).unwrap().is_some()));
        assert_eq!(segment.find(entry(600)).unwrap(), None);
    }

    #[test]
    fn damage_anywhere_is_detected() {
        let dir = tempfile::tempdir().unwrap();
        let path = Segment::path(dir.path(), 1);
        let check = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let all = Segment::open(dir.path(), 1)
                .and_then(|segment| segment.iter()?.collect::<io::Result<Vec<_>>>());
            let error = all.unwrap_err().to_string();
            assert!(
                error.starts_with("segment-1: is damaged at byte "),
                "{error}"
            );
        };
        // Every byte of a small segment, and some of a larger one.
        for (count, step) in [(3, 1), (600, 101)] {
            segment(dir.path(), count);
            let good = std::fs::read(&path).unwrap();
            let ends = (0..good.len()).step_by(step);
            ends.clone().for_each(|end| check(&good[..end]));
            for at in ends {
                let mut bad = good.clone();
                bad[at] ^= if at % 2 == 0 { 0xff } else { 1 << (at % 8) };
                check(&bad);
            }
        }
    }

    /// The valid entries of a damaged segment, and the report.
    fn salvage(directory: &Path) -> (Vec<StateEntry>, SegmentReport) {
        let mut salvage = SegmentSalvage::open(directory, 1).unwrap();
        let entries = salvage.by_ref().flatten().collect();
        (entries, salvage.finish().unwrap())
    }

    #[test]
    fn all_valid_blocks_of_a_damaged_segment_are_salvaged() {
        let dir = tempfile::tempdir().unwrap();
        let all: Vec<_> = segment(dir.path(), 600)
            .iter()
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let path = Segment::path(dir.path(), 1);
        let good = std::fs::read(&path).unwrap();
        let (entries, report) = salvage(dir.path());
        assert!(entries == all && !report.is_damaged() && report.valid == 600);
        for at in (0..good.len()).step_by(31) {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            std::fs::write(&path, &bad).unwrap();
            let (entries, report) = salvage(dir.path());
            let hit = at / BLOCK;
            let mut expected = all.clone();
            if hit < 3 {
                expected.drain(hit * ENTRIES..600.min((hit + 1) * ENTRIES));
                let [damage] = &report.damage[..] else {
                    panic!("{at}: {report:?}")
                };
                assert_eq!(
                    (damage.offset, damage.length),
                    ((hit * BLOCK) as u64, BLOCK as u64)
                );
                assert_eq!(damage.entries, Some(600 - expected.len() as u64));
                let lost = &all[hit * ENTRIES];
                assert!((damage.keys.0..=damage.keys.1).contains(&lost.prefix()));
            } else {
                assert!(
                    report.invalid_end.is_some() && report.damage.is_empty(),
                    "{report:?}"
                );
            }
            assert_eq!(entries, expected, "{at}");
        }
        for end in (0..good.len()).step_by(97) {
            std::fs::write(&path, &good[..end]).unwrap();
            let (entries, report) = salvage(dir.path());
            let complete = 600.min(end / BLOCK * ENTRIES);
            assert_eq!(entries, all[..complete], "{end}");
            assert!(report.is_damaged(), "{end}");
        }
    }
}
