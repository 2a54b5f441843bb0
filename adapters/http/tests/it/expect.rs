use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use fetch_driver::{FailureKind, OutgoingRequest, RequestBody};
use fetch_http::HttpConfig;
use http::{HeaderValue, Method};
use smol::block_on;

use crate::client::{TestClient, client_with, send};
use crate::raw::{RawServer, read_head};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A client whose bodies wait this long.
fn waiting(limit: Duration) -> TestClient {
    client_with(HttpConfig::new().expect_timeout(limit))
}

/// A PUT that asks for permission.
fn put(server: &RawServer, body: &'static str) -> OutgoingRequest {
    let url = server.url("/").parse().unwrap();
    let mut request = OutgoingRequest::new(Method::PUT, Arc::new(url));
    request.body = RequestBody::Bytes(body.into());
    let expect = HeaderValue::from_static("100-continue");
    Arc::make_mut(&mut request.headers).insert("expect", expect);
    request
}

fn answers(server: &RawServer, client: &TestClient) -> u16 {
    let response = block_on(send(client, put(server, "body"))).unwrap();
    response.status.as_u16()
}

#[test]
fn the_body_follows_the_permission() {
    let server = RawServer::serve(|_, mut stream| {
        let head = read_head(&mut stream).unwrap();
        assert!(head.contains("expect: 100-continue\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let mut body = [0; 4];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"body");
        stream.write_all(OK).unwrap();
    });
    assert_eq!(answers(&server, &waiting(Duration::from_secs(3600))), 200);
}

#[test]
fn a_final_answer_ends_the_request_without_its_body() {
    let server = RawServer::serve(|_, mut stream| {
        read_head(&mut stream).unwrap();
        stream
            .write_all(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty());
    });
    let client = waiting(Duration::from_secs(3600));
    assert_eq!(answers(&server, &client), 413);
    // The server may still wait for the body, so the connection is not used again.
    assert_eq!(answers(&server, &client), 413);
    assert_eq!(server.connections(), 2);
}

#[test]
fn without_an_answer_the_body_follows_after_the_limit() {
    let server = RawServer::serve(|_, mut stream| {
        read_head(&mut stream).unwrap();
        let mut body = [0; 4];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(OK).unwrap();
    });
    assert_eq!(answers(&server, &waiting(Duration::ZERO)), 200);
}

#[test]
fn a_server_that_refuses_to_be_asked_is_not_asked_again() {
    let server = RawServer::serve(|_, mut stream| {
        let head = read_head(&mut stream).unwrap();
        if head.contains("expect:") {
            let _ = stream.write_all(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        let mut body = [0; 4];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(OK).unwrap();
    });
    let client = waiting(Duration::from_secs(3600));
    let refused = block_on(send(&client, put(&server, "body"))).unwrap_err();
    let others_answered = false;
    assert_eq!(refused.kind(), FailureKind::Unprocessed { others_answered });
    assert_eq!(answers(&server, &client), 200);
}

#[test]
fn a_request_without_a_body_asks_nothing() {
    let server = RawServer::serve(|_, mut stream| {
        let head = read_head(&mut stream).unwrap();
        assert!(!head.contains("expect:"), "{head}");
        stream.write_all(OK).unwrap();
    });
    let client = waiting(Duration::from_secs(3600));
    assert_eq!(
        block_on(send(&client, put(&server, ""))).unwrap().status,
        200
    );
}
