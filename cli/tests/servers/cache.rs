//! A cache in Redis.

use std::fs;

use fetch_testbed::servers::{Program, RealServer, ServerTest, Signal};
use serde_json::{Value, json};

use crate::support::{command, outcomes, parse_records};

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "runs_share_a_cache_in_redis",
        &[Program::Nginx, Program::Redis],
        runs_share_a_cache_in_redis,
    ),
    ServerTest::new(
        "redis_that_stops_in_the_run_costs_no_fetch",
        &[Program::Nginx, Program::Redis],
        redis_that_stops_in_the_run_costs_no_fetch,
    ),
];

/// nginx, whose pages are fresh for an hour, Redis, and its URL.
fn servers() -> (RealServer, RealServer, String) {
    let nginx = RealServer::start(Program::Nginx, 1, |place| {
        let port = place.ports[0];
        format!(
            "server {{ listen 127.0.0.1:{port}; location / {{ expires 1h; return 200 page; }} }}"
        )
    });
    let redis = RealServer::start(Program::Redis, 1, |_| String::new()).unwrap();
    let url = format!("redis://127.0.0.1:{}", redis.port());
    (nginx.unwrap(), redis, url)
}

fn runs_share_a_cache_in_redis() {
    let (nginx, _redis, store) = servers();
    let run = || -> Value {
        let output = command(&["--cache", &store, &nginx.url("/page")])
            .output()
            .unwrap();
        parse_records(&output.stdout).remove(0)
    };
    assert_eq!(run()["cache"], json!("miss"));
    // A lookup that takes too long on a busy machine is a miss.
    assert!((0..50).any(|_| run()["cache"] == json!("hit")));
}

fn redis_that_stops_in_the_run_costs_no_fetch() {
    const URLS: usize = 3_000;
    let (nginx, redis, store) = servers();
    let urls: Vec<_> = (0..URLS).map(|n| nginx.url(&format!("/{n}"))).collect();
    let list = nginx.place().file("list");
    fs::write(&list, urls.join("\n")).unwrap();
    let mut child = command(&["--cache", &store, "-i", &list, "--rate", "1500/s"])
        .spawn()
        .unwrap();
    while redis_keys(&redis) < 50 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    redis.signal(Signal::SIGSTOP).unwrap();
    let output = child.wait_with_output().unwrap();
    let records = parse_records(&output.stdout);
    assert_eq!(outcomes(&records), [("ok".to_owned(), URLS)].into());
}

/// How many keys it has.
fn redis_keys(redis: &RealServer) -> usize {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    stream.write_all(b"DBSIZE\r\nQUIT\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let number = text
        .strip_prefix(':')
        .and_then(|text| text.split("\r\n").next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
