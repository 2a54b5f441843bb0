//! Traffic counts and recorded requests.

use fetch_testbed::Site;

use crate::client::{BlockingClient, MAX_WAIT};

#[test]
fn concurrent_connections_and_requests_are_counted() {
    let site = Site::builder().threads(2).start().unwrap();
    let clients: Vec<_> = (0..5)
        .map(|_| {
            let mut client = BlockingClient::new(&site);
            client.send("GET", "/stall", "", b"").unwrap();
            client
        })
        .collect();
    let seen = site.wait_for(MAX_WAIT, |seen| seen.in_flight == 5).unwrap();
    assert_eq!(
        (seen.connections, seen.open, seen.hosts["demo"].in_flight),
        (5, 5, 5)
    );
    drop(clients);
    site.wait_for(MAX_WAIT, |seen| seen.open == 0).unwrap();
    BlockingClient::new(&site).get("/get");
    let seen = site
        .wait_for(MAX_WAIT, |seen| seen.in_flight == 0 && seen.open == 0)
        .unwrap();
    assert_eq!((seen.connections, seen.max_open), (6, 5));
    assert_eq!((seen.requests, seen.max_in_flight), (6, 5));
    assert_eq!(
        (
            seen.hosts["demo"].requests,
            seen.hosts["demo"].max_in_flight
        ),
        (6, 5)
    );
}

#[test]
fn requests_aborted_by_the_peer_are_counted() {
    for target in [
        "/stall",
        "/delay/1000",
        "/stall-body",
        "/slow-body?interval=1000",
        "/endless",
    ] {
        let site = Site::start().unwrap();
        let mut client = BlockingClient::new(&site);
        client.send("GET", target, "", b"").unwrap();
        site.wait_for(MAX_WAIT, |seen| seen.in_flight == 1).unwrap();
        drop(client);
        let seen = site
            .wait_for(MAX_WAIT, |seen| seen.in_flight == 0 && seen.open == 0)
            .unwrap();
        assert_eq!((seen.cut_by_peer, seen.broken), (1, 0), "{target}");
    }
}

#[test]
fn broken_connections_are_not_counted_as_aborted_by_the_peer() {
    for target in [
        "/reset",
        "/reset-body",
        "/truncate",
        "/empty-reply",
        "/garbage",
    ] {
        let site = Site::start().unwrap();
        let mut client = BlockingClient::new(&site);
        client.send("GET", target, "", b"").unwrap();
        let _ = client.read_rest();
        let seen = site.wait_for(MAX_WAIT, |seen| seen.open == 0).unwrap();
        assert_eq!(
            (seen.cut_by_peer, seen.broken, seen.in_flight),
            (0, 1, 0),
            "{target}"
        );
    }
}

#[test]
fn a_complete_response_is_not_counted_as_aborted() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    for target in [
        "/get",
        "/bytes/0",
        "/bytes/100000",
        "/stream-bytes/9",
        "/gzip-bomb/1",
        "/status/204",
    ] {
        client.get(target);
        client.exchange("HEAD", target, "", b"").unwrap();
    }
    drop(client);
    let seen = site.wait_for(MAX_WAIT, |seen| seen.open == 0).unwrap();
    assert_eq!(
        (seen.requests, seen.in_flight, seen.cut_by_peer),
        (12, 0, 0)
    );
}

#[test]
fn requests_are_recorded_by_target_if_enabled() {
    let site = Site::builder().record(true).start().unwrap();
    let mut client = BlockingClient::new(&site);
    client.get("/flaky/2?key=a");
    client
        .exchange("PUT", "/flaky/2?key=a", "X-Mark: last\r\n", b"a body")
        .unwrap();
    client.get("/flaky/2?key=b");
    assert_eq!(
        (site.hits("/flaky/2?key=a"), site.hits("/flaky/2?key=b")),
        (2, 1)
    );
    assert_eq!(
        (site.hits("/flaky/2"), site.last_request("/flaky/2")),
        (0, None)
    );
    let seen = site.last_request("/flaky/2?key=a").unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.body.as_slice()),
        ("PUT", &b"a body"[..])
    );
    assert_eq!(seen.header("X-MARK"), Some("last"));
}

#[test]
fn requests_are_not_recorded_by_default() {
    let site = Site::start().unwrap();
    BlockingClient::new(&site).get("/get");
    assert_eq!((site.hits("/get"), site.last_request("/get")), (0, None));
}
