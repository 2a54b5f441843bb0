use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{AttemptPhase, FailureKind, RequestBody, Transport};
use fetch_http::HttpConfig;
use fetch_testbed::Site;
use futures_lite::{FutureExt, StreamExt, future, stream};
use http::Method;
use smol::block_on;

use crate::client::{
    MAX_WAIT, client, client_with, failure, fetch, get, progress, read_body, send, wait_all_closed,
};
use crate::raw::{RawServer, read_head};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn one_connection_serves_all_sequential_requests() {
    let (site, client) = (Site::start().unwrap(), client());
    for path in [
        "/get",
        "/bytes/5000",
        "/stream-bytes/9000?chunk=1000",
        "/bytes/0",
        "/gzip",
    ] {
        for _ in 0..20 {
            assert_eq!(block_on(fetch(&client, &site.url(path))).unwrap().0, 200);
        }
    }
    assert_eq!(
        (site.observed().connections, site.observed().requests),
        (1, 100)
    );
    assert_eq!(client.open_connections(), 1);
}

#[test]
fn reused_connections_are_reported_with_their_peer() {
    let (site, client) = (Site::start().unwrap(), client());
    for reused in [false, true] {
        let progress = progress();
        let response = block_on(client.send(get(&site.url("/get")), progress.clone())).unwrap();
        block_on(read_body(response.body)).unwrap();
        let connection = progress.connection().unwrap();
        assert_eq!(
            (connection.reused, connection.remote),
            (reused, Some(site.address()))
        );
    }
}

