//! `plan`, `work`, `status` and `collect` with a real Redis, and workers that end at any time.

mod site;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use fetch_testbed::servers::{Program, RealServer, ServerTest};
use serde_json::Value;

use self::site::CountingSite;
use crate::support::{command, parse_records};

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "two_workers_fetch_each_url_of_a_list_once",
        &[Program::Redis],
        two_workers,
    ),
    ServerTest::new(
        "killed_workers_lose_and_double_no_record_and_exceed_no_limit_per_host",
        &[Program::Redis],
        killed_workers,
    ),
    ServerTest::new(
        "a_worker_that_was_stopped_past_its_lease_commits_nothing",
        &[Program::Redis],
        stopped_worker,
    ),
    ServerTest::new(
        "a_run_goes_on_after_redis_has_lost_it",
        &[Program::Redis],
        lost_queue,
    ),
    ServerTest::new(
        "a_url_that_crashes_its_workers_is_set_aside",
        &[Program::Redis],
        crashing_url,
    ),
    ServerTest::new(
        "a_run_is_planned_once_and_worked_on_by_one_version",
        &[Program::Redis],
        refused,
    ),
];

/// A run with a queue, a store and a site.
struct Run {
    redis: RealServer,
    directory: tempfile::TempDir,
    site: CountingSite,
}

impl Run {
    fn new(site: CountingSite) -> Self {
        Self {
            redis: RealServer::start(Program::Redis, 1, |_| String::new()).unwrap(),
            directory: tempfile::tempdir().unwrap(),
            site,
        }
    }

    fn results(&self) -> String {
        self.directory.path().join("run").display().to_string()
    }

    /// The subcommand, with the options that all have.
    fn command(&self, subcommand: &str, options: &[&str]) -> Command {
        let queue = format!("redis://127.0.0.1:{}", self.redis.port());
        let results = self.results();
        let mut all = vec![subcommand, "--results", &results];
        if subcommand != "collect" {
            all.extend(["--queue", &queue]);
        }
        all.extend(options);
        command(&all)
    }

    fn output(&self, subcommand: &str, options: &[&str]) -> Output {
        self.command(subcommand, options).output().unwrap()
    }

    /// Plans a list of paths at hosts.
    fn plan(&self, urls: &[String], lease: &str) {
        let mut list = String::new();
        for url in urls {
            writeln!(list, "{url}").unwrap();
        }
        let file = self.directory.path().join("list").display().to_string();
        fs::write(&file, list).unwrap();
        let output = self.output(
            "plan",
            &["-i", &file, "--partitions", "16", "--lease", lease],
        );
        assert!(output.status.success(), "{output:?}");
    }

    fn start_worker(&self) -> Child {
        let to = format!("::{}", self.site.address());
        let options = ["--per-host", "2", "--connect-to", &to, "--threads", "1"];
        self.command("work", &options).spawn().unwrap()
    }

    fn collect(&self) -> Vec<Value> {
        parse_records(&self.output("collect", &[]).stdout)
    }

