//! Bodies in archives and files, after runs that stopped.

use super::*;
use crate::{ArchiveEnd, LoggedArchive};

fn end(file: u32, length: u64) -> ArchiveEnd {
    ArchiveEnd { file, length }
}

/// Opens a run with these archives.
fn open(state: &TestState, archives: &[&str]) -> TestRun {
    let archives = archives.iter().map(|name| state.path(name)).collect();
    let opened = state.open_for(|options| options.archives = archives);
    opened.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_archive_ends_with_the_last_body_whose_record_is_committed() {
    let state = TestState::new();
    let mut run = open(&state, &["a.warc", "tar"]);
    assert_eq!(run.state.archive_ends, [None, None]);
    run.state.writer.set_archive_end(0, end(0, 700));
    run.fetch(1, CompletionKind::Ok);
    run.state.writer.commit().unwrap();
    // This one is not committed.
    run.state.writer.set_archive_end(0, end(1, 5));
    run.state.writer.set_archive_end(1, end(0, 5));
    drop(run);
    // Another order of the same archives, and a new one.
    let run = open(&state, &["tar", "b.warc", "a.warc"]);
    assert_eq!(run.state.archive_ends, [None, None, Some(end(0, 700))]);
}

#[test]
fn the_end_of_an_archive_survives_a_new_journal() {
    let state = TestState::new();
    let mut run = open(&state, &["a.warc"]);
    run.state.writer.set_archive_end(0, end(3, 900));
    run.fetch(1, CompletionKind::Ok);
    run.state.writer.commit().unwrap();
    run.state.writer.seal_journal().unwrap();
    drop(run);
    let run = open(&state, &["a.warc"]);
    assert_eq!(run.state.archive_ends, [Some(end(3, 900))]);
}

#[test]
fn a_state_of_version_1_is_continued_and_becomes_version_2() {
    let state = history(usize::MAX);
    let text = String::from_utf8(state.read("state/state.json")).unwrap();
    let old = text.replace("\"fetch_all_state\": 2", "\"fetch_all_state\": 1");
    assert_ne!(old, text);
    let is_kept = |line: &&str| !line.contains("checksum");
    let old = old.lines().filter(is_kept).collect::<String>();
    let old = old.replace(",}", "}");
    state.write("state/state.json", old.as_bytes());
    state.check("version 1");
    let text = String::from_utf8(state.read("state/state.json")).unwrap();
    assert!(text.contains("\"fetch_all_state\": 2"), "{text}");
}

fn add(run: &TestRun, tag: u64, path: &str) {
    let bodies = &run.state.bodies;
    bodies
        .add_file(tag, Path::new(path), 3, "d".into(), true)
        .unwrap();
}

fn uncommitted(run: &TestRun) -> Vec<String> {
    let files = run.state.bodies.uncommitted_files().unwrap();
    let path = |file: crate::LoggedFile| file.path.to_str().unwrap().to_owned();
    let mut paths: Vec<_> = files.into_iter().map(path).collect();
    paths.sort();
    paths
}

#[test]
fn files_of_requests_that_were_not_completed_are_known_to_the_next_run() {
    let state = TestState::new();
    let mut run = open(&state, &[]);
    for tag in 1..=5 {
        assert!(run.state.ledger.claim(digest(tag), tag).unwrap());
        add(&run, tag, &format!("../{tag}"));
    }
    // Two requests share a file, and one of them is completed.
    add(&run, 3, "../2");
    let done = |tag, kind| CompletedRequest { kind, tag };
    let completed = [done(2, CompletionKind::Ok), done(4, CompletionKind::Failed)];
    run.state.writer.add_written(b"", &completed);
    run.state.writer.commit().unwrap();
    drop(run);
    let run = open(&state, &[]);
    assert_eq!(uncommitted(&run), ["../1", "../3", "../4", "../5"]);
    run.state.bodies.forget_files().unwrap();
    drop(run);
    let mut run = open(&state, &[]);
    assert!(uncommitted(&run).is_empty());
    run.state.writer.finish().unwrap();
    assert!(!state.path("state/bodies.log").exists());
}

#[test]
fn an_incomplete_end_of_the_log_is_dropped_and_damage_is_reported() {
    let state = TestState::new();
    let run = open(&state, &[]);
    for n in 0..3 {
        let archive = LoggedArchive {
            path: format!("../{n}.tar").into(),
            inode: Some(n),
        };
        run.state.bodies.add_archive(archive).unwrap();
    }
    let logged = run.state.bodies.archives();
    drop(run);
    let bytes = state.read("state/bodies.log");
    let line = bytes.len() / 3;
    for cut in 0..bytes.len() {
        state.write("state/bodies.log", &bytes[..cut]);
        let run = open(&state, &[]);
        assert_eq!(run.state.bodies.archives(), logged[..cut / line], "{cut}");
    }
    let mut damaged = bytes.clone();
    damaged[line + 20] ^= 1;
    state.write("state/bodies.log", &damaged);
    let error = state.open_error(|_| {});
    let expected = format!("bodies.log: is damaged at byte {line}: the line is invalid");
    assert!(error.contains(&expected), "{error}");
}
