//! Problems that users of similar commands have reported.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use fetch_testbed::{Certificate, Site};
use serde_json::json;

use crate::support::*;

#[test]
fn one_slow_host_does_not_fill_every_slot() {
    let site = Site::builder().addresses(2).start().unwrap();
    let slow = (0..40).map(|n| site.url_at(0, &format!("/delay/0.2?{n}\n")));
    let fast = (0..20).map(|n| site.url_at(1, &format!("/get?{n}\n")));
    let list = List::new(slow.chain(fast).collect::<String>());
    let ran = fetch_all(&["-j", "8", "--per-host", "4", "-i", &list.path("list")]);
    let records = ran.records();
    assert_eq!(records.len(), 60, "{ran:?}");
    let is_fast = |record: &serde_json::Value| record["url"].as_str().unwrap().contains("/get?");
    let last_fast = records.iter().rposition(is_fast).unwrap();
    assert!(
        last_fast < 40,
        "those behind the slow ones in the list come first: {last_fast}"
    );
}

#[test]
fn a_host_that_asks_for_a_wait_holds_up_no_other() {
    let site = Site::builder().addresses(2).start().unwrap();
    let asks = site.url_at(0, "/retry-after/1?key=a");
    let others: String = (0..10)
        .map(|n| site.url_at(1, &format!("/get?{n}\n")))
        .collect();
    let list = List::new(format!("{asks}\n{others}"));
    let ran = fetch_all(&["-j", "1", "-i", &list.path("list")]);
    let records = ran.records();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        records[10]["url"],
        json!(asks),
        "its slot is free while it waits"
    );
    assert_eq!(records[10]["num_retries"], 1);
}

#[test]
fn a_rate_is_kept_though_the_queue_was_empty_meanwhile() {
    let site = site();
    let mut child = command(&["--host-rate", "1/s", "-i", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut started = |n: usize| {
        writeln!(stdin, "{}", site.url(&format!("/get?{n}"))).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let at = parse(&line)[0]["started_at"].as_str().unwrap().to_owned();
        at.parse::<jiff::Timestamp>().unwrap()
    };
    let (first, second) = (started(1), started(2));
    drop(stdin);
    child.wait().unwrap();
    let between = second.duration_since(first);
    assert!(
        between >= jiff::SignedDuration::from_millis(990),
        "{between:?}"
    );
}

#[test]
fn few_open_files_are_enough_for_any_number_of_requests() {
    let site = site();
    let list = List::new(
        (0..300)
            .map(|n| site.url(&format!("/get?{n}\n")))
            .collect::<String>(),
    );
    let line = format!(
        "ulimit -n 80; exec {} --no-config --per-host 0 -j 1000 -i {}",
        env!("CARGO_BIN_EXE_fetch-all"),
        list.path("list")
    );
    let ran = ran(Command::new("sh").args(["-c", &line]).output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.records().len(), 300);
    assert!(ran.stderr.contains("ulimit -n"), "{}", ran.stderr);
}

#[test]
#[cfg(unix)]
fn with_twenty_open_files_each_url_is_requested_once_and_counted_once() {
    for (count, size, save) in [
        (2_000, 10, ""),
        (2_000, 10, "--output-dir bodies"),
        // Larger than the buffer, so that bodies have files while they are received.
        (200, 200_000, "--output-dir bodies"),
        (200, 200_000, "--tar bodies --warc bodies.warc"),
    ] {
        let site = site();
        let urls = (0..count).map(|n| site.url(&format!("/bytes/{size}?{n}\n")));
        let list = List::new(urls.collect::<String>());
        let (out, directory) = (list.path("out"), list.dir.path().display());
        let line = format!(
            "ulimit -n 20; cd {directory}; exec {} --no-config --per-host 0 -i {} -o {out} {save}",
            env!("CARGO_BIN_EXE_fetch-all"),
            list.path("list"),
        );
        let ran = ran(Command::new("sh").args(["-c", &line]).output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let sent = format!("sent      {count} requests, 0 retries");
        assert!(ran.stderr.contains(&sent), "{}", ran.stderr);
        assert_eq!(site.observed().requests, count);
        let records = parse(&std::fs::read_to_string(&out).unwrap());
        assert_eq!(records.len() as u64, count);
        assert!(records.iter().all(|record| record["outcome"] == "ok"));
    }
}

#[test]
fn connections_that_servers_close_unasked_cost_no_retry() {
    let site = Site::builder().keep_alive_requests(1).start().unwrap();
    let list = List::new(
        (0..30)
            .map(|n| site.url(&format!("/get?{n}\n")))
            .collect::<String>(),
    );
    let ran = fetch_all(&["-j", "2", "--retry", "0", "-i", &list.path("list")]);
    let records = ran.records();
    assert!(
        records.iter().all(|record| record["outcome"] == "ok"),
        "{ran:?}"
    );
    assert!(
        records.iter().all(|record| record["num_retries"] == 0),
        "{ran:?}"
    );
}

#[test]
fn more_requests_than_a_connection_may_carry_wait_their_turn() {
    let site = Site::builder()
        .tls(Certificate::Good)
        .http2(true)
        .max_streams(5)
        .start()
        .unwrap();
    let list = List::new(
        (0..100)
            .map(|n| site.url(&format!("/get?{n}\n")))
            .collect::<String>(),
    );
    let options = [
        "-k",
        "-j",
        "50",
        "--per-host",
        "50",
        "--retry",
        "0",
        "-i",
        &list.path("list"),
    ];
    let ran = fetch_all(&options);
    let records = ran.records();
    assert_eq!((ran.code, records.len()), (0, 100), "{}", ran.stderr);
    assert!(records.iter().all(|record| record["http_version"] == "2"));
}
