//! Recordings, and their replay.

use std::fs;

use serde_json::{Value, json};

use crate::support::*;

/// A run over a site with faults, recorded in `run`.
fn recorded(options: &[&str]) -> List {
    let site = site();
    let mut urls: Vec<_> = (0..20).map(|n| site.url(&format!("/get?n={n}"))).collect();
    for path in [
        "/flaky/2?key=hunter2",
        "/status/404",
        "/redirect/2",
        "/empty-reply",
        "/retry-after/1?key=hunter2b",
        "/stall",
        "/bytes/100000",
    ] {
        urls.push(site.url(path));
    }
    urls.push(site.url("/get").replace("://", "://me:hunter2@"));
    let list = List::new(urls.join("\n"));
    let (file, run) = (list.path("list"), list.path("run"));
    let common = ["-i", &file, "--record", &run, "--retry-delay", "0.1", "-L"];
    let ran = fetch_all(&[&common[..], &["--timeout", "/stall=0.3"], options].concat());
    assert_eq!(ran.records().len(), urls.len(), "{ran:?}");
    list
}

fn json_of(arguments: &[&str]) -> Value {
    let ran = fetch_all(&[arguments, &["--json"]].concat());
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn a_recording_replays_identically_and_contains_no_secrets() {
    for options in [&[][..], &["-j", "2", "--per-host", "1"], &["-vv"]] {
        let list = recorded(options);
        let run = list.path("run");
        let ran = fetch_all(&["replay", &run]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        assert!(ran.stdout.starts_with("identical"), "{ran:?}");
        let report = json_of(&["replay", &run]);
        assert_eq!(report["difference"], json!(null));
        assert_eq!(
            (&report["fetches"], &report["outcomes"]),
            (&json!(28), &json!(28))
        );
        let bytes = fs::read(&run).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    }
}

#[test]
fn truncated_recordings_are_used_and_damaged_ones_are_refused() {
    let list = recorded(&[]);
    let mut bytes = fs::read(list.file("run")).unwrap();
    fs::write(list.file("cut"), &bytes[..bytes.len() - 5]).unwrap();
    let ran = fetch_all(&["replay", &list.path("cut")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("the trace is cut off"), "{ran:?}");

    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(list.file("changed"), &bytes).unwrap();
    let ran = fetch_all(&["replay", &list.path("changed")]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("the trace is damaged"), "{ran:?}");

    let ran = fetch_all(&["replay", &list.path("list")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
    assert!(ran.stderr.contains("not a trace"), "{ran:?}");
}

#[test]
fn what_if_gives_a_range_for_unrecorded_attempts() {
    let list = recorded(&["--retry", "1"]);
    let run = list.path("run");
    let more = json_of(&["replay", &run, "--retry", "3"]);
    assert_eq!(more["faithful"], true, "{more}");
    // flaky, empty-reply and stall ended after two attempts.
    assert_eq!(more["unseen"], 3, "{more}");
    let attempts = |of: &str| more[of]["attempts"].as_u64().unwrap();
    assert!(attempts("recorded") < attempts("optimistic"), "{more}");
    assert_eq!(attempts("pessimistic"), attempts("recorded") + 6, "{more}");
    let none = json_of(&["replay", &run, "--retry", "0"]);
    assert_eq!(
        (&none["unseen"], &none["optimistic"]["retries"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn explain_shows_the_decisions_for_one_url() {
    let list = recorded(&[]);
    let urls = fs::read_to_string(list.file("list")).unwrap();
    let url = urls.lines().find(|url| url.contains("/flaky/")).unwrap();
    let ran = fetch_all(&["replay", &list.path("run"), "--explain", url]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in [
        "policy: no rule matches",
        "attempt 1 starts after",
        "(backoff): status 503, attempt 1 of 3",
        "over: status 200",
    ] {
        assert!(ran.stdout.contains(part), "{part:?}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("hunter2"), "{ran:?}");
    let ran = fetch_all(&[
        "replay",
        &list.path("run"),
        "--explain",
        url,
        "--retry",
        "1",
    ]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn a_recording_may_not_overwrite_the_list() {
    let list = List::new("http://a.test/");
    let path = list.path("list");
    let ran = fetch_all(&["-i", &path, "--record", &path]);
    assert_eq!(
        (ran.code, fs::read(path).unwrap().as_slice()),
        (2, &b"http://a.test/"[..])
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_recording_that_cannot_be_written_does_not_stop_the_run() {
    let site = site();
    let ran = fetch_all(&["--record", "/dev/full", &site.url("/get")]);
    assert_eq!((ran.code, ran.records().len()), (3, 1), "{ran:?}");
    assert!(ran.stderr.contains("the recording ended"), "{ran:?}");
}
