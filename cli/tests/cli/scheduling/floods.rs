//! Servers that send without an end, beside good ones.

use std::collections::HashMap;

use fetch_testbed::{Flood, FloodServer, Site};

use crate::support::*;

/// Runs the good URLs of a site beside two hosts of each flood over this protocol. Returns the records
/// of the floods by URL, after it has checked the others.
fn run_beside_floods(http2: bool, options: &[&str]) -> (Vec<(Flood, FloodServer)>, Vec<Outcome>) {
    const GOOD: usize = 200;
    let site = Site::builder().addresses(50).http2(http2);
    let site = site.start().unwrap();
    let floods = Flood::ALL.iter().filter(|flood| flood.is_http2() == http2);
    let floods = floods.flat_map(|flood| [*flood; 2]);
    let servers: Vec<_> = floods
        .map(|flood| (flood, FloodServer::start(flood).unwrap()))
        .collect();
    let bad = servers.iter().map(|(_, server)| server.url("/flood"));
    let good = (0..GOOD).map(|n| site.url_at(n % 50, &format!("/bytes/100?{n}")));
    let list = List::new(bad.chain(good).collect::<Vec<_>>().join("\n"));
    let path = list.path("list");
    let mut arguments = vec!["--threads", "1", "-i", &path];
    if http2 {
        arguments.push("--http2-prior-knowledge");
    }
    arguments.extend(options);
    let records = fetch_all(&arguments).records();
    let is_flood =
        |record: &&serde_json::Value| record["url"].as_str().unwrap().ends_with("/flood");
    let good = records.iter().filter(|record| !is_flood(record));
    assert_eq!(
        good.filter(|record| record["outcome"] == "ok").count(),
        GOOD
    );
    let by_url: HashMap<_, _> = records
        .iter()
        .filter(is_flood)
        .map(|record| (record["url"].as_str().unwrap(), record))
        .collect();
    let outcomes = servers.iter().map(|(_, server)| {
        let record = by_url[&*server.url("/flood")];
        Outcome {
            class: record["outcome"].as_str().unwrap().to_owned(),
            message: record["errormsg"].as_str().unwrap().to_owned(),
            retries: record["num_retries"].as_u64().unwrap(),
        }
    });
    let outcomes = outcomes.collect();
    (servers, outcomes)
}

#[derive(Debug)]
struct Outcome {
    class: String,
    message: String,
    retries: u64,
}

#[test]
fn floods_end_with_an_error_that_names_them_and_are_not_retried() {
    for http2 in [false, true] {
        let (servers, outcomes) = run_beside_floods(http2, &["-m", "60"]);
        for ((flood, server), outcome) in servers.iter().zip(&outcomes) {
            let ended = (outcome.class.as_str(), outcome.retries);
            assert_eq!(ended, ("protocol", 0), "{flood:?}: {outcome:?}");
            assert_eq!(server.connections(), 1, "{flood:?}");
            let what = match flood {
                Flood::BrotliMetadata
                | Flood::GzipBlocks
                | Flood::GzipMembers
                | Flood::ZstdSkippable => "sends bytes without content",
                Flood::ChunksOfOneByte => "sends chunks with hardly any data",
                Flood::ChunkExtensions | Flood::Trailers => "over 16 KiB",
                Flood::Informational => "sends informational responses",
                _ => "without data",
            };
            assert!(outcome.message.contains(what), "{flood:?}: {outcome:?}");
        }
    }
}

/// Eight endless bodies, from as many hosts.
fn endless(site: &Site) -> Vec<String> {
    (0..8).map(|n| site.url_at(n, "/endless")).collect()
}

#[test]
fn limits_fire_and_others_are_fetched_beside_endless_bodies() {
    let site = Site::builder().addresses(50).threads(2).start().unwrap();
    let good = (0..200).map(|n| site.url_at(8 + n % 42, &format!("/bytes/100?{n}")));
    let urls: Vec<_> = endless(&site).into_iter().chain(good).collect();
    let list = List::new(urls.join("\n"));
    let ran = fetch_all(&[
        "--threads",
        "1",
        "--timeout",
        "/endless=1",
        "--retry",
        "0",
        "--max-filesize",
        "100G",
        "-i",
        &list.path("list"),
    ]);
    let records = ran.records();
    let count = |outcome: &str| {
        let records = records.iter();
        records
            .filter(|record| record["outcome"] == outcome)
            .count()
    };
    assert_eq!((count("ok"), count("timeout")), (200, 8), "{}", ran.stderr);
}

#[test]
#[cfg(unix)]
fn two_signals_end_a_run_of_endless_bodies() {
    let site = Site::builder().addresses(8).start().unwrap();
    let list = List::new(endless(&site).join("\n"));
    let path = list.path("list");
    let arguments = [
        "--threads",
        "1",
        "-m",
        "0",
        "--retry-max-time",
        "0",
        "-i",
        &path,
    ];
    let child = command(&arguments)
        .args(["--max-filesize", "100G"])
        .spawn()
        .unwrap();
    let long = std::time::Duration::from_secs(60);
    site.wait_for(long, |seen| seen.in_flight == 8).unwrap();
    for _ in 0..2 {
        let kill = ["-c", &format!("kill -INT {}; sleep 0.3", child.id())];
        let status = std::process::Command::new("sh").args(kill).status();
        assert!(status.unwrap().success());
    }
    assert_eq!(ran(child.wait_with_output().unwrap()).code, 130);
}
