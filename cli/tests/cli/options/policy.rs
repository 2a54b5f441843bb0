//! Policy files on the command line.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::*;

/// No jitter and short delays; two attempts for `/status/` URLs, otherwise four.
const FILE: &str = "\
[default]
attempts = 4
backoff = { base = \"1ms\", factor = 1, jitter = \"none\" }

[[rule]]
match = \"/status/\"
attempts = 2
";

fn with_policy(text: &str) -> (List, String) {
    let list = List::new("");
    fs::write(list.file("p.toml"), text).unwrap();
    let path = list.path("p.toml");
    (list, path)
}

fn attempts(arguments: &[&str]) -> usize {
    let ran = fetch_all(arguments);
    ran.record()["attempts"].as_array().unwrap().len()
}

#[test]
fn options_override_the_policy_file() {
    let site = site();
    let (_list, file) = with_policy(FILE);
    let (status, reset) = (site.url("/status/503"), site.url("/reset"));
    assert_eq!(attempts(&["--policy", &file, &status]), 2);
    assert_eq!(attempts(&["--policy", &file, &reset]), 4);
    assert_eq!(attempts(&["--policy", &file, "--retry", "0", &reset]), 1);
}

#[test]
fn the_environment_overrides_the_policy_file() {
    let site = site();
    let (_list, file) = with_policy(FILE);
    let mut command = command(&["--policy", &file, &site.url("/reset")]);
    command.env("FETCH_ALL_POLICY_DEFAULT__ATTEMPTS", "3");
    let ran = ran(command.output().unwrap());
    assert_eq!(ran.record()["attempts"].as_array().unwrap().len(), 3);
}

#[test]
fn a_wrong_policy_file_is_reported_before_any_request() {
    let site = site();
    for (text, parts) in [
        (
            "[default]\natempts = 2",
            &["p.toml:2:1: atempts: ", "did you mean `attempts`?"][..],
        ),
        (
            "[default]\ntimeouts = { attempt = \"9m\" }",
            &["p.toml:2:24: ", "the whole fetch 300s"],
        ),
    ] {
        let (_list, file) = with_policy(text);
        let ran = fetch_all(&["--policy", &file, &site.url("/get")]);
        assert_eq!(ran.code, 2, "{ran:?}");
        parts
            .iter()
            .for_each(|part| assert!(ran.stderr.contains(part), "{ran:?}"));
    }
    let missing = fetch_all(&["--policy", "/no/such.toml", &site.url("/get")]);
    assert_eq!(missing.code, 3, "{missing:?}");
    assert_eq!(site.observed().requests, 0);
}

#[test]
fn variables_that_contradict_the_policy_file_are_reported_before_any_request() {
    let site = site();
    let (_list, file) = with_policy("[default]\nhedge = { after = \"1s\" }");
    for (name, value, part) in [
        ("DEFAULT__HEDGE__PERCENTILE", "95", "exclude each other"),
        ("DEFAULT__TIMEOUTS__ATTEMPT", "9m", "the whole"),
    ] {
        let mut command = command(&["--policy", &file, &site.url("/get")]);
        command.env(format!("FETCH_ALL_POLICY_{name}"), value);
        let ran = ran(command.output().unwrap());
        assert!(ran.code == 2 && ran.stderr.contains(part), "{ran:?}");
    }
    assert_eq!(site.observed().requests, 0);
}

#[test]
fn check_shows_each_finding_with_its_line() {
    let (_list, file) = with_policy("[breaker]\nwindow = \"10s\"\n");
    let ran = fetch_all(&["policy", "check", &file]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in [
        "error: the breaker's window of 10s",
        "2 | window = \"10s\"",
        "1 error, 0 warnings",
    ] {
        assert!(ran.stdout.contains(part), "{ran:?}");
    }
    let (_list, file) = with_policy(FILE);
    let fine = fetch_all(&["policy", "check", &file]);
    assert!(
        fine.code == 0 && fine.stdout.ends_with("no errors, no warnings\n"),
        "{fine:?}"
    );
}

#[test]
fn explain_shows_the_rule_and_the_attempts() {
    let (_list, file) = with_policy(FILE);
    let ran = fetch_all(&["policy", "explain", &file, "http://a.test/status/1"]);
    for part in [
        "rule 1 of 1 (\"/status/\", line 6)",
        "attempt 2 after 1ms",
        "at most",
    ] {
        assert!(ran.stdout.contains(part), "{ran:?}");
    }
    let post = fetch_all(&["policy", "explain", &file, "-X", "POST", "http://a.test/"]);
    assert!(
        post.stdout.contains("not idempotent: retried only"),
        "{post:?}"
    );
}

#[test]
fn explain_shows_the_settings_of_a_run_and_their_origins() {
    let (_list, file) = with_policy(FILE);
    let url = "http://a.test/slow/1";
    let explain = |options: &[&str]| {
        let arguments = [&["policy", "explain", &file, url], options].concat();
        fetch_all(&arguments).stdout
    };
    let shown = explain(&["--per-host", "3", "--timeout", "/slow/=90", "-m", "7"]);
    for part in [
        "option --timeout /slow/=90, before the file's 1",
        "waits in the queue, without limit",
        "attempt 1, within 90s",
        "a body in memory of more than 64 MiB is an error; one that is saved or streamed may have any size",
        "limits.per_host = 3 (option --per-host)",
        &format!("attempts = 4 ({file}:2)"),
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("(default)"), "{shown}");
    let all = explain(&["--all"]);
    assert!(all.contains("limits.per_host = 16 (default)"), "{all}");
}

/// An option that sets a policy is one that a plan can name.
#[test]
fn every_option_that_sets_a_policy_is_named_as_an_origin() {
    let (_list, file) = with_policy(FILE);
    for (option, value, key) in [
        ("--connect-timeout", "5", "timeouts.connect"),
        ("--concurrency", "9", "limits.concurrency"),
        ("--host-max-wait", "9", "limits.host_max_wait"),
        ("--host-rate", "9/s", "limits.host_rate"),
        ("--max-retry-after", "9", "retry_after.cap"),
        ("--max-time", "9", "timeouts.attempt"),
        ("--per-host", "9", "limits.per_host"),
        ("--rate", "9/s", "limits.rate"),
        ("--read-timeout", "9", "timeouts.idle_read"),
        ("--retry", "9", "attempts"),
        ("--retry-all-errors", "", "retry_non_idempotent"),
        ("--retry-delay", "9", "backoff.base"),
        ("--retry-max-time", "9", "timeouts.total"),
        ("--retry-on", "503", "retry_statuses"),
        ("--speed-limit", "9", "stall"),
        ("--speed-time", "9", "stall"),
    ] {
        let mut arguments = vec!["policy", "explain", &file, "http://a.test/", option];
        arguments.extend((!value.is_empty()).then_some(value));
        let ran = fetch_all(&arguments);
        let named = |line: &str| {
            line.trim().starts_with(key) && line.ends_with(&format!("(option {option})"))
        };
        assert!(ran.stdout.lines().any(named), "{option}: {ran:?}");
    }
}

#[test]
fn simulate_and_replay_use_the_policy_file() {
    let (_list, file) = with_policy("default.attempts = 1");
    let none = fetch_all(&["simulate", "--policy", &file, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!(json["retries"], 0, "{none:?}");
    let site = site();
    let (list, file) = with_policy(FILE);
    let run = list.path("run");
    fetch_all(&[
        "--record",
        &run,
        "--retry",
        "0",
        &site.url("/flaky/1?key=a"),
    ]);
    let ran = fetch_all(&["replay", &run, "--policy", &file]);
    assert!(
        ran.code == 0 && ran.stdout.contains("not in the trace"),
        "{ran:?}"
    );
}

#[test]
fn a_changed_policy_file_is_reloaded_unless_it_is_wrong() {
    let site = site();
    let (list, file) = with_policy("limits.host_rate = \"1/6s\"\n");
    let urls: String = (0..3).map(|n| site.url(&format!("/get?{n}\n"))).collect();
    fs::write(list.file("list"), urls).unwrap();
    let list_path = list.path("list");
    let run = command(&["-i", &list_path, "--policy", &file])
        .spawn()
        .unwrap();
    let wait_for = |requests: u64| {
        let began = Instant::now();
        while site.observed().requests < requests {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "of {requests} requests"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for(1);
    // File times may be coarse, but a file of another length counts as changed.
    fs::write(&file, "limits.host_rate = \"nonsense\"\n").unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(site.observed().requests, 1, "the bad file changed nothing");
    fs::write(&file, "limits = { host_rate = \"1000/s\" }\n").unwrap();
    let ran = ran(run.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("the previous policy stays in effect"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("policy file reloaded"), "{ran:?}");
}
