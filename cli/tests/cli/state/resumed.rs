//! Runs that resume others with `--state`.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fetch_testbed::{Observed, Site};
use serde_json::{Value, json};

use crate::support::*;

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A list with a state, and the site of its URLs.
pub(crate) struct Job {
    pub(crate) list: List,
    pub(crate) site: Site,
}

impl Job {
    /// A list of `count` URLs. `path` returns the path of the URL with this number.
    pub(crate) fn new(count: usize, path: impl Fn(usize) -> String) -> Self {
        let site = site();
        let lines: String = (0..count).map(|n| site.url(&path(n)) + "\n").collect();
        let list = List::new(lines);
        Self { list, site }
    }

    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let (list, out) = (self.list.path("list"), self.list.path("out"));
        let state = self.list.path("state");
        command(&[&["-i", &list, "-o", &out, "--state", &state], options].concat())
    }

    pub(crate) fn run(&self, options: &[&str]) -> Ran {
        ran(self.command(options).output().unwrap())
    }

    /// The records, all complete.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.list.file("out")).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        parse(&text)
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        let records = self.records();
        let url = |record: &Value| record["url"].as_str().unwrap().to_owned();
        records.iter().map(url).collect()
    }

    pub(crate) fn hits(&self, url: &str) -> u64 {
        let start = self.site.url("").len();
        self.site.hits(&url[start..])
    }

    /// Checks that every URL has exactly one record, and succeeded.
    pub(crate) fn check(&self, count: usize) {
        let urls = self.urls();
        assert_eq!(urls.len(), count);
        let different: HashSet<_> = urls.iter().collect();
        assert_eq!(different.len(), count);
        assert!(
            self.records()
                .iter()
                .all(|record| record["outcome"] == "ok")
        );
    }
}

/// A pseudo-random number.
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

