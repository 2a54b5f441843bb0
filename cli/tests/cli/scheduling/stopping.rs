//! Runs that end early: signals, deadlines, failures.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use crate::support::*;

const LONG: Duration = Duration::from_secs(60);

fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}

/// Sends a first signal, waits until the run has said so, and returns the rest of stderr.
#[cfg(unix)]
fn signal_once(child: &mut Child, name: &str) -> Lines<BufReader<ChildStderr>> {
    signal(child, name);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = stderr.next().unwrap().unwrap();
    assert!(first.contains("Ctrl-C again to abort"), "{first}");
    stderr
}

#[test]
#[cfg(unix)]
fn the_first_ctrl_c_waits_for_requests_in_flight() {
    let site = site();
    let mut child = command(&["-i", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", site.url("/delay/1")).unwrap();
    site.wait_for(LONG, |seen| seen.in_flight == 1).unwrap();
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let ran = ran(output);
    assert_eq!(ran.code, 130);
    assert_eq!(ran.record()["outcome"], "ok");
    assert!(
        ran.stderr
            .contains("stopped early: interrupted by a signal"),
        "{}",
        ran.stderr
    );
}

#[test]
#[cfg(unix)]
fn the_first_ctrl_c_starts_no_queued_fetch() {
    let site = site();
    let list = List::new([site.url("/delay/1"), site.url("/get")].join("\n"));
    let child = command(&["-j", "1", "-i", &list.path("list")])
        .spawn()
        .unwrap();
    site.wait_for(LONG, |seen| seen.in_flight == 1).unwrap();
    signal(&child, "INT");
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.records().len()), (130, 1));
    assert!(
        ran.stderr.contains("1 ok, 1 not finished"),
        "{}",
        ran.stderr
    );
    assert_eq!(site.observed().requests, 1);
}

#[test]
#[cfg(unix)]
fn the_second_signal_aborts() {
    let site = site();
    let mut child = command(&["-m", "0", "--retry-max-time", "0", &site.url("/stall")])
        .spawn()
        .unwrap();
    site.wait_for(LONG, |seen| seen.in_flight == 1).unwrap();
    let stderr = signal_once(&mut child, "TERM");
    signal(&child, "TERM");
    let summary: Vec<_> = stderr.map(Result::unwrap).collect();
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (143, ""));
    assert!(
        summary
            .iter()
            .any(|line| line.contains("0 ok, 1 not finished")),
        "{summary:?}"
    );
}

#[test]
fn the_first_failure_can_stop_the_run() {
    let site = site();
    let list = List::new([site.url("/status/500"), site.url("/stall")].join("\n"));
    let ran = fetch_all(&[
        "-i",
        &list.path("list"),
        "-f",
        "--fail-early",
        "--retry",
        "0",
        "-m",
        "50",
    ]);
    assert_eq!(ran.code, 8, "{}", ran.stderr);
    assert_eq!(ran.record()["response_code"], 500);
    let list = List::new(format!("nonsense\n{}", site.url("/stall")));
    let ran = fetch_all(&["-i", &list.path("list"), "--fail-early", "-m", "50"]);
    assert_eq!(
        (ran.code, &ran.record()["outcome"]),
        (2, &serde_json::json!("invalid"))
    );
}

#[test]
fn a_deadline_stops_the_run_unfinished() {
    let site = site();
    let ran = fetch_all(&["--deadline", "0.3", "-m", "0", &site.url("/stall")]);
    assert_eq!(ran.code, 20);
    assert!(
        ran.stderr.contains("stopped early: --deadline"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_lowest_code_wins() {
    let site = site();
    let list = List::new(
        [
            site.url("/status/500"),
            site.url("/reset"),
            site.url("/get"),
        ]
        .join("\n"),
    );
    let ran = fetch_all(&["-i", &list.path("list"), "-f", "--retry", "0"]);
    assert_eq!(ran.code, 4);
}

#[test]
#[cfg(unix)]
fn a_run_with_a_blocked_stdout_can_be_stopped() {
    let site = site();
    let lines = (0..20_000).map(|n| site.url(&format!("/bytes/1?{n}")) + "\n");
    let list = List::new(lines.collect::<String>());
    let mut child = command(&["-i", &list.path("list")]).spawn().unwrap();
    // The records exceed the pipe's buffer: the run will soon be blocked.
    site.wait_for(LONG, |seen| seen.requests > 100).unwrap();
    let _stderr = signal_once(&mut child, "INT");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
