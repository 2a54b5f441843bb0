//! Tests of whole runs with a state.

mod bodies;
mod cuts;
mod damage;
mod golden;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use xxhash_rust::xxh3::xxh3_128;

use crate::files::manifest::StateManifest;
use crate::{CompletedRequest, CompletionKind, OutputRepair, State, StateError, StateOptions};

/// The number of requests in the tests that go through every byte.
const IDS: u64 = 14;

fn digest(n: u64) -> [u8; 16] {
    xxh3_128(format!("http://a.test/{n}").as_bytes()).to_be_bytes()
}

/// A state and its output in a temporary directory.
struct TestState(TempDir);

impl TestState {
    /// In memory where that is possible, because the store syncs often.
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        Self(directory.unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// All files of the state, and the output.
    fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(self.path("state")).unwrap();
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.retain(|path| path.is_file());
        paths.push(self.path("out"));
        let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
        paths.into_iter().map(read).collect()
    }

    fn restore(&self, snapshot: &[(PathBuf, Vec<u8>)]) {
        fs::remove_dir_all(self.path("state")).unwrap();
        fs::create_dir(self.path("state")).unwrap();
        for (path, bytes) in snapshot {
            fs::write(path, bytes).unwrap();
        }
    }

    fn open_for(&self, change: impl FnOnce(&mut StateOptions)) -> Result<TestRun, StateError> {
        let mut options = StateOptions {
            directory: self.path("state"),
            output: Some(self.path("out")),
            format: "jsonl".to_owned(),
            request: BTreeMap::from([("method".to_owned(), "GET".to_owned())]),
            retry_failed: false,
            archives: Vec::new(),
        };
        change(&mut options);
        let state = State::open(&options)?;
        Ok(TestRun { state, tag: 0 })
    }

    fn open(&self) -> TestRun {
        self.open_for(|_| {})
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn open_error(&self, change: impl FnOnce(&mut StateOptions)) -> String {
        self.open_for(change)
            .err()
            .expect("the state is refused")
            .to_string()
    }

    /// The requests with a record.
    fn recorded(&self) -> Vec<u64> {
        let text = String::from_utf8(self.read("out")).unwrap();
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "partial line: {text:?}"
        );
        let parse = |line: &str| line.strip_prefix("the record of ").map(str::parse);
        text.lines()
            .map(|line| parse(line).expect("lines are complete").unwrap())
            .collect()
    }

    /// Checks that exactly the completed requests have a record. Then fetches the rest, once.
    fn check(&self, what: &str) {
        let mut run = self.open();
        let recorded: BTreeSet<_> = self.recorded().into_iter().collect();
        for n in 0..IDS {
            let new = run.fetch(n, CompletionKind::Ok);
            assert_eq!(new, !recorded.contains(&n), "{what}: {n}");
        }
        run.state.writer.commit().unwrap();
        drop(run);
        let mut run = self.open();
        assert!(
            (0..IDS).all(|n| !run.fetch(n, CompletionKind::Ok)),
            "{what}"
        );
        let mut recorded = self.recorded();
        recorded.sort_unstable();
        assert_eq!(recorded, (0..IDS).collect::<Vec<_>>(), "{what}");
    }
}

/// A run over a state.
struct TestRun {
    state: State,
    tag: u64,
}

impl TestRun {
    /// Writes a record, unless the request is completed; true if it was not.
    fn fetch(&mut self, n: u64, kind: CompletionKind) -> bool {
        self.tag += 1;
        let tag = self.tag;
        let new = self.state.ledger.claim(digest(n), tag).unwrap();
        if new {
            let line = format!("the record of {n}\n");
            self.state
                .output
                .as_mut()
                .unwrap()
                .write_all(line.as_bytes())
                .unwrap();
            self.state
                .writer
                .add_written(line.as_bytes(), &[CompletedRequest { kind, tag }]);
        }
        new
    }

    fn fetch_all(&mut self, ids: std::ops::Range<u64>, kind: CompletionKind) {
        for n in ids {
            self.fetch(n, kind);
            if n % 3 == 0 {
                self.state.writer.commit().unwrap();
            }
        }
        self.state.writer.commit().unwrap();
    }
}

/// Three runs, the last of which is incomplete. A journal of `seal_at` entries becomes a segment.
fn history(seal_at: usize) -> TestState {
    let state = TestState::new();
    for ids in [0..4, 4..7, 7..IDS - 2] {
        let mut run = state.open();
        run.state.writer.seal_at = seal_at;
        run.fetch_all(ids, CompletionKind::Ok);
    }
    state
}

