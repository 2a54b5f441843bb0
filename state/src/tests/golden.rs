//! States that earlier versions wrote are still read.

use super::*;
use crate::{ArchiveEnd, FORMAT_VERSION, check};

/// The requests of the files, in the order of their records.
const RECORDED: std::ops::Range<u64> = 0..9;

fn files(format: u64) -> PathBuf {
    let name = format!("src/tests/golden/format-{format}");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

fn with_archive(options: &mut StateOptions, state: &TestState) {
    options.archives = vec![state.path("a.warc")];
}

/// A segment, and a journal of two runs with a failure, an archive, and a body without a record.
fn write() -> TestState {
    let state = TestState::new();
    let open = || {
        let opened = state.open_for(|options| with_archive(options, &state));
        opened.unwrap_or_else(|error| panic!("{error}"))
    };
    let mut run = open();
    run.fetch_all(0..4, CompletionKind::Ok);
    run.state.writer.seal_journal().unwrap();
    run.fetch_all(4..6, CompletionKind::Ok);
    drop(run);
    let mut run = open();
    run.fetch_all(6..8, CompletionKind::Ok);
    run.fetch(8, CompletionKind::Failed);
    let end = ArchiveEnd {
        file: 1,
        length: 700,
    };
    run.state.writer.set_archive_end(0, end);
    run.state.writer.commit().unwrap();
    drop(run);
    fs::remove_file(state.path("state/lock")).unwrap_or_default();
    state
}

/// A copy of the state in this format. `UPDATE_GOLDEN=1` writes that of the current format if there is none.
fn golden(format: u64) -> TestState {
    let files = files(format);
    if format == FORMAT_VERSION && !files.exists() && std::env::var_os("UPDATE_GOLDEN").is_some() {
        copy(write().0.path(), &files);
    }
    let state = TestState::new();
    copy(&files, state.0.path());
    state
}

#[test]
fn a_state_of_every_format_is_read() {
    for format in 2..=FORMAT_VERSION {
        let state = golden(format);
        let found = check(state.path("state")).unwrap();
        assert!(!found.is_damaged(), "{found}");
        assert_eq!(state.recorded(), RECORDED.collect::<Vec<_>>());
        let opened = state.open_for(|options| {
            with_archive(options, &state);
            options.retry_failed = true;
        });
        let mut run = opened.unwrap_or_else(|error| panic!("{error}"));
        assert!(run.state.repair.is_none() && run.state.journal_cut.is_none());
        let end = ArchiveEnd {
            file: 1,
            length: 700,
        };
        assert_eq!(run.state.archive_ends, [Some(end)]);
        // The failure and the next request may be claimed, and no other.
        let new = (0..=RECORDED.end).filter(|n| run.fetch(*n, CompletionKind::Ok));
        assert_eq!(new.collect::<Vec<_>>(), [8, 9]);
    }
}
