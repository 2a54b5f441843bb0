//! The counts of the summary and of the report: each URL that was read is in one of them.

use std::collections::BTreeMap;
use std::fs;

use crate::support::*;

/// The numbers of the summary's first line, by their words.
fn counts(ran: &Ran) -> BTreeMap<String, u64> {
    // Messages come before it.
    let first = ran.stderr.lines().find(|line| line.contains("/s): "));
    let first = first.unwrap_or_else(|| panic!("{ran:?}"));
    let (urls, rest) = first["fetch-all: ".len()..].split_once(" URL").unwrap();
    let (_, parts) = rest.split_once("/s): ").unwrap();
    let parts = parts.trim_end().split(", ");
    let parts = parts.map(|part| {
        part.split_once(' ')
            .unwrap_or_else(|| panic!("{part}: {ran:?}"))
    });
    let one = |(count, name): (&str, &str)| {
        (
            name.trim_end_matches('s').to_owned(),
            count.parse().unwrap(),
        )
    };
    let all = parts
        .map(one)
        .chain([("read".to_owned(), urls.parse().unwrap())]);
    all.collect()
}

/// Checks that the parts of the summary add up to what was read, and returns the numbers.
fn counts_of(ran: &Ran, read: u64) -> BTreeMap<String, u64> {
    let mut counts = counts(ran);
    assert_eq!(counts.remove("read"), Some(read), "{ran:?}");
    assert_eq!(counts.values().sum::<u64>(), read, "{ran:?}");
    counts
}

fn numbers(all: &[(&str, u64)]) -> BTreeMap<String, u64> {
    all.iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[test]
fn the_parts_of_a_mixed_list_add_up_to_the_lines_read() {
    let site = site();
    let closed = "http://127.0.0.1:1/";
    let lines = [
        "# a comment, and an empty line",
        "",
        &site.url("/get?1"),
        &site.url("/get?2"),
        &site.url("/get?2"),
        &site.url("/status/404"),
        &site.url("/redirect/1"),
        &site.url("/reset"),
        closed,
        "http://[bad",
        "ftp://a.test/",
    ];
    let list = List::new(lines.join("\n"));
    let path = list.path("list");
    let common = [
        "--retry",
        "0",
        "--host-max-wait",
        "0",
        "--dedupe",
        "-i",
        &path,
    ];
    let ran = fetch_all(&common);
    let expected = [
        ("HTTP error", 1),
        ("failed", 2),
        ("malformed line", 2),
        ("ok", 3),
        ("skipped", 1),
    ];
    assert_eq!(counts_of(&ran, 9), numbers(&expected), "{ran:?}");
    // All but the duplicate have a record.
    assert_eq!(ran.records().len(), 8, "{ran:?}");
}

#[test]
fn a_body_that_is_not_saved_is_counted_as_failed_once() {
    let site = site();
    let wrong = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let row = |path: &str, checksum: &str| {
        let url = site.url(path);
        match checksum {
            "" => format!("{{\"url\":\"{url}\"}}\n"),
            _ => format!("{{\"url\":\"{url}\",\"checksum\":\"{checksum}\"}}\n"),
        }
    };
    let rows = row("/get?1", wrong) + &row("/get?2", "") + &row("/status/404", wrong);
    let list = List::new("");
    fs::write(list.file("rows.jsonl"), rows).unwrap();
    let (rows, bodies, report) = (list.path("rows.jsonl"), list.path("b"), list.path("r.html"));
    let options = ["-i", &rows, "--output-dir", &bodies, "--report", &report];
    let ran = fetch_all(&options);
    let all = counts_of(&ran, 3);
    assert_eq!(all.get("ok"), Some(&1), "{ran:?}");
    let failed = all.get("failed").copied().unwrap_or_default();
    let outcomes: Vec<_> = ran
        .records()
        .iter()
        .map(|one| one["outcome"].clone())
        .collect();
    let checksums = outcomes.iter().filter(|one| *one == "checksum").count();
    assert_eq!(failed, checksums as u64, "{outcomes:?}");
    let page = fs::read_to_string(&report).unwrap();
    assert!(page.contains("<li><b>3</b>URLs</li>"), "{page}");
    assert!(page.contains("<li><b>1</b>ok</li>"), "{page}");
}

#[test]
fn what_earlier_runs_completed_and_existing_files_are_among_the_urls_read() {
    let site = site();
    let urls: String = (0..4).map(|n| site.url(&format!("/get?{n}\n"))).collect();
    let list = List::new(&urls);
    let (path, state, records) = (list.path("list"), list.path("s"), list.path("r.jsonl"));
    let options = ["-i", &path, "--state", &state, "-o", &records];
    assert_eq!(counts_of(&fetch_all(&options), 4), numbers(&[("ok", 4)]));
    fs::write(&path, urls + &site.url("/get?4\n")).unwrap();
    let again = fetch_all(&options);
    assert_eq!(
        counts_of(&again, 5),
        numbers(&[("ok", 1), ("skipped", 4)]),
        "{again:?}"
    );

    let bodies = list.path("b");
    let options = [
        "-i",
        &path,
        "-O",
        "--output-dir",
        &bodies,
        "--skip-existing",
    ];
    assert_eq!(counts_of(&fetch_all(&options), 5), numbers(&[("ok", 5)]));
    let again = fetch_all(&options);
    assert_eq!(
        counts_of(&again, 5),
        numbers(&[("ok", 0), ("skipped", 5)]),
        "{again:?}"
    );
}

#[test]
fn urls_that_a_stop_leaves_are_among_the_urls_read() {
    let site = site();
    let lines = [
        site.url("/status/404"),
        site.url("/delay/30"),
        site.url("/delay/31"),
    ];
    let list = List::new(lines.join("\n"));
    let path = list.path("list");
    let ran = fetch_all(&["-f", "--fail-early", "-m", "60", "-i", &path]);
    let counts = counts(&ran);
    let read = counts["read"];
    assert_eq!(counts.values().sum::<u64>(), 2 * read, "{ran:?}");
    assert_eq!(counts["HTTP error"], 1, "{ran:?}");
    assert_eq!(
        counts.get("not finished").copied().unwrap_or_default(),
        read - 1,
        "{ran:?}"
    );
}
