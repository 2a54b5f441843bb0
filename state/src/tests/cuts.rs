//! Files that are truncated at any byte.

use super::*;

/// Possible contents of a file after a power failure: its end is missing, zeros, or other bytes.
fn tails(bytes: &[u8], end: usize) -> [Vec<u8>; 3] {
    let (intact, lost) = bytes.split_at(end);
    let noise = lost
        .iter()
        .enumerate()
        .map(|(at, byte)| byte.wrapping_mul(31) ^ at as u8 | 1);
    let filled = |tail: Vec<u8>| [intact, &tail].concat();
    [
        intact.to_vec(),
        filled(vec![0; lost.len() + 9]),
        filled(noise.collect()),
    ]
}

#[test]
fn a_journal_cut_at_any_byte_loses_no_more_than_its_end() {
    let state = history(usize::MAX);
    let snapshot = state.snapshot();
    let journal = only(&snapshot, "journal-");
    let (path, bytes) = &snapshot[journal];
    for end in 0..=bytes.len() {
        let tails = tails(bytes, end);
        // A missing end is tested at every byte, the others at some.
        for tail in &tails[..if end % 13 == 0 { 3 } else { 1 }] {
            state.restore(&snapshot);
            fs::write(path, tail).unwrap();
            state.check(&format!("journal cut at {end}"));
        }
    }
}

#[test]
fn only_the_cut_records_are_fetched_again() {
    let state = history(usize::MAX);
    let snapshot = state.snapshot();
    let bytes = state.read("out");
    for end in 0..bytes.len() {
        for tail in &tails(&bytes, end)[..if end % 7 == 0 { 3 } else { 1 }] {
            state.restore(&snapshot);
            state.write("out", tail);
            state.check(&format!("records cut at {end}"));
        }
    }
}

#[test]
fn uncommitted_records_are_removed_with_a_message() {
    let state = history(usize::MAX);
    let mut run = state.open();
    run.fetch(IDS - 1, CompletionKind::Ok);
    drop(run);
    let length = state.read("out").len();
    let run = state.open();
    assert!(state.read("out").len() < length);
    let repair = run.state.repair;
    assert!(matches!(
        repair,
        Some(OutputRepair::RemovedUncommitted(1..))
    ));
    drop(run);
    state.check("not committed");
}

#[test]
fn any_cut_of_two_files_is_survived_or_reported() {
    let state = history(5);
    let snapshot = state.snapshot();
    let manifest = StateManifest::read(&state.path("state")).unwrap().unwrap();
    let sealed = manifest.outputs[0].durable as usize;
    let mut refused = 0;
    for round in 0..400_usize {
        state.restore(&snapshot);
        for pick in [round * 7 + 3, round * 13 + 5] {
            let (path, bytes) = &snapshot[pick % snapshot.len()];
            let (mut end, kind) = ((round * 2_654_435_761 + pick) % (bytes.len() + 1), pick % 3);
            if path.ends_with("out") && kind > 0 {
                // Records before the segment are not verified.
                end = end.max(sealed);
            }
            fs::write(path, &tails(bytes, end)[kind]).unwrap();
        }
        match state.open_for(|_| {}) {
            Ok(run) => {
                drop(run);
                state.check(&format!("round {round}"));
            }
            Err(error) => {
                let error = error.to_string();
                let is_reported = error.contains("damaged") || error.contains("shorter");
                assert!(is_reported || error.contains("has files"), "{error}");
                refused += 1;
            }
        }
    }
    assert!((1..400).contains(&refused), "{refused}");
}

#[test]
fn a_segment_that_the_manifest_does_not_name_is_ignored() {
    let state = history(usize::MAX);
    let before = state.snapshot();
    let mut run = state.open();
    run.state.writer.seal_journal().unwrap();
    drop(run);
    for (path, bytes) in &before {
        fs::write(path, bytes).unwrap();
    }
    let names = || fs::read_dir(state.path("state")).unwrap().count();
    let with_strays = names();
    state.check("not sealed");
    assert_eq!(names(), with_strays - 2);
}
