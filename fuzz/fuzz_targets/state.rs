//! A damaged journal is cut at its torn end, or refused and repaired: no commit whose block is intact is
//! lost, and nothing is completed that was not.
#![no_main]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fetch_state::{CompletedRequest, CompletionKind, State, StateOptions, check, repair};

type Damage = (Vec<(u16, u8)>, Option<u16>);

libfuzzer_sys::fuzz_target!(|input: (Vec<Vec<u8>>, Damage)| {
    let (commits, damage) = input;
    // In memory where that is possible, because the store syncs often.
    let memory = Path::new("/dev/shm");
    let parent = if memory.exists() {
        memory
    } else {
        Path::new(".")
    };
    let directory = tempfile::tempdir_in(parent).unwrap();
    let options = StateOptions::new(directory.path().join("state"));
    let (commits, ends) = write(&options, &commits);
    let path = options.directory.join("journal-1");
    let before = fs::read(&path).unwrap();
    let after = apply(&before, &damage);
    fs::write(&path, &after).unwrap();
    // The commits whose blocks are as they were.
    let is_intact = |index: usize| {
        let range = ends[index]..ends[index + 1];
        after.get(range.clone()) == before.get(range)
    };
    let intact: Vec<_> = (0..commits.len()).map(is_intact).collect();
    let expected: BTreeSet<u8> = commits
        .iter()
        .zip(&intact)
        .filter(|(_, intact)| **intact)
        .flat_map(|(commit, _)| commit.iter().copied())
        .collect();
    let all: BTreeSet<u8> = commits.iter().flatten().copied().collect();

    let is_damaged = check(&options.directory).unwrap().is_damaged();
    match State::open(&options) {
        Ok(state) => {
            assert!(!is_damaged);
            assert!(state.journal_cut.is_none() || before != after);
        }
        Err(error) => {
            assert!(is_damaged, "{error}");
            assert_eq!(fs::read(&path).unwrap(), after, "nothing is changed");
            let done = repair(&options.directory, &|_, _| None).unwrap();
            assert!(done.backup.is_some());
            assert!(
                repair(&options.directory, &|_, _| None)
                    .unwrap()
                    .backup
                    .is_none()
            );
        }
    }
    assert!(!check(&options.directory).unwrap().is_damaged());
    let completed = completed(&options);
    assert!(completed.is_superset(&expected), "an intact commit is lost");
    assert!(completed.is_subset(&all), "a request was never completed");
});

/// Commits each request once. Returns the requests of each commit, where the first one's block begins, and
/// where each one's ends.
fn write(options: &StateOptions, commits: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<usize>) {
    let mut state = State::open(options).unwrap();
    let length = || {
        fs::metadata(options.directory.join("journal-1"))
            .unwrap()
            .len() as usize
    };
    let (mut tag, mut ends, mut written) = (0, vec![length()], Vec::new());
    for commit in commits {
        let mut new = Vec::new();
        for request in commit {
            tag += 1;
            if state.ledger.claim([*request; 16], tag).unwrap() {
                let kind = CompletionKind::Ok;
                state
                    .writer
                    .add_written(b"", &[CompletedRequest { kind, tag }]);
                new.push(*request);
            }
        }
        state.writer.commit().unwrap();
        ends.push(length());
        written.push(new);
    }
    (written, ends)
}

/// Changed bytes, and then a cut.
fn apply(bytes: &[u8], (changes, end): &Damage) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, bits) in changes {
        let at = usize::from(*at) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= bits;
        }
    }
    if let Some(end) = end {
        bytes.truncate(usize::from(*end));
    }
    bytes
}

fn completed(options: &StateOptions) -> BTreeSet<u8> {
    let state = State::open(options).unwrap();
    let is_completed = |request: &u8| {
        let tag = u64::from(*request);
        !state.ledger.claim([*request; 16], tag).unwrap()
    };
    (0..=u8::MAX).filter(is_completed).collect()
}
