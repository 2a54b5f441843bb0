//! Connections that real servers and proxies end: no request is lost, none is sent twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Output};
use std::thread;
use std::time::Duration;

use fetch_testbed::servers::{Program, RealServer, ServerPlace, ServerTest, Signal, is_nightly};
use serde_json::Value;

use crate::support::{command, outcomes, parse_records};

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "posts_over_reloads_of_nginx_are_neither_lost_nor_doubled",
        &[Program::Nginx],
        posts_over_reloads_of_nginx_are_neither_lost_nor_doubled,
    ),
    ServerTest::new(
        "posts_over_graceful_stops_of_nginx_are_neither_lost_nor_doubled",
        &[Program::Nginx],
        posts_over_graceful_stops_of_nginx_are_neither_lost_nor_doubled,
    ),
    ServerTest::new(
        "posts_over_kills_of_nginx_are_not_doubled_and_each_loss_is_named",
        &[Program::Nginx],
        posts_over_kills_of_nginx_are_not_doubled_and_each_loss_is_named,
    ),
    ServerTest::new(
        "a_limit_on_requests_per_http2_connection_costs_nothing",
        &[Program::Nginx],
        a_limit_on_requests_per_http2_connection_costs_nothing,
    ),
    ServerTest::new(
        "posts_through_tinyproxy_are_neither_lost_nor_doubled",
        &[Program::Tinyproxy, Program::Nginx],
        posts_through_tinyproxy_are_neither_lost_nor_doubled,
    ),
    ServerTest::new(
        "squid_is_asked_once_with_credentials_that_it_refuses",
        &[Program::Squid],
        squid_is_asked_once_with_credentials_that_it_refuses,
    ),
    ServerTest::new(
        "reloads_of_haproxy_lose_no_get",
        &[Program::Haproxy, Program::Nginx],
        reloads_of_haproxy_lose_no_get,
    ),
    ServerTest::new(
        "graceful_restarts_of_apache_lose_no_get",
        &[Program::Apache],
        graceful_restarts_of_apache_lose_no_get,
    ),
    ServerTest::new(
        "posts_around_the_keep_alive_timeout_of_nginx_are_not_lost",
        &[Program::Nginx],
        posts_around_the_keep_alive_timeout_of_nginx_are_not_lost,
    ),
];

/// How many POSTs a test sends.
fn posts() -> usize {
    if is_nightly() { 20_000 } else { 2_000 }
}

fn nginx(lines: &str) -> RealServer {
    RealServer::start(Program::Nginx, 1, |place| {
        let port = place.ports[0];
        format!("{lines}\nserver {{ listen 127.0.0.1:{port}; location / {{ return 200 hello; }} }}")
    })
    .unwrap()
}

/// Writes a list of `count` URLs, each with a number, to the directory of `server`.
fn write_list(server: &RealServer, count: usize, url: impl Fn(&str) -> String) -> String {
    let mut list = String::new();
    for n in 0..count {
        writeln!(list, "{}", url(&format!("/page?n={n}"))).unwrap();
    }
    let file = server.place().file("list");
    fs::write(&file, list).unwrap();
    file
}

fn start(list: &str, options: &[&str]) -> Child {
    let mut command = command(&["-i", list]);
    command.args(options).spawn().unwrap()
}

/// Calls `disturb` until the command has ended.
fn run_disturbed(mut child: Child, pause: Duration, mut disturb: impl FnMut()) -> Output {
    // The output is larger than a pipe's buffer.
    let waiting = thread::spawn({
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        move || {
            let read = |mut pipe: Box<dyn std::io::Read>| {
                let mut bytes = Vec::new();
                pipe.read_to_end(&mut bytes).unwrap();
                bytes
            };
            let errors = thread::spawn(move || {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut stderr.unwrap(), &mut bytes).unwrap();
                bytes
            });
            (read(Box::new(stdout.unwrap())), errors.join().unwrap())
        }
    });
    while child.try_wait().unwrap().is_none() {
        thread::sleep(pause);
        disturb();
    }
    let (stdout, stderr) = waiting.join().unwrap();
    let status = child.wait().unwrap();
    Output {
        status,
        stdout,
        stderr,
    }
}

/// How often nginx logged each path of a POST that it answered.
fn logged_posts(nginx: &RealServer) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in nginx.access_log() {
        let mut words = line.split(' ');
        let (method, path, status) = (words.next(), words.next(), words.next());
        if (method, status) == (Some("POST"), Some("200")) {
            *counts.entry(path.unwrap().to_owned()).or_default() += 1;
        }
    }
    counts
}