/// The only file of the state with this prefix.
fn only(snapshot: &[(PathBuf, Vec<u8>)], name: &str) -> usize {
    let is = |(path, _): &(PathBuf, Vec<u8>)| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(name)
    };
    snapshot.iter().position(is).unwrap()
}

#[test]
fn ten_thousand_requests_complete_once_across_segments_and_runs() {
    let state = TestState::new();
    let mut fetched = 0;
    for n in 0..20 {
        let mut run = state.open();
        run.state.writer.seal_at = 150;
        for i in 0..1000 {
            let new = run.fetch((n * 500 + i) % 10_000, CompletionKind::Ok);
            fetched += u64::from(new);
            if i % 60 == 0 {
                run.state.writer.commit().unwrap();
            }
        }
        run.state.writer.finish().unwrap();
    }
    assert_eq!(fetched, 10_000);
    let mut run = state.open();
    assert!((0..10_000).all(|n| !run.fetch(n, CompletionKind::Ok)));
    let mut recorded = state.recorded();
    recorded.sort_unstable();
    assert_eq!(recorded, (0..10_000).collect::<Vec<_>>());
    // 67 segments were created.
    assert!(run.state.ledger.segments().len() < 40);
}

#[test]
fn the_same_request_twice_is_fetched_once() {
    let mut run = TestState::new().open();
    assert!(run.fetch(1, CompletionKind::Ok));
    assert!(!run.fetch(1, CompletionKind::Ok), "in flight");
    run.state.writer.commit().unwrap();
    assert!(!run.fetch(1, CompletionKind::Ok), "completed");
    let skipped = run.state.ledger.skipped();
    assert_eq!((skipped.completed, skipped.duplicates), (0, 2));
}

#[test]
fn failures_are_completed_until_retry_failed() {
    let state = TestState::new();
    let retry = |options: &mut StateOptions| options.retry_failed = true;
    let mut run = state.open();
    run.fetch_all(0..3, CompletionKind::Failed);
    assert!(run.fetch(3, CompletionKind::Ok) && run.fetch(4, CompletionKind::Invalid));
    run.state.writer.finish().unwrap();
    drop(run);
    let mut run = state.open();
    assert!(!run.fetch(0, CompletionKind::Ok));
    let skipped = run.state.ledger.skipped();
    assert_eq!((skipped.completed, skipped.failed), (1, 1));
    drop(run);
    let mut run = state.open_for(retry).unwrap();
    assert!(run.fetch(0, CompletionKind::Ok) && run.fetch(1, CompletionKind::Failed));
    assert!(!run.fetch(3, CompletionKind::Ok) && !run.fetch(4, CompletionKind::Ok));
    run.state.writer.commit().unwrap();
    drop(run);
    // The run was stopped: what failed again waits for the next round.
    let mut run = state.open_for(retry).unwrap();
    assert!(
        !run.fetch(0, CompletionKind::Ok)
            && !run.fetch(1, CompletionKind::Ok)
            && run.fetch(2, CompletionKind::Failed)
    );
    run.state.ledger.set_complete();
    run.state.writer.finish().unwrap();
    drop(run);
    let mut run = state.open_for(retry).unwrap();
    assert!(
        !run.fetch(0, CompletionKind::Ok)
            && run.fetch(1, CompletionKind::Ok)
            && run.fetch(2, CompletionKind::Ok)
    );
}

#[test]
fn rounds_survive_segments() {
    let state = TestState::new();
    let retry = |options: &mut StateOptions| options.retry_failed = true;
    state.open().fetch_all(0..9, CompletionKind::Failed);
    let mut run = state.open_for(retry).unwrap();
    run.fetch_all(0..9, CompletionKind::Failed);
    run.state.writer.seal_journal().unwrap();
    drop(run);
    let mut run = state.open_for(retry).unwrap();
    assert!((0..9).all(|n| !run.fetch(n, CompletionKind::Ok)));
}

#[test]
fn several_outputs_are_maintained_separately() {
    let state = TestState::new();
    let other = state.path("other");
    state.open().fetch_all(0..3, CompletionKind::Ok);
    let to_other = |options: &mut StateOptions| options.output = Some(other.clone());
    let mut run = state.open_for(to_other).unwrap();
    run.state.writer.seal_at = 2;
    run.fetch_all(0..6, CompletionKind::Ok);
    drop(run);
    state.write("other", b"");
    assert!(
        state
            .open_error(|options| options.output = Some(other.clone()))
            .contains("is shorter")
    );
    state.open().fetch_all(0..7, CompletionKind::Ok);
    assert_eq!(state.recorded(), [0, 1, 2, 6]);
}

