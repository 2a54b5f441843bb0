//! Settings of a site.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, TcpStream};

use fetch_testbed::Site;

use crate::client::{BlockingClient, MAX_WAIT};

#[test]
fn a_connection_closes_unannounced_after_keep_alive_requests() {
    let site = Site::builder().keep_alive_requests(3).start().unwrap();
    for method in ["GET", "HEAD"] {
        for target in ["/get", "/bytes/0", "/bytes/100000", "/stream-bytes/5000"] {
            let mut client = BlockingClient::new(&site);
            for _ in 0..3 {
                let response = client.exchange(method, target, "", b"").unwrap();
                assert_eq!(
                    (response.status, response.header("connection")),
                    (200, None)
                );
            }
            let (bytes, result) = client.read_rest();
            assert_eq!(bytes, b"", "{method} {target}");
            result.unwrap();
        }
    }
    let seen = site.wait_for(MAX_WAIT, |seen| seen.open == 0).unwrap();
    assert_eq!(
        (
            seen.connections,
            seen.requests,
            seen.cut_by_peer,
            seen.broken
        ),
        (8, 24, 0, 0)
    );
}

#[test]
fn several_addresses_share_a_port_and_one_set_of_counters() {
    let site = Site::builder().addresses(4).start().unwrap();
    let port = site.address().port();
    for (at, &address) in site.addresses().iter().enumerate() {
        assert_eq!(address.port(), port);
        assert_eq!(
            site.url_at(at, "/x"),
            format!("http://127.0.0.{}:{port}/x", at + 1)
        );
        BlockingClient::connect(address).get("/get");
    }
    assert_eq!(site.observed().requests, 4);
}

#[test]
fn requests_are_counted_by_host_header() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    client.get("http://one/get");
    client.get("http://two/get");
    client.get("http://one/get");
    let hosts = site.observed().hosts;
    assert_eq!((hosts["one"].requests, hosts["two"].requests), (2, 1));
}

#[test]
fn ipv6_works_where_the_system_has_it() {
    let site = match Site::builder().address(Ipv6Addr::LOCALHOST.into()).start() {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return,
        Err(error) if error.kind() == ErrorKind::Unsupported => return,
        result => result.unwrap(),
    };
    assert!(site.url("/").starts_with("http://[::1]:"));
    assert_eq!(BlockingClient::new(&site).get("/get").status, 200);
}

#[test]
fn invalid_settings_are_rejected() {
    let public: IpAddr = [0, 0, 0, 0].into();
    for builder in [
        Site::builder().address(public),
        Site::builder()
            .address(Ipv6Addr::LOCALHOST.into())
            .addresses(2),
        Site::builder()
            .address([127, 255, 255, 255].into())
            .addresses(2),
        Site::builder().addresses(0),
        Site::builder().threads(0),
        Site::builder().keep_alive_requests(0),
    ] {
        assert_eq!(builder.start().unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_port_in_use_is_an_error() {
    let site = Site::start().unwrap();
    let error = Site::builder()
        .port(site.address().port())
        .start()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn dropping_a_site_closes_everything() {
    let site = Site::builder().threads(3).start().unwrap();
    let address = site.address();
    let mut clients: Vec<_> = (0..6).map(|_| BlockingClient::new(&site)).collect();
    for client in &mut clients {
        client.send("GET", "/stall", "", b"").unwrap();
    }
    site.wait_for(MAX_WAIT, |seen| seen.in_flight == 6).unwrap();
    drop(site);
    for mut client in clients {
        assert_eq!(client.read_rest().0, b"");
    }
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn a_request_body_beyond_the_limit_is_413() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    let head = "Content-Length: 2000000\r\n";
    client.send("POST", "/get", head, b"").unwrap();
    client
        .send("POST", "/get", "", &vec![b'x'; 1 << 20])
        .unwrap();
    assert_eq!(client.read_head().unwrap().status, 413);
}
