//! Runs with `--state` that are killed again and again: each output has each body once, and nothing is left
//! over.
//!
//! `TEST_KILLS` is the number of kills for each kind of output.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fetch_testbed::{Observed, Site};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::bodies::saved::{files, members, sha256, warc};
use crate::support::*;

const LONG: Duration = Duration::from_secs(60);

/// The kills for each kind of output, unless the environment has another number.
const KILLS: usize = 5;

/// The number of kills for each kind of output.
fn kills() -> usize {
    let given = std::env::var("TEST_KILLS");
    given.map_or(KILLS, |text| text.parse().expect("TEST_KILLS is a number"))
}

/// A pseudo-random number.
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

/// A list, its site, and the outputs of a run in one directory.
struct KilledJob {
    count: usize,
    list: List,
    options: Vec<String>,
    site: Site,
    /// The file that stdout is appended to.
    stdout: Option<PathBuf>,
}

impl KilledJob {
    /// `options` are those of the output; `{dir}` in them is the directory.
    fn new(options: &[&str]) -> Self {
        let site = site();
        let count = 400 + 60 * kills();
        let path = |n: usize| match n % 20 {
            // Large enough for a temporary file while it is received.
            3 => format!("/bytes/{}", 200_000 + n),
            7 => format!("/status/404?{n}"),
            // Three URLs each have one file name.
            _ => format!("/anything/f{}?{n}", n / 3),
        };
        let list: String = (0..count).map(|n| site.url(&path(n)) + "\n").collect();
        let list = List::new(list);
        fs::create_dir(list.file("kept")).unwrap();
        let directory = list.dir.path().to_str().unwrap().to_owned();
        let options = options.iter().map(|text| text.replace("{dir}", &directory));
        Self {
            count,
            options: options.collect(),
            list,
            site,
            stdout: None,
        }
    }

    fn command(&self) -> Command {
        let (list, state) = (self.list.path("list"), self.list.path("state"));
        let mut command = command(&["-q", "-i", &list, "--state", &state]);
        command.args(&self.options);
        command.current_dir(self.list.file("kept"));
        if let Some(path) = &self.stdout {
            let file = File::options().append(true).create(true).open(path);
            command.stdout(file.unwrap());
        }
        command
    }

