//! Servers that limit the rate of requests.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use fetch_testbed::servers::{Program, RealServer, ServerTest, is_nightly};
use serde_json::Value;

use crate::support::{command, outcomes, parse_records};

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "a_limit_without_retry_after_costs_no_url",
        &[Program::Nginx],
        a_limit_without_retry_after_costs_no_url,
    ),
    ServerTest::new(
        "a_limit_with_retry_after_costs_no_url",
        &[Program::Nginx],
        a_limit_with_retry_after_costs_no_url,
    ),
    ServerTest::new(
        "a_limit_that_answers_503_is_no_outage",
        &[Program::Nginx],
        a_limit_that_answers_503_is_no_outage,
    ),
    ServerTest::new(
        "a_host_that_is_not_limited_does_not_wait_for_one_that_is",
        &[Program::Nginx],
        a_host_that_is_not_limited_does_not_wait_for_one_that_is,
    ),
];

/// nginx with `/page` within the limits of `limit`, and without on its second port.
fn start(limit: &str) -> RealServer {
    let nginx = RealServer::start(Program::Nginx, 2, |place| {
        format!(
            "limit_req_log_level info;\nmap $status $retry_after {{ 429 1; default \"\"; }}\nlimit_req_zone $server_name zone=z:1m rate=200r/s;\n\
             server {{ listen 127.0.0.1:{}; server_name z; limit_req zone=z{limit} }}\n\
             server {{ listen 127.0.0.1:{}; }}",
            place.ports[0], place.ports[1],
        )
    })
    .unwrap();
    nginx.write_page("page", "hello").unwrap();
    nginx
}

/// Fetches so many URLs of nginx. Returns the records and how long it took.
fn fetch(nginx: &RealServer, urls: usize, options: &[&str]) -> (Vec<Value>, Duration) {
    let mut list = String::new();
    for n in 0..urls {
        writeln!(list, "{}", nginx.url(&format!("/page?n={n}"))).unwrap();
    }
    let file = nginx.place().file("list");
    fs::write(&file, list).unwrap();
    let begin = Instant::now();
    let output = command(&["-i", &file]).args(options).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    (parse_records(&output.stdout), begin.elapsed())
}

/// Whether it took at most 1.3 times as long as at the limit, besides `pauses`, in a nightly run; otherwise ten
/// times, because the machine may be busy.
fn is_in_time(took: Duration, urls: usize, pauses: Duration) -> bool {
    let ideal = Duration::from_millis(urls as u64 * 1000 / 200);
    println!("{urls} URLs in {took:.1?}, at the limit {ideal:.1?}");
    took.saturating_sub(pauses)
        < if is_nightly() {
            ideal * 13 / 10
        } else {
            ideal * 10
        }
}

fn a_limit_without_retry_after_costs_no_url() {
    const URLS: usize = 1_500;
    let nginx = start("; limit_req_status 429;");
    let (records, took) = fetch(&nginx, URLS, &["--threads", "2"]);
    assert_eq!(outcomes(&records), [("ok".to_owned(), URLS)].into());
    assert!(is_in_time(took, URLS, Duration::ZERO), "{took:?}");
}

fn a_limit_with_retry_after_costs_no_url() {
    const URLS: usize = 1_500;
    let nginx = start(
        " burst=20 nodelay; limit_req_status 429; add_header Retry-After $retry_after always;",
    );
    let (records, took) = fetch(&nginx, URLS, &[]);
    assert_eq!(outcomes(&records), [("ok".to_owned(), URLS)].into());
    // Each refusal of the search costs a pause of a second.
    let pauses = Duration::from_secs(6);
    assert!(is_in_time(took, URLS, pauses), "{took:?}");
}

fn a_limit_that_answers_503_is_no_outage() {
    const URLS: usize = 1_500;
    let nginx = start(" burst=20 nodelay;");
    let (records, took) = fetch(&nginx, URLS, &[]);
    assert_eq!(outcomes(&records), [("ok".to_owned(), URLS)].into());
    assert!(is_in_time(took, URLS, Duration::ZERO), "{took:?}");
}

fn a_host_that_is_not_limited_does_not_wait_for_one_that_is() {
    const URLS: usize = 600;
    let nginx = start("; limit_req_status 429;");
    let port = nginx.place().ports[1];
    let mut list = String::new();
    for n in 0..URLS {
        writeln!(list, "{}", nginx.url(&format!("/page?n={n}"))).unwrap();
        writeln!(list, "http://127.0.0.1:{port}/page?n={n}").unwrap();
    }
    let file = nginx.place().file("list");
    fs::write(&file, list).unwrap();
    let output = command(&["-i", &file]).output().unwrap();
    let records = parse_records(&output.stdout);
    assert_eq!(outcomes(&records), [("ok".to_owned(), 2 * URLS)].into());
    let is_free = |record: &&Value| record["url"].as_str().unwrap().contains(&port.to_string());
    let first_half = &records[..URLS];
    let free = first_half.iter().filter(is_free).count();
    assert!(free > URLS * 2 / 3, "{free} of {URLS}");
}
