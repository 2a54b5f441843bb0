use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{AttemptPhase, FailureKind, Http2Mode, RequestBody, Transport};
use fetch_http::{HttpConfig, TlsOptions};
use fetch_smol::{Policy, Request};
use fetch_testbed::{Certificate, ScriptedHttp2, ScriptedReply, Site};
use futures_lite::{FutureExt, StreamExt, future, stream};
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue};
use http::{Method, Version};
use smol::block_on;

use crate::client::{TestClient, client_with, failure, fetch, get, progress, read_body, send};
use crate::h2_server::{H2Action, H2Server};
use crate::raw::RawServer;

fn site() -> Site {
    let site = Site::builder().tls(Certificate::Good).http2(true);
    site.record(true).start().unwrap()
}

fn trusting(site: &Site) -> HttpConfig {
    let pem = site.ca_pem().unwrap().as_bytes();
    HttpConfig::new().tls(TlsOptions::new().add_root_pem(pem).unwrap())
}

fn prior_knowledge() -> TestClient {
    client_with(HttpConfig::new().http2(Http2Mode::PriorKnowledge))
}

/// Fetches all URLs concurrently. Returns the sorted failure kinds.
fn fetch_concurrently(
    client: &TestClient,
    urls: impl IntoIterator<Item = String>,
) -> Vec<Option<FailureKind>> {
    let tasks: Vec<_> = urls
        .into_iter()
        .map(|url| {
            let client = client.clone();
            smol::spawn(async move { fetch(&client, &url).await.err().map(|e| e.kind()) })
        })
        .collect();
    block_on(async {
        let mut kinds = Vec::new();
        for task in tasks {
            kinds.push(task.await);
        }
        kinds.sort();
        kinds
    })
}

fn unprocessed(others_answered: bool) -> FailureKind {
    FailureKind::Unprocessed { others_answered }
}

#[test]
fn a_hundred_first_requests_share_one_connection() {
    let (tls, plain) = (site(), Site::builder().http2(true).start().unwrap());
    for (site, client) in [
        (&tls, client_with(trusting(&tls))),
        (&plain, prior_knowledge()),
    ] {
        let failed =
            fetch_concurrently(&client, (0..100).map(|n| site.url(&format!("/bytes/{n}"))));
        assert_eq!(failed, [None; 100]);
        assert_eq!(site.observed().connections, 1);
        assert_eq!(
            (site.observed().requests, client.open_connections()),
            (100, 1)
        );
    }
}

#[test]
fn responses_report_version_and_connection() {
    let site = site();
    let client = client_with(trusting(&site));
    for reused in [false, true] {
        let progress = progress();
        let response = block_on(client.send(get(&site.url("/get")), progress.clone())).unwrap();
        assert_eq!(response.version, Version::HTTP_2);
        block_on(read_body(response.body)).unwrap();
        let connection = progress.connection().unwrap();
        assert_eq!(connection.reused, reused);
        assert_eq!(connection.remote, Some(site.address()));
        let seen = format!("{progress:?}");
        assert!(
            seen.contains(&format!("{:?}", AttemptPhase::Sent)),
            "{seen}"
        );
        assert_eq!(
            seen.contains(&format!("{:?}", AttemptPhase::TlsDone)),
            !reused
        );
    }
}

#[test]
fn a_server_without_http2_gets_parallel_http1_requests() {
    let site = Site::builder().tls(Certificate::Good).start().unwrap();
    let client = client_with(trusting(&site));
    let response = block_on(send(&client, get(&site.url("/get")))).unwrap();
    assert_eq!(response.version, Version::HTTP_11);
    drop(response);
    let failed = fetch_concurrently(&client, vec![site.url("/delay/0.3"); 20]);
    assert_eq!(failed, [None; 20]);
    assert!(site.observed().max_in_flight > 10, "{:?}", site.observed());
}

#[test]
fn http2_is_not_used_when_off_or_over_plain_http() {
    let site = site();
    let client = client_with(trusting(&site).http2(Http2Mode::Off));
    let response = block_on(send(&client, get(&site.url("/get")))).unwrap();
    assert_eq!(response.version, Version::HTTP_11);
    let plain = Site::start().unwrap();
    let response = block_on(send(
        &client_with(HttpConfig::new()),
        get(&plain.url("/get")),
    ))
    .unwrap();
    assert_eq!(response.version, Version::HTTP_11);
}

