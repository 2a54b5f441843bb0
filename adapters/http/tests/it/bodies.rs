use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{BodyStream, FailureKind, RequestBody, Transport};
use fetch_testbed::{Site, byte_at};
use futures_lite::{StreamExt, stream};
use http::{HeaderValue, Method, Version};
use smol::block_on;

use crate::client::{client, fetch, get, progress, read_body, send, wait_all_closed};
use crate::raw::{RawServer, read_head};

#[test]
fn bodies_of_known_and_unknown_length_arrive_whole() {
    let (site, client) = (Site::start().unwrap(), client());
    let expected: Vec<u8> = (0..300_000).map(byte_at).collect();
    for path in ["/bytes/300000", "/stream-bytes/300000?chunk=777"] {
        assert_eq!(
            block_on(fetch(&client, &site.url(path))).unwrap().1,
            expected,
            "{path}"
        );
    }
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let server = RawServer::answering_once("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    let client = client();
    let response = block_on(send(&client, get(&server.url("/")))).unwrap();
    assert_eq!(response.version, Version::HTTP_10);
    assert_eq!(
        block_on(read_body(response.body)).unwrap(),
        b"until the end"
    );
    block_on(wait_all_closed(&client));
}

#[test]
fn interim_responses_are_skipped() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let server = RawServer::answering(format!(
        "{interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ));
    let client = client();
    for _ in 0..2 {
        assert_eq!(
            block_on(fetch(&client, &server.url("/"))).unwrap(),
            (200, b"ok".to_vec())
        );
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn responses_without_a_body_allow_reuse() {
    let (site, client) = (Site::start().unwrap(), client());
    let mut head = get(&site.url("/bytes/500"));
    head.method = Method::HEAD;
    let response = block_on(send(&client, head)).unwrap();
    assert_eq!(response.headers["content-length"], "500");
    assert_eq!(block_on(read_body(response.body)).unwrap(), b"");
    for status in [204, 304] {
        let url = site.url(&format!("/status/{status}"));
        assert_eq!(
            block_on(fetch(&client, &url)).unwrap(),
            (status, Vec::new())
        );
    }
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn an_unread_body_applies_back_pressure() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    let server = RawServer::serve(move |_, mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while let Ok(n) = stream.write(&[7; 65_536]) {
            count.fetch_add(n, Ordering::SeqCst);
        }
    });
    let client = client();
    let response = block_on(send(&client, get(&server.url("/")))).unwrap();
    // When the buffers of both sockets are full, the count must stop.
    let mut last = usize::MAX;
    while last != written.load(Ordering::SeqCst) {
        last = written.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(last < 64 * 1024 * 1024, "{last} bytes were written");
    let some = block_on(
        response
            .body
            .take(1_000)
            .map(|chunk| chunk.unwrap().len())
            .fold(0, |all, n| all + n),
    );
    assert!(some > last / 2);
}

#[test]
fn received_bytes_are_counted_before_decoding() {
    let (site, client) = (Site::start().unwrap(), client());
    let (plain, coded) = (progress(), progress());
    let response = block_on(client.send(get(&site.url("/bytes/5000")), plain.clone())).unwrap();
    block_on(read_body(response.body)).unwrap();
    assert_eq!(plain.wire_bytes(), 5_000);
    let response = block_on(client.send(get(&site.url("/gzip-bomb/1")), coded.clone())).unwrap();
    assert_eq!(block_on(read_body(response.body)).unwrap().len(), 1 << 20);
    assert!((1..100_000).contains(&coded.wire_bytes()));
}

#[test]
fn request_bodies_are_sent_with_a_length_or_chunked() {
    let (site, client) = (Site::builder().record(true).start().unwrap(), client());
    let chunks = || -> BodyStream { Box::pin(stream::iter([Ok("hel".into()), Ok("lo".into())])) };
    for (body, length) in [
        (RequestBody::Bytes("hello".into()), Some("5")),
        (
            RequestBody::Stream {
                length: Some(5),
                stream: chunks(),
            },
            Some("5"),
        ),
        (
            RequestBody::Stream {
                length: None,
                stream: chunks(),
            },
            None,
        ),
    ] {
        let mut request = get(&site.url("/anything"));
        request.method = Method::POST;
        request.body = body;
        let response = block_on(send(&client, request)).unwrap();
        block_on(read_body(response.body)).unwrap();
        let seen = site.last_request("/anything").unwrap();
        assert_eq!(
            (seen.body.as_slice(), seen.header("content-length")),
            (&b"hello"[..], length)
        );
        assert_eq!(seen.header("transfer-encoding").is_some(), length.is_none());
    }
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn large_request_bodies_are_sent_completely() {
    let server = RawServer::serve(|_, mut stream| {
        let head = read_head(&mut stream).unwrap().to_lowercase();
        assert!(head.contains("content-length: 3000000"), "{head}");
        let mut body = vec![0; 3_000_000];
        stream.read_exact(&mut body).unwrap();
        let same = body.iter().all(|byte| *byte == 9);
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{same:<5}"
        )
        .unwrap();
    });
    let mut request = get(&server.url("/"));
    request.method = Method::PUT;
    request.body = RequestBody::Bytes(vec![9; 3_000_000].into());
    let response = block_on(send(&client(), request)).unwrap();
    assert_eq!(block_on(read_body(response.body)).unwrap(), b"true ");
}

#[test]
fn a_body_stream_that_fails_or_breaks_its_length_fails_the_request() {
    let (site, client) = (Site::start().unwrap(), client());
    let stream_of = |items: Vec<Result<Bytes, &'static str>>| -> BodyStream {
        Box::pin(stream::iter(items).map(|item| item.map_err(Into::into)))
    };
    for (length, items) in [
        (None, vec![Ok("a".into()), Err("disk gone")]),
        (Some(3), vec![Ok("a".into())]),
        (Some(3), vec![Ok("abcd".into())]),
    ] {
        let mut request = get(&site.url("/anything"));
        request.method = Method::POST;
        request.body = RequestBody::Stream {
            length,
            stream: stream_of(items),
        };
        let error = block_on(send(&client, request)).unwrap_err();
        assert_eq!(error.kind(), FailureKind::RequestBody, "{error}");
    }
}

#[test]
fn the_request_head_is_exact() {
    let (asked, was_asked) = async_channel::unbounded();
    let server = RawServer::serve(move |_, mut stream| {
        asked
            .send_blocking(read_head(&mut stream).unwrap())
            .unwrap();
        let _ = stream.write_all(b"HTTP/1.1 204 No\r\n\r\n");
        let _ = stream.shutdown(Shutdown::Both);
    });
    let mut request = get(&server.url("/a%20b?q=1&r=ü#fragment"));
    Arc::make_mut(&mut request.headers).insert("x-mine", HeaderValue::from_static("1"));
    block_on(send(&client(), request)).unwrap();
    let mut post = get(&server.url("/"));
    post.method = Method::POST;
    block_on(send(&client(), post)).unwrap();

    let head = was_asked.recv_blocking().unwrap().to_lowercase();
    assert!(
        head.starts_with("get /a%20b?q=1&r=%c3%bc http/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("\r\nhost: 127.0.0.1:{}\r\n", server.port())),
        "{head}"
    );
    assert!(head.contains("\r\nx-mine: 1\r\n"));
    assert!(head.contains("\r\naccept-encoding: gzip, deflate, br, zstd\r\n"));
    assert!(!head.contains("content-length"));
    let head = was_asked.recv_blocking().unwrap().to_lowercase();
    assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
}

#[test]
fn a_response_during_the_upload_is_accepted() {
    let server = RawServer::serve(|_, mut stream| {
        read_head(&mut stream);
        // The server reads nothing of the body, and closes while most of it is unsent.
        let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
        let _ = stream.shutdown(Shutdown::Write);
        std::thread::sleep(Duration::from_millis(300));
    });
    let client = client();
    let mut request = get(&server.url("/"));
    request.method = Method::PUT;
    request.body = RequestBody::Bytes(vec![9; 30_000_000].into());
    let response = block_on(send(&client, request)).unwrap();
    assert_eq!(response.status, 413);
    assert_eq!(block_on(read_body(response.body)).unwrap(), b"big");
    // After an incomplete request, the connection cannot be reused.
    assert_eq!(client.open_connections(), 0);
}

#[test]
fn a_response_may_come_byte_by_byte() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n";
    let server = RawServer::serve(move |_, mut stream| {
        while read_head(&mut stream).is_some() {
            for byte in answer {
                stream.write_all(&[*byte]).unwrap();
            }
        }
    });
    let client = client();
    for _ in 0..2 {
        let fetched = block_on(fetch(&client, &server.url("/"))).unwrap();
        assert_eq!(fetched, (200, b"abcde".to_vec()));
    }
    assert_eq!(server.connections(), 1);
}
