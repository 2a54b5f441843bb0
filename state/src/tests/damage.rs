//! Files with a changed byte: found, explained and repaired.

use super::*;
use crate::{StateCheck, StateRepair, check, repair};

/// Reads the records of these tests.
fn parse(format: &str, line: &[u8]) -> Option<Vec<([u8; 16], CompletionKind)>> {
    assert_eq!(format, "jsonl");
    let number = str::from_utf8(line).ok()?.strip_prefix("the record of ")?;
    Some(vec![(digest(number.parse().ok()?), CompletionKind::Ok)])
}

impl TestState {
    fn check_files(&self) -> StateCheck {
        check(self.path("state")).unwrap()
    }

    fn repair(&self) -> StateRepair {
        repair(self.path("state"), &parse).unwrap()
    }

    /// A repair that cannot read records.
    fn repair_blindly(&self) -> StateRepair {
        repair(self.path("state"), &|_, _| None).unwrap()
    }

    /// Changes a byte of a file.
    fn flip(&self, file: &(PathBuf, Vec<u8>), at: usize, bits: u8) {
        let mut bytes = file.1.clone();
        bytes[at] ^= bits;
        fs::write(&file.0, bytes).unwrap();
    }

    /// The requests that a run would fetch. An error if it is refused.
    fn to_fetch(&self) -> Result<Vec<u64>, String> {
        let run = self.open_for(|_| {}).map_err(|error| error.to_string())?;
        let mut wanted = Vec::new();
        for n in 0..IDS {
            match run.state.ledger.claim(digest(n), n) {
                Ok(true) => wanted.push(n),
                Ok(false) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(wanted)
    }
}

fn name_of(file: &(PathBuf, Vec<u8>)) -> String {
    file.0.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_flipped_byte_of_every_file_is_harmless_or_refused_with_its_place() {
    // The journal alone, and with segments.
    for (seal_at, only_others) in [(usize::MAX, false), (5, true)] {
        let state = history(seal_at);
        let snapshot = state.snapshot();
        let recorded = state.recorded();
        let (mut refused, mut opened, mut torn) = (0, 0, 0);
        for file in &snapshot[..snapshot.len() - 1] {
            let name = name_of(file);
            // Segments have a test of every byte in their module.
            let step = match name.starts_with("segment-") {
                true => 97,
                false if only_others => 3,
                false => 1,
            };
            for at in (0..file.1.len()).step_by(step) {
                state.restore(&snapshot);
                state.flip(file, at, if at % 2 == 0 { 0xff } else { 1 << (at % 8) });
                let what = format!("byte {at} of {name}");
                let is_damaged = check(state.path("state")).map(|found| found.is_damaged());
                match state.open_for(|_| {}) {
                    Ok(run) => {
                        let cut = run.state.journal_cut.clone();
                        drop(run);
                        let now = state.recorded();
                        assert!(recorded.starts_with(&now), "{what}");
                        assert!(
                            now == recorded || cut.is_some(),
                            "{what}: dropped in silence"
                        );
                        torn += u64::from(cut.is_some());
                        match state.to_fetch() {
                            Ok(_) => state.check(&what),
                            Err(error) => {
                                let expected = format!("{name}: is damaged at byte ");
                                assert!(error.starts_with(&expected), "{what}: {error}");
                                assert!(is_damaged.unwrap(), "{what}");
                            }
                        }
                        opened += 1;
                    }
                    Err(error) => {
                        let error = error.to_string();
                        assert!(
                            error.contains(&name) && error.contains("damaged"),
                            "{what}: {error}"
                        );
                        assert!(is_damaged.unwrap_or(true), "{what}");
                        assert_eq!(
                            fs::read(state.path("out")).unwrap(),
                            snapshot.last().unwrap().1
                        );
                        refused += 1;
                    }
                }
            }
        }
        assert!(
            refused > 50 && opened > 5 && torn > 5,
            "{refused} {opened} {torn}"
        );
    }
}

#[test]
fn the_message_names_the_place_and_what_follows() {
    let state = history(usize::MAX);
    let snapshot = state.snapshot();
    state.flip(&snapshot[only(&snapshot, "journal-")], 9, 1);
    let error = state.open_error(|_| {});
    let blocks = "is damaged at byte 0: the block is longer than the file, and from byte 48 on";
    assert!(
        error.contains("journal-1: ") && error.contains(blocks),
        "{error}"
    );
    let found = state.check_files();
    assert!(found.is_damaged());
    assert!(
        found
            .to_string()
            .contains("journal-1: is damaged at byte 0"),
        "{found}"
    );
}

#[test]
fn a_repaired_journal_loses_no_request_whose_record_can_be_read() {
    let state = history(usize::MAX);
    let snapshot = state.snapshot();
    let journal = &snapshot[only(&snapshot, "journal-")];
    let mut repaired = 0;
    for at in 0..journal.1.len() {
        state.restore(&snapshot);
        state.flip(journal, at, 0xff);
        if !state.check_files().is_damaged() {
            // The last block: it is a torn tail.
            assert!(state.repair().backup.is_none(), "{at}");
            continue;
        }
        repaired += 1;
        let done = state.repair();
        let backup = done.backup.as_ref().expect("the journal was replaced");
        let mut bad = journal.1.clone();
        bad[at] ^= 0xff;
        assert_eq!(fs::read(backup.join("journal-1")).unwrap(), bad);
        assert!(!state.check_files().is_damaged(), "{at}: {done}");
        assert_eq!(
            state.repair().backup,
            None,
            "a second repair changes nothing"
        );
        assert_eq!(
            state.read("out"),
            snapshot.last().unwrap().1,
            "{at}: {done}"
        );
        assert_eq!(
            state.to_fetch().unwrap(),
            [IDS - 2, IDS - 1],
            "{at}: {done}"
        );
        state.check(&format!("{at}: {done}"));
    }
    assert!(repaired > 300, "{repaired}");
}

#[test]
fn records_of_damaged_blocks_that_cannot_be_read_are_removed_and_fetched_again() {
    let state = history(usize::MAX);
    let snapshot = state.snapshot();
    let journal = &snapshot[only(&snapshot, "journal-")];
    let recorded = state.recorded();
    let mut fetched_again = 0;
    for at in (0..journal.1.len()).step_by(3) {
        state.restore(&snapshot);
        state.flip(journal, at, 1);
        let done = state.repair_blindly();
        assert_eq!(
            state.repair_blindly().backup,
            None,
            "a second repair changes nothing"
        );
        let wanted = state.to_fetch().unwrap();
        let left = state.recorded();
        fetched_again += recorded.len() - left.len();
        for n in 0..IDS {
            assert_ne!(left.contains(&n), wanted.contains(&n), "{at}: {n}: {done}");
        }
        if let Some(backup) = &done.backup {
            let removed = fs::read_dir(backup)
                .unwrap()
                .map(|file| file.unwrap().path());
            let mut removed = removed.filter(|path| path.to_string_lossy().contains("from-byte"));
            let bytes = removed
                .next()
                .map_or(0, |path| fs::read(path).unwrap().len());
            let cut = snapshot.last().unwrap().1.len() - state.read("out").len();
            assert_eq!(bytes, cut, "{at}: {done}");
        }
        state.check(&format!("{at}: {done}"));
    }
    assert!(fetched_again > 50, "{fetched_again}");
}

#[test]
fn two_damaged_blocks_and_a_missing_journal_are_repaired() {
    let state = history(usize::MAX);
    let snapshot = state.snapshot();
    let journal = &snapshot[only(&snapshot, "journal-")];
    for round in 0..200 {
        state.restore(&snapshot);
        let mut bytes = journal.1.clone();
        for at in [round * 7, round * 31 + 100, round * 57] {
            let at = at % bytes.len();
            bytes[at] ^= 0x10;
        }
        match round {
            0 => fs::remove_file(&journal.0).unwrap(),
            _ => fs::write(&journal.0, bytes).unwrap(),
        }
        let done = match round % 2 {
            0 => state.repair(),
            _ => state.repair_blindly(),
        };
        assert!(!state.check_files().is_damaged(), "{done}");
        state.check(&format!("{round}: {done}"));
    }
}

#[test]
fn a_damaged_segment_is_restored_from_the_records() {
    let state = history(5);
    let snapshot = state.snapshot();
    let manifest = StateManifest::read(&state.path("state")).unwrap().unwrap();
    let segments = manifest
        .segments
        .iter()
        .map(|number| &snapshot[only(&snapshot, &format!("segment-{number}"))]);
    let mut count = 0;
    for segment in segments {
        for at in (0..segment.1.len()).step_by(211).chain([usize::MAX]) {
            state.restore(&snapshot);
            match at {
                usize::MAX => fs::remove_file(&segment.0).unwrap(),
                at => state.flip(segment, at, 0xff),
            }
            assert!(state.check_files().is_damaged(), "{at}");
            let done = state.repair();
            assert!(!state.check_files().is_damaged(), "{done}");
            assert_eq!(state.repair().backup, None);
            assert_eq!(state.to_fetch().unwrap(), [IDS - 2, IDS - 1], "{done}");
            state.check(&done.to_string());
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
    state.restore(&snapshot);
    let first = format!("segment-{}", manifest.segments[0]);
    state.flip(&snapshot[only(&snapshot, &first)], 9, 1);
    let text = state.repair_blindly().to_string();
    assert!(
        text.contains("lost request") && text.contains("with ids between"),
        "{text}"
    );
}

#[test]
fn a_damaged_manifest_is_restored_from_its_copy() {
    let state = history(5);
    let snapshot = state.snapshot();
    for damage in [&b"{}"[..], b"", b"\xff\xff"] {
        state.restore(&snapshot);
        state.write("state/state.json", damage);
        let done = state.repair();
        assert!(
            done.to_string().contains("restored from state.json.copy"),
            "{done}"
        );
        assert_eq!(state.to_fetch().unwrap(), [IDS - 2, IDS - 1]);
        state.check("restored");
    }
    state.restore(&snapshot);
    state.write("state/state.json", b"{}");
    state.write("state/state.json.copy", b"{}");
    let error = repair(state.path("state"), &parse).unwrap_err().to_string();
    assert!(error.contains("state.json is damaged"), "{error}");
}

#[test]
fn commits_behind_a_damaged_start_belong_to_the_output_with_their_records() {
    let state = TestState::new();
    let other = state.path("other");
    let to_other = |options: &mut StateOptions| options.output = Some(other.clone());
    state.open().fetch_all(0..5, CompletionKind::Ok);
    let start = state.read("state/journal-1").len();
    state
        .open_for(to_other)
        .unwrap()
        .fetch_all(5..9, CompletionKind::Ok);
    state.open().fetch_all(9..12, CompletionKind::Ok);
    let snapshot = state.snapshot();
    let before = state.read("other");
    for blind in [false, true] {
        state.restore(&snapshot);
        state.write("other", &before);
        // The second run's start, and its output in it.
        state.flip(&snapshot[only(&snapshot, "journal-")], start + 12, 1);
        let done = match blind {
            true => state.repair_blindly(),
            false => state.repair(),
        };
        assert_eq!(
            (state.read("other"), state.recorded().len()),
            (before.clone(), 8),
            "{done}"
        );
        assert_eq!(state.to_fetch().unwrap(), [12, 13], "{done}");
        let mut run = state.open_for(to_other).unwrap();
        assert_eq!(run.state.repair, None, "all of the other output is durable");
        assert!(run.fetch(12, CompletionKind::Ok) && !run.fetch(6, CompletionKind::Ok));
    }
}

#[test]
fn failures_and_rounds_survive_a_repair() {
    let state = TestState::new();
    let retry = |options: &mut StateOptions| options.retry_failed = true;
    state.open().fetch_all(0..6, CompletionKind::Failed);
    let mut run = state.open_for(retry).unwrap();
    run.fetch_all(0..3, CompletionKind::Failed);
    drop(run);
    let snapshot = state.snapshot();
    state.flip(&snapshot[only(&snapshot, "journal-")], 2, 1);
    let done = state.repair();
    let mut run = state.open_for(retry).unwrap();
    let wanted: Vec<_> = (0..6)
        .filter(|n| run.fetch(*n, CompletionKind::Ok))
        .collect();
    assert_eq!(wanted, [3, 4, 5], "{done}");
}

#[test]
fn records_whose_bodies_may_be_cut_off_are_fetched_again() {
    let state = TestState::new();
    let archives = || vec![state.path("a.warc")];
    let open = || {
        state
            .open_for(|options| options.archives = archives())
            .unwrap()
    };
    let end = |length| crate::ArchiveEnd { file: 0, length };
    let mut run = open();
    let mut ends = Vec::new();
    for (n, length) in [(0, Some(100)), (1, Some(200)), (2, Some(300)), (3, None)] {
        if let Some(length) = length {
            run.state.writer.set_archive_end(0, end(length));
        }
        run.fetch(n, CompletionKind::Ok);
        run.state.writer.commit().unwrap();
        ends.push(state.read("state/journal-1").len());
    }
    drop(run);
    let snapshot = state.snapshot();
    let journal = &snapshot[only(&snapshot, "journal-")];
    // The commit of request 1 is followed by another end; that of request 2 is not.
    for (hit, expected_end, wanted) in [(0, 300, vec![]), (1, 200, vec![2])] {
        state.restore(&snapshot);
        state.flip(journal, ends[hit] + 9, 1);
        let done = state.repair();
        let run = open();
        assert_eq!(run.state.archive_ends, [Some(end(expected_end))], "{done}");
        drop(run);
        let to_fetch = state.to_fetch().unwrap();
        let to_fetch: Vec<_> = to_fetch.into_iter().filter(|n| *n < 4).collect();
        assert_eq!(to_fetch, wanted, "{done}");
        state.check(&done.to_string());
    }
}

#[test]
fn a_damaged_line_of_the_body_log_is_reported_and_removed() {
    let state = TestState::new();
    let run = state.open();
    for n in 0..3 {
        let path = format!("../{n}.tar").into();
        let archive = crate::LoggedArchive { path, inode: None };
        run.state.bodies.add_archive(archive).unwrap();
    }
    drop(run);
    let bytes = state.read("state/bodies.log");
    let line = bytes.len() / 3;
    // The last byte is the line end of the last line: without it the line is incomplete.
    for at in 0..bytes.len() - 1 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        state.write("state/bodies.log", &damaged);
        assert!(
            state
                .open_error(|_| {})
                .contains("bodies.log: is damaged at byte")
        );
        assert!(state.check_files().is_damaged());
        let done = state.repair();
        assert!(
            done.to_string()
                .contains("bodies.log: removed 1 invalid line"),
            "{done}"
        );
        let lost = if at % line == line - 1 { 2 } else { 1 };
        assert_eq!(
            state.read("state/bodies.log").len(),
            bytes.len() - lost * line,
            "{at}"
        );
        assert!(!state.check_files().is_damaged());
        let backup = done.backup.unwrap();
        assert_eq!(fs::read(backup.join("bodies.log")).unwrap(), damaged);
        fs::remove_dir_all(backup).unwrap();
    }
}

#[test]
fn a_state_in_use_or_without_a_state_is_not_repaired() {
    let state = history(5);
    let run = state.open();
    let error = repair(state.path("state"), &parse).unwrap_err().to_string();
    assert!(error.contains("is in use by process"), "{error}");
    assert!(check(state.path("state")).is_err());
    drop(run);
    for path in [state.path("none"), state.0.path().to_owned()] {
        let error = check(&path).unwrap_err().to_string();
        assert!(error.contains("has no state"), "{error}");
        assert!(!path.join("lock").exists());
    }
}

#[test]
fn an_output_that_is_too_short_is_reported_and_not_repaired() {
    let state = history(5);
    state.write("out", b"the");
    let found = state.check_files();
    assert!(
        found.is_damaged() && found.to_string().contains("is shorter (3 bytes)"),
        "{found}"
    );
    let done = state.repair();
    assert_eq!((done.backup, done.remaining.len()), (None, 1));
}
