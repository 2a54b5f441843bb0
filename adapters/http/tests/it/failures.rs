use std::io::Write;

use fetch_driver::{FailureKind, Transport};
use fetch_http::HttpConfig;
use fetch_testbed::Site;
use http::Method;
use smol::block_on;

use crate::client::{client, client_with, failure, fetch, get, progress, send};
use crate::raw::{RawServer, closed_port, read_head};

#[test]
fn each_way_to_break_a_response_has_its_failure_kind() {
    let (site, client) = (Site::start().unwrap(), client());
    for (path, kind) in [
        ("/reset", FailureKind::Io),
        ("/reset-body", FailureKind::Io),
        ("/truncate", FailureKind::Io),
        ("/empty-reply", FailureKind::EmptyReply),
        ("/garbage", FailureKind::Protocol),
        ("/head-flood", FailureKind::Protocol),
    ] {
        let mut request = get(&site.url(path));
        request.fresh_connection = true;
        let failed = block_on(async {
            let response = send(&client, request).await?;
            crate::client::read_body(response.body).await
        });
        let error = failed.expect_err(path);
        assert_eq!(error.kind(), kind, "{path}: {error}");
        assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    }
}

#[test]
fn a_failure_is_never_retried() {
    let (site, client) = (Site::builder().record(true).start().unwrap(), client());
    for path in ["/reset", "/empty-reply", "/garbage"] {
        block_on(failure(&client, &site.url(path)));
        assert_eq!(site.hits(path), 1);
    }
}

#[test]
fn redirects_are_returned_and_not_followed() {
    let (site, client) = (Site::start().unwrap(), client());
    assert_eq!(
        block_on(fetch(&client, &site.url("/redirect/2")))
            .unwrap()
            .0,
        302
    );
    assert_eq!(site.observed().requests, 1);
}

#[test]
fn invalid_responses_are_protocol_failures() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n",
    ] {
        let (server, client) = (RawServer::answering_once(answer), client());
        assert_eq!(
            block_on(failure(&client, &server.url("/"))),
            FailureKind::Protocol,
            "{answer}"
        );
    }
}

#[test]
fn a_truncated_head_is_an_io_failure() {
    let server = RawServer::answering_once("HTTP/1.1 200 OK\r\nContent-Le");
    assert_eq!(
        block_on(failure(&client(), &server.url("/"))),
        FailureKind::Io
    );
}

#[test]
fn a_chunked_body_without_end_is_an_io_failure() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
    let server = RawServer::answering_once(answer);
    assert_eq!(
        block_on(failure(&client(), &server.url("/"))),
        FailureKind::Io
    );
}

#[test]
fn the_configured_head_limit_applies() {
    let field = |bytes| format!("HTTP/1.1 204 No\r\nX: {}\r\n\r\n", "x".repeat(bytes));
    let config = || HttpConfig::new().max_head(20_000);
    let (small, large) = (
        RawServer::answering(field(19_000)),
        RawServer::answering(field(21_000)),
    );
    assert_eq!(
        block_on(fetch(&client_with(config()), &small.url("/")))
            .unwrap()
            .0,
        204
    );
    let error = block_on(fetch(&client_with(config()), &large.url("/"))).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Protocol);
    assert!(error.to_string().contains("20000 bytes"), "{error}");
}

#[test]
fn a_body_may_be_larger_than_the_largest_head() {
    let (site, client) = (
        Site::start().unwrap(),
        client_with(HttpConfig::new().max_head(1024)),
    );
    for path in ["/bytes/300000", "/stream-bytes/300000"] {
        assert_eq!(
            block_on(fetch(&client, &site.url(path))).unwrap().1.len(),
            300_000
        );
    }
}

#[test]
fn a_refused_connection_names_the_address() {
    let port = closed_port();
    let url = format!("http://127.0.0.1:{port}/");
    let error = block_on(fetch(&client(), &url)).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Connect);
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{port}: ")),
        "{error}"
    );
}

#[test]
fn unsupported_requests_have_that_failure_kind() {
    for url in ["ftp://127.0.0.1/", "file:///etc/hosts", "data:,x"] {
        assert_eq!(
            block_on(failure(&client(), url)),
            FailureKind::Unsupported,
            "{url}"
        );
    }
    let mut request = get("http://127.0.0.1/");
    request.method = Method::CONNECT;
    let server = RawServer::answering("HTTP/1.1 200 OK\r\n\r\n");
    request.url = std::sync::Arc::new(server.url("/").parse().unwrap());
    let error = block_on(client().send(request, progress())).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Unsupported);
}

#[test]
fn unexpected_bytes_close_an_idle_connection() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = RawServer::serve(move |_, mut stream| {
        while read_head(&mut stream).is_some() {
            let _ = stream.write_all(&[&answer[..], b"surplus"].concat());
        }
    });
    let client = client();
    for _ in 0..3 {
        match block_on(fetch(&client, &server.url("/"))) {
            Ok((_, body)) => assert_eq!(body, b"ok"),
            Err(error) => assert!(matches!(error.kind(), FailureKind::Stale { .. }), "{error}"),
        }
    }
}
