//! Hosts that are down or limit the rate of requests, as a run reports them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::*;

/// A list of URLs at the address, and the address without the scheme.
fn list_at(listener: &TcpListener, count: usize) -> (List, String) {
    let address = listener.local_addr().unwrap().to_string();
    let urls = (0..count).map(|n| format!("http://{address}/{n}\n"));
    (List::new(urls.collect::<String>()), address)
}

/// A list of URLs at a port where nobody listens, and its address.
fn list_at_closed_port() -> (List, String) {
    list_at(&TcpListener::bind("127.0.0.1:0").unwrap(), 30)
}

/// Answers each connection with one response, and its status.
fn serve(listener: TcpListener, mut status: impl FnMut() -> &'static str + Send + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = "content-length: 0\r\nconnection: close\r\n\r\n";
            let _ = write!(stream, "HTTP/1.1 {}\r\n{head}", status());
        }
    });
}

#[test]
fn a_host_that_is_down_is_named_while_it_is_waited_for_and_at_the_end() {
    let (list, host) = list_at_closed_port();
    let list = list.path("list");
    let run = ["-i", &list, "--host-max-wait", "2"];
    let ran = fetch_all(&[&run[..], &["--progress-interval", "0.2"]].concat());
    assert_eq!(ran.code, 4, "{ran:?}");
    for part in [
        &format!("WARN  fetch_all::hosts: http://{host} is down (could not connect): "),
        &format!(" · 1 host waits: {host} (down for "),
        &format!("http://{host} is given up after "),
        &format!("  given up  1 host: {host} "),
    ] {
        assert!(
            ran.stderr.contains(part),
            "{part:?} is not in\n{}",
            ran.stderr
        );
    }
    let ran = fetch_all(&[&run[..], &["-q"]].concat());
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    assert!(ran.stderr.contains("  given up  1 host"), "{}", ran.stderr);
}

#[test]
fn urls_without_a_record_are_reported_with_host_and_reason() {
    let site = site();
    let (list, host) = list_at_closed_port();
    let stall = site.url("/stall");
    let ran = fetch_all(&[
        "-i",
        &list.path("list"),
        "--deadline",
        "3",
        "-m",
        "0",
        "--report",
        &list.path("report.html"),
        "-H",
        "X-Api-Key: hush",
        &stall,
    ]);
    assert_eq!(ran.code, 20, "{ran:?}");
    let line = ran.stderr.lines().find(|line| line.contains("no record"));
    let line = line.unwrap_or_else(|| panic!("{}", ran.stderr));
    assert!(
        line.starts_with(&format!("  no record 31 URLs: {host} 30 (down for ")),
        "{line}"
    );
    let authority = stall.split('/').nth(2).unwrap();
    let rest = format!(" s: could not connect), {authority} 1 (queued or in flight)");
    assert!(line.ends_with(&rest), "{line}");

    let page = std::fs::read_to_string(list.path("report.html")).unwrap();
    let table = page.split("have no record</caption>").nth(1).unwrap();
    let table = table.split("</table>").next().unwrap();
    for part in [
        format!("http://{host}</th><td>down for "),
        "<td>30</td>".to_owned(),
        format!("http://{authority}</th><td>queued or in flight</td><td>1</td>"),
    ] {
        assert!(table.contains(&part), "{part} is not in {table}");
    }
    let command = page.split("<h2>Command</h2>").nth(1).unwrap();
    for part in [
        "fetch-all ",
        " --deadline 3 ",
        " --header &#39;X-Api-Key: REDACTED&#39; ",
        "<small>command line</small>",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(command.contains(part), "{part} is not in {command}");
    }
    assert!(!page.contains("hush"), "{page}");
}

#[test]
fn a_host_that_is_back_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (list, host) = list_at(&listener, 30);
    drop(listener);
    let mut child = command(&["-i", &list.path("list")]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = stderr.next().unwrap().unwrap();
    assert!(first.contains(&format!("http://{host} is down")), "{first}");
    serve(TcpListener::bind(&host).unwrap(), || "200 OK");
    let rest: Vec<_> = stderr.map(Result::unwrap).collect();
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{rest:?}");
    let is_back = format!("INFO  fetch_all::hosts: http://{host} is back after ");
    let waited = format!("  waited    for 1 host: {host} ");
    for part in [&is_back, &waited] {
        assert!(rest.iter().any(|line| line.contains(part)), "{rest:?}");
    }
}

#[test]
fn a_host_that_limits_the_rate_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (list, host) = list_at(&listener, 30);
    let mut next = Instant::now();
    serve(listener, move || {
        if Instant::now() < next {
            return "429 Too Many Requests";
        }
        next = Instant::now() + Duration::from_millis(30);
        "200 OK"
    });
    let run = ["--progress-interval", "0.2"];
    let ran = fetch_all(&[&run[..], &["-i", &list.path("list")]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let line = format!("WARN  fetch_all::hosts: http://{host} limits the rate of requests");
    assert_eq!(ran.stderr.matches(&line).count(), 1, "{}", ran.stderr);
    let progress = format!("{host} (limits the rate of requests: ");
    assert!(ran.stderr.contains(&progress), "{}", ran.stderr);
    let summary = ran
        .stderr
        .lines()
        .find(|line| line.starts_with("  waited "));
    let is_named =
        summary.is_some_and(|line| line.contains(&host) && line.contains("(rate limit)"));
    assert!(is_named, "{}", ran.stderr);
}

#[test]
fn a_host_that_asks_for_a_pause_is_named_while_all_its_urls_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (list, host) = list_at(&listener, 3);
    serve(listener, || "429 Too Many Requests\r\nretry-after: 40");
    let page = list.path("report.html");
    let run = [
        "--deadline",
        "3",
        "--progress-interval",
        "0.2",
        "--report",
        &page,
    ];
    let ran = fetch_all(&[&run[..], &["-i", &list.path("list")]].concat());
    assert_eq!(ran.code, 20, "{ran:?}");
    for part in [
        &format!("WARN  fetch_all::hosts: http://{host} asked for a pause of 40 s"),
        &format!(" · 1 host waits: {host} (paused by the server for "),
        "  waited    for 1 host: ",
        &format!("  no record 3 URLs: {host} 3 (paused by the server for "),
    ] {
        assert!(
            ran.stderr.contains(part),
            "{part:?} is not in\n{}",
            ran.stderr
        );
    }
    let page = std::fs::read_to_string(page).unwrap();
    let table = page
        .split("<h2>Hosts that were waited for</h2>")
        .nth(1)
        .unwrap();
    assert!(table.contains("<td>paused by the server</td>"), "{table}");
}