fn assert_none_doubled(nginx: &RealServer) {
    let counts = logged_posts(nginx);
    let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

/// The `errormsg` of all records but the successful ones.
fn errors(records: &[Value]) -> BTreeSet<String> {
    let failed = records.iter().filter(|record| record["outcome"] != "ok");
    failed
        .map(|record| record["errormsg"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Enough retries for a server that comes back.
const PATIENT: [&str; 8] = [
    "-X",
    "POST",
    "-d",
    "once",
    "--retry",
    "100",
    "--retry-delay",
    "0.1",
];

fn posts_over_reloads_of_nginx_are_neither_lost_nor_doubled() {
    let nginx = nginx("");
    let list = write_list(&nginx, posts(), |path| nginx.url(path));
    let options = ["-X", "POST", "-d", "once", "--retry", "0"];
    let mut reloads = 0;
    let output = run_disturbed(start(&list, &options), Duration::from_millis(150), || {
        nginx.signal(Signal::SIGHUP).unwrap();
        reloads += 1;
    });
    let records = parse_records(&output.stdout);
    println!("{:?} over {reloads} reloads", outcomes(&records));
    let expected = [("ok".to_owned(), posts())].into();
    assert_eq!(outcomes(&records), expected, "{:?}", errors(&records));
    assert_eq!(logged_posts(&nginx).len(), posts());
    assert_none_doubled(&nginx);
}

fn posts_over_graceful_stops_of_nginx_are_neither_lost_nor_doubled() {
    let mut nginx = nginx("");
    let list = write_list(&nginx, posts(), |path| nginx.url(path));
    let child = start(&list, &PATIENT);
    let mut stops = 0;
    let output = run_disturbed(child, Duration::from_millis(500), || {
        nginx.signal(Signal::SIGQUIT).unwrap();
        nginx.wait().unwrap();
        nginx.start_again().unwrap();
        stops += 1;
    });
    let records = parse_records(&output.stdout);
    let counts = outcomes(&records);
    println!("{counts:?} over {stops} stops");
    assert_eq!(records.len(), posts());
    let (ok, unanswered) = (counts["ok"], counts.get("unanswered").copied().unwrap_or(0));
    assert_eq!(
        ok + unanswered,
        posts(),
        "{counts:?} {:?}",
        errors(&records)
    );
    // What has no answer was not processed: a server that has no time to accept a connection resets it when it
    // stops. Per host, 16 requests are in flight.
    assert_eq!(logged_posts(&nginx).len(), ok);
    let most = if is_nightly() { 0 } else { 16 * stops };
    assert!(unanswered <= most, "{counts:?} over {stops} stops");
    assert_none_doubled(&nginx);
}

fn posts_over_kills_of_nginx_are_not_doubled_and_each_loss_is_named() {
    let mut nginx = nginx("");
    let list = write_list(&nginx, posts(), |path| nginx.url(path));
    let mut kills = 0;
    let child = start(&list, &PATIENT);
    let output = run_disturbed(child, Duration::from_millis(700), || {
        nginx.kill();
        nginx.start_again().unwrap();
        kills += 1;
    });
    let records = parse_records(&output.stdout);
    let counts = outcomes(&records);
    println!("{counts:?} over {kills} kills");
    assert_eq!(records.len(), posts());
    let unanswered = counts.get("unanswered").copied().unwrap_or(0);
    assert_eq!(counts["ok"] + unanswered, posts(), "{:?}", errors(&records));
    // Per host, 16 requests are in flight.
    assert!(unanswered <= 16 * kills, "{counts:?} after {kills} kills");
    for text in errors(&records) {
        assert!(text.contains("may have processed"), "{text}");
    }
    assert_none_doubled(&nginx);
}

fn a_limit_on_requests_per_http2_connection_costs_nothing() {
    const URLS: usize = 2_000;
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let nginx = RealServer::start(Program::Nginx, 1, |place: &ServerPlace| {
        let (certificate, key) = (place.file("certificate.pem"), place.file("key.pem"));
        fs::write(&certificate, signed.cert.pem()).unwrap();
        fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
        format!(
            "keepalive_requests 10;\nserver {{ listen 127.0.0.1:{} ssl http2;\n\
             ssl_certificate {certificate}; ssl_certificate_key {key};\n\
             location / {{ return 200 hello; }} }}",
            place.ports[0]
        )
    })
    .unwrap();
    let url = |path: &str| nginx.url(path).replace("http:", "https:");
    let list = write_list(&nginx, URLS, url);
    for per_host in ["16", "100"] {
        let options = ["-k", "--retry", "0", "--per-host", per_host];
        let before = nginx.access_log().len();
        let output = start(&list, &options).wait_with_output().unwrap();
        let records = parse_records(&output.stdout);
        let expected = [("ok".to_owned(), URLS)].into();
        assert_eq!(outcomes(&records), expected, "{:?}", errors(&records));
        let logged = nginx.access_log().len() - before;
        println!("{logged} requests for {URLS} URLs, --per-host {per_host}");
        assert!(logged * 100 <= URLS * 105, "{logged} requests");
    }
}

fn posts_through_tinyproxy_are_neither_lost_nor_doubled() {
    const POSTS: usize = 1_000;
    let nginx = nginx("");
    let proxy = RealServer::start(Program::Tinyproxy, 1, |place| {
        format!("Port {}", place.ports[0])
    });
    let proxy = proxy.unwrap();
    let list = write_list(&nginx, POSTS, |path| nginx.url(path));
    let options = ["-X", "POST", "-d", "once", "--retry", "0", "-x"];
    let mut options = options.to_vec();
    let at = proxy.url("");
    options.push(&at);
    let output = start(&list, &options).wait_with_output().unwrap();
    let records = parse_records(&output.stdout);
    let expected = [("ok".to_owned(), POSTS)].into();
    assert_eq!(outcomes(&records), expected, "{:?}", errors(&records));
    assert_eq!(logged_posts(&nginx).len(), POSTS);
    assert_none_doubled(&nginx);
}

fn squid_is_asked_once_with_credentials_that_it_refuses() {
    const URLS: usize = 50;
    let squid = RealServer::start(Program::Squid, 1, |place| {
        // A helper that accepts nobody.
        format!(
            "http_port 127.0.0.1:{}\nauth_param basic program /bin/sh -c \"while read x; do echo ERR; done\"\n\
             auth_param basic realm test\nacl users proxy_auth REQUIRED\nhttp_access allow users\n\
             http_access deny all",
            place.ports[0]
        )
    });
    let squid = squid.unwrap();
    let list = write_list(&squid, URLS, |path| format!("https://a.test{path}"));
    let proxy = squid.url("").replace("http://", "http://me:wrong@");
    let output = start(&list, &["-x", &proxy, "--retry-delay", "0.1"]);
    let output = output.wait_with_output().unwrap();
    let records = parse_records(&output.stdout);
    assert_eq!(outcomes(&records), [("connect".to_owned(), URLS)].into());
    for record in &records {
        assert_eq!(record["error_type"], "proxy_refused");
        let text = record["errormsg"].as_str().unwrap();
        assert!(
            text.contains("did not accept the user name and password"),
            "{text}"
        );
        assert!(!text.contains("the server listens there"), "{text}");
    }
    let asked = squid
        .access_log()
        .iter()
        .filter(|line| line.contains("CONNECT"))
        .count();
    assert_eq!(asked, 1, "{:?}", squid.access_log());
}

fn reloads_of_haproxy_lose_no_get() {
    const URLS: usize = 3_000;
    let nginx = nginx("");
    let haproxy = RealServer::start(Program::Haproxy, 1, |place| {
        format!(
            "frontend front\n  bind 127.0.0.1:{}\n  default_backend back\nbackend back\n  server nginx 127.0.0.1:{}",
            place.ports[0],
            nginx.port()
        )
    });
    let haproxy = haproxy.unwrap();
    let list = write_list(&haproxy, URLS, |path| haproxy.url(path));
    let output = run_disturbed(start(&list, &[]), Duration::from_millis(300), || {
        haproxy.signal(Signal::SIGUSR2).unwrap();
    });
    let records = parse_records(&output.stdout);
    let expected = [("ok".to_owned(), URLS)].into();
    assert_eq!(outcomes(&records), expected, "{:?}", errors(&records));
}

fn graceful_restarts_of_apache_lose_no_get() {
    const URLS: usize = 3_000;
    let apache = RealServer::start(Program::Apache, 1, |place| {
        format!("Listen 127.0.0.1:{}", place.ports[0])
    });
    let apache = apache.unwrap();
    apache.write_page("page", "hello").unwrap();
    let list = write_list(&apache, URLS, |path| apache.url(path));
    let output = run_disturbed(start(&list, &[]), Duration::from_millis(500), || {
        apache.signal(Signal::SIGUSR1).unwrap();
    });
    let records = parse_records(&output.stdout);
    let expected = [("ok".to_owned(), URLS)].into();
    assert_eq!(outcomes(&records), expected, "{:?}", errors(&records));
}

fn posts_around_the_keep_alive_timeout_of_nginx_are_not_lost() {
    let nginx = nginx("keepalive_timeout 1s;");
    let list = write_list(&nginx, 60, |path| nginx.url(path));
    // About one in 100 ms each of 10 slots: each connection is idle for about a second.
    let options = [
        "-X",
        "POST",
        "-d",
        "once",
        "--retry",
        "0",
        "--host-rate",
        "20/s",
    ];
    let output = start(&list, &options).wait_with_output().unwrap();
    let records = parse_records(&output.stdout);
    assert_eq!(outcomes(&records), [("ok".to_owned(), 60)].into());
    assert_none_doubled(&nginx);
}
