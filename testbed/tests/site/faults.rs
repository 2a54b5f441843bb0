//! Endpoints that break connections or fail.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use fetch_testbed::{Fault, Site, byte_at};

use crate::client::{BlockingClient, MAX_WAIT};

/// Sends a request on a reused connection.
fn send_second_request(site: &Site, target: &str) -> BlockingClient<std::net::TcpStream> {
    let mut client = BlockingClient::new(site);
    assert_eq!(client.get("/status/200").status, 200);
    client.send("GET", target, "", b"").unwrap();
    client
}

#[test]
fn reset_sends_no_byte_before_the_reset() {
    let site = Site::start().unwrap();
    let (bytes, result) = send_second_request(&site, "/reset").read_rest();
    assert_eq!(bytes, b"");
    assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn reset_works_for_a_request_with_a_body() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    let error = client
        .exchange("POST", "/reset", "", b"some body")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn an_empty_reply_is_an_orderly_end_without_any_byte() {
    let site = Site::start().unwrap();
    let (bytes, result) = send_second_request(&site, "/empty-reply").read_rest();
    assert_eq!(bytes, b"");
    result.unwrap();
}

#[test]
fn a_part_of_the_body_arrives_before_a_reset() {
    let site = Site::start().unwrap();
    for _ in 0..20 {
        let mut client = send_second_request(&site, "/reset-body");
        assert_eq!(
            client.read_head().unwrap().header("content-length"),
            Some("4096")
        );
        let (bytes, result) = client.read_rest();
        assert_eq!(bytes.len(), 1_024);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_truncated_body_ends_in_order_but_early() {
    let site = Site::start().unwrap();
    for _ in 0..20 {
        let mut client = send_second_request(&site, "/truncate");
        assert_eq!(
            client.read_head().unwrap().header("content-length"),
            Some("4096")
        );
        let (bytes, result) = client.read_rest();
        assert!(bytes.into_iter().eq((0..1_024).map(byte_at)));
        result.unwrap();
    }
}

#[test]
fn garbage_is_not_http_and_ends_the_connection() {
    let site = Site::start().unwrap();
    let (bytes, result) = send_second_request(&site, "/garbage").read_rest();
    assert!(!bytes.is_empty() && !bytes.starts_with(b"HTTP"));
    result.unwrap();
}

#[test]
fn stall_sends_nothing_and_leaves_the_connection_open() {
    let site = Site::start().unwrap();
    let client = std::net::TcpStream::connect(site.address()).unwrap();
    std::io::Write::write_all(&mut &client, b"GET /stall HTTP/1.1\r\nHost: demo\r\n\r\n").unwrap();
    site.wait_for(MAX_WAIT, |seen| seen.in_flight == 1).unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let error = (&client).read(&mut [0]).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    assert_eq!(site.observed().open, 1);
}

#[test]
fn a_stalled_body_stops_after_its_first_part() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    client.send("GET", "/stall-body", "", b"").unwrap();
    assert_eq!(
        client.read_head().unwrap().header("content-length"),
        Some("4096")
    );
    client.read_exact(1_024).unwrap();
    assert_eq!(site.observed().in_flight, 1);
}

#[test]
fn an_endless_body_does_not_end() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    client.send("GET", "/endless", "", b"").unwrap();
    client.read_head().unwrap();
    let length: usize = (0..200).map(|_| client.read_chunk().unwrap().len()).sum();
    assert!(length > 5_000_000);
}

#[test]
fn predicted_faults_occur_once() {
    let site = Site::start().unwrap();
    let mut seen = [0; 4];
    for n in 0..200 {
        let target = format!("/fault?percent=20&seed=9&n={n}");
        let fault = Fault::of(9, n, 20.0);
        match fault {
            Some(Fault::Stall) => {
                let mut client = BlockingClient::new(&site);
                client.send("GET", &target, "", b"").unwrap();
                site.wait_for(MAX_WAIT, |seen| seen.in_flight == 1).unwrap();
                drop(client);
                site.wait_for(MAX_WAIT, |seen| seen.in_flight == 0).unwrap();
            }
            Some(Fault::Reset) => {
                let error = BlockingClient::new(&site).try_get(&target).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            Some(_) => assert_eq!(BlockingClient::new(&site).get(&target).status, 503),
            None => {}
        }
        let response = BlockingClient::new(&site).get(&target);
        assert_eq!((response.status, response.body.len()), (200, 1_024));
        seen[fault.map_or(3, |fault| fault as usize)] += 1;
    }
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
}

#[test]
fn faults_have_the_requested_share() {
    let share = |percent| {
        (0..10_000)
            .filter(|&n| Fault::of(1, n, percent).is_some())
            .count()
    };
    assert_eq!(share(0.0), 0);
    assert_eq!(share(-1.0), 0);
    assert_eq!(share(100.0), 10_000);
    assert!((900..1_100).contains(&share(10.0)));
}