#[test]
fn a_hundred_kills_at_random_moments_lose_and_repeat_nothing_durable() {
    const COUNT: usize = 8_000;
    const KILLS: u32 = 110;
    let job = Job::new(COUNT, |n| format!("/bytes/1?{n}"));
    let empty = job.list.path("empty");
    fs::write(&empty, "").unwrap();
    let (mut safe, mut requests, mut seed, mut kills) = (Vec::new(), 0, 7, 0);
    let mut bytes = Vec::new();
    while kills < KILLS {
        let mut child = job.command(&["-s", "--rate", "2000/s"]).spawn().unwrap();
        // Some runs are killed before their first request, most of them later.
        let more = requests + random(&mut seed, 60);
        let enough = |seen: &Observed| seen.requests >= more;
        job.site.wait_for(LONG, enough).unwrap();
        std::thread::sleep(Duration::from_millis(random(&mut seed, 60)));
        child.kill().unwrap();
        kills += u32::from(child.wait().unwrap().code().is_none());
        // A run with an empty list removes records that are not durable.
        let (out, state) = (job.list.path("out"), job.list.path("state"));
        let ran = fetch_all(&["-s", "-i", &empty, "-o", &out, "--state", &state]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let now = fs::read(&out).unwrap();
        assert!(now.starts_with(&bytes), "a record is lost");
        for record in parse(str::from_utf8(&now[bytes.len()..]).unwrap()) {
            let url = record["url"].as_str().unwrap().to_owned();
            safe.push((job.hits(&url), url));
        }
        (bytes, requests) = (now, job.site.observed().requests);
    }
    assert!((1..COUNT).contains(&safe.len()), "{}", safe.len());
    let ran = job.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let skipped = format!("skipped   {} URLs: completed by an earlier run", safe.len());
    assert!(ran.stderr.contains(&skipped), "{skipped}: {}", ran.stderr);
    job.check(COUNT);
    for (hits, url) in &safe {
        assert_eq!(
            job.hits(url),
            *hits,
            "{url} was fetched again, although its record was durable"
        );
    }
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status();
    assert!(status.unwrap().success());
}

#[test]
#[cfg(unix)]
fn after_ctrl_c_the_same_command_resumes() {
    let job = Job::new(3, |n| {
        format!("/delay/{}?{n}", if n == 0 { "0.3" } else { "0" })
    });
    let child = job.command(&["-j", "1"]).spawn().unwrap();
    job.site.wait_for(LONG, |seen| seen.in_flight == 1).unwrap();
    signal(&child, "INT");
    let stopped = ran(child.wait_with_output().unwrap());
    assert_eq!(stopped.code, 130);
    for told in ["2 not finished", "run the same command again to resume"] {
        assert!(stopped.stderr.contains(told), "{}", stopped.stderr);
    }
    assert_eq!(job.records().len(), 1);
    let ran = job.run(&["-j", "1"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr
            .contains("skipped   1 URL: completed by an earlier run"),
        "{}",
        ran.stderr
    );
    job.check(3);
    assert_eq!(job.site.observed().requests, 3);
}

#[test]
#[cfg(unix)]
fn after_a_second_ctrl_c_aborted_fetches_are_repeated() {
    let job = Job::new(2, |n| {
        format!("/delay/{}?{n}", if n == 0 { "0" } else { "8" })
    });
    let mut child = job.command(&["-m", "0"]).spawn().unwrap();
    let asked = |seen: &Observed| seen.requests == 2 && seen.in_flight == 1;
    job.site.wait_for(LONG, asked).unwrap();
    signal(&child, "INT");
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = stderr.next().unwrap().unwrap();
    assert!(told.contains("Ctrl-C again to abort"), "{told}");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let first = job.site.url("/delay/0?0");
    assert_eq!(job.urls(), [first.as_str()]);
    let ran = job.run(&["-m", "0.1", "--retry", "0"]);
    assert!(
        ran.stderr
            .contains("skipped   1 URL: completed by an earlier run"),
        "{}",
        ran.stderr
    );
    assert_eq!((job.hits(&first), job.records().len()), (1, 2));
}

#[test]
fn another_list_skips_completed_urls_and_known_invalid_lines() {
    let job = Job::new(3, |n| format!("/get?{n}"));
    assert_eq!(job.run(&[]).code, 0);
    let lines = [
        &job.site.url("/get?1"),
        &job.site.url("/get?new"),
        "nonsense",
        "nonsense",
        &job.site.url("/get?new"),
    ];
    fs::write(job.list.file("list"), lines.join("\n")).unwrap();
    let ran = job.run(&[]);
    assert_eq!(ran.code, 2);
    for part in [
        "skipped   2 duplicates",
        "skipped   1 URL: completed by an earlier run",
    ] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    let outcomes: Vec<_> = job.records().iter().map(|r| r["outcome"].clone()).collect();
    assert_eq!(outcomes.len(), 5);
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == "invalid")
            .count(),
        1
    );
    assert_eq!(job.site.observed().requests, 4);
    let ran = job.run(&[]);
    assert_eq!((ran.code, job.records().len()), (0, 5));
}

#[test]
fn failures_are_completed_until_retry_failed() {
    let job = Job::new(2, |n| {
        if n == 0 {
            "/flaky/1?key=a".into()
        } else {
            "/get".into()
        }
    });
    assert_eq!(job.run(&["--retry", "0"]).code, 0);
    assert_eq!(job.records().len(), 2);
    let ran = job.run(&["--retry", "0"]);
    assert!(
        ran.stderr
            .contains("2 URLs: completed by an earlier run, 1 with a failure: --retry-failed"),
        "{}",
        ran.stderr
    );
    assert_eq!(job.records().len(), 2);
    let ran = job.run(&["--retry", "0", "--retry-failed"]);
    assert!(ran.stderr.contains("1 ok, 1 skipped"), "{}", ran.stderr);
    let last = job.records().pop().unwrap();
    assert_eq!(
        (&last["outcome"], &last["response_code"]),
        (&json!("ok"), &json!(200))
    );
    assert_eq!(job.site.observed().requests, 3);
    assert_eq!(
        fetch_all(&["--retry-failed", &job.site.url("/get")]).code,
        2
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_stops_the_run_and_the_same_command_resumes() {
    let job = Job::new(1_000, |n| format!("/bytes/1?{n}"));
    let plain = job.command(&[]);
    // The limit is in blocks of 512 bytes; the records reach it first.
    for blocks in [100, 300] {
        let mut limited = Command::new("sh");
        let script = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$0\" \"$@\"");
        limited
            .args(["-c", &script])
            .arg(plain.get_program())
            .args(plain.get_args());
        let ran = ran(limited.stdin(Stdio::null()).output().unwrap());
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("cannot be written further"),
            "{}",
            ran.stderr
        );
    }
    // Records go to a full device, which does not damage the state.
    let (list, state) = (job.list.path("list"), job.list.path("state"));
    let full = fetch_all(&["-i", &list, "-o", "/dev/full", "--state", &state]);
    let told = "/dev/full: cannot be written further: No space left on device (os error 28): make \
        room, then run the same command again";
    assert!(
        full.code == 3 && full.stderr.contains(told),
        "{}",
        full.stderr
    );
    let ran = job.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("URLs: completed by an earlier run"),
        "{}",
        ran.stderr
    );
    job.check(1_000);
}

