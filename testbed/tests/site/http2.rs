//! HTTP/2.

use bytes::Bytes;
use fetch_testbed::{Certificate, Site};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::client::MAX_WAIT;
use crate::tls::negotiated_protocol;

async fn connect(site: &Site) -> SendRequest<Empty<Bytes>> {
    let socket = tokio::net::TcpStream::connect(site.address())
        .await
        .unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(
    sender: &mut SendRequest<Empty<Bytes>>,
    target: &str,
) -> hyper::Result<Response<Incoming>> {
    let uri = format!("http://demo{target}");
    sender
        .send_request(Request::get(uri).body(Empty::new()).unwrap())
        .await
}

async fn wait_for_in_flight(site: &Site, count: u64) {
    while site.observed().in_flight != count {
        tokio::task::yield_now().await;
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

#[test]
fn alpn_offers_http2_only_if_enabled() {
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    let builder = Site::builder().tls(Certificate::Good);
    let (old, new) = (
        builder.clone().start().unwrap(),
        builder.http2(true).start().unwrap(),
    );
    assert_eq!(negotiated_protocol(&old, both), b"http/1.1");
    assert_eq!(negotiated_protocol(&new, both), b"h2");
    assert_eq!(negotiated_protocol(&new, &[b"http/1.1"]), b"http/1.1");
}

#[test]
fn requests_share_a_connection() {
    let site = Site::builder().http2(true).start().unwrap();
    run(async {
        let mut sender = connect(&site).await;
        for length in [1_024, 1_000_000] {
            let response = get(&mut sender, &format!("/bytes/{length}")).await.unwrap();
            assert_eq!(
                response
                    .into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
                    .len(),
                length
            );
        }
    });
    let seen = site
        .wait_for(MAX_WAIT, |seen| seen.open == 0 && seen.in_flight == 0)
        .unwrap();
    assert_eq!(
        (seen.connections, seen.requests, seen.cut_by_peer),
        (1, 2, 0)
    );
    assert_eq!(seen.hosts["demo"].requests, 2);
}

#[test]
fn a_cancelled_stream_leaves_the_connection_open() {
    let site = Site::builder().http2(true).start().unwrap();
    run(async {
        let mut sender = connect(&site).await;
        let mut other = sender.clone();
        let stalled = tokio::spawn(async move { get(&mut other, "/stall").await });
        wait_for_in_flight(&site, 1).await;
        stalled.abort();
        assert_eq!(get(&mut sender, "/get").await.unwrap().status(), 200);
        wait_for_in_flight(&site, 0).await;
        let seen = site.observed();
        assert_eq!((seen.connections, seen.open, seen.cut_by_peer), (1, 1, 1));
    });
}

#[test]
fn a_fault_breaks_the_http2_connection() {
    for target in [
        "/reset",
        "/reset-body",
        "/truncate",
        "/empty-reply",
        "/garbage",
    ] {
        let site = Site::builder().http2(true).start().unwrap();
        run(async {
            let mut sender = connect(&site).await;
            let result = match get(&mut sender, target).await {
                Ok(response) => response.into_body().collect().await.map(drop),
                Err(error) => Err(error),
            };
            assert!(result.is_err(), "{target}");
        });
        let seen = site
            .wait_for(MAX_WAIT, |seen| seen.open == 0 && seen.in_flight == 0)
            .unwrap();
        assert_eq!((seen.broken, seen.cut_by_peer), (1, 0), "{target}");
    }
}