#[test]
fn the_request_is_marked_as_sent_before_the_response_comes() {
    let (asked, was_asked) = async_channel::bounded(1);
    let server = RawServer::serve(move |_, mut stream| {
        read_head(&mut stream);
        asked.send_blocking(()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let (client, progress) = (client(), progress());
    let sending = async {
        let _ = client.send(get(&server.url("/")), progress.clone()).await;
    };
    let asked = async {
        was_asked.recv().await.unwrap();
        // The client marks the phase right after the write that the server has just read.
        while !format!("{progress:?}").contains(&format!("{:?}", AttemptPhase::Sent)) {
            future::yield_now().await;
        }
    };
    block_on(sending.or(asked));
}

#[test]
fn connection_close_prevents_reuse() {
    let (site, client) = (Site::start().unwrap(), client());
    for _ in 0..3 {
        assert_eq!(
            block_on(fetch(&client, &site.url("/close"))).unwrap().0,
            200
        );
    }
    assert_eq!(site.observed().connections, 3);
}

#[test]
fn requests_wait_at_the_connection_limit() {
    let site = Site::start().unwrap();
    let client = client_with(HttpConfig::new().max_connections(2));
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (client, url) = (client.clone(), site.url("/delay/0.01"));
            smol::spawn(async move { fetch(&client, &url).await.unwrap().0 })
        })
        .collect();
    for task in tasks {
        assert_eq!(block_on(task), 200);
    }
    assert_eq!(site.observed().max_open, 2);
    assert_eq!(site.observed().connections, 2);
}

#[test]
fn at_the_limit_an_idle_connection_to_another_origin_is_closed() {
    let site = Site::builder().addresses(3).start().unwrap();
    let client = client_with(HttpConfig::new().max_connections(1));
    for host in 0..3 {
        assert_eq!(
            block_on(fetch(&client, &site.url_at(host, "/get")))
                .unwrap()
                .0,
            200
        );
    }
    assert_eq!(client.open_connections(), 1);
    site.wait_for(MAX_WAIT, |seen| seen.open == 1).unwrap();
}

#[test]
fn idle_connections_are_closed_after_the_timeout() {
    let site = Site::start().unwrap();
    let client = client_with(HttpConfig::new().idle_timeout(Duration::from_millis(50)));
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    site.wait_for(MAX_WAIT, |seen| seen.connections == 1 && seen.open == 0)
        .unwrap();
    block_on(wait_all_closed(&client));
}

#[test]
fn an_idle_timeout_of_zero_disables_keep_alive() {
    let site = Site::start().unwrap();
    let client = client_with(HttpConfig::new().idle_timeout(Duration::ZERO));
    for _ in 0..3 {
        block_on(fetch(&client, &site.url("/get"))).unwrap();
    }
    assert_eq!(site.observed().connections, 3);
}

#[test]
fn close_closes_the_idle_connections() {
    let (site, client) = (Site::start().unwrap(), client());
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    client.close();
    site.wait_for(MAX_WAIT, |seen| seen.connections == 1 && seen.open == 0)
        .unwrap();
    assert_eq!(client.open_connections(), 0);
}

#[test]
fn an_idle_connection_closed_by_the_server_is_removed() {
    let server = RawServer::answering_once(OK);
    let client = client();
    for round in 1..=3 {
        assert_eq!(block_on(fetch(&client, &server.url("/"))).unwrap().1, b"ok");
        block_on(wait_all_closed(&client));
        assert_eq!(server.connections(), round);
    }
}

/// Answers the first request of each connection, and closes it after the second.
fn one_answer_server() -> RawServer {
    RawServer::serve(|_, mut stream| {
        read_head(&mut stream);
        stream.write_all(OK).unwrap();
        read_head(&mut stream);
    })
}

#[test]
fn a_reused_connection_closed_without_an_answer_is_stale() {
    let (server, client) = (one_answer_server(), client());
    block_on(fetch(&client, &server.url("/"))).unwrap();
    assert_eq!(
        block_on(failure(&client, &server.url("/"))),
        FailureKind::Stale { sent: true }
    );
}

#[test]
fn a_reused_connection_closed_inside_the_response_is_not_stale() {
    let server = RawServer::serve(|_, mut stream| {
        read_head(&mut stream);
        stream.write_all(OK).unwrap();
        read_head(&mut stream);
        stream.write_all(&OK[..12]).unwrap();
    });
    let client = client();
    block_on(fetch(&client, &server.url("/"))).unwrap();
    assert_eq!(
        block_on(failure(&client, &server.url("/"))),
        FailureKind::Io
    );
    assert_eq!(server.connections(), 1);
}

#[test]
fn fresh_connections_are_used_on_request() {
    let (server, client) = (one_answer_server(), client());
    for _ in 0..3 {
        let mut request = get(&server.url("/"));
        request.fresh_connection = true;
        let response = block_on(send(&client, request)).unwrap();
        assert_eq!(block_on(read_body(response.body)).unwrap(), b"ok");
    }
    assert_eq!(server.connections(), 3);
}

fn post(url: &str) -> fetch_driver::OutgoingRequest {
    let url = Arc::new(url.parse().unwrap());
    fetch_driver::OutgoingRequest::new(Method::POST, url)
}

#[test]
fn a_request_that_must_not_be_repeated_gets_a_new_connection() {
    let (site, client) = (Site::start().unwrap(), client());
    let fetch_post = |repeatable| {
        let mut request = post(&site.url("/anything"));
        request.repeatable = repeatable;
        let response = block_on(send(&client, request)).unwrap();
        assert_eq!(response.status, 200);
        block_on(read_body(response.body)).unwrap();
    };
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    fetch_post(false);
    fetch_post(false);
    assert_eq!(site.observed().connections, 3);
    fetch_post(true);
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    assert_eq!(site.observed().connections, 3);
}

#[test]
fn a_connection_is_not_reused_after_the_servers_keep_alive_timeout() {
    for (keep_alive, pause, connections) in [
        ("timeout=1", 600, 2),
        ("timeout=60", 0, 1),
        ("timeout=5, max=0", 0, 2),
        ("timeout=3600, max=5", 600, 1),
    ] {
        let server = RawServer::answering(format!(
            "HTTP/1.1 200 OK\r\nKeep-Alive: {keep_alive}\r\nContent-Length: 2\r\n\r\nok"
        ));
        let client = client();
        block_on(fetch(&client, &server.url("/"))).unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        block_on(fetch(&client, &server.url("/"))).unwrap();
        assert_eq!(server.connections(), connections, "{keep_alive}");
    }
}

#[test]
fn dropping_the_transport_closes_its_connections() {
    let (site, client) = (Site::start().unwrap(), client());
    let response = block_on(send(&client, get(&site.url("/bytes/500")))).unwrap();
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    drop(client);
    // This connection becomes idle after its transport is dropped.
    block_on(read_body(response.body)).unwrap();
    site.wait_for(MAX_WAIT, |seen| seen.connections == 2 && seen.open == 0)
        .unwrap();
}

#[test]
fn the_response_head_decides_on_reuse() {
    for (head, connections) in [
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2",
            1,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2", 2),
        // An intermediary may use the length instead.
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2",
            2,
        ),
    ] {
        let body = match head.contains("chunked") {
            true => "2\r\nok\r\n0\r\n\r\n",
            false => "ok",
        };
        let server = RawServer::answering(format!("{head}\r\n\r\n{body}"));
        let client = client();
        for _ in 0..2 {
            let fetched = block_on(fetch(&client, &server.url("/"))).unwrap();
            assert_eq!(fetched, (200, b"ok".to_vec()), "{head}");
        }
        assert_eq!(server.connections(), connections, "{head}");
    }
}

