//! The resume state of a run: journal and manifest.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use fetch_state::{CompletedRequest, CompletionKind, State, StateOptions, check, repair};

/// Bytes that are changed, and where the file ends.
type Damage = (Vec<(u16, u8)>, Option<u16>);

/// A directory in memory where that is possible, because the store syncs often.
pub(crate) fn memory_directory() -> &'static Path {
    let memory = Path::new("/dev/shm");
    match memory.exists() {
        true => memory,
        false => Path::new("."),
    }
}

/// A damaged journal is cut at its torn end, or refused and repaired: no commit whose block is intact is
/// lost, and nothing is completed that was not.
pub fn check_state(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok((commits, damage)) = <(Vec<Vec<u8>>, Damage)>::arbitrary(&mut input) else {
        return;
    };
    let directory = tempfile::tempdir_in(memory_directory()).expect("a directory");
    let options = StateOptions::new(directory.path().join("state"));
    let (commits, ends) = write(&options, &commits);
    let path = options.directory.join("journal-1");
    let before = read(&path);
    let after = apply(&before, &damage);
    fs::write(&path, &after).expect("a journal");
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

    open_or_repair(&options, before != after, &path, &after);
    let completed = completed(&options);
    assert!(completed.is_superset(&expected), "an intact commit is lost");
    assert!(completed.is_subset(&all), "a request was never completed");
}

/// A damaged manifest is restored from its copy, or refused and repaired: nothing is lost.
pub fn check_state_manifest(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok((commits, damage, replaced)) =
        <(Vec<Vec<u8>>, Damage, Option<Vec<u8>>)>::arbitrary(&mut input)
    else {
        return;
    };
    let directory = tempfile::tempdir_in(memory_directory()).expect("a directory");
    let options = StateOptions::new(directory.path().join("state"));
    let (commits, _) = write(&options, &commits);
    let all: BTreeSet<u8> = commits.iter().flatten().copied().collect();
    let path = options.directory.join("state.json");
    let before = read(&path);
    let after = replaced.unwrap_or_else(|| apply(&before, &damage));
    fs::write(&path, &after).expect("a manifest");
    open_or_repair(&options, before != after, &path, &after);
    assert_eq!(completed(&options), all);
}

/// Opens the state. If it is refused, nothing was changed, and a repair makes it usable, once.
fn open_or_repair(options: &StateOptions, is_changed: bool, path: &Path, content: &[u8]) {
    let is_damaged = check(&options.directory).is_ok_and(|report| report.is_damaged());
    match State::open(options) {
        Ok(state) => assert!(state.journal_cut.is_none() || is_changed),
        Err(error) => {
            assert!(is_changed, "{error}");
            assert_eq!(read(path), content, "nothing is changed");
            assert!(is_damaged, "{error}");
            let repair = || repair(&options.directory, &|_, _| None).expect("a repair");
            assert!(repair().backup.is_some());
            assert!(repair().backup.is_none());
        }
    }
    assert!(!check(&options.directory).expect("a check").is_damaged());
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file of the state")
}

/// Commits each request once. Returns the requests of each commit, where the first one's block begins, and
/// where each one's ends.
fn write(options: &StateOptions, commits: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<usize>) {
    let mut state = State::open(options).expect("a new state");
    let length = || read(&options.directory.join("journal-1")).len();
    let (mut tag, mut ends, mut written) = (0, vec![length()], Vec::new());
    for commit in commits {
        let mut new = Vec::new();
        for request in commit {
            tag += 1;
            if state.ledger.claim([*request; 16], tag).expect("a claim") {
                let kind = CompletionKind::Ok;
                state
                    .writer
                    .add_written(b"", &[CompletedRequest { kind, tag }]);
                new.push(*request);
            }
        }
        state.writer.commit().expect("a commit");
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
    let state = State::open(options).expect("a repaired state");
    let is_completed = |request: &u8| {
        let tag = u64::from(*request);
        !state.ledger.claim([*request; 16], tag).expect("a claim")
    };
    (0..=u8::MAX).filter(is_completed).collect()
}
