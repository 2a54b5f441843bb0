use std::io::Write;
use std::sync::Arc;

use fetch_driver::FailureKind;
use fetch_http::HttpConfig;
use fetch_testbed::Site;
use futures_lite::StreamExt;
use http::{HeaderValue, Method};
use smol::block_on;

use crate::client::{client, client_with, fetch, get, read_body, send};
use crate::raw::RawServer;

/// A server whose response has this `Content-Encoding` and body.
fn coded_server(name: &str, body: &[u8]) -> RawServer {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    RawServer::answering(answer)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_coding_is_decoded_and_its_fields_removed() {
    let (site, client) = (Site::start().unwrap(), client());
    for path in ["/gzip", "/deflate", "/brotli", "/zstd"] {
        for _ in 0..2 {
            let response = block_on(send(&client, get(&site.url(path)))).unwrap();
            assert!(!response.headers.contains_key("content-encoding"), "{path}");
            assert!(!response.headers.contains_key("content-length"), "{path}");
            let body = block_on(read_body(response.body)).unwrap();
            assert!(body.starts_with(b"{") && body.ends_with(b"}\n") | body.ends_with(b"}"));
        }
    }
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn a_callers_accept_encoding_is_sent_unchanged() {
    let (site, client) = (Site::builder().record(true).start().unwrap(), client());
    let mut request = get(&site.url("/get"));
    Arc::make_mut(&mut request.headers).insert("accept-encoding", HeaderValue::from_static("br"));
    block_on(send(&client, request)).unwrap();
    assert_eq!(
        site.last_request("/get").unwrap().header("accept-encoding"),
        Some("br")
    );
}

#[test]
fn decoding_can_be_switched_off() {
    let (server, client) = (
        coded_server("gzip", &gzip(b"hello")),
        client_with(HttpConfig::new().decode(false)),
    );
    let response = block_on(send(&client, get(&server.url("/")))).unwrap();
    assert_eq!(response.headers["content-encoding"], "gzip");
    assert_eq!(block_on(read_body(response.body)).unwrap(), gzip(b"hello"));
}

#[test]
fn stacked_codings_are_decoded() {
    let twice = gzip(&gzip(b"hello"));
    for (name, body) in [
        ("gzip, gzip", &b"hello"[..]),
        ("gzip, identity, GZIP", b"hello"),
    ] {
        let server = coded_server(name, &twice);
        assert_eq!(
            block_on(fetch(&client(), &server.url("/"))).unwrap().1,
            body,
            "{name}"
        );
    }
}

#[test]
fn an_unknown_coding_is_a_decode_failure_unless_decoding_is_off() {
    for name in ["rot13", "rot13, gzip", "gzip, rot13"] {
        let server = coded_server(name, b"uryyb");
        let error = block_on(fetch(&client(), &server.url("/"))).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Decode, "{name}");
        assert!(error.to_string().contains("\"rot13\""), "{error}");
        let raw = client_with(HttpConfig::new().decode(false));
        let body = block_on(fetch(&raw, &server.url("/"))).unwrap().1;
        assert_eq!(body, b"uryyb");
        let server = coded_server(name, b"");
        assert!(block_on(fetch(&client(), &server.url("/"))).is_ok());
    }
}

#[test]
fn too_many_codings_are_a_decode_failure() {
    let server = coded_server(&["gzip"; 6].join(","), b"");
    // An empty body is not decoded; one byte is enough for the error.
    assert!(block_on(fetch(&client(), &server.url("/"))).is_ok());
    let server = coded_server(&["gzip"; 6].join(","), b"x");
    let error = block_on(fetch(&client(), &server.url("/"))).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Decode);
}

#[test]
fn raw_deflate_is_decoded() {
    let server = coded_server("deflate", &deflate(b"hello"));
    assert_eq!(
        block_on(fetch(&client(), &server.url("/"))).unwrap().1,
        b"hello"
    );
}

#[test]
fn gzip_members_are_concatenated() {
    let server = coded_server("gzip", &[gzip(b"hel"), gzip(b"lo")].concat());
    assert_eq!(
        block_on(fetch(&client(), &server.url("/"))).unwrap().1,
        b"hello"
    );
}

#[test]
fn broken_and_truncated_streams_are_decode_failures() {
    for (name, body) in [
        ("gzip", &b"not gzip at all"[..]),
        ("gzip", &gzip(b"hello hello hello")[..20]),
        ("deflate", b"\x78\xff\xff\xff"),
        ("br", b"\xff\xff\xff\xff"),
        ("zstd", b"not zstd"),
    ] {
        let server = coded_server(name, body);
        let error = block_on(fetch(&client(), &server.url("/"))).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Decode, "{name}: {error}");
    }
}

#[test]
fn an_empty_coded_body_is_accepted() {
    let empty = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n";
    for rest in [
        "Content-Length: 0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let server = RawServer::answering(format!("{empty}{rest}"));
        assert_eq!(
            block_on(fetch(&client(), &server.url("/"))).unwrap().1,
            b"",
            "{rest}"
        );
    }
}

#[test]
fn a_response_to_head_keeps_its_coding_fields() {
    let server = RawServer::answering(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n",
    );
    let mut request = get(&server.url("/"));
    request.method = Method::HEAD;
    let response = block_on(send(&client(), request)).unwrap();
    assert_eq!(response.headers["content-encoding"], "gzip");
    assert_eq!(response.headers["content-length"], "99");
}

#[test]
fn decompression_stops_at_the_body_limit() {
    let (site, client) = (Site::start().unwrap(), client());
    let mut request = get(&site.url("/gzip-bomb/100"));
    request.max_body = 1_000_000;
    let mut body = block_on(send(&client, request)).unwrap().body;
    let mut got = 0;
    let error = block_on(async {
        loop {
            match body.next().await.expect("an error before the end") {
                Ok(chunk) => got += chunk.len(),
                Err(error) => break error,
            }
        }
    });
    assert_eq!(error.kind(), FailureKind::BodyTooLarge);
    assert!(got <= 1_000_000, "{got}");
    // The error closed the connection, not the drop of the body.
    assert_eq!(client.open_connections(), 0);
    assert!(block_on(body.next()).is_none());
}

/// A server whose response has this `Transfer-Encoding` and body, and then ends.
fn transfer_server(name: &str, body: &[u8]) -> RawServer {
    let mut answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {name}\r\n\r\n").into_bytes();
    answer.extend_from_slice(body);
    RawServer::answering_once(answer)
}

#[test]
fn transfer_codings_are_decoded_also_without_decoding_of_content() {
    let coded = gzip(b"hello");
    let chunked = [
        format!("{:x}\r\n", coded.len()).as_bytes(),
        &coded,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    for client in [client(), client_with(HttpConfig::new().decode(false))] {
        for (name, body) in [("gzip, chunked", &chunked), ("gzip", &coded)] {
            let server = transfer_server(name, body);
            let (status, body) = block_on(fetch(&client, &server.url("/"))).unwrap();
            assert_eq!((status, &*body), (200, &b"hello"[..]), "{name}");
        }
    }
}

#[test]
fn unknown_transfer_codings_are_refused() {
    for name in ["lzw, chunked", "lzw", "chunked, gzip"] {
        let server = transfer_server(name, b"0\r\n\r\n");
        let error = block_on(fetch(&client(), &server.url("/"))).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Decode, "{name}");
        assert!(error.to_string().contains("transfer coding"), "{error}");
    }
}
