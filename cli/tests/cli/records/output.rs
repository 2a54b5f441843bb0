//! Records, summary, log and demo.

use std::fs;
use std::io::{BufRead, BufReader};

use crate::support::*;

#[test]
fn records_go_to_a_file_and_the_summary_to_stderr() {
    let site = site();
    let list = List::new([site.url("/get"), site.url("/status/404")].join("\n"));
    let out = list.path("out.jsonl");
    let ran = fetch_all(&["-i", &list.path("list"), "-o", &out]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(parse(&fs::read_to_string(&out).unwrap()).len(), 2);
    for part in [
        "2 URLs in ",
        "1 ok, 1 HTTP error",
        "p99",
        "404",
        "check these URLs",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn text_and_none_are_formats_too() {
    let site = site();
    let url = site.url("/flaky/1?key=a");
    let ran = fetch_all(&["--format", "text", "--retry-delay", "0.01", &url]);
    assert!(
        ran.stdout.starts_with("200 ") && ran.stdout.contains("(1 retry: 503, 200)"),
        "{}",
        ran.stdout
    );
    for options in [["--out-null"].as_slice(), &["--format", "none"]] {
        let ran = fetch_all(&[options, &[&url]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    }
}

#[test]
fn silent_prints_nothing_and_quiet_the_summary() {
    let site = site();
    let urls = [site.url("/get"), "http://non sense".to_owned()];
    let ran = fetch_all(&["-s", &urls[0], &urls[1]]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", 2));
    let ran = fetch_all(&["-q", &urls[0]]);
    assert!(ran.stderr.contains("1 URL in"), "{}", ran.stderr);
}

#[test]
fn a_closed_stdout_ends_the_run_quietly() {
    let site = site();
    let lines = (0..30_000).map(|n| site.url(&format!("/bytes/1?{n}")) + "\n");
    let list = List::new(lines.collect::<String>());
    let mut child = command(&["-i", &list.path("list")]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.starts_with("{\"v\":1"), "{first}");
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(site.observed().requests < 30_000);
}

#[test]
fn an_unwritable_output_is_reported() {
    let site = site();
    let list = List::new(site.url("/get"));
    let ran = fetch_all(&[
        "-i",
        &list.path("list"),
        "-o",
        &list.path("no/dir/out.jsonl"),
    ]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("its directory must exist"),
        "{}",
        ran.stderr
    );
    assert_eq!(site.observed().requests, 0);
    #[cfg(target_os = "linux")]
    {
        let ran = fetch_all(&["-i", &list.path("list"), "-o", "/dev/full"]);
        assert_eq!(ran.code, 3);
        assert!(
            ran.stderr.contains("/dev/full: cannot be written further"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn the_list_is_not_overwritten_by_its_records() {
    let site = site();
    let list = List::new(site.url("/get"));
    let ran = fetch_all(&["-i", &list.path("list"), "-o", &list.path("list")]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        fs::read_to_string(list.file("list")).unwrap(),
        site.url("/get")
    );
}

#[test]
fn the_log_has_the_batch_in_either_format() {
    let site = site();
    let list = List::new("");
    let log = list.path("new/dir/app.log");
    let log_option = format!("--log-file={log}");
    let ran = fetch_all(&[&log_option, "--log-format", "json", &site.url("/get")]);
    assert!(!ran.stderr.contains("batch started"), "{}", ran.stderr);
    let lines = parse(&fs::read_to_string(&log).unwrap());
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert!(
        messages[0].starts_with("batch started") && messages.len() == 3,
        "{messages:?}"
    );
    assert_eq!(
        fetch_all(&["--log-file=/dev/null/x", &site.url("/get")]).code,
        3
    );
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_fetches_a_thousand_lines_and_exits_with_0() {
    let ran = fetch_all(&["--demo", "--format", "jsonl"]);
    let records = ran.records();
    assert_eq!((records.len(), ran.code), (1000, 0), "{}", ran.stderr);
    for outcome in [
        "ok",
        "http_error",
        "timeout",
        "io",
        "protocol",
        "too_large",
        "invalid",
    ] {
        assert!(records.iter().any(|r| r["outcome"] == outcome), "{outcome}");
    }
    assert!(ran.stderr.contains("Try next:"), "{}", ran.stderr);
}

#[cfg(not(feature = "demo"))]
#[test]
fn a_build_without_the_demo_refuses_it_and_says_how_to_build_it() {
    let ran = fetch_all(&["--demo"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("--features demo"), "{}", ran.stderr);
}

/// Runs the command by a shell, with a redirection.
#[cfg(unix)]
fn redirected(redirection: &str, options: &[&str]) -> Ran {
    let plain = command(options);
    let mut shell = std::process::Command::new("sh");
    let script = format!("exec \"$0\" \"$@\" {redirection}");
    shell.args(["-c", &script]);
    shell.arg(plain.get_program()).args(plain.get_args());
    ran(shell.stdin(std::process::Stdio::null()).output().unwrap())
}

#[test]
#[cfg(unix)]
fn a_closed_stdout_is_an_error_before_any_request_if_something_is_written_to_it() {
    let site = site();
    let url = site.url("/get");
    let out = List::new("");
    let file = out.path("records");
    for options in [
        &["-s", &url][..],
        &["-s", "-w", "%{url}", &url],
        &["-s", "-o", &file, "-w", "%{url}", &url],
        &["-s", "-o", "-", &url],
        &["--dry-run", &url],
        &["--print-config"],
    ] {
        let ran = redirected(">&-", options);
        assert_eq!(ran.code, 3, "{options:?} {ran:?}");
        assert!(ran.stderr.contains("stdout is closed"), "{ran:?}");
    }
    assert_eq!(site.observed().requests, 0);
    let options = ["-s", "-o", &file, &url];
    assert_eq!(redirected(">&-", &options).code, 0);
    // Other programs open the null device for reading, too: that is not a closed stdout.
    assert_eq!(redirected("1<>/dev/null", &["-s", &url]).code, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_for_each_output() {
    let site = site();
    let url = site.url("/get");
    let out = List::new("");
    let file = out.path("records");
    for options in [
        &["-s", &url][..],
        &["-s", "-o", &file, "-w", "%{url}", &url],
        &["--dry-run", &url],
        &["simulate"],
    ] {
        let ran = redirected(">/dev/full", options);
        assert_eq!(ran.code, 3, "{options:?} {ran:?}");
        assert!(ran.stderr.contains("No space left"), "{ran:?}");
    }
    for option in ["-o", "--warc", "--report", "--record", "--cookie-jar"] {
        let ran = fetch_all(&["-s", option, "/dev/full", &url]);
        assert_eq!(ran.code, 3, "{option} {ran:?}");
        assert!(ran.stderr.contains("No space left"), "{ran:?}");
    }
}
