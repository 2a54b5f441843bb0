//! Servers that are gone for a while, and some that never answer.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, Instant};

use fetch_testbed::servers::{Program, RealServer, ServerTest, is_nightly};
use serde_json::Value;

use crate::support::{command, outcomes, parse_records};

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "a_server_gone_for_four_seconds_costs_no_url",
        &[Program::Nginx],
        a_server_gone_for_four_seconds_costs_no_url,
    ),
    ServerTest::new(
        "a_server_gone_for_twenty_seconds_costs_no_url",
        &[Program::Nginx],
        a_server_gone_for_twenty_seconds_costs_no_url,
    ),
    ServerTest::new(
        "a_gateway_without_its_server_costs_no_url",
        &[Program::Nginx],
        a_gateway_without_its_server_costs_no_url,
    ),
    ServerTest::new(
        "a_dead_host_at_every_tenth_line_is_given_up_and_named",
        &[Program::Nginx],
        a_dead_host_at_every_tenth_line_is_given_up_and_named,
    ),
    ServerTest::new(
        "a_dead_host_before_all_others_does_not_hold_them_up",
        &[Program::Nginx],
        a_dead_host_before_all_others_does_not_hold_them_up,
    ),
    ServerTest::new(
        "without_the_wait_urls_fail_at_once",
        &[Program::Nginx],
        without_the_wait_urls_fail_at_once,
    ),
];

/// nginx that answers every path, and a second port on which nothing listens.
fn nginx() -> RealServer {
    RealServer::start(Program::Nginx, 2, |place| {
        format!(
            "server {{ listen 127.0.0.1:{}; location / {{ return 200 hello; }} }}",
            place.ports[0]
        )
    })
    .unwrap()
}

/// Writes a list, a URL on each line.
fn write_list(server: &RealServer, urls: impl IntoIterator<Item = String>) -> String {
    let mut list = String::new();
    for url in urls {
        writeln!(list, "{url}").unwrap();
    }
    let file = server.place().file("list");
    fs::write(&file, list).unwrap();
    file
}

fn urls(server: &RealServer, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| server.url(&format!("/{n}")))
}

/// Starts the command, and returns once the server has answered `count` requests.
fn start_and_wait_for(server: &RealServer, arguments: &[&str], count: usize) -> Child {
    let child = command(arguments).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while server.access_log().len() < count {
        assert!(Instant::now() < end, "the server gets no requests");
        thread::sleep(Duration::from_millis(10));
    }
    child
}

/// The records, and the requests that were sent for them.
fn records(output: &Output) -> (Vec<Value>, u64) {
    let records = parse_records(&output.stdout);
    let attempts = records
        .iter()
        .filter_map(|record| record["attempts"].as_array());
    let attempts = attempts.map(|list| list.len() as u64).sum();
    (records, attempts)
}

fn is_gone_for(seconds: u64) {
    const URLS: usize = 20_000;
    let mut server = nginx();
    let list = write_list(&server, urls(&server, URLS));
    let output = server.place().file("records");
    let began = Instant::now();
    let child = start_and_wait_for(&server, &["-i", &list, "-o", &output], 2000);
    server.kill();
    thread::sleep(Duration::from_secs(seconds));
    server.start_again().unwrap();
    let ended = child.wait_with_output().unwrap();
    let ended = Output {
        stdout: fs::read(output).unwrap(),
        ..ended
    };

    let (records, attempts) = records(&ended);
    let summary = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(
        outcomes(&records),
        [("ok".to_owned(), URLS)].into(),
        "{summary}"
    );
    assert!(ended.status.success(), "{summary}");
    let vain = attempts - URLS as u64;
    let (took, counts) = (began.elapsed(), outcomes(&records));
    println!("{counts:?} in {took:.1?}, gone for {seconds} s: {vain} requests in vain");
    assert!(
        (1..400).contains(&vain),
        "{vain} requests in vain: {summary}"
    );
}

fn a_server_gone_for_four_seconds_costs_no_url() {
    is_gone_for(4);
}

fn a_server_gone_for_twenty_seconds_costs_no_url() {
    if is_nightly() {
        is_gone_for(20);
    }
}

