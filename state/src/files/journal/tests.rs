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
    assert_eq!((read.blocks, read.torn_tail), (blocks(), None));
    journal.append(&commit(2)).unwrap();
    let read = Journal::open(dir.path(), 5).unwrap().1;
    assert_eq!(read.blocks[5..], [commit(2)]);
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
    assert_eq!(Journal::open(dir.path(), 6).unwrap().1.blocks, []);
    std::fs::write(Journal::path(dir.path(), 5), bytes.repeat(2)).unwrap();
    let read = Journal::open(dir.path(), 5).unwrap().1;
    assert_eq!(read.blocks, [commit(3)]);
    let tail = read.torn_tail.expect("the second copy");
    assert_eq!((tail.offset, tail.length), (112, 112));
}

/// The bytes of a journal of these blocks, and where each block ends.
fn encode(blocks: &[JournalBlock]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for block in blocks {
        let seed = checksum_seed(5, bytes.len() as u64);
        block.encode(seed, &mut bytes);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

#[test]
fn every_flipped_byte_hides_its_own_block_only() {
    let (good, ends) = encode(&blocks());
    for at in 0..good.len() {
        let hit = ends.partition_point(|end| *end <= at);
        let start = hit.checked_sub(1).map_or(0, |before| ends[before]);
        for bits in (0..8).map(|bit| 1 << bit).chain([0xff]) {
            let mut bad = good.clone();
            bad[at] ^= bits;
            let scan = JournalScan::new(&bad, 5);
            let mut expected = blocks();
            expected.remove(hit);
            assert_eq!(scan.blocks, expected, "{at}");
            let is_last = hit + 1 == ends.len();
            let found = match is_last {
                true => scan.torn_tail.as_slice(),
                false => &scan.damage,
            };
            let [range] = found else {
                panic!("{at}: {scan:?}")
            };
            let length = (ends[hit] - start) as u64;
            assert_eq!((range.offset, range.length), (start as u64, length), "{at}");
            assert_eq!(
                (scan.damage.len(), scan.torn_tail.is_some()),
                (usize::from(!is_last), is_last)
            );
        }
    }
}

#[test]
fn a_cut_journal_has_the_blocks_before_the_cut_and_a_torn_tail() {
    let (good, ends) = encode(&blocks());
    for end in 0..=good.len() {
        let scan = JournalScan::new(&good[..end], 5);
        let complete = ends.partition_point(|block| *block <= end);
        let valid = complete.checked_sub(1).map_or(0, |last| ends[last]);
        assert_eq!(scan.blocks, blocks()[..complete], "{end}");
        assert!(scan.damage.is_empty(), "{end}");
        let torn = scan.torn_tail.map(|tail| (tail.offset, tail.length));
        let expected = (end > valid).then_some((valid as u64, (end - valid) as u64));
        assert_eq!(torn, expected, "{end}");
    }
}

#[test]
fn a_block_of_another_version_is_not_cut() {
    let (mut bytes, _) = encode(&blocks());
    let start = bytes.len();
    commit(1).encode(0, &mut bytes);
    bytes[start + 4] = 9;
    let end = bytes.len() - CHECKSUM;
    let checksum = xxh3_64_with_seed(&bytes[start..end], checksum_seed(5, start as u64));
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(Journal::path(dir.path(), 5), &bytes).unwrap();
    let error = Journal::open(dir.path(), 5).unwrap_err().to_string();
    assert!(error.contains("written by another version"), "{error}");
    assert_eq!(std::fs::read(Journal::path(dir.path(), 5)).unwrap(), bytes);
}
