//! The number of threads that fetch.

#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use crate::support::{command, fetch_all, site};

/// The number of fetching threads of a process, without its main thread.
fn fetching(process: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    // The main thread has the same name, that of the command.
    names.filter(|name| name.trim() == "fetch-all").count() - 1
}

#[test]
fn it_fetches_on_as_many_threads_as_asked_for() {
    let site = site();
    for (threads, others) in [("1", 0), ("3", 3)] {
        let url = site.url("/stall");
        let mut child = command(&["--threads", threads, "-m", "60", &url])
            .spawn()
            .unwrap();
        let fetches = || site.observed().in_flight > 0 && fetching(child.id()) == others;
        let in_time = (0..1_000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            fetches()
        });
        let found = fetching(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(in_time, "{found} threads, not {others}");
    }
}

#[test]
fn limits_hold_over_all_threads() {
    let site = site();
    let urls: Vec<_> = (0..40)
        .map(|n| site.url(&format!("/delay/0.02?{n}")))
        .collect();
    let mut arguments = vec!["--threads", "4", "-j", "5", "--per-host", "0"];
    arguments.extend(urls.iter().map(String::as_str));
    let ran = fetch_all(&arguments);
    assert_eq!((ran.code, ran.records().len()), (0, 40));
    let seen = site.observed();
    // The only host belongs to one thread, which gets the whole limit.
    assert_eq!(seen.max_in_flight, 5, "{seen:?}");
}

#[test]
fn what_has_no_threads_refuses_the_option() {
    for command in ["simulate", "replay"] {
        let ran = fetch_all(&[command, "--threads", "2"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("--threads"), "{ran:?}");
    }
}