#[test]
fn without_an_output_file_nothing_is_truncated() {
    let state = TestState::new();
    for (n, output) in [(7, None), (8, Some("-")), (9, Some("/dev/null"))] {
        let to = |options: &mut StateOptions| options.output = output.map(PathBuf::from);
        let mut run = state.open_for(to).unwrap();
        assert!(run.state.ledger.claim(digest(n), 1).unwrap());
        run.state.writer.add_written(
            b"gone",
            &[CompletedRequest {
                kind: CompletionKind::Ok,
                tag: 1,
            }],
        );
        run.state.writer.commit().unwrap();
        drop(run);
        assert!(!state.open().fetch(n, CompletionKind::Ok));
    }
}

#[test]
fn state_and_records_can_be_moved_together() {
    let state = TestState::new();
    state.open().fetch_all(0..5, CompletionKind::Ok);
    let moved = TestState::new();
    for name in ["state", "out"] {
        fs::rename(state.path(name), moved.path(name)).unwrap();
    }
    moved.open().fetch_all(0..6, CompletionKind::Ok);
    assert_eq!(moved.recorded(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn invalid_and_foreign_states_are_refused_with_advice() {
    let state = history(5);
    let snapshot = state.snapshot();
    let journal = snapshot[only(&snapshot, "journal-")].0.clone();
    let remove_segments = || {
        for (path, _) in &snapshot {
            if path.to_string_lossy().contains("segment-") {
                fs::remove_file(path).unwrap();
            }
        }
    };
    let change = |name: &str, from: &str, to: &str| {
        let text = String::from_utf8(state.read(name)).unwrap();
        assert!(text.contains(from));
        state.write(name, text.replace(from, to).as_bytes());
    };
    let json = "state/state.json";
    let cases: [(&dyn Fn(), &str); 9] = [
        (
            &|| state.write(json, b"\0\0\0"),
            "is damaged, or not of fetch-all",
        ),
        (
            &|| state.write(json, b"{}"),
            "is damaged, or not of fetch-all",
        ),
        (
            &|| state.write(json, br#"{"fetch_all_state": 3}"#),
            "format 3, this one knows 2",
        ),
        (&|| fs::remove_file(&journal).unwrap(), "is missing"),
        (&|| remove_segments(), "is missing"),
        (
            &|| fs::remove_file(state.path("out")).unwrap(),
            "is missing, and by the state",
        ),
        (
            &|| fs::remove_file(state.path(json)).unwrap(),
            "state.json is damaged, or not of fetch-all: it is missing",
        ),
        (
            &|| {
                fs::remove_file(state.path(json)).unwrap();
                fs::remove_file(state.path("state/state.json.copy")).unwrap();
            },
            "but no state: use a new or an empty directory",
        ),
        (
            &|| change(json, "\"durable\": ", "\"durable\": 9"),
            "its checksum is wrong",
        ),
    ];
    for (break_it, expected) in cases {
        state.restore(&snapshot);
        break_it();
        let error = state.open_error(|_| {});
        assert!(error.contains(expected), "{expected}: {error}");
    }
    state.restore(&snapshot);
    let method = ("method".to_owned(), "POST".to_owned());
    let error = state.open_error(|options| options.request.extend([method]));
    assert!(error.contains("method was GET and is POST"), "{error}");
    let error = state.open_error(|options| options.format = "text".to_owned());
    assert!(error.contains("has records of jsonl, not text"), "{error}");
    let foreign = state.path("foreign");
    state.write("foreign", b"precious");
    let error = state.open_error(|options| options.output = Some(foreign.clone()));
    assert!(
        error.contains("is not empty and not part of the state"),
        "{error}"
    );
    let error = state.open_error(|options| options.directory = foreign.clone());
    assert!(error.contains("is not a directory"), "{error}");
    let error = state.open_error(|options| options.directory = state.0.path().to_owned());
    assert!(error.contains("has files, such as"), "{error}");
    assert!(!state.path("lock").exists());
    assert_eq!(state.read("foreign"), b"precious");
    state.check("nothing was changed");
}

#[test]
fn a_state_in_use_is_refused_and_released_afterwards() {
    let state = TestState::new();
    let run = state.open();
    let error = state.open_error(|_| {});
    let who = format!("is in use by process {}: wait for it", std::process::id());
    assert!(error.contains(&who), "{error}");
    drop(run);
    state.open();
}