#[test]
#[cfg(target_os = "linux")]
fn an_unwritable_journal_stops_the_run_and_the_state_stays_valid() {
    let job = Job::new(3_000, |n| format!("/bytes/1?{n}"));
    let (list, state) = (job.list.path("list"), job.list.path("state"));
    let plain = command(&["-i", &list, "--out-null", "--state", &state]);
    let mut limited = Command::new("sh");
    let script = "ulimit -f 20; trap '' XFSZ; exec \"$0\" \"$@\"";
    limited
        .args(["-c", script])
        .arg(plain.get_program())
        .args(plain.get_args());
    let stopped = ran(limited.stdin(Stdio::null()).output().unwrap());
    assert_eq!(stopped.code, 3, "{}", stopped.stderr);
    let told = format!("--state {state}: cannot be written further: journal-1: ");
    assert!(stopped.stderr.contains(&told), "{}", stopped.stderr);
    let done = ran(command(&["-i", &list, "--out-null", "--state", &state])
        .output()
        .unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stderr.contains("URLs: completed by an earlier run"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_state_is_used_by_one_run_at_a_time() {
    let job = Job::new(1, |_| "/get".into());
    let mut child = job
        .command(&["-i", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", job.site.url("/get?first")).unwrap();
    job.site.wait_for(LONG, |seen| seen.requests == 2).unwrap();
    let second = job.run(&[]);
    assert_eq!(second.code, 3);
    let told = format!("is in use by process {}: wait for it", child.id());
    assert!(second.stderr.contains(&told), "{}", second.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(job.run(&[]).code, 0);
}

#[test]
fn an_unusable_state_is_reported_before_any_request() {
    let job = Job::new(1, |_| "/get".into());
    assert_eq!(job.run(&[]).code, 0);
    let (list, out, state) = (
        job.list.path("list"),
        job.list.path("out"),
        job.list.path("state"),
    );
    let other = job.list.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(job.list.file("other/notes.txt"), "mine").unwrap();
    let before = job.site.observed().requests;
    for (state, options, code, told) in [
        (&list, &[][..], 3, "is not a directory"),
        (&other, &[], 3, "has files, such as notes.txt, but no state"),
        (&state, &["-X", "PUT"], 2, "method was GET and is PUT"),
        (
            &state,
            &["-d", "a=b"],
            2,
            "body was none and is 3 bytes (sha256:",
        ),
        (
            &state,
            &["--format", "text"],
            3,
            "has records of --format jsonl",
        ),
    ] {
        let base = ["-i", &list, "-o", &out, "--state", state];
        let ran = fetch_all(&[&base, options].concat());
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    fs::write(job.list.file("state/state.json"), [0xff, 0]).unwrap();
    assert!(
        job.run(&[])
            .stderr
            .contains("state.json is damaged, or not of fetch-all")
    );
    assert_eq!(job.site.observed().requests, before);
    assert_eq!(job.records().len(), 1);
}

#[test]
fn stdout_has_only_records_of_this_run() {
    let job = Job::new(3, |n| format!("/get?{n}"));
    let (list, state) = (job.list.path("list"), job.list.path("state"));
    let run = || fetch_all(&["-i", &list, "--state", &state]);
    assert_eq!(run().records().len(), 3);
    assert_eq!(run().records().len(), 0);
}
