//! Metrics over the network.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::support::*;

pub(crate) fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

/// Parses Prometheus' text format: each line has a name, labels in braces and a number.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            let word = comment.split(' ').next().unwrap();
            assert!(matches!(word, "HELP" | "TYPE"), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        assert!(
            bare.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'),
            "{line}"
        );
        assert!(!name.contains('{') || name.ends_with("\"}"), "{line}");
        samples.insert(name.to_owned(), value.parse().unwrap());
    }
    samples
}

#[test]
fn prometheus_reads_metrics_during_a_run() {
    let site = site();
    let urls = [
        site.url("/get"),
        site.url("/status/404"),
        site.url("/stall"),
    ];
    let options = ["--metrics-listen", "0", "-m", "20", "--retry", "0"];
    let mut child = command(&[&options[..], &[&urls[0], &urls[1], &urls[2]]].concat())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line
        .trim()
        .split("http://")
        .nth(1)
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{line}");
    let answered = |samples: &BTreeMap<String, f64>| {
        let counts = samples
            .iter()
            .filter(|(name, _)| name.starts_with("http_client_request_duration_seconds_count"));
        counts.map(|(_, count)| count).sum::<f64>()
    };
    let samples = loop {
        let text = get(&address, "/metrics");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("text/plain; version=0.0.4"), "{head}");
        let samples = parsed(body);
        // The third request is never answered.
        let active = samples.get("http_client_active_requests");
        if answered(&samples) >= 2.0 && active == Some(&1.0) {
            break samples;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let status = |status: u16| {
        let mut all = samples.iter().filter(|(name, _)| {
            name.contains("_count")
                && name.contains(&format!("http_response_status_code=\"{status}\""))
        });
        all.next().map(|(_, count)| *count)
    };
    assert_eq!(
        (status(200), status(404)),
        (Some(1.0), Some(1.0)),
        "{samples:?}"
    );
    assert!(get(&address, "/healthz").ends_with("ok\n"));
    assert!(get(&address, "/").contains("<title>fetch-all"));
    assert!(get(&address, "/x").starts_with("HTTP/1.1 404"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn prometheus_reads_which_hosts_are_down() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let list = List::new((0..30).map(|n| format!("{url}{n}\n")).collect::<String>());
    let mut child = command(&["--metrics-listen", "0", "-i", &list.path("list")])
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.trim().split("http://").nth(1).unwrap();
    let address = address.trim_end_matches('/');
    let host = "fetch_hosts_waiting{server_address=\"127.0.0.1\",reason=\"outage\"}";
    let samples = loop {
        let text = get(address, "/metrics");
        let samples = parsed(text.split_once("\r\n\r\n").unwrap().1);
        let waiting = samples.get("fetch_waiting").copied().unwrap_or(0.0);
        if samples.get(host) == Some(&1.0) && waiting >= 29.0 {
            break samples;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(samples["fetch_hosts_down"], 1.0, "{samples:?}");
    assert_eq!(samples["fetch_hosts_given_up"], 0.0, "{samples:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn statsd_receives_metrics_by_udp() {
    let site = site();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let address = server.local_addr().unwrap().to_string();
    let ran = fetch_all(&[
        "--statsd",
        &address,
        &site.url("/get"),
        &site.url("/status/404"),
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut text = String::new();
    while !text.contains("fetch_all.done:2|g") {
        let mut packet = [0; 2048];
        let length = server.recv(&mut packet).unwrap();
        text += std::str::from_utf8(&packet[..length]).unwrap();
        text.push('\n');
    }
    for part in [
        "fetch_all.outcome.ok:1|c",
        "fetch_all.outcome.http_error:1|c",
        "fetch_all.status.404:1|c",
        "fetch_all.fetch:",
        "fetch_all.request:",
        "fetch_all.in_flight:0|g",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_port_in_use_and_an_invalid_address_are_reported_first() {
    let in_use = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let site = site();
    let (address, url) = (in_use.local_addr().unwrap().to_string(), site.url("/get"));
    for (options, part) in [
        (["--metrics-listen", &address], "cannot listen"),
        (["--metrics-listen", "x"], "such as 9100"),
        (["--statsd", "no port"], "HOST:PORT"),
    ] {
        let ran = fetch_all(&[options[0], options[1], &url]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert_eq!(site.hits("/get"), 0);
}
