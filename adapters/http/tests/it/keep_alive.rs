use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{Failure, Phase, RequestBody, Transport};
use fetch_http::HttpConfig;
use fetch_testbed::Site;
use futures_lite::{FutureExt, StreamExt, future, stream};
use http::Method;
use smol::block_on;

use crate::client::{PATIENCE, all_closed, client, failure, fetch, get, marks, read, send, with};
use crate::raw::{Raw, read_head};

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
fn a_reused_connection_says_so_and_knows_its_peer() {
    let (site, client) = (Site::start().unwrap(), client());
    for reused in [false, true] {
        let marks = marks();
        let response = block_on(client.send(get(&site.url("/get")), marks.clone())).unwrap();
        block_on(read(response.body)).unwrap();
        let connection = marks.connection().unwrap();
        assert_eq!(
            (connection.reused, connection.remote),
            (reused, Some(site.address()))
        );
    }
}

#[test]
fn the_request_is_marked_as_sent_before_the_response_comes() {
    let (asked, was_asked) = async_channel::bounded(1);
    let server = Raw::serve(move |_, mut stream| {
        read_head(&mut stream);
        asked.send_blocking(()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let (client, marks) = (client(), marks());
    let sending = async {
        let _ = client.send(get(&server.url("/")), marks.clone()).await;
    };
    let asked = async {
        was_asked.recv().await.unwrap();
        // The mark is made right after the write that the server has just read from.
        while !format!("{marks:?}").contains(&format!("{:?}", Phase::Sent)) {
            future::yield_now().await;
        }
    };
    block_on(sending.or(asked));
}

#[test]
fn a_server_that_says_close_gets_no_second_request_on_that_connection() {
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
fn the_bound_holds_and_requests_wait_for_a_connection() {
    let site = Site::start().unwrap();
    let client = with(HttpConfig::new().max_connections(2));
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
fn at_the_bound_an_idle_connection_elsewhere_makes_room() {
    let site = Site::builder().addresses(3).start().unwrap();
    let client = with(HttpConfig::new().max_connections(1));
    for host in 0..3 {
        assert_eq!(
            block_on(fetch(&client, &site.url_at(host, "/get")))
                .unwrap()
                .0,
            200
        );
    }
    assert_eq!(client.open_connections(), 1);
    site.wait_for(PATIENCE, |seen| seen.open == 1).unwrap();
}

#[test]
fn an_idle_connection_is_closed_when_its_time_is_over() {
    let site = Site::start().unwrap();
    let client = with(HttpConfig::new().idle_timeout(Duration::from_millis(50)));
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    site.wait_for(PATIENCE, |seen| seen.connections == 1 && seen.open == 0)
        .unwrap();
    block_on(all_closed(&client));
}

#[test]
fn an_idle_timeout_of_zero_keeps_nothing() {
    let site = Site::start().unwrap();
    let client = with(HttpConfig::new().idle_timeout(Duration::ZERO));
    for _ in 0..3 {
        block_on(fetch(&client, &site.url("/get"))).unwrap();
    }
    assert_eq!(site.observed().connections, 3);
}

#[test]
fn close_drops_the_idle_connections() {
    let (site, client) = (Site::start().unwrap(), client());
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    client.close();
    site.wait_for(PATIENCE, |seen| seen.connections == 1 && seen.open == 0)
        .unwrap();
    assert_eq!(client.open_connections(), 0);
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_noticed() {
    let server = Raw::answering_once(OK);
    let client = client();
    for round in 1..=3 {
        assert_eq!(block_on(fetch(&client, &server.url("/"))).unwrap().1, b"ok");
        block_on(all_closed(&client));
        assert_eq!(server.connections(), round);
    }
}

/// Answers the first request of each connection, and drops the second unanswered.
fn forgetful() -> Raw {
    Raw::serve(|_, mut stream| {
        read_head(&mut stream);
        stream.write_all(OK).unwrap();
        read_head(&mut stream);
    })
}

#[test]
fn a_reused_connection_closed_without_an_answer_is_stale() {
    let (server, client) = (forgetful(), client());
    block_on(fetch(&client, &server.url("/"))).unwrap();
    assert_eq!(
        block_on(failure(&client, &server.url("/"))),
        Failure::Stale { sent: true }
    );
}

#[test]
fn a_reused_connection_that_breaks_off_in_its_answer_is_not_stale() {
    let server = Raw::serve(|_, mut stream| {
        read_head(&mut stream);
        stream.write_all(OK).unwrap();
        read_head(&mut stream);
        stream.write_all(&OK[..12]).unwrap();
    });
    let client = client();
    block_on(fetch(&client, &server.url("/"))).unwrap();
    assert_eq!(block_on(failure(&client, &server.url("/"))), Failure::Io);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_fresh_connection_is_used_when_asked_for() {
    let (server, client) = (forgetful(), client());
    for _ in 0..3 {
        let mut request = get(&server.url("/"));
        request.fresh_connection = true;
        let response = block_on(send(&client, request)).unwrap();
        assert_eq!(block_on(read(response.body)).unwrap(), b"ok");
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn without_its_transport_no_connection_stays_open() {
    let (site, client) = (Site::start().unwrap(), client());
    let response = block_on(send(&client, get(&site.url("/bytes/500")))).unwrap();
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    drop(client);
    // This one is not idle before its transport is gone.
    block_on(read(response.body)).unwrap();
    site.wait_for(PATIENCE, |seen| seen.connections == 2 && seen.open == 0)
        .unwrap();
}

#[test]
fn what_the_head_says_decides_whether_the_connection_is_kept() {
    for (head, connections) in [
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2",
            1,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2", 2),
        // Who is in between may see the end elsewhere.
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2",
            2,
        ),
    ] {
        let body = match head.contains("chunked") {
            true => "2\r\nok\r\n0\r\n\r\n",
            false => "ok",
        };
        let server = Raw::answering(format!("{head}\r\n\r\n{body}"));
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
            site.wait_for(PATIENCE, |seen| seen.in_flight == 1)
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
    site.wait_for(PATIENCE, |seen| seen.cut_by_peer == 1 && seen.open == 0)
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
        site.wait_for(PATIENCE, |seen| seen.open == 0).unwrap();
        assert_eq!(client.open_connections(), 0);
    }
}

#[test]
fn dropping_a_stuck_upload_closes_its_connection() {
    let server = Raw::serve(|_, mut stream| {
        read_head(&mut stream);
        std::thread::sleep(PATIENCE);
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
    // The stream, and its share of the count, goes away with the connection.
    while Arc::strong_count(&taken) > 1 {
        std::thread::yield_now();
    }
}