    fn status(&self) -> Value {
        let output = self.output("status", &["--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// Every URL has one record, and no host had more than two requests at a time.
    fn check(&self, urls: &[String]) {
        let mut records = BTreeMap::<String, u32>::new();
        for record in self.collect() {
            *records
                .entry(record["url"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        let expected = urls.iter().map(|url| (url.clone(), 1));
        assert_eq!(records, expected.collect());
        assert!(
            self.site.most_at_a_host() <= 2,
            "{}",
            self.site.most_at_a_host()
        );
    }
}

fn urls(hosts: u32, each: u32) -> Vec<String> {
    let urls = (0..hosts * each).map(|n| format!("http://h{}.test/page/{n}", n % hosts));
    urls.collect()
}

/// Waits until `is_true`, for two minutes at most.
fn wait_until(mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_true() {
        assert!(Instant::now() < end, "not within two minutes");
        thread::sleep(Duration::from_millis(20));
    }
}

fn finish(worker: Child) {
    let output = worker.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
}

fn signal(worker: &Child, name: &str) {
    let id = worker.id().to_string();
    assert!(
        Command::new("kill")
            .args([name, &id])
            .status()
            .unwrap()
            .success()
    );
}

fn two_workers() {
    let run = Run::new(CountingSite::start(Duration::from_millis(5)));
    let urls = urls(10, 30);
    run.plan(&urls, "20");
    let workers = [run.start_worker(), run.start_worker()];
    workers.into_iter().for_each(finish);
    run.check(&urls);
    assert_eq!(run.site.requests(), 300);
    let status = run.status();
    assert_eq!(
        (&status["done"], &status["leased"]),
        (&300.into(), &0.into())
    );
    assert_eq!(status["complete"], status["partitions"]);
}

fn killed_workers() {
    let kills = if fetch_testbed::servers::is_nightly() {
        200
    } else {
        10
    };
    let run = Run::new(CountingSite::start(Duration::from_millis(20)));
    let urls = urls(20, 150 * kills / 10);
    run.plan(&urls, "2");
    let mut workers: Vec<_> = (0..4).map(|_| run.start_worker()).collect();
    for kill in 0..kills as usize {
        let before = run.site.requests();
        wait_until(|| run.site.requests() > before + 20 || run.status()["done"] == urls.len());
        let worker = &mut workers[kill * 7 % 4];
        worker.kill().unwrap();
        worker.wait().unwrap();
        *worker = run.start_worker();
    }
    workers.into_iter().for_each(finish);
    run.check(&urls);
}

fn stopped_worker() {
    let run = Run::new(CountingSite::start(Duration::from_millis(20)));
    let urls = urls(8, 60);
    run.plan(&urls, "2");
    let stopped = run.start_worker();
    wait_until(|| run.site.requests() > 30);
    signal(&stopped, "-STOP");
    finish(run.start_worker());
    let before = run.collect().len();
    signal(&stopped, "-CONT");
    finish(stopped);
    assert_eq!(before, urls.len());
    run.check(&urls);
}

fn lost_queue() {
    let mut run = Run::new(CountingSite::start(Duration::from_millis(20)));
    let urls = urls(8, 60);
    run.plan(&urls, "2");
    let worker = run.start_worker();
    wait_until(|| run.site.requests() > 30);
    run.redis.kill();
    run.redis.start_again().unwrap();
    let output = run.output("plan", &["--resume"]);
    assert!(output.status.success(), "{output:?}");
    finish(worker);
    run.check(&urls);
}

fn crashing_url() {
    let site = CountingSite::start(Duration::from_millis(5));
    let run = Run::new(site);
    let mut urls = urls(1, 10);
    urls.insert(4, "http://h0.test/crash".to_owned());
    run.plan(&urls, "1");
    // The site has workers killed that ask for the page.
    let mut deliveries = 0;
    loop {
        let mut worker = run.start_worker();
        deliveries += 1;
        assert!(deliveries < 20, "it is not set aside");
        let crashes = run.site.crashes();
        let mut has_ended = false;
        wait_until(|| {
            has_ended = worker.try_wait().unwrap().is_some();
            has_ended || run.site.crashes() > crashes
        });
        if has_ended {
            finish(worker);
            break;
        }
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    let records = run.collect();
    assert_eq!(records.len(), urls.len());
    let ok = records.iter().filter(|record| record["outcome"] == "ok");
    assert_eq!(ok.count(), 10);
    let crashed = records
        .iter()
        .find(|record| record["url"] == urls[4].as_str());
    let message = crashed.unwrap()["errormsg"].as_str().unwrap();
    assert!(message.starts_with("set aside: "), "{message}");
    assert_eq!(run.status()["set_aside"], 1);
}

fn refused() {
    let run = Run::new(CountingSite::start(Duration::ZERO));
    let fails = |output: Output, text: &str| {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(2) && errors.contains(text),
            "{errors}"
        );
    };
    fails(run.output("work", &[]), "nothing is planned here");
    run.plan(&urls(2, 2), "5");
    let file = run.directory.path().join("list").display().to_string();
    fails(
        run.output("plan", &["-i", &file]),
        "a run is planned here already",
    );
    assert!(run.output("plan", &["--resume"]).status.success());
    let description = run.directory.path().join("run/run.json");
    let text = fs::read_to_string(&description).unwrap();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["version"] = "0.0.1".into();
    fs::write(&description, other.to_string()).unwrap();
    fails(run.output("work", &[]), "planned by version 0.0.1");
}
