//! Sources of URLs, and malformed lines.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::support::*;

#[test]
fn every_line_gets_exactly_one_record() {
    let site = site();
    let lines = (0..2000).map(|n| site.url(&format!("/fault?percent=5&seed=3&n={n}")) + "\n");
    let list = List::new(lines.collect::<String>());
    let options = [
        "-i",
        &list.path("list"),
        "--retry-delay",
        "0.05",
        "-m",
        "1",
        "--per-host",
        "50",
    ];
    let ran = fetch_all(&options);
    let records = ran.records();
    let seqs: BTreeSet<u64> = records.iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    assert_eq!((records.len(), seqs.len()), (2000, 2000));
    assert_eq!((*seqs.first().unwrap(), *seqs.last().unwrap()), (1, 2000));
    let urls: BTreeSet<_> = records.iter().map(|r| r["url"].as_str().unwrap()).collect();
    assert_eq!(urls.len(), 2000);
    assert!(
        records.iter().all(|r| r["outcome"] == "ok"),
        "{}",
        ran.stderr
    );
    assert!(records.iter().any(|r| r["num_retries"] == 1));
    assert_eq!(ran.code, 0);
}

#[test]
fn malformed_lines_are_reported_and_the_rest_is_fetched() {
    let site = site();
    let mut text = Vec::new();
    let good = site.url("/get");
    for line in [
        &b"# comment"[..],
        b"",
        good.as_bytes(),
        b"  ",
        b"example",
        b"http://a/\0\x1b[31m",
    ] {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(b"http://\xff/\nhttp://u:secret@h st/\n");
    text.extend(std::iter::repeat_n(b'x', 70_000));
    text.extend_from_slice(b"\nftp://a.test/\n");
    text.extend_from_slice(good.as_bytes());
    let list = List::new(text);
    let path = list.path("list");
    let ran = fetch_all(&["-i", &path]);
    let records = ran.records();
    let outcomes = |name| records.iter().filter(|r| r["outcome"] == name).count();
    assert_eq!(
        (outcomes("ok"), outcomes("invalid"), records.len()),
        (2, 6, 8)
    );
    for (line, why) in [
        (5, "no scheme: write http:// or https:// before it: example"),
        (
            6,
            "contains a NUL byte: is this a text file in UTF-8?: http://a/\\u{0}\\u{1b}[31m",
        ),
        (7, "not valid UTF-8"),
        (8, "contains a space"),
        (9, "longer than 64 KiB: xxx"),
        (10, "the scheme is neither http nor https: ftp://a.test/"),
    ] {
        let message = format!("{path}:{line}: {why}");
        assert!(ran.stderr.contains(&message), "{message}\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("secret") && !ran.stdout.contains("secret"));
    assert!(ran.stderr.contains("6 malformed lines"), "{}", ran.stderr);
    assert_eq!(ran.code, 2);
}

#[test]
fn urls_of_lists_need_no_scheme() {
    let site = site();
    let host = site.url("").replace("http://", "");
    let host = host.trim_end_matches('/');
    let list = List::new(format!("{host}/get?line\n//{host}/get?slashes\n"));
    let csv = list.path("rows.csv");
    std::fs::write(&csv, format!("url,id\n{host}/get?csv,1\n")).unwrap();
    let jsonl = list.path("rows.jsonl");
    std::fs::write(&jsonl, format!("{{\"url\": \"{host}/get?jsonl\"}}\n")).unwrap();
    let curl = list.path("options");
    std::fs::write(&curl, format!("url = {host}/get?curl\n")).unwrap();
    let ran = fetch_all(&[
        "-i",
        &list.path("list"),
        "-i",
        &csv,
        "-i",
        &jsonl,
        "-K",
        &curl,
    ]);
    let mut urls: Vec<_> = ran.records();
    urls.sort_by_key(|record| record["seq"].as_u64());
    let expected =
        ["curl", "line", "slashes", "csv", "jsonl"].map(|query| site.url("/get?") + query);
    let urls: Vec<_> = urls
        .iter()
        .map(|record| record["url"].as_str().unwrap())
        .collect();
    assert_eq!(urls, expected, "{ran:?}");
    assert_eq!(ran.code, 0);
}

#[test]
fn stdin_arguments_and_url_options_are_sources() {
    let site = site();
    let list = List::new(site.url("/get?file"));
    let at = format!("@{}", list.path("list"));
    let (argument, url) = (site.url("/get?argument"), site.url("/get?url"));
    let text = site.url("/get?stdin") + "\r\n";
    let ran = fetch_all_stdin(
        &[&argument, "--url", &url, "--url", &at, "-i", "-"],
        text.as_bytes(),
    );
    let records = ran.records();
    let mut queries: Vec<_> = records
        .iter()
        .map(|r| r["url"].as_str().unwrap().rsplit('?').next().unwrap())
        .collect();
    queries.sort_unstable();
    assert_eq!(queries, ["argument", "file", "stdin", "url"]);
    assert_eq!(ran.code, 0);
}

#[test]
fn a_line_of_slow_stdin_is_fetched_at_once() {
    let site = site();
    let mut child = command(&["-i", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0..2 {
        writeln!(stdin, "{}", site.url(&format!("/get?{n}"))).unwrap();
        assert!(
            stdout
                .next()
                .unwrap()
                .unwrap()
                .contains(&format!("/get?{n}"))
        );
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_missing_file_is_reported_before_any_request() {
    let site = site();
    let ran = fetch_all(&[&site.url("/get"), "-i", "no/such/file"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr
            .contains("--input-file no/such/file: cannot be read"),
        "{}",
        ran.stderr
    );
    assert_eq!(site.observed().requests, 0);
    let directory = fetch_all(&["-i", "/"]);
    assert_eq!(directory.code, 3);
    assert!(
        directory.stderr.contains("is a directory"),
        "{}",
        directory.stderr
    );
}

#[test]
fn an_empty_list_is_ok_and_no_list_is_an_error() {
    let list = List::new("# nothing yet\n\n");
    let ran = fetch_all(&["-i", &list.path("list")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("0 URLs"), "{}", ran.stderr);
    let ran = fetch_all(&[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("nothing to fetch"), "{}", ran.stderr);
}