#[test]
fn a_server_without_http2_fails_prior_knowledge_once() {
    let plain = RawServer::answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        block_on(failure(&prior_knowledge(), &plain.url("/"))),
        FailureKind::Protocol
    );
    assert_eq!(plain.connections(), 1);
}

#[test]
fn a_host_field_is_the_authority() {
    let site = site();
    let mut request = get(&site.url("/headers"));
    let host = HeaderValue::from_static("elsewhere.test:81");
    Arc::make_mut(&mut request.headers).insert(HOST, host);
    let client = client_with(trusting(&site));
    let response = block_on(send(&client, request)).unwrap();
    block_on(read_body(response.body)).unwrap();
    let seen = site.last_request("/headers").unwrap();
    assert_eq!(seen.header("host"), None);
    assert!(site.observed().hosts.contains_key("elsewhere.test:81"));
}

#[test]
fn connection_fields_are_removed() {
    let site = site();
    let mut request = get(&site.url("/headers"));
    for (name, value) in [
        (CONNECTION, "keep-alive, x-hop"),
        (HeaderName::from_static("keep-alive"), "timeout=5"),
        (HeaderName::from_static("te"), "gzip"),
        (HeaderName::from_static("upgrade"), "h2c"),
    ] {
        Arc::make_mut(&mut request.headers).insert(name, HeaderValue::from_static(value));
    }
    let client = client_with(trusting(&site));
    let response = block_on(send(&client, request)).unwrap();
    block_on(read_body(response.body)).unwrap();
    let seen = site.last_request("/headers").unwrap();
    for name in ["connection", "keep-alive", "te", "upgrade"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    let authority = site.address().to_string();
    assert!(
        site.observed().hosts.contains_key(&authority),
        "{:?}",
        site.observed().hosts
    );
}

#[test]
fn requests_over_the_stream_limit_wait() {
    let server = H2Server::start(3, |_, _| H2Action::Answer(Duration::from_millis(5)));
    let one = client_with(
        HttpConfig::new()
            .http2(Http2Mode::PriorKnowledge)
            .max_connections(1),
    );
    assert_eq!(fetch_concurrently(&one, vec![server.url(); 60]), [None; 60]);
    assert_eq!((server.connections(), server.max_in_flight()), (1, 3));
    // With a higher limit on connections, more are opened, up to the limit.
    let server = H2Server::start(3, |_, _| H2Action::Answer(Duration::from_millis(50)));
    let four = client_with(
        HttpConfig::new()
            .http2(Http2Mode::PriorKnowledge)
            .max_connections(4),
    );
    assert_eq!(
        fetch_concurrently(&four, vec![server.url(); 60]),
        [None; 60]
    );
    assert!(
        (2..=4).contains(&server.connections()),
        "{}",
        server.connections()
    );
    assert!(server.max_in_flight() > 3);
}

#[test]
fn more_than_a_hundred_concurrent_requests_use_a_second_connection() {
    let server = H2Server::start(1000, |_, _| H2Action::Answer(Duration::from_millis(300)));
    assert_eq!(
        fetch_concurrently(&prior_knowledge(), vec![server.url(); 150]),
        [None; 150]
    );
    assert_eq!(server.connections(), 2);
}

#[test]
fn an_idle_shared_connection_is_evicted_for_another_origin() {
    let sites: Vec<_> = (0..3)
        .map(|_| Site::builder().http2(true).start().unwrap())
        .collect();
    let client = client_with(
        HttpConfig::new()
            .http2(Http2Mode::PriorKnowledge)
            .max_connections(1),
    );
    for site in sites.iter().cycle().take(9) {
        assert_eq!(block_on(fetch(&client, &site.url("/get"))).unwrap().0, 200);
        assert_eq!(client.open_connections(), 1);
    }
}

#[test]
fn a_refused_stream_is_unsent_and_the_connection_stays_open() {
    let server = H2Server::start(100, |_, request| match request {
        1 => H2Action::Reset(h2::Reason::REFUSED_STREAM),
        _ => H2Action::Answer(Duration::ZERO),
    });
    let client = prior_knowledge();
    let kinds: Vec<_> = (0..3)
        .map(|_| {
            block_on(fetch(&client, &server.url()))
                .err()
                .map(|e| e.kind())
        })
        .collect();
    assert_eq!(kinds, [None, Some(unprocessed(false)), None]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn requests_after_goaway_are_unsent_and_earlier_ones_complete() {
    // The server processes three of the first five requests, and sends GOAWAY after the fifth.
    let server = ScriptedHttp2::start(100, |connection, request| match (connection, request) {
        (0, 4..) => ScriptedReply::GoAway,
        (0, 3) => ScriptedReply::Ignore,
        (0, _) => ScriptedReply::Delay,
        _ => ScriptedReply::Respond,
    })
    .unwrap();
    let client = prior_knowledge();
    let failed = fetch_concurrently(&client, vec![server.url("/"); 5]);
    assert_eq!(failed[..3], [None; 3]);
    for kind in &failed[3..] {
        assert!(
            matches!(kind, Some(FailureKind::Unprocessed { .. })),
            "{kind:?}"
        );
    }
    assert_eq!(block_on(fetch(&client, &server.url("/"))).unwrap().0, 200);
    assert_eq!(server.connections(), 2);
}

#[test]
fn no_request_is_lost_to_goaway_and_refused_streams() {
    // Each connection refuses every tenth of a hundred requests, and then sends GOAWAY.
    let server = ScriptedHttp2::start(20, |_, request| match request {
        100.. => ScriptedReply::GoAway,
        n if n % 10 == 9 => ScriptedReply::Refuse,
        n if n % 3 == 0 => ScriptedReply::Delay,
        _ => ScriptedReply::Respond,
    })
    .unwrap();
    let fetcher = fetch_smol::Fetcher::builder()
        .http2(Http2Mode::PriorKnowledge)
        .policy(Policy::default().attempts(1))
        .concurrency(50)
        .build()
        .unwrap();
    let requests = (0..1000).map(|n| {
        let url = server.url(&format!("/{n}"));
        let request = Request::new(fetch_smol::Method::Post, url).unwrap();
        request.body("not to be sent twice")
    });
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(requests).collect());
    assert_eq!(outcomes.len(), 1000);
    let failed: Vec<_> = outcomes.iter().filter(|o| !o.is_success()).collect();
    assert!(failed.is_empty(), "{} failed: {}", failed.len(), failed[0]);
    assert!(outcomes.iter().any(|o| o.attempts.len() > 1));
    assert!(
        (10..40).contains(&server.connections()),
        "{}",
        server.connections()
    );
}

#[test]
fn enhance_your_calm_has_a_plain_message() {
    for act in [
        H2Action::Reset(h2::Reason::ENHANCE_YOUR_CALM),
        H2Action::GoAway(h2::Reason::ENHANCE_YOUR_CALM),
    ] {
        let server = H2Server::start(100, move |_, _| act);
        let error = block_on(fetch(&prior_knowledge(), &server.url())).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Io);
        assert!(error.to_string().contains("fewer requests"), "{error}");
    }
}

#[test]
fn enhance_your_calm_after_a_large_head_is_not_told_as_too_many_requests() {
    let calm = H2Action::GoAway(h2::Reason::ENHANCE_YOUR_CALM);
    let server = H2Server::start(100, move |_, _| calm);
    let mut request = get(&server.url());
    let value = HeaderValue::try_from("x".repeat(9_000)).unwrap();
    Arc::make_mut(&mut request.headers).insert("x-large", value);
    let error = block_on(send(&prior_knowledge(), request)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("too large") && !text.contains("fewer requests"),
        "{text}"
    );
}

#[test]
fn a_broken_connection_fails_its_requests_as_transient() {
    let server = H2Server::start(100, |connection, request| match (connection, request) {
        (0, 5) => H2Action::Close,
        (0, _) => H2Action::Answer(Duration::from_secs(3600)),
        _ => H2Action::Answer(Duration::ZERO),
    });
    let client = prior_knowledge();
    let failed = fetch_concurrently(&client, vec![server.url(); 6]);
    for kind in &failed {
        assert!(kind.is_some_and(FailureKind::is_transient), "{failed:?}");
    }
    assert_eq!(block_on(fetch(&client, &server.url())).unwrap().0, 200);
    assert_eq!(server.connections(), 2);
}

#[test]
fn cancelling_resets_one_request_and_no_other() {
    let site = site();
    let client = client_with(trusting(&site));
    block_on(async {
        fetch(&client, &site.url("/get")).await.unwrap();
        let other = send(&client, get(&site.url("/drip?bytes=20&duration=0.5")))
            .await
            .unwrap();
        let cancelled = async { drop(fetch(&client, &site.url("/stall")).await) };
        let noticed = async {
            let started = || site.observed().in_flight >= 2;
            while !started() {
                smol::Timer::after(Duration::from_millis(1)).await;
            }
        };
        cancelled.or(noticed).await;
        let headless = send(&client, get(&site.url("/endless"))).await.unwrap();
        drop(headless);
        assert_eq!(read_body(other.body).await.unwrap().len(), 20);
        while site.observed().cut_by_peer < 2 {
            smol::Timer::after(Duration::from_millis(1)).await;
        }
        fetch(&client, &site.url("/get")).await.unwrap();
    });
    assert_eq!(
        (site.observed().connections, client.open_connections()),
        (1, 1)
    );
}

#[test]
fn an_unread_body_does_not_block_other_requests() {
    let site = site();
    let client = client_with(trusting(&site));
    block_on(async {
        let unread = send(&client, get(&site.url("/bytes/20000000")))
            .await
            .unwrap();
        // More than one stream's window, less than the connection's.
        for _ in 0..5 {
            let (status, body) = fetch(&client, &site.url("/bytes/2000000")).await.unwrap();
            assert_eq!((status, body.len()), (200, 2_000_000));
        }
        assert_eq!(read_body(unread.body).await.unwrap().len(), 20_000_000);
    });
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn bodies_are_uploaded_and_responses_decoded() {
    let site = site();
    let client = client_with(trusting(&site));
    let mut request = get(&site.url("/post"));
    request.method = Method::POST;
    let chunks = vec![Ok(Bytes::from(vec![b'x'; 100_000])); 3];
    request.body = RequestBody::Stream {
        length: None,
        stream: stream::iter(
            chunks
                .into_iter()
                .map(|c: Result<_, String>| c.map_err(Into::into)),
        )
        .boxed(),
    };
    request.url = Arc::new(site.url("/anything").parse().unwrap());
    let response = block_on(send(&client, request)).unwrap();
    assert_eq!(response.status, 200);
    let body = block_on(read_body(response.body)).unwrap();
    assert!(body.len() > 300_000, "{}", body.len());
    let (_, body) = block_on(fetch(&client, &site.url("/gzip"))).unwrap();
    assert!(body.starts_with(b"{"));
}

#[test]
fn a_failing_request_body_is_a_request_body_failure() {
    let site = site();
    let mut request = get(&site.url("/anything"));
    request.method = Method::POST;
    request.body = RequestBody::Stream {
        length: None,
        stream: stream::iter([Ok(Bytes::from("a")), Err("the disk is gone".into())]).boxed(),
    };
    let error = block_on(send(&client_with(trusting(&site)), request)).unwrap_err();
    assert_eq!(error.kind(), FailureKind::RequestBody);
    assert!(error.to_string().contains("the disk is gone"), "{error}");
}

#[test]
fn a_head_over_the_limit_is_a_protocol_failure() {
    let site = site();
    let error = block_on(fetch(
        &client_with(trusting(&site)),
        &site.url("/head-flood?bytes=400000"),
    ));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Protocol, "{error}");
}

#[test]
fn a_failed_connect_fails_all_waiting_requests() {
    let server = RawServer::serve(|_, stream| drop(stream));
    let url = server.url("/").replace("http:", "https:");
    let failed = fetch_concurrently(&client_with(HttpConfig::new()), vec![url; 50]);
    assert_eq!(failed, [Some(FailureKind::Connect); 50]);
    assert!(server.connections() < 50, "{}", server.connections());
}

#[test]
fn the_connecting_request_may_be_cancelled() {
    let site = site();
    let client = client_with(trusting(&site));
    block_on(async {
        let url = site.url("/get");
        for _ in 0..20 {
            // Polled once, so that it has started to connect.
            let mut first = Box::pin(fetch(&client, &url));
            let _ = future::poll_once(&mut first).await;
            let mut second = Box::pin(fetch(&client, &url));
            let _ = future::poll_once(&mut second).await;
            drop(first);
            assert_eq!(second.await.unwrap().0, 200);
            client.close();
        }
    });
}

#[test]
fn idle_shared_connections_are_closed_after_the_timeout() {
    let site = site();
    let client = client_with(trusting(&site).idle_timeout(Duration::from_millis(50)));
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    block_on(crate::client::wait_all_closed(&client));
    let client = client_with(trusting(&site).idle_timeout(Duration::ZERO));
    block_on(fetch(&client, &site.url("/get"))).unwrap();
    block_on(crate::client::wait_all_closed(&client));
}