#[test]
fn dropping_the_request_closes_its_connection() {
    let (site, client) = (Site::start().unwrap(), client());
    let url = site.url("/stall");
    let dropped = async {
        smol::unblock(move || {
            site.wait_for(MAX_WAIT, |seen| seen.in_flight == 1)
                .map(|_| site)
        })
        .await
        .unwrap()
    };
    let sent = async {
        let _ = send(&client, get(&url)).await;
        panic!("an answer from /stall");
    };
    let site = block_on(sent.or(dropped));
    site.wait_for(MAX_WAIT, |seen| seen.cut_by_peer == 1 && seen.open == 0)
        .unwrap();
    assert_eq!(client.open_connections(), 0);
}

#[test]
fn dropping_the_body_closes_its_connection() {
    let (site, client) = (Site::start().unwrap(), client());
    for path in ["/stall-body", "/endless"] {
        block_on(async {
            let mut response = send(&client, get(&site.url(path))).await.unwrap();
            response.body.next().await.unwrap().unwrap();
        });
        site.wait_for(MAX_WAIT, |seen| seen.open == 0).unwrap();
        assert_eq!(client.open_connections(), 0);
    }
}

#[test]
fn dropping_a_stuck_upload_closes_its_connection() {
    let server = RawServer::serve(|_, mut stream| {
        read_head(&mut stream);
        std::thread::sleep(MAX_WAIT);
    });
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let endless = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Bytes::from_static(&[7; 65_536]))
    });
    let mut request = get(&server.url("/"));
    request.method = Method::PUT;
    request.body = RequestBody::Stream {
        length: None,
        stream: Box::pin(endless),
    };
    let stuck = async {
        let mut last = 0;
        while last == 0 || last != taken.load(Ordering::SeqCst) {
            last = taken.load(Ordering::SeqCst);
            smol::Timer::after(Duration::from_millis(200)).await;
        }
    };
    let client = client();
    block_on(async { drop(send(&client, request).await) }.or(stuck));
    // The body stream, which holds the count, is dropped with the connection.
    while Arc::strong_count(&taken) > 1 {
        std::thread::yield_now();
    }
}

/// The timers that the system runs for the client's connections to `site`: 2 is that of keep-alive.
#[cfg(target_os = "linux")]
fn timers_of_connections(site: &Site) -> Vec<String> {
    let server = format!("0100007F:{:04X}", site.address().port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    let connections = rows.filter(|row| row[2] == server && row[3] == "01");
    connections.map(|row| row[5][..2].to_owned()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_system_checks_silent_connections_if_it_is_told_to() {
    for (keepalive, expected) in [(None, "00"), (Some(Duration::from_secs(600)), "02")] {
        let site = Site::start().unwrap();
        let mut settings = fetch_driver::Settings::default();
        settings.route.tcp_keepalive = keepalive;
        let client = client_with(HttpConfig::from_settings(&settings).unwrap());
        block_on(fetch(&client, &site.url("/get"))).unwrap();
        assert_eq!(timers_of_connections(&site), [expected]);
    }
}