    /// Kills the run at random moments, until it has been killed as often as asked for. Then completes
    /// it.
    fn kill_and_finish(&self, seed: u64) {
        let (mut seed, mut killed) = (seed, 0);
        while killed < kills() {
            let mut child = self.command().args(["--rate", "1500/s"]).spawn().unwrap();
            let more = self.site.observed().requests + random(&mut seed, 60);
            let enough = |seen: &Observed| seen.requests >= more;
            self.site.wait_for(LONG, enough).unwrap();
            std::thread::sleep(Duration::from_micros(random(&mut seed, 50_000)));
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(
                output.status.code().is_none(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            killed += 1;
        }
        let ran = ran(self.command().output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        self.check_state();
    }

    /// The same, and returns the records of the file `out`, one for each URL.
    fn kill_and_complete(&self, seed: u64) -> Vec<Value> {
        self.kill_and_finish(seed);
        let records = parse(&self.read("out"));
        self.check_urls(records.iter().map(url).collect());
        records
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.list.file(name)).unwrap()
    }

    /// Checks that each URL of the list is there once.
    fn check_urls(&self, urls: Vec<String>) {
        let different: HashSet<_> = urls.iter().collect();
        assert_eq!((urls.len(), different.len()), (self.count, self.count));
    }

    /// Checks that the state has no other files than it needs.
    fn check_state(&self) {
        for name in files(&self.list.file("state")).keys() {
            let expected =
                ["bodies.log", "lock", "state.json", "state.json.copy"].contains(&&**name);
            assert!(
                expected || name.starts_with("journal-"),
                "{name} is left over"
            );
        }
    }

    fn kept(&self) -> PathBuf {
        self.list.file("kept")
    }
}

fn url(record: &Value) -> String {
    record["url"].as_str().unwrap().to_owned()
}

fn is_ok(record: &Value) -> bool {
    record["outcome"] == "ok"
}

/// Checks that the files in a directory are those of the records, and no others.
fn check_files(root: &Path, records: &[Value]) {
    let found = files(root);
    let mut named = HashSet::new();
    for record in records.iter().filter(|record| is_ok(record)) {
        let name = record["filename_effective"].as_str().unwrap();
        let bytes = found
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(record["sha256"], sha256(bytes), "{name}");
        assert!(named.insert(name), "{name} has two records");
    }
    let left: Vec<_> = found
        .keys()
        .filter(|name| !named.contains(&***name))
        .collect();
    assert!(left.is_empty(), "left over: {left:?}");
    assert!(named.len() > 100, "{}", named.len());
}

#[test]
fn files_by_template_have_each_body_once_after_kills() {
    let template = [
        "--output-dir",
        "{dir}/kept",
        "--name-template",
        "{host}/{name}",
    ];
    let job = KilledJob::new(&[&["-o", "{dir}/out"], &template[..]].concat());
    let records = job.kill_and_complete(1);
    check_files(&job.kept(), &records);
}

#[test]
fn files_by_remote_name_have_each_body_once_after_kills() {
    let job = KilledJob::new(&["-o", "{dir}/out", "-O"]);
    let records = job.kill_and_complete(2);
    check_files(&job.kept(), &records);
}

#[test]
fn files_by_content_have_each_body_once_after_kills() {
    let job = KilledJob::new(&["-o", "{dir}/out", "--output-dir", "{dir}/kept"]);
    let records = job.kill_and_complete(3);
    check_files(&job.kept(), &records);
}

/// Checks that the shards have a body and a record for each record of the output.
fn check_tar(root: &Path, records: &[Value]) {
    let mut bodies = BTreeMap::new();
    for shard in files(root).keys() {
        assert!(shard.ends_with(".tar"), "{shard} is left over");
        let members = members(&root.join(shard));
        for pair in members.chunks(2) {
            let [(name, body), (record, json)] = pair else {
                panic!("{shard} has a body without a record")
            };
            assert!(record.ends_with(".json"), "{record}");
            let json: Value = serde_json::from_slice(json).unwrap();
            let file = format!("{shard}/{name}");
            assert_eq!(json["filename_effective"], *file);
            let before = bodies.insert(url(&json), (file, sha256(body)));
            assert_eq!(before, None, "{} is there twice", json["url"]);
        }
    }
    for record in records.iter().filter(|record| is_ok(record)) {
        let (file, digest) = bodies.remove(&url(record)).unwrap();
        assert_eq!(record["filename_effective"], file);
        assert_eq!(record["sha256"], digest);
    }
    assert!(bodies.is_empty(), "bodies without a record: {bodies:?}");
}

#[test]
fn a_tar_file_has_each_body_once_after_kills() {
    let job = KilledJob::new(&["-o", "{dir}/out", "--tar", "{dir}/kept"]);
    let records = job.kill_and_complete(4);
    check_tar(&job.kept(), &records);
}

#[test]
fn tar_shards_have_each_body_once_after_kills() {
    let shards = ["--tar", "{dir}/kept", "--tar-count", "7"];
    let job = KilledJob::new(&[&["-o", "{dir}/out"], &shards[..]].concat());
    let records = job.kill_and_complete(5);
    check_tar(&job.kept(), &records);
}

/// Checks that the WARC files have one response and one request for each record of the output.
fn check_warc(root: &Path, records: &[Value]) {
    let (mut responses, mut requests) = (HashMap::new(), HashMap::new());
    for (name, bytes) in files(root) {
        let mut plain = Vec::new();
        match name.ends_with(".gz") {
            true => MultiGzDecoder::new(&*bytes)
                .read_to_end(&mut plain)
                .map(drop),
            false => {
                plain = bytes;
                Ok(())
            }
        }
        .unwrap();
        let found = warc(&plain);
        assert_eq!(found[0].0["WARC-Type"], "warcinfo", "{name}");
        for (fields, block) in &found[1..] {
            let url = fields["WARC-Target-URI"].clone();
            match &*fields["WARC-Type"] {
                "response" => {
                    let head = block.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
                    let digest = sha256(&block[head + 4..]);
                    let before = responses.insert(url, digest);
                    assert_eq!(before, None, "{fields:?} is there twice");
                }
                "request" => assert_eq!(requests.insert(url, ()), None, "{fields:?}"),
                kind => panic!("{kind}"),
            }
        }
    }
    assert_eq!(responses.len(), requests.len());
    for record in records {
        let digest = responses.remove(&url(record));
        assert_eq!(record["sha256"], digest.unwrap(), "{}", record["url"]);
    }
    assert!(responses.is_empty(), "without a record: {responses:?}");
}

#[test]
fn a_warc_file_has_each_response_once_after_kills() {
    let job = KilledJob::new(&["-o", "{dir}/out", "--warc", "{dir}/kept/a.warc"]);
    let records = job.kill_and_complete(6);
    check_warc(&job.kept(), &records);
    assert_eq!(files(&job.kept()).len(), 1);
}

#[test]
fn compressed_warc_files_of_a_size_have_each_response_once_after_kills() {
    let size = ["--warc", "{dir}/kept/a.warc.gz", "--warc-size", "10000"];
    let job = KilledJob::new(&[&["-o", "{dir}/out"], &size[..]].concat());
    let records = job.kill_and_complete(7);
    check_warc(&job.kept(), &records);
}

#[test]
fn all_bodies_are_in_files_and_in_the_warc_after_kills() {
    let both = [
        "--output-dir",
        "{dir}/kept/files",
        "--warc",
        "{dir}/kept/warc/a.warc",
    ];
    let job = KilledJob::new(&[&["-o", "{dir}/out"], &both[..]].concat());
    fs::create_dir(job.kept().join("warc")).unwrap();
    let records = job.kill_and_complete(8);
    check_files(&job.kept().join("files"), &records);
    check_warc(&job.kept().join("warc"), &records);
}

#[test]
fn csv_has_a_header_and_a_row_for_each_url_after_kills() {
    let job = KilledJob::new(&["-o", "{dir}/csv", "--format", "csv"]);
    job.kill_and_finish(9);
    let text = job.read("csv");
    assert!(text.ends_with('\n'));
    let mut lines = text.lines();
    let header: Vec<_> = lines.next().unwrap().split(',').collect();
    let column = header.iter().position(|name| *name == "url").unwrap();
    let url = |line: &str| line.split(',').nth(column).unwrap().to_owned();
    job.check_urls(lines.map(url).collect());
}

#[test]
fn text_has_a_line_for_each_url_after_kills() {
    let job = KilledJob::new(&["-o", "{dir}/text", "--format", "text"]);
    job.kill_and_finish(10);
    let text = job.read("text");
    let url = |line: &str| {
        let mut words = line.split_whitespace();
        words.find(|word| word.contains("://")).unwrap().to_owned()
    };
    job.check_urls(text.lines().map(url).collect());
}

/// A pipe cannot be cut, so lines of the last moments before a kill may be there twice, but none is lost.
#[test]
fn no_line_of_write_out_is_lost_by_kills() {
    let mut job = KilledJob::new(&["-o", "{dir}/out", "-w", "%{url}\\n"]);
    job.stdout = Some(job.list.file("lines"));
    job.kill_and_complete(11);
    let text = job.read("lines");
    let different: HashSet<_> = text.lines().collect();
    assert_eq!(different.len(), job.count);
}
