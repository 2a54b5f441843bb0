use fetch_testbed::Site;

use crate::client::{Client, LONG};

#[test]
fn counts_connections_and_requests_that_are_open_at_once() {
    let site = Site::builder().threads(2).start().unwrap();
    let clients: Vec<_> = (0..5)
        .map(|_| {
            let mut client = Client::new(&site);
            client.send("GET", "/stall", "", b"").unwrap();
            client
        })
        .collect();
    let seen = site.wait_for(LONG, |seen| seen.in_flight == 5).unwrap();
    assert_eq!(
        (seen.connections, seen.open, seen.hosts["demo"].in_flight),
        (5, 5, 5)
    );
    drop(clients);
    site.wait_for(LONG, |seen| seen.open == 0).unwrap();
    Client::new(&site).get("/get");
    let seen = site
        .wait_for(LONG, |seen| seen.in_flight == 0 && seen.open == 0)
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
fn counts_requests_that_the_peer_gave_up() {
    for target in [
        "/stall",
        "/delay/1000",
        "/stall-body",
        "/slow-body?interval=1000",
        "/endless",
    ] {
        let site = Site::start().unwrap();
        let mut client = Client::new(&site);
        client.send("GET", target, "", b"").unwrap();
        site.wait_for(LONG, |seen| seen.in_flight == 1).unwrap();
        drop(client);
        let seen = site
            .wait_for(LONG, |seen| seen.in_flight == 0 && seen.open == 0)
            .unwrap();
        assert_eq!((seen.cut_by_peer, seen.broken), (1, 0), "{target}");
    }
}

#[test]
fn tells_breaks_of_its_own_from_those_of_the_peer() {
    for target in [
        "/reset",
        "/reset-body",
        "/truncate",
        "/empty-reply",
        "/garbage",
    ] {
        let site = Site::start().unwrap();
        let mut client = Client::new(&site);
        client.send("GET", target, "", b"").unwrap();
        let _ = client.rest();
        let seen = site.wait_for(LONG, |seen| seen.open == 0).unwrap();
        assert_eq!(
            (seen.cut_by_peer, seen.broken, seen.in_flight),
            (0, 1, 0),
            "{target}"
        );
    }
}

#[test]
fn a_request_answered_whole_was_not_given_up() {
    let site = Site::start().unwrap();
    let mut client = Client::new(&site);
    for target in [
        "/get",
        "/bytes/0",
        "/bytes/100000",
        "/stream-bytes/9",
        "/gzip-bomb/1",
        "/status/204",
    ] {
        client.get(target);
        client.ask("HEAD", target, "", b"").unwrap();
    }
    drop(client);
    let seen = site.wait_for(LONG, |seen| seen.open == 0).unwrap();
    assert_eq!(
        (seen.requests, seen.in_flight, seen.cut_by_peer),
        (12, 0, 0)
    );
}

#[test]
fn records_requests_by_target_when_asked_to() {
    let site = Site::builder().record(true).start().unwrap();
    let mut client = Client::new(&site);
    client.get("/flaky/2?key=a");
    client
        .ask("PUT", "/flaky/2?key=a", "X-Mark: last\r\n", b"a body")
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
fn records_nothing_unless_asked_to() {
    let site = Site::start().unwrap();
    Client::new(&site).get("/get");
    assert_eq!((site.hits("/get"), site.last_request("/get")), (0, None));
}