fn a_gateway_without_its_server_costs_no_url() {
    const URLS: usize = 5_000;
    let mut server = nginx();
    let origin = server.port();
    let gateway = RealServer::start(Program::Nginx, 1, |place| {
        format!(
            "server {{ listen 127.0.0.1:{}; location / {{ proxy_pass http://127.0.0.1:{origin}; }} }}",
            place.ports[0]
        )
    })
    .unwrap();
    let list = write_list(&gateway, urls(&gateway, URLS));
    let output = gateway.place().file("records");
    let child = start_and_wait_for(&gateway, &["-i", &list, "-o", &output], 500);
    server.kill();
    thread::sleep(Duration::from_secs(4));
    server.start_again().unwrap();
    let ended = child.wait_with_output().unwrap();

    let records = parse_records(&fs::read(output).unwrap());
    let summary = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(
        outcomes(&records),
        [("ok".to_owned(), URLS)].into(),
        "{summary}"
    );
}

fn a_dead_host_at_every_tenth_line_is_given_up_and_named() {
    const URLS: usize = 3_000;
    let server = nginx();
    let dead = format!("http://127.0.0.1:{}", server.place().ports[1]);
    let lines = urls(&server, URLS)
        .enumerate()
        .map(|(n, url)| match n % 10 {
            9 => format!("{dead}/{n}"),
            _ => url,
        });
    let list = write_list(&server, lines);
    // The default of 30 s for a host that never answers is tested in the nightly runs.
    let wait: &[&str] = if is_nightly() {
        &[]
    } else {
        &["--host-max-wait", "4"]
    };
    let began = Instant::now();
    let output = command(&[&["-i", &list], wait].concat()).output().unwrap();
    let took = began.elapsed();

    let (records, attempts) = records(&output);
    let summary = String::from_utf8_lossy(&output.stderr);
    let expected = [("ok".to_owned(), 2700), ("connect".to_owned(), 300)];
    assert_eq!(outcomes(&records), expected.into(), "{summary}");
    println!("{URLS} URLs, every tenth at a dead host: {took:.1?}, {attempts} requests");
    let failed = records
        .iter()
        .filter(|record| record["outcome"] == "connect");
    let named = failed.filter(|record| record["error_type"] == "host_down");
    assert!(named.count() > 290, "{summary}");
    assert!(attempts < 2700 + 200, "{attempts} requests");
    // 30 s, and much time for a busy machine.
    assert!(took < Duration::from_secs(120), "{took:?}");
}

fn a_dead_host_before_all_others_does_not_hold_them_up() {
    // More than the window of 10,000 has room for.
    const DEAD: usize = 12_000;
    const GOOD: usize = 500;
    let server = nginx();
    let dead = format!("http://127.0.0.1:{}", server.place().ports[1]);
    let dead = (0..DEAD).map(|n| format!("{dead}/{n}"));
    let list = write_list(&server, dead.chain(urls(&server, GOOD)));
    let child = start_and_wait_for(&server, &["-i", &list, "--host-max-wait", "60"], GOOD);
    let output = child.wait_with_output().unwrap();

    let records = parse_records(&output.stdout);
    let is_ok = |record: &Value| record["outcome"] == "ok";
    let good = records.iter().take(GOOD).filter(|record| is_ok(record));
    assert_eq!(good.count(), GOOD, "the good ones come first");
    assert_eq!(records.len(), DEAD + GOOD);
}

fn without_the_wait_urls_fail_at_once() {
    let server = nginx();
    let dead = format!("http://127.0.0.1:{}", server.place().ports[1]);
    let list = write_list(&server, (0..100).map(|n| format!("{dead}/{n}")));
    let arguments = ["-i", &list, "--host-max-wait", "0", "--retry-delay", "0.01"];
    let (records, attempts) = records(&command(&arguments).output().unwrap());
    assert_eq!(outcomes(&records), [("connect".to_owned(), 100)].into());
    let own = records
        .iter()
        .filter(|record| record["error_type"] == "connect");
    assert_eq!((own.count(), attempts), (100, 300));
}
