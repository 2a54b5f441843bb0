//! A journal with any damage opens, and the completed requests are those of its first commits.
#![no_main]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fetch_state::{CompletedRequest, CompletionKind, State, StateOptions};

type Damage = (Vec<(u16, u8)>, Option<u16>);

libfuzzer_sys::fuzz_target!(|input: (Vec<Vec<u8>>, Damage)| {
    let (commits, damage) = input;
    // In memory where that is possible, because the store syncs often.
    let memory = Path::new("/dev/shm");
    let parent = if memory.exists() { memory } else { Path::new(".") };
    let directory = tempfile::tempdir_in(parent).unwrap();
    let options = StateOptions::new(directory.path().join("state"));
    write(&options, &commits);
    let path = options.directory.join("journal-1");
    let before = fs::read(&path).unwrap();
    let after = apply(&before, &damage);
    fs::write(&path, &after).unwrap();
    let completed = completed(&options);
    let is_valid = |count: usize| {
        let first: BTreeSet<u8> = commits[..count].iter().flatten().copied().collect();
        first == completed
    };
    assert!((0..=commits.len()).any(is_valid), "not those of the first commits");
    assert!(before != after || is_valid(commits.len()), "a commit is lost");
    // What was cut off stays so.
    assert_eq!(self::completed(&options), completed);
});

fn write(options: &StateOptions, commits: &[Vec<u8>]) {
    let mut state = State::open(options).unwrap();
    let mut tag = 0;
    for commit in commits {
        for request in commit {
            tag += 1;
            if state.ledger.claim([*request; 16], tag).unwrap() {
                let kind = CompletionKind::Ok;
                state.writer.add_written(b"", &[CompletedRequest { kind, tag }]);
            }
        }
        state.writer.commit().unwrap();
    }
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
